/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The question how to connect, put to a person at a console. It reads from one stream and writes to
 * another, and knows no terminal. */
#pragma once

#include <stdio.h>

#include "client.h"

enum asked {
	ASKED_NOTHING = 0, /* the person went away */
	ASKED_OFFLINE,
	ASKED_AUTOMATIC,
	ASKED_HIDE,	    /* with the bridges that were entered */
	ASKED_HIDE_ASK,	    /* asking for bridges */
	ASKED_HIDE_DEFAULT, /* with the system's own */
};

/* @default_bridges: how many the system has. @bridges must be empty. */
enum asked ask_person(FILE *in, FILE *out, unsigned default_bridges, struct torctl_bridges *bridges);

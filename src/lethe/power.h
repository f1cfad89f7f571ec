/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is said when the computer is to be turned off or restarted, and what if that fails. */
#pragma once

#include "doors.h"

enum power { POWER_OFF, POWER_RESTART };

/* The name of its door. */
const char *power_door(enum power power);
/* What happens, as a sentence, once somebody has connected. */
const char *power_sentence(enum power power);

/*
 * What became of the request, from how @door ended: closed without a word it was granted, and
 * nothing is added to @out. Else @out gets why not and what to do. Returns an exit status:
 * LETHE_OK; LETHE_USAGE (there is no such door, or it is not for this user); LETHE_BAD (anything
 * else).
 */
int power_outcome(enum power power, const struct door *door, struct buf *out);

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The words of commands. Only this room includes it. */
#pragma once

#include "command.h"

/* The verb that a line begins with, in whatever case, as Tor reads it. */
enum torctl_verb torctl_verb_find(const char *line, size_t length);

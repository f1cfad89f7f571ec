/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the watch says of itself to everybody: a file, replaced in one step, for `lethe status`.
 * There is never a destination in it, and nobody who was refused: only numbers, and who asked for a
 * change of the filter.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "watch.h"

#define TELL_FOLDER "/run/lethe-watch"
#define TELL_NAME   "status.json"
#define TELL_NS     1000000000ull /* between two writings, at least */

struct tell {
	int folder; /* -EBADF: nobody is told */
	bool due;   /* something has changed since */
	bool failed; /* it could not be told the last time; that is complained of once */
	uint64_t told_ns;
};

/* Open the folder. Returns 0 or -errno; nobody is told then. */
MUST_CHECK int tell_open(const char *folder, struct tell *tell);

/* Write the file if something has changed, unless it was written a moment ago; *timeout_ms is
 * lowered to when it may be. What cannot be written is tried again at the next change. */
void tell_status(const struct watch *watch, struct tell *tell, int *timeout_ms);

/* The last word. */
void tell_end(const struct watch *watch, struct tell *tell);

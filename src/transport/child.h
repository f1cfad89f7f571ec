/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The transport as a process: started with nothing but what it needs, and ended for certain. */
#pragma once

#include <base/cleanup.h>

struct child {
	int process; /* a pidfd; readable when it has ended */
	int input;   /* while this is open, its standard input is */
	int output;  /* what it says; does not block */
};

/*
 * Run @program (no search, no shell) as the managed transport @name, its state in the folder
 * @state. Of ours it has no descriptor, no environment and no signal mask; it dies with this
 * process. Its standard error goes nowhere, because it may hold addresses. Returns 0, with what
 * child_end() takes; -ENOENT or -EACCES (there is no such program, or it may not be run), or
 * -errno.
 */
MUST_CHECK int child_start(const char *program, const char *name, const char *state,
			   struct child *ret_child);

/* Kill it, and wait until it is gone. Works within sandbox_relaying(). */
void child_end(struct child *child);

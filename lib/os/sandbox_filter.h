/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What all filters of system calls share. Only sandbox*.c include it. */
#pragma once

#include <seccomp.h>

/* All flags of clone(2) that make a namespace. */
#define CLONE_NAMESPACES 0x7e020000u

static inline void filter_release(scmp_filter_ctx *filter)
{
	if (*filter)
		seccomp_release(*filter);
}

/* Inside another filter that refuses seccomp(2), as udev's does, libseccomp cannot find out that the
 * kernel ends whole processes, and takes prctl(2). These programs have one thread: it is the same. */
static inline scmp_filter_ctx filter_new(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);

	return filter ? filter : seccomp_init(SCMP_ACT_KILL_THREAD);
}

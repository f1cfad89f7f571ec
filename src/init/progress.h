/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How far a long job is, a line for every tenth of it. */
#pragma once

#include <stdint.h>

struct progress {
	const char *doing; /* "copying" */
	uint64_t total;    /* bytes */
	unsigned tenths;   /* said last */
};

void progress_show(struct progress *progress, uint64_t done);

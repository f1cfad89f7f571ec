/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The table by program: how often each was refused, whatever it tried. */
#pragma once

#include "table.h"

struct summary {
	const struct row *row; /* the one of this program that was heard of last; borrowed */
	uint64_t attempts, repeats, rows;
};

/* One entry for each program and user, the latest first; what no program did is one entry for each
 * way of knowing. The array is the caller's, to free(). Returns 0 or -ENOMEM. */
MUST_CHECK int summary_make(const struct table *table, struct summary **ret_list,
			    size_t *ret_count);

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Between the chains and the hooks that call them. Private to this room. */
#pragma once

#include "run.h"

/* Run @chain of @run->table on @live. Fills *ret_ends: parts of @live. */
void run_chain(struct run *run, const struct ruleset_chain *chain, diagram live,
	       struct run_ends *ret_ends);

/* Does some rule of the table change packets or remember them? */
bool run_table_changes(const struct ruleset_table *table);

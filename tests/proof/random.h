/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Small random policies, each with a ruleset that is nearly, or exactly, what it becomes. */
#pragma once

#include <policy/policy.h>
#include <ruleset/ruleset.h>

/* Random numbers that a printed seed brings back. */
struct random_numbers {
	uint64_t state;
};
uint32_t random_below(struct random_numbers *random, uint32_t limit);

/*
 * A table of a few chains with random rules at random hooks, added to @ruleset, which is sorted
 * again. Rules ask about what Lethe's ask about, by comparisons, masks, ranges, sets and verdict
 * maps, and jump about. Returns 0 or -ENOMEM.
 */
MUST_CHECK int random_add_table(struct random_numbers *random, struct ruleset *ruleset);

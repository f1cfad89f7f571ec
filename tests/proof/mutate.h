/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Every small fault that a ruleset can have: each of its elements, changed alone. A judge of
 * rulesets that lets one of these pass, though it makes a difference, is no judge.
 */
#pragma once

#include <ruleset/ruleset.h>

struct mutant {
	const struct ruleset *ruleset; /* sorted */
	const char *text; /* what was changed: "table inet lethe chain output rule 3: deleted" */
	const char *kind; /* "rule deleted"; static storage */
	size_t number;    /* from 1; the same whenever the ruleset is the same */

	/* Where, in the original; NULL where it is not in one. Borrowed from the original. */
	const struct ruleset_table *table;
	const struct ruleset_chain *chain;
	const struct ruleset_rule *rule;
	const struct ruleset_set *set;
	/* Of a table that was added: */
	bool foreign;
};

/* Returns 0 to go on; what else it returns ends the walk. */
typedef int mutate_visit(const struct mutant *mutant, void *data);

/*
 * Visit every mutant of @ruleset, which must be sorted. The mutant is gone when @visit returns.
 * What equals the original (ruleset_table_equal() on all tables), what holds elements that overlap,
 * and what came before from the same place is left out. Returns 0, -ENOMEM, or what @visit
 * returned.
 */
MUST_CHECK int mutate_each(const struct ruleset *ruleset, mutate_visit *visit, void *data);

/* Do two sorted rulesets decide alike by construction? */
bool mutate_equal(const struct ruleset *a, const struct ruleset *b);

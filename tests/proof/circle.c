/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "circle.h"

/* Does the verdict lead to a chain of the table that is not done with? */
static bool leads_on(const struct ruleset_table *table, const bool *done,
		     const struct ruleset_verdict *verdict)
{
	const struct ruleset_chain *chain;

	if (verdict->code != RULESET_JUMP && verdict->code != RULESET_GOTO)
		return false;
	chain = ruleset_find_chain(table, verdict->chain);
	return chain && !done[chain - table->chains];
}

static bool map_leads_on(const struct ruleset_table *table, const bool *done, const char *name)
{
	const struct ruleset_set *set = ruleset_find_set(table, name);

	for (size_t i = 0; set && set->verdict_map && i < set->element_count; i++)
		if (leads_on(table, done, &set->elements[i].verdict))
			return true;
	return false;
}

static bool chain_leads_on(const struct ruleset_table *table, const bool *done,
			   const struct ruleset_chain *chain)
{
	for (size_t r = 0; r < chain->rule_count; r++) {
		const struct ruleset_rule *rule = &chain->rules[r];

		for (size_t i = 0; i < rule->count; i++) {
			const struct ruleset_expression *e = &rule->expressions[i];

			if (e->kind == RULESET_IMMEDIATE &&
			    leads_on(table, done, &e->immediate.verdict))
				return true;
			if (e->kind == RULESET_LOOKUP && e->lookup.map &&
			    map_leads_on(table, done, e->lookup.set))
				return true;
		}
	}
	return false;
}

/* Chains that lead nowhere are done with; then those that lead only to these; what is left at the
 * end leads in a circle. */
static int look(const struct ruleset_table *table, bool *ret_circle)
{
	AUTO_FREE bool *done = calloc(table->chain_count + 1, sizeof(*done));
	size_t left = table->chain_count;
	bool grew = true;

	if (!done)
		return -ENOMEM;
	while (grew && left > 0) {
		grew = false;
		for (size_t c = 0; c < table->chain_count; c++) {
			if (done[c] || chain_leads_on(table, done, &table->chains[c]))
				continue;
			done[c] = grew = true;
			left--;
		}
	}
	*ret_circle = left > 0;
	return 0;
}

int circle_find(const struct ruleset *ruleset, bool *ret_circle)
{
	bool circle = false;
	int r = 0;

	for (size_t t = 0; r == 0 && !circle && t < ruleset->table_count; t++)
		r = look(&ruleset->tables[t], &circle);
	if (r == 0)
		*ret_circle = circle;
	return r;
}

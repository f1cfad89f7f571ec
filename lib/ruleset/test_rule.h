/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One rule at one hook, and what it makes of a packet. */
#pragma once

#include "test_build.h"

/* The rule drops where it applies, and the chain's policy accepts where it does not. */
#define APPLIES RULESET_DROPPED
#define NOT     RULESET_PASSED
#define UNSURE  RULESET_UNDECIDED

struct hook {
	enum ruleset_family family;
	uint32_t number;
};

#define output     ((struct hook){RULESET_INET, NF_INET_LOCAL_OUT})
#define input      ((struct hook){RULESET_INET, NF_INET_LOCAL_IN})
#define prerouting ((struct hook){RULESET_INET, NF_INET_PRE_ROUTING})
#define egress     ((struct hook){RULESET_NETDEV, EGRESS_OF_NETDEV})

/* Sets for the rule to look things up in, or NULL. */
static void (*fill_sets)(struct ruleset_table *table);

static inline enum ruleset_outcome outcome_of(struct hook hook, const struct packet *packet,
					      const expr *expressions, size_t count)
{
	CLEANUP(ruleset_freep) struct ruleset *ruleset = new_ruleset();
	struct ruleset_table *table = ruleset_add_table(ruleset, hook.family, "t");
	struct ruleset_chain *chain = base_chain(table, "c", hook.number, RULESET_ACCEPT);
	struct ruleset_rule *rule = add_rule(chain, "", expressions, count);
	expr last = drops();

	chain->every_device = true;
	assert_non_null(ruleset_add_expression(rule, &last));
	if (fill_sets)
		fill_sets(table);
	ruleset_sort(ruleset);
	return ruleset_evaluate(ruleset, packet).outcome;
}

#define CHECK(wanted, hook, packet, ...)                                                           \
	assert_int_equal(outcome_of(hook, packet, (const expr[]){__VA_ARGS__},                     \
				    sizeof((const expr[]){__VA_ARGS__}) / sizeof(expr)),           \
			 wanted)

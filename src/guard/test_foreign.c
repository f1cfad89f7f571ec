/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which tables of others are let be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <linux/netfilter/nf_tables.h>

#include "resident.h"

/* A table with one rule of one expression, in a base chain of @type. */
static struct ruleset *table_of(enum ruleset_chain_type type,
				const struct ruleset_expression *expression)
{
	struct ruleset *ruleset = ruleset_new();
	struct ruleset_chain *chain;

	assert_non_null(ruleset);
	assert_non_null(ruleset_add_table(ruleset, RULESET_IPV4, "other"));
	chain = ruleset_add_chain(&ruleset->tables[0], "c");
	assert_non_null(chain);
	chain->base = true;
	chain->type = type;
	chain->policy = RULESET_ACCEPT;
	if (expression) {
		struct ruleset_rule *rule = ruleset_add_rule(chain, "");

		assert_non_null(rule);
		assert_non_null(ruleset_add_expression(rule, expression));
	}
	return ruleset;
}

static bool weakens(enum ruleset_chain_type type, const struct ruleset_expression *expression)
{
	CLEANUP(ruleset_freep) struct ruleset *ruleset = table_of(type, expression);

	return foreign_weakens(&ruleset->tables[0]) != NULL;
}

/* Every kind that there is: the list of those that only look is the whole
 * of what is let be. */
static void test_kinds(void **state)
{
	static const enum ruleset_expression_kind harmless[] = {
	    RULESET_META,       RULESET_PAYLOAD,    RULESET_COMPARE,      RULESET_BITWISE,
	    RULESET_RANGE,      RULESET_LOOKUP,     RULESET_DYNSET,       RULESET_IMMEDIATE,
	    RULESET_REJECT,     RULESET_SOCKET,     RULESET_COUNTER,      RULESET_SHIFT,
	    RULESET_BYTEORDER,  RULESET_CONNECTION, RULESET_NOTRACK,      RULESET_ROUTE_LOOKUP,
	    RULESET_ROUTE_FIELD, RULESET_LIMIT,     RULESET_NUMBER,       RULESET_NO_EFFECT,
	};

	for (int kind = RULESET_UNKNOWN; kind <= RULESET_OBJECT; kind++) {
		const struct ruleset_expression expression = {
		    .kind = (enum ruleset_expression_kind)kind};
		bool wanted = true;

		for (size_t i = 0; i < ARRAY_SIZE(harmless); i++)
			wanted = wanted && (int)harmless[i] != kind;
		print_message("# kind %d\n", kind);
		assert_int_equal(weakens(RULESET_FILTER, &expression), wanted);
	}
}

static void test_chains(void **state)
{
	assert_false(weakens(RULESET_FILTER, NULL));
	assert_true(weakens(RULESET_NAT, NULL));
	assert_true(weakens(RULESET_ROUTE, NULL));
}

static void test_verdicts(void **state)
{
	struct ruleset_expression expression = {.kind = RULESET_IMMEDIATE};

	expression.immediate.verdict.code = RULESET_DROP;
	assert_false(weakens(RULESET_FILTER, &expression));
	expression.immediate.verdict.code = RULESET_ACCEPT;
	assert_false(weakens(RULESET_FILTER, &expression));
	expression.immediate.verdict.code = RULESET_QUEUE;
	assert_true(weakens(RULESET_FILTER, &expression));
}

static void test_verdict_in_a_map(void **state)
{
	CLEANUP(ruleset_freep) struct ruleset *ruleset = table_of(RULESET_FILTER, NULL);
	struct ruleset_element element = {.verdict = {.code = RULESET_DROP}};
	struct ruleset_set *set = ruleset_add_set(&ruleset->tables[0], "m");

	assert_non_null(set);
	assert_non_null(ruleset_add_element(set, &element));
	assert_null(foreign_weakens(&ruleset->tables[0]));
	element.verdict.code = RULESET_QUEUE;
	element.key.len = 4;
	assert_non_null(ruleset_add_element(&ruleset->tables[0].sets[0], &element));
	assert_non_null(foreign_weakens(&ruleset->tables[0]));
}

static void test_objects(void **state)
{
	struct ruleset_expression expression = {.kind = RULESET_OBJECT};

	expression.object.type = NFT_OBJECT_COUNTER;
	assert_false(weakens(RULESET_FILTER, &expression));
	expression.object.type = NFT_OBJECT_CT_HELPER;
	assert_true(weakens(RULESET_FILTER, &expression));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_kinds),           cmocka_unit_test(test_chains),
	    cmocka_unit_test(test_verdicts),        cmocka_unit_test(test_verdict_in_a_map),
	    cmocka_unit_test(test_objects),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Making rulesets, their limits, their order. */
#include "test_build.h"

#include "search.h"

static void names_have_limits(void **state)
{
	CLEANUP(ruleset_freep) struct ruleset *ruleset = new_ruleset();
	char name[RULESET_NAME_MAX + 2];
	struct ruleset_table *table;

	memset(name, 'n', sizeof(name));
	name[RULESET_NAME_MAX + 1] = '\0';
	assert_null(ruleset_add_table(ruleset, RULESET_INET, name));
	assert_null(ruleset_add_table(ruleset, RULESET_INET, ""));
	assert_int_equal(ruleset->table_count, 0);
	table = ruleset_add_table(ruleset, RULESET_INET, name + 1);
	assert_non_null(table);
	assert_string_equal(table->name, name + 1);
	assert_null(ruleset_add_chain(table, name));
	assert_null(ruleset_add_set(table, name));
	assert_non_null(ruleset_add_chain(table, name + 1));
	assert_non_null(ruleset_add_set(table, name + 1));
}

static void comments_have_limits(void **state)
{
	CLEANUP(ruleset_freep) struct ruleset *ruleset = new_ruleset();
	struct ruleset_table *table = ruleset_add_table(ruleset, RULESET_INET, "t");
	struct ruleset_chain *chain = ruleset_add_chain(table, "c");
	char comment[RULESET_COMMENT_MAX + 2];

	memset(comment, 'c', sizeof(comment));
	comment[RULESET_COMMENT_MAX + 1] = '\0';
	assert_null(ruleset_add_rule(chain, comment));
	assert_string_equal(ruleset_add_rule(chain, comment + 1)->comment, comment + 1);
	assert_string_equal(ruleset_add_rule(chain, NULL)->comment, "");
	assert_int_equal(chain->rule_count, 2);
}

static void expressions_have_limits(void **state)
{
	CLEANUP(ruleset_freep) struct ruleset *ruleset = new_ruleset();
	struct ruleset_table *table = ruleset_add_table(ruleset, RULESET_INET, "t");
	struct ruleset_rule *rule = ruleset_add_rule(ruleset_add_chain(table, "c"), NULL);
	expr bad[] = {
	    meta(NFT_META_MARK, 16),
	    load(RULESET_NETWORK, 0, 65, 0),
	    load(RULESET_NETWORK, 0, 5, 15),
	    is(BYTES(1)),
	    mask(BYTES(1)),
	    data(15, BYTES(1, 2, 3, 4, 5)),
	    tproxy(RULESET_IPV4, 16, -1),
	    tproxy(RULESET_IPV4, -2, -1),
	    lookup("x"),
	    {.kind = (enum ruleset_expression_kind)99},
	};
	expr good = load(RULESET_NETWORK, 0, 4, 15);

	bad[3].compare.value.len = RULESET_DATA_MAX + 1;
	bad[4].bitwise.mask.len = RULESET_DATA_MAX + 1;
	memset(bad[8].lookup.set, 'x', sizeof(bad[8].lookup.set));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_null(ruleset_add_expression(rule, &bad[i]));
	assert_int_equal(rule->count, 0);
	for (size_t i = 0; i < 128; i++)
		assert_non_null(ruleset_add_expression(rule, &good));
	assert_null(ruleset_add_expression(rule, &good));
	assert_int_equal(rule->count, 128);
}

static void elements_and_devices_have_limits(void **state)
{
	CLEANUP(ruleset_freep) struct ruleset *ruleset = new_ruleset();
	struct ruleset_table *table = ruleset_add_table(ruleset, RULESET_INET, "t");
	struct ruleset_set *set = new_set(table, "s", 4);
	struct ruleset_chain *chain = ruleset_add_chain(table, "c");
	struct ruleset_element element = {.key = {.len = RULESET_DATA_MAX + 1}};

	assert_null(ruleset_add_element(set, &element));
	element.key.len = 4;
	memset(element.verdict.chain, 'x', sizeof(element.verdict.chain));
	assert_null(ruleset_add_element(set, &element));
	assert_int_equal(set->element_count, 0);
	assert_int_equal(ruleset_add_device(chain, ""), -EINVAL);
	assert_int_equal(ruleset_add_device(chain, "0123456789abcdef"), -EINVAL);
	assert_int_equal(ruleset_add_device(chain, "0123456789abcde"), 0);
	assert_string_equal(chain->devices[0], "0123456789abcde");
}

/* Additions keep what is there, over every growth. */
static void many_of_everything(void **state)
{
	CLEANUP(ruleset_freep) struct ruleset *ruleset = new_ruleset();
	struct ruleset_table *table;
	char name[16];

	for (uint32_t i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "t%u", i);
		assert_non_null(ruleset_add_table(ruleset, RULESET_INET, name));
	}
	table = &ruleset->tables[42];
	for (uint32_t i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "n%u", i);
		assert_non_null(ruleset_add_chain(table, name));
		assert_non_null(ruleset_add_set(table, name));
		assert_non_null(ruleset_add_rule(&table->chains[0], name));
		assert_int_equal(ruleset_add_device(&table->chains[0], name), 0);
	}
	for (uint32_t i = 0; i < 100000; i++)
		add_key(&table->sets[7], &i, sizeof(i));
	assert_string_equal(ruleset->tables[99].name, "t99");
	for (uint32_t i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "n%u", i);
		assert_string_equal(table->chains[i].name, name);
		assert_string_equal(table->sets[i].name, name);
		assert_string_equal(table->chains[0].rules[i].comment, name);
		assert_string_equal(table->chains[0].devices[i], name);
		assert_int_equal(table->chains[i].base, false);
	}
	assert_int_equal(table->sets[7].element_count, 100000);
	for (uint32_t i = 0; i < 100000; i++)
		assert_memory_equal(table->sets[7].elements[i].key.bytes, &i, sizeof(i));
}

static void order_is_canonical(void **state)
{
	CLEANUP(ruleset_freep) struct ruleset *ruleset = new_ruleset();
	struct ruleset_table *table;
	struct ruleset_set *set;

	ruleset_add_table(ruleset, RULESET_NETDEV, "a");
	ruleset_add_table(ruleset, RULESET_INET, "b");
	table = ruleset_add_table(ruleset, RULESET_INET, "a");
	ruleset_add_chain(table, "z");
	ruleset_add_chain(table, "y");
	assert_int_equal(ruleset_add_device(&table->chains[1], "wlan0"), 0);
	assert_int_equal(ruleset_add_device(&table->chains[1], "eth0"), 0);
	ruleset_add_rule(&table->chains[1], "second by name, first by place");
	ruleset_add_rule(&table->chains[1], "a");
	new_set(table, "s2", 2);
	set = new_set(table, "s1", 2);
	set->interval = true;
	add_key(set, BYTES(2, 0));
	add_range(set, BYTES(1, 9), BYTES(1, 10));
	add_key(set, BYTES(1, 200));
	add_key(set, BYTES(1, 9));
	ruleset_sort(ruleset);

	assert_int_equal(ruleset->tables[0].family, RULESET_INET);
	assert_string_equal(ruleset->tables[0].name, "a");
	assert_string_equal(ruleset->tables[1].name, "b");
	assert_int_equal(ruleset->tables[2].family, RULESET_NETDEV);
	table = &ruleset->tables[0];
	assert_string_equal(table->chains[0].name, "y");
	assert_string_equal(table->chains[0].devices[0], "eth0");
	assert_string_equal(table->chains[0].rules[1].comment, "a");
	assert_string_equal(table->sets[0].name, "s1");
	set = &table->sets[0];
	assert_memory_equal(set->elements[0].key.bytes, ((uint8_t[]){1, 9}), 2);
	assert_int_equal(set->elements[0].key_end.len, 0);
	assert_int_equal(set->elements[1].key_end.len, 2);
	assert_memory_equal(set->elements[2].key.bytes, ((uint8_t[]){1, 200}), 2);
	assert_memory_equal(set->elements[3].key.bytes, ((uint8_t[]){2, 0}), 2);
}

static void things_are_found(void **state)
{
	static const char *const names[] = {"m", "c", "x", "a", "q"};
	CLEANUP(ruleset_freep) struct ruleset *ruleset = new_ruleset();
	struct ruleset_table *table = ruleset_add_table(ruleset, RULESET_INET, "t");

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		ruleset_add_chain(table, names[i]);
		ruleset_add_set(table, names[i]);
	}
	for (int sorted = 0; sorted < 2; sorted++) {
		for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
			assert_string_equal(ruleset_find_chain(table, names[i])->name, names[i]);
			assert_string_equal(ruleset_find_set(table, names[i])->name, names[i]);
		}
		assert_null(ruleset_find_chain(table, "b"));
		assert_null(ruleset_find_set(table, "z"));
		ruleset_sort(ruleset);
	}
	assert_ptr_equal(ruleset_find_table(ruleset, RULESET_INET, "t"), table);
	assert_null(ruleset_find_table(ruleset, RULESET_IPV4, "t"));
	assert_null(ruleset_find_table(ruleset, RULESET_INET, "u"));
}

/* The parts by which a set can be bisected. */
static void exact_parts_are_counted(void **state)
{
	CLEANUP(ruleset_freep) struct ruleset *ruleset = new_ruleset();
	struct ruleset_set *set = new_set(ruleset_add_table(ruleset, RULESET_INET, "t"), "s", 8);

	assert_int_equal(search_exact_fields(set), 1);
	set->field_count = 2;
	set->fields[0] = 4;
	set->fields[1] = 2;
	assert_int_equal(search_exact_fields(set), 2);
	set->interval = true;
	add_key(set, BYTES(1, 0, 0, 0, 0, 80, 0, 0));
	assert_int_equal(search_exact_fields(set), 2);
	add_range(set, BYTES(2, 0, 0, 0, 0, 80, 0, 0), BYTES(2, 0, 0, 0, 0, 90, 0, 0));
	ruleset_sort(ruleset);
	assert_int_equal(set->exact_fields, 1);
	add_range(set, BYTES(3, 0, 0, 0, 0, 80, 0, 0), BYTES(4, 0, 0, 0, 0, 80, 0, 0));
	assert_int_equal(search_exact_fields(set), 0);
	set->fields[1] = 5; /* does not add up to the key */
	assert_int_equal(search_exact_fields(set), 0);
}

static void freeing_nothing_is_allowed(void **state)
{
	assert_null(ruleset_free(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(names_have_limits),
	    cmocka_unit_test(comments_have_limits),
	    cmocka_unit_test(expressions_have_limits),
	    cmocka_unit_test(elements_and_devices_have_limits),
	    cmocka_unit_test(many_of_everything),
	    cmocka_unit_test(order_is_canonical),
	    cmocka_unit_test(things_are_found),
	    cmocka_unit_test(exact_parts_are_counted),
	    cmocka_unit_test(freeing_nothing_is_allowed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

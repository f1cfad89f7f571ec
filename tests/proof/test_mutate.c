/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the mutator promises: each fault alone, once, and the original as it was. */
#include "mutate.h"

#include <string.h>

#include <policy/test_util.h>
#include <wall/compile.h>

#include "copy.h"

#define SMALL                                                                                      \
	"link arp for kernel\n"                                                                    \
	"network n = 198.51.100.0/24\n"                                                            \
	"allow debian-tor to n over tcp 443\n"

static struct ruleset *compiled(const char *statements)
{
	struct policy *policy = test_parse_statements(statements);
	struct ruleset *ruleset = NULL;

	assert_int_equal(compile_policy(policy, &ruleset), 0);
	policy_free(policy);
	return ruleset;
}

struct seen {
	const struct ruleset *original;
	const char *const *wanted; /* texts; each is found once */
	size_t wanted_count, found, count, foreign, deleted;
	struct buf texts;
};

static int look(const struct mutant *mutant, void *data)
{
	struct seen *seen = data;

	assert_false(mutate_equal(seen->original, mutant->ruleset));
	assert_int_equal(mutant->number, ++seen->count);
	seen->foreign += mutant->foreign;
	seen->deleted += strcmp(mutant->kind, "expression deleted") == 0;
	for (size_t i = 0; i < seen->wanted_count; i++)
		seen->found += strcmp(mutant->text, seen->wanted[i]) == 0;
	buf_printf(&seen->texts, "%s\n", mutant->text);
	return 0;
}

static size_t expressions_of(const struct ruleset *ruleset)
{
	size_t count = 0;

	for (size_t t = 0; t < ruleset->table_count; t++)
		for (size_t c = 0; c < ruleset->tables[t].chain_count; c++)
			for (size_t r = 0; r < ruleset->tables[t].chains[c].rule_count; r++)
				count += ruleset->tables[t].chains[c].rules[r].count;
	return count;
}

static void printed(const struct ruleset *ruleset, struct buf *out)
{
	ruleset_print(ruleset, out);
	assert_int_equal(buf_finish(out), 0);
}

static void each_fault_is_made_once(void **state)
{
	static const char *const wanted[] = {
	    "table inet lethe: deleted",
	    "table inet lethe chain output: policy accept",
	    "table inet lethe chain output: no base chain any more",
	    "table inet lethe chain output rule 1: deleted",
	    "table inet lethe chain output rule 1: swapped with the next",
	    "table inet lethe chain refuse rule 2: expression 3: drop in place of a rejection",
	    "table netdev lethe chain egress: bound to the devices \"lo\", \"\" only",
	    ("table inet lethe set remote_users: the key of element 1 for a user that is not named, "
	     "accept"),
	    "added table inet at output, priority -150: sets the mark",
	};
	CLEANUP(ruleset_freep) struct ruleset *ruleset = compiled(SMALL);
	AUTO_BUF struct buf before = {.cap = 1 << 20}, after = {.cap = 1 << 20};
	struct seen seen = {.original = ruleset,
			    .wanted = wanted,
			    .wanted_count = ARRAY_SIZE(wanted),
			    .texts = {.cap = 8 << 20}};

	printed(ruleset, &before);
	assert_int_equal(mutate_each(ruleset, look, &seen), 0);
	printed(ruleset, &after);
	assert_string_equal(buf_text(&before), buf_text(&after));
	assert_int_equal(seen.found, ARRAY_SIZE(wanted));
	assert_int_equal(seen.deleted, expressions_of(ruleset));
	assert_true(seen.count > 1000);
	print_message("# %zu mutants, %zu of them tables of others\n", seen.count, seen.foreign);
	buf_done(&seen.texts);
}

static int compare_lines(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Two mutants of one text would be one, or nobody could tell which. */
static void no_text_comes_twice(void **state)
{
	CLEANUP(ruleset_freep) struct ruleset *ruleset = compiled(SMALL);
	struct seen seen = {.original = ruleset, .texts = {.cap = 8 << 20}};
	AUTO_FREE char **lines = NULL;
	char *rest;
	size_t count = 0;

	assert_int_equal(mutate_each(ruleset, look, &seen), 0);
	assert_int_equal(buf_finish(&seen.texts), 0);
	lines = calloc(seen.count, sizeof(*lines));
	assert_non_null(lines);
	rest = seen.texts.data;
	while (count < seen.count)
		lines[count++] = strsep(&rest, "\n");
	qsort(lines, count, sizeof(*lines), compare_lines);
	for (size_t i = 1; i < count; i++)
		assert_string_not_equal(lines[i - 1], lines[i]);
	buf_done(&seen.texts);
}

static int stop_at_third(const struct mutant *mutant, void *data)
{
	*(size_t *)data = mutant->number;
	return mutant->number == 3 ? 7 : 0;
}

static void the_visitor_ends_the_walk(void **state)
{
	CLEANUP(ruleset_freep) struct ruleset *ruleset = compiled("");
	size_t last = 0;

	assert_int_equal(mutate_each(ruleset, stop_at_third, &last), 7);
	assert_int_equal(last, 3);
}

/* The anti-test: what is compared with the original would be found to differ. */
static void a_copy_is_equal_until_it_is_changed(void **state)
{
	CLEANUP(ruleset_freep) struct ruleset *ruleset = compiled(SMALL);
	CLEANUP(ruleset_freep) struct ruleset *copy = ruleset_copy(ruleset);

	assert_non_null(copy);
	assert_true(mutate_equal(ruleset, copy));
	copy->tables[0].chains[0].rules[0].expressions[0].kind = RULESET_COUNTER;
	assert_false(mutate_equal(ruleset, copy));
	copy_delete_table(copy, 0);
	assert_false(mutate_equal(ruleset, copy));
}

/* What there is not is not changed: of no rules at all, only tables of others are left. */
static void of_nothing_only_tables_of_others_are_made(void **state)
{
	CLEANUP(ruleset_freep) struct ruleset *ruleset = ruleset_new();
	struct seen seen = {.original = ruleset, .texts = {.cap = 8 << 20}};

	assert_int_equal(mutate_each(ruleset, look, &seen), 0);
	assert_true(seen.count > 0);
	assert_int_equal(seen.count, seen.foreign);
	buf_done(&seen.texts);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_fault_is_made_once),
	    cmocka_unit_test(no_text_comes_twice),
	    cmocka_unit_test(the_visitor_ends_the_walk),
	    cmocka_unit_test(a_copy_is_equal_until_it_is_changed),
	    cmocka_unit_test(of_nothing_only_tables_of_others_are_made),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

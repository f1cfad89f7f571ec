/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a new policy would change in rules that the compiler has made of an old one: the same as
 * between the two policies. From the same policy nothing changes.
 */
#include <proof/proof.h>

#include <policy/test_util.h>
#include <wall/compile.h>

#include <netinet/in.h>
#include <string.h>

#define CLEAN CLEANUP(policy_freep)

#define POLICIES   8
#define STATEMENTS 14

static const struct proof_options no_options = {0};

static struct ruleset *compiled(const struct policy *policy)
{
	struct ruleset *ruleset = NULL;

	assert_int_equal(compile_policy(policy, &ruleset), 0);
	ruleset_sort(ruleset);
	return ruleset;
}

/* Answers from outside are told apart by what a policy sends; the kernel remembers only what its
 * rules have let out. */
static bool is_answer(const struct proof_region *region)
{
	return region->example.packet.path == PACKET_INPUT && region->example.packet.expected;
}

static int add_line(const struct proof_region *region, void *data)
{
	/* Rules know no names: who it is about is left to the example. */
	static const char *const words[] = {" to ", " from ", " over ", " by "};
	const char *what = strchr(region->text, ':'), *first = NULL;

	assert_non_null(what);
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		const char *at = strstr(what, words[i]);

		if (at && (!first || at < first))
			first = at;
	}
	assert_non_null(first);
	if (!is_answer(region))
		buf_printf(data, "%.*s%s [%s]\n", (int)(what - region->text), region->text, first,
			   region->where);
	return 0;
}

struct kernel_side {
	struct buf text;
	const struct policy *old, *new;
};

static bool kernel_passes(enum ruleset_outcome outcome)
{
	assert_int_not_equal(outcome, RULESET_UNDECIDED);
	return outcome == RULESET_PASSED || outcome == RULESET_PROXIED;
}

/* The example is what both policies say it is. */
static int add_kernel_line(const struct proof_region *region, void *data)
{
	struct kernel_side *side = data;
	const struct packet *packet = &region->example.packet;
	struct policy_verdict before = policy_evaluate(side->old, packet);
	struct policy_verdict after = policy_evaluate(side->new, packet);

	if (is_answer(region))
		return 0;
	assert_true(proof_region_contains(region, packet));
	assert_int_equal(kernel_passes(region->example.kernel.outcome), policy_allows(&before));
	assert_int_equal(region->example.policy.action, after.action);
	if (region->change == PROOF_NEWLY_ALLOWED)
		assert_true(!policy_allows(&before) && policy_allows(&after));
	if (region->change == PROOF_NEWLY_DENIED)
		assert_true(policy_allows(&before) && !policy_allows(&after));
	return add_line(region, &side->text);
}

/* Both ways; returns how many regions there are. */
static size_t compare(const struct policy *old, const struct policy *new)
{
	CLEANUP(ruleset_freep) struct ruleset *kernel = compiled(old);
	struct kernel_side side = {.text = {.cap = 1 << 20}, .old = old, .new = new};
	AUTO_BUF struct buf wanted = {.cap = 1 << 20};
	const struct proof_what_if policies = {.old = old, .new = new};
	const struct proof_what_if held = {.kernel = kernel, .new = new};
	struct proof_what_if_result result;
	size_t regions;

	assert_int_equal(proof_what_if(&policies, &no_options, add_line, &wanted, &result), 0);
	assert_false(result.more);
	regions = result.regions;
	assert_int_equal(proof_what_if(&held, &no_options, add_kernel_line, &side, &result), 0);
	assert_false(result.unknown || result.too_large);
	assert_string_equal(buf_text(&side.text), buf_text(&wanted));
	buf_done(&side.text);
	return regions;
}

static void shipped_and_stricter(void **state)
{
	AUTO_FREE char *text = test_default_text();
	AUTO_FREE char *strict_text = test_replace(test_default_text(), "lan private open except",
						   "lan private closed except");
	CLEAN struct policy *shipped = test_parse(text);
	CLEAN struct policy *strict = test_parse(strict_text);

	assert_int_equal(compare(shipped, shipped), 0);
	assert_true(compare(shipped, strict) > 0);
	assert_true(compare(strict, shipped) > 0);
}

static void random_policies(void **state)
{
	struct test_random random = test_random_begin();
	CLEAN struct policy *old = test_parse_statements("lan 10.0.0.0/8 open\n");
	size_t regions = 0;

	for (unsigned i = 0; i < POLICIES; i++) {
		struct test_statements statements;
		CLEAN struct policy *new = NULL;

		test_random_statements(&random, STATEMENTS, &statements);
		new = test_statements_parse(&statements);
		assert_non_null(new);
		assert_int_equal(compare(new, new), 0);
		regions += compare(old, new);
		policy_free(old);
		old = TAKE_PTR(new);
	}
	print_message("# %zu regions\n", regions);
	assert_true(regions > POLICIES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(shipped_and_stricter),
	    cmocka_unit_test(random_policies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

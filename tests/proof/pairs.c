/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "pairs.h"

#include <string.h>

#include <policy/test_util.h>
#include <wall/compile.h>

#include "copy.h"
#include "judge.h"
#include "random.h"

#define STATEMENTS  10
#define MUTANTS_MAX 100000

/* The mutant that is wanted, out of all. */
struct choice {
	size_t wanted;
	struct ruleset *taken;
	char *text;
	size_t size;
};

static int count_mutant(const struct mutant *mutant, void *data)
{
	*(size_t *)data = mutant->number;
	return 0;
}

static int take(const struct mutant *mutant, void *data)
{
	struct choice *choice = data;
	size_t used = strlen(choice->text);

	if (mutant->number != choice->wanted)
		return 0;
	choice->taken = ruleset_copy(mutant->ruleset);
	if (!choice->taken)
		return -ENOMEM;
	snprintf(choice->text + used, choice->size - used, "%s; ", mutant->text);
	return 1;
}

/* One of all mutants in place of *ruleset. */
static int change(struct random_numbers *random, struct ruleset **ruleset, char *text, size_t size)
{
	struct choice choice = {.text = text, .size = size};
	size_t count = 0;
	int r = mutate_each(*ruleset, count_mutant, &count);

	if (r < 0 || count == 0)
		return r;
	choice.wanted = 1 + random_below(random, (uint32_t)count);
	r = mutate_each(*ruleset, take, &choice);
	if (r < 0)
		return r;
	ruleset_free(*ruleset);
	*ruleset = choice.taken;
	return 0;
}

static int make_ruleset(struct random_numbers *random, const struct policy *policy,
			struct ruleset **ret_ruleset, char *text, size_t size)
{
	CLEANUP(ruleset_freep) struct ruleset *ruleset = NULL;
	uint32_t changes = random_below(random, 4);
	int r = compile_policy(policy, &ruleset);

	/* As often as not beside a table of somebody else's. */
	if (r == 0 && random_below(random, 2)) {
		r = random_add_table(random, ruleset);
		snprintf(text, size, "a random table; ");
	}
	/* None, one, or two. */
	for (; r == 0 && changes > 1; changes--)
		r = change(random, &ruleset, text, size);
	if (r == 0)
		*ret_ruleset = TAKE_PTR(ruleset);
	return r;
}

/* @policy as the text of @statements. */
static int judge_pair(struct random_numbers *random, const struct policy *policy,
		      const struct test_statements *statements, struct pairs_totals *totals)
{
	CLEANUP(ruleset_freep) struct ruleset *ruleset = NULL;
	struct judge_record record = {.kind = "random"};
	int r;

	r = make_ruleset(random, policy, &ruleset, record.text, sizeof(record.text));
	if (r == 0)
		r = judge_ruleset(policy, ruleset, &record);
	if (r < 0)
		return r;
	totals->pairs++;
	totals->tried += record.tried;
	switch (record.judgement) {
	case JUDGE_REFUTED:
		totals->refuted++;
		return 0;
	case JUDGE_NOT_PROVED:
		totals->not_proved++;
		return 0;
	case JUDGE_EQUIVALENT:
	case JUDGE_PRESENT_ONLY:
		totals->same++;
		return 0;
	case JUDGE_SURVIVOR:
		totals->doubtful++;
		return 0;
	case JUDGE_DISAGREEMENT:
	case JUDGES:
		break;
	}
	totals->disagreements++;
	printf("%s: pair %zu: %s%s\n", judge_word(record.judgement), totals->pairs, record.text,
	       record.detail);
	for (size_t i = 0; i < statements->count; i++)
		printf("    %s\n", statements->lines[i]);
	return 0;
}

int pairs_run(uint64_t seed, size_t count, const char *passwd, struct pairs_totals *ret_totals)
{
	struct random_numbers random = {seed};
	struct test_random statements_random = {seed ^ 0x5555555555555555u};
	struct pairs_totals totals = {0};

	(void)passwd;
	while (totals.pairs < count) {
		CLEANUP(policy_freep) struct policy *policy = NULL;
		struct test_statements statements;
		int r;

		test_random_statements(&statements_random, STATEMENTS, &statements);
		policy = test_statements_parse(&statements);
		if (!policy)
			return -EINVAL;
		r = judge_pair(&random, policy, &statements, &totals);
		if (r < 0)
			return r;
	}
	*ret_totals = totals;
	return 0;
}

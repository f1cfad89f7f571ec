/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Random functions, as diagrams and as truth tables: each operation does the same to both, and
 * functions are equal exactly if their numbers are. LETHE_SEED repeats a run.
 */
#include "test_support.h"

#include <string.h>

#define ROUNDS 60
#define POOL   12

struct pool {
	struct diagram_space *space;
	diagram functions[POOL];
	struct truth truths[POOL];
};

static void assert_same(struct pool *pool, diagram a, const struct truth *wanted)
{
	struct truth truth = test_truth(pool->space, a);

	assert_int_equal(diagram_error(pool->space), 0);
	assert_memory_equal(&truth, wanted, sizeof(truth));
	assert_int_equal(test_diagram(pool->space, wanted), a);
}

static void fill(struct pool *pool)
{
	pool->space = diagram_space_new(1u << 22);
	assert_non_null(pool->space);
	for (size_t i = 0; i < POOL; i++) {
		pool->truths[i] = test_random_truth();
		pool->functions[i] = test_diagram(pool->space, &pool->truths[i]);
		assert_same(pool, pool->functions[i], &pool->truths[i]);
	}
	memset(&pool->truths[0], 0, sizeof(pool->truths[0]));
	pool->functions[0] = DIAGRAM_FALSE;
	memset(&pool->truths[1], 1, sizeof(pool->truths[1]));
	pool->functions[1] = DIAGRAM_TRUE;
}

/* One random operation. */
static diagram operate(struct pool *pool, size_t a, size_t b, size_t c, struct truth *ret_truth)
{
	const diagram *functions = pool->functions;
	uint32_t operation = draw(6);

	for (uint32_t i = 0; i < TEST_POINTS; i++) {
		uint8_t x = pool->truths[a].at[i], y = pool->truths[b].at[i];
		const uint8_t wanted[] = {!x,    x & y,  x | y,
					  x ^ y, x & !y, x ? y : pool->truths[c].at[i]};

		ret_truth->at[i] = wanted[operation];
	}
	switch (operation) {
	case 0:
		return diagram_not(pool->space, functions[a]);
	case 1:
		return diagram_and(pool->space, functions[a], functions[b]);
	case 2:
		return diagram_or(pool->space, functions[a], functions[b]);
	case 3:
		return diagram_xor(pool->space, functions[a], functions[b]);
	case 4:
		return diagram_minus(pool->space, functions[a], functions[b]);
	default:
		return diagram_choose(pool->space, functions[a], functions[b], functions[c]);
	}
}

static void test_operations(void **state)
{
	test_seed();
	for (int round = 0; round < ROUNDS / 4; round++) {
		struct pool pool;

		fill(&pool);
		for (int i = 0; i < 60; i++) {
			size_t target = 2 + draw(POOL - 2);
			struct truth wanted;
			diagram made = operate(&pool, draw(POOL), draw(POOL), draw(POOL), &wanted);

			assert_same(&pool, made, &wanted);
			pool.functions[target] = made;
			pool.truths[target] = wanted;
		}
		for (size_t i = 0; i < POOL; i++)
			for (size_t j = 0; j < POOL; j++)
				assert_int_equal(pool.functions[i] == pool.functions[j],
						 memcmp(&pool.truths[i], &pool.truths[j],
							sizeof(struct truth)) == 0);
		diagram_space_free(pool.space);
	}
}

static void test_exists(void **state)
{
	test_seed();
	for (int round = 0; round < ROUNDS; round++) {
		struct pool pool;
		unsigned first = draw(TEST_VARIABLES);
		unsigned last = first + draw(TEST_VARIABLES - first);
		struct truth wanted = {0};
		uint32_t mask = 0;

		fill(&pool);
		for (unsigned v = first; v <= last; v++)
			mask |= 1u << v;
		for (uint32_t i = 0; i < TEST_POINTS; i++)
			for (uint32_t j = 0; j < TEST_POINTS; j++)
				if ((i & ~mask) == (j & ~mask))
					wanted.at[i] |= pool.truths[2].at[j];
		/* The ends need not be variables of the function. */
		assert_same(&pool,
			    diagram_exists(pool.space, pool.functions[2],
					   first == 2 ? 2 : test_place[first],
					   last == 1 ? 6 : test_place[last]),
			    &wanted);
		diagram_space_free(pool.space);
	}
}

/* The variables 500 to 502 and 63 to 65 are neighbours; 0 and 1 too. */
static void test_rename(void **state)
{
	static const unsigned runs[][2] = {{3, 3}, {6, 3}, {0, 2}};

	test_seed();
	for (int round = 0; round < ROUNDS; round++) {
		struct pool pool;
		uint32_t from = draw(3), to = draw(3), shift = 0;
		unsigned count, source[TEST_VARIABLES];
		struct truth wanted;
		diagram a;

		fill(&pool);
		count = runs[from][1] < runs[to][1] ? runs[from][1] : runs[to][1];
		if (from == to && one_in(2)) {
			shift = 1; /* a run onto its own upper part */
			count--;
		}
		a = pool.functions[2];
		/* The target is free but for what is renamed itself. */
		for (unsigned i = 0; i < count; i++) {
			unsigned v = runs[to][0] + shift + i;

			if (v < runs[from][0] || v >= runs[from][0] + count)
				a = diagram_exists(pool.space, a, test_place[v], test_place[v]);
		}
		pool.truths[2] = test_truth(pool.space, a);
		for (unsigned v = 0; v < TEST_VARIABLES; v++)
			source[v] = v;
		for (unsigned i = 0; i < count; i++)
			source[runs[from][0] + i] = runs[to][0] + shift + i;
		for (uint32_t i = 0; i < TEST_POINTS; i++) {
			uint32_t point = 0;

			for (unsigned v = 0; v < TEST_VARIABLES; v++)
				point |= (i >> source[v] & 1) << v;
			wanted.at[i] = pool.truths[2].at[point];
		}
		assert_same(&pool,
			    diagram_rename(pool.space, a, test_place[runs[from][0]],
					   test_place[runs[to][0] + shift], count),
			    &wanted);
		diagram_space_free(pool.space);
	}
}

/* What is found is true, differs from what one would like only where it must on the way, and says
 * what was asked. */
static void test_find(void **state)
{
	uint64_t liked[DIAGRAM_VARIABLES / 64], values[DIAGRAM_VARIABLES / 64];
	uint64_t asked[DIAGRAM_VARIABLES / 64];

	test_seed();
	for (int round = 0; round < ROUNDS; round++) {
		struct pool pool;
		diagram a;

		fill(&pool);
		a = pool.functions[2 + draw(POOL - 2)];
		test_point(liked, draw(TEST_POINTS));
		memcpy(values, liked, sizeof(values));
		assert_int_equal(diagram_find(pool.space, a, values, asked), a != DIAGRAM_FALSE);
		for (size_t i = 0; i < DIAGRAM_VARIABLES / 64; i++)
			assert_int_equal((values[i] ^ liked[i]) & ~asked[i], 0);
		if (a == DIAGRAM_FALSE || diagram_at(pool.space, a, liked))
			assert_memory_equal(values, liked, sizeof(values));
		if (a != DIAGRAM_FALSE) {
			/* Whatever the variables not asked about are. */
			for (size_t i = 0; i < DIAGRAM_VARIABLES / 64; i++)
				liked[i] = (values[i] & asked[i]) |
					   (~asked[i] & ((uint64_t)draw(UINT32_MAX) << 31));
			assert_true(diagram_at(pool.space, a, values));
			assert_true(diagram_at(pool.space, a, liked));
		}
		diagram_space_free(pool.space);
	}
}

/* Ways and nodes, counted by hand. */
static double ways_of(const struct diagram_space *space, diagram a)
{
	if (a <= DIAGRAM_TRUE)
		return a == DIAGRAM_TRUE;
	return ways_of(space, diagram_low(space, a)) + ways_of(space, diagram_high(space, a));
}

static size_t size_of(const struct diagram_space *space, diagram a, bool *seen)
{
	if (a <= DIAGRAM_TRUE || seen[a])
		return 0;
	seen[a] = true;
	if (diagram_low(space, a) > DIAGRAM_TRUE)
		assert_true(diagram_top(space, diagram_low(space, a)) > diagram_top(space, a));
	if (diagram_high(space, a) > DIAGRAM_TRUE)
		assert_true(diagram_top(space, diagram_high(space, a)) > diagram_top(space, a));
	return 1 + size_of(space, diagram_low(space, a), seen) +
	       size_of(space, diagram_high(space, a), seen);
}

static void test_counts(void **state)
{
	test_seed();
	for (int round = 0; round < ROUNDS; round++) {
		struct pool pool;

		fill(&pool);
		for (size_t i = 0; i < POOL; i++) {
			diagram a = pool.functions[i];
			bool *seen = calloc(diagram_nodes(pool.space) + 2, sizeof(*seen));

			assert_non_null(seen);
			assert_true(diagram_ways(pool.space, a) == ways_of(pool.space, a));
			assert_int_equal(diagram_size(pool.space, a), size_of(pool.space, a, seen));
			free(seen);
		}
		diagram_space_free(pool.space);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_operations), cmocka_unit_test(test_exists),
	    cmocka_unit_test(test_rename),     cmocka_unit_test(test_find),
	    cmocka_unit_test(test_counts),
	};

	return cmocka_run_group_tests_name("diagram operations", tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Caps, failures, depth, and that the same questions give the same numbers. */
#include "test_support.h"

#include <math.h>
#include <string.h>

#define KEY  4
#define ROWS 12

/* Many questions of every kind. @ret_answers gets as many as fit; returns how many there were. */
static size_t ask(struct diagram_space *space, diagram *ret_answers, size_t max)
{
	uint8_t low[ROWS][KEY], high[ROWS][KEY];
	struct diagram_row rows[ROWS];
	const unsigned parts[] = {2, 2};
	unsigned bits[KEY * 8];
	diagram functions[KEY * 8], values[2], all = DIAGRAM_FALSE, odd = DIAGRAM_FALSE;
	struct diagram_table table = {rows, ROWS, parts, 2, bits, functions};
	size_t count = 0;
	int r;

	for (unsigned i = 0; i < KEY * 8; i++) {
		functions[i] =
		    diagram_xor(space, diagram_variable(space, i), diagram_variable(space, 90 + i));
		bits[i] = i % 5 ? 40 + i : DIAGRAM_BIT_FUNCTION;
		odd = diagram_xor(space, odd, functions[i]);
	}
	for (unsigned i = 0; i < ROWS; i++) {
		memset(low[i], (int)i * 3, KEY);
		memset(high[i], (int)i * 3, KEY);
		high[i][3] = (uint8_t)(high[i][3] + i);
		rows[i] = (struct diagram_row){low[i], high[i], i % 2};
		all = diagram_or(space, all, diagram_range(space, bits + 1, 4, low[i], high[i]));
	}
	r = diagram_table(space, &table, 2, values);
	assert_int_equal(r, diagram_error(space));
	const diagram answers[] = {
	    all,
	    odd,
	    values[0],
	    values[1],
	    diagram_not(space, all),
	    diagram_and(space, odd, values[0]),
	    diagram_minus(space, values[1], odd),
	    diagram_choose(space, values[0], values[1], odd),
	    diagram_exists(space, odd, 0, 95),
	    diagram_exists(space, values[0], 40, 50),
	    diagram_rename(space, values[1], 40, 140, 6),
	    diagram_rename(space, odd, 0, 200, 32),
	};
	for (; count < ARRAY_SIZE(answers) && count < max; count++)
		ret_answers[count] = answers[count];
	return count;
}

#define ANSWERS 12

static void test_determinism(void **state)
{
	struct diagram_space *one = diagram_space_new(1u << 20), *two = diagram_space_new(SIZE_MAX);
	diagram answers[2][ANSWERS];

	assert_non_null(one);
	assert_non_null(two);
	assert_int_equal(ask(one, answers[0], ANSWERS), ANSWERS);
	assert_int_equal(ask(two, answers[1], ANSWERS), ANSWERS);
	assert_int_equal(diagram_error(one), 0);
	assert_memory_equal(answers[0], answers[1], sizeof(answers[0]));
	assert_int_equal(diagram_nodes(one), diagram_nodes(two));
	/* And asking again makes nothing new. */
	ask(one, answers[1], ANSWERS);
	assert_memory_equal(answers[0], answers[1], sizeof(answers[0]));
	assert_int_equal(diagram_nodes(one), diagram_nodes(two));
	diagram_space_free(one);
	diagram_space_free(two);
}

static void assert_dead(struct diagram_space *space, int error)
{
	uint64_t values[DIAGRAM_VARIABLES / 64] = {0};
	const unsigned part = 1, bits[8] = {0, 1, 2, 3, 4, 5, 6, 7};
	const uint8_t zero = 0;
	const struct diagram_row row = {&zero, &zero, 0};
	struct diagram_table table = {&row, 1, &part, 1, bits, NULL};
	diagram answers[ANSWERS], value = DIAGRAM_TRUE;

	assert_int_equal(diagram_error(space), error);
	ask(space, answers, ANSWERS);
	for (size_t i = 0; i < ANSWERS; i++)
		assert_int_equal(answers[i], DIAGRAM_FALSE);
	assert_int_equal(diagram_variable(space, 0), DIAGRAM_FALSE);
	assert_int_equal(diagram_not(space, DIAGRAM_FALSE), DIAGRAM_FALSE);
	assert_int_equal(diagram_or(space, DIAGRAM_TRUE, DIAGRAM_TRUE), DIAGRAM_FALSE);
	assert_int_equal(diagram_choose(space, DIAGRAM_TRUE, DIAGRAM_TRUE, 0), DIAGRAM_FALSE);
	assert_int_equal(diagram_exists(space, DIAGRAM_TRUE, 0, 1), DIAGRAM_FALSE);
	assert_int_equal(diagram_rename(space, DIAGRAM_TRUE, 0, 1, 1), DIAGRAM_FALSE);
	assert_int_equal(diagram_range(space, bits, 8, &zero, &zero), DIAGRAM_FALSE);
	assert_int_equal(diagram_table(space, &table, 1, &value), error);
	assert_int_equal(value, DIAGRAM_FALSE);
	assert_false(diagram_at(space, DIAGRAM_TRUE, values));
	assert_false(diagram_find(space, DIAGRAM_TRUE, values, NULL));
	assert_int_equal(diagram_size(space, DIAGRAM_TRUE), 0);
	assert_true(diagram_ways(space, DIAGRAM_TRUE) == 0);
	assert_int_equal(diagram_error(space), error);
}

/* Wherever the cap is reached, all is false from then on; where it is not, it changes nothing. */
static void test_cap(void **state)
{
	struct diagram_space *space = diagram_space_new(1u << 20);
	diagram wanted[ANSWERS], answers[ANSWERS];
	size_t needed;

	assert_null(diagram_space_new(0));
	assert_non_null(space);
	ask(space, wanted, ANSWERS);
	needed = diagram_nodes(space);
	diagram_space_free(space);
	assert_in_range(needed, 10000, 1000000);
	for (size_t max = 1; max < needed; max += 1 + max / 16) {
		space = diagram_space_new(max);
		assert_non_null(space);
		ask(space, answers, ANSWERS);
		assert_dead(space, -E2BIG);
		assert_int_equal(diagram_nodes(space), max);
		diagram_space_free(space);
	}
	space = diagram_space_new(needed - 1);
	assert_non_null(space);
	ask(space, answers, ANSWERS);
	assert_dead(space, -E2BIG);
	diagram_space_free(space);
	space = diagram_space_new(needed);
	assert_non_null(space);
	ask(space, answers, ANSWERS);
	assert_int_equal(diagram_error(space), 0);
	assert_memory_equal(answers, wanted, sizeof(answers));
	diagram_space_free(space);
}

/* The very operation that reaches the cap is false too, whatever it had found until then: here one
 * branch, which is there already, of a function whose other branch is new. */
static void test_cap_within(void **state)
{
	struct diagram_space *space = NULL;
	unsigned failed = 0;

	for (size_t max = 1; max < 40; max++) {
		diagram odd = DIAGRAM_FALSE, a, b;

		space = diagram_space_new(max);
		assert_non_null(space);
		for (unsigned v = 9; v > 4; v--)
			odd = diagram_xor(space, odd, diagram_variable(space, v));
		a = diagram_choose(space, diagram_variable(space, 3), odd,
				   diagram_variable(space, 5));
		a = diagram_choose(space, diagram_variable(space, 2), odd, a);
		if (diagram_error(space) == 0) {
			b = diagram_exists(space, a, 2, 3);
			failed += diagram_error(space) < 0;
			if (diagram_error(space) < 0)
				assert_int_equal(b, DIAGRAM_FALSE);
		}
		diagram_space_free(space);
	}
	assert_in_range(failed, 1, 20);
}

#define WRONG 17

/* One of the questions that must not be asked. */
static void ask_wrongly(struct diagram_space *space, int which)
{
	const uint8_t zeros[65] = {0};
	const unsigned part = which == 12 ? 65 : 1;
	unsigned bits[520] = {0, 1, 2, 3, 4, 5, 6, DIAGRAM_BIT_0};
	diagram functions[8] = {0};
	const struct diagram_row row = {zeros, zeros, which == 10};
	struct diagram_table table = {&row, 1, &part, 1, bits, which == 13 ? NULL : functions};
	diagram value = DIAGRAM_TRUE;

	functions[2] = 1000000;
	if (which == 11)
		bits[3] = DIAGRAM_VARIABLES;
	if (which == 13 || which == 14)
		bits[2] = DIAGRAM_BIT_FUNCTION;
	if (which >= 10 && which <= 14) {
		assert_int_equal(diagram_table(space, &table, 1, &value), -EINVAL);
		assert_int_equal(value, DIAGRAM_FALSE);
		return;
	}
	const diagram answers[] = {
	    which == 0 ? diagram_variable(space, DIAGRAM_VARIABLES) : 0,
	    which == 1 ? diagram_range(space, bits, 0, zeros, zeros) : 0,
	    which == 2 ? diagram_range(space, bits, 513, zeros, zeros) : 0,
	    which == 3 ? diagram_range(space, bits, 8, zeros, zeros) : 0,
	    which == 4 ? diagram_exists(space, DIAGRAM_TRUE, 2, 1) : 0,
	    which == 5 ? diagram_exists(space, DIAGRAM_TRUE, 0, DIAGRAM_VARIABLES) : 0,
	    which == 6 ? diagram_rename(space, DIAGRAM_TRUE, 1, 0, DIAGRAM_VARIABLES) : 0,
	    which == 7 ? diagram_rename(space, DIAGRAM_TRUE, 0, UINT32_MAX, 2) : 0,
	    which == 8 ? diagram_rename(space, DIAGRAM_TRUE, 0, 0, UINT32_MAX) : 0,
	    which == 9 ? diagram_or(space, DIAGRAM_TRUE, 1000000) : 0,
	    which == 15 ? diagram_choose(space, DIAGRAM_TRUE, DIAGRAM_TRUE, UINT32_MAX) : 0,
	    which == 16 ? (diagram)diagram_size(space, 5000) : 0,
	};
	for (size_t i = 0; i < ARRAY_SIZE(answers); i++)
		assert_int_equal(answers[i], DIAGRAM_FALSE);
}

static void test_wrong(void **state)
{
	for (int which = 0; which < WRONG; which++) {
		struct diagram_space *space = diagram_space_new(1u << 20);

		assert_non_null(space);
		ask_wrongly(space, which);
		assert_dead(space, -EINVAL);
		diagram_space_free(space);
	}
}

/* As deep as it gets: every variable there is. */
static void test_depth(void **state)
{
	struct diagram_space *space = diagram_space_new(1u << 22);
	diagram all = DIAGRAM_TRUE, odd = DIAGRAM_FALSE, moved;
	uint64_t values[DIAGRAM_VARIABLES / 64] = {0}, asked[DIAGRAM_VARIABLES / 64];

	assert_non_null(space);
	for (unsigned v = DIAGRAM_VARIABLES; v-- > 0;) {
		all = diagram_and(space, all, diagram_variable(space, v));
		odd = diagram_xor(space, odd, diagram_variable(space, v));
	}
	assert_int_equal(diagram_size(space, all), DIAGRAM_VARIABLES);
	assert_int_equal(diagram_size(space, odd), 2 * DIAGRAM_VARIABLES - 1);
	assert_true(diagram_ways(space, all) == 1);
	assert_true(isinf(diagram_ways(space, odd)));
	/* 4096 are true: not odd. */
	assert_int_equal(diagram_and(space, all, odd), DIAGRAM_FALSE);
	assert_int_equal(diagram_choose(space, diagram_not(space, odd), all, odd),
			 diagram_or(space, all, odd));
	assert_int_equal(diagram_exists(space, odd, 0, DIAGRAM_VARIABLES - 1), DIAGRAM_TRUE);
	assert_int_equal(diagram_exists(space, all, 1, DIAGRAM_VARIABLES - 1),
			 diagram_variable(space, 0));
	moved = diagram_exists(space, all, 0, DIAGRAM_VARIABLES / 2 - 1);
	assert_int_equal(
	    diagram_rename(space, moved, DIAGRAM_VARIABLES / 2, 0, DIAGRAM_VARIABLES / 2),
	    diagram_exists(space, all, DIAGRAM_VARIABLES / 2, DIAGRAM_VARIABLES - 1));
	assert_true(diagram_find(space, all, values, asked));
	assert_true(diagram_at(space, all, values));
	for (size_t i = 0; i < DIAGRAM_VARIABLES / 64; i++) {
		assert_int_equal(values[i], UINT64_MAX);
		assert_int_equal(asked[i], UINT64_MAX);
	}
	assert_int_equal(diagram_error(space), 0);
	diagram_space_free(space);
}

/* Keys of 12 bytes as a firewall has them, many and exact: each is found, and no other. */
static void test_many_rows(void **state)
{
	enum { MANY = 20000 };
	static uint8_t keys[MANY][12];
	static struct diagram_row rows[MANY];
	const unsigned parts[] = {4, 4, 4};
	struct diagram_space *space = diagram_space_new(1u << 22);
	unsigned bits[96];
	struct diagram_table table = {rows, MANY, parts, 3, bits, NULL};
	diagram values[2];

	assert_non_null(space);
	test_seed();
	for (unsigned i = 0; i < 96; i++)
		bits[i] = (i >= 40 && i < 64) || i >= 80 ? DIAGRAM_BIT_0 : 2 * i;
	for (unsigned i = 0; i < MANY; i++) {
		const uint8_t key[12] = {0,
					 (uint8_t)(i >> 16),
					 (uint8_t)(i >> 8),
					 (uint8_t)i,
					 one_in(2) ? 6 : 17,
					 0,
					 0,
					 i % 7 == 0,
					 (uint8_t)draw(256),
					 (uint8_t)draw(256)};

		memcpy(keys[i], key, sizeof(key));
		rows[i] = (struct diagram_row){keys[i], keys[i], i % 2};
	}
	assert_int_equal(diagram_table(space, &table, 2, values), 0);
	for (unsigned i = 0; i < MANY; i++) {
		uint64_t at[DIAGRAM_VARIABLES / 64] = {0};
		unsigned flipped = 2 * draw(40);

		for (unsigned j = 0; j < 96; j++)
			if (bits[j] < DIAGRAM_VARIABLES && keys[i][j / 8] >> (7 - j % 8) & 1)
				at[bits[j] / 64] |= (uint64_t)1 << (bits[j] % 64);
		assert_int_equal(diagram_at(space, values[i % 2], at), i % 7 != 0);
		assert_false(diagram_at(space, values[1 - i % 2], at));
		at[flipped / 64] ^= (uint64_t)1 << (flipped % 64);
		if (flipped >= 64)
			assert_false(diagram_at(space, values[i % 2], at));
	}
	diagram_space_free(space);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_determinism), cmocka_unit_test(test_cap),
	    cmocka_unit_test(test_cap_within),  cmocka_unit_test(test_wrong),
	    cmocka_unit_test(test_depth),       cmocka_unit_test(test_many_rows),
	};

	return cmocka_run_group_tests_name("diagram", tests, NULL, NULL);
}

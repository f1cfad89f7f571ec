/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "test_support.h"

#include <base/num.h>
#include <string.h>
#include <time.h>

const unsigned test_place[TEST_VARIABLES] = {
    0, 1, 7, 63, 64, 65, 500, 501, 502, 2048, DIAGRAM_VARIABLES - 1};

static uint64_t random_state;

void test_seed(void)
{
	const char *text = getenv("LETHE_SEED");
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	random_state = (uint64_t)now.tv_sec * 1000000007u + (uint64_t)now.tv_nsec;
	if (text)
		assert_int_equal(num_parse_u64(text, UINT64_MAX, &random_state), 0);
	print_message("# LETHE_SEED=%llu\n", (unsigned long long)random_state);
	random_state |= 1;
}

/* xorshift64*: small, and the same everywhere. */
uint32_t draw(uint32_t below)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return (uint32_t)((random_state * 0x2545f4914f6cdd1dull) >> 33) % below;
}

void test_point(uint64_t *values, uint32_t point)
{
	for (size_t i = 0; i < DIAGRAM_VARIABLES / 64; i++)
		values[i] = (uint64_t)draw(UINT32_MAX) << 32 | draw(UINT32_MAX);
	for (unsigned v = 0; v < TEST_VARIABLES; v++) {
		uint64_t bit = (uint64_t)1 << (test_place[v] % 64);

		values[test_place[v] / 64] &= ~bit;
		if (point >> v & 1)
			values[test_place[v] / 64] |= bit;
	}
}

struct truth test_truth(const struct diagram_space *space, diagram a)
{
	struct truth truth = {0};
	uint64_t values[DIAGRAM_VARIABLES / 64];

	test_point(values, 0);
	for (uint32_t point = 0; point < TEST_POINTS; point++) {
		for (unsigned v = 0; v < TEST_VARIABLES; v++) {
			uint64_t bit = (uint64_t)1 << (test_place[v] % 64);

			values[test_place[v] / 64] &= ~bit;
			if (point >> v & 1)
				values[test_place[v] / 64] |= bit;
		}
		truth.at[point] = diagram_at(space, a, values);
	}
	return truth;
}

diagram test_diagram(struct diagram_space *space, const struct truth *truth)
{
	static diagram level[TEST_POINTS];

	for (uint32_t point = 0; point < TEST_POINTS; point++)
		level[point] = truth->at[point] ? DIAGRAM_TRUE : DIAGRAM_FALSE;
	for (unsigned v = TEST_VARIABLES; v-- > 0;)
		for (uint32_t i = 0; i < 1u << v; i++)
			level[i] = diagram_choose(space, diagram_variable(space, test_place[v]),
						  level[i + (1u << v)], level[i]);
	return level[0];
}

struct truth test_random_truth(void)
{
	uint32_t mask = one_in(2) ? TEST_POINTS - 1 : draw(TEST_POINTS), bias = 1 + draw(8);
	struct truth truth = {0};

	for (uint32_t point = 0; point < TEST_POINTS; point++)
		truth.at[point] = (point & mask) == point ? one_in(bias) : truth.at[point & mask];
	return truth;
}

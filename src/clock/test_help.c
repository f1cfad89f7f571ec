/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "test_clock.h"

#include <stdlib.h>
#include <sys/random.h>

#include <base/num.h>

struct test_random test_random_begin(void)
{
	const char *given = getenv("LETHE_SEED");
	uint64_t seed = 0;

	if (given)
		assert_int_equal(num_parse_u64(given, UINT64_MAX, &seed), 0);
	else
		assert_int_equal(getrandom(&seed, sizeof(seed), 0), sizeof(seed));
	print_message("# LETHE_SEED=%llu\n", (unsigned long long)seed);
	return (struct test_random){.state = seed};
}

/* SplitMix64. */
static uint64_t next(struct test_random *random)
{
	uint64_t z = random->state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

uint32_t test_random_below(struct test_random *random, uint32_t limit)
{
	return (uint32_t)((next(random) >> 32) * limit >> 32);
}

int64_t test_random_around(struct test_random *random, int64_t most)
{
	return (int64_t)(next(random) % (uint64_t)(2 * most + 1)) - most;
}

struct clock_now test_now(int64_t seconds, int64_t boot)
{
	return (struct clock_now){.real = seconds * CLOCK_NS, .boot = boot};
}

struct judge_round test_round(unsigned pools)
{
	struct judge_round round = {.begun = TEST_BOOT};

	test_take(&round, (struct record){.kind = RECORD_BEGIN, .pool = (uint8_t)pools});
	return round;
}

struct record test_answer(unsigned pool, int64_t date, int64_t trip)
{
	return (struct record){
	    .kind = RECORD_ANSWER,
	    .pool = (uint8_t)pool,
	    .result = RECORD_DATED,
	    .sent = TEST_BOOT + CLOCK_NS - trip,
	    .received = TEST_BOOT + CLOCK_NS,
	    .date = date,
	    .not_before = date - CLOCK_YEAR / 2,
	    .not_after = date + CLOCK_YEAR / 2,
	};
}

void test_take(struct judge_round *round, struct record record)
{
	assert_int_equal(judge_take(round, &record, TEST_BOOT + CLOCK_NS), 0);
}

void test_fail(struct judge_round *round, unsigned pool, unsigned host, enum record_result result)
{
	test_take(round, (struct record){.kind = RECORD_ANSWER,
					 .pool = (uint8_t)pool,
					 .host = (uint8_t)host,
					 .result = (uint8_t)result});
}

void test_portal(struct judge_round *round, enum record_portal portal)
{
	test_take(round, (struct record){.kind = RECORD_PORTAL, .result = (uint8_t)portal});
}

void test_end(struct judge_round *round)
{
	test_take(round, (struct record){.kind = RECORD_END});
}

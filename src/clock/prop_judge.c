/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Properties of the judge, over random rounds and worlds. LETHE_SEED repeats a run.
 *
 * With n pools and at most f = (n - 1) / 2 that lie or are silent, what is found lies between two honest
 * answers, whatever the liars say; with one more liar it need not, and the test sees that, too.
 */
#include "test_clock.h"

#define ROUNDS	   20000
#define HONEST_OFF (2 * CLOCK_NS) /* how far an honest server's clock may be off */

struct world {
	unsigned pools, silent, liars;
	int64_t low, high; /* of the honest, ns, at @boot */
	int64_t boot;
	struct judge_round round;
};

/* The time that a record tells, at @boot; as the judge's documentation says, and not by its code. */
static int64_t told(const struct record *record, int64_t boot)
{
	return record->date * CLOCK_NS + CLOCK_NS / 2 + (record->received - record->sent) / 2 +
	       (boot - record->received);
}

static struct record honest(struct test_random *random, unsigned pool)
{
	int64_t trip = test_random_below(random, 2000) * 1000000LL;
	struct record record = test_answer(pool, 0, trip);
	int64_t at_server = TEST_REAL * CLOCK_NS + test_random_around(random, HONEST_OFF);

	record.date = at_server / CLOCK_NS;
	record.not_before = record.date - 1000;
	record.not_after = record.date + 1000;
	return record;
}

/* Far off, or just so far that it may pass for honest. */
static struct record lie(struct test_random *random, unsigned pool)
{
	static const int64_t reach[] = {5, 15, 3600, 86400, CLOCK_YEAR, 20 * CLOCK_YEAR};
	int64_t off =
	    test_random_around(random, reach[test_random_below(random, ARRAY_SIZE(reach))]);
	int64_t date = TEST_REAL + off;
	struct record record = test_answer(pool, date > 0 ? date : 0, 1000000);

	record.not_before = 0;
	record.not_after = 253402300799;
	return record;
}

/* @faults of the pools lie or are silent; which ones is chance. */
static void draw_world(struct test_random *random, unsigned faults, struct world *world)
{
	bool faulty[RECORD_POOLS_MAX] = {false};

	for (unsigned left = faults; left > 0;) {
		unsigned pool = test_random_below(random, world->pools);

		left -= !faulty[pool];
		faulty[pool] = true;
	}
	world->boot = TEST_BOOT + 3 * CLOCK_NS;
	world->low = INT64_MAX;
	world->high = INT64_MIN;
	world->round = test_round(world->pools);
	for (unsigned pool = 0; pool < world->pools; pool++) {
		struct record record = honest(random, pool);
		int64_t time = told(&record, world->boot);

		/* Its question was asked after the round began. */
		world->round.begun = TEST_BOOT - 5 * CLOCK_NS;
		if (faulty[pool] && test_random_below(random, 3) == 0) {
			test_fail(&world->round, pool, 1, RECORD_SLOW);
			continue;
		}
		if (faulty[pool]) {
			test_take(&world->round, lie(random, pool));
			continue;
		}
		world->low = time < world->low ? time : world->low;
		world->high = time > world->high ? time : world->high;
		test_take(&world->round, record);
	}
	test_end(&world->round);
}

static struct judge_verdict judge(const struct world *world)
{
	struct judge_session session = {.floor = TEST_FLOOR};
	/* So far off that it is never right already. */
	struct clock_now now = {.real = (TEST_REAL - 40000) * CLOCK_NS, .boot = world->boot};

	return judge_network(&session, &world->round, now);
}

static void test_liars_do_not_matter(void **state)
{
	struct test_random random = test_random_begin();
	unsigned found = 0;

	for (unsigned i = 0; i < ROUNDS; i++) {
		struct world world = {.pools = 3 + test_random_below(&random, 13)};
		unsigned most = (world.pools - 1) / 2;
		struct judge_verdict verdict;

		draw_world(&random, test_random_below(&random, most + 1), &world);
		verdict = judge(&world);
		/* Honest servers are within reach of each other: there is always a time. */
		assert_int_equal(verdict.outcome, JUDGE_SET);
		assert_true(verdict.real >= world.low && verdict.real <= world.high);
		found++;
	}
	assert_int_equal(found, ROUNDS);
}

/* The bound is tight: with one more there are worlds in which the liars win, and this test sees them. */
static void test_too_many_liars_are_seen(void **state)
{
	struct test_random random = test_random_begin();
	unsigned wrong = 0;

	for (unsigned i = 0; i < ROUNDS && !wrong; i++) {
		struct world world = {.pools = 3};
		struct judge_verdict verdict;

		draw_world(&random, 2, &world);
		verdict = judge(&world);
		wrong += verdict.outcome == JUDGE_SET &&
			 (verdict.real < world.low || verdict.real > world.high);
	}
	assert_true(wrong > 0);
}

/* Whatever comes, nothing outside floor and ceiling is ever to be set, and no sum overflows. */
static void test_nothing_impossible(void **state)
{
	struct test_random random = test_random_begin();

	for (unsigned i = 0; i < ROUNDS; i++) {
		struct judge_session session = {.floor = TEST_FLOOR};
		struct world world = {.pools = 3 + test_random_below(&random, 13)};
		struct clock_now now = {.real = test_random_around(&random, INT64_MAX / 4)};
		struct judge_consensus consensus = {
		    .valid_after = TEST_REAL + test_random_around(&random, 12 * CLOCK_YEAR)};
		struct judge_verdict verdict;

		now.real = now.real < 0 ? -now.real : now.real;
		consensus.fresh_until = consensus.valid_after + test_random_below(&random, 7200);
		consensus.valid_until = consensus.fresh_until + test_random_below(&random, 20000);
		draw_world(&random, test_random_below(&random, world.pools + 1), &world);
		now.boot = world.boot;
		for (unsigned step = 0; step < 6; step++) {
			if (test_random_below(&random, 2))
				verdict = judge_network(&session, &world.round, now);
			else
				verdict = judge_consensus(&session, &consensus, now);
			if (verdict.outcome != JUDGE_SET)
				continue;
			assert_true(clock_fits(verdict.real / CLOCK_NS - 100, TEST_FLOOR - 100) &&
				    verdict.real >= TEST_FLOOR * CLOCK_NS);
			now.real = verdict.real;
		}
	}
}

/* What the judge makes of the consensus only moves the bound forward. */
static void test_the_bound_only_rises(void **state)
{
	struct test_random random = test_random_begin();

	for (unsigned i = 0; i < ROUNDS; i++) {
		struct judge_session session = {.floor = TEST_FLOOR};
		int64_t highest = 0, boot = TEST_BOOT;

		for (unsigned step = 0; step < 8; step++) {
			int64_t begin = TEST_REAL + test_random_around(&random, 200000);
			struct judge_consensus consensus = {
			    .valid_after = begin,
			    .fresh_until = begin + 3600,
			    .valid_until = begin + 10800,
			};
			int64_t passed = test_random_below(&random, 100000) * CLOCK_NS;
			struct judge_verdict verdict;

			boot += passed;
			highest = highest ? highest + passed : 0;
			highest = begin * CLOCK_NS > highest ? begin * CLOCK_NS : highest;
			verdict = judge_consensus(
			    &session, &consensus,
			    test_now(TEST_REAL + test_random_around(&random, 200000), boot));
			assert_int_equal(session.bound + (boot - session.bound_boot), highest);
			if (verdict.outcome == JUDGE_SET)
				assert_true(verdict.real >= highest);
		}
	}
}

/* However many lie, and in whatever order pools and consensuses speak: nothing is set before what a
 * consensus has proven, nor before the build. */
static void test_never_before_what_is_proven(void **state)
{
	struct test_random random = test_random_begin();
	unsigned tried = 0;

	for (unsigned i = 0; i < ROUNDS; i++) {
		struct judge_session session = {.floor = TEST_FLOOR};
		struct world world = {.pools = 3 + test_random_below(&random, 5)};
		int64_t highest = TEST_FLOOR * CLOCK_NS;

		draw_world(&random, test_random_below(&random, world.pools + 1), &world);
		for (unsigned step = 0; step < 6; step++) {
			int64_t begin = TEST_REAL + test_random_around(&random, 90000);
			struct judge_consensus consensus = {
			    .valid_after = begin,
			    .fresh_until = begin + 3600,
			    .valid_until = begin + 10800,
			};
			struct clock_now now = test_now(
			    TEST_REAL + test_random_around(&random, 200000), world.boot);
			struct judge_verdict verdict;

			if (test_random_below(&random, 2)) {
				verdict = judge_network(&session, &world.round, now);
			} else {
				verdict = judge_consensus(&session, &consensus, now);
				highest = begin * CLOCK_NS > highest ? begin * CLOCK_NS : highest;
			}
			if (verdict.outcome == JUDGE_SET)
				assert_true(verdict.real >= highest);
			tried += verdict.outcome == JUDGE_SET;
		}
	}
	assert_true(tried > ROUNDS);
}

/* Who hides has the consensus alone, and it may be older than any that was seen: whatever comes, the
 * clock is only ever put forward. */
static void test_a_consensus_never_puts_back(void **state)
{
	struct test_random random = test_random_begin();
	unsigned forward = 0, ahead = 0;

	for (unsigned i = 0; i < ROUNDS; i++) {
		struct judge_session session = {.floor = TEST_FLOOR};
		struct clock_now now =
		    test_now(TEST_REAL + test_random_around(&random, 30 * 86400), TEST_BOOT);

		for (unsigned step = 0; step < 6; step++) {
			int64_t begin = TEST_REAL + test_random_around(&random, 30 * 86400);
			int64_t end = begin + 3600 + test_random_below(&random, 80000);
			struct judge_consensus consensus = {
			    .valid_after = begin, .fresh_until = begin + 3600, .valid_until = end};
			struct judge_verdict verdict = judge_consensus(&session, &consensus, now);

			ahead += now.real > end * CLOCK_NS;
			if (verdict.outcome != JUDGE_SET)
				continue;
			assert_true(verdict.real > now.real);
			now.real = verdict.real;
			forward++;
		}
	}
	assert_true(forward > ROUNDS / 4 && ahead > ROUNDS / 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_liars_do_not_matter),
	    cmocka_unit_test(test_too_many_liars_are_seen),
	    cmocka_unit_test(test_nothing_impossible),
	    cmocka_unit_test(test_the_bound_only_rises),
	    cmocka_unit_test(test_never_before_what_is_proven),
	    cmocka_unit_test(test_a_consensus_never_puts_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

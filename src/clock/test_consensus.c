/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "test_clock.h"

#define HOUR 3600LL

static struct judge_session session;

static int setup(void **state)
{
	session = (struct judge_session){.floor = TEST_FLOOR};
	return 0;
}

/* As Tor's network makes it each hour, beginning at @begin (s). */
static struct judge_consensus hourly(int64_t begin)
{
	return (struct judge_consensus){
	    .valid_after = begin, .fresh_until = begin + HOUR, .valid_until = begin + 3 * HOUR};
}

/* The clock says TEST_REAL + @clock, @boot seconds after the start; the consensus began at TEST_REAL +
 * @begin. */
static struct judge_verdict judge(int64_t begin, int64_t clock, int64_t boot)
{
	struct judge_consensus consensus = hourly(TEST_REAL + begin);

	return judge_consensus(&session, &consensus, test_now(TEST_REAL + clock, boot * CLOCK_NS));
}

static void test_inside(void **state)
{
	static const int64_t rows[] = {0, 1, HOUR, 3 * HOUR};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct judge_verdict verdict;

		setup(state);
		verdict = judge(0, rows[i], 100);
		assert_int_equal(verdict.outcome, JUDGE_RIGHT_ALREADY);
		assert_int_equal(verdict.reason, JUDGE_CONSENSUS);
	}
}

/* Behind: into the middle of when everybody gets this consensus. */
static void test_behind(void **state)
{
	static const int64_t rows[] = {-13, -HOUR, -86400, -300 * 86400};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct judge_verdict verdict;

		setup(state);
		verdict = judge(0, rows[i], 100);
		assert_int_equal(verdict.outcome, JUDGE_SET);
		assert_int_equal(verdict.reason, JUDGE_CONSENSUS);
		assert_int_equal(verdict.real, (TEST_REAL + HOUR / 2) * CLOCK_NS);
		assert_int_equal(verdict.boot, 100 * CLOCK_NS);
		assert_int_equal(verdict.difference, (HOUR / 2 - rows[i]) * CLOCK_NS);
	}
}

/* Ahead of the consensus, or right, and it is old: nobody can tell. So it stays, also where the consensus
 * is the first that was seen; and again, where one after the other is newer, for who has old ones to
 * hand on has many. */
static void test_ahead(void **state)
{
	static const int64_t rows[] = {3 * HOUR + 1, 30 * HOUR, 25 * 86400, 5 * CLOCK_YEAR};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		setup(state);
		for (int64_t newer = 0; newer < 3; newer++) {
			struct judge_verdict verdict =
			    judge(newer * HOUR, rows[i] + newer * HOUR, 100 + newer);

			assert_int_equal(verdict.outcome, JUDGE_KEPT);
			assert_int_equal(verdict.reason, JUDGE_STALE);
		}
	}
}

static void test_times_that_cannot_be(void **state)
{
	static const struct {
		struct judge_consensus consensus;
		enum judge_reason reason;
	} rows[] = {
	    {{0, 0, 0}, JUDGE_BEFORE_BUILD},
	    {{TEST_FLOOR - 1, TEST_FLOOR + 1, TEST_FLOOR + 2}, JUDGE_BEFORE_BUILD},
	    {{TEST_REAL, TEST_REAL + 1, INT64_MAX}, JUDGE_TOO_LATE},
	    {{TEST_REAL, TEST_REAL + 1, 253402300799}, JUDGE_TOO_LATE},
	    {{TEST_REAL, TEST_REAL, TEST_REAL + 1}, JUDGE_BAD_CONSENSUS},
	    {{TEST_REAL, TEST_REAL + 2, TEST_REAL + 1}, JUDGE_BAD_CONSENSUS},
	    {{TEST_REAL, TEST_REAL + 1, TEST_REAL - 1}, JUDGE_BAD_CONSENSUS},
	    {{TEST_REAL, TEST_REAL + 1, TEST_REAL + JUDGE_CONSENSUS_MAX + 1}, JUDGE_BAD_CONSENSUS},
	    {{TEST_REAL, INT64_MAX, TEST_REAL + 1}, JUDGE_BAD_CONSENSUS},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct judge_verdict verdict = judge_consensus(
		    &session, &rows[i].consensus, test_now(TEST_REAL - 86400, TEST_BOOT));

		assert_int_equal(verdict.outcome, JUDGE_KEPT);
		assert_int_equal(verdict.reason, rows[i].reason);
		assert_false(session.has_bound);
	}
}

/* After a night in suspension the clock is right, and Tor has yesterday's consensus. */
static void test_an_old_consensus(void **state)
{
	struct judge_verdict verdict;

	assert_int_equal(judge(0, HOUR, 100).outcome, JUDGE_RIGHT_ALREADY);
	verdict = judge(0, 9 * HOUR, 100 + 8 * HOUR);
	assert_int_equal(verdict.outcome, JUDGE_KEPT);
	assert_int_equal(verdict.reason, JUDGE_STALE);
}

/* Who is handed older and older consensuses is not led back. */
static void test_no_way_back(void **state)
{
	struct judge_verdict verdict;

	assert_int_equal(judge(0, HOUR, 100).outcome, JUDGE_RIGHT_ALREADY);
	verdict = judge(-24 * HOUR, HOUR, 200);
	assert_int_equal(verdict.outcome, JUDGE_KEPT);
	assert_int_equal(verdict.reason, JUDGE_STALE);
	/* A clock that is behind what was shown is put forward, to what must have been reached. */
	verdict = judge(-24 * HOUR, -23 * HOUR, 300);
	assert_int_equal(verdict.outcome, JUDGE_SET);
	assert_int_equal(verdict.real, (TEST_REAL + 200) * CLOCK_NS);
}

/* What the network said: the consensus puts a lie right, and an old one does not harm the truth. */
static void test_with_the_network(void **state)
{
	struct judge_verdict verdict;

	session.has_network = true;
	session.network_boot = 100 * CLOCK_NS;
	/* It said less than the consensus shows. */
	session.network = (TEST_REAL - 86400) * CLOCK_NS;
	verdict = judge(0, -86400, 100);
	assert_int_equal(verdict.outcome, JUDGE_SET);
	assert_int_equal(verdict.real, (TEST_REAL + HOUR / 2) * CLOCK_NS);
	/* And is then asked anew. */
	assert_false(judge_known(&session, test_now(TEST_REAL, 101 * CLOCK_NS), &verdict));

	/* It agrees with the clock; the consensus is old. */
	setup(state);
	session.has_network = true;
	session.network_boot = 100 * CLOCK_NS;
	session.network = (TEST_REAL + 20 * HOUR) * CLOCK_NS;
	verdict = judge(0, 20 * HOUR, 100);
	assert_int_equal(verdict.outcome, JUDGE_KEPT);
	assert_int_equal(verdict.reason, JUDGE_STALE);

	/* It fits the consensus, and is nearer than the consensus' middle. */
	session.has_bound = false;
	session.network = (TEST_REAL + HOUR + 7) * CLOCK_NS;
	verdict = judge(0, -HOUR, 100);
	assert_int_equal(verdict.outcome, JUDGE_SET);
	assert_int_equal(verdict.real, (TEST_REAL + HOUR + 7) * CLOCK_NS);
}

/* What the network said within the hour is no old word: a clock that is ahead of it is put back. */
static void test_back_by_the_network(void **state)
{
	static const int64_t rows[] = {HOUR, 20 * HOUR}; /* inside this consensus, and long after it */
	const int64_t clock = 40 * HOUR, fresh = JUDGE_FRESH / CLOCK_NS;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct judge_verdict verdict;

		setup(state);
		session.has_network = true;
		session.network_boot = 100 * CLOCK_NS;
		session.network = (TEST_REAL + rows[i]) * CLOCK_NS;
		verdict = judge(0, clock, 100 + fresh);
		assert_int_equal(verdict.outcome, JUDGE_SET);
		assert_int_equal(verdict.reason, JUDGE_KNOWN);
		assert_int_equal(verdict.real, session.network + JUDGE_FRESH);
		/* After that it may have been a clock that somebody has put right since. */
		verdict = judge(0, clock, 100 + fresh + 1);
		assert_int_equal(verdict.outcome, JUDGE_KEPT);
		assert_int_equal(verdict.reason, JUDGE_STALE);
	}
	/* Nor is a word that a consensus has shown to be a lie. */
	setup(NULL);
	session.has_network = true;
	session.network_boot = 100 * CLOCK_NS;
	session.network = (TEST_REAL - HOUR) * CLOCK_NS;
	assert_int_equal(judge(0, clock, 100).outcome, JUDGE_KEPT);
}

/* Before the network is asked: what is proven is remembered, and what cannot be is not. */
static void test_only_heard(void **state)
{
	const struct judge_consensus good = hourly(TEST_REAL), older = hourly(TEST_REAL - HOUR),
				     early = hourly(TEST_FLOOR - HOUR),
				     late = hourly(CLOCK_CEILING(TEST_FLOOR));

	judge_hear(&session, &early, TEST_BOOT);
	judge_hear(&session, &late, TEST_BOOT);
	assert_false(session.has_bound);
	judge_hear(&session, &good, TEST_BOOT);
	judge_hear(&session, &older, TEST_BOOT + CLOCK_NS);
	assert_true(session.has_bound);
	assert_int_equal(session.bound, TEST_REAL * CLOCK_NS);
	assert_int_equal(session.bound_boot, TEST_BOOT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(test_inside, setup),
	    cmocka_unit_test_setup(test_behind, setup),
	    cmocka_unit_test_setup(test_ahead, setup),
	    cmocka_unit_test_setup(test_times_that_cannot_be, setup),
	    cmocka_unit_test_setup(test_an_old_consensus, setup),
	    cmocka_unit_test_setup(test_no_way_back, setup),
	    cmocka_unit_test_setup(test_with_the_network, setup),
	    cmocka_unit_test_setup(test_back_by_the_network, setup),
	    cmocka_unit_test_setup(test_only_heard, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

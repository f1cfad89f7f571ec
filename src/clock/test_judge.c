/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "test_clock.h"

#include "words.h"

#define TRIP (CLOCK_NS / 5)

/* What time it is when it is judged: the answers came a second before, half a trip old, and lost half a
 * second of their date. */
#define JUDGED_BOOT (TEST_BOOT + 2 * CLOCK_NS)
#define JUDGED_REAL (TEST_REAL * CLOCK_NS + CLOCK_NS / 2 + TRIP / 2 + CLOCK_NS)

static struct judge_session session;

static int setup(void **state)
{
	session = (struct judge_session){.floor = TEST_FLOOR};
	return 0;
}

/* The clock is @behind seconds behind. */
static struct judge_verdict judge(struct judge_round *round, int64_t behind)
{
	struct clock_now now = {.real = JUDGED_REAL - behind * CLOCK_NS, .boot = JUDGED_BOOT};

	return judge_network(&session, round, now);
}

static struct judge_round three(int64_t a, int64_t b, int64_t c)
{
	const int64_t dates[] = {a, b, c};
	struct judge_round round = test_round(3);

	for (unsigned i = 0; i < 3; i++) {
		if (dates[i])
			test_take(&round, test_answer(i, dates[i], TRIP));
		else
			test_fail(&round, i, 0, RECORD_NO_ROUTE);
	}
	return round;
}

static void test_differences(void **state)
{
	static const int64_t rows[] = {6, 60, 3600, 86400, 400 * 86400, -6, -3600, -9 * CLOCK_YEAR};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct judge_round round = three(TEST_REAL, TEST_REAL, TEST_REAL);
		struct judge_verdict verdict;

		test_end(&round);
		verdict = judge(&round, rows[i]);
		assert_int_equal(verdict.outcome, JUDGE_SET);
		assert_int_equal(verdict.reason, JUDGE_NETWORK);
		assert_int_equal(verdict.real, JUDGED_REAL);
		assert_int_equal(verdict.boot, JUDGED_BOOT);
		assert_int_equal(verdict.difference, rows[i] * CLOCK_NS);
		assert_false(verdict.captive);
	}
}

static void test_near_enough(void **state)
{
	for (int64_t behind = -5; behind <= 5; behind++) {
		struct judge_round round = three(TEST_REAL, TEST_REAL, TEST_REAL);

		test_end(&round);
		assert_int_equal(judge(&round, behind).outcome, JUDGE_RIGHT_ALREADY);
	}
}

static void test_quorum(void **state)
{
	static const struct {
		int64_t dates[3]; /* behind the true time; 1: silent */
		enum judge_outcome outcome;
		enum judge_reason reason;
	} rows[] = {
	    {{0, 0, 1}, JUDGE_SET, JUDGE_NETWORK},
	    {{1, 0, 0}, JUDGE_SET, JUDGE_NETWORK},
	    {{0, 1, 1}, JUDGE_KEPT, JUDGE_NO_QUORUM},
	    {{1, 1, 1}, JUDGE_KEPT, JUDGE_NO_NETWORK},
	    {{0, 0, -86400}, JUDGE_SET, JUDGE_NETWORK},
	    {{0, 86400, 0}, JUDGE_SET, JUDGE_NETWORK},
	    {{0, 86400, -86400}, JUDGE_KEPT, JUDGE_DISAGREE},
	    {{0, 86400, 1}, JUDGE_KEPT, JUDGE_DISAGREE},
	    {{100, 200, 300}, JUDGE_KEPT, JUDGE_DISAGREE},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int64_t dates[3];
		struct judge_round round;
		struct judge_verdict verdict;

		for (size_t j = 0; j < 3; j++)
			dates[j] = rows[i].dates[j] == 1 ? 0 : TEST_REAL - rows[i].dates[j];
		round = three(dates[0], dates[1], dates[2]);
		test_end(&round);
		verdict = judge(&round, 3600);
		assert_int_equal(verdict.outcome, rows[i].outcome);
		assert_int_equal(verdict.reason, rows[i].reason);
		if (verdict.outcome == JUDGE_SET)
			assert_int_equal(verdict.real, JUDGED_REAL);
	}
}

static void test_times_that_cannot_be(void **state)
{
	static const struct {
		int64_t date;
		enum judge_reason reason;
	} rows[] = {
	    {TEST_FLOOR - 1, JUDGE_BEFORE_BUILD},
	    {1, JUDGE_BEFORE_BUILD},
	    {CLOCK_CEILING(TEST_FLOOR) + 1, JUDGE_TOO_LATE},
	    {253402300799, JUDGE_TOO_LATE},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct judge_round round = test_round(3);

		for (unsigned pool = 0; pool < 3; pool++) {
			struct record answer = test_answer(pool, rows[i].date, TRIP);

			answer.not_before = 0;
			test_take(&round, answer);
		}
		test_end(&round);
		assert_int_equal(judge(&round, 0).outcome, JUDGE_KEPT);
		assert_int_equal(judge(&round, 0).reason, rows[i].reason);
	}
}

/* A certificate vouches for a time in which it is valid, and for no other; the local clock is not asked. */
static void test_certificates(void **state)
{
	static const struct {
		int64_t from, until;
		enum judge_outcome outcome;
	} rows[] = {
	    {0, 0, JUDGE_SET},
	    {-86400, 86400, JUDGE_SET},
	    {1, 86400, JUDGE_KEPT},
	    {-86400, -1, JUDGE_KEPT},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct judge_round round = test_round(3);
		struct judge_verdict verdict;

		for (unsigned pool = 0; pool < 3; pool++) {
			struct record answer = test_answer(pool, TEST_REAL, TRIP);

			answer.not_before = TEST_REAL + rows[i].from;
			answer.not_after = TEST_REAL + rows[i].until;
			test_take(&round, answer);
		}
		test_end(&round);
		verdict = judge(&round, 300 * 86400);
		assert_int_equal(verdict.outcome, rows[i].outcome);
		assert_int_equal(verdict.reason,
				 verdict.outcome == JUDGE_SET ? JUDGE_NETWORK : JUDGE_CERTIFICATES);
	}
}

static void test_slow_answers(void **state)
{
	struct judge_round slow = {.begun = 0}, just = {.begun = 0};
	struct record begin = {.kind = RECORD_BEGIN, .pool = 3};

	test_take(&slow, begin);
	test_take(&just, begin);
	for (unsigned pool = 0; pool < 3; pool++) {
		test_take(&slow, test_answer(pool, TEST_REAL, JUDGE_TRIP_MAX + 1));
		test_take(&just, test_answer(pool, TEST_REAL, JUDGE_TRIP_MAX));
	}
	test_end(&slow);
	test_end(&just);
	slow.begun = just.begun = TEST_BOOT - 60 * CLOCK_NS;
	assert_int_equal(judge(&slow, 3600).reason, JUDGE_NO_QUORUM);
	/* Half of the trip is counted. */
	assert_int_equal(judge(&just, 3600).real, JUDGED_REAL - TRIP / 2 + JUDGE_TRIP_MAX / 2);
}

static void test_portals(void **state)
{
	static const struct {
		enum record_result result;
		enum record_portal portal;
		enum judge_reason reason;
	} rows[] = {
	    {RECORD_NO_ROUTE, RECORD_PORTAL_REDIRECT, JUDGE_PORTAL},
	    {RECORD_NO_ROUTE, RECORD_PORTAL_BODY, JUDGE_PORTAL},
	    {RECORD_SLOW, RECORD_PORTAL_STATUS, JUDGE_PORTAL},
	    {RECORD_UNTRUSTED, RECORD_PORTAL_UNKNOWN, JUDGE_PORTAL},
	    {RECORD_OTHER_NAME, RECORD_PORTAL_UNKNOWN, JUDGE_PORTAL},
	    {RECORD_UNTRUSTED, RECORD_PORTAL_NONE, JUDGE_NO_QUORUM},
	    {RECORD_NO_ROUTE, RECORD_PORTAL_NONE, JUDGE_NO_QUORUM},
	    {RECORD_NO_ROUTE, RECORD_PORTAL_UNKNOWN, JUDGE_NO_NETWORK},
	    {RECORD_NO_NAME, RECORD_PORTAL_UNKNOWN, JUDGE_NO_NETWORK},
	    {RECORD_TOO_MUCH, RECORD_PORTAL_UNKNOWN, JUDGE_NO_QUORUM},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct judge_round round = test_round(3);
		struct judge_verdict verdict;

		for (unsigned pool = 0; pool < 3; pool++)
			for (unsigned host = 0; host < 3; host++)
				test_fail(&round, pool, host, rows[i].result);
		test_portal(&round, rows[i].portal);
		test_end(&round);
		verdict = judge(&round, 3600);
		assert_int_equal(verdict.outcome, JUDGE_KEPT);
		assert_int_equal(verdict.reason, rows[i].reason);
		assert_int_equal(verdict.captive, rows[i].reason == JUDGE_PORTAL);
	}
}

/* One that answers every portal's page is not believed, if a majority of the hosts is there. */
static void test_a_portal_beside_a_quorum(void **state)
{
	struct judge_round round = three(TEST_REAL, TEST_REAL, 0);

	test_portal(&round, RECORD_PORTAL_BODY);
	test_end(&round);
	assert_int_equal(judge(&round, 3600).outcome, JUDGE_SET);
	assert_false(judge(&round, 3600).captive);
}

static void test_fetchers_that_fail(void **state)
{
	struct judge_round silent = {.begun = TEST_BOOT}, cut = three(TEST_REAL, TEST_REAL, TEST_REAL),
			   late = three(TEST_REAL, TEST_REAL, TEST_REAL);

	assert_int_equal(judge(&silent, 3600).reason, JUDGE_BAD_FETCH);
	assert_int_equal(judge(&cut, 3600).reason, JUDGE_BAD_FETCH);
	test_end(&late);
	late.begun = JUDGED_BOOT - JUDGE_ROUND_MAX - 1;
	assert_int_equal(judge(&late, 3600).reason, JUDGE_BAD_FETCH);
	assert_false(session.has_network);
}

static void test_records_out_of_place(void **state)
{
	struct record begin = {.kind = RECORD_BEGIN, .pool = 3}, end = {.kind = RECORD_END};
	struct record answer = test_answer(0, TEST_REAL, TRIP), other = answer, early = answer,
		      future = answer, none = test_answer(3, TEST_REAL, TRIP);
	struct record few = {.kind = RECORD_BEGIN, .pool = 2};
	struct record portal = {.kind = RECORD_PORTAL, .result = RECORD_PORTAL_NONE};
	const int64_t boot = TEST_BOOT + CLOCK_NS;
	struct judge_round round = {.begun = TEST_BOOT};

	other.host = 1;
	early.sent = TEST_BOOT - 1;
	future.received = boot + 1;
	/* Something before the beginning; too few pools; two beginnings. */
	assert_int_equal(judge_take(&round, &answer, boot), -EBADMSG);
	round = (struct judge_round){.begun = TEST_BOOT};
	assert_int_equal(judge_take(&round, &few, boot), -EBADMSG);
	round = test_round(3);
	assert_int_equal(judge_take(&round, &begin, boot), -EBADMSG);
	/* A pool that is not there; a host twice; two votes of one pool. */
	round = test_round(3);
	assert_int_equal(judge_take(&round, &none, boot), -EBADMSG);
	test_take(&round, answer);
	assert_int_equal(judge_take(&round, &answer, boot), -EBADMSG);
	assert_int_equal(judge_take(&round, &other, boot), -EBADMSG);
	/* Times before the question, and in the future. */
	round = test_round(3);
	assert_int_equal(judge_take(&round, &early, boot), -EBADMSG);
	round = test_round(3);
	assert_int_equal(judge_take(&round, &future, boot), -EBADMSG);
	/* Two portals; anything after the end; more than are taken at all. */
	round = test_round(3);
	test_take(&round, portal);
	assert_int_equal(judge_take(&round, &portal, boot), -EBADMSG);
	round = test_round(3);
	test_end(&round);
	assert_int_equal(judge_take(&round, &end, boot), -EBADMSG);
	round = test_round(RECORD_POOLS_MAX);
	for (unsigned i = 1; i < RECORD_COUNT_MAX; i++)
		test_fail(&round, i / RECORD_HOSTS_MAX, i % RECORD_HOSTS_MAX, RECORD_SLOW);
	assert_int_equal(judge_take(&round, &end, boot), -EBADMSG);
}

/* What was found is known for an hour, and nobody is asked again. */
static void test_what_is_known(void **state)
{
	struct judge_round round = three(TEST_REAL, TEST_REAL, TEST_REAL);
	struct clock_now now = {.real = 1, .boot = JUDGED_BOOT};
	struct judge_verdict verdict;

	assert_false(judge_known(&session, now, &verdict));
	test_end(&round);
	assert_int_equal(judge(&round, 3600).outcome, JUDGE_SET);
	now = (struct clock_now){.real = JUDGED_REAL + JUDGE_FRESH,
				 .boot = JUDGED_BOOT + JUDGE_FRESH};
	assert_true(judge_known(&session, now, &verdict));
	assert_int_equal(verdict.outcome, JUDGE_RIGHT_ALREADY);
	assert_int_equal(verdict.reason, JUDGE_KNOWN);
	/* Somebody has changed the clock meanwhile: it is put back, and nobody is asked. */
	now.real = 5;
	assert_true(judge_known(&session, now, &verdict));
	assert_int_equal(verdict.outcome, JUDGE_SET);
	assert_int_equal(verdict.real, JUDGED_REAL + JUDGE_FRESH);
	now.boot++;
	assert_false(judge_known(&session, now, &verdict));
}

/* The clock may say anything when it is judged, or have jumped since it was asked: only the difference
 * depends on it. */
static void test_a_clock_that_jumps(void **state)
{
	static const int64_t rows[] = {0, 1, TEST_FLOOR, 2 * TEST_REAL, INT64_MAX / CLOCK_NS};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct judge_round round = three(TEST_REAL, TEST_REAL, TEST_REAL);
		struct judge_verdict verdict;

		test_end(&round);
		verdict = judge_network(&session, &round, test_now(rows[i], JUDGED_BOOT));
		assert_int_equal(verdict.outcome, JUDGE_SET);
		assert_int_equal(verdict.real, JUDGED_REAL);
		assert_int_equal(verdict.difference, JUDGED_REAL - rows[i] * CLOCK_NS);
	}
}

/* A consensus has shown that it began at @begin, some time ago. */
static void prove(int64_t begin)
{
	session.has_bound = true;
	session.bound = begin * CLOCK_NS;
	session.bound_boot = JUDGED_BOOT - 500 * CLOCK_NS;
}

/* Two pools that lie together do not lead back before what is proven, and the honest one that is left
 * is no majority. */
static void test_liars_before_what_is_proven(void **state)
{
	static const int64_t lies[] = {13, 3600, 86400, 300 * 86400};

	for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
		struct judge_round round = three(TEST_REAL, TEST_REAL - lies[i], TEST_REAL - lies[i]);
		struct judge_verdict verdict;

		setup(state);
		prove(JUDGED_REAL / CLOCK_NS - 500 + 1);
		test_end(&round);
		verdict = judge(&round, 0);
		assert_int_equal(verdict.outcome, JUDGE_KEPT);
		assert_int_equal(verdict.reason, JUDGE_BEFORE_PROVEN);
		assert_false(session.has_network);
	}
}

/* One liar of three does not matter, as ever. */
static void test_one_liar_before_what_is_proven(void **state)
{
	struct judge_round round = three(TEST_REAL, TEST_REAL - 86400, TEST_REAL);

	prove(TEST_REAL - 3600);
	test_end(&round);
	assert_int_equal(judge(&round, 3600).real, JUDGED_REAL);
	assert_int_equal(judge(&round, 3600).reason, JUDGE_NETWORK);
}

/* Honest answers may be off by what is taken for agreement; what is set is not before what is proven. */
static void test_what_is_set_is_not_before_what_is_proven(void **state)
{
	struct judge_round round = three(TEST_REAL, TEST_REAL, TEST_REAL);
	struct judge_verdict verdict;

	prove(TEST_REAL - 500 + 8);
	test_end(&round);
	verdict = judge(&round, 3600);
	assert_int_equal(verdict.outcome, JUDGE_SET);
	assert_int_equal(verdict.reason, JUDGE_NETWORK);
	assert_int_equal(verdict.real, (TEST_REAL + 8) * CLOCK_NS);
	assert_int_equal(session.network, verdict.real);
	/* Nor is what is known, when it has been proven since that it is some seconds later. */
	prove(TEST_REAL - 500 + 14);
	assert_true(judge_known(&session, test_now(TEST_REAL - 3600, JUDGED_BOOT), &verdict));
	assert_int_equal(verdict.real, (TEST_REAL + 14) * CLOCK_NS);
}

/* The clock itself is before what is proven, as liars may have set it when nothing was: it does not stay
 * so, whatever the pools say now. But a portal must be told of. */
static void test_a_clock_before_what_is_proven(void **state)
{
	struct judge_round lies = three(TEST_REAL - 86400, TEST_REAL - 86400, TEST_REAL - 86400),
			   differ = three(TEST_REAL, TEST_REAL + 5000, TEST_REAL + 9000),
			   silent = three(0, 0, 0), portal = three(0, 0, 0), cut = three(0, 0, 0);
	struct judge_round *const rows[] = {&lies, &differ, &silent, &cut};

	prove(TEST_REAL - 500);
	test_portal(&portal, RECORD_PORTAL_REDIRECT);
	test_end(&lies);
	test_end(&differ);
	test_end(&silent);
	test_end(&portal);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct judge_verdict verdict = judge(rows[i], 86400);

		assert_int_equal(verdict.outcome, JUDGE_SET);
		assert_int_equal(verdict.reason, JUDGE_CONSENSUS);
		assert_int_equal(verdict.real, TEST_REAL * CLOCK_NS);
	}
	assert_int_equal(judge(&portal, 86400).outcome, JUDGE_KEPT);
	assert_true(judge(&portal, 86400).captive);
	assert_false(session.has_network);
}

static void test_words(void **state)
{
	for (unsigned i = 0; i < JUDGE_REASON_COUNT; i++) {
		assert_non_null(words_reason(i));
		assert_true(strlen(words_explain(words_reason(i))) > 0);
		for (unsigned j = 0; j < i; j++)
			assert_string_not_equal(words_reason(i), words_reason(j));
	}
	for (unsigned i = RECORD_DATED; i < RECORD_RESULT_COUNT; i++)
		assert_non_null(words_result(i));
	assert_string_equal(words_explain("nonsense"), "");
	assert_string_equal(words_outcome(JUDGE_KEPT), "kept");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(test_differences, setup),
	    cmocka_unit_test_setup(test_near_enough, setup),
	    cmocka_unit_test_setup(test_quorum, setup),
	    cmocka_unit_test_setup(test_times_that_cannot_be, setup),
	    cmocka_unit_test_setup(test_certificates, setup),
	    cmocka_unit_test_setup(test_slow_answers, setup),
	    cmocka_unit_test_setup(test_portals, setup),
	    cmocka_unit_test_setup(test_a_portal_beside_a_quorum, setup),
	    cmocka_unit_test_setup(test_fetchers_that_fail, setup),
	    cmocka_unit_test_setup(test_records_out_of_place, setup),
	    cmocka_unit_test_setup(test_what_is_known, setup),
	    cmocka_unit_test_setup(test_a_clock_that_jumps, setup),
	    cmocka_unit_test_setup(test_liars_before_what_is_proven, setup),
	    cmocka_unit_test_setup(test_one_liar_before_what_is_proven, setup),
	    cmocka_unit_test_setup(test_what_is_set_is_not_before_what_is_proven, setup),
	    cmocka_unit_test_setup(test_a_clock_before_what_is_proven, setup),
	    cmocka_unit_test_setup(test_words, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "test_clock.h"

#include "request.h"
#include "status.h"

static void test_requests(void **state)
{
	static const struct {
		const char *text;
		enum request_mode mode;
	} rows[] = {
	    {"{\"mode\":\"network\"}", REQUEST_NETWORK},
	    {"{\"mode\":\"consensus\"}", REQUEST_CONSENSUS},
	    {" {\t\"mode\" :\r\n \"network\" } \n", REQUEST_NETWORK},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		enum request_mode mode = 0;

		assert_int_equal(request_parse(rows[i].text, strlen(rows[i].text), &mode), 0);
		assert_int_equal(mode, rows[i].mode);
		assert_int_equal(request_parse(request_text(mode), strlen(request_text(mode)), &mode),
				 0);
		assert_int_equal(mode, rows[i].mode);
	}
}

static void test_what_is_no_request(void **state)
{
	static const char *const rows[] = {
	    "",
	    "{}",
	    "network",
	    "\"network\"",
	    "[\"network\"]",
	    "{\"mode\":network}",
	    "{\"mode\":\"Network\"}",
	    "{\"mode\":\"network\"",
	    "{\"mode\":\"network\"}}",
	    "{\"mode\":\"network\"} x",
	    "{\"mode\":\"network\",\"mode\":\"consensus\"}",
	    "{\"mode\":\"network\",\"host\":\"a.example\"}",
	    "{\"mode\":\"network\",}",
	    "{\"mode\":\"\"}",
	    "{\"mode\":null}",
	    "{\"mo\\u0064e\":\"network\"}",
	};
	static const char with_nul[] = "{\"mode\":\"network\"}\0";
	char large[REQUEST_BYTES_MAX + 32];
	enum request_mode mode = 42;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(request_parse(rows[i], strlen(rows[i]), &mode), -EBADMSG);
	assert_int_equal(request_parse(with_nul, sizeof(with_nul), &mode), -EBADMSG);
	memset(large, ' ', sizeof(large));
	memcpy(large, rows[11], 18);
	assert_int_equal(request_parse(large, sizeof(large), &mode), -EBADMSG);
	assert_int_equal(mode, 42);
}

static void test_answers(void **state)
{
	static const struct {
		struct judge_verdict verdict;
		const char *text;
	} rows[] = {
	    {{.outcome = JUDGE_SET, .reason = JUDGE_NETWORK, .difference = -3600 * CLOCK_NS},
	     "{\"outcome\":\"set\",\"reason\":\"network\",\"captive\":false,\"difference\":-3600}"},
	    {{.outcome = JUDGE_KEPT, .reason = JUDGE_PORTAL, .captive = true},
	     "{\"outcome\":\"kept\",\"reason\":\"captive-portal\",\"captive\":true,\"difference\":0}"},
	    {{.outcome = JUDGE_RIGHT_ALREADY, .reason = JUDGE_CONSENSUS,
	      .difference = CLOCK_NS * 3 / 2},
	     "{\"outcome\":\"right\",\"reason\":\"consensus\",\"captive\":false,\"difference\":2}"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO_BUF struct buf out = {.cap = ANSWER_BYTES_MAX};
		struct status status = {0};

		request_write_answer(&rows[i].verdict, &out);
		assert_int_equal(buf_finish(&out), 0);
		assert_string_equal(buf_text(&out), rows[i].text);
		/* The command reads it as it reads a status. */
		assert_int_equal(status_read(out.data, out.len, &status), 0);
		assert_int_equal(status.captive, rows[i].verdict.captive);
		assert_int_equal(status.difference, request_difference(&rows[i].verdict));
	}
}

static void test_status(void **state)
{
	const struct status status = {
	    .mode = "network",
	    .outcome = "set",
	    .reason = "network",
	    .captive = true,
	    .difference = -31536000,
	    .boottime = 12345,
	    .requests = 7,
	    .queries = 3,
	    .pools = 3,
	    .dated = 2,
	    .build = TEST_FLOOR,
	};
	AUTO_BUF struct buf out = {.cap = STATUS_BYTES_MAX}, again = {.cap = STATUS_BYTES_MAX};
	struct status read;

	status_write(&status, &out);
	assert_int_equal(buf_finish(&out), 0);
	assert_int_equal(status_read(out.data, out.len, &read), 0);
	assert_string_equal(read.mode, "network");
	assert_true(read.captive && read.difference == -31536000 && read.build == TEST_FLOOR);
	assert_true(read.pools == 3 && read.dated == 2 && read.queries == 3 && read.requests == 7);
	assert_int_equal(read.boottime, 12345);
	status_write(&read, &again);
	assert_string_equal(buf_text(&again), buf_text(&out));
}

static void test_what_is_no_status(void **state)
{
	static const char *const rows[] = {
	    "",
	    "{}",
	    "{\"outcome\":\"set\"}",
	    "{\"outcome\":\"set\",\"reason\":\"network\"",
	    "{\"outcome\":\"set\",\"reason\":\"network\"}}",
	    "{\"outcome\":\"set\",\"reason\":\"net\\u0077ork\"}",
	    "{\"outcome\":\"set\",\"reason\":\"\x1b[2J\"}",
	    "{\"outcome\":\"set\",\"reason\":\"a word that is longer than any that is said here\"}",
	    "{\"outcome\":\"set\",\"reason\":\"network\",\"x\":1e9}",
	    "{\"outcome\":\"set\",\"reason\":\"network\",\"x\":}",
	    "{\"outcome\":\"set\",\"reason\":\"network\",\"x\":9999999999999999999}",
	    "{\"outcome\":\"set\",\"reason\":\"network\",\"x\":{}}",
	    "{\"outcome\":\"set\",\"reason\":\"network\",}",
	};
	struct status status = {.queries = 42};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(status_read(rows[i], strlen(rows[i]), &status), -EBADMSG);
	assert_int_equal(status.queries, 42);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_requests), cmocka_unit_test(test_what_is_no_request),
	    cmocka_unit_test(test_answers),  cmocka_unit_test(test_status),
	    cmocka_unit_test(test_what_is_no_status),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

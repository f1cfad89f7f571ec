/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "test_clock.h"

#include <stdio.h>
#include <time.h>

#include "date.h"
#include "head.h"

static void test_http_dates(void **state)
{
	static const struct {
		const char *text;
		int64_t seconds;
	} rows[] = {
	    {"Thu, 01 Jan 1970 00:00:00 GMT", 0},
	    {"Sun, 06 Nov 1994 08:49:37 GMT", 784111777},
	    {"Tue, 29 Feb 2000 23:59:59 GMT", 951868799},
	    {"Fri, 27 Nov 2026 14:00:00 GMT", TEST_REAL},
	    {"Tue, 19 Jan 2038 03:14:08 GMT", 2147483648},
	    {"Fri, 31 Dec 9999 23:59:59 GMT", 253402300799},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int64_t seconds = -1;

		assert_int_equal(date_parse_http(rows[i].text, strlen(rows[i].text), &seconds), 0);
		assert_int_equal(seconds, rows[i].seconds);
	}
}

static void test_what_is_no_date(void **state)
{
	static const char *const rows[] = {
	    "",
	    "Sun, 06 Nov 1994 08:49:37",
	    "Sun, 06 Nov 1994 08:49:37 UTC",
	    "Mon, 06 Nov 1994 08:49:37 GMT",  /* it was a Sunday */
	    "Sunday, 06-Nov-94 08:49:37 GMT", /* older forms, which no server may send */
	    "Sun Nov  6 08:49:37 1994",
	    "Sun, 31 Feb 1999 08:49:37 GMT",
	    "Mon, 29 Feb 1900 00:00:00 GMT",
	    "Wed, 31 Dec 1969 23:59:59 GMT",
	    "Sun, 06 Nov 1994 24:00:00 GMT",
	    "Sun, 06 Nov 1994 08:60:00 GMT",
	    "Sat, 31 Dec 2016 23:59:60 GMT", /* a leap second */
	    "Sun, 06 nov 1994 08:49:37 GMT",
	    "sun, 06 Nov 1994 08:49:37 GMT",
	    "Sun, 00 Nov 1994 08:49:37 GMT",
	    "Sun, +6 Nov 1994 08:49:37 GMT",
	    "Sun,  6 Nov 1994 08:49:37 GMT",
	    "Sun, 06 Nov 1994 08:49:37 GMT ",
	    "Sun, 06 Nov -994 08:49:37 GMT",
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int64_t seconds = 42;

		assert_int_equal(date_parse_http(rows[i], strlen(rows[i]), &seconds), -EINVAL);
		assert_int_equal(seconds, 42);
	}
}

static void test_tors_dates(void **state)
{
	int64_t seconds = 42;

	assert_int_equal(date_parse_iso("2026-11-27 14:00:00", 19, &seconds), 0);
	assert_int_equal(seconds, TEST_REAL);
	seconds = 42;
	assert_int_equal(date_parse_iso("2026-11-27T14:00:00", 19, &seconds), -EINVAL);
	assert_int_equal(date_parse_iso("2026-11-27 14:00:00Z", 20, &seconds), -EINVAL);
	assert_int_equal(date_parse_iso("2026-02-29 14:00:00", 19, &seconds), -EINVAL);
	assert_int_equal(date_parse_iso("", 0, &seconds), -EINVAL);
	assert_int_equal(seconds, 42);
}

/* Against the C library's calendar, every 11 hours and some over a thousand years. */
static void test_the_calendar(void **state)
{
	for (int64_t seconds = 0; seconds < 32503680000; seconds += 39877) {
		char text[64], iso[64];
		int64_t read = -1;
		time_t time = (time_t)seconds;
		struct tm parts;

		assert_non_null(gmtime_r(&time, &parts));
		strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &parts);
		assert_int_equal(date_parse_http(text, strlen(text), &read), 0);
		assert_int_equal(read, seconds);
		strftime(iso, sizeof(iso), "%Y-%m-%d %H:%M:%S", &parts);
		assert_int_equal(date_parse_iso(iso, strlen(iso), &read), 0);
		assert_int_equal(read, seconds);
	}
}

/* ---- heads of answers ---- */

#define DATE "Date: Fri, 27 Nov 2026 14:00:00 GMT\r\n"

static int feed(struct head *head, const char *text)
{
	int r = 0;

	while (*text && r == 0) {
		size_t length = strcspn(text, "\n") + 1;

		r = head_feed(head, text, length);
		text += length;
	}
	return r;
}

static void test_heads(void **state)
{
	static const struct {
		const char *text;
		int result;
		int64_t seconds;
	} rows[] = {
	    {"HTTP/1.1 200 OK\r\n" DATE "\r\n", 0, TEST_REAL},
	    {"HTTP/1.0 404 Not Found\r\n" DATE "\r\n", 0, TEST_REAL},
	    {"HTTP/1.1 301\r\nlocation: /\r\ndate:Fri, 27 Nov 2026 14:00:00 GMT\r\n\r\n", 0,
	     TEST_REAL},
	    {"HTTP/1.1 200 OK\r\nDATE: \t Fri, 27 Nov 2026 14:00:00 GMT \t\r\nAge: 10\r\n\r\n", 0,
	     TEST_REAL},
	    /* One that only says "wait" does not count, whatever it holds. */
	    {"HTTP/1.1 103 Early Hints\r\nDate: x\r\n\r\nHTTP/1.1 200 OK\r\n" DATE "\r\n", 0, TEST_REAL},
	    {"HTTP/1.1 100 Continue\r\n" DATE "\r\n", -EBADMSG, 0},
	    {"HTTP/1.1 200 OK\r\n\r\n", -ENODATA, 0},
	    {"HTTP/1.1 200 OK\r\n" DATE DATE "\r\n", -ENODATA, 0},
	    {"HTTP/1.1 200 OK\r\n" DATE "Date: x\r\n\r\n", -ENODATA, 0},
	    {"HTTP/1.1 200 OK\r\nDate: 1795788000\r\n\r\n", -ENODATA, 0},
	    {"HTTP/1.1 200 OK\r\n" DATE "Age: -1\r\n\r\n", -ENODATA, 0},
	    {"HTTP/1.1 200 OK\r\n" DATE "Age: 1\r\nAge: 1\r\n\r\n", -ENODATA, 0},
	    {"HTTP/1.1 200 OK\r\n" DATE "Age: 11\r\n\r\n", -ENODATA, 0},
	    {"HTTP/1.1 200 OK\r\n" DATE "Age: 99999999999999999999\r\n\r\n", -ENODATA, 0},
	    {"HTTP/1.1 200 OK\r\nX-Date: a\r\nDateline: b\r\n\r\n", -ENODATA, 0},
	    {"HTTP/1.1 2000 OK\r\n" DATE "\r\n", -EBADMSG, 0},
	    {"HTTP/1.9 200 OK\r\n" DATE "\r\n", -EBADMSG, 0},
	    {DATE "\r\n", -EBADMSG, 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct head head = {0};
		int64_t seconds = 42;

		assert_int_equal(feed(&head, rows[i].text), 0);
		assert_int_equal(head_date(&head, &seconds), rows[i].result);
		assert_int_equal(seconds, rows[i].result == 0 ? rows[i].seconds : 42);
	}
}

static void test_floods(void **state)
{
	static const char filler[] = "X-Filler: y\r\n";
	struct head many = {0}, again = {0}, large = {0};
	char line[1024];
	unsigned lines = 0, answers = 0, bytes = 0;

	while (head_feed(&many, filler, strlen(filler)) == 0)
		lines++;
	assert_int_equal(lines, HEAD_LINES_MAX);
	while (head_feed(&again, "HTTP/1.1 103 Early Hints\r\n", 26) == 0)
		answers++;
	assert_int_equal(answers, HEAD_ANSWERS_MAX);
	memset(line, 'a', sizeof(line));
	while (head_feed(&large, line, sizeof(line)) == 0)
		bytes += sizeof(line);
	assert_int_equal(bytes, HEAD_BYTES_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_http_dates), cmocka_unit_test(test_what_is_no_date),
	    cmocka_unit_test(test_tors_dates), cmocka_unit_test(test_the_calendar),
	    cmocka_unit_test(test_heads),      cmocka_unit_test(test_floods),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

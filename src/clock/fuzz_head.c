/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Any bytes as the head of a server's answer, as a date, and as one of Tor's: what is taken for a date
 * is within the years that a date can have, and a head never takes more than it may.
 */
#include "date.h"
#include "head.h"

#include <string.h>

#include <base/fuzz.h>

#define YEAR_10000 253402300800LL

static void check_dates(const char *text, size_t length)
{
	int64_t seconds = -1;

	if (date_parse_http(text, length, &seconds) == 0)
		REQUIRE(length == 29 && seconds >= 0 && seconds < YEAR_10000);
	else
		REQUIRE(seconds == -1);
	seconds = -1;
	if (date_parse_iso(text, length, &seconds) == 0)
		REQUIRE(length == 19 && seconds >= 0 && seconds < YEAR_10000);
	else
		REQUIRE(seconds == -1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct head head = {0};
	int64_t seconds;
	int r = 0;

	check_dates(text, size);
	while (size > 0 && r == 0) {
		const char *end = memchr(text, '\n', size);
		size_t length = end ? (size_t)(end - text) + 1 : size;

		check_dates(text, length - (end ? 1 : 0));
		r = head_feed(&head, text, length);
		REQUIRE(r == 0 || r == -E2BIG);
		text += length;
		size -= length;
	}
	REQUIRE(r < 0 || (head.lines <= HEAD_LINES_MAX && head.bytes <= HEAD_BYTES_MAX));
	if (head_date(&head, &seconds) == 0)
		REQUIRE(seconds >= 0 && seconds < YEAR_10000 && head.dates == 1);
	return 0;
}

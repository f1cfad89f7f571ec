/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The head of an HTTP answer, as far as the clock cares: status, Date, Age. Fed line by line, each
 * line counted, so that no flood of headers is read to its end. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <base/cleanup.h>

#define HEAD_BYTES_MAX	 (32u << 10) /* of all heads of one answer */
#define HEAD_LINES_MAX	 128u
#define HEAD_ANSWERS_MAX 4u /* one, and some that only say "wait" (1xx) */
#define HEAD_AGE_MAX	 10 /* s; see head_date() */

struct head {
	size_t bytes;
	unsigned lines, answers;
	/* of the last answer that began: */
	unsigned status; /* 0: the line cannot be read */
	unsigned dates, ages;
	bool bad;     /* a Date or an Age that cannot be read */
	int64_t date; /* seconds, if there is one that can be read */
	int64_t age;
};

/* One line, with or without its end. Returns 0, or -E2BIG: there are more than any honest answer has. */
MUST_CHECK int head_feed(struct head *head, const char *line, size_t length);

/*
 * What time the answer says it was when it was sent. One that a cache has kept for more than a moment says
 * nothing: by RFC 9110 its Date is of when it was made, and some caches write a new one all the same.
 * Returns 0; -ENODATA: no Date, several, one that cannot be read, or an old answer; -EBADMSG: no HTTP.
 */
MUST_CHECK int head_date(const struct head *head, int64_t *ret_seconds);

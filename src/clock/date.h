/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Dates as others write them, to seconds since 1970. Pure. */
#pragma once

#include <stdint.h>

#include <base/cleanup.h>

/* Days since 1970-01-01 of a day of the Gregorian calendar; @month from 1. No range is checked. */
int64_t date_days(int year, int month, int day);

/* A point in time by its parts. Returns 0, or -EINVAL if there is no such day or time; a leap second
 * is none. Years 1970 to 9999. */
MUST_CHECK int date_make(int year, int month, int day, int hour, int minute, int second,
			 int64_t *ret_seconds);

/*
 * The header field Date (RFC 9110, 5.6.7): "Sun, 06 Nov 1994 08:49:37 GMT". Only this form, which is
 * the one that servers must send; the day of the week must be right. @length bytes at @text.
 * Returns 0 or -EINVAL.
 */
MUST_CHECK int date_parse_http(const char *text, size_t length, int64_t *ret_seconds);

/* "1994-11-06 08:49:37" as Tor writes it, in UTC. Returns 0 or -EINVAL. */
MUST_CHECK int date_parse_iso(const char *text, size_t length, int64_t *ret_seconds);

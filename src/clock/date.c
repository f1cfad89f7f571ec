/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "date.h"

#include <stdbool.h>
#include <string.h>

#define HTTP_LENGTH (sizeof("Sun, 06 Nov 1994 08:49:37 GMT") - 1)
#define ISO_LENGTH  (sizeof("1994-11-06 08:49:37") - 1)

/* Howard Hinnant's arithmetic of eras of 400 years, each beginning in March
 * (https://howardhinnant.github.io/date_algorithms.html, public domain). */
int64_t date_days(int year, int month, int day)
{
	int64_t from_march = month > 2 ? month - 3 : month + 9;
	int64_t y = month > 2 ? year : (int64_t)year - 1;
	int64_t era = (y >= 0 ? y : y - 399) / 400, of_era = y - era * 400;
	int64_t of_year = (153 * from_march + 2) / 5 + day - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static int month_length(int year, int month)
{
	static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return lengths[month - 1] + (month == 2 && leap);
}

int date_make(int year, int month, int day, int hour, int minute, int second, int64_t *ret_seconds)
{
	if (year < 1970 || year > 9999 || month < 1 || month > 12)
		return -EINVAL;
	if (day < 1 || day > month_length(year, month))
		return -EINVAL;
	if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59)
		return -EINVAL;
	*ret_seconds = date_days(year, month, day) * 86400 + hour * 3600 + minute * 60 + second;
	return 0;
}

/* @digits decimal digits; -1 if there is something else among them. */
static int number(const char *text, size_t digits)
{
	int value = 0;

	for (size_t i = 0; i < digits; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -1;
		value = value * 10 + (text[i] - '0');
	}
	return value;
}

/* Which of the words, three letters each, begins @text: from 0, or -1. */
static int word(const char *words, const char *text)
{
	for (int i = 0; words[i * 3]; i++)
		if (memcmp(words + (size_t)i * 3, text, 3) == 0)
			return i;
	return -1;
}

/* Does @text have the characters of @form, wherever that has no 'x'? */
static bool has_form(const char *text, const char *form)
{
	for (size_t i = 0; form[i]; i++)
		if (form[i] != 'x' && form[i] != text[i])
			return false;
	return true;
}

int date_parse_http(const char *text, size_t length, int64_t *ret_seconds)
{
	int64_t seconds;
	int weekday, month, r;

	if (length != HTTP_LENGTH || !has_form(text, "xxx, xx xxx xxxx xx:xx:xx GMT"))
		return -EINVAL;
	weekday = word("ThuFriSatSunMonTueWed", text); /* 1970 began on a Thursday */
	month = word("JanFebMarAprMayJunJulAugSepOctNovDec", text + 8);
	if (weekday < 0 || month < 0)
		return -EINVAL;
	r = date_make(number(text + 12, 4), month + 1, number(text + 5, 2), number(text + 17, 2),
		      number(text + 20, 2), number(text + 23, 2), &seconds);
	if (r < 0)
		return r;
	if (seconds / 86400 % 7 != weekday)
		return -EINVAL;
	*ret_seconds = seconds;
	return 0;
}

int date_parse_iso(const char *text, size_t length, int64_t *ret_seconds)
{
	if (length != ISO_LENGTH || !has_form(text, "xxxx-xx-xx xx:xx:xx"))
		return -EINVAL;
	return date_make(number(text, 4), number(text + 5, 2), number(text + 8, 2),
			 number(text + 11, 2), number(text + 14, 2), number(text + 17, 2),
			 ret_seconds);
}

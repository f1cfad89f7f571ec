/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "head.h"

#include <string.h>
#include <strings.h>

#include "date.h"

#define STATUS_START "HTTP/1."

/* "HTTP/1.1 200 OK" */
static unsigned read_status(const char *line, size_t length)
{
	unsigned status = 0;

	if (length < 12 || (line[7] != '0' && line[7] != '1') || line[8] != ' ' ||
	    (length > 12 && line[12] != ' ' && line[12] != '\r' && line[12] != '\n'))
		return 0;
	for (size_t i = 9; i < 12; i++) {
		if (line[i] < '0' || line[i] > '9')
			return 0;
		status = status * 10 + (unsigned)(line[i] - '0');
	}
	return status >= 100 && status < 600 ? status : 0;
}

static int begin_answer(struct head *head, const char *line, size_t length)
{
	if (++head->answers > HEAD_ANSWERS_MAX)
		return -E2BIG;
	head->status = read_status(line, length);
	head->dates = head->ages = 0;
	head->bad = false;
	head->date = head->age = 0;
	return 0;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* The value of the field @name, if the line is that. */
static bool is_field(const char *line, size_t length, const char *name, const char **ret_value,
		     size_t *ret_length)
{
	size_t at = strlen(name);

	if (length <= at || strncasecmp(line, name, at) != 0 || line[at] != ':')
		return false;
	at++;
	while (length > at && is_blank(line[length - 1]))
		length--;
	while (at < length && is_blank(line[at]))
		at++;
	*ret_value = line + at;
	*ret_length = length - at;
	return true;
}

static bool read_age(const char *text, size_t length, int64_t *ret_age)
{
	int64_t age = 0;

	if (length == 0 || length > 9)
		return false;
	for (size_t i = 0; i < length; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		age = age * 10 + (text[i] - '0');
	}
	*ret_age = age;
	return true;
}

int head_feed(struct head *head, const char *line, size_t length)
{
	size_t value_length;
	const char *value;

	head->bytes += length;
	if (++head->lines > HEAD_LINES_MAX || head->bytes > HEAD_BYTES_MAX)
		return -E2BIG;
	if (length >= strlen(STATUS_START) && memcmp(line, STATUS_START, strlen(STATUS_START)) == 0)
		return begin_answer(head, line, length);
	if (is_field(line, length, "Date", &value, &value_length)) {
		head->dates++;
		head->bad |= date_parse_http(value, value_length, &head->date) < 0;
	} else if (is_field(line, length, "Age", &value, &value_length)) {
		head->ages++;
		head->bad |= !read_age(value, value_length, &head->age);
	}
	return 0;
}

int head_date(const struct head *head, int64_t *ret_seconds)
{
	if (head->status < 200)
		return -EBADMSG;
	if (head->bad || head->dates != 1 || head->ages > 1 || head->age > HEAD_AGE_MAX)
		return -ENODATA;
	*ret_seconds = head->date;
	return 0;
}

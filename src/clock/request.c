/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "request.h"

#include <stdbool.h>
#include <string.h>

#include <base/json.h>

#include "words.h"

static const char *const names[] = {
    [REQUEST_NETWORK] = "network",
    [REQUEST_CONSENSUS] = "consensus",
};

struct reader {
	const char *at, *end;
};

static void skip_blanks(struct reader *reader)
{
	while (reader->at < reader->end && memchr(" \t\r\n", *reader->at, 4))
		reader->at++;
}

/* Blanks, then exactly this. */
static bool take(struct reader *reader, const char *text)
{
	size_t length = strlen(text);

	skip_blanks(reader);
	if ((size_t)(reader->end - reader->at) < length || memcmp(reader->at, text, length) != 0)
		return false;
	reader->at += length;
	return true;
}

static enum request_mode take_mode(struct reader *reader)
{
	if (take(reader, "\"network\""))
		return REQUEST_NETWORK;
	return take(reader, "\"consensus\"") ? REQUEST_CONSENSUS : 0;
}

int request_parse(const char *text, size_t length, enum request_mode *ret_mode)
{
	struct reader reader = {.at = text, .end = text + length};
	enum request_mode mode;

	if (length > REQUEST_BYTES_MAX || !take(&reader, "{") || !take(&reader, "\"mode\"") ||
	    !take(&reader, ":"))
		return -EBADMSG;
	mode = take_mode(&reader);
	if (!mode || !take(&reader, "}"))
		return -EBADMSG;
	skip_blanks(&reader);
	if (reader.at != reader.end)
		return -EBADMSG;
	*ret_mode = mode;
	return 0;
}

const char *request_text(enum request_mode mode)
{
	return mode == REQUEST_NETWORK ? "{\"mode\":\"network\"}" : "{\"mode\":\"consensus\"}";
}

const char *request_mode_name(enum request_mode mode)
{
	return names[mode];
}

int64_t request_difference(const struct judge_verdict *verdict)
{
	int64_t half = verdict->difference < 0 ? -CLOCK_NS / 2 : CLOCK_NS / 2;

	return (verdict->difference + half) / CLOCK_NS;
}

void request_write_answer(const struct judge_verdict *verdict, struct buf *out)
{
	struct json json = {.out = out};

	json_object_begin(&json, NULL);
	json_string(&json, "outcome", words_outcome(verdict->outcome));
	json_string(&json, "reason", words_reason(verdict->reason));
	json_bool(&json, "captive", verdict->captive);
	json_number(&json, "difference", request_difference(verdict));
	json_object_end(&json);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "status.h"

#include <string.h>

#include <base/json.h>

void status_write(const struct status *status, struct buf *out)
{
	struct json json = {.out = out};

	json_object_begin(&json, NULL);
	json_number(&json, "version", 1);
	json_string(&json, "mode", status->mode);
	json_string(&json, "outcome", status->outcome);
	json_string(&json, "reason", status->reason);
	json_bool(&json, "captive", status->captive);
	json_number(&json, "difference", status->difference);
	json_number(&json, "boottime", status->boottime);
	json_number(&json, "requests", status->requests);
	json_number(&json, "queries", status->queries);
	json_number(&json, "pools", status->pools);
	json_number(&json, "dated", status->dated);
	json_number(&json, "build", status->build);
	json_object_end(&json);
	buf_puts(out, "\n");
}

/* ---- reading ---- */

/* A member: a word, a number, true or false. */
struct member {
	char name[STATUS_WORD_MAX], word[STATUS_WORD_MAX];
	bool is_word, is_true;
	int64_t number;
};

struct reader {
	const char *at, *end;
};

static bool take(struct reader *reader, const char *text)
{
	size_t length = strlen(text);

	while (reader->at < reader->end && memchr(" \t\r\n", *reader->at, 4))
		reader->at++;
	if ((size_t)(reader->end - reader->at) < length || memcmp(reader->at, text, length) != 0)
		return false;
	reader->at += length;
	return true;
}

/* A string of printable ASCII without escapes, behind its quotation mark. */
static bool take_word(struct reader *reader, char word[static STATUS_WORD_MAX])
{
	size_t length = 0;

	for (; reader->at < reader->end && *reader->at != '"'; reader->at++) {
		if (*reader->at < ' ' || *reader->at > '~' || *reader->at == '\\' ||
		    length == STATUS_WORD_MAX - 1)
			return false;
		word[length++] = *reader->at;
	}
	word[length] = '\0';
	return take(reader, "\"");
}

static bool take_number(struct reader *reader, int64_t *ret_number)
{
	bool negative = take(reader, "-");
	int64_t number = 0;
	unsigned digits = 0;

	for (; reader->at < reader->end && *reader->at >= '0' && *reader->at <= '9'; reader->at++) {
		if (++digits > 18)
			return false;
		number = number * 10 + (*reader->at - '0');
	}
	*ret_number = negative ? -number : number;
	return digits > 0;
}

static bool take_member(struct reader *reader, struct member *member)
{
	*member = (struct member){0};
	if (!take(reader, "\"") || !take_word(reader, member->name) || !take(reader, ":"))
		return false;
	member->is_word = take(reader, "\"");
	if (member->is_word)
		return take_word(reader, member->word);
	member->is_true = take(reader, "true");
	return member->is_true || take(reader, "false") || take_number(reader, &member->number);
}

static void keep(const struct member *member, struct status *status)
{
	const struct {
		const char *name;
		char *word;
	} words[] = {
	    {"mode", status->mode}, {"outcome", status->outcome}, {"reason", status->reason}};
	const struct {
		const char *name;
		int64_t *number;
	} numbers[] = {
	    {"difference", &status->difference}, {"boottime", &status->boottime},
	    {"requests", &status->requests},	 {"queries", &status->queries},
	    {"pools", &status->pools},		 {"dated", &status->dated},
	    {"build", &status->build},
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (member->is_word && strcmp(words[i].name, member->name) == 0)
			memcpy(words[i].word, member->word, STATUS_WORD_MAX);
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		if (!member->is_word && strcmp(numbers[i].name, member->name) == 0)
			*numbers[i].number = member->number;
	if (strcmp(member->name, "captive") == 0)
		status->captive = member->is_true;
}

int status_read(const char *text, size_t length, struct status *ret_status)
{
	struct reader reader = {.at = text, .end = text + length};
	struct status status = {0};
	struct member member;

	if (length > STATUS_BYTES_MAX || !take(&reader, "{"))
		return -EBADMSG;
	do {
		if (!take_member(&reader, &member))
			return -EBADMSG;
		keep(&member, &status);
	} while (take(&reader, ","));
	if (!take(&reader, "}"))
		return -EBADMSG;
	(void)take(&reader, "");
	if (reader.at != reader.end || !status.outcome[0] || !status.reason[0])
		return -EBADMSG;
	*ret_status = status;
	return 0;
}

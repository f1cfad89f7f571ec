/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "pt.h"

#include <string.h>

#include <base/num.h>

#define LOOPBACK "127.0.0.1:"

/* The rest of a line. */
struct rest {
	const char *at;
	size_t left;
};

/* The next word, up to one space or the end. */
static struct rest word_next(struct rest *rest)
{
	const char *space = rest->left ? memchr(rest->at, ' ', rest->left) : NULL;
	size_t length = space ? (size_t)(space - rest->at) : rest->left;
	struct rest word = {rest->at, length};
	size_t used = length + (space != NULL);

	rest->at += used;
	rest->left -= used;
	return word;
}

static bool word_is(struct rest word, const char *text)
{
	return word.left == strlen(text) && memcmp(word.at, text, word.left) == 0;
}

/* A C identifier (pt-spec 3.3). */
static bool name_read(struct rest word, char ret_name[static PT_NAME_MAX + 1])
{
	if (word.left == 0 || word.left > PT_NAME_MAX)
		return false;
	for (size_t i = 0; i < word.left; i++) {
		char c = word.at[i];
		bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';

		if (!letter && (i == 0 || c < '0' || c > '9'))
			return false;
	}
	memcpy(ret_name, word.at, word.left);
	ret_name[word.left] = '\0';
	return true;
}

/* 127.0.0.1 and a port. Elsewhere it could offer itself to the network. */
static bool address_read(struct rest word, uint16_t *ret_port)
{
	const size_t prefix = strlen(LOOPBACK);
	char digits[6];
	uint64_t port;

	if (word.left <= prefix || word.left - prefix >= sizeof(digits) ||
	    memcmp(word.at, LOOPBACK, prefix) != 0)
		return false;
	memcpy(digits, word.at + prefix, word.left - prefix);
	digits[word.left - prefix] = '\0';
	if (strlen(digits) != word.left - prefix || num_parse_u64(digits, UINT16_MAX, &port) < 0 ||
	    port == 0)
		return false;
	*ret_port = (uint16_t)port;
	return true;
}

static bool cmethod_read(struct rest rest, struct pt_line *line)
{
	/* What follows the address are the options of the extended ORPort: servers have them. */
	return name_read(word_next(&rest), line->name) && word_is(word_next(&rest), "socks5") &&
	       address_read(rest, &line->port);
}

int pt_line_parse(const char *text, size_t length, struct pt_line *ret_line)
{
	static const struct {
		const char *word;
		enum pt_kind kind;
	} words[] = {
	    {"VERSION", PT_VERSION},
	    {"VERSION-ERROR", PT_VERSION_ERROR},
	    {"ENV-ERROR", PT_ENV_ERROR},
	    {"PROXY", PT_PROXY_DONE},
	    {"PROXY-ERROR", PT_PROXY_ERROR},
	    {"CMETHOD", PT_CMETHOD},
	    {"CMETHOD-ERROR", PT_CMETHOD_ERROR},
	    {"CMETHODS", PT_CMETHODS_DONE},
	    {"LOG", PT_LOG},
	    {"STATUS", PT_STATUS},
	};
	struct rest rest = {text, length}, word = word_next(&rest);
	struct pt_line line = {.kind = PT_OTHER};
	bool right = true;

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (word_is(word, words[i].word))
			line.kind = words[i].kind;
	if (line.kind == PT_VERSION)
		right = word_is(rest, "1");
	else if (line.kind == PT_PROXY_DONE || line.kind == PT_CMETHODS_DONE)
		right = word_is(rest, "DONE");
	else if (line.kind == PT_CMETHOD)
		right = cmethod_read(rest, &line);
	else if (line.kind == PT_CMETHOD_ERROR)
		right = name_read(word_next(&rest), line.name);
	if (!right)
		return -EBADMSG;
	*ret_line = line;
	return 0;
}

/* ---- how it becomes ready ---- */

void pt_begin(struct pt *pt, const char *name)
{
	*pt = (struct pt){.name = name, .state = PT_STARTING};
}

static void fail(struct pt *pt, enum pt_fault fault)
{
	pt->state = PT_FAILED;
	pt->fault = fault;
	pt->port = 0;
}

/* What is promised must be what was asked for, once, after the version. */
static void promise(struct pt *pt, const struct pt_line *line)
{
	if (pt->state != PT_NEGOTIATED || pt->port != 0 || strcmp(line->name, pt->name) != 0)
		fail(pt, PT_MALFORMED);
	else
		pt->port = line->port;
}

static void take(struct pt *pt, const struct pt_line *line)
{
	switch (line->kind) {
	case PT_VERSION:
		if (pt->state == PT_STARTING)
			pt->state = PT_NEGOTIATED;
		else
			fail(pt, PT_MALFORMED);
		break;
	case PT_VERSION_ERROR:
	case PT_ENV_ERROR:
	case PT_PROXY_ERROR:
	case PT_CMETHOD_ERROR:
		fail(pt, PT_REFUSED);
		break;
	case PT_CMETHOD:
		promise(pt, line);
		break;
	case PT_CMETHODS_DONE:
		if (pt->state == PT_NEGOTIATED && pt->port != 0)
			pt->state = PT_READY;
		else
			fail(pt, PT_MALFORMED);
		break;
	case PT_OTHER:
	case PT_PROXY_DONE:
	case PT_LOG:
	case PT_STATUS:
		break;
	}
}

static void end_line(struct pt *pt)
{
	struct pt_line line;
	size_t length = pt->length;

	pt->length = 0;
	if (++pt->lines > PT_LINES_MAX)
		fail(pt, PT_TOO_MUCH);
	else if (pt_line_parse(pt->line, length, &line) < 0)
		fail(pt, PT_MALFORMED);
	else
		take(pt, &line);
}

enum pt_state pt_feed(struct pt *pt, const char *data, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if (pt->state == PT_FAILED || pt->state == PT_READY)
			break;
		if (data[i] == '\n')
			end_line(pt);
		else if (pt->length == sizeof(pt->line))
			fail(pt, PT_TOO_MUCH);
		else
			pt->line[pt->length++] = data[i];
	}
	return pt->state;
}

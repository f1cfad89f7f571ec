/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Any bytes as what Tor sends. How they are cut into pieces changes nothing; what is taken for a
 * reply reads back from what it is written as; its words are whole.
 */
#include "reply.h"
#include "words.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <base/fuzz.h>

#define TEXT_MAX (4u << 20)

static const struct torctl_limits limits = {.line_bytes = 512, .lines = 64, .bytes = 4096};

static void require(bool condition)
{
	if (!condition)
		abort();
}

static void check_words(const struct torctl_line *line)
{
	CLEANUP(torctl_words_done) struct torctl_words words = {0};
	int r = torctl_words_parse(line->text, line->text_length, &words);
	size_t total = 0;

	require(r == 0 || r == -EBADMSG || r == -E2BIG);
	for (size_t i = 0; i < words.count; i++) {
		total += strlen(words.list[i].value);
		total += words.list[i].key ? strlen(words.list[i].key) : 0;
		require(words.list[i].quoted || !strchr(words.list[i].value, ' '));
	}
	require(total <= line->text_length);
}

static void check_reply(const struct torctl_reply *reply)
{
	CLEANUP(torctl_parser_freep) struct torctl_parser *parser = NULL;
	AUTO_BUF struct buf first = {.cap = TEXT_MAX}, second = {.cap = TEXT_MAX};
	const struct torctl_reply *again = NULL;
	size_t used = 0;

	require(reply->count > 0 && reply->lines[reply->count - 1].separator == ' ');
	for (size_t i = 0; i < reply->count; i++) {
		const struct torctl_line *line = &reply->lines[i];

		require(line->code >= 200 && line->code < 700);
		require(strlen(line->text) == line->text_length);
		require((line->data != NULL) == (line->separator == '+'));
		require(!line->data || strlen(line->data) == line->data_length);
		require(reply->event == (line->code >= 600));
		check_words(line);
	}
	torctl_reply_write(reply, &first);
	require(buf_finish(&first) == 0);
	/* Dots that are doubled again may make lines longer than they came: twice is enough. */
	require(torctl_parser_new(&(struct torctl_limits){.line_bytes = 2 * limits.line_bytes,
							  .lines = limits.lines,
							  .bytes = 2 * limits.bytes},
				  &parser) == 0);
	require(torctl_parser_feed(parser, first.data, first.len, &used, &again) == 0);
	require(again && used == first.len);
	torctl_reply_write(again, &second);
	require(first.len == second.len && memcmp(first.data, second.data, first.len) == 0);
}

/* All that @data means, in pieces of @piece bytes (0: all at once), to @out. */
static int read_pieces(const char *data, size_t size, size_t piece, bool check, struct buf *out)
{
	CLEANUP(torctl_parser_freep) struct torctl_parser *parser = NULL;
	size_t at = 0;

	require(torctl_parser_new(&limits, &parser) == 0);
	while (at < size) {
		const struct torctl_reply *reply = NULL;
		size_t length = piece && piece < size - at ? piece : size - at, used = 0;
		int r = torctl_parser_feed(parser, data + at, length, &used, &reply);

		if (r < 0) {
			require(r == -EBADMSG || r == -E2BIG);
			require(torctl_parser_feed(parser, data, size, &used, &reply) == r);
			return r;
		}
		require(used > 0 && used <= length && (reply || used == length));
		at += used;
		if (!reply)
			continue;
		torctl_reply_write(reply, out);
		if (check)
			check_reply(reply);
	}
	return torctl_parser_between(parser);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_BUF struct buf whole = {.cap = TEXT_MAX}, cut = {.cap = TEXT_MAX};
	size_t piece = size ? 1 + data[0] % 7 : 1;

	if (size > 65536)
		return 0;
	int r = read_pieces((const char *)data, size, 0, true, &whole);

	require(read_pieces((const char *)data, size, piece, false, &cut) == r);
	require(whole.len == cut.len);
	require(whole.len == 0 || memcmp(whole.data, cut.data, whole.len) == 0);
	return 0;
}

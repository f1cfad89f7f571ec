/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "reply.h"

#include <assert.h>
#include <string.h>

#define CODE_DIGITS 3
#define CODE_SIZE   (CODE_DIGITS + 1) /* and the separator */

/* Where a line's parts are in the store, which moves while it grows. */
struct place {
	size_t text, data;
};

struct torctl_parser {
	struct torctl_limits limits;
	struct buf store;          /* texts and data, each with a NUL behind */
	struct torctl_line *lines; /* pointers in it are set when the reply is complete */
	struct place *places;
	size_t count, room;
	size_t lines_read; /* those of data blocks included */
	size_t line_at;    /* where in the store the line begins that is being read */
	bool in_data, after_cr, complete;
	int error;
	struct torctl_reply reply;
};

int torctl_parser_new(const struct torctl_limits *limits, struct torctl_parser **ret_parser)
{
	struct torctl_parser *parser = calloc(1, sizeof(*parser));

	if (!parser)
		return -ENOMEM;
	parser->limits = *limits;
	parser->store.cap = limits->bytes;
	*ret_parser = parser;
	return 0;
}

struct torctl_parser *torctl_parser_free(struct torctl_parser *parser)
{
	if (parser) {
		buf_done(&parser->store);
		free(parser->lines);
		free(parser->places);
		free(parser);
	}
	return NULL;
}

bool torctl_parser_between(const struct torctl_parser *parser)
{
	return parser->complete ||
	       (parser->count == 0 && parser->store.len == 0 && !parser->after_cr);
}

static void start_again(struct torctl_parser *parser)
{
	parser->store.len = 0;
	parser->count = 0;
	parser->lines_read = 0;
	parser->line_at = 0;
	parser->complete = false;
}

static int make_room(struct torctl_parser *parser)
{
	size_t room = parser->room ? parser->room * 2 : 8;
	struct torctl_line *lines;
	struct place *places;

	if (parser->count < parser->room)
		return 0;
	lines = realloc(parser->lines, room * sizeof(*lines));
	if (!lines)
		return -ENOMEM;
	parser->lines = lines;
	places = realloc(parser->places, room * sizeof(*places));
	if (!places)
		return -ENOMEM;
	parser->places = places;
	parser->room = room;
	return 0;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* "250-": 0 and what it says, or -EBADMSG. */
static int parse_code(const char *text, size_t length, unsigned *ret_code, char *ret_separator)
{
	if (length < CODE_SIZE || !is_digit(text[1]) || !is_digit(text[2]))
		return -EBADMSG;
	if (!memchr("2456", text[0], 4) || !memchr(" -+", text[CODE_DIGITS], 3))
		return -EBADMSG;
	*ret_code = (unsigned)(text[0] - '0') * 100 + (unsigned)(text[1] - '0') * 10 +
		    (unsigned)(text[2] - '0');
	*ret_separator = text[CODE_DIGITS];
	return 0;
}

static bool is_event(unsigned code)
{
	return code / 100 == 6;
}

static void finish(struct torctl_parser *parser)
{
	for (size_t i = 0; i < parser->count; i++) {
		struct torctl_line *line = &parser->lines[i];

		line->text = parser->store.data + parser->places[i].text;
		line->data =
		    line->separator == '+' ? parser->store.data + parser->places[i].data : NULL;
	}
	parser->reply = (struct torctl_reply){.lines = parser->lines,
					      .count = parser->count,
					      .event = is_event(parser->lines[0].code)};
	parser->complete = true;
}

static int end_status_line(struct torctl_parser *parser)
{
	size_t length = parser->store.len - parser->line_at;
	struct torctl_line line = {0};
	int r = make_room(parser);

	if (r < 0)
		return r;
	if (length < CODE_SIZE)
		return -EBADMSG;
	r = parse_code(parser->store.data + parser->line_at, length, &line.code, &line.separator);
	if (r < 0)
		return r;
	if (parser->count > 0 && is_event(line.code) != is_event(parser->lines[0].code))
		return -EBADMSG;
	line.text_length = length - CODE_SIZE;
	buf_add(&parser->store, "", 1);
	parser->places[parser->count] =
	    (struct place){.text = parser->line_at + CODE_SIZE, .data = parser->store.len};
	parser->lines[parser->count++] = line;
	parser->in_data = line.separator == '+';
	return buf_finish(&parser->store);
}

static int end_data_line(struct torctl_parser *parser)
{
	char *line = parser->store.data + parser->line_at;
	size_t length = parser->store.len - parser->line_at;

	if (length == 1 && line[0] == '.') {
		struct torctl_line *of = &parser->lines[parser->count - 1];

		of->data_length = parser->line_at - parser->places[parser->count - 1].data;
		parser->store.len = parser->line_at;
		buf_add(&parser->store, "", 1);
		parser->in_data = false;
		return buf_finish(&parser->store);
	}
	if (length > 0 && line[0] == '.') {
		memmove(line, line + 1, length - 1);
		parser->store.len--;
	}
	buf_add(&parser->store, "\n", 1);
	return buf_finish(&parser->store);
}

static int end_line(struct torctl_parser *parser)
{
	int r;

	if (++parser->lines_read > parser->limits.lines)
		return -E2BIG;
	r = parser->in_data ? end_data_line(parser) : end_status_line(parser);
	if (r < 0)
		return r;
	parser->line_at = parser->store.len;
	if (!parser->in_data && parser->lines[parser->count - 1].separator == ' ')
		finish(parser);
	return 0;
}

/* Take up to @length bytes that are neither a line's end nor an error. */
static int take_plain(struct torctl_parser *parser, const char *bytes, size_t length,
		      size_t *ret_taken)
{
	size_t taken = 0;

	while (taken < length && bytes[taken] != '\r' && bytes[taken] != '\n' && bytes[taken])
		taken++;
	if (taken > parser->limits.line_bytes - (parser->store.len - parser->line_at))
		return -E2BIG;
	buf_add(&parser->store, bytes, taken);
	*ret_taken = taken;
	return buf_finish(&parser->store);
}

/* One step: a run of plain bytes, or one byte of a line's end. */
static int step(struct torctl_parser *parser, const char *bytes, size_t length, size_t *ret_taken)
{
	*ret_taken = 1;
	if (parser->after_cr) {
		if (bytes[0] != '\n')
			return -EBADMSG;
		parser->after_cr = false;
		return end_line(parser);
	}
	if (bytes[0] == '\r') {
		parser->after_cr = true;
		return 0;
	}
	if (bytes[0] == '\n' || bytes[0] == '\0')
		return -EBADMSG;
	return take_plain(parser, bytes, length, ret_taken);
}

int torctl_parser_feed(struct torctl_parser *parser, const char *bytes, size_t length,
		       size_t *ret_used, const struct torctl_reply **ret_reply)
{
	size_t used = 0;

	if (parser->error)
		return parser->error;
	if (parser->complete)
		start_again(parser);
	while (used < length && !parser->complete) {
		size_t taken = 0;

		parser->error = step(parser, bytes + used, length - used, &taken);
		if (parser->error)
			return parser->error;
		used += taken;
	}
	*ret_used = used;
	*ret_reply = parser->complete ? &parser->reply : NULL;
	return 0;
}

static void write_data(const char *data, size_t length, struct buf *out)
{
	size_t at = 0;

	while (at < length) {
		const char *end = memchr(data + at, '\n', length - at);
		size_t line = end ? (size_t)(end - data) - at : length - at;

		if (line > 0 && data[at] == '.')
			buf_puts(out, ".");
		buf_add(out, data + at, line);
		buf_puts(out, "\r\n");
		at += line + 1;
	}
	buf_puts(out, ".\r\n");
}

void torctl_reply_write(const struct torctl_reply *reply, struct buf *out)
{
	for (size_t i = 0; i < reply->count; i++) {
		const struct torctl_line *line = &reply->lines[i];

		assert((line->data != NULL) == (line->separator == '+'));
		buf_printf(out, "%03u%c", line->code, line->separator);
		buf_add(out, line->text, line->text_length);
		buf_puts(out, "\r\n");
		if (line->data)
			write_data(line->data, line->data_length, out);
	}
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Lines: from bytes to one command with its data block. */
#include "command.h"

#include <string.h>

struct torctl_reader {
	struct torctl_limits limits;
	struct buf line;     /* the command's own line, with a NUL behind */
	size_t line_length;  /* of the line that is being read, in the block too */
	size_t total, lines; /* of the command so far */
	bool starts_with_dot;
	bool in_data, after_cr, complete;
	int error;
	struct torctl_sent sent;
};

int torctl_reader_new(const struct torctl_limits *limits, struct torctl_reader **ret_reader)
{
	struct torctl_reader *reader = calloc(1, sizeof(*reader));

	if (!reader)
		return -ENOMEM;
	reader->limits = *limits;
	reader->line.cap = limits->line_bytes;
	*ret_reader = reader;
	return 0;
}

struct torctl_reader *torctl_reader_free(struct torctl_reader *reader)
{
	if (reader) {
		buf_done(&reader->line);
		free(reader);
	}
	return NULL;
}

bool torctl_reader_between(const struct torctl_reader *reader)
{
	return reader->complete || (reader->total == 0 && reader->lines == 0 && !reader->after_cr);
}

static void start_again(struct torctl_reader *reader)
{
	buf_done(&reader->line);
	reader->line_length = reader->total = reader->lines = 0;
	reader->in_data = reader->complete = false;
	reader->sent = (struct torctl_sent){0};
}

static void finish(struct torctl_reader *reader)
{
	bool plus = reader->sent.with_data;

	reader->sent.line = buf_text(&reader->line) + plus;
	reader->sent.length = reader->line.len - plus;
	reader->complete = true;
}

static int end_line(struct torctl_reader *reader)
{
	if (++reader->lines > reader->limits.lines)
		return -E2BIG;
	if (reader->in_data) {
		if (reader->line_length == 1 && reader->starts_with_dot)
			finish(reader);
		else
			reader->sent.data_length += reader->line_length;
	} else if (reader->line.len > 0 && buf_text(&reader->line)[0] == '+') {
		reader->sent.with_data = reader->in_data = true;
	} else {
		finish(reader);
	}
	reader->line_length = 0;
	return 0;
}

/* Take up to @length bytes that are neither a line's end nor an error. */
static int take_plain(struct torctl_reader *reader, const char *bytes, size_t length,
		      size_t *ret_taken)
{
	size_t taken = 0;

	while (taken < length && bytes[taken] != '\r' && bytes[taken] != '\n' && bytes[taken])
		taken++;
	if (taken > reader->limits.line_bytes - reader->line_length ||
	    taken > reader->limits.bytes - reader->total)
		return -E2BIG;
	if (reader->line_length == 0)
		reader->starts_with_dot = bytes[0] == '.';
	reader->line_length += taken;
	reader->total += taken;
	*ret_taken = taken;
	if (reader->in_data)
		return 0;
	buf_add(&reader->line, bytes, taken);
	return buf_finish(&reader->line);
}

/* One step: a run of plain bytes, or one byte of a line's end. */
static int step(struct torctl_reader *reader, const char *bytes, size_t length, size_t *ret_taken)
{
	*ret_taken = 1;
	if (reader->after_cr) {
		if (bytes[0] != '\n')
			return -EBADMSG;
		reader->after_cr = false;
		return end_line(reader);
	}
	if (bytes[0] == '\r') {
		reader->after_cr = true;
		return 0;
	}
	if (bytes[0] == '\n' || bytes[0] == '\0')
		return -EBADMSG;
	return take_plain(reader, bytes, length, ret_taken);
}

int torctl_reader_feed(struct torctl_reader *reader, const char *bytes, size_t length,
		       size_t *ret_used, const struct torctl_sent **ret_sent)
{
	size_t used = 0;

	if (reader->error)
		return reader->error;
	if (reader->complete)
		start_again(reader);
	while (used < length && !reader->complete) {
		size_t taken = 0;

		reader->error = step(reader, bytes + used, length - used, &taken);
		if (reader->error)
			return reader->error;
		used += taken;
	}
	*ret_used = used;
	*ret_sent = reader->complete ? &reader->sent : NULL;
	return 0;
}

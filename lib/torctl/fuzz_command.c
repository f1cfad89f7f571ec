/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Any bytes as what a client sends. How they are cut into pieces changes nothing; what is taken for a
 * command is written as one line of printable bytes, and reads back as what it is.
 */
#include "command.h"

#include <string.h>

#include <base/fuzz.h>

#define TEXT_MAX (1u << 20)

static const struct torctl_limits limits = {.line_bytes = 512, .lines = 16, .bytes = 2048};

static bool is_modelled(const struct torctl_command *command)
{
	return torctl_verb_name(command->verb)[0] && command->verb != TORCTL_AUTHENTICATE &&
	       command->verb != TORCTL_AUTHCHALLENGE && command->verb != TORCTL_PROTOCOLINFO;
}

/* One line, whatever the client wrote in it. */
static void check_line(const struct buf *line)
{
	REQUIRE(buf_finish(line) == 0 && line->len > 2);
	for (size_t i = 0; i < line->len - 2; i++)
		REQUIRE(line->data[i] >= 0x20 && line->data[i] <= 0x7e);
	REQUIRE(memcmp(line->data + line->len - 2, "\r\n", 2) == 0);
}

static void check_command(const struct torctl_sent *sent)
{
	CLEANUP(torctl_command_done) struct torctl_command command = {0}, again = {0};
	AUTO_BUF struct buf first = {.cap = TEXT_MAX}, second = {.cap = TEXT_MAX};
	struct torctl_sent written = {0};
	const char *reason = NULL;
	int r = torctl_command_read(sent, &command, &reason);

	REQUIRE(r == 0 || (r == -EINVAL && reason));
	if (r < 0 || !is_modelled(&command))
		return;
	torctl_command_write(&command, &first);
	check_line(&first);
	written.line = first.data;
	written.length = first.len - 2;
	REQUIRE(torctl_command_read(&written, &again, &reason) == 0);
	torctl_command_write(&again, &second);
	REQUIRE(first.len == second.len && memcmp(first.data, second.data, first.len) == 0);
}

/* All that @data means, in pieces of @piece bytes (0: all at once), to @out. */
static int read_pieces(const char *data, size_t size, size_t piece, bool check, struct buf *out)
{
	CLEANUP(torctl_reader_freep) struct torctl_reader *reader = NULL;
	size_t at = 0;

	REQUIRE(torctl_reader_new(&limits, &reader) == 0);
	while (at < size) {
		const struct torctl_sent *sent = NULL;
		size_t length = piece && piece < size - at ? piece : size - at, used = 0;
		int r = torctl_reader_feed(reader, data + at, length, &used, &sent);

		if (r < 0) {
			REQUIRE(r == -EBADMSG || r == -E2BIG);
			return r;
		}
		REQUIRE(used > 0 && used <= length && (sent || used == length));
		at += used;
		if (!sent)
			continue;
		REQUIRE(strlen(sent->line) == sent->length);
		buf_printf(out, "%s|%d|%zu\n", sent->line, sent->with_data, sent->data_length);
		if (check)
			check_command(sent);
	}
	return torctl_reader_between(reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_BUF struct buf whole = {.cap = TEXT_MAX}, cut = {.cap = TEXT_MAX};
	size_t piece = size ? 1 + data[0] % 7 : 1;
	int r;

	if (size > 65536)
		return 0;
	r = read_pieces((const char *)data, size, 0, true, &whole);
	REQUIRE(read_pieces((const char *)data, size, piece, false, &cut) == r);
	REQUIRE(whole.len == cut.len);
	REQUIRE(whole.len == 0 || memcmp(whole.data, cut.data, whole.len) == 0);
	return 0;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "command.h"

#define ONION "abcdefghijklmnopqrstuvwxyz234567abcdefghijklmnopqrstuvwx"
#define KEY88 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=="
#define KEY44 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
#define CLIENT52 "e2got5ltutp3oamrcrxo4gsh6vkjeuoxzquc336srkahttt5ovsa"

static const struct torctl_limits limits = {.line_bytes = 256, .lines = 8, .bytes = 512};

/* ---- lines ---- */

static struct torctl_reader *new_reader(void)
{
	struct torctl_reader *reader;

	assert_int_equal(torctl_reader_new(&limits, &reader), 0);
	return reader;
}

static void test_pieces(void **state)
{
	static const char text[] = "GETINFO version\r\n+POSTDESCRIPTOR\r\na\r\n..\r\n.\r\nQUIT\r\n";
	static const char *const lines[] = {"GETINFO version", "POSTDESCRIPTOR", "QUIT"};

	for (size_t piece = 1; piece < sizeof(text); piece++) {
		CLEANUP(torctl_reader_freep) struct torctl_reader *reader = new_reader();
		size_t at = 0, seen = 0;

		assert_true(torctl_reader_between(reader));
		while (at < sizeof(text) - 1) {
			size_t left = sizeof(text) - 1 - at, used = 0;
			const char *wanted = seen < ARRAY_SIZE(lines) ? lines[seen] : "nothing";
			const struct torctl_sent *sent;

			assert_int_equal(torctl_reader_feed(reader, text + at,
							    piece < left ? piece : left, &used,
							    &sent),
					 0);
			at += used;
			if (!sent)
				continue;
			assert_string_equal(sent->line, wanted);
			assert_int_equal(sent->length, strlen(wanted));
			assert_int_equal(sent->with_data, seen == 1);
			assert_int_equal(sent->data_length, seen == 1 ? 3 : 0);
			seen++;
		}
		assert_int_equal(seen, 3);
		assert_true(torctl_reader_between(reader));
	}
}

static int feed(struct torctl_reader *reader, const char *text, size_t length)
{
	const struct torctl_sent *sent = NULL;
	size_t used = 0;

	return torctl_reader_feed(reader, text, length, &used, &sent);
}

static void test_bytes_that_no_line_has(void **state)
{
	static const struct {
		const char *text;
		size_t length;
	} rows[] = {
	    {"QUIT\n", 5},	{"QUIT\r", 5},	    {"QU\0IT\r\n", 7},	   {"\0", 1},
	    {"QUIT\r\r\n", 7},	{"\n", 1},	    {"+A\r\nb\0\r\n", 8},  {"+A\r\nb\n.\r\n", 9},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CLEANUP(torctl_reader_freep) struct torctl_reader *reader = new_reader();
		int r = feed(reader, rows[i].text, rows[i].length);

		if (r == 0) { /* a CR at the end: it matters what comes next */
			assert_false(torctl_reader_between(reader));
			r = feed(reader, "A", 1);
		}
		assert_int_equal(r, -EBADMSG);
		assert_int_equal(feed(reader, "QUIT\r\n", 6), -EBADMSG);
	}
}

static void test_limits(void **state)
{
	static const char hundred[] = "0123456789012345678901234567890123456789"
				      "012345678901234567890123456789012345678901234567890123456789";
	CLEANUP(torctl_reader_freep) struct torctl_reader *line = new_reader();
	CLEANUP(torctl_reader_freep) struct torctl_reader *total = new_reader();
	CLEANUP(torctl_reader_freep) struct torctl_reader *lines = new_reader();

	assert_int_equal(feed(line, hundred, 100), 0);
	assert_int_equal(feed(line, hundred, 100), 0);
	assert_int_equal(feed(line, hundred, 56), 0);
	assert_int_equal(feed(line, "x", 1), -E2BIG);

	assert_int_equal(feed(total, "+A\r\n", 4), 0);
	for (size_t i = 0; i < 5; i++) {
		assert_int_equal(feed(total, hundred, 100), 0);
		assert_int_equal(feed(total, "\r\n", 2), 0);
	}
	assert_int_equal(feed(total, hundred, 100), -E2BIG);

	assert_int_equal(feed(lines, "+A\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n", 18), 0);
	assert_int_equal(feed(lines, ".\r\n", 3), -E2BIG);
}

/* ---- values ---- */

static int read_line(const char *line, struct torctl_command *command, const char **reason)
{
	return torctl_command_read(
	    &(struct torctl_sent){.line = line, .length = strlen(line)}, command, reason);
}

/* What is written is what was meant, whatever way it was said; and reads back as the same. */
static void test_written_anew(void **state)
{
	static const struct {
		const char *line, *written;
	} rows[] = {
	    {"getinfo  version   net/listeners/socks ", "GETINFO version net/listeners/socks"},
	    {"GETINFO ns/id/$AB~cd=x", "GETINFO ns/id/$AB~cd=x"},
	    {"SETEVENTS ", "SETEVENTS"},
	    {"SETEVENTS STREAM circ", "SETEVENTS STREAM circ"},
	    {"GETCONF __owningcontrollerprocess", "GETCONF __owningcontrollerprocess"},
	    {"SETCONF UseBridges=1", "SETCONF UseBridges=\"1\""},
	    {"SETCONF Bridge=\"obfs4 192.0.2.1:1 cert=a\\\"b\\\\c\" Bridge",
	     "SETCONF Bridge=\"obfs4 192.0.2.1:1 cert=a\\\"b\\\\c\" Bridge"},
	    {"RESETCONF Bridge", "RESETCONF Bridge"},
	    {"SETCONF A=\"\"", "SETCONF A=\"\""},
	    {"SIGNAL NEWNYM", "SIGNAL NEWNYM"},
	    {"quit", "QUIT"},
	    {"DROPGUARDS", "DROPGUARDS"},
	    {"ADD_ONION NEW:BEST Port=80", "ADD_ONION NEW:ED25519-V3 Port=80,127.0.0.1:80"},
	    {"ADD_ONION new:ed25519-v3 flags=v3auth,DiscardPK MaxStreams=5 port=80,17600 "
	     "Port=81,127.0.0.1:9 Port=82,unix:/run/a/b ClientAuthV3=E2GOT5LTUTP3OAMRCRXO4GSH6VKJEUOX"
	     "ZQUC336SRKAHTTT5OVSA",
	     "ADD_ONION NEW:ED25519-V3 Flags=DiscardPK,V3Auth MaxStreams=5 Port=80,127.0.0.1:17600 "
	     "Port=81,127.0.0.1:9 Port=82,unix:/run/a/b ClientAuthV3=" CLIENT52},
	    {"ADD_ONION ED25519-V3:" KEY88 " Port=1,2",
	     "ADD_ONION ED25519-V3:" KEY88 " Port=1,127.0.0.1:2"},
	    {"DEL_ONION " ONION, "DEL_ONION " ONION},
	    {"ONION_CLIENT_AUTH_ADD ABCDEFGHIJKLMNOPQRSTUVWXYZ234567abcdefghijklmnopqrstuvwx "
	     "x25519:" KEY44 " ClientName=bob Flags=Permanent",
	     "ONION_CLIENT_AUTH_ADD " ONION " x25519:" KEY44 " ClientName=bob Flags=Permanent"},
	    {"ONION_CLIENT_AUTH_REMOVE " ONION, "ONION_CLIENT_AUTH_REMOVE " ONION},
	    {"ONION_CLIENT_AUTH_VIEW", "ONION_CLIENT_AUTH_VIEW"},
	    {"ONION_CLIENT_AUTH_VIEW " ONION, "ONION_CLIENT_AUTH_VIEW " ONION},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CLEANUP(torctl_command_done) struct torctl_command command = {0}, again = {0};
		AUTO_BUF struct buf out = {.cap = 1024}, second = {.cap = 1024};
		const char *reason = "";

		assert_int_equal(read_line(rows[i].line, &command, &reason), 0);
		torctl_command_write(&command, &out);
		assert_int_equal(buf_finish(&out), 0);
		assert_memory_equal(out.data + out.len - 2, "\r\n", 3);
		out.data[out.len - 2] = '\0';
		assert_string_equal(out.data, rows[i].written);
		assert_int_equal(read_line(out.data, &again, &reason), 0);
		torctl_command_write(&again, &second);
		second.data[second.len - 2] = '\0';
		assert_string_equal(second.data, rows[i].written);
	}
}

static const char *const no_arguments[] = {
    "GETINFO",
    "GETINFO \"version\"",
    "GETINFO a,b",
    "GETINFO a\tb",
    "GETINFO a\"b\"",
    "GETCONF a/b",
    "SETCONF",
    "SETCONF =1",
    "SETCONF \"A=1\"",
    "SETCONF A-B=1",
    "SETCONF A=\"x\\r\\nSIGNAL HALT\"",
    "SETCONF A=\"x\\n\"",
    "SETCONF A=\"x\\tb\"",
    "SETCONF A=\"\\177\"",
    "SETCONF A=\"\\303\\244\"",
    "SETCONF A=\"\\0\"",
    "SETCONF A=\"open",
    "SETCONF A=\"b\"c",
    "SETCONF A=\xc3\xa4",
    "RESETCONF",
    "SETEVENTS A=B C/D",
    "SIGNAL",
    "SIGNAL A B",
    "QUIT now",
    "DROPGUARDS x",
    "ADD_ONION",
    "ADD_ONION NEW:BEST",
    "ADD_ONION NEW:RSA1024 Port=80",
    "ADD_ONION RSA1024:AAAA Port=80",
    "ADD_ONION ED25519-V3:AAAA Port=80",
    "ADD_ONION NEW:BEST Port=0",
    "ADD_ONION NEW:BEST Port=65536",
    "ADD_ONION NEW:BEST Port=080",
    "ADD_ONION NEW:BEST Port=80,192.168.1.1:80",
    "ADD_ONION NEW:BEST Port=80,127.0.0.2:80",
    "ADD_ONION NEW:BEST Port=80,localhost:80",
    "ADD_ONION NEW:BEST Port=80,127.0.0.1:",
    "ADD_ONION NEW:BEST Port=80,127.0.0.1:80,81",
    "ADD_ONION NEW:BEST Port=80,unix:relative",
    "ADD_ONION NEW:BEST Port=80,unix:/a/../b",
    "ADD_ONION NEW:BEST Port=80,unix:/a//b",
    "ADD_ONION NEW:BEST Port=80,unix:\"/a b\"",
    "ADD_ONION NEW:BEST Port=\"80\"",
    "ADD_ONION NEW:BEST Port=80 Flags=",
    "ADD_ONION NEW:BEST Port=80 Flags=DiscardPK,",
    "ADD_ONION NEW:BEST Port=80 Flags=BasicAuth",
    "ADD_ONION NEW:BEST Port=80 ClientAuth=bob",
    "ADD_ONION NEW:BEST Port=80 ClientAuthV3=short",
    "ADD_ONION NEW:BEST Port=80 MaxStreams=70000",
    "ADD_ONION NEW:BEST Port=80 MaxStreams=1 MaxStreams=2",
    "ADD_ONION NEW:BEST Port=80 stray",
    "DEL_ONION",
    "DEL_ONION short",
    ("DEL_ONION " ONION " " ONION),
    ("DEL_ONION " ONION ".onion"),
    "DEL_ONION 0bcdefghijklmnopqrstuvwxyz234567abcdefghijklmnopqrstuvwx",
    ("ONION_CLIENT_AUTH_ADD " ONION),
    ("ONION_CLIENT_AUTH_ADD " ONION " x25519:short"),
    ("ONION_CLIENT_AUTH_ADD " ONION " rsa:" KEY44),
    ("ONION_CLIENT_AUTH_ADD short x25519:" KEY44),
    ("ONION_CLIENT_AUTH_ADD " ONION " x25519:" KEY44 " ClientName=a-b"),
    ("ONION_CLIENT_AUTH_ADD " ONION " x25519:" KEY44 " ClientName=12345678901234567"),
    ("ONION_CLIENT_AUTH_ADD " ONION " x25519:" KEY44 " Other=1"),
    "ONION_CLIENT_AUTH_REMOVE",
    "ONION_CLIENT_AUTH_VIEW short",
};

static void test_arguments_that_are_none(void **state)
{

	for (size_t i = 0; i < ARRAY_SIZE(no_arguments); i++) {
		struct torctl_command command = {0};
		const char *reason = NULL;

		if (read_line(no_arguments[i], &command, &reason) != -EINVAL)
			fail_msg("taken: %s", no_arguments[i]);
		assert_non_null(reason);
		assert_true(strlen(reason) < TORCTL_REASON_MAX);
		assert_null(command.store);
	}
}

static void test_data_is_for_none(void **state)
{
	struct torctl_command command = {0};
	const char *reason = NULL;

	assert_int_equal(torctl_command_read(&(struct torctl_sent){.line = "GETINFO version",
								   .length = 15,
								   .with_data = true},
					     &command, &reason),
			 -EINVAL);
}

static void test_verbs(void **state)
{
	static const struct {
		const char *line;
		enum torctl_verb verb;
	} rows[] = {
	    {"", TORCTL_NO_COMMAND},
	    {" GETINFO version", TORCTL_NO_COMMAND},
	    {"GETINFOS", TORCTL_NO_COMMAND},
	    {"GETINF", TORCTL_NO_COMMAND},
	    {"GET\\INFO \"", TORCTL_NO_COMMAND},
	    {"AUTHENTICATE \"what\\ever", TORCTL_AUTHENTICATE},
	    {"authenticate 00ff", TORCTL_AUTHENTICATE},
	    {"PROTOCOLINFO 1", TORCTL_PROTOCOLINFO},
	    {"AUTHCHALLENGE SAFECOOKIE 00", TORCTL_AUTHCHALLENGE},
	    {"MAPADDRESS a=b", TORCTL_NOT_MODELLED},
	    {"LOADCONF", TORCTL_NOT_MODELLED},
	    {"TAKEOWNERSHIP", TORCTL_NOT_MODELLED},
	    {"attachstream 1 0 \"", TORCTL_NOT_MODELLED},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CLEANUP(torctl_command_done) struct torctl_command command = {0};
		const char *reason = NULL;

		assert_int_equal(read_line(rows[i].line, &command, &reason), 0);
		assert_int_equal(command.verb, rows[i].verb);
	}
	assert_string_equal(torctl_verb_name(TORCTL_GETINFO), "GETINFO");
	assert_string_equal(torctl_verb_name(TORCTL_NO_COMMAND), "");
	assert_string_equal(torctl_verb_name(TORCTL_NOT_MODELLED), "");
}

static void test_too_many(void **state)
{
	struct torctl_command command = {0};
	AUTO_BUF struct buf line = {.cap = 4096};
	const char *reason = NULL;

	buf_puts(&line, "GETINFO");
	for (size_t i = 0; i < TORCTL_ITEMS_MAX; i++)
		buf_puts(&line, " a");
	assert_int_equal(read_line(buf_text(&line), &command, &reason), -EINVAL);
}

/* A value makes room for another one, and not for more than it has. */
static void test_another_value(void **state)
{
	static const char line[] = "SETCONF A=\"one two\" B=three C";
	CLEANUP(torctl_command_done) struct torctl_command command = {0};
	AUTO_BUF struct buf written = {.cap = 256};
	const char *reason;

	assert_int_equal(read_line(line, &command, &reason), 0);
	assert_int_equal(torctl_command_set_value(&command, 0, "one  two"), -E2BIG);
	assert_int_equal(torctl_command_set_value(&command, 0, "x\"y"), 0);
	assert_int_equal(torctl_command_set_value(&command, 1, "seven"), 0);
	torctl_command_write(&command, &written);
	assert_string_equal(buf_text(&written), "SETCONF A=\"x\\\"y\" B=\"seven\" C\r\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_pieces),
	    cmocka_unit_test(test_bytes_that_no_line_has),
	    cmocka_unit_test(test_limits),
	    cmocka_unit_test(test_written_anew),
	    cmocka_unit_test(test_arguments_that_are_none),
	    cmocka_unit_test(test_data_is_for_none),
	    cmocka_unit_test(test_verbs),
	    cmocka_unit_test(test_too_many),
	    cmocka_unit_test(test_another_value),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

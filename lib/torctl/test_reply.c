/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Replies by table, and as properties: any cut into pieces reads the same, and what is written
 * reads back. LETHE_SEED repeats a run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include <base/num.h>

#include "reply.h"

#define ROUNDS 300

static const struct torctl_limits roomy = {.line_bytes = 4096, .lines = 64, .bytes = 65536};

static uint64_t random_state;

/* xorshift64* */
static uint32_t draw(uint32_t below)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return (uint32_t)((random_state * 0x2545f4914f6cdd1dull) >> 33) % below;
}

/* A reply, in the form "code separator text [data] ..." that is easy to compare. */
static void describe(const struct torctl_reply *reply, struct buf *out)
{
	buf_puts(out, reply->event ? "event:" : "reply:");
	for (size_t i = 0; i < reply->count; i++) {
		const struct torctl_line *line = &reply->lines[i];

		assert_int_equal(strlen(line->text), line->text_length);
		buf_printf(out, "(%u%c%s", line->code, line->separator, line->text);
		if (line->data) {
			assert_int_equal(strlen(line->data), line->data_length);
			buf_printf(out, "[%s]", line->data);
		}
		buf_puts(out, ")");
	}
}

/* Feed all of @bytes in pieces of at most @most; descriptions of all replies go to @out. The result
 * is what feeding answered in the end. */
static int feed_all(struct torctl_parser *parser, const char *bytes, size_t length, uint32_t most,
		    struct buf *out)
{
	size_t at = 0;

	while (at < length) {
		const struct torctl_reply *reply = NULL;
		size_t piece = 1 + (most > 1 ? draw(most) : 0), used = 0;
		int r;

		if (piece > length - at)
			piece = length - at;
		r = torctl_parser_feed(parser, bytes + at, piece, &used, &reply);
		if (r < 0)
			return r;
		assert_true(used > 0 && used <= piece);
		assert_true(reply || used == piece);
		at += used;
		if (reply)
			describe(reply, out);
	}
	return 0;
}

static int read_all(const char *bytes, size_t length, uint32_t most, struct buf *out)
{
	CLEANUP(torctl_parser_freep) struct torctl_parser *parser = NULL;

	assert_int_equal(torctl_parser_new(&roomy, &parser), 0);
	return feed_all(parser, bytes, length, most, out);
}

static void test_replies(void **state)
{
	static const struct {
		const char *bytes, *means;
	} rows[] = {
	    {"250 OK\r\n", "reply:(250 OK)"},
	    {"250 \r\n", "reply:(250 )"},
	    {"250-version=0.4.8.16\r\n250 OK\r\n", "reply:(250-version=0.4.8.16)(250 OK)"},
	    {"552 Unrecognized key \"x\"\r\n", "reply:(552 Unrecognized key \"x\")"},
	    /* Each line has a code of its own: MAPADDRESS answers so. */
	    {"250-a=b\r\n512-syntax\r\n250 c=d\r\n", "reply:(250-a=b)(512-syntax)(250 c=d)"},
	    {"650 CIRC 7 LAUNCHED\r\n", "event:(650 CIRC 7 LAUNCHED)"},
	    {"250 OK\r\n650 A\r\n250 B\r\n", "reply:(250 OK)event:(650 A)reply:(250 B)"},
	    /* Data: dots that Tor doubled, lines that only look like its end or like replies. */
	    {"250+k=\r\n.\r\n250 OK\r\n", "reply:(250+k=[])(250 OK)"},
	    {"250+k=\r\na\r\n\r\n..\r\n...x\r\n250 no\r\n.\r\n250 OK\r\n",
	     "reply:(250+k=[a\n\n.\n..x\n250 no\n])(250 OK)"},
	    /* A dot that nobody doubled, before other text: gone, as for every reader. */
	    {"250+k=\r\n.x\r\n.\r\n250 OK\r\n", "reply:(250+k=[x\n])(250 OK)"},
	    {"650+NS\r\nr a b\r\n.\r\n650 OK\r\n", "event:(650+NS[r a b\n])(650 OK)"},
	    {"250 \xc3\xa4\xff\r\n", "reply:(250 \xc3\xa4\xff)"},
	    /* Not at its end: nothing yet. */
	    {"250-a\r\n250 b\r", ""},
	    {"250+k=\r\na\r\n.", ""},
	    {"", ""},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		for (uint32_t most = 1; most < 40; most++) {
			AUTO_BUF struct buf out = {.cap = 4096};

			assert_int_equal(read_all(rows[i].bytes, strlen(rows[i].bytes), most, &out),
					 0);
			assert_string_equal(buf_text(&out), rows[i].means);
		}
	}
}

static void test_refused(void **state)
{
	static const struct {
		const char *bytes;
		size_t length;
	} rows[] = {
#define BYTES(text) {text, sizeof(text) - 1}
	    BYTES("\r\n"),
	    BYTES("250\r\n"),
	    BYTES("25 OK\r\n"),
	    BYTES("250_OK\r\n"),
	    BYTES("2x0 OK\r\n"),
	    BYTES("25x OK\r\n"),
	    BYTES("150 OK\r\n"), /* no such class */
	    BYTES("350 OK\r\n"),
	    BYTES("750 OK\r\n"),
	    BYTES("-50 OK\r\n"),
	    BYTES("250 OK\n"), /* LF alone */
	    BYTES("250-a\n250 OK\r\n"),
	    BYTES("250 a\rb\r\n"), /* CR alone */
	    BYTES("250 a\r\r\n"),
	    BYTES("250 a\0b\r\n"),
	    BYTES("250+k=\r\na\nb\r\n.\r\n250 OK\r\n"),
	    BYTES("250+k=\r\na\0\r\n.\r\n250 OK\r\n"),
	    BYTES("250-a\r\n650 event inside\r\n250 OK\r\n"),
	    BYTES("650-a\r\n250 OK\r\n"),
#undef BYTES
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		for (uint32_t most = 1; most < 20; most++) {
			AUTO_BUF struct buf out = {.cap = 4096};

			assert_int_equal(read_all(rows[i].bytes, rows[i].length, most, &out),
					 -EBADMSG);
			assert_string_equal(buf_text(&out), "");
		}
	}
}

/* Once wrong, always wrong: there is no way to know where a reply would begin. */
static void test_errors_stay(void **state)
{
	CLEANUP(torctl_parser_freep) struct torctl_parser *parser = NULL;
	const struct torctl_reply *reply = NULL;
	size_t used = 0;

	assert_int_equal(torctl_parser_new(&roomy, &parser), 0);
	assert_int_equal(torctl_parser_feed(parser, "x\r\n", 3, &used, &reply), -EBADMSG);
	assert_int_equal(torctl_parser_feed(parser, "250 OK\r\n", 8, &used, &reply), -EBADMSG);
	assert_null(reply);
	assert_int_equal(used, 0);
}

static void test_between(void **state)
{
	CLEANUP(torctl_parser_freep) struct torctl_parser *parser = NULL;
	const struct torctl_reply *reply = NULL;
	static const char bytes[] = "250-a\r\n250 OK\r\n";
	size_t used = 0;

	assert_int_equal(torctl_parser_new(&roomy, &parser), 0);
	assert_true(torctl_parser_between(parser));
	for (size_t i = 0; i < strlen(bytes); i++) {
		assert_int_equal(torctl_parser_feed(parser, bytes + i, 1, &used, &reply), 0);
		assert_int_equal(torctl_parser_between(parser), i == strlen(bytes) - 1);
	}
	assert_non_null(reply);
	assert_int_equal(torctl_parser_feed(parser, "\r", 1, &used, &reply), 0);
	assert_false(torctl_parser_between(parser));
}

static int read_limited(const struct torctl_limits *limits, const char *bytes)
{
	CLEANUP(torctl_parser_freep) struct torctl_parser *parser = NULL;
	AUTO_BUF struct buf out = {.cap = 4096};

	assert_int_equal(torctl_parser_new(limits, &parser), 0);
	return feed_all(parser, bytes, strlen(bytes), 3, &out);
}

/* Each limit is reached and then passed by one. */
static void test_limits(void **state)
{
	struct torctl_limits limits = roomy;

	limits.line_bytes = 6;
	assert_int_equal(read_limited(&limits, "250 OK\r\n250 ok\r\n"), 0);
	assert_int_equal(read_limited(&limits, "250 OKK\r\n"), -E2BIG);
	assert_int_equal(read_limited(&limits, "250+k=\r\n123456\r\n.\r\n250 OK\r\n"), 0);
	assert_int_equal(read_limited(&limits, "250+k=\r\n1234567\r\n"), -E2BIG);
	limits = roomy;
	limits.lines = 4;
	assert_int_equal(read_limited(&limits, "250+k=\r\na\r\n.\r\n250 OK\r\n250 OK\r\n"), 0);
	assert_int_equal(read_limited(&limits, "250+k=\r\na\r\nb\r\n.\r\n250 OK\r\n"), -E2BIG);
	assert_int_equal(read_limited(&limits, "250-\r\n250-\r\n250-\r\n250-\r\n250 \r\n"), -E2BIG);
	limits = roomy;
	limits.bytes = 20;
	assert_int_equal(read_limited(&limits, "250-123456\r\n250 OK\r\n"), 0);
	assert_int_equal(read_limited(&limits, "250-1234567890123\r\n250 OK\r\n"), -E2BIG);
	limits = (struct torctl_limits){0};
	assert_int_equal(read_limited(&limits, "250 OK\r\n"), -E2BIG);
}

/* ---- properties ---- */

static void random_text(struct buf *out, uint32_t most)
{
	static const char letters[] = "a=\"\\. 5-+\t\xff";

	for (uint32_t length = draw(most + 1); length > 0; length--)
		buf_add(out, letters + draw(sizeof(letters) - 1), 1);
}

/* A random reply as Tor would send it. */
static void random_reply(struct buf *out)
{
	unsigned class = (unsigned[]){200, 400, 500, 600}[draw(4)];

	for (uint32_t lines = draw(5); lines > 0; lines--) {
		bool data = draw(3) == 0;

		buf_printf(out, "%u%c", class + draw(100), data ? '+' : '-');
		random_text(out, 20);
		buf_puts(out, "\r\n");
		for (uint32_t i = data ? draw(6) : 0; i > 0; i--) {
			AUTO_BUF struct buf line = {.cap = 64};

			random_text(&line, 8);
			buf_printf(out, "%s%s\r\n", buf_text(&line)[0] == '.' ? "." : "",
				   buf_text(&line));
		}
		buf_puts(out, data ? ".\r\n" : "");
	}
	buf_printf(out, "%u ", class + draw(100));
	random_text(out, 20);
	buf_puts(out, "\r\n");
}

static void test_any_cut_reads_the_same(void **state)
{
	for (int round = 0; round < ROUNDS; round++) {
		AUTO_BUF struct buf bytes = {.cap = 65536}, whole = {.cap = 65536};
		AUTO_BUF struct buf cut = {.cap = 65536};

		for (uint32_t replies = 1 + draw(3); replies > 0; replies--)
			random_reply(&bytes);
		assert_int_equal(buf_finish(&bytes), 0);
		assert_int_equal(read_all(bytes.data, bytes.len, UINT32_MAX, &whole), 0);
		assert_int_equal(read_all(bytes.data, bytes.len, 1 + draw(9), &cut), 0);
		assert_true(whole.len > 0);
		assert_string_equal(buf_text(&whole), buf_text(&cut));
	}
}

static void test_written_is_what_was_read(void **state)
{
	for (int round = 0; round < ROUNDS; round++) {
		CLEANUP(torctl_parser_freep) struct torctl_parser *parser = NULL;
		AUTO_BUF struct buf bytes = {.cap = 65536}, written = {.cap = 65536};
		const struct torctl_reply *reply = NULL;
		size_t used = 0;

		random_reply(&bytes);
		assert_int_equal(torctl_parser_new(&roomy, &parser), 0);
		assert_int_equal(torctl_parser_feed(parser, bytes.data, bytes.len, &used, &reply),
				 0);
		assert_int_equal(used, bytes.len);
		assert_non_null(reply);
		torctl_reply_write(reply, &written);
		assert_int_equal(buf_finish(&written), 0);
		assert_string_equal(buf_text(&bytes), buf_text(&written));
	}
}

static int seed_random(void **state)
{
	const char *given = getenv("LETHE_SEED");
	uint64_t seed = (uint64_t)time(NULL);

	if (given && num_parse_u64(given, UINT64_MAX, &seed) < 0)
		return -1;
	print_message("# LETHE_SEED=%ju\n", (uintmax_t)seed);
	random_state = seed * 2 + 1;
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_replies),
	    cmocka_unit_test(test_refused),
	    cmocka_unit_test(test_errors_stay),
	    cmocka_unit_test(test_between),
	    cmocka_unit_test(test_limits),
	    cmocka_unit_test(test_any_cut_reads_the_same),
	    cmocka_unit_test(test_written_is_what_was_read),
	};

	return cmocka_run_group_tests(tests, seed_random, NULL);
}

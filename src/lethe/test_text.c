/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "text.h"

static void test_foreign(void **state)
{
	static const struct {
		const char *text;
		size_t most;
		const char *shown;
	} rows[] = {
	    {"", 10, ""},
	    {"SanDisk Ultra", 64, "SanDisk Ultra"},
	    {"SanDisk Ultra", 13, "SanDisk Ultra"},
	    {"SanDisk Ultra", 7, "SanDisk..."},
	    {"a", 0, "..."},
	    {"\033[2J\033]0;x\007", 64, "?[2J?]0;x?"},
	    {"a\r\nb\tc\bd\x7f", 64, "a??b?c?d?"},
	    {"\xc3\xa4\xe2\x80\xae\xf0\x9f\x98\x80z", 64, "???z"}, /* one for each character */
	    {"\xc2\x9b"
	     "2J",
	     64, "?2J"}, /* CSI as one character */
	    {"\xff\xfe", 64, "??"},
	    {"\x9b"
	     "2J",
	     64, "?2J"}, /* CSI as one byte */
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO_BUF struct buf out = {.cap = 1024};

		text_foreign(&out, rows[i].text, rows[i].most);
		assert_string_equal(buf_text(&out), rows[i].shown);
	}
}

static void test_no_byte_gets_through(void **state)
{
	for (unsigned first = 1; first < 256; first++) {
		for (unsigned second = 1; second < 256; second++) {
			AUTO_BUF struct buf out = {.cap = 64};
			const char text[] = {(char)first, (char)second, '\0'};

			text_foreign(&out, text, 8);
			assert_true(out.len > 0 && out.len <= 2);
			for (size_t i = 0; i < out.len; i++)
				assert_in_range((unsigned char)out.data[i], 0x20, 0x7e);
		}
	}
}

static void test_columns(void **state)
{
	assert_int_equal(text_columns(""), 0);
	assert_int_equal(text_columns("abc"), 3);
	assert_int_equal(text_columns("\xc3\xa4\xe2\x82\xac"), 2);
}

static void test_wrap(void **state)
{
	AUTO_BUF struct buf out = {.cap = 4096}, text = {.cap = 4096};

	text_wrap(&out, "", 0, 0);
	text_wrap(&out, "one two", 70, 4);
	text_wrap(&out, "one two three", 72, 4);
	text_wrap(&out, "one two", 75, 4);
	assert_string_equal(buf_text(&out), "\none two\none two\n    three\none\n    two\n");
	buf_done(&out);
	/* A word that fits no line is cut, and nothing of it is lost. */
	for (int i = 0; i < 200; i++)
		buf_puts(&text, "\xc3\xa4");
	text_wrap(&out, buf_text(&text), 0, 0);
	assert_int_equal(out.len, text.len + 3);
	assert_int_equal(strcspn(buf_text(&out), "\n"), 2 * TEXT_COLUMNS);
}

/* Whatever the words, no line is wider, and the words are the same. */
static void test_wrap_is_never_wider(void **state)
{
	for (size_t word = 1; word < 100; word++) {
		for (size_t column = 0; column < 40; column += 13) {
			AUTO_BUF struct buf out = {.cap = 65536}, text = {.cap = 65536};
			size_t letters = 0;

			for (int words = 0; words < 20; words++) {
				for (size_t i = 0; i < word; i++)
					buf_puts(&text, "x");
				buf_puts(&text, " ");
			}
			text_wrap(&out, buf_text(&text), column, column);
			assert_int_equal(buf_finish(&out), 0);
			for (const char *line = out.data; *line;) {
				size_t length = strcspn(line, "\n");
				size_t before = line == out.data ? column : 0;

				assert_true(length + before <= TEXT_COLUMNS);
				for (size_t i = 0; i < length; i++)
					letters += line[i] == 'x';
				line += length + 1;
			}
			assert_int_equal(letters, 20 * word);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_foreign),
	    cmocka_unit_test(test_no_byte_gets_through),
	    cmocka_unit_test(test_columns),
	    cmocka_unit_test(test_wrap),
	    cmocka_unit_test(test_wrap_is_never_wider),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lexer.h"

#include <string.h>

#include "test_util.h"

/* The tokens of @text, one to a word: "name@line:column", ",", "=", ";" for the end of a statement.
 * What fails ends the list with "!line:column message". */
static void list(const char *text, size_t len, struct buf *out)
{
	struct lexer lexer = {.file = "t", .text = text, .len = len};
	struct diag diag = {0};
	struct token token;

	while (lexer_next(&lexer, &diag, &token) == 0) {
		switch (token.kind) {
		case TOKEN_END:
			return;
		case TOKEN_WORD:
			buf_printf(out, "%.*s@%u:%u ", (int)token.len, token.text, token.place.line,
				   token.place.column);
			break;
		case TOKEN_COMMA:
			buf_puts(out, ", ");
			break;
		case TOKEN_EQUALS:
			buf_puts(out, "= ");
			break;
		case TOKEN_NEWLINE:
			buf_puts(out, "; ");
			break;
		}
	}
	buf_printf(out, "!%u:%u %s", diag.line, diag.column, diag.message);
}

#define CHECK(text, expected)                                                                      \
	do {                                                                                       \
		struct buf out_ = {.cap = 65536};                                                  \
		list(text, sizeof(text) - 1, &out_);                                               \
		assert_string_equal(buf_text(&out_), expected);                                    \
		buf_done(&out_);                                                                   \
	} while (0)

static void words(void **state)
{
	CHECK("", "");
	CHECK("\n\n  \t\n", "");
	CHECK("a b\tc\n", "a@1:1 b@1:3 c@1:5 ; ");
	CHECK("\n  a\n\n\nb\n", "a@2:3 ; b@5:1 ; ");
	CHECK("a,b=c\n", "a@1:1 , b@1:3 = c@1:5 ; ");
	CHECK("10.0.0.0/8 !\"$%&'()*+-./:;<>?@[]^_`{|}~\n",
	      "10.0.0.0/8@1:1 !\"$%&'()*+-./:;<>?@[]^_`{|}~@1:12 ; ");
}

static void comments(void **state)
{
	CHECK("# all\n", "");
	CHECK("a # rest , = \\ \n", "a@1:1 ; ");
	CHECK("a#rest\nb\n", "a@1:1 ; b@2:1 ; ");
	CHECK("# gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80\na\n", "a@2:1 ; ");
}

static void bad_comments(void **state)
{
	CHECK("# \xe2\x80\xae\n", "!1:3 an invisible character (U+202E) that can make text look "
				  "different from what it says");
	CHECK("# \xc2\x9b\n", "!1:3 an invisible character (U+009B) that can make text look "
			      "different from what it says");
	CHECK("# \xc0\x80\n", "!1:3 this comment is not UTF-8");
	CHECK("# \xed\xa0\x80\n", "!1:3 this comment is not UTF-8");
	CHECK("# \xf4\x90\x80\x80\n", "!1:3 this comment is not UTF-8");
	CHECK("# \xe0\x80\xaf\n", "!1:3 this comment is not UTF-8");
	CHECK("# \xff\n", "!1:3 this comment is not UTF-8");
	CHECK("# \xe2\x82", "!1:3 this comment is not UTF-8");
	CHECK("# a\0b\n", "!1:4 a NUL byte: this is no text file");
	CHECK("# a\x1b\n", "!1:4 a control character (0x1b)");
	CHECK("# a\x7f\n", "!1:4 a control character (0x7f)");
}

/* "#", a character of two or three bytes in UTF-8, and a newline. */
static void encode(unsigned character, char text[static 8])
{
	size_t len = 0;

	text[len++] = '#';
	if (character < 0x800) {
		text[len++] = (char)(0xc0 | character >> 6);
	} else {
		text[len++] = (char)(0xe0 | character >> 12);
		text[len++] = (char)(0x80 | (character >> 6 & 0x3f));
	}
	text[len++] = (char)(0x80 | (character & 0x3f));
	text[len++] = '\n';
	text[len] = '\0';
}

/* All that turn the direction of writing or end a line unseen, and their neighbours, which do not.
 */
static void deceptive_characters(void **state)
{
	static const struct {
		unsigned first, last;
	} deceptive[] = {{0x061c, 0x061c}, {0x200e, 0x200f}, {0x2028, 0x202e}, {0x2066, 0x2069}};

	for (size_t i = 0; i < ARRAY_SIZE(deceptive); i++)
		for (unsigned c = deceptive[i].first - 1; c <= deceptive[i].last + 1; c++) {
			bool bad = c >= deceptive[i].first && c <= deceptive[i].last;
			struct buf out = {.cap = 1024};
			char text[16];

			encode(c, text);
			list(text, strlen(text), &out);
			assert_int_equal(strchr(buf_text(&out), '!') != NULL, bad);
			buf_done(&out);
		}
}

static void continuation(void **state)
{
	CHECK("a,\nb\n", "a@1:1 , b@2:1 ; ");
	CHECK("a, # why\n\n# because\n  b\n", "a@1:1 , b@4:3 ; ");
	CHECK("a \\\n b\n", "a@1:1 b@2:2 ; ");
	CHECK("a\\\nb\n", "a@1:1 b@2:1 ; ");
	CHECK("\\\na\n", "a@2:1 ; ");
	CHECK("a \\ \nb\n", "a@1:1 !1:3 a backslash that is not the last character of its line");
	CHECK("a\\b\n", "a@1:1 !1:2 a backslash that is not the last character of its line");
	CHECK("a # \\\nb\n", "a@1:1 ; b@2:1 ; ");
}

/* The comma's line is told only to the token that a comma at the end of a line led to. */
static void comma_line(void **state)
{
	struct lexer lexer = {.file = "t", .text = "a,\n\nb, c\n", .len = 9};
	struct diag diag = {0};
	struct token token;
	unsigned expected[] = {0, 0, 1, 0, 0, 0};

	for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
		assert_int_equal(lexer_next(&lexer, &diag, &token), 0);
		assert_int_equal(token.comma_line, expected[i]);
	}
}

static void bad_bytes(void **state)
{
	CHECK("a\0\n", "a@1:1 !1:2 a NUL byte: this is no text file");
	CHECK("a\r\n", "a@1:1 !1:2 a carriage return");
	CHECK("a \x01\n", "a@1:1 !1:3 a control character (0x01)");
	CHECK("a \x7f\n", "a@1:1 !1:3 a control character (0x7f)");
	CHECK("a\v\n", "a@1:1 !1:2 a control character (0x0b)");
	CHECK("\xc3\xa4\n", "!1:1 a byte that is not ASCII (0xc3), outside a comment");
	CHECK("a \x80\n", "a@1:1 !1:3 a byte that is not ASCII (0x80), outside a comment");
}

static void ends(void **state)
{
	CHECK("a", "a@1:1 !1:2 the last line has no newline at its end");
	CHECK("a\nb ", "a@1:1 ; b@2:1 !2:3 the last line has no newline at its end");
	CHECK("a\n# c", "a@1:1 ; !2:4 the last line has no newline at its end");
	CHECK("a,\n", "a@1:1 , !2:1 the file ends in the middle of a statement");
	CHECK("a \\\n", "a@1:1 !2:1 the file ends in the middle of a statement");
	CHECK("a,", "a@1:1 , !1:3 the last line has no newline at its end");
	CHECK("\\", "!1:1 a backslash that is not the last character of its line");
}

/* A line of exactly the most bytes passes; one byte more does not, whatever it holds. */
static void long_lines(void **state)
{
	static const char fillers[] = {' ', '#', ','};

	for (size_t i = 0; i < ARRAY_SIZE(fillers); i++) {
		char text[LEXER_LINE_MAX + 8];
		struct buf out = {.cap = 65536};

		memset(text, fillers[i], sizeof(text));
		text[LEXER_LINE_MAX] = '\n';
		memcpy(text + LEXER_LINE_MAX + 1, "a\n", 2);
		list(text, LEXER_LINE_MAX + 3, &out);
		assert_null(strchr(buf_text(&out), '!'));
		buf_done(&out);

		memset(text, fillers[i], sizeof(text));
		text[LEXER_LINE_MAX + 1] = '\n';
		list(text, LEXER_LINE_MAX + 2, &out);
		assert_non_null(
		    strstr(buf_text(&out), "!1:1025 this line is longer than 1024 bytes"));
		buf_done(&out);
	}
}

static void end_stays(void **state)
{
	struct lexer lexer = {.file = "t", .text = "", .len = 0};
	struct diag diag = {0};
	struct token token;

	for (int i = 0; i < 3; i++) {
		token.kind = TOKEN_WORD;
		assert_int_equal(lexer_next(&lexer, &diag, &token), 0);
		assert_int_equal(token.kind, TOKEN_END);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(words),        cmocka_unit_test(comments),
	    cmocka_unit_test(bad_comments), cmocka_unit_test(deceptive_characters),
	    cmocka_unit_test(continuation), cmocka_unit_test(comma_line),
	    cmocka_unit_test(bad_bytes),    cmocka_unit_test(ends),
	    cmocka_unit_test(long_lines),   cmocka_unit_test(end_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

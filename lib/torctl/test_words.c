/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <base/buf.h>

#include "words.h"

/* As "key:value|value|..."; a quoted value has quotes. */
static void describe(const struct torctl_words *words, struct buf *out)
{
	for (size_t i = 0; i < words->count; i++) {
		const struct torctl_word *word = &words->list[i];
		const char *quote = word->quoted ? "\"" : "";

		buf_printf(out, "%s%s%s%s%s%s", i ? "|" : "", word->key ? word->key : "",
			   word->key ? ":" : "", quote, word->value, quote);
	}
}

static void test_words(void **state)
{
	static const struct {
		const char *text, *means;
	} rows[] = {
	    {"", ""},
	    {"   ", ""},
	    {"a", "a"},
	    {" a  b ", "a|b"},
	    {"NOTICE BOOTSTRAP PROGRESS=45 TAG=conn SUMMARY=\"Loading it\"",
	     "NOTICE|BOOTSTRAP|PROGRESS:45|TAG:conn|SUMMARY:\"Loading it\""},
	    {"METHODS=COOKIE,SAFECOOKIE COOKIEFILE=\"/run/\\\"x\\\\y\"",
	     "METHODS:COOKIE,SAFECOOKIE|COOKIEFILE:\"/run/\"x\\y\""},
	    {"a= b", "a:|b"},
	    {"a=b=c", "a:b=c"},
	    {"a==", "a:="},
	    {"=a", "=a"},
	    {"=", "="},
	    {"\"\"", "\"\""},
	    {"\"a b\" c", "\"a b\"|c"},
	    {"\"a=b\"", "\"a=b\""},
	    {"a=\"\"", "a:\"\""},
	    {"a=\"x\\n\\t\\r\\z\\\"\"", "a:\"x\n\t\rz\"\""},
	    {"a=\"\\101\\1\\1012\\377\"", "a:\"A\1A2\xff\""},
	    {"a=\"\\08\"", NULL}, /* \0, then 8 */
	    {"$AAAA=nick", "$AAAA:nick"},
	    {"\xc3\xa4=\xff", "\xc3\xa4:\xff"},
	    {"\"", NULL},
	    {"\"a", NULL},
	    {"a=\"b", NULL},
	    {"a=\"b\\", NULL},
	    {"a=\"b\"c", NULL},
	    {"a=\"b\"\"c\"", NULL},
	    {"a=b\"c\"", NULL},
	    {"a\"b\"", NULL},
	    {"a\tb", NULL},
	    {"a\x7f", NULL},
	    {"a=\"\\400\"", NULL},
	    {"a=\"\\000\"", NULL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CLEANUP(torctl_words_done) struct torctl_words words = {0};
		AUTO_BUF struct buf out = {.cap = 4096};
		int r = torctl_words_parse(rows[i].text, strlen(rows[i].text), &words);

		print_message("# %zu\n", i);
		assert_int_equal(r, rows[i].means ? 0 : -EBADMSG);
		if (r < 0) {
			assert_null(words.list);
			continue;
		}
		describe(&words, &out);
		assert_string_equal(buf_text(&out), rows[i].means);
	}
}

static void test_nul_is_refused(void **state)
{
	struct torctl_words words = {0};

	assert_int_equal(torctl_words_parse("a\0b", 3, &words), -EBADMSG);
	assert_int_equal(torctl_words_parse("\"a\0b\"", 5, &words), -EBADMSG);
	assert_int_equal(torctl_words_parse("\"a\\\0b\"", 6, &words), -EBADMSG);
}

static void test_most_words(void **state)
{
	AUTO_FREE char *text = malloc(2 * (TORCTL_WORDS_MAX + 1));
	CLEANUP(torctl_words_done) struct torctl_words words = {0};
	CLEANUP(torctl_words_done) struct torctl_words more = {0};

	assert_non_null(text);
	for (size_t i = 0; i < 2 * (TORCTL_WORDS_MAX + 1); i += 2) {
		text[i] = 'a';
		text[i + 1] = ' ';
	}
	assert_int_equal(torctl_words_parse(text, 2 * (size_t)TORCTL_WORDS_MAX, &words), 0);
	assert_int_equal(words.count, TORCTL_WORDS_MAX);
	assert_int_equal(torctl_words_parse(text, 2 * (size_t)(TORCTL_WORDS_MAX + 1), &more),
			 -E2BIG);
}

static void test_finding(void **state)
{
	static const char text[] = "first A=1 second A=2 \"third\" B=\"x\"";
	CLEANUP(torctl_words_done) struct torctl_words words = {0};

	assert_int_equal(torctl_words_parse(text, strlen(text), &words), 0);
	assert_string_equal(torctl_words_get(&words, "A"), "1");
	assert_string_equal(torctl_words_get(&words, "B"), "x");
	assert_null(torctl_words_get(&words, "first"));
	assert_null(torctl_words_get(&words, "a"));
	assert_string_equal(torctl_words_at(&words, 0), "first");
	assert_null(torctl_words_at(&words, 1));
	assert_string_equal(torctl_words_at(&words, 4), "third");
	assert_null(torctl_words_at(&words, 6));
}

/* Every text of one byte between quotes, as Tor would escape it, comes back. */
static void test_every_byte_can_be_quoted(void **state)
{
	for (unsigned byte = 1; byte < 256; byte++) {
		CLEANUP(torctl_words_done) struct torctl_words words = {0};
		char text[16], expected[2] = {(char)byte, '\0'};

		snprintf(text, sizeof(text), "K=\"\\%03o\"", byte);
		assert_int_equal(torctl_words_parse(text, strlen(text), &words), 0);
		assert_string_equal(torctl_words_get(&words, "K"), expected);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_words),
	    cmocka_unit_test(test_nul_is_refused),
	    cmocka_unit_test(test_most_words),
	    cmocka_unit_test(test_finding),
	    cmocka_unit_test(test_every_byte_can_be_quoted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

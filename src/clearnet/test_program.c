/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "program.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static int parse(const char *text, struct program *ret_program, struct diag *diag)
{
	return program_parse("x.conf", text, strlen(text), ret_program, diag);
}

static void test_good(void **state)
{
	struct program program;
	struct diag diag;

	assert_int_equal(parse("# one\n\ntitle = A = b\nprogram = /usr/bin/curl\nargument = -s\n"
			       "argument = http://a/\n",
			       &program, &diag),
			 0);
	assert_string_equal(program.title, "A = b");
	assert_string_equal(program.path, "/usr/bin/curl");
	assert_int_equal(program.argument_count, 2);
	assert_string_equal(program.arguments[0], "-s");
	assert_string_equal(program.arguments[1], "http://a/");
	assert_int_equal(parse("program = /usr/bin/x", &program, &diag), 0);
	assert_int_equal(program.argument_count, 0);
	assert_string_equal(program.title, "");
}

static void test_wrong(void **state)
{
	static const struct {
		const char *text;
		unsigned line;
	} wrong[] = {
	    {"", 1},
	    {"title = x\n", 2},
	    {"program = /usr/bin/x\ntitle = x\ntitle = x\n", 3},
	    /* There is no display in this version; nobody gets one by asking. */
	    {"program = /usr/bin/x\ndisplay = no\n", 2},
	    {"program = /usr/bin/x\ndisplay = yes\n", 2},
	    {"program = /usr/bin/x\nprogram = /usr/bin/x\n", 2},
	    {"program = usr/bin/x\n", 1},
	    {"program = /bin/x\n", 1},
	    {"program = /usr/../home/x\n", 1},
	    {"program = /usr/bin/..\n", 1},
	    {"program = /usr/bin/\n", 1},
	    {"program = /usr/./x\n", 1},
	    {"program = /usr//x\n", 1},
	    {"program = /usr/\n", 1},
	    {"program=/usr/bin/x\n", 1},
	    {"program = /usr/bin/x\nuser = root\n", 2},
	    {"program = /usr/bin/x\nargument = \n", 2},
	    {"program = /usr/bin/x\nargument = a\tb\n", 2},
	    {"program = /usr/bin/x\r\n", 1},
	    {" program = /usr/bin/x\n", 1},
	};
	struct program program = {.title = "untouched"};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct diag diag = {0};

		assert_int_equal(parse(wrong[i].text, &program, &diag), -EINVAL);
		assert_int_equal(diag.line, wrong[i].line);
		assert_string_not_equal(diag.message, "");
	}
	assert_string_equal(program.title, "untouched");
	assert_int_equal(program_parse("x", "program = /usr/bin/x\n\0", 22, &program, NULL),
			 -EINVAL);
}

static void test_limits(void **state)
{
	AUTO_BUF struct buf text = {.cap = 2 * PROGRAM_FILE_MAX};
	struct program program;

	buf_puts(&text, "program = /usr/bin/x\n");
	for (size_t i = 0; i < PROGRAM_ARGUMENTS_MAX; i++)
		buf_puts(&text, "argument = a\n");
	assert_int_equal(parse(buf_text(&text), &program, NULL), 0);
	assert_int_equal(program.argument_count, PROGRAM_ARGUMENTS_MAX);
	buf_puts(&text, "argument = a\n");
	assert_int_equal(parse(buf_text(&text), &program, NULL), -EINVAL);

	buf_done(&text);
	buf_puts(&text, "program = /usr/bin/x\nargument = ");
	for (size_t i = 0; i < PROGRAM_TEXT_MAX - 1; i++)
		buf_puts(&text, "a");
	assert_int_equal(parse(buf_text(&text), &program, NULL), 0);
	buf_puts(&text, "a");
	assert_int_equal(parse(buf_text(&text), &program, NULL), -EINVAL);

	buf_done(&text);
	for (size_t i = 0; i <= PROGRAM_FILE_MAX; i++)
		buf_puts(&text, "#");
	assert_int_equal(parse(buf_text(&text), &program, NULL), -EINVAL);
}

static void test_names(void **state)
{
	static const char *const bad[] = {"",
					  "A",
					  "a_b",
					  "a.b",
					  "../a",
					  "-a",
					  "1a",
					  "a b",
					  "a/b",
					  "a\n",
					  "a@b",
					  "\xc3",
					  "aaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
	struct program program;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_false(program_name_is_valid(bad[i]));
		assert_int_equal(program_load("/usr", bad[i], &program, NULL), -ENOENT);
	}
	assert_true(program_name_is_valid("unsafe-browser2"));
	assert_true(program_name_is_valid("aaaaaaaaaaaaaaaaaaaaaaaaaaa"));
	assert_int_equal(program_load("/usr", "none", &program, NULL), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_good),
	    cmocka_unit_test(test_wrong),
	    cmocka_unit_test(test_limits),
	    cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "moat.h"

static struct moat_answer answer;

static const char *lines_of(const char *text)
{
	static char lines[8192];
	AUTO_BUF struct buf out = {.cap = sizeof(lines) - 1};

	if (moat_answer_read(text, strlen(text), &answer) < 0)
		return NULL;
	moat_answer_write(&answer, &out);
	snprintf(lines, sizeof(lines), "%s", buf_text(&out));
	return lines;
}

static void test_answers(void **state)
{
	static const struct {
		const char *text, *lines;
	} rows[] = {
	    {"{\"settings\":[{\"bridges\":{\"type\":\"obfs4\",\"source\":\"bridgedb\","
	     "\"bridge_strings\":[\"obfs4 192.0.2.1:443 cert=a\",\"obfs4 192.0.2.2:443 cert=b\"]}},"
	     "{\"bridges\":{\"type\":\"snowflake\",\"source\":\"builtin\"}}],\"country\":\"cn\"}",
	     "bridge obfs4 192.0.2.1:443 cert=a\nbridge obfs4 192.0.2.2:443 cert=b\n"
	     "builtin snowflake\nend\n"},
	    /* What this system cannot use, and what is no bridge. */
	    {"{\"settings\":[{\"bridges\":{\"type\":\"webtunnel\",\"source\":\"bridgedb\","
	     "\"bridge_strings\":[\"webtunnel 192.0.2.1:443 url=x\"]}},"
	     "{\"bridges\":{\"type\":\"obfs4\",\"source\":\"bridgedb\",\"bridge_strings\":"
	     "[1,null,\"x\",\"obfs4 [2001:db8::1]:443 cert=a\",\"obfs4 192.0.2.1:443 "
	     "cert=\\\"\\r\\nSETCONF\"]}}]}",
	     "none\n"},
	    {"{\"settings\":[]}", "none\n"},
	    {"{\"settings\":null,\"country\":\"de\"}", "none\n"},
	    {"{\"errors\":[{\"code\":404,\"detail\":\"x\"}]}", "none\n"},
	    {"{\"errors\":[{\"code\":500}]}", NULL},
	    {"{\"settings\":7}", NULL},
	    {"{}", NULL},
	    {"[]", NULL},
	    {"", NULL},
	    {"<html>", NULL},
	    {"{\"settings\":[{\"bridges\":{\"type\":\"meek_lite\",\"source\":\"builtin\"}}]} x", NULL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *lines = lines_of(rows[i].text);

		print_message("# %zu\n", i);
		if (rows[i].lines)
			assert_string_equal(lines, rows[i].lines);
		else
			assert_null(lines);
	}
}

static void test_many_bridges(void **state)
{
	AUTO_BUF struct buf text = {.cap = MOAT_ANSWER_MAX};

	buf_puts(&text, "{\"settings\":[{\"bridges\":{\"type\":\"obfs4\",\"bridge_strings\":[");
	for (unsigned i = 1; i <= 200; i++)
		buf_printf(&text, "%s\"obfs4 192.0.2.1:%u cert=a\"", i > 1 ? "," : "", i);
	buf_puts(&text, "]}}]}");
	assert_int_equal(moat_answer_read(buf_text(&text), text.len, &answer), 0);
	assert_int_equal(answer.bridges.count, TORCTL_BRIDGES_MAX);
}

/* Nested deeper than anything that is meant: the reader says no. */
static void test_depth(void **state)
{
	AUTO_BUF struct buf text = {.cap = MOAT_ANSWER_MAX};

	for (size_t i = 0; i < 100000; i++)
		buf_puts(&text, "[");
	assert_int_equal(moat_answer_read(buf_text(&text), text.len, &answer), -EBADMSG);
}

static void test_question(void **state)
{
	AUTO_BUF struct buf first = {.cap = 512}, second = {.cap = 512};

	moat_question("de", &first);
	assert_string_equal(buf_text(&first), "{\"country\":\"de\",\"transports\":[\"obfs4\","
					      "\"meek_lite\",\"snowflake\"]}");
	moat_question("", &second);
	assert_string_equal(buf_text(&second),
			    "{\"transports\":[\"obfs4\",\"meek_lite\",\"snowflake\"]}");
}

static void test_places(void **state)
{
	static const struct {
		const char *text;
		int error;
	} rows[] = {
	    {"# nothing\n\n", -ENOENT},
	    {"service https://moat.example/moat\n", -ENOENT},
	    {"service https://moat.example/moat\nmeek_lite url=https://x/ front=y\n", 0},
	    {"service https://moat.example/moat\nmeek_lite url=https://x/\nca /etc/own.pem", 0},
	    {"service http://moat.example/moat\nmeek_lite url=https://x/\n", -EINVAL},
	    {"service https://a/\nservice https://b/\n", -EINVAL},
	    {"service\n", -EINVAL},
	    {"service \"x\"\n", -EINVAL},
	    {"proxy none\n", -EINVAL},
	    {"service https://a/\x01\n", -EINVAL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct moat_place place = {0};
		struct diag diag = {0};

		print_message("# %zu\n", i);
		assert_int_equal(
		    moat_place_read(rows[i].text, strlen(rows[i].text), &place, &diag),
		    rows[i].error);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_answers),  cmocka_unit_test(test_many_bridges),
	    cmocka_unit_test(test_depth),    cmocka_unit_test(test_question),
	    cmocka_unit_test(test_places),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

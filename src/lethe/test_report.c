/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The report as a whole, and answers made to do harm. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "test_facts.h"

static void test_laboratory(void **state)
{
	static const struct {
		struct inputs inputs;
		enum laboratory laboratory;
		enum level level;
		const char *line;
	} rows[] = {
	    {{0}, LABORATORY_NONE, LEVEL_GOOD, "Lethe 0.1.0\n"},
	    {{.installed = true}, LABORATORY_NONE, LEVEL_GOOD, "Lethe 0.1.0\n"},
	    /* Either of the two that can know is enough to say that there is one. */
	    {{.boot = "{\"laboratory\":true}"},
	     LABORATORY_USED,
	     LEVEL_GOOD,
	     "Lethe 0.1.0  LABORATORY"},
	    {{.boot = GONE, .medium = MEDIUM("true", "ram", "true", ",\"laboratory\":true")},
	     LABORATORY_USED,
	     LEVEL_GOOD,
	     "Lethe 0.1.0  LABORATORY"},
	    {{.boot = "{\"laboratory\":true}", .medium = LATE, .installed = true},
	     LABORATORY_USED,
	     LEVEL_UNKNOWN,
	     "Lethe 0.1.0  LABORATORY"},
	    {{.medium = LATE}, LABORATORY_NONE, LEVEL_UNKNOWN, "Lethe 0.1.0\n"},
	    /* On the live system, who does not say no may mean yes. */
	    {{.boot = GONE}, LABORATORY_UNKNOWN, LEVEL_UNKNOWN, "Lethe 0.1.0  UNKNOWN"},
	    {{.boot = "{\"laboratory\":\"false\"}"},
	     LABORATORY_UNKNOWN,
	     LEVEL_UNKNOWN,
	     "Lethe 0.1.0  UNKNOWN"},
	    {{.boot = "not JSON"}, LABORATORY_UNKNOWN, LEVEL_UNKNOWN, "Lethe 0.1.0  UNKNOWN"},
	    {{.medium = MEDIUM("true", "ram", "true", "")},
	     LABORATORY_UNKNOWN,
	     LEVEL_UNKNOWN,
	     "Lethe 0.1.0  UNKNOWN"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CLEANUP(facts_done) struct facts facts = facts_of(&rows[i].inputs);
		CLEANUP(report_done) struct report report = {0};
		AUTO_BUF struct buf text = {.cap = 65536};

		print_message("# %zu\n", i);
		assert_int_equal(report_make(&facts, &report), 0);
		assert_int_equal(report.laboratory, rows[i].laboratory);
		assert_int_equal(report_level(&report), rows[i].level);
		report_text(&report, "0.1.0", false, &text);
		assert_int_equal(strncmp(buf_text(&text), rows[i].line, strlen(rows[i].line)), 0);
	}
}

/* ---- hostile answers ---- */

/* Text that steers a terminal, in every place where text is taken. */
static void test_control_characters(void **state)
{
#define EVIL "\\u001b[2J\\u009b31m\\r\\n\\u202e\\u0007\x7f\xc3\xa4 is fine"
	static const struct inputs rows[] = {
	    {.medium = "{\"medium\":{\"device\":\"" EVIL "\",\"bus\":\"" EVIL "\",\"model\":\"" EVIL
		       "\",\"present\":true},\"mode\":\"medium\",\"verified\":true,"
		       "\"laboratory\":false}"},
	    {.medium = "{\"verified\":false,\"reason\":\"" EVIL "\",\"laboratory\":false}"},
	    {.wall = "{\"state\":\"different\",\"difference\":\"" EVIL "\"}"},
	    {.wall = "{\"state\":\"uncovered\",\"uncovered\":[\"" EVIL "\"]}"},
	    {.wall = "{\"state\":\"enforced\",\"uncovered\":[],\"settings_good\":false,"
		     "\"settings\":\"" EVIL "\",\"other_tables\":\"" EVIL "\"}"},
	    {.wall = "{\"state\":\"enforced\",\"uncovered\":[],\"settings_good\":true,"
		     "\"settings\":\"\",\"other_tables\":\"" EVIL "\"}"},
	    {.wall = "{\"state\":\"" EVIL "\",\"" EVIL "\":[]}"},
	    {.tor = "{\"running\":true,\"network\":\"enabled\",\"dormant\":false,\"progress\":5,"
		    "\"summary\":\"" EVIL "\",\"circuit\":false,\"warning\":\"" EVIL "\"}"},
	    {.tor = "{\"running\":false,\"reason\":\"" EVIL "\"}"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CLEANUP(facts_done) struct facts facts = facts_of(&rows[i]);
		CLEANUP(report_done) struct report report = {0};

		/* Taken as JSON, or the row would show nothing. */
		assert_int_equal(facts.wall.error | facts.tor.error | facts.medium.error, 0);
		assert_int_equal(report_make(&facts, &report), 0);
		check_output(&report, &facts);
	}
}

static void test_refused_json(void **state)
{
	static const char *const rows[] = {
	    "",
	    "null",
	    "true",
	    "[]",
	    "\"x\"",
	    "7",
	    "{",
	    "{\"a\":}",
	    "{\"a\"}",
	    "{}{}",
	    "{} x",
	    "{\"a\":1,\"a\":2}",
	    "{\"a\":\"\x01\"}",
	    "{\"a\":\"\xff\"}",
	    "{\"a\":\"\\u0000\"}",
	    "{a:1}",
	    "{'a':1}",
	    "{\"a\":99999999999999999999999}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct answer answer = answer_parse(0, rows[i], strlen(rows[i]));

		assert_int_equal(answer.error, -EBADMSG);
		assert_null(answer.object);
	}
}

/* "{"a":[[[...]]]}" of that depth in all. */
static int parse_deep(size_t depth)
{
	AUTO_BUF struct buf text = {.cap = 4 << 20};
	struct answer answer;
	int error;

	buf_puts(&text, "{\"]\\\"}\":");
	for (size_t i = 1; i < depth; i++)
		buf_puts(&text, "[");
	for (size_t i = 1; i < depth; i++)
		buf_puts(&text, "]");
	buf_puts(&text, "}");
	answer = answer_parse(0, buf_text(&text), text.len);
	error = answer.error;
	answer_done(&answer);
	return error;
}

static void test_deep_json(void **state)
{
	assert_int_equal(parse_deep(2), 0);
	assert_int_equal(parse_deep(ANSWER_DEPTH_MAX), 0);
	assert_int_equal(parse_deep(ANSWER_DEPTH_MAX + 1), -EBADMSG);
	assert_int_equal(parse_deep(1000000), -EBADMSG);
}

/* An answer as large as a door may give, in the one text that is shown. */
static void test_huge_text(void **state)
{
	AUTO_BUF struct buf text = {.cap = 1 << 20};
	struct inputs inputs = {0};

	buf_puts(&text, "{\"state\":\"different\",\"difference\":\"");
	for (size_t i = 0; i < 250000; i++)
		buf_puts(&text, i % 9 ? "x" : " ");
	buf_puts(&text, "\"}");
	inputs.wall = buf_text(&text);
	{
		CLEANUP(facts_done) struct facts facts = facts_of(&inputs);
		CLEANUP(report_done) struct report report = {0};

		assert_int_equal(facts.wall.error, 0);
		assert_int_equal(report_make(&facts, &report), 0);
		assert_int_equal(report.parts[PART_FILTER].level, LEVEL_BAD);
		assert_true(report.parts[PART_FILTER].text.len < 400);
		check_output(&report, &facts);
	}
}

/* The words say all that the colours say. */
static void test_colour_only_repeats(void **state)
{
	struct inputs inputs = {.tor = TOR("5", "false", ""), .wall = WALL("open", "")};
	CLEANUP(facts_done) struct facts facts = facts_of(&inputs);
	CLEANUP(report_done) struct report report = {0};
	AUTO_BUF struct buf plain = {.cap = 65536}, coloured = {.cap = 65536},
			    stripped = {.cap = 65536};

	assert_int_equal(report_make(&facts, &report), 0);
	report_text(&report, "0.1.0", false, &plain);
	report_text(&report, "0.1.0", true, &coloured);
	assert_null(strchr(buf_text(&plain), '\033'));
	assert_non_null(strchr(buf_text(&coloured), '\033'));
	for (const char *c = buf_text(&coloured); *c; c++) {
		if (*c == '\033')
			c = strchr(c, 'm');
		else
			buf_add(&stripped, c, 1);
	}
	assert_string_equal(buf_text(&stripped), buf_text(&plain));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_laboratory),   cmocka_unit_test(test_control_characters),
	    cmocka_unit_test(test_refused_json), cmocka_unit_test(test_deep_json),
	    cmocka_unit_test(test_huge_text),    cmocka_unit_test(test_colour_only_repeats),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

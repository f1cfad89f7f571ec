/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a person at a console sees, and what is understood of what is typed there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ask.h"
#include "show.h"

#define BRIDGE "obfs4 192.0.2.1:443 cert=abc"

static const struct status connecting = {.state = "connecting",
					 .mode = "hide",
					 .phase = "conn",
					 .phase_text = "Connecting to the first relay",
					 .progress = 45,
					 .bridges = 1};
static const struct status failed = {.state = "failed",
				     .mode = "automatic",
				     .reason = "censored",
				     .reason_text = "No way to Tor works here.",
				     .advice = "Get a bridge."};
static const struct status asked = {.state = "asked", .mode = "none"};
static const struct status offline = {.state = "offline"};
static const struct status connected = {.state = "connected", .mode = "automatic", .progress = 100};

static void test_lines(void **state)
{
	static const struct {
		const struct status *status;
		const char *line;
	} rows[] = {
	    {&connecting, "connecting, 45 %: Connecting to the first relay"},
	    {&failed, "not connected: No way to Tor works here."},
	    {&asked, "not connected: you have not chosen yet how to connect"},
	    {&connected, "connected to Tor"},
	    {&offline, "offline"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO_BUF struct buf out = {.cap = 4096};

		show_line(rows[i].status, &out);
		assert_string_equal(buf_text(&out), rows[i].line);
	}
}

static void test_bar(void **state)
{
	AUTO_BUF struct buf out = {.cap = 4096};

	show_bar(&connecting, 80, &out);
	assert_string_equal(buf_text(&out),
			    "[#########...........]  45 %  Connecting to the first relay");
	/* Never as wide as the terminal, which would begin a new line; and letters stay whole. */
	for (size_t columns = 0; columns < 100; columns++) {
		struct status status = connecting;
		AUTO_BUF struct buf line = {.cap = 4096};

		snprintf(status.phase_text, sizeof(status.phase_text), "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4");
		show_bar(&status, columns, &line);
		assert_true(line.len < columns || columns <= 2);
		assert_int_not_equal((unsigned char)buf_text(&line)[line.len ? line.len - 1 : 0], 0xc3);
	}
}

static void test_whole(void **state)
{
	AUTO_BUF struct buf first = {.cap = 4096}, second = {.cap = 4096}, third = {.cap = 4096};

	show_whole(&failed, &first);
	assert_string_equal(buf_text(&first), "Tor: not connected: No way to Tor works here.\n"
					      "You chose to connect automatically.\n"
					      "What to try: Get a bridge.\n");
	show_whole(&connecting, &second);
	assert_non_null(strstr(buf_text(&second), "hide that you use Tor"));
	assert_non_null(strstr(buf_text(&second), "1 bridge.\n"));
	show_whole(&asked, &third);
	assert_non_null(strstr(buf_text(&third), "lethe-connect"));
}

/* Another daemon's text moves no cursor. */
static void test_foreign_text(void **state)
{
	struct status status = failed;
	AUTO_BUF struct buf out = {.cap = 4096};

	snprintf(status.reason_text, sizeof(status.reason_text), "a\033[2Jb\nc");
	show_line(&status, &out);
	assert_string_equal(buf_text(&out), "not connected: a?[2Jb?c");
}

static void test_json(void **state)
{
	AUTO_BUF struct buf first = {.cap = 4096}, second = {.cap = 4096};

	show_json(&connecting, &first);
	assert_string_equal(buf_text(&first),
			    "{\"state\":\"connecting\",\"mode\":\"hide\",\"progress\":45,"
			    "\"phase\":\"conn\",\"phase-text\":\"Connecting to the first relay\","
			    "\"reason\":null,\"reason-text\":null,\"advice\":null,\"bridges\":1,"
			    "\"default-bridges\":0}\n");
	show_json(&failed, &second);
	assert_non_null(strstr(buf_text(&second), "\"reason\":\"censored\""));
}

/* ---- the question ---- */

static struct torctl_bridges bridges;
static char said[65536];

static enum asked type(const char *typed, unsigned default_bridges)
{
	FILE *in = fmemopen((void *)(uintptr_t)typed, strlen(typed), "r");
	FILE *out = fmemopen(said, sizeof(said), "w");
	enum asked result;

	assert_non_null(in);
	assert_non_null(out);
	bridges.count = 0;
	result = ask_person(in, out, default_bridges, &bridges);
	fclose(in);
	fclose(out);
	return result;
}

static void test_question(void **state)
{
	static const struct {
		const char *typed;
		enum asked asked;
		size_t bridges;
	} rows[] = {
	    {"1\n", ASKED_AUTOMATIC, 0},
	    {"3\n", ASKED_OFFLINE, 0},
	    {"x\n\n12\n1\n", ASKED_AUTOMATIC, 0},
	    {"2\n" BRIDGE "\n\n", ASKED_HIDE, 1},
	    {"2\n" BRIDGE "\n" BRIDGE "\nobfs4 192.0.2.2:443 cert=a\n \n", ASKED_HIDE, 2},
	    {"2\nnonsense\n192.0.2.1:443\n" BRIDGE "\n\n", ASKED_HIDE, 1},
	    {"2\n\n1\n", ASKED_AUTOMATIC, 0},
	    {"2\nask\n", ASKED_HIDE_ASK, 0},
	    {"2\n" BRIDGE "\nask\n\n", ASKED_HIDE, 1},
	    {"2\ndefault\n", ASKED_HIDE_DEFAULT, 0},
	    {" ", ASKED_NOTHING, 0},
	    {"2\n" BRIDGE, ASKED_NOTHING, 1}, /* the terminal went away: nothing was chosen */
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		print_message("# %zu\n", i);
		assert_int_equal(type(rows[i].typed, 1), rows[i].asked);
		assert_int_equal(bridges.count, rows[i].bridges);
	}
	/* Without any, the system's own are no choice. */
	assert_int_equal(type("2\ndefault\n\n3\n", 0), ASKED_OFFLINE);
	assert_null(strstr(said, "the word default"));
}

static void test_long_lines_and_many(void **state)
{
	AUTO_BUF struct buf text = {.cap = 1 << 20};

	buf_puts(&text, "2\n");
	for (size_t i = 0; i < 3000; i++)
		buf_puts(&text, "obfs4 ");
	buf_puts(&text, "\n");
	for (unsigned i = 1; i <= TORCTL_BRIDGES_MAX + 1; i++)
		buf_printf(&text, "obfs4 192.0.2.1:%u cert=a\n", i);
	assert_int_equal(type(buf_text(&text), 0), ASKED_HIDE);
	assert_int_equal(bridges.count, TORCTL_BRIDGES_MAX);
	assert_non_null(strstr(said, "too long for a bridge"));
	assert_non_null(strstr(said, "These are enough"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_lines),   cmocka_unit_test(test_bar),
	    cmocka_unit_test(test_whole),   cmocka_unit_test(test_foreign_text),
	    cmocka_unit_test(test_json),    cmocka_unit_test(test_question),
	    cmocka_unit_test(test_long_lines_and_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

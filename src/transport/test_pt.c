/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "pt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void test_lines(void **state)
{
	static const struct {
		const char *text;
		enum pt_kind kind;
		const char *name;
		uint16_t port;
	} right[] = {
	    {"VERSION 1", PT_VERSION, "", 0},
	    {"VERSION-ERROR no-version", PT_VERSION_ERROR, "", 0},
	    {"VERSION-ERROR", PT_VERSION_ERROR, "", 0},
	    {"ENV-ERROR No TOR_PT_STATE_LOCATION", PT_ENV_ERROR, "", 0},
	    {"PROXY DONE", PT_PROXY_DONE, "", 0},
	    {"PROXY-ERROR cannot", PT_PROXY_ERROR, "", 0},
	    {"CMETHOD obfs4 socks5 127.0.0.1:34567", PT_CMETHOD, "obfs4", 34567},
	    {"CMETHOD a socks5 127.0.0.1:1", PT_CMETHOD, "a", 1},
	    {"CMETHOD _x9 socks5 127.0.0.1:65535", PT_CMETHOD, "_x9", 65535},
	    {"CMETHOD-ERROR meek_lite no such transport", PT_CMETHOD_ERROR, "meek_lite", 0},
	    {"CMETHODS DONE", PT_CMETHODS_DONE, "", 0},
	    {"LOG SEVERITY=debug MESSAGE=\"203.0.113.5\"", PT_LOG, "", 0},
	    {"STATUS TRANSPORT=snowflake CONNECT=Success", PT_STATUS, "", 0},
	    {"SMETHOD obfs4 127.0.0.1:5", PT_OTHER, "", 0},
	    {"", PT_OTHER, "", 0},
	    {" VERSION 1", PT_OTHER, "", 0},
	    {"version 1", PT_OTHER, "", 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(right); i++) {
		struct pt_line line;

		print_message("# %s\n", right[i].text);
		assert_int_equal(pt_line_parse(right[i].text, strlen(right[i].text), &line), 0);
		assert_int_equal(line.kind, right[i].kind);
		assert_string_equal(line.name, right[i].name);
		assert_int_equal(line.port, right[i].port);
	}
}

static void test_wrong_lines(void **state)
{
	static const char *const wrong[] = {
	    "VERSION",
	    "VERSION 2",
	    "VERSION 1 ",
	    "VERSION 1 2",
	    "PROXY",
	    "CMETHODS",
	    "CMETHODS NONE",
	    "CMETHOD",
	    "CMETHOD obfs4",
	    "CMETHOD obfs4 socks4 127.0.0.1:1",
	    "CMETHOD obfs4 socks5",
	    "CMETHOD obfs4 socks5 ",
	    "CMETHOD obfs4 socks5 127.0.0.1",
	    "CMETHOD obfs4 socks5 127.0.0.1:",
	    "CMETHOD obfs4 socks5 127.0.0.1:0",
	    "CMETHOD obfs4 socks5 127.0.0.1:01",
	    "CMETHOD obfs4 socks5 127.0.0.1:65536",
	    "CMETHOD obfs4 socks5 127.0.0.1:123456",
	    "CMETHOD obfs4 socks5 127.0.0.1:1 ARGS=x",
	    "CMETHOD obfs4 socks5 127.0.0.2:1",
	    "CMETHOD obfs4 socks5 0.0.0.0:9055",
	    "CMETHOD obfs4 socks5 [::1]:9055",
	    "CMETHOD  obfs4 socks5 127.0.0.1:1",
	    "CMETHOD 4obfs socks5 127.0.0.1:1",
	    "CMETHOD obfs-4 socks5 127.0.0.1:1",
	    "CMETHOD abcdefghijklmnopqrstuvwxyzabcdefg socks5 127.0.0.1:1",
	    "CMETHOD-ERROR",
	    "CMETHOD-ERROR a-b no",
	};
	static const char hidden[] = "CMETHOD obfs4 socks5 127.0.0.1:12\0"
				     "3";

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		struct pt_line line = {.port = 7};

		print_message("# %s\n", wrong[i]);
		assert_int_equal(pt_line_parse(wrong[i], strlen(wrong[i]), &line), -EBADMSG);
		assert_int_equal(line.port, 7);
	}
	assert_int_equal(pt_line_parse(hidden, sizeof(hidden) - 1, &(struct pt_line){0}), -EBADMSG);
}

#define ASKED     "obfs4"
#define BEGINNING "VERSION 1\n"
#define LISTENS   "CMETHOD obfs4 socks5 127.0.0.1:4001\n"
#define END       "CMETHODS DONE\n"

static const struct {
	const char *said;
	enum pt_state state;
	enum pt_fault fault;
	uint16_t port;
} conversations[] = {
    {"", PT_STARTING, 0, 0},
    {"VERSION", PT_STARTING, 0, 0},
    {BEGINNING, PT_NEGOTIATED, 0, 0},
    {BEGINNING LISTENS, PT_NEGOTIATED, 0, 4001},
    {BEGINNING LISTENS END, PT_READY, 0, 4001},
    {"LOG SEVERITY=notice MESSAGE=x\n" BEGINNING "STATUS a=b\nWHATEVER\n" LISTENS END "!\n",
     PT_READY, 0, 4001},
    /* Ready, it may say what it likes. */
    {BEGINNING LISTENS END "CMETHOD obfs4 socks5 10.0.0.1:80\nVERSION 2\n", PT_READY, 0, 4001},
    {"VERSION-ERROR no-version\n", PT_FAILED, PT_REFUSED, 0},
    {"ENV-ERROR x\n", PT_FAILED, PT_REFUSED, 0},
    {BEGINNING "PROXY-ERROR x\n", PT_FAILED, PT_REFUSED, 0},
    {BEGINNING "CMETHOD-ERROR obfs4 x\n" END, PT_FAILED, PT_REFUSED, 0},
    {LISTENS END, PT_FAILED, PT_MALFORMED, 0},
    {END, PT_FAILED, PT_MALFORMED, 0},
    {BEGINNING END, PT_FAILED, PT_MALFORMED, 0},
    {BEGINNING BEGINNING, PT_FAILED, PT_MALFORMED, 0},
    {BEGINNING LISTENS LISTENS END, PT_FAILED, PT_MALFORMED, 0},
    {BEGINNING "CMETHOD obfs3 socks5 127.0.0.1:4001\n" END, PT_FAILED, PT_MALFORMED, 0},
    {BEGINNING "CMETHOD obfs4 socks5 192.168.1.1:4001\n" END, PT_FAILED, PT_MALFORMED, 0},
    {BEGINNING LISTENS BEGINNING, PT_FAILED, PT_MALFORMED, 0},
    {"VERSION 1\r\n", PT_FAILED, PT_MALFORMED, 0},
};

/* However it comes, in pieces of whatever size. */
static void test_conversations(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(conversations); i++) {
		size_t length = strlen(conversations[i].said);

		print_message("# %zu\n", i);
		for (size_t piece = 1; piece <= length + 1; piece++) {
			struct pt pt;

			pt_begin(&pt, ASKED);
			for (size_t at = 0; at < length; at += piece)
				pt_feed(&pt, conversations[i].said + at,
					piece < length - at ? piece : length - at);
			assert_int_equal(pt.state, conversations[i].state);
			assert_int_equal(pt.port, conversations[i].port);
			if (pt.state == PT_FAILED)
				assert_int_equal(pt.fault, conversations[i].fault);
		}
	}
}

static void test_limits(void **state)
{
	char longest[PT_LINE_MAX + 1];
	struct pt pt;

	memset(longest, 'x', sizeof(longest));
	pt_begin(&pt, ASKED);
	assert_int_equal(pt_feed(&pt, longest, PT_LINE_MAX), PT_STARTING);
	assert_int_equal(pt_feed(&pt, "\n", 1), PT_STARTING);
	assert_int_equal(pt_feed(&pt, longest, PT_LINE_MAX + 1), PT_FAILED);
	assert_int_equal(pt.fault, PT_TOO_MUCH);

	pt_begin(&pt, ASKED);
	for (unsigned i = 0; i < PT_LINES_MAX; i++)
		assert_int_equal(pt_feed(&pt, "LOG\n", 4), PT_STARTING);
	assert_int_equal(pt_feed(&pt, BEGINNING, strlen(BEGINNING)), PT_FAILED);
	assert_int_equal(pt.fault, PT_TOO_MUCH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_lines),
	    cmocka_unit_test(test_wrong_lines),
	    cmocka_unit_test(test_conversations),
	    cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

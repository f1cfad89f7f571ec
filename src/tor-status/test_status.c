/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "status.h"

static void test_phases(void **state)
{
	static const struct {
		const char *text;
		unsigned progress;
		const char *phase, *summary, *warning, *reason;
	} rows[] = {
	    {"NOTICE BOOTSTRAP PROGRESS=0 TAG=starting SUMMARY=\"Starting\"", 0, "starting",
	     "Starting", "", ""},
	    {"NOTICE BOOTSTRAP PROGRESS=100 TAG=done SUMMARY=\"Done\"", 100, "done", "Done", "",
	     ""},
	    {"WARN BOOTSTRAP PROGRESS=5 TAG=conn SUMMARY=\"Connecting to a relay\" "
	     "WARNING=\"No route to host\" REASON=NOROUTE COUNT=3 RECOMMENDATION=warn "
	     "HOSTID=\"AAAA\" HOSTADDR=\"198.51.100.1:9001\"",
	     5, "conn", "Connecting to a relay", "No route to host", "NOROUTE"},
	    /* Words that a later Tor may add, and ones that it may leave out. */
	    {"NOTICE BOOTSTRAP NEW=1 PROGRESS=7", 7, "", "", "", ""},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct tor_status status = {0};

		assert_int_equal(tor_status_phase(rows[i].text, &status), 0);
		assert_int_equal(status.progress, rows[i].progress);
		assert_string_equal(status.phase, rows[i].phase);
		assert_string_equal(status.summary, rows[i].summary);
		assert_string_equal(status.warning, rows[i].warning);
		assert_string_equal(status.reason, rows[i].reason);
	}
}

static void test_what_is_no_phase(void **state)
{
	static const char *const rows[] = {
	    "",
	    "NOTICE",
	    "NOTICE BOOTSTRAP",
	    "NOTICE CIRCUIT PROGRESS=5",
	    "PROGRESS=5",
	    "NOTICE BOOTSTRAP PROGRESS=",
	    "NOTICE BOOTSTRAP PROGRESS=101",
	    "NOTICE BOOTSTRAP PROGRESS=-1",
	    "NOTICE BOOTSTRAP PROGRESS=5%",
	    "NOTICE BOOTSTRAP PROGRESS=99999999999999999999999",
	    "NOTICE BOOTSTRAP PROGRESS=5 SUMMARY=\"not ended",
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct tor_status status = {.progress = 42};

		assert_int_equal(tor_status_phase(rows[i], &status), -EBADMSG);
		assert_int_equal(status.progress, 42);
	}
}

static void test_long_texts_are_cut(void **state)
{
	struct tor_status status = {0};
	AUTO_BUF struct buf text = {.cap = 8192}, out = {.cap = 16384};

	buf_puts(&text, "NOTICE BOOTSTRAP PROGRESS=5 SUMMARY=");
	for (size_t i = 0; i < 4000; i++)
		buf_puts(&text, "x");
	assert_int_equal(tor_status_phase(buf_text(&text), &status), 0);
	assert_int_equal(strlen(status.summary), TOR_TEXT_MAX - 1);
	status.running = true;
	tor_status_json(&status, &out);
	assert_int_equal(buf_finish(&out), 0);
}

static void test_json(void **state)
{
	static const struct tor_status connected = {
	    .running = true,
	    .network = true,
	    .live = true,
	    .circuit = true,
	    .progress = 100,
	    .version = "0.4.8.16",
	    .phase = "done",
	    .summary = "Done",
	};
	struct tor_status stuck = {
	    .running = true,
	    .progress = 5,
	    .dormant = true,
	    .version = "1\"",
	    .phase = "conn",
	    .summary = "a\033[2Jb",
	    .warning = "No \xff",
	    .reason = "NOROUTE",
	};
	struct tor_status stopped = tor_status_failed("x", -ENOENT);
	AUTO_BUF struct buf first = {.cap = 4096}, second = {.cap = 4096}, third = {.cap = 4096};

	tor_status_json(&connected, &first);
	assert_string_equal(buf_text(&first),
			    "{\"running\":true,\"version\":\"0.4.8.16\",\"network\":\"enabled\","
			    "\"liveness\":\"up\",\"dormant\":false,\"progress\":100,"
			    "\"phase\":\"done\",\"summary\":\"Done\",\"circuit\":true,"
			    "\"warning\":null,\"reason\":null}\n");
	tor_status_json(&stuck, &second);
	assert_string_equal(buf_text(&second),
			    "{\"running\":true,\"version\":\"1\\\"\",\"network\":\"disabled\","
			    "\"liveness\":\"down\",\"dormant\":true,\"progress\":5,"
			    "\"phase\":\"conn\",\"summary\":\"a\\u001b[2Jb\",\"circuit\":false,"
			    "\"warning\":\"No \\ufffd\",\"reason\":\"NOROUTE\"}\n");
	tor_status_json(&stopped, &third);
	assert_string_equal(buf_text(&third),
			    "{\"running\":false,\"starting\":false,"
			    "\"reason\":\"Tor is not running (x)\"}\n");
}

/* Each failure that the client can answer has a sentence of its own, and none is "running". */
static void test_failures(void **state)
{
	static const int errors[] = {-ENOENT,      -ETIMEDOUT,    -ECONNRESET, -EBADMSG,
				     -EPERM,       -EKEYREJECTED, -EOPNOTSUPP, -EINVAL,
				     -EINPROGRESS, -EACCES,       -ENOLINK,     -EBUSY,
				     -ECONNABORTED, -EHOSTDOWN};
	char seen[ARRAY_SIZE(errors)][TOR_TEXT_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		struct tor_status status = tor_status_failed("step", errors[i]);

		assert_false(status.running);
		assert_int_equal(status.starting, errors[i] == -EINPROGRESS);
		assert_non_null(strstr(status.reason, "(step)"));
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(status.reason, seen[j]);
		memcpy(seen[i], status.reason, sizeof(seen[i]));
	}
}

/* Of what the gate says only one thing is that Tor does not run. */
static void test_greetings(void **state)
{
	static const struct {
		unsigned code;
		const char *text;
		int error;
	} rows[] = {
	    {250, "OK", 0},
	    {451, "Tor is not running", -ECONNREFUSED},
	    {451, "Tor is not there yet: it is still starting", -EINPROGRESS},
	    {451, "Tor did not answer", -ETIMEDOUT},
	    {451, "Tor cannot be used: the gate could not authenticate itself", -ENOLINK},
	    {451, "Tor cannot be used", -EBUSY},
	    {451, "Too many connections", -EBUSY},
	    {451, "Tor is not running after all", -EBUSY},
	    {510, "Not granted: nothing is, to this user", -ECONNABORTED},
	    {515, "Tor is not running", -ECONNABORTED},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(tor_status_greeting(&(struct torctl_line){.code = rows[i].code,
									   .text = rows[i].text}),
				 rows[i].error);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_phases),
	    cmocka_unit_test(test_what_is_no_phase),
	    cmocka_unit_test(test_long_texts_are_cut),
	    cmocka_unit_test(test_json),
	    cmocka_unit_test(test_failures),
	    cmocka_unit_test(test_greetings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

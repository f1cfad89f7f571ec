/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "heard.h"

static char phase[PHASE_MAX];

static int tor(const char *text, struct event *ret_event)
{
	return heard_tor(text, strlen(text), false, phase, ret_event);
}

/* As Tor 0.4.8 and 0.4.9 say it. */
static void test_bootstrap(void **state)
{
	static const struct {
		const char *text;
		unsigned progress;
		const char *phase;
		enum trouble trouble;
		bool hopeless;
	} rows[] = {
	    {"STATUS_CLIENT NOTICE BOOTSTRAP PROGRESS=10 TAG=conn_done SUMMARY=\"Connected to a "
	     "relay\"",
	     10, "conn_done", TROUBLE_NONE, false},
	    {"STATUS_CLIENT WARN BOOTSTRAP PROGRESS=5 TAG=conn SUMMARY=\"Connecting to a relay\" "
	     "WARNING=\"Connection refused\" REASON=CONNECTREFUSED COUNT=10 RECOMMENDATION=warn "
	     "HOSTID=\"AA\" HOSTADDR=\"192.0.2.1:443\"",
	     5, "conn", TROUBLE_REFUSED, true},
	    {"STATUS_CLIENT WARN BOOTSTRAP PROGRESS=14 TAG=handshake SUMMARY=\"x\" REASON=IDENTITY "
	     "RECOMMENDATION=ignore",
	     14, "handshake", TROUBLE_IDENTITY, false},
	    {"STATUS_CLIENT WARN BOOTSTRAP PROGRESS=5 REASON=TIMEOUT", 5, "", TROUBLE_SILENT, false},
	    {"STATUS_CLIENT NOTICE CIRCUIT_ESTABLISHED", 100, "done", TROUBLE_NONE, false},
	    {"STATUS_CLIENT NOTICE BOOTSTRAP PROGRESS=100 TAG=done", 100, "done", TROUBLE_NONE,
	     false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct event event = {0};

		assert_int_equal(tor(rows[i].text, &event), 0);
		assert_int_equal(event.kind, EVENT_BOOTSTRAP);
		assert_int_equal(event.bootstrap.progress, rows[i].progress);
		assert_string_equal(event.bootstrap.phase, rows[i].phase);
		assert_int_equal(event.bootstrap.trouble, rows[i].trouble);
		assert_int_equal(event.bootstrap.hopeless, rows[i].hopeless);
		assert_int_equal(heard_tor(rows[i].text + strlen("STATUS_CLIENT "),
					   strlen(rows[i].text) - strlen("STATUS_CLIENT "), true,
					   phase, &event),
				 0);
	}
}

static void test_other_events(void **state)
{
	static const struct {
		const char *text;
		enum event_kind kind;
		int value;
	} rows[] = {
	    {"ORCONN $AAAA~name CONNECTED ID=3", EVENT_RELAY, TROUBLE_NONE},
	    {"ORCONN 192.0.2.1:443 FAILED REASON=CONNECTREFUSED ID=3", EVENT_RELAY,
	     TROUBLE_REFUSED},
	    {"ORCONN $AAAA=name FAILED REASON=IDENTITY", EVENT_RELAY, TROUBLE_IDENTITY},
	    {"ORCONN $AAAA FAILED", EVENT_RELAY, TROUBLE_SILENT},
	    {"NETWORK_LIVENESS UP", EVENT_LIVENESS, 1},
	    {"NETWORK_LIVENESS DOWN", EVENT_LIVENESS, 0},
	    {"STATUS_GENERAL WARN CLOCK_SKEW SKEW=-86400 SOURCE=OR:192.0.2.1:443", EVENT_SKEW, 0},
	    {"STATUS_GENERAL WARN CLOCK_SKEW MIN_SKEW=7200 SOURCE=CONSENSUS", EVENT_SKEW, 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct event event = {0};

		assert_int_equal(tor(rows[i].text, &event), 0);
		assert_int_equal(event.kind, rows[i].kind);
		if (event.kind == EVENT_RELAY)
			assert_int_equal(event.relay, rows[i].value);
		if (event.kind == EVENT_LIVENESS)
			assert_int_equal(event.up, rows[i].value);
	}
}

static void test_what_is_no_event(void **state)
{
	static const struct {
		const char *text;
		int error;
	} rows[] = {
	    {"", -ENODATA},
	    {"CIRC 1 BUILT", -ENODATA},
	    {"STATUS_CLIENT NOTICE ENOUGH_DIR_INFO", -ENODATA},
	    {"STATUS_GENERAL WARN CLOCK_SKEW SKEW=5 SOURCE=x", -ENODATA},
	    {"STATUS_GENERAL WARN CLOCK_SKEW SKEW=x SOURCE=x", -EBADMSG},
	    {"STATUS_GENERAL WARN CLOCK_SKEW", -EBADMSG},
	    {"ORCONN $AAAA LAUNCHED", -ENODATA},
	    {"ORCONN $AAAA CLOSED REASON=DONE", -ENODATA},
	    {"ORCONN", -EBADMSG},
	    {"NETWORK_LIVENESS", -EBADMSG},
	    {"STATUS_CLIENT NOTICE BOOTSTRAP", -EBADMSG},
	    {"STATUS_CLIENT NOTICE BOOTSTRAP PROGRESS=101", -EBADMSG},
	    {"STATUS_CLIENT NOTICE BOOTSTRAP PROGRESS=5 TAG=\"\x1b[2J\"", -EBADMSG},
	    {"STATUS_CLIENT NOTICE BOOTSTRAP PROGRESS=5 TAG=\"not ended", -EBADMSG},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct event event = {.kind = EVENT_TIME};

		print_message("# %zu\n", i);
		assert_int_equal(tor(rows[i].text, &event), rows[i].error);
		assert_int_equal(event.kind, EVENT_TIME);
	}
}

static void test_leases(void **state)
{
	static const struct {
		const char *line;
		int state; /* or an error */
	} rows[] = {
	    {"{\"state\":\"starting\"}", LEASE_STARTING},
	    {"{\"state\":\"ready\",\"new\":[1]}", LEASE_READY},
	    {"{\"state\":\"failed\",\"reason\":\"it ended\"}", LEASE_LOST},
	    {"{\"state\":\"Ready\"}", -EBADMSG},
	    {"{\"state\":1}", -EBADMSG},
	    {"{}", -EBADMSG},
	    {"[]", -EBADMSG},
	    {"", -EBADMSG},
	    {"{\"state\":\"ready\"} x", -EBADMSG},
	    {"{\"state\":\"ready\",\"state\":\"failed\"}", -EBADMSG},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct event event = {0};
		int r = heard_lease(rows[i].line, strlen(rows[i].line), TORCTL_TRANSPORT_MEEK,
				    &event);

		assert_int_equal(r < 0 ? r : (int)event.lease.state, rows[i].state);
		if (r == 0)
			assert_int_equal(event.lease.transport, TORCTL_TRANSPORT_MEEK);
	}
}

static void test_clock(void **state)
{
	static const struct {
		const char *text;
		int outcome;
		bool captive;
	} rows[] = {
	    {"{\"outcome\":\"set\",\"reason\":\"x\",\"captive\":false,\"difference\":-5}",
	     CLOCK_SET, false},
	    {"{\"outcome\":\"right\"}", CLOCK_RIGHT, false},
	    {"{\"outcome\":\"kept\",\"captive\":true}", CLOCK_KEPT, true},
	    {"{\"outcome\":\"kept\",\"captive\":\"no\"}", -EBADMSG, false},
	    {"{\"outcome\":\"maybe\"}", -EBADMSG, false},
	    {"null", -EBADMSG, false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct event event = {0};
		int r = heard_clock(rows[i].text, strlen(rows[i].text), &event);

		assert_int_equal(r < 0 ? r : (int)event.clock.outcome, rows[i].outcome);
		assert_int_equal(event.clock.captive, rows[i].captive);
	}
}

static int settings(const char *line, struct torctl_bridges *bridges, unsigned *builtin,
		    struct event *ret_event)
{
	return heard_settings(line, strlen(line), bridges, builtin, ret_event);
}

static void test_settings(void **state)
{
	static struct torctl_bridges bridges;
	struct event event = {0};
	unsigned builtin = 0;

	bridges.count = 0;
	assert_int_equal(settings("bridge obfs4 192.0.2.1:443 cert=a", &bridges, &builtin, &event), 0);
	assert_int_equal(settings("bridge webtunnel 192.0.2.1:1 url=x", &bridges, &builtin, &event), 0);
	assert_int_equal(settings("builtin snowflake", &bridges, &builtin, &event), 0);
	assert_int_equal(settings("builtin webtunnel", &bridges, &builtin, &event), 0);
	assert_int_equal(settings("end", &bridges, &builtin, &event), 1);
	assert_int_equal(event.settings.outcome, SETTINGS_FOUND);
	assert_int_equal(event.settings.bridges->count, 1);
	assert_int_equal(event.settings.builtin, 1u << TORCTL_TRANSPORT_SNOWFLAKE);
	assert_int_equal(settings("none", &bridges, &builtin, &event), 1);
	assert_int_equal(event.settings.outcome, SETTINGS_EMPTY);
	assert_int_equal(settings("failed", &bridges, &builtin, &event), 1);
	assert_int_equal(event.settings.outcome, SETTINGS_FAILED);
	bridges.count = builtin = 0;
	assert_int_equal(settings("end", &bridges, &builtin, &event), 1);
	assert_int_equal(event.settings.outcome, SETTINGS_EMPTY);
	assert_int_equal(settings("bridge", &bridges, &builtin, &event), -EBADMSG);
	assert_int_equal(settings("", &bridges, &builtin, &event), -EBADMSG);
	assert_int_equal(settings("SETCONF x", &bridges, &builtin, &event), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_bootstrap), cmocka_unit_test(test_other_events),
	    cmocka_unit_test(test_what_is_no_event), cmocka_unit_test(test_leases),
	    cmocka_unit_test(test_clock), cmocka_unit_test(test_settings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

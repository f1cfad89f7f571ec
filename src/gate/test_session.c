/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "test_help.h"

/* ---- greeting ---- */

static void test_greeting(void **state)
{
	const struct rights rights = rights_by("getinfo version");
	CLEANUP(session_freep) struct session *session = session_by(&rights);

	EXCHANGE(session, "PROTOCOLINFO 1\r\n", "GETINFO version\r\n",
		 "250-version=0.4.8.16\r\n250 OK\r\n",
		 "250-PROTOCOLINFO 1\r\n250-AUTH METHODS=NULL\r\n250-VERSION Tor=\"0.4.8.16\"\r\n"
		 "250 OK\r\n");
	REFUSED(session, "AUTHCHALLENGE SAFECOOKIE 00\r\n",
		"513 There is no cookie here; AUTHENTICATE is enough\r\n");
	REFUSED(session, "AUTHENTICATE \"anything\"\r\n", "250 OK\r\n");
	REFUSED(session, "AUTHENTICATE 0011\r\n", "250 OK\r\n");
	REFUSED(session, "QUIT\r\n", "250 closing connection\r\n");
	assert_true(session_ended(session));
}

static void test_nothing_before_authenticate(void **state)
{
	const struct rights rights = rights_by("getinfo version");
	CLEANUP(session_freep) struct session *session = session_by(&rights);

	REFUSED(session, "GETINFO version\r\n", "514 Authentication required\r\n");
	assert_true(session_ended(session));
}

/* ---- what is granted, and what is not ---- */

static void test_getinfo(void **state)
{
	const struct rights rights = rights_by("getinfo version, ns/id, ip-to-country, uptime");
	CLEANUP(session_freep) struct session *session = session_by(&rights);

	log_in(session);
	EXCHANGE(session, "getinfo  version uptime\r\n", "GETINFO version uptime\r\n",
		 "250-version=1\r\n250-uptime=2\r\n250 OK\r\n",
		 "250-version=1\r\n250-uptime=2\r\n250 OK\r\n");
	/* One that is not granted refuses all of them. */
	REFUSED(session, "GETINFO version config-text\r\n",
		"552 Not granted: GETINFO config-text\r\n");
	REFUSED(session, "GETINFO address\r\n", "552 Not granted: GETINFO address\r\n");
	REFUSED(session, "GETINFO VERSION\r\n", "552 Not granted: GETINFO VERSION\r\n");
	REFUSED(session, "GETINFO ns/id\r\n", "552 Not granted: GETINFO ns/id\r\n");
	REFUSED(session, "GETINFO ns/all\r\n", "552 Not granted: GETINFO ns/all\r\n");
	REFUSED(session, "GETINFO ns/id/$AA\r\n", "552 Not granted: GETINFO ns/id/$AA\r\n");
	REFUSED(session, "GETINFO ip-to-country/example.com\r\n",
		"552 Not granted: GETINFO ip-to-country/example.com\r\n");
	EXCHANGE(session, "GETINFO ns/id/$0123456789ABCDEF0123456789ABCDEF01234567\r\n",
		 "GETINFO ns/id/$0123456789ABCDEF0123456789ABCDEF01234567\r\n",
		 "250+ns/id/$0123456789ABCDEF0123456789ABCDEF01234567=\r\nr a\r\n..b\r\n.\r\n"
		 "250 OK\r\n",
		 "250+ns/id/$0123456789ABCDEF0123456789ABCDEF01234567=\r\nr a\r\n..b\r\n.\r\n"
		 "250 OK\r\n");
	EXCHANGE(session, "GETINFO uptime\r\n", "GETINFO uptime\r\n",
		 "551 Internal error\r\n", "551 Internal error\r\n");
}

static void test_an_answer_about_something_else(void **state)
{
	static const char *const lies[] = {
		"250-config-text=x\r\n250 OK\r\n",
		"250 OK\r\n",
		"250-version=1\r\n250-address=192.0.2.1\r\n250 OK\r\n",
		"250-versions=1\r\n250 OK\r\n",
		"250-version\r\n250 OK\r\n",
	};
	const struct rights rights = rights_by("getinfo version");

	for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
		CLEANUP(session_freep) struct session *session = session_by(&rights);

		log_in(session);
		client_says(session, "GETINFO version\r\n");
		TOR_HEARS(session, "GETINFO version\r\n");
		tor_says(session, lies[i]);
		assert_true(session_ended(session));
		assert_null(strstr(outlet_bytes(session_for_client(session)), "192.0.2.1"));
		assert_null(strstr(outlet_bytes(session_for_client(session)), "config"));
	}
}

static void test_options(void **state)
{
	const struct rights rights = rights_by("getconf UseBridges\nsetconf UseBridges, Bridge, "
					       "ClientTransportPlugin, Socks5Proxy, DisableNetwork\n"
					       "transport obfs4 9055");
	CLEANUP(session_freep) struct session *session = session_by(&rights);

	log_in(session);
	EXCHANGE(session, "GETCONF usebridges\r\n", "GETCONF usebridges\r\n",
		 "250 UseBridges=0\r\n", "250 UseBridges=0\r\n");
	REFUSED(session, "GETCONF UseBridges Bridge\r\n", "552 Not granted: GETCONF Bridge\r\n");
	REFUSED(session, "GETCONF Log\r\n", "552 Not granted: GETCONF Log\r\n");
	REFUSED(session, "GETCONF\r\n", "250 OK\r\n");
	EXCHANGE(session,
		 "SETCONF usebridges=1 Bridge=\"Obfs4  192.0.2.1:443 cert=a \" Bridge=192.0.2.2:9\r\n",
		 "SETCONF UseBridges=\"1\" Bridge=\"obfs4 192.0.2.1:443 cert=a\" "
		 "Bridge=\"192.0.2.2:9\"\r\n",
		 "250 OK\r\n", "250 OK\r\n");
	REFUSED(session, "SETCONF Bridge=\"obfs4 192.0.2.1:443\"\r\n",
		"553 Not granted: Bridge: the value is no bridge's line\r\n");
	EXCHANGE(session, "RESETCONF Bridge\r\n", "RESETCONF Bridge\r\n", "250 OK\r\n",
		 "250 OK\r\n");
	EXCHANGE(session, "SETCONF ClientTransportPlugin=\"obfs4 socks5 127.0.0.1:9055\"\r\n",
		 "SETCONF ClientTransportPlugin=\"obfs4 socks5 127.0.0.1:9055\"\r\n",
		 "250 OK\r\n", "250 OK\r\n");
	REFUSED(session, "SETCONF ClientTransportPlugin=\"obfs4 exec /bin/sh\"\r\n",
		"553 Not granted: ClientTransportPlugin: this transport is not granted\r\n");
	REFUSED(session, "SETCONF UseBridges=1 SocksPort=0\r\n",
		"552 Not granted: SocksPort: this option may not be set here\r\n");
	REFUSED(session, "SETCONF UseBridges=2\r\n",
		"553 Not granted: UseBridges: the value is not 0 or 1\r\n");
	REFUSED(session, "SETCONF Bridge=\"192.0.2.1:443\\r\\nSocksPort 1\"\r\n",
		"512 Bad arguments: a value holds a character that is not printable ASCII\r\n");
	EXCHANGE(session, "GETCONF UseBridges\r\n", "GETCONF UseBridges\r\n",
		 "250-UseBridges=1\r\n250 Bridge=x\r\n",
		 "451 Tor's answer is about something else\r\n");
}

static void test_commands_that_nobody_has(void **state)
{
	static const char *const none[] = {
		"MAPADDRESS a=b",	"EXTENDCIRCUIT 0", "ATTACHSTREAM 1 0", "CLOSESTREAM 1 1",
		"CLOSECIRCUIT 1",	"SAVECONF",	   "TAKEOWNERSHIP",    "LOADCONF",
		"USEFEATURE X",		"HSFETCH x",	   "RESOLVE a",	       "DROPOWNERSHIP",
		"SETCIRCUITPURPOSE 1 x", "POSTDESCRIPTOR",
	};
	/* Everything that can be granted. */
	const struct rights rights = rights_by("see all\ndrop-guards\nonion-clients\n"
					       "onions to 1-65535\ngetinfo version\n"
					       "signals NEWNYM, ACTIVE\nevents BW");
	CLEANUP(session_freep) struct session *session = session_by(&rights);
	char line[64];

	log_in(session);
	for (size_t i = 0; i < ARRAY_SIZE(none); i++) {
		snprintf(line, sizeof(line), "%s\r\n", none[i]);
		REFUSED(session, line, "510 Not granted: nobody may use this command here\r\n");
	}
	REFUSED(session, "+LOADCONF\r\nSocksPort 1\r\nQUIT\r\n.\r\n",
		"510 Not granted: nobody may use this command here\r\n");
	REFUSED(session, "WHATEVER\r\n", "510 Unrecognized command\r\n");
	REFUSED(session, "\r\n", "510 Unrecognized command\r\n");
	REFUSED(session, "SIGNAL HALT\r\n", "552 Not granted: SIGNAL HALT\r\n");
	REFUSED(session, "SIGNAL RELOAD\r\n", "552 Not granted: SIGNAL RELOAD\r\n");
	REFUSED(session, "SETEVENTS BW INFO\r\n", "552 Not granted: the event INFO\r\n");
	EXCHANGE(session, "DROPGUARDS\r\n", "DROPGUARDS\r\n", "250 OK\r\n", "250 OK\r\n");
}

static void test_nothing_is_granted(void **state)
{
	static const char *const all[] = {
		"GETINFO version",  "GETCONF UseBridges", "SETCONF UseBridges=1", "SIGNAL NEWNYM",
		"RESETCONF Bridge", "SETEVENTS STREAM",	  "DROPGUARDS",
		"ADD_ONION NEW:BEST Port=80", "ONION_CLIENT_AUTH_VIEW", ("DEL_ONION " ONION),
	};
	const struct rights rights = { 0 };
	CLEANUP(session_freep) struct session *session = session_by(&rights);
	char line[128];

	log_in(session);
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		snprintf(line, sizeof(line), "%s\r\n", all[i]);
		client_says(session, line);
		TOR_HEARS(session, "");
		assert_int_equal(outlet_bytes(session_for_client(session))[0], '5');
		outlet_take(session_for_client(session),
			    outlet_length(session_for_client(session)));
	}
	EXCHANGE(session, "SETEVENTS\r\n", "SETEVENTS\r\n", "250 OK\r\n", "250 OK\r\n");
}

/* ---- order ---- */

static void test_one_at_a_time(void **state)
{
	static const char pipeline[] = "GETINFO version\r\nGETINFO address\r\nGETINFO uptime\r\n";
	const struct rights rights = rights_by("getinfo version, uptime");
	CLEANUP(session_freep) struct session *session = session_by(&rights);
	size_t taken;

	log_in(session);
	taken = session_client(session, pipeline, strlen(pipeline), 2000);
	assert_int_equal(taken, strlen("GETINFO version\r\n"));
	assert_false(session_listens(session));
	assert_int_equal(session_client(session, pipeline + taken, 3, 2000), 0);
	TOR_HEARS(session, "GETINFO version\r\n");
	tor_says(session, "250-version=1\r\n250 OK\r\n");
	CLIENT_HEARS(session, "250-version=1\r\n250 OK\r\n");
	assert_true(session_listens(session));
	client_says(session, pipeline + taken);
	CLIENT_HEARS(session, "552 Not granted: GETINFO address\r\n");
	TOR_HEARS(session, "GETINFO uptime\r\n");
}

static void test_bytes_that_end_it(void **state)
{
	static const char *const texts[] = { "GETINFO version\n", "GETINFO version\rX",
					     "GETINFO\nSIGNAL HALT\r\n" };
	const struct rights rights = rights_by("getinfo version");

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		CLEANUP(session_freep) struct session *session = session_by(&rights);

		log_in(session);
		client_says(session, texts[i]);
		CLIENT_HEARS(session, "500 Syntax error: a NUL, or a line that does not end in "
				      "CR LF\r\n");
		TOR_HEARS(session, "");
		assert_true(session_ended(session));
	}
}

static void test_a_line_without_end(void **state)
{
	const struct rights rights = rights_by("getinfo version");
	CLEANUP(session_freep) struct session *session = session_by(&rights);
	char piece[1000];
	size_t sent = 0;

	memset(piece, 'A', sizeof(piece));
	log_in(session);
	while (!session_ended(session)) {
		session_client(session, piece, sizeof(piece), 2000);
		sent += sizeof(piece);
		assert_true(sent < 2 * SESSION_LINE_MAX);
	}
	CLIENT_HEARS(session, "500 Syntax error: this command is too long\r\n");
}

/* ---- limits ---- */

static void test_times(void **state)
{
	const struct rights rights = rights_by("getinfo version");
	CLEANUP(session_freep) struct session *late = session_by(&rights);
	CLEANUP(session_freep) struct session *half = session_by(&rights);
	CLEANUP(session_freep) struct session *deaf = session_by(&rights);
	CLEANUP(session_freep) struct session *alone = session_by(&rights);
	CLEANUP(session_freep) struct session *quiet = session_by(&rights);

	assert_int_equal(session_due(late), 1000 + SESSION_LOGIN_MS);
	session_tick(late, 1000 + SESSION_LOGIN_MS - 1);
	assert_false(session_ended(late));
	session_tick(late, 1000 + SESSION_LOGIN_MS);
	assert_true(session_ended(late));

	/* A byte now and then does not make a line. */
	log_in(half);
	session_client(half, "G", 1, 3000);
	session_client(half, "E", 1, 3000 + SESSION_STALL_MS - 1);
	assert_int_equal(session_due(half), 3000 + SESSION_STALL_MS);
	session_tick(half, 3000 + SESSION_STALL_MS);
	assert_true(session_ended(half));

	log_in(deaf);
	session_client(deaf, "NONSENSE\r\n", 10, 3000);
	assert_int_equal(session_due(deaf), 3000 + SESSION_STALL_MS);
	outlet_take(session_for_client(deaf), 1);
	session_progress(deaf, 4000);
	assert_int_equal(session_due(deaf), 4000 + SESSION_STALL_MS);
	session_tick(deaf, 4000 + SESSION_STALL_MS);
	assert_true(session_ended(deaf));

	log_in(alone);
	session_client(alone, "GETINFO version\r\n", 17, 3000);
	outlet_take(session_for_tor(alone), outlet_length(session_for_tor(alone)));
	session_tick(alone, 3000 + SESSION_STALL_MS);
	CLIENT_HEARS(alone, "451 Tor does not answer\r\n");

	/* Who waits for events may do so for ever. */
	log_in(quiet);
	session_progress(quiet, 3000);
	assert_int_equal(session_due(quiet), UINT64_MAX);
}

static void test_rate(void **state)
{
	const struct rights rights = rights_by("getinfo version");
	CLEANUP(session_freep) struct session *session = session_by(&rights);
	size_t count = 0;

	while (session_listens(session)) {
		assert_int_equal(session_client(session, "AUTHENTICATE\r\n", 14, 1000), 14);
		outlet_take(session_for_client(session),
			    outlet_length(session_for_client(session)));
		count++;
	}
	assert_int_equal(count, SESSION_BURST);
	session_progress(session, 1000);
	assert_int_equal(session_due(session), 1000 + SESSION_REFILL_MS);
	assert_int_equal(session_client(session, "QUIT\r\n", 6, 1000), 0);
	session_tick(session, 1000 + SESSION_REFILL_MS);
	assert_true(session_listens(session));
}

/* A client that asks for events and does not read: what waits for it is bounded, and it is ended. */
static void test_a_client_that_does_not_read(void **state)
{
	const struct rights rights = rights_by("events BW");
	CLEANUP(session_freep) struct session *session = session_by(&rights);
	size_t rounds = 0;

	log_in(session);
	EXCHANGE(session, "SETEVENTS BW\r\n", "SETEVENTS BW\r\n", "250 OK\r\n", "250 OK\r\n");
	while (!session_ended(session) && rounds++ < SESSION_WAITING_MAX)
		tor_says(session, "650 BW 1 2\r\n");
	assert_true(session_ended(session));
	assert_true(outlet_length(session_for_client(session)) <= SESSION_WAITING_MAX);
}

static void test_newnym(void **state)
{
	const struct rights rights = rights_by("signals NEWNYM, ACTIVE");
	CLEANUP(session_freep) struct session *session = session_by(&rights);

	log_in(session);
	EXCHANGE(session, "SIGNAL newnym\r\n", "SIGNAL NEWNYM\r\n", "250 OK\r\n", "250 OK\r\n");
	REFUSED(session, "SIGNAL NEWNYM\r\n", "551 NEWNYM was given a moment ago\r\n");
	EXCHANGE(session, "SIGNAL ACTIVE\r\n", "SIGNAL ACTIVE\r\n", "250 OK\r\n", "250 OK\r\n");
	assert_int_equal(session_client(session, "SIGNAL NEWNYM\r\n", 15, 2000 + SESSION_NEWNYM_MS),
			 15);
	TOR_HEARS(session, "SIGNAL NEWNYM\r\n");
}

/* ---- Tor ---- */

static void test_tor_ends(void **state)
{
	const struct rights rights = rights_by("getinfo version");
	CLEANUP(session_freep) struct session *session = session_by(&rights);

	log_in(session);
	client_says(session, "GETINFO version\r\n");
	session_tor_ended(session);
	CLIENT_HEARS(session, "451 Tor has ended the connection\r\n");
	assert_true(session_ended(session));
}

static void test_tor_talks_nonsense(void **state)
{
	static const char *const texts[] = { "250 OK\r\n", "HTTP/1.1 200 OK\r\n", "250 a\n" };
	const struct rights rights = rights_by("getinfo version");

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		CLEANUP(session_freep) struct session *session = session_by(&rights);

		log_in(session);
		tor_says(session, texts[i]);
		assert_true(session_ended(session));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_greeting),
		cmocka_unit_test(test_nothing_before_authenticate),
		cmocka_unit_test(test_getinfo),
		cmocka_unit_test(test_an_answer_about_something_else),
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_commands_that_nobody_has),
		cmocka_unit_test(test_nothing_is_granted),
		cmocka_unit_test(test_one_at_a_time),
		cmocka_unit_test(test_bytes_that_end_it),
		cmocka_unit_test(test_a_line_without_end),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_rate),
		cmocka_unit_test(test_a_client_that_does_not_read),
		cmocka_unit_test(test_newnym),
		cmocka_unit_test(test_tor_ends),
		cmocka_unit_test(test_tor_talks_nonsense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

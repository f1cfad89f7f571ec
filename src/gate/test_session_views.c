/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Whose streams, circuits and onion services a client sees. */
#include "test_help.h"

#define VICTIM "SOCKS_USERNAME=\"victim.example\" SOCKS_PASSWORD=\"p\" CLIENT_PROTOCOL=SOCKS5 " \
	       "NYM_EPOCH=0 SESSION_GROUP=9050 ISO_FIELDS=SESSION_GROUP"
#define OWN    "SOCKS_USERNAME=\"own.example\" SOCKS_PASSWORD=\"q\" CLIENT_PROTOCOL=SOCKS5 " \
	       "NYM_EPOCH=0 SESSION_GROUP=9150 ISO_FIELDS=SESSION_GROUP"
#define PATH   "$0123456789ABCDEF0123456789ABCDEF01234567~a,$0123456789ABCDEF0123456789ABCDEF01234568=b"

static void subscribe(struct session *session)
{
	EXCHANGE(session, "SETEVENTS STREAM CIRC\r\n", "SETEVENTS CIRC STREAM\r\n", "250 OK\r\n",
		 "250 OK\r\n");
}

static void let_both_browse(struct session *session)
{
	tor_says(session, "650 CIRC 7 LAUNCHED BUILD_FLAGS=NEED_CAPACITY PURPOSE=GENERAL\r\n"
			  "650 CIRC 8 BUILT " PATH " PURPOSE=GENERAL\r\n"
			  "650 STREAM 1 NEW 0 victim.example:80 SOURCE_ADDR=127.0.0.1:4000 "
			  "PURPOSE=USER " VICTIM "\r\n"
			  "650 STREAM 2 NEW 0 own.example:443 SOURCE_ADDR=127.0.0.1:4001 "
			  "PURPOSE=USER " OWN "\r\n"
			  "650 STREAM 1 SENTCONNECT 7 victim.example:80 " VICTIM "\r\n"
			  "650 STREAM 2 SENTCONNECT 8 own.example:443 " OWN "\r\n"
			  "650 STREAM 1 SUCCEEDED 7 192.0.2.80:80 " VICTIM "\r\n"
			  "650 STREAM 2 SUCCEEDED 8 192.0.2.81:443 " OWN "\r\n");
}

static const char statuses[] = "250-stream-status=1 SUCCEEDED 7 192.0.2.80:80\r\n250 OK\r\n";

static void test_streams_of_ones_own_port(void **state)
{
	const struct rights rights = rights_by("see 9150\nevents STREAM, CIRC, STREAM_BW\n"
					       "getinfo stream-status, circuit-status");
	CLEANUP(session_freep) struct session *session = session_by(&rights);

	log_in(session);
	subscribe(session);
	let_both_browse(session);
	CLIENT_HEARS(session, "650 STREAM 2 NEW 0 own.example:443 PURPOSE=USER\r\n"
			      "650 STREAM 2 SENTCONNECT 8 own.example:443\r\n"
			      "650 STREAM 2 SUCCEEDED 8 192.0.2.81:443\r\n");
	EXCHANGE(session, "GETINFO stream-status\r\n", "GETINFO stream-status\r\n", statuses,
		 "250-stream-status=\r\n250 OK\r\n");
	EXCHANGE(session, "GETINFO stream-status\r\n", "GETINFO stream-status\r\n",
		 "250+stream-status=\r\n1 SUCCEEDED 7 192.0.2.80:80\r\n"
		 "2 SUCCEEDED 8 192.0.2.81:443\r\n.\r\n250 OK\r\n",
		 "250-stream-status=2 SUCCEEDED 8 192.0.2.81:443\r\n250 OK\r\n");
	EXCHANGE(session, "GETINFO circuit-status\r\n", "GETINFO circuit-status\r\n",
		 "250+circuit-status=\r\n"
		 "7 BUILT " PATH " PURPOSE=GENERAL SOCKS_USERNAME=\"victim.example\"\r\n"
		 "8 BUILT " PATH " PURPOSE=GENERAL SOCKS_USERNAME=\"own.example\" "
		 "TIME_CREATED=2026-01-01T00:00:00\r\n"
		 "9 BUILT " PATH " PURPOSE=HS_CLIENT_REND REND_QUERY=" ONION "\r\n.\r\n250 OK\r\n",
		 "250-circuit-status=8 BUILT " PATH " PURPOSE=GENERAL "
		 "TIME_CREATED=2026-01-01T00:00:00\r\n250 OK\r\n");
	/* What has ended is not known any more; its number may be another's. */
	tor_says(session, "650 STREAM 1 CLOSED 7 192.0.2.80:80 REASON=DONE " VICTIM "\r\n"
			  "650 STREAM 2 CLOSED 8 192.0.2.81:443 REASON=DONE " OWN "\r\n"
			  "650 CIRC 7 CLOSED " PATH " REASON=FINISHED\r\n"
			  "650 CIRC 8 CLOSED " PATH " REASON=FINISHED\r\n"
			  "650 CIRC 8 CLOSED " PATH " REASON=FINISHED\r\n");
	CLIENT_HEARS(session, "650 STREAM 2 CLOSED 8 192.0.2.81:443 REASON=DONE\r\n"
			      "650 CIRC 8 CLOSED " PATH " REASON=FINISHED\r\n");
}

/* Tor is asked for what the gate needs; the client hears what it asked for. */
static void test_events_nobody_asked_for(void **state)
{
	const struct rights rights = rights_by("see 9150\nevents STREAM, CIRC\n"
					       "getinfo circuit-status");
	CLEANUP(session_freep) struct session *session = session_by(&rights);

	log_in(session);
	let_both_browse(session);
	CLIENT_HEARS(session, "");
	EXCHANGE(session, "SETEVENTS\r\n", "SETEVENTS CIRC STREAM\r\n", "250 OK\r\n",
		 "250 OK\r\n");
	tor_says(session, "650 STREAM 3 NEW 0 own.example:443 PURPOSE=USER " OWN "\r\n");
	CLIENT_HEARS(session, "");
	EXCHANGE(session, "GETINFO circuit-status\r\n", "GETINFO circuit-status\r\n",
		 "250-circuit-status=8 BUILT " PATH " PURPOSE=GENERAL\r\n250 OK\r\n",
		 "250-circuit-status=8 BUILT " PATH " PURPOSE=GENERAL\r\n250 OK\r\n");
}

/* The anti-test: with a grant that is too wide, the leak is there. */
static void test_all_streams(void **state)
{
	const struct rights rights = rights_by("see all\nevents STREAM\nreveal SOCKS_USERNAME, "
					       "SOURCE_ADDR\ngetinfo stream-status, "
					       "circuit-status");
	CLEANUP(session_freep) struct session *session = session_by(&rights);

	log_in(session);
	EXCHANGE(session, "SETEVENTS STREAM\r\n", "SETEVENTS STREAM\r\n", "250 OK\r\n",
		 "250 OK\r\n");
	tor_says(session, "650 STREAM 1 NEW 0 victim.example:80 SOURCE_ADDR=127.0.0.1:4000 "
			  "PURPOSE=USER " VICTIM "\r\n");
	CLIENT_HEARS(session, "650 STREAM 1 NEW 0 victim.example:80 SOURCE_ADDR=127.0.0.1:4000 "
			      "PURPOSE=USER SOCKS_USERNAME=\"victim.example\"\r\n");
	EXCHANGE(session, "GETINFO stream-status\r\n", "GETINFO stream-status\r\n", statuses,
		 statuses);
	EXCHANGE(session, "GETINFO circuit-status\r\n", "GETINFO circuit-status\r\n",
		 "250+circuit-status=\r\n1 BUILT\r\n2 LAUNCHED REND_QUERY=x\r\n.\r\n250 OK\r\n",
		 "250+circuit-status=\r\n1 BUILT\r\n2 LAUNCHED\r\n.\r\n250 OK\r\n");
}

static void test_without_a_view_nothing_is_seen(void **state)
{
	const struct rights rights = rights_by("events STREAM, CIRC, CIRC_MINOR\n"
					       "getinfo stream-status, circuit-status");
	CLEANUP(session_freep) struct session *session = session_by(&rights);

	log_in(session);
	subscribe(session);
	let_both_browse(session);
	CLIENT_HEARS(session, "");
	EXCHANGE(session, "GETINFO stream-status\r\n", "GETINFO stream-status\r\n", statuses,
		 "250-stream-status=\r\n250 OK\r\n");
}

/* A field's text cannot pretend to be another field, nor a stream be another's by what it says. */
static void test_what_is_in_quotes_is_no_field(void **state)
{
	const struct rights rights = rights_by("see 9150\nevents STREAM\nreveal SOCKS_USERNAME");
	CLEANUP(session_freep) struct session *session = session_by(&rights);

	log_in(session);
	EXCHANGE(session, "SETEVENTS STREAM\r\n", "SETEVENTS CIRC STREAM\r\n", "250 OK\r\n",
		 "250 OK\r\n");
	tor_says(session, "650 STREAM 1 NEW 0 a:80 SOCKS_USERNAME=\"x\\\" SESSION_GROUP=9150 y\" "
			  "SESSION_GROUP=9050\r\n"
			  "650 STREAM 2 NEW 0 a:80 SOCKS_USERNAME=\"SESSION_GROUP=9150\" "
			  "SESSION_GROUP=9050\r\n"
			  "650 STREAM 3 NEW 0 a:80 SOCKS_USERNAME=\"open SESSION_GROUP=9150\r\n"
			  "650 STREAM 4 NEW 0 a:80 SESSION_GROUP=91500\r\n"
			  "650 STREAM 5 NEW 0 a:80 SESSION_GROUP=-9150\r\n"
			  "650 STREAM 6 NEW 0 a:80 SOCKS_USERNAME=\"a\\\"b\\\\c\\n\" "
			  "SESSION_GROUP=9150\r\n");
	CLIENT_HEARS(session, "650 STREAM 6 NEW 0 a:80 "
			      "SOCKS_USERNAME=\"a\\\"b\\\\c\\012\"\r\n");
}

static void test_states(void **state)
{
	const struct rights plain = rights_by("events STATUS_CLIENT, STATUS_GENERAL, STATUS_SERVER, CONF_CHANGED, "
					      "NETWORK_LIVENESS, HS_DESC\ngetconf UseBridges\n"
					      "getinfo status/bootstrap-phase");
	CLEANUP(session_freep) struct session *session = session_by(&plain);

	log_in(session);
	EXCHANGE(session,
		 "SETEVENTS STATUS_CLIENT STATUS_GENERAL STATUS_SERVER CONF_CHANGED HS_DESC NETWORK_LIVENESS\r\n",
		 "SETEVENTS CONF_CHANGED HS_DESC NETWORK_LIVENESS STATUS_CLIENT STATUS_GENERAL STATUS_SERVER\r\n",
		 "250 OK\r\n", "250 OK\r\n");
	tor_says(session,
		 "650 STATUS_CLIENT WARN BOOTSTRAP PROGRESS=5 TAG=conn SUMMARY=\"Connecting\" "
		 "WARNING=\"No route\" REASON=NOROUTE COUNT=3 HOSTID=\"AB\" "
		 "HOSTADDR=\"192.0.2.1:443\"\r\n"
		 "650 STATUS_CLIENT WARN DANGEROUS_SOCKS PROTOCOL=SOCKS5 ADDRESS=192.0.2.9:80\r\n"
		 "650 STATUS_GENERAL WARN CLOCK_SKEW SKEW=-60 SOURCE=OR:192.0.2.1:443\r\n"
		 "650 STATUS_SERVER NOTICE EXTERNAL_ADDRESS ADDRESS=192.0.2.7 METHOD=DIRSERV\r\n"
		 "650-CONF_CHANGED\r\n650-Bridge=obfs4 192.0.2.1:443\r\n650-UseBridges=1\r\n"
		 "650 OK\r\n"
		 "650-CONF_CHANGED\r\n650-Bridge=obfs4 192.0.2.1:443\r\n650 OK\r\n"
		 "650 HS_DESC REQUESTED " ONION " NO_AUTH $AB~c d\r\n"
		 "650 NETWORK_LIVENESS UP\r\n"
		 "650 BW 1 2\r\n"
		 "650 NOTICE opening a connection to 192.0.2.1\r\n"
		 "650 UNHEARD OF\r\n");
	CLIENT_HEARS(session,
		     "650 STATUS_CLIENT WARN BOOTSTRAP PROGRESS=5 TAG=conn SUMMARY=\"Connecting\" "
		     "WARNING=\"No route\" REASON=NOROUTE COUNT=3\r\n"
		     "650 STATUS_CLIENT WARN DANGEROUS_SOCKS\r\n"
		     "650 STATUS_GENERAL WARN CLOCK_SKEW SKEW=-60\r\n"
		     "650 STATUS_SERVER NOTICE EXTERNAL_ADDRESS\r\n"
		     "650-CONF_CHANGED\r\n650-UseBridges=1\r\n650 OK\r\n"
		     "650 NETWORK_LIVENESS UP\r\n");
	EXCHANGE(session, "GETINFO status/bootstrap-phase\r\n",
		 "GETINFO status/bootstrap-phase\r\n",
		 "250-status/bootstrap-phase=WARN BOOTSTRAP PROGRESS=5 HOSTADDR=\"192.0.2.1:1\" "
		 "SUMMARY=\"a b\"\r\n250 OK\r\n",
		 "250-status/bootstrap-phase=WARN BOOTSTRAP PROGRESS=5 SUMMARY=\"a b\"\r\n"
		 "250 OK\r\n");
}

/* ---- onion services ---- */

#define MADE "250-ServiceID=" ONION "\r\n250-PrivateKey=ED25519-V3:x\r\n250 OK\r\n"

static void test_services(void **state)
{
	const struct rights rights = rights_by("onions to 17600-17650, unix:/run/share\n"
					       "getinfo onions/current\nevents HS_DESC");
	CLEANUP(session_freep) struct session *session = session_by(&rights);

	log_in(session);
	REFUSED(session, "DEL_ONION " OTHER_ONION "\r\n", "552 Unknown Onion Service id\r\n");
	REFUSED(session, "ADD_ONION NEW:BEST Port=80,9051\r\n",
		"552 Not granted: an onion service may not lead to this port\r\n");
	REFUSED(session, "ADD_ONION NEW:BEST Port=80,17600 Port=81,22\r\n",
		"552 Not granted: an onion service may not lead to this port\r\n");
	REFUSED(session, "ADD_ONION NEW:BEST Port=80,unix:/run/share/deep/s\r\n",
		"552 Not granted: an onion service may not lead to this port\r\n");
	REFUSED(session, "ADD_ONION NEW:BEST Port=80,unix:/run/shared\r\n",
		"552 Not granted: an onion service may not lead to this port\r\n");
	REFUSED(session, "ADD_ONION NEW:BEST Flags=Detach Port=80,17600\r\n",
		"552 Not granted: of flags there are DiscardPK, MaxStreamsCloseCircuit and "
		"V3Auth\r\n");
	REFUSED(session, "ADD_ONION NEW:BEST Flags=NonAnonymous Port=80,17600\r\n",
		"552 Not granted: of flags there are DiscardPK, MaxStreamsCloseCircuit and "
		"V3Auth\r\n");
	EXCHANGE(session, "ADD_ONION NEW:BEST Port=80,17600 Port=81,unix:/run/share/s\r\n",
		 "ADD_ONION NEW:ED25519-V3 Port=80,127.0.0.1:17600 Port=81,unix:/run/share/s\r\n",
		 MADE, MADE);
	EXCHANGE(session, "SETEVENTS HS_DESC\r\n", "SETEVENTS HS_DESC\r\n", "250 OK\r\n",
		 "250 OK\r\n");
	tor_says(session, "650 HS_DESC UPLOADED " ONION " UNKNOWN $AB~c\r\n"
			  "650 HS_DESC UPLOADED " OTHER_ONION " UNKNOWN $AB~c\r\n");
	CLIENT_HEARS(session, "650 HS_DESC UPLOADED " ONION " UNKNOWN $AB~c\r\n");
	EXCHANGE(session, "GETINFO onions/current\r\n", "GETINFO onions/current\r\n",
		 "250+onions/current=\r\n" OTHER_ONION "\r\n" ONION "\r\n.\r\n250 OK\r\n",
		 "250-onions/current=" ONION "\r\n250 OK\r\n");
	EXCHANGE(session, "DEL_ONION " ONION "\r\n", "DEL_ONION " ONION "\r\n", "250 OK\r\n",
		 "250 OK\r\n");
	REFUSED(session, "DEL_ONION " ONION "\r\n", "552 Unknown Onion Service id\r\n");
}

static void test_keys_of_services(void **state)
{
	const struct rights rights = rights_by("onion-clients");
	CLEANUP(session_freep) struct session *session = session_by(&rights);

	log_in(session);
	REFUSED(session, "ONION_CLIENT_AUTH_ADD " ONION " x25519:" X25519_KEY " Flags=Permanent\r\n",
		"552 Not granted: nothing is kept on disk\r\n");
	REFUSED(session, "ONION_CLIENT_AUTH_REMOVE " ONION "\r\n",
		"251 No credentials for \"" ONION "\"\r\n");
	/* Somebody else has given one. */
	EXCHANGE(session, "ONION_CLIENT_AUTH_ADD " ONION " x25519:" X25519_KEY "\r\n",
		 "ONION_CLIENT_AUTH_VIEW " ONION "\r\n",
		 "250-ONION_CLIENT_AUTH_VIEW " ONION "\r\n250-CLIENT " ONION " x25519:B\r\n"
		 "250 OK\r\n",
		 "551 A key for this onion service is there already\r\n");
	EXCHANGE(session, "ONION_CLIENT_AUTH_ADD " ONION " x25519:" X25519_KEY "\r\n",
		 "ONION_CLIENT_AUTH_VIEW " ONION "\r\n",
		 "250-ONION_CLIENT_AUTH_VIEW " ONION "\r\n250 OK\r\n", "");
	TOR_HEARS(session, "ONION_CLIENT_AUTH_ADD " ONION " x25519:" X25519_KEY "\r\n");
	tor_says(session, "250 OK\r\n");
	CLIENT_HEARS(session, "250 OK\r\n");
	EXCHANGE(session, "ONION_CLIENT_AUTH_VIEW\r\n", "ONION_CLIENT_AUTH_VIEW\r\n",
		 "250-ONION_CLIENT_AUTH_VIEW\r\n250-CLIENT " OTHER_ONION " x25519:secret\r\n"
		 "250-CLIENT " ONION " x25519:own\r\n250 OK\r\n",
		 "250-ONION_CLIENT_AUTH_VIEW\r\n250-CLIENT " ONION " x25519:own\r\n250 OK\r\n");
	/* They go with who gave them. */
	session_client_ended(session);
	TOR_HEARS(session, "ONION_CLIENT_AUTH_REMOVE " ONION "\r\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_streams_of_ones_own_port),
		cmocka_unit_test(test_events_nobody_asked_for),
		cmocka_unit_test(test_all_streams),
		cmocka_unit_test(test_without_a_view_nothing_is_seen),
		cmocka_unit_test(test_what_is_in_quotes_is_no_field),
		cmocka_unit_test(test_states),
		cmocka_unit_test(test_services),
		cmocka_unit_test(test_keys_of_services),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

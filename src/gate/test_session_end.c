/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What was the client's at Tor goes when the client goes, also what Tor is just being given. */
#include "test_help.h"

#define ADD    "ONION_CLIENT_AUTH_ADD " ONION " x25519:" X25519_KEY "\r\n"
#define VIEW   "ONION_CLIENT_AUTH_VIEW " ONION "\r\n"
#define NOBODY "250-ONION_CLIENT_AUTH_VIEW " ONION "\r\n250 OK\r\n"
#define REMOVE "ONION_CLIENT_AUTH_REMOVE " ONION "\r\n"

/* The client has asked for it, Tor has heard it, and has not answered. */
static void give_a_key(struct session *session)
{
	log_in(session);
	EXCHANGE(session, ADD, VIEW, NOBODY, "");
	TOR_HEARS(session, ADD);
}

static void test_a_key_that_tor_has(void **state)
{
	const struct rights rights = rights_by("onion-clients\ngetinfo version");
	CLEANUP(session_freep) struct session *session = session_by(&rights);

	give_a_key(session);
	tor_says(session, "250 OK\r\n");
	client_says(session, "GETINFO version\r\n");
	TOR_HEARS(session, "GETINFO version\r\n");
	session_client_ended(session);
	TOR_HEARS(session, REMOVE);
	assert_false(session_owes(session));
	tor_says(session, "250-version=1\r\n250 OK\r\n250 OK\r\n");
	TOR_HEARS(session, "");
}

/* Every way in which Tor says that it has the key now, and those in which it has not. */
static void test_a_key_on_its_way(void **state)
{
	static const struct {
		const char *answer, *tor_hears;
	} rows[] = {
		{ "250 OK\r\n", REMOVE },
		{ "251 Client for onion existed and replaced\r\n", REMOVE },
		{ "252 Registered client and decrypted desc\r\n", REMOVE },
		{ "512 Failed to decode x25519 private key\r\n", "" },
		{ "551 Unable to store creds\r\n", "" },
		{ "what is no answer\r\n", REMOVE },
	};
	const struct rights rights = rights_by("onion-clients\nevents HS_DESC");

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CLEANUP(session_freep) struct session *session = session_by(&rights);

		give_a_key(session);
		session_client_ended(session);
		TOR_HEARS(session, "");
		assert_true(session_owes(session));
		tor_says(session, "650 HS_DESC UPLOADED " ONION " UNKNOWN $AB~c\r\n");
		assert_true(session_owes(session));
		tor_says(session, rows[i].answer);
		hears_at(session_for_tor(session), "Tor", rows[i].tor_hears, (int)i);
		assert_false(session_owes(session));
		CLIENT_HEARS(session, "");
	}
}

/* Its answer does not come: the key may be there. */
static void test_a_key_of_which_nothing_is_known(void **state)
{
	const struct rights rights = rights_by("onion-clients");
	CLEANUP(session_freep) struct session *session = session_by(&rights);
	CLEANUP(session_freep) struct session *late = session_by(&rights);

	give_a_key(session);
	session_client_ended(session);
	session_forsake(session);
	TOR_HEARS(session, REMOVE);
	assert_false(session_owes(session));
	tor_says(session, "250 OK\r\n");
	TOR_HEARS(session, "");

	give_a_key(late);
	session_tick(late, 2000 + SESSION_STALL_MS);
	CLIENT_HEARS(late, "451 Tor does not answer\r\n");
	assert_true(session_owes(late));
	tor_says(late, "250 OK\r\n");
	TOR_HEARS(late, REMOVE);
}

/* Who has gone before it was known whose the service's key is gives none. */
static void test_a_key_that_was_not_given_yet(void **state)
{
	const struct rights rights = rights_by("onion-clients");
	CLEANUP(session_freep) struct session *session = session_by(&rights);

	log_in(session);
	client_says(session, ADD);
	TOR_HEARS(session, VIEW);
	session_client_ended(session);
	assert_false(session_owes(session));
	tor_says(session, NOBODY);
	TOR_HEARS(session, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_key_that_tor_has),
		cmocka_unit_test(test_a_key_on_its_way),
		cmocka_unit_test(test_a_key_of_which_nothing_is_known),
		cmocka_unit_test(test_a_key_that_was_not_given_yet),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

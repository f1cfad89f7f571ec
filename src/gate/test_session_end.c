/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Keys of onion services: one is given at a time, and nobody's is replaced; what was the client's at Tor
 * goes when the client goes, also what Tor is just being given. */
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
		{ "251 Client for onion existed and replaced\r\n", REMOVE }, /* so nobody's stays */
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

/* ---- two clients at once ---- */

#define OTHERS "551 Somebody else is giving a key at this moment; try again\r\n"

/* Between the question and the answer after it nobody else gives one; then the next one can. */
static void test_one_gives_at_a_time(void **state)
{
	static const char *const ends[] = {
		/* What Tor answers: to the question; to the command, if it comes to that. */
		NOBODY "250 OK\r\n",
		NOBODY "512 Failed to decode x25519 private key\r\n",
		"250-ONION_CLIENT_AUTH_VIEW " ONION "\r\n250-CLIENT " ONION " x25519:B\r\n250 OK\r\n",
		"512 Invalid v3 address\r\n",
	};
	const struct rights rights = rights_by("onion-clients");

	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		struct turn turn = { 0 };
		CLEANUP(session_freep) struct session *one = guest_by(&rights, &turn, 1);
		CLEANUP(session_freep) struct session *other = guest_by(&rights, &turn, 2);

		log_in(one);
		log_in(other);
		client_says(one, ADD);
		REFUSED(other, ADD, OTHERS);
		tor_says(one, i < 2 ? NOBODY : ends[i]);
		if (i < 2) {
			REFUSED(other, ADD, OTHERS);
			tor_says(one, ends[i] + strlen(NOBODY));
		}
		client_says(other, ADD);
		TOR_HEARS(other, VIEW);
	}
}

static void test_a_turn_ends_with_who_has_it(void **state)
{
	const struct rights rights = rights_by("onion-clients");
	struct turn turn = { 0 };
	CLEANUP(session_freep) struct session *asks = guest_by(&rights, &turn, 1);
	CLEANUP(session_freep) struct session *gives = guest_by(&rights, &turn, 2);
	CLEANUP(session_freep) struct session *waits = guest_by(&rights, &turn, 3);
	CLEANUP(session_freep) struct session *next = guest_by(&rights, &turn, 4);

	log_in(asks);
	client_says(asks, ADD);
	session_client_ended(asks);
	give_a_key(gives);
	log_in(next);
	session_client_ended(gives);
	/* Tor may still take it. */
	REFUSED(next, ADD, OTHERS);
	tor_says(gives, "250 OK\r\n");
	give_a_key(waits);
	session_tor_ended(waits);
	client_says(next, ADD);
	TOR_HEARS(next, VIEW);
	/* Who was killed gives nothing back itself. */
	turn_give_back(&turn, 3);
	assert_int_equal(turn.whose, 4);
	turn_give_back(&turn, 4);
	assert_int_equal(turn.whose, 0);
}

/* Somebody who is past the gate has given one meanwhile, and Tor has replaced it. */
static void test_a_key_that_was_replaced(void **state)
{
	static const char said[] = "551 Another key for this onion service came at the same moment: "
				   "it was replaced, and now there is none\r\n";
	static const struct {
		const char *answer, *at_the_end;
	} rows[] = { { "250 OK\r\n", "" }, { "551 Unable\r\n", REMOVE } };
	const struct rights rights = rights_by("onion-clients");

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct turn turn = { 0 };
		CLEANUP(session_freep) struct session *session = guest_by(&rights, &turn, 1);

		give_a_key(session);
		tor_says(session, "251 Client for onion existed and replaced\r\n");
		CLIENT_HEARS(session, "");
		TOR_HEARS(session, REMOVE);
		assert_int_equal(turn.whose, 1);
		tor_says(session, rows[i].answer);
		CLIENT_HEARS(session, said);
		assert_int_equal(turn.whose, 0);
		session_client_ended(session);
		TOR_HEARS(session, rows[i].at_the_end);
	}
}

/* One's own may be replaced by another of one's own. */
static void test_ones_own_key_again(void **state)
{
	const struct rights rights = rights_by("onion-clients");
	CLEANUP(session_freep) struct session *session = session_by(&rights);

	give_a_key(session);
	tor_says(session, "250 OK\r\n");
	CLIENT_HEARS(session, "250 OK\r\n");
	EXCHANGE(session, ADD, ADD, "251 Client for onion existed and replaced\r\n",
		 "251 Client for onion existed and replaced\r\n");
	session_client_ended(session);
	TOR_HEARS(session, REMOVE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_key_that_tor_has),
		cmocka_unit_test(test_a_key_on_its_way),
		cmocka_unit_test(test_a_key_of_which_nothing_is_known),
		cmocka_unit_test(test_a_key_that_was_not_given_yet),
		cmocka_unit_test(test_one_gives_at_a_time),
		cmocka_unit_test(test_a_turn_ends_with_who_has_it),
		cmocka_unit_test(test_a_key_that_was_replaced),
		cmocka_unit_test(test_ones_own_key_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

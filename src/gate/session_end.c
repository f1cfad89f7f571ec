/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The end, and what is the client's at Tor then. Tor ends the connection's onion services by itself,
 * also one that it is just being asked for: it reads what was said before it sees that nobody is there.
 * Keys of others' onion services are Tor's and stay, so each is taken back, and what Tor has not yet
 * answered is waited for.
 */
#include "session_state.h"

/* The client has given a key, and it is not known yet whether Tor has taken it. */
static bool is_in_doubt(const struct session *session)
{
	return session->question == ASKED_COMMAND &&
	       session->command.verb == TORCTL_ONION_CLIENT_AUTH_ADD;
}

static void take_keys_back(struct session *session)
{
	for (size_t i = 0; i < session->keys.count; i++)
		buf_printf(&session->to_tor.buf, "ONION_CLIENT_AUTH_REMOVE %s\r\n",
			   session->keys.list[i]);
	session->keys.count = 0;
}

static void leave(struct session *session)
{
	take_keys_back(session);
	turn_give_back(session->turn, session->self);
}

void session_end(struct session *session, unsigned code, const char *reason)
{
	if (session->ended)
		return;
	if (code)
		session_answer(session, code, "%s", reason);
	session->ended = true;
	if (!is_in_doubt(session))
		leave(session);
}

bool session_owes(const struct session *session)
{
	return session->ended && is_in_doubt(session);
}

/* What the client asked last is answered when it has gone. Later answers are to what is said here. */
void session_late_reply(struct session *session, const struct torctl_reply *reply)
{
	bool doubted = is_in_doubt(session);

	session->question = ASKED_NOTHING;
	if (!doubted)
		return;
	if (reply->lines[0].code / 100 == 2)
		seen_add_onion(&session->keys, session->command.service);
	leave(session);
}

void session_forsake(struct session *session)
{
	session_end(session, 0, NULL);
	session->deaf = true;
	if (!is_in_doubt(session))
		return;
	/* To take back what is not there does no harm. */
	session->question = ASKED_NOTHING;
	seen_add_onion(&session->keys, session->command.service);
	leave(session);
}

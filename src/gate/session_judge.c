/* SPDX-License-Identifier: GPL-3.0-or-later */
/* May the client say this? Each command is refused whole, or written anew for Tor. */
#include "session_state.h"

#include <assert.h>
#include <string.h>

/* Those that Tor answers with one line or several, and nothing of them has to be known later. */
static void keep_and_forward(struct session *session, struct torctl_command *command)
{
	session->command = *command;
	*command = (struct torctl_command){ 0 };
	session_forward(session);
}

void session_forward(struct session *session)
{
	session->question = ASKED_COMMAND;
	torctl_command_write(&session->command, &session->to_tor.buf);
}

/* ---- who is there ---- */

static void judge_authenticate(struct session *session)
{
	if (session->authenticated) {
		session_answer(session, 250, "OK");
		return;
	}
	session->authenticated = true;
	/* What is visible is known from the beginning, so that it is known whose a stream is. */
	if (session_follows(session))
		session_ask(session, ASKED_WATCH, "SETEVENTS STREAM CIRC");
	else
		session_answer(session, 250, "OK");
}

/* True if it was one that is answered whoever asks. */
static bool judge_greeting(struct session *session, enum torctl_verb verb)
{
	switch ((int)verb) {
	case TORCTL_PROTOCOLINFO:
		session_ask(session, ASKED_VERSION, "GETINFO version");
		return true;
	case TORCTL_AUTHENTICATE:
		judge_authenticate(session);
		return true;
	case TORCTL_AUTHCHALLENGE:
		session_answer(session, 513, "There is no cookie here; AUTHENTICATE is enough");
		return true;
	case TORCTL_QUIT:
		session_end(session, 250, "closing connection");
		return true;
	default:
		return false;
	}
}

/* ---- questions ---- */

static void judge_getinfo(struct session *session, struct torctl_command *command)
{
	/* One that is not granted refuses all: an answer that lacks a part would be read as whole. */
	for (size_t i = 0; i < command->item_count; i++) {
		const char *rest;
		int index = info_find(command->items[i].name, &rest);

		if (!rights_has(session->rights->infos, index)) {
			session_answer(session, 552, "Not granted: GETINFO %.100s",
				       command->items[i].name);
			return;
		}
	}
	keep_and_forward(session, command);
}

static void judge_getconf(struct session *session, struct torctl_command *command)
{
	if (command->item_count == 0) {
		session_answer(session, 250, "OK");
		return;
	}
	for (size_t i = 0; i < command->item_count; i++) {
		if (!rights_has(session->rights->reads, option_find(command->items[i].name))) {
			session_answer(session, 552, "Not granted: GETCONF %.100s",
				       command->items[i].name);
			return;
		}
	}
	keep_and_forward(session, command);
}

/* One item, which is then as Tor will get it. NULL if it may be so; else why not. */
static const char *refuse_item(const struct session *session, struct torctl_command *command,
			       size_t index, int option)
{
	AUTO_BUF struct buf written = { .cap = SESSION_LINE_MAX };
	struct torctl_item *item = &command->items[index];
	const char *reason = rights_refuse_value(session->rights, option, item->value, &written);

	if (reason)
		return reason;
	item->name = option_words[option].name;
	if (item->value && (buf_finish(&written) < 0 ||
			    torctl_command_set_value(command, index, buf_text(&written)) < 0))
		return "the value is too long";
	return NULL;
}

static void judge_setconf(struct session *session, struct torctl_command *command)
{
	for (size_t i = 0; i < command->item_count; i++) {
		int option = option_find(command->items[i].name);
		const char *reason = refuse_item(session, command, i, option);

		if (reason) {
			session_answer(session, option < 0 ? 552 : 553, "Not granted: %.100s: %s",
				       command->items[i].name, reason);
			return;
		}
	}
	keep_and_forward(session, command);
}

/* ---- events and signals ---- */

static void judge_setevents(struct session *session, struct torctl_command *command)
{
	uint64_t wanted = 0;

	for (size_t i = 0; i < command->item_count; i++) {
		int event = event_find(command->items[i].name);

		/* A word of the protocol's first version, without any effect since. */
		if (strcmp(command->items[i].name, "EXTENDED") == 0)
			continue;
		if (!rights_has(session->rights->events, event)) {
			session_answer(session, 552, "Not granted: the event %.100s",
				       command->items[i].name);
			return;
		}
		wanted |= UINT64_C(1) << event;
	}
	session->wanted = wanted;
	if (session_follows(session))
		wanted |= UINT64_C(1) << event_find("STREAM") | UINT64_C(1) << event_find("CIRC");
	buf_puts(&session->to_tor.buf, "SETEVENTS");
	for (size_t i = 0; i < event_count; i++)
		if (rights_has(wanted, (int)i) && event_words[i].kind != EVENT_UNTOLD)
			buf_printf(&session->to_tor.buf, " %s", event_words[i].name);
	buf_puts(&session->to_tor.buf, "\r\n");
	session->question = ASKED_COMMAND;
	session->command = *command;
	*command = (struct torctl_command){ 0 };
}

static void judge_signal(struct session *session, struct torctl_command *command, uint64_t now)
{
	int signal = signal_find(command->items[0].name);

	if (!rights_has(session->rights->signals, signal)) {
		session_answer(session, 552, "Not granted: SIGNAL %.100s", command->items[0].name);
		return;
	}
	if (strcmp(signal_words[signal], "NEWNYM") == 0) {
		if (session->newnym && now < session->newnym + SESSION_NEWNYM_MS) {
			session_answer(session, 551, "NEWNYM was given a moment ago");
			return;
		}
		session->newnym = now ? now : 1;
	}
	command->items[0].name = signal_words[signal];
	keep_and_forward(session, command);
}

/* ---- onion services ---- */

static void judge_add_onion(struct session *session, struct torctl_command *command)
{
	const char *reason = rights_refuse_onion(session->rights, command);

	if (reason)
		session_answer(session, 552, "Not granted: %s", reason);
	else if (seen_is_full(&session->onions))
		session_answer(session, 551, "There are too many onion services");
	else
		keep_and_forward(session, command);
}

static void judge_del_onion(struct session *session, struct torctl_command *command)
{
	/* Of others' it is not said whether they are there. */
	if (!seen_has_onion(&session->onions, command->service))
		session_answer(session, 552, "Unknown Onion Service id");
	else
		keep_and_forward(session, command);
}

static void judge_onion_clients(struct session *session, struct torctl_command *command)
{
	if (!session->rights->onion_clients) {
		session_answer(session, 510, "Not granted: %s", torctl_verb_name(command->verb));
	} else if (command->verb == TORCTL_ONION_CLIENT_AUTH_VIEW) {
		keep_and_forward(session, command);
	} else if (command->verb == TORCTL_ONION_CLIENT_AUTH_REMOVE) {
		if (!seen_has_onion(&session->keys, command->service))
			session_answer(session, 251, "No credentials for \"%s\"", command->service);
		else
			keep_and_forward(session, command);
	} else if (command->flags) {
		session_answer(session, 552, "Not granted: nothing is kept on disk");
	} else if (seen_has_onion(&session->keys, command->service)) {
		keep_and_forward(session, command);
	} else if (seen_is_full(&session->keys)) {
		session_answer(session, 551, "There are too many keys");
	} else if (!turn_take(session->turn, session->self)) {
		session_answer(session, 551, "Somebody else is giving a key at this moment; try again");
	} else {
		char line[64 + TORCTL_ONION_ID];

		/* Somebody else's key is not replaced. */
		snprintf(line, sizeof(line), "ONION_CLIENT_AUTH_VIEW %s", command->service);
		session->command = *command;
		*command = (struct torctl_command){ 0 };
		session_ask(session, ASKED_WHOSE, line);
	}
}

static void judge_rest(struct session *session, struct torctl_command *command)
{
	switch ((int)command->verb) {
	case TORCTL_DROPGUARDS:
		if (session->rights->drops_guards)
			keep_and_forward(session, command);
		else
			session_answer(session, 510, "Not granted: DROPGUARDS");
		break;
	case TORCTL_NOT_MODELLED:
		session_answer(session, 510, "Not granted: nobody may use this command here");
		break;
	default:
		session_answer(session, 510, "Unrecognized command");
		break;
	}
}

void session_judge(struct session *session, struct torctl_command *command, uint64_t now)
{
	assert(session->question == ASKED_NOTHING);
	if (judge_greeting(session, command->verb))
		return;
	if (!session->authenticated) {
		session_end(session, 514, "Authentication required");
		return;
	}
	switch ((int)command->verb) {
	case TORCTL_GETINFO:
		judge_getinfo(session, command);
		break;
	case TORCTL_GETCONF:
		judge_getconf(session, command);
		break;
	case TORCTL_SETCONF:
	case TORCTL_RESETCONF:
		judge_setconf(session, command);
		break;
	case TORCTL_SETEVENTS:
		judge_setevents(session, command);
		break;
	case TORCTL_SIGNAL:
		judge_signal(session, command, now);
		break;
	case TORCTL_ADD_ONION:
		judge_add_onion(session, command);
		break;
	case TORCTL_DEL_ONION:
		judge_del_onion(session, command);
		break;
	case TORCTL_ONION_CLIENT_AUTH_ADD:
	case TORCTL_ONION_CLIENT_AUTH_REMOVE:
	case TORCTL_ONION_CLIENT_AUTH_VIEW:
		judge_onion_clients(session, command);
		break;
	default:
		judge_rest(session, command);
		break;
	}
}

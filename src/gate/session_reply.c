/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tor's answers: each is held to what was asked, and passed on without what is not the client's. */
#include "session_state.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define VERSION_PREFIX "version="

static void write_text(struct session *session, unsigned code, char separator, const char *text)
{
	buf_printf(&session->to_client.buf, "%03u%c", code, separator);
	buf_puts(&session->to_client.buf, text);
	buf_puts(&session->to_client.buf, "\r\n");
}

/* Its lines without their data, as they are: they tell of the command and of nothing else. */
static void pass(struct session *session, const struct torctl_reply *reply)
{
	for (size_t i = 0; i < reply->count; i++)
		write_text(session, reply->lines[i].code, i + 1 < reply->count ? '-' : ' ',
			   reply->lines[i].text);
}

static bool is_refused(const struct torctl_reply *reply)
{
	return reply->lines[0].code / 100 != 2;
}

static void distrust(struct session *session)
{
	session_end(session, 451, "Tor's answer is about something else");
}

/* ---- GETINFO ---- */

/* What follows "KEY=" in a line that must be about that key; NULL if it is not. */
static const char *value_of(const struct torctl_line *line, const char *key)
{
	size_t length = strlen(key);

	if (line->text_length <= length || strncmp(line->text, key, length) != 0 ||
	    line->text[length] != '=')
		return NULL;
	return line->text + length + 1;
}

/* A list of streams or circuits: those that are visible. Tor writes one that is short in one line. */
static void tell_list(struct session *session, const char *key, enum event_kind kind,
		      const char *list)
{
	AUTO_BUF struct buf lines = { .cap = SESSION_REPLY_MAX };
	size_t count = 0;

	while (*list) {
		size_t length = strcspn(list, "\n"), before = lines.len;

		session_line(session, kind, list, length, &lines);
		if (lines.len > before) {
			buf_puts(&lines, "\r\n");
			count++;
		}
		list += length + (list[length] == '\n');
	}
	if (buf_finish(&lines) < 0) {
		session_end(session, 451, "What Tor answers is too long");
		return;
	}
	buf_printf(&session->to_client.buf, "250%c%s=%s", count > 1 ? '+' : '-', key,
		   count > 1 ? "\r\n" : "");
	buf_puts(&session->to_client.buf, count ? buf_text(&lines) : "\r\n");
	if (count > 1)
		buf_puts(&session->to_client.buf, ".\r\n");
}

static void tell_onions(struct session *session, const char *key, const char *list)
{
	struct buf *out = &session->to_client.buf;
	AUTO_BUF struct buf lines = { .cap = SESSION_REPLY_MAX };
	size_t count = 0;

	while (*list) {
		size_t length = strcspn(list, "\n");
		char id[TORCTL_ONION_ID + 1] = "";

		if (length == TORCTL_ONION_ID)
			memcpy(id, list, length);
		if (id[0] && seen_has_onion(&session->onions, id))
			buf_printf(&lines, "%s\r\n", id), count++;
		list += length + (list[length] == '\n');
	}
	buf_printf(out, "250%c%s=%s", count > 1 ? '+' : '-', key, count > 1 ? "\r\n" : "");
	buf_puts(out, count ? buf_text(&lines) : "\r\n");
	if (count > 1)
		buf_puts(out, ".\r\n");
}

static void tell_phase(struct session *session, const char *key, const char *value)
{
	AUTO_BUF struct buf text = { .cap = SESSION_LINE_MAX };

	session_line(session, EVENT_STATUS, value, strlen(value), &text);
	buf_printf(&session->to_client.buf, "250-%s=", key);
	buf_puts(&session->to_client.buf, buf_text(&text));
	buf_puts(&session->to_client.buf, "\r\n");
}

static void tell_info(struct session *session, const char *key, const struct torctl_line *line,
		      const char *value)
{
	const char *rest, *content = line->data ? line->data : value;
	struct torctl_line copy = *line;

	switch (info_words[info_find(key, &rest)].kind) {
	case INFO_CIRCUITS:
		tell_list(session, key, EVENT_CIRCUIT, content);
		break;
	case INFO_STREAMS:
		tell_list(session, key, EVENT_STREAM, content);
		break;
	case INFO_ONIONS:
		tell_onions(session, key, content);
		break;
	case INFO_PHASE:
		tell_phase(session, key, content);
		break;
	case INFO_PLAIN:
	case INFO_RELAY:
	case INFO_COUNTRY:
		torctl_reply_write(&(struct torctl_reply){ .lines = &copy, .count = 1 },
				   &session->to_client.buf);
		break;
	}
}

static void reply_getinfo(struct session *session, const struct torctl_reply *reply)
{
	const struct torctl_command *command = &session->command;

	if (is_refused(reply)) {
		pass(session, reply);
		return;
	}
	/* A line for each key, in the order in which they were asked for, and "OK". */
	if (reply->count != command->item_count + 1) {
		distrust(session);
		return;
	}
	for (size_t i = 0; i < command->item_count && !session->ended; i++) {
		const char *value = value_of(&reply->lines[i], command->items[i].name);

		if (value)
			tell_info(session, command->items[i].name, &reply->lines[i], value);
		else
			distrust(session);
	}
	if (!session->ended)
		session_answer(session, 250, "OK");
}

/* ---- GETCONF ---- */

static bool was_asked(const struct torctl_command *command, const char *text)
{
	size_t length = strcspn(text, "=");

	for (size_t i = 0; i < command->item_count; i++)
		if (strlen(command->items[i].name) == length &&
		    strncasecmp(command->items[i].name, text, length) == 0)
			return true;
	return false;
}

static void reply_getconf(struct session *session, const struct torctl_reply *reply)
{
	for (size_t i = 0; i < reply->count && !is_refused(reply); i++) {
		if (!was_asked(&session->command, reply->lines[i].text)) {
			distrust(session);
			return;
		}
	}
	pass(session, reply);
}

/* ---- onion services ---- */

static void reply_add_onion(struct session *session, const struct torctl_reply *reply)
{
	static const char service[] = "ServiceID=";
	const char *text = reply->lines[0].text;

	if (!is_refused(reply)) {
		if (strncmp(text, service, strlen(service)) != 0 ||
		    !torctl_is_onion(text + strlen(service))) {
			distrust(session);
			return;
		}
		seen_add_onion(&session->onions, text + strlen(service));
	}
	pass(session, reply);
}

/* "CLIENT ADDRESS x25519:KEY ...": the address, or "" if the line is another. */
static void client_address(const char *text, char ret_id[static TORCTL_ONION_ID + 1])
{
	static const char client[] = "CLIENT ";

	ret_id[0] = '\0';
	if (strncmp(text, client, strlen(client)) != 0)
		return;
	text += strlen(client);
	if (strcspn(text, " ") != TORCTL_ONION_ID)
		return;
	memcpy(ret_id, text, TORCTL_ONION_ID);
	ret_id[TORCTL_ONION_ID] = '\0';
}

static void reply_view(struct session *session, const struct torctl_reply *reply)
{
	for (size_t i = 0; i < reply->count; i++) {
		const struct torctl_line *line = &reply->lines[i];
		bool last = i + 1 == reply->count;
		char id[TORCTL_ONION_ID + 1];

		client_address(line->text, id);
		if (!last && strncmp(line->text, "CLIENT", 6) == 0 &&
		    !(id[0] && seen_has_onion(&session->keys, id)))
			continue;
		write_text(session, line->code, last ? ' ' : '-', line->text);
	}
}

/* Whose key the service has, asked because this client would give it one. */
static void reply_whose(struct session *session, const struct torctl_reply *reply)
{
	bool taken = is_refused(reply);

	for (size_t i = 0; i < reply->count; i++)
		taken |= strncmp(reply->lines[i].text, "CLIENT", 6) == 0;
	if (!taken) {
		session_forward(session);
		return;
	}
	turn_give_back(session->turn, session->self);
	session_answer(session, 551, "A key for this onion service is there already");
}

/* A client's key was taken, or not. That it has replaced one although there was none when Tor was asked
 * can only be the doing of somebody past this gate. What that one was nobody knows any more; this
 * client's is not left in its place. */
static void reply_auth_add(struct session *session, const struct torctl_reply *reply)
{
	const char *service = session->command.service;
	bool replaced = reply->lines[0].code == 251 && !seen_has_onion(&session->keys, service);

	if (!replaced) {
		turn_give_back(session->turn, session->self);
		if (!is_refused(reply))
			seen_add_onion(&session->keys, service);
		pass(session, reply);
		return;
	}
	buf_printf(&session->to_tor.buf, "ONION_CLIENT_AUTH_REMOVE %s\r\n", service);
	session->question = ASKED_UNDO;
}

static void reply_undo(struct session *session, const struct torctl_reply *reply)
{
	turn_give_back(session->turn, session->self);
	/* At the end it is tried again. */
	if (is_refused(reply))
		seen_add_onion(&session->keys, session->command.service);
	session_answer(session, 551, "Another key for this onion service came at the same moment: "
				     "it was replaced, and now there is none");
}

/* ---- */

static void reply_version(struct session *session, const struct torctl_reply *reply)
{
	const char *text = reply->lines[0].text;
	size_t prefix = strlen(VERSION_PREFIX);

	if (is_refused(reply) || strncmp(text, VERSION_PREFIX, prefix) != 0 ||
	    strpbrk(text, "\"\\")) {
		distrust(session);
		return;
	}
	buf_puts(&session->to_client.buf, "250-PROTOCOLINFO 1\r\n250-AUTH METHODS=NULL\r\n");
	buf_puts(&session->to_client.buf, "250-VERSION Tor=\"");
	buf_puts(&session->to_client.buf, text + prefix);
	buf_puts(&session->to_client.buf, "\"\r\n250 OK\r\n");
}

static void reply_command(struct session *session, const struct torctl_reply *reply)
{
	const char *service = session->command.service;

	switch ((int)session->command.verb) {
	case TORCTL_GETINFO:
		reply_getinfo(session, reply);
		return;
	case TORCTL_GETCONF:
		reply_getconf(session, reply);
		return;
	case TORCTL_ADD_ONION:
		reply_add_onion(session, reply);
		return;
	case TORCTL_ONION_CLIENT_AUTH_VIEW:
		reply_view(session, reply);
		return;
	case TORCTL_DEL_ONION:
		if (!is_refused(reply))
			seen_remove_onion(&session->onions, service);
		break;
	case TORCTL_ONION_CLIENT_AUTH_ADD:
		reply_auth_add(session, reply);
		return;
	case TORCTL_ONION_CLIENT_AUTH_REMOVE:
		if (!is_refused(reply))
			seen_remove_onion(&session->keys, service);
		break;
	default:
		break;
	}
	pass(session, reply);
}

void session_reply(struct session *session, const struct torctl_reply *reply)
{
	enum question question = session->question;

	session->question = ASKED_NOTHING;
	switch (question) {
	case ASKED_VERSION:
		reply_version(session, reply);
		break;
	case ASKED_WATCH:
		if (is_refused(reply))
			session_end(session, 451, "Tor does not tell of streams");
		else
			session_answer(session, 250, "OK");
		break;
	case ASKED_COMMAND:
		reply_command(session, reply);
		break;
	case ASKED_WHOSE:
		reply_whose(session, reply);
		break;
	case ASKED_UNDO:
		reply_undo(session, reply);
		break;
	case ASKED_NOTHING:
		break;
	}
	if (session->question == ASKED_NOTHING)
		torctl_command_done(&session->command);
}

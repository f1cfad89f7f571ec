/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Events: only those that the client has asked for and was granted, each by its kind. */
#include "session_state.h"

#include <string.h>
#include <strings.h>

#include <torctl/words.h>

#define NAME_MAX_BYTES 32
#define LINE_BYTES     (64u << 10)

/* The event's name, and what follows it. Returns its place in event_words, or -1. */
static int find_event(const struct torctl_line *line, const char **ret_rest)
{
	char name[NAME_MAX_BYTES];
	size_t length = strcspn(line->text, " ");

	if (length >= sizeof(name))
		return -1;
	memcpy(name, line->text, length);
	name[length] = '\0';
	*ret_rest = line->text + length + (line->text[length] == ' ');
	return event_find(name);
}

static void pass(struct session *session, const char *name, const char *rest)
{
	buf_printf(&session->to_client.buf, "650 %s%s", name, rest[0] ? " " : "");
	buf_puts(&session->to_client.buf, rest);
	buf_puts(&session->to_client.buf, "\r\n");
}

/* HS_DESC ACTION ADDRESS ...: of services that this connection made. */
static bool is_own_service(const struct session *session, const char *rest)
{
	CLEANUP(torctl_words_done) struct torctl_words words = { 0 };
	const char *address;

	if (torctl_words_parse(rest, strlen(rest), &words) < 0)
		return false;
	address = torctl_words_at(&words, 1);
	return address && seen_has_onion(&session->onions, address);
}

static bool may_read(const struct session *session, const char *line)
{
	char name[64];
	size_t length = strcspn(line, "=");

	if (length >= sizeof(name))
		return false;
	memcpy(name, line, length);
	name[length] = '\0';
	return rights_has(session->rights->reads, option_find(name));
}

/* 650-CONF_CHANGED, 650-OPTION=VALUE..., 650 OK. */
static void tell_options(struct session *session, const struct torctl_reply *reply)
{
	struct buf *out = &session->to_client.buf;
	bool any = false;

	for (size_t i = 1; i < reply->count; i++) {
		const struct torctl_line *line = &reply->lines[i];

		if (line->data || !may_read(session, line->text))
			continue;
		if (!any)
			buf_puts(out, "650-CONF_CHANGED\r\n");
		any = true;
		buf_puts(out, "650-");
		buf_puts(out, line->text);
		buf_puts(out, "\r\n");
	}
	if (any)
		buf_puts(out, "650 OK\r\n");
}

void session_event(struct session *session, const struct torctl_reply *reply)
{
	AUTO_BUF struct buf text = { .cap = LINE_BYTES };
	const struct torctl_line *line = &reply->lines[0];
	const char *rest;
	int event = find_event(line, &rest);
	enum event_kind kind;

	if (event < 0)
		return;
	kind = event_words[event].kind;
	if (kind == EVENT_OPTIONS) {
		if (rights_has(session->wanted, event))
			tell_options(session, reply);
		return;
	}
	if (reply->count != 1 || line->data)
		return;
	if (kind == EVENT_PLAIN || kind == EVENT_ONION) {
		if (rights_has(session->wanted, event) &&
		    (kind == EVENT_PLAIN || is_own_service(session, rest)))
			pass(session, event_words[event].name, rest);
		return;
	}
	/* Looked at also if it is not wanted: what is visible is known by it. */
	session_line(session, kind, rest, strlen(rest), &text);
	if (text.len > 0 && buf_finish(&text) == 0 && rights_has(session->wanted, event))
		pass(session, event_words[event].name, buf_text(&text));
}

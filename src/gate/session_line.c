/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Lines that tell of streams, circuits and states: who may see them, and which parts of them. */
#include "session_state.h"

#include <string.h>

#include <base/num.h>
#include <torctl/words.h>

/* Words at the beginning that are told as they are: numbers, states, where a stream goes. */
static size_t leading(enum event_kind kind, const struct torctl_words *words)
{
	switch (kind) {
	case EVENT_STREAM:
	case EVENT_STREAM_USE:
		return 4;
	case EVENT_CIRCUIT:
	case EVENT_CIRCUIT_CHANGE: {
		const struct torctl_word *path = words->count > 2 ? &words->list[2] : NULL;

		/* The path may be missing. A relay is $FINGERPRINT~NAME or $FINGERPRINT=NAME. */
		return path && (path->key ? path->key : path->value)[0] == '$' ? 3 : 2;
	}
	case EVENT_STATUS:
	case EVENT_RELAY:
		return 2;
	case EVENT_PLAIN:
	case EVENT_ONION:
	case EVENT_OPTIONS:
	case EVENT_UNTOLD:
		break;
	}
	return 0;
}

static void write_quoted(const char *text, struct buf *out)
{
	buf_puts(out, "\"");
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\')
			buf_printf(out, "\\%c", c);
		else if (c < 0x20 || c > 0x7e)
			buf_printf(out, "\\%03o", c);
		else
			buf_add(out, text, 1);
	}
	buf_puts(out, "\"");
}

static bool tells(const struct session *session, enum event_kind kind, const struct torctl_word *word)
{
	int field = word->key ? field_find(word->key, kind) : -1;

	return field >= 0 && (field_words[field].told || rights_has(session->rights->fields, field));
}

static void write_line(const struct session *session, enum event_kind kind,
		       const struct torctl_words *words, struct buf *out)
{
	size_t first = leading(kind, words);
	const char *before = "";

	for (size_t i = 0; i < words->count; i++) {
		const struct torctl_word *word = &words->list[i];

		if (i >= first && !tells(session, kind, word))
			continue;
		buf_puts(out, before);
		before = " ";
		if (word->key)
			buf_printf(out, "%s=", word->key);
		if (word->quoted)
			write_quoted(word->value, out);
		else
			buf_puts(out, word->value);
	}
}

static uint64_t number_at(const struct torctl_words *words, size_t index)
{
	const char *text = torctl_words_at(words, index);
	uint64_t number;

	return text && num_parse_u64(text, UINT64_MAX, &number) == 0 ? number : 0;
}

static bool is_end(const struct torctl_words *words)
{
	const char *status = torctl_words_at(words, 1);

	return status && (!strcmp(status, "CLOSED") || !strcmp(status, "FAILED"));
}

/* Each of Tor's ports for streams has its own number as its session group (torrc: SessionGroup). */
static bool is_of_seen_port(const struct session *session, const struct torctl_words *words)
{
	const char *group = torctl_words_get(words, "SESSION_GROUP");
	uint64_t port;

	if (!group || num_parse_u64(group, UINT16_MAX, &port) < 0)
		return false;
	for (size_t i = 0; i < session->rights->seen_count; i++)
		if (session->rights->seen_ports[i] == port)
			return true;
	return false;
}

static bool see_stream(struct session *session, const struct torctl_words *words)
{
	uint64_t stream = number_at(words, 0), circuit = number_at(words, 2);

	if (session->rights->sees_all)
		return true;
	if (stream && is_of_seen_port(session, words))
		seen_add(&session->streams, stream);
	if (!stream || !seen_has(&session->streams, stream))
		return false;
	if (circuit)
		seen_add(&session->circuits, circuit);
	if (is_end(words))
		seen_remove(&session->streams, stream);
	return true;
}

static bool see_circuit(struct session *session, const struct torctl_words *words)
{
	uint64_t circuit = number_at(words, 0);

	if (session->rights->sees_all)
		return true;
	if (!circuit || !seen_has(&session->circuits, circuit))
		return false;
	if (is_end(words))
		seen_remove(&session->circuits, circuit);
	return true;
}

static bool see(struct session *session, enum event_kind kind, const struct torctl_words *words)
{
	switch (kind) {
	case EVENT_STREAM:
		return see_stream(session, words);
	case EVENT_STREAM_USE:
		return session->rights->sees_all ||
		       seen_has(&session->streams, number_at(words, 0));
	case EVENT_CIRCUIT:
	case EVENT_CIRCUIT_CHANGE:
		return see_circuit(session, words);
	case EVENT_STATUS:
	case EVENT_RELAY:
		return true;
	case EVENT_PLAIN:
	case EVENT_ONION:
	case EVENT_OPTIONS:
	case EVENT_UNTOLD:
		break;
	}
	return false;
}

void session_line(struct session *session, enum event_kind kind, const char *text, size_t length,
		  struct buf *out)
{
	CLEANUP(torctl_words_done) struct torctl_words words = { 0 };

	/* What cannot be read is not told. */
	if (torctl_words_parse(text, length, &words) < 0)
		return;
	if (see(session, kind, &words))
		write_line(session, kind, &words, out);
}

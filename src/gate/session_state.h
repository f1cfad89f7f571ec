/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a session is made of. Only session*.c include it. */
#pragma once

#include "session.h"

#include <torctl/command.h>
#include <torctl/reply.h>

#include "seen.h"

/* What Tor's next reply is the answer to. */
enum question {
	ASKED_NOTHING = 0,
	ASKED_VERSION,	/* for PROTOCOLINFO */
	ASKED_WATCH,	/* events that the session itself needs, at AUTHENTICATE */
	ASKED_COMMAND,	/* the client's command, as it is in `command` */
	ASKED_WHOSE,	/* does the onion service have a client's key already? */
	ASKED_UNDO,	/* to remove the client's key, which has replaced another's */
};

struct session {
	const struct rights *rights;
	struct turn *turn;
	int32_t self;
	struct torctl_reader *reader;
	struct torctl_parser *parser;
	struct outlet to_client, to_tor;
	enum question question;
	struct torctl_command command; /* while it is at Tor */
	bool authenticated, ended;
	bool deaf; /* what Tor says is not looked at any more */
	uint64_t wanted; /* events, a set: what the client has asked for */

	/* What is visible, unless all is. */
	struct seen_numbers streams, circuits;
	struct seen_onions onions, keys; /* services that were made, keys that were added, here */

	uint64_t began;	  /* the connection */
	/* Since when is waited for the rest of a line, for Tor, for the client to read; 0: not. */
	uint64_t line_since, tor_since, client_since;
	uint64_t newnym;  /* when it was last; 0: never */
	uint64_t refilled;
	unsigned credit; /* commands */
};

/* session_judge.c: the client's command, which was read. It is answered, or put out to Tor. */
void session_judge(struct session *session, struct torctl_command *command, uint64_t now);
/* The command that was kept goes on, after what Tor was asked first. */
void session_forward(struct session *session);

/* session_reply.c: Tor's answer to what was asked. */
void session_reply(struct session *session, const struct torctl_reply *reply);

/* session_event.c: what nobody asked for. Also keeps account of what is visible. */
void session_event(struct session *session, const struct torctl_reply *reply);

/* session_line.c: one line that tells of a stream, a circuit or a status, without the event's name, as the
 * client may see it, to @out; nothing if it is not to be seen. Also keeps account of what is visible. */
void session_line(struct session *session, enum event_kind kind, const char *text, size_t length,
		  struct buf *out);

/* session_end.c: say that, and end. */
void session_end(struct session *session, unsigned code, const char *reason);
/* The same, for Tor's answers from then on. */
void session_late_reply(struct session *session, const struct torctl_reply *reply);

/* session.c */
void session_answer(struct session *session, unsigned code, const char *format, ...) PRINTF(3, 4);
/* Put a command out to Tor; its reply will be the answer to @question. */
void session_ask(struct session *session, enum question question, const char *line);
/* Every stream and circuit need not be followed one by one. */
static inline bool session_follows(const struct session *session)
{
	return !session->rights->sees_all && session->rights->seen_count > 0;
}

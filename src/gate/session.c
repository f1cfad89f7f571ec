/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Bytes, times and limits. What is said is for session_judge.c, _reply.c and _event.c,
 * the end for _end.c. */
#include "session_state.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define REASON_MAX 256

static const struct torctl_limits client_limits = {
	.line_bytes = SESSION_LINE_MAX,
	.lines = 256,
	.bytes = SESSION_COMMAND_MAX,
};
static const struct torctl_limits tor_limits = {
	.line_bytes = 64u << 10,
	.lines = 4096,
	.bytes = SESSION_REPLY_MAX,
};

int session_new(const struct session_guest *guest, uint64_t now, struct session **ret_session)
{
	CLEANUP(session_freep) struct session *session = calloc(1, sizeof(*session));

	if (!session)
		return -ENOMEM;
	session->rights = guest->rights;
	session->turn = guest->turn;
	session->self = guest->self;
	session->to_client.buf.cap = SESSION_WAITING_MAX;
	/* One command, and at the end one for each key that was added. */
	session->to_tor.buf.cap = 2 * SESSION_COMMAND_MAX;
	session->began = session->refilled = now;
	session->credit = SESSION_BURST;
	if (torctl_reader_new(&client_limits, &session->reader) < 0 ||
	    torctl_parser_new(&tor_limits, &session->parser) < 0)
		return -ENOMEM;
	*ret_session = TAKE_PTR(session);
	return 0;
}

struct session *session_free(struct session *session)
{
	if (session) {
		torctl_reader_free(session->reader);
		torctl_parser_free(session->parser);
		torctl_command_done(&session->command);
		buf_done(&session->to_client.buf);
		buf_done(&session->to_tor.buf);
		free(session);
	}
	return NULL;
}

/* ---- what is said ---- */

void session_answer(struct session *session, unsigned code, const char *format, ...)
{
	char text[REASON_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	buf_printf(&session->to_client.buf, "%03u %s\r\n", code, text);
}

void session_ask(struct session *session, enum question question, const char *line)
{
	session->question = question;
	buf_printf(&session->to_tor.buf, "%s\r\n", line);
}

/* Since when each is waited for. A byte now and then does not make a line, nor an answer of Tor's: that
 * time runs from the first one. */
static void note_times(struct session *session, uint64_t now)
{
	bool at_tor = session->question != ASKED_NOTHING || outlet_length(&session->to_tor) > 0;
	bool waits = outlet_length(&session->to_client) > 0;

	if (torctl_reader_between(session->reader))
		session->line_since = 0;
	else if (!session->line_since)
		session->line_since = now;
	if (!at_tor)
		session->tor_since = 0;
	else if (!session->tor_since)
		session->tor_since = now;
	if (!waits)
		session->client_since = 0;
	else if (!session->client_since)
		session->client_since = now;
}

/* ---- the client's bytes ---- */

bool session_ended(const struct session *session)
{
	return session->ended;
}

bool session_listens(const struct session *session)
{
	return !session->ended && session->question == ASKED_NOTHING && session->credit > 0 &&
	       outlet_length(&session->to_client) < SESSION_WAITING_MAX / 4;
}

static void take_command(struct session *session, const struct torctl_sent *sent, uint64_t now)
{
	struct torctl_command command = { 0 };
	const char *reason = NULL;
	int r = torctl_command_read(sent, &command, &reason);

	session->credit--;
	if (r == -ENOMEM)
		session_end(session, 451, "Out of memory");
	else if (r < 0)
		session_answer(session, 512, "Bad arguments: %s", reason);
	else
		session_judge(session, &command, now);
	torctl_command_done(&command);
}

size_t session_client(struct session *session, const char *bytes, size_t length, uint64_t now)
{
	size_t taken = 0;

	session_tick(session, now);
	while (taken < length && session_listens(session)) {
		const struct torctl_sent *sent = NULL;
		size_t used = 0;
		int r = torctl_reader_feed(session->reader, bytes + taken, length - taken, &used,
					   &sent);

		if (r == -EBADMSG)
			session_end(session, 500, "Syntax error: a NUL, or a line that does not "
						  "end in CR LF");
		else if (r < 0)
			session_end(session, 500, "Syntax error: this command is too long");
		taken += used;
		if (r == 0 && sent)
			take_command(session, sent, now);
	}
	note_times(session, now);
	return session->ended ? length : taken;
}

void session_client_ended(struct session *session)
{
	session_end(session, 0, NULL);
}

/* ---- Tor's bytes ---- */

static void take_reply(struct session *session, const struct torctl_reply *reply)
{
	if (session->ended) {
		if (!reply->event)
			session_late_reply(session, reply);
		return;
	}
	if (reply->event) {
		session_event(session, reply);
		return;
	}
	if (session->question == ASKED_NOTHING) {
		session_end(session, 451, "Tor said something that nobody had asked");
		return;
	}
	session_reply(session, reply);
}

void session_tor(struct session *session, const char *bytes, size_t length, uint64_t now)
{
	size_t taken = 0;

	while (taken < length && !session->deaf) {
		const struct torctl_reply *reply = NULL;
		size_t used = 0;
		int r = torctl_parser_feed(session->parser, bytes + taken, length - taken, &used,
					   &reply);

		if (r < 0) {
			session_end(session, 451, r == -E2BIG ? "What Tor answers is too long"
							      : "Tor's answer cannot be read");
			session_forsake(session);
		}
		taken += used;
		if (r == 0 && reply)
			take_reply(session, reply);
	}
	/* Who does not read what is said to him is not waited for. */
	if (buf_finish(&session->to_client.buf) < 0)
		session_end(session, 0, NULL);
	note_times(session, now);
}

void session_tor_ended(struct session *session)
{
	session_end(session, 451, "Tor has ended the connection");
	session_forsake(session);
}

/* ---- times ---- */

struct outlet *session_for_client(struct session *session)
{
	return &session->to_client;
}

struct outlet *session_for_tor(struct session *session)
{
	return &session->to_tor;
}

void session_progress(struct session *session, uint64_t now)
{
	session->client_since = 0;
	note_times(session, now);
}

static uint64_t sooner(uint64_t one, uint64_t other)
{
	return one < other ? one : other;
}

uint64_t session_due(const struct session *session)
{
	const uint64_t since[] = { session->line_since, session->tor_since, session->client_since };
	uint64_t due = UINT64_MAX;

	if (session->ended)
		return due;
	if (!session->authenticated)
		due = session->began + SESSION_LOGIN_MS;
	for (size_t i = 0; i < ARRAY_SIZE(since); i++)
		if (since[i])
			due = sooner(due, since[i] + SESSION_STALL_MS);
	if (session->credit == 0)
		due = sooner(due, session->refilled + SESSION_REFILL_MS);
	return due;
}

static void refill(struct session *session, uint64_t now)
{
	uint64_t more = (now - session->refilled) / SESSION_REFILL_MS;

	if (more > SESSION_BURST - session->credit)
		more = SESSION_BURST - session->credit;
	session->credit += (unsigned)more;
	if (session->credit == SESSION_BURST)
		session->refilled = now;
	else
		session->refilled += more * SESSION_REFILL_MS;
}

static bool is_over(uint64_t since, uint64_t now)
{
	return since && now >= since + SESSION_STALL_MS;
}

void session_tick(struct session *session, uint64_t now)
{
	refill(session, now);
	if (!session->authenticated && now >= session->began + SESSION_LOGIN_MS)
		session_end(session, 451, "No AUTHENTICATE came in time");
	else if (is_over(session->tor_since, now))
		session_end(session, 451, "Tor does not answer");
	else if (is_over(session->line_since, now) || is_over(session->client_since, now))
		session_end(session, 451, "This took too long");
}

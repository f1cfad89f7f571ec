/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A client and a Tor that both say what they like, in any order. The input is pieces: a letter (c the
 * client says, t Tor says, r the client reads, w time passes), a length in one byte, and as many bytes.
 * Whatever they say: Tor hears whole lines, each a command that is granted; the client hears whole
 * replies, and only events and keys that are granted; and what is kept for either has its limit.
 */
#include "grants.h"
#include "session.h"

#include <string.h>

#include <base/fuzz.h>
#include <torctl/reply.h>

#define SIZE_MAX_INPUT 65536

static const char text[] =
	"lethe-gate 1\nclient a\nusers everyone\n"
	"getinfo version, circuit-status, stream-status, onions/current, ns/id, ip-to-country, "
	"status/bootstrap-phase\n"
	"getconf UseBridges\nsetconf UseBridges, Bridge, ClientTransportPlugin\ntransport obfs4 9055\n"
	"events STREAM, CIRC, HS_DESC, STATUS_CLIENT, CONF_CHANGED, BW, ORCONN\nsignals NEWNYM\n"
	"see 9150\nonions to 17600-17650\nonion-clients\n";

static const char *const tor_may_hear[] = {
	"GETINFO version",	"GETINFO circuit-status", "GETINFO stream-status",
	"GETINFO onions/current", "GETINFO ns/id/",	  "GETINFO ip-to-country/",
	"GETINFO status/bootstrap-phase", "GETCONF ",	  "SETCONF UseBridges",
	"SETCONF Bridge",	"SETCONF ClientTransportPlugin", "RESETCONF UseBridges",
	"RESETCONF Bridge",	"RESETCONF ClientTransportPlugin", "SETEVENTS",
	"SIGNAL NEWNYM",	"ADD_ONION NEW:ED25519-V3", "ADD_ONION ED25519-V3:",
	"DEL_ONION ",		"ONION_CLIENT_AUTH_",
};

static const char *const client_may_hear[] = { "STREAM", "CIRC", "HS_DESC", "STATUS_CLIENT",
					       "CONF_CHANGED", "UseBridges", "BW", "ORCONN", "OK" };

static const char *const never[] = { "SocksPort", "exec", "HALT", "Detach", "Permanent",
				     "MAPADDRESS", "config-text", "EXTENDCIRCUIT", "NonAnonymous" };

/* @word begins a word, or a part of a list. Inside a key it is a matter of chance. */
static bool has_word(const char *line, size_t length, const char *word)
{
	const char *at = line;

	while ((at = memmem(at, length - (size_t)(at - line), word, strlen(word)))) {
		if (at == line || strchr(" ,=", at[-1]))
			return true;
		at++;
	}
	return false;
}

static void check_line(const char *line, size_t length)
{
	bool found = false, free_words = memmem(line, length, "Bridge", 6) ||
					 memmem(line, length, "ClientName", 10);

	for (size_t i = 0; i < length; i++)
		REQUIRE(line[i] >= 0x20 && line[i] <= 0x7e);
	for (size_t i = 0; i < ARRAY_SIZE(tor_may_hear); i++)
		found |= length >= strlen(tor_may_hear[i]) &&
			 memcmp(line, tor_may_hear[i], strlen(tor_may_hear[i])) == 0;
	REQUIRE(found);
	/* A bridge's line and a name may hold any word. */
	for (size_t i = 0; i < ARRAY_SIZE(never) && !free_words; i++)
		REQUIRE(!has_word(line, length, never[i]));
}

/* All that waits for Tor, which takes it. */
static void tor_takes(struct session *session)
{
	struct outlet *outlet = session_for_tor(session);
	const char *at = outlet_bytes(outlet), *end = at + outlet_length(outlet);

	REQUIRE(buf_finish(&outlet->buf) == 0);
	while (at < end) {
		const char *next = memmem(at, (size_t)(end - at), "\r\n", 2);

		REQUIRE(next);
		check_line(at, (size_t)(next - at));
		at = next + 2;
	}
	outlet_take(outlet, outlet_length(outlet));
}

static void check_reply(const struct torctl_reply *reply)
{
	for (size_t i = 0; i < reply->count && reply->event; i++) {
		size_t length = strcspn(reply->lines[i].text, " =");
		bool found = false;

		for (size_t j = 0; j < ARRAY_SIZE(client_may_hear); j++)
			found |= strlen(client_may_hear[j]) == length &&
				 strncasecmp(reply->lines[i].text, client_may_hear[j], length) == 0;
		REQUIRE(found);
	}
}

static void client_takes(struct session *session, struct torctl_parser *parser, size_t most)
{
	struct outlet *outlet = session_for_client(session);
	size_t length = outlet_length(outlet) < most ? outlet_length(outlet) : most, at = 0;

	while (at < length) {
		const struct torctl_reply *reply = NULL;
		size_t used = 0;

		REQUIRE(torctl_parser_feed(parser, outlet_bytes(outlet) + at, length - at, &used,
					   &reply) == 0);
		at += used;
		if (reply)
			check_reply(reply);
	}
	outlet_take(outlet, length);
}

struct meeting {
	struct session *session;
	struct torctl_parser *parser; /* of what the client hears */
	struct buf pending;	      /* of the client's, that the session has not taken */
	uint64_t now;
};

static void client_says(struct meeting *meeting, const char *bytes, size_t length)
{
	struct buf *pending = &meeting->pending;
	size_t taken;

	buf_add(pending, bytes, length);
	taken = session_client(meeting->session, buf_text(pending), pending->len, meeting->now);
	REQUIRE(taken <= pending->len);
	REQUIRE(taken == pending->len || !session_listens(meeting->session));
	if (pending->len > 0)
		memmove(pending->data, pending->data + taken, pending->len - taken);
	pending->len -= taken;
}

static void act(struct meeting *meeting, uint8_t who, const char *bytes, uint8_t length)
{
	struct session *session = meeting->session;

	if (who == 'c') {
		client_says(meeting, bytes, length);
	} else if (who == 't') {
		session_tor(session, bytes, length, meeting->now);
	} else if (who == 'r') {
		client_takes(session, meeting->parser, length);
		session_progress(session, meeting->now);
	} else if (who == 'w') {
		meeting->now += length * 100u;
		session_tick(session, meeting->now);
	}
	tor_takes(session);
	REQUIRE(outlet_length(session_for_client(session)) <= SESSION_WAITING_MAX);
	REQUIRE(session_ended(session) || session_due(session) >= meeting->now);
}

static void meet(struct meeting *meeting, const uint8_t *data, size_t size)
{
	size_t at = 0;

	while (size - at >= 2 && !session_ended(meeting->session)) {
		size_t left = size - at - 2;
		uint8_t length = data[at + 1] < left ? data[at + 1] : (uint8_t)left;

		act(meeting, data[at], (const char *)data + at + 2, length);
		at += 2u + length;
	}
	session_client_ended(meeting->session);
	tor_takes(meeting->session);
	client_takes(meeting->session, meeting->parser, SIZE_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct torctl_limits limits = { .line_bytes = 1u << 20,
						     .lines = 1u << 20,
						     .bytes = 1u << 20 };
	static struct grants grants;
	struct meeting meeting = { .pending = { .cap = SIZE_MAX_INPUT }, .now = 1000 };
	struct turn turn = { 0 };
	struct rights rights;
	struct session_guest guest = { .rights = &rights, .turn = &turn, .self = 1 };
	struct diag diag = { 0 };

	if (size > SIZE_MAX_INPUT)
		return 0;
	if (grants.count == 0)
		REQUIRE(grants_read(&grants, "fuzz", text, strlen(text), "/dev/null", &diag) == 0);
	REQUIRE(grants_of(&grants, 1, &rights) == 0);
	REQUIRE(session_new(&guest, meeting.now, &meeting.session) == 0);
	REQUIRE(torctl_parser_new(&limits, &meeting.parser) == 0);
	meet(&meeting, data, size);
	session_free(meeting.session);
	torctl_parser_free(meeting.parser);
	buf_done(&meeting.pending);
	return 0;
}

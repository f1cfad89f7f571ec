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

static void check_line(const char *line, size_t length)
{
	bool found = false;

	for (size_t i = 0; i < length; i++)
		REQUIRE(line[i] >= 0x20 && line[i] <= 0x7e);
	for (size_t i = 0; i < ARRAY_SIZE(tor_may_hear); i++)
		found |= length >= strlen(tor_may_hear[i]) &&
			 memcmp(line, tor_may_hear[i], strlen(tor_may_hear[i])) == 0;
	REQUIRE(found);
	/* A bridge's line may hold any word. */
	for (size_t i = 0; i < ARRAY_SIZE(never) && !memmem(line, length, "Bridge", 6); i++)
		REQUIRE(!memmem(line, length, never[i], strlen(never[i])));
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

/* @whole: nothing was lost because too much waited. */
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct torctl_limits limits = { .line_bytes = 1u << 20,
						     .lines = 1u << 20,
						     .bytes = 1u << 20 };
	static struct grants grants;
	struct rights rights;
	CLEANUP(session_freep) struct session *session = NULL;
	CLEANUP(torctl_parser_freep) struct torctl_parser *parser = NULL;
	AUTO_BUF struct buf pending = { .cap = SIZE_MAX_INPUT };
	struct diag diag = { 0 };
	uint64_t now = 1000;
	size_t at = 0;

	if (size > SIZE_MAX_INPUT)
		return 0;
	if (grants.count == 0)
		REQUIRE(grants_read(&grants, "fuzz", text, strlen(text), "/dev/null", &diag) == 0);
	REQUIRE(grants_of(&grants, 1, &rights) == 0 && session_new(&rights, now, &session) == 0);
	REQUIRE(torctl_parser_new(&limits, &parser) == 0);
	while (size - at >= 2 && !session_ended(session)) {
		uint8_t who = data[at], length = data[at + 1];
		const char *bytes = (const char *)data + at + 2;
		size_t taken;

		if (length > size - at - 2)
			length = (uint8_t)(size - at - 2);
		at += 2u + length;
		if (who == 'c') {
			buf_add(&pending, bytes, length);
			taken = session_client(session, buf_text(&pending), pending.len, now);
			REQUIRE(taken <= pending.len);
			REQUIRE(taken == pending.len || !session_listens(session));
			memmove(pending.data, pending.data + taken, pending.len - taken);
			pending.len -= taken;
		} else if (who == 't') {
			session_tor(session, bytes, length, now);
		} else if (who == 'r') {
			client_takes(session, parser, length);
			session_progress(session, now);
		} else if (who == 'w') {
			now += length * 100u;
			session_tick(session, now);
		}
		tor_takes(session);
		REQUIRE(outlet_length(session_for_client(session)) <= SESSION_WAITING_MAX);
		REQUIRE(session_ended(session) || session_due(session) >= now);
	}
	session_client_ended(session);
	tor_takes(session);
	client_takes(session, parser, SIZE_MAX);
	return 0;
}

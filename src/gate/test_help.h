/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A session under test: both ends of it are here. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "grants.h"
#include "session.h"

#define ONION	    "6cztpym2a4gwfchapnmhlxy3hqjuzeitjd5bn2cjtervfhv4rdk2oaid"
#define OTHER_ONION "slgswg5p4ejgqvuurkpo4xf7cmzefurerzuefd46d2kzshio22oox4yd"
#define X25519_KEY  "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
#define NO_PASSWD   "/dev/null"

/* What these statements of one client give. */
static inline struct rights rights_by(const char *statements)
{
	static struct grants grants;
	AUTO_BUF struct buf text = { .cap = 4096 };
	struct rights rights;
	struct diag diag = { 0 };

	grants = (struct grants){ 0 };
	buf_printf(&text, "lethe-gate 1\nclient one\nusers everyone\n%s\n", statements);
	if (grants_read(&grants, "test", buf_text(&text), text.len, NO_PASSWD, &diag) < 0)
		fail_msg("%u:%u: %s", diag.line, diag.column, diag.message);
	assert_int_equal(grants_of(&grants, 1000, &rights), 0);
	return rights;
}

static inline struct session *guest_by(const struct rights *rights, struct turn *turn, int32_t self)
{
	const struct session_guest guest = { .rights = rights, .turn = turn, .self = self };
	struct session *session;

	assert_int_equal(session_new(&guest, 1000, &session), 0);
	return session;
}

static inline struct session *session_by(const struct rights *rights)
{
	static struct turn turn;

	return guest_by(rights, &turn, 1);
}

/* All that waits for somebody is this; it is taken. */
static inline void hears_at(struct outlet *outlet, const char *who, const char *expected, int line)
{
	size_t length = strlen(expected);

	if (outlet_length(outlet) != length || memcmp(outlet_bytes(outlet), expected, length) != 0)
		fail_msg("line %d: %s hears:\n%s", line, who, outlet_bytes(outlet));
	outlet_take(outlet, length);
}

#define CLIENT_HEARS(session, expected)                                                            \
	hears_at(session_for_client(session), "the client", expected, __LINE__)
#define TOR_HEARS(session, expected) hears_at(session_for_tor(session), "Tor", expected, __LINE__)

static inline void client_says(struct session *session, const char *text)
{
	assert_int_equal(session_client(session, text, strlen(text), 2000), strlen(text));
}

static inline void tor_says(struct session *session, const char *text)
{
	session_tor(session, text, strlen(text), 2000);
}

static inline void exchange_at(struct session *session, const char *says, const char *tor_hears,
			       const char *answer, const char *hears, int line)
{
	client_says(session, says);
	hears_at(session_for_tor(session), "Tor", tor_hears, line);
	tor_says(session, answer);
	hears_at(session_for_client(session), "the client", hears, line);
}

/* The client says it, Tor hears that, answers so, and the client hears that. */
#define EXCHANGE(session, says, tor_hears, answer, hears)                                          \
	exchange_at(session, says, tor_hears, answer, hears, __LINE__)
/* It is answered here, and Tor hears nothing. */
#define REFUSED(session, says, hears) exchange_at(session, says, "", "", hears, __LINE__)

static inline void log_in(struct session *session)
{
	client_says(session, "AUTHENTICATE\r\n");
	if (outlet_length(session_for_tor(session)) > 0) {
		TOR_HEARS(session, "SETEVENTS STREAM CIRC\r\n");
		tor_says(session, "250 OK\r\n");
	}
	CLIENT_HEARS(session, "250 OK\r\n");
	session_progress(session, 2000);
}

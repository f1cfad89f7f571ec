/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One client's conversation with Tor, seen from between: bytes of either come in, bytes for either go
 * out. Nothing here reads a socket or a clock. One command is at Tor at a time; the next one is looked
 * at when its answer has been passed on, and what the client sends meanwhile stays with the caller.
 *
 * The connection to Tor is authenticated already, and is this client's alone, so that its events and its
 * onion services are nobody else's.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "outlet.h"
#include "rights.h"
#include "turn.h"

/* Times are milliseconds of a clock that does not go back. */
#define SESSION_LINE_MAX     (8u << 10)	  /* bytes of a client's line */
#define SESSION_COMMAND_MAX  (16u << 10)  /* of its command with a data block */
#define SESSION_REPLY_MAX    (256u << 10) /* of Tor's reply */
#define SESSION_WAITING_MAX  (512u << 10) /* that wait for a client that does not read */
#define SESSION_LOGIN_MS     30000	  /* from the connection to AUTHENTICATE */
#define SESSION_STALL_MS     60000	  /* for the rest of a line, for reading, for Tor's answer */
#define SESSION_BURST	     256	  /* commands at once, and then */
#define SESSION_REFILL_MS    20		  /* one more in this time */
#define SESSION_NEWNYM_MS    10000	  /* from one NEWNYM to the next */

struct session;

/* Who the session is of, and what it shares with others. All must outlive it. */
struct session_guest {
	const struct rights *rights;
	struct turn *turn;
	int32_t self; /* in turn's terms */
};

/* Returns 0 and the session, to session_free(), or -ENOMEM. */
MUST_CHECK int session_new(const struct session_guest *guest, uint64_t now,
			   struct session **ret_session);
struct session *session_free(struct session *session);
DEFINE_CLEANUP(struct session *, session_free)

/* It is at its end: write what waits for the client and for Tor, give it what Tor still says while it owes
 * something, and close both. */
bool session_ended(const struct session *session);
/* It is at its end, and must hear Tor's next answer to know what it has to take back. */
bool session_owes(const struct session *session);
/* That answer is not waited for any longer, or cannot come: what may be there is taken back unseen. */
void session_forsake(struct session *session);

/* Would it look at bytes of the client now? If not, they are not to be read. */
bool session_listens(const struct session *session);

/* Bytes of the client: returns how many it took; the rest is to be given again when it listens. */
size_t session_client(struct session *session, const char *bytes, size_t length, uint64_t now);
/* Bytes of Tor: all are taken. */
void session_tor(struct session *session, const char *bytes, size_t length, uint64_t now);
/* There will be no more of the one, of the other. */
void session_client_ended(struct session *session);
void session_tor_ended(struct session *session);
/* The client, or Tor, has taken some of what waited for it. */
void session_progress(struct session *session, uint64_t now);

/* What waits for each. */
struct outlet *session_for_client(struct session *session);
struct outlet *session_for_tor(struct session *session);

/* When session_tick() is due if nothing happens; UINT64_MAX: never. */
uint64_t session_due(const struct session *session);
void session_tick(struct session *session, uint64_t now);

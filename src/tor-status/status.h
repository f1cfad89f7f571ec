/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What Tor says of itself, for people: how far it is, and what holds it up. */
#pragma once

#include <stdbool.h>

#include <base/buf.h>
#include <torctl/client.h>

#define TOR_TEXT_MAX 256 /* of one text of Tor's, with its NUL; longer ones are cut */

struct tor_status {
	bool running;  /* Tor answered everything; else only `starting` and `reason` are set */
	bool starting; /* it is not there yet */
	char version[TOR_TEXT_MAX];
	bool network;               /* may use the network: DisableNetwork is 0 */
	bool live;                  /* something came from the network lately */
	bool dormant;               /* resting, because nobody has used it for long */
	bool circuit;               /* traffic can be sent through Tor */
	unsigned progress;          /* per cent of getting connected, 0 to 100 */
	char phase[TOR_TEXT_MAX];   /* Tor's short name for where it is, as "conn_done" */
	char summary[TOR_TEXT_MAX]; /* the same as words */
	char warning[TOR_TEXT_MAX]; /* what went wrong at this phase; "" if nothing did */
	char reason[TOR_TEXT_MAX];  /* why it is not running, as a sentence, or Tor's short name for
				     * the cause of the warning; "" if neither is */
};

/* Read an answer to GETINFO status/bootstrap-phase into @status. Returns 0, -ENOMEM, or -EBADMSG:
 * then @status is as before. */
MUST_CHECK int tor_status_phase(const char *text, struct tor_status *status);

/* Ask an authenticated Tor. Returns 0 and a status that is `running`, or as torctl_getinfo(). */
MUST_CHECK int tor_status_ask(struct torctl *torctl, struct tor_status *ret_status);

/* What lethe-gate's answer to AUTHENTICATE means: 0; -EINPROGRESS (Tor is still starting), -ECONNREFUSED (it
 * does not run), -ETIMEDOUT (it did not answer), -ENOLINK (the gate is not let in), -EBUSY (the gate cannot
 * for another reason), or -ECONNABORTED (the gate lets nobody like this in). */
MUST_CHECK int tor_status_greeting(const struct torctl_line *line);

/* The status of a Tor of which nothing is known but that @step ended in @error (-errno). */
struct tor_status tor_status_failed(const char *step, int error);

/* One JSON object and a newline. Errors stay in the buffer. */
void tor_status_json(const struct tor_status *status, struct buf *out);

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One lease of a transport: from the connection of whoever asked for it to its end. One line of
 * JSON for each change of state goes to the lease; what comes from there is not read for its
 * meaning, but its end is the end of the session.
 */
#pragma once

#include "child.h"

#include <stdint.h>

#define SESSION_CONNECTIONS_MAX 64

/* All are the caller's. The sockets do not block. */
struct session_sockets {
	int lease;    /* connected, to whoever asked */
	int listener; /* where Tor connects, in the host's network namespace */
};

enum session_end {
	SESSION_FAILED = 0, /* the lease was told why */
	SESSION_RETURNED,   /* whoever asked has closed the lease */
};

/* Why a transport is not there. On the lease by these words, which are for programs:
 * session_word(). */
enum session_reason {
	SESSION_NOT_STARTED = 0, /* the program is missing, or may not be run */
	SESSION_MALFORMED,       /* it says what pt-spec does not allow */
	SESSION_REFUSED,         /* it says that it cannot */
	SESSION_TOO_MUCH,        /* it says more than a transport has to say */
	SESSION_LATE,            /* it was not ready in time */
	SESSION_ENDED,           /* it has ended by itself, or was killed */
	SESSION_BROKEN,          /* this program could not go on */
};
const char *session_word(enum session_reason reason);

/* Write one line to the lease: "starting", "ready"; or "failed" and why. What the other does not
 * read in time is lost. */
void session_tell_state(int lease, const char *state);
void session_tell_failed(int lease, enum session_reason reason);

/*
 * Wait until the transport @name, which runs as @child, is ready, and connect Tor to it until the
 * lease ends or the transport does. It has @start_ms to become ready. The child is not ended here.
 */
enum session_end session_run(const struct session_sockets *sockets, const struct child *child,
			     const char *name, unsigned start_ms);

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What others say, one line at a time, as events for the machine. Pure: no byte is trusted, and nothing
 * of what names a relay, a bridge or a place is kept. */
#pragma once

#include "machine.h"

#define HEARD_LINE_MAX 4096 /* of an answer, in bytes */

/*
 * An event of Tor (control-spec, "Asynchronous events"), without its code; or, with @phase_only, the
 * answer to GETINFO status/bootstrap-phase. @phase is where the event's text is kept. Returns 0; -ENODATA
 * (nothing that matters here); -EBADMSG (it cannot be read); or -ENOMEM.
 */
MUST_CHECK int heard_tor(const char *text, size_t length, bool phase_only, char phase[static PHASE_MAX],
			 struct event *ret_event);

/* A line of a transport's lease: {"state":"ready"}. 0 or -EBADMSG. */
MUST_CHECK int heard_lease(const char *line, size_t length, enum torctl_transport transport,
			   struct event *ret_event);

/* The clock's answer: {"outcome":"set","captive":false}. 0 or -EBADMSG. */
MUST_CHECK int heard_clock(const char *text, size_t length, struct event *ret_event);

/*
 * A line of lethe-connect-moat: "bridge LINE", "builtin TRANSPORT", "none", "failed", "end". What is
 * found is gathered in @bridges and @builtin; bridges that are not understood are passed over. Returns
 * 1, with the event, at the end; 0, more is to come; or -EBADMSG.
 */
MUST_CHECK int heard_settings(const char *line, size_t length, struct torctl_bridges *bridges,
			      unsigned *builtin, struct event *ret_event);

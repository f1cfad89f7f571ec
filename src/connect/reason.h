/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Why there is no connection, and what Tor is doing, in plain words. Pure. */
#pragma once

#include <stdbool.h>

enum reason {
	REASON_NONE = 0,
	REASON_NO_NETWORK,
	REASON_CAPTIVE_PORTAL,
	REASON_WRONG_CLOCK,
	REASON_TOR_MISSING,
	REASON_TOR_REFUSED,
	REASON_TRANSPORT,
	REASON_BRIDGE_REFUSED,
	REASON_BRIDGE_SILENT,
	REASON_BRIDGE_LIES,
	REASON_STALLED,
	REASON_CENSORED,
	REASON_SETTINGS_UNREACHABLE,
	REASON_SETTINGS_NONE,
	REASON_NO_BRIDGES,
	REASON_END
};

/* For programs, as "wrong-clock"; "" for none. */
const char *reason_name(enum reason reason);
/* A sentence for people, and one or more that say what to try next; "" for none. Marked for
 * translation. */
const char *reason_text(enum reason reason);
const char *reason_advice(enum reason reason);
/* Is it worth trying again without anybody having done anything? */
bool reason_passes(enum reason reason);

/* What is being done, by our own or Tor's name of the phase ("conn_done"): never Tor's own text, which
 * may name relays. Marked for translation. */
const char *phase_text(const char *phase);

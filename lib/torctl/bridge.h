/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A bridge line, as people get and paste it, as a value: what is kept of it is what was understood,
 * and what is sent to Tor is written from that, so that no byte of a line reaches Tor unread.
 *
 *   [Bridge] [TRANSPORT] ADDRESS:PORT [FINGERPRINT] [NAME=VALUE]...
 *
 * Addresses are IPv4 alone: IPv6 is blocked on this system (claim F8). Of the transports meek_lite and
 * snowflake the address is a placeholder that nothing connects to.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <base/buf.h>
#include <base/diag.h>

/* Zero is none that is known. */
enum torctl_transport {
	TORCTL_TRANSPORT_NONE = 1, /* a plain bridge: whoever looks sees that it is Tor */
	TORCTL_TRANSPORT_OBFS4,
	TORCTL_TRANSPORT_MEEK,
	TORCTL_TRANSPORT_SNOWFLAKE,
	TORCTL_TRANSPORT_END
};

#define TORCTL_BRIDGE_LINE_MAX	    1024 /* bytes of a line, as pasted */
#define TORCTL_BRIDGE_ARGUMENTS_MAX 510	 /* bytes: what Tor can hand on to a transport by SOCKS */
#define TORCTL_BRIDGES_MAX	    64
#define TORCTL_FINGERPRINT_MAX	    41 /* with the NUL */

struct torctl_bridge {
	enum torctl_transport transport;
	uint32_t address; /* host order */
	uint16_t port;	  /* host order, not 0 */
	char fingerprint[TORCTL_FINGERPRINT_MAX]; /* upper case; "" if the line has none */
	char arguments[TORCTL_BRIDGE_ARGUMENTS_MAX + 1]; /* "NAME=VALUE NAME=VALUE", or "" */
};

/* The caller's, all of it: nothing is to be freed. */
struct torctl_bridges {
	size_t count;
	struct torctl_bridge list[TORCTL_BRIDGES_MAX];
};

/* As Tor spells it; "" for TORCTL_TRANSPORT_NONE. */
const char *torctl_transport_name(enum torctl_transport transport);
/* One that has a name. 0, or -ENOENT. */
MUST_CHECK int torctl_transport_parse(const char *name, size_t length,
				      enum torctl_transport *ret_transport);

/*
 * Read one line of @length bytes, without its end. @diag, which may be NULL, says to a person what is
 * wrong, in a sentence that holds nothing of the line. Returns 0; -ENODATA (nothing but blanks, or a
 * comment), -E2BIG (too long), -EAFNOSUPPORT (an IPv6 address), -EPROTONOSUPPORT (a transport that
 * this system does not have), or -EINVAL (it is no bridge line).
 */
MUST_CHECK int torctl_bridge_parse(const char *line, size_t length, struct torctl_bridge *ret_bridge,
				   struct diag *diag);

/* The line that Tor is told, without the word Bridge. Errors stay in the buffer. */
void torctl_bridge_write(const struct torctl_bridge *bridge, struct buf *out);

bool torctl_bridge_equal(const struct torctl_bridge *one, const struct torctl_bridge *other);

/* Add one that is not there yet: 1, or 0 if it was there; -ENOSPC (there are TORCTL_BRIDGES_MAX). */
MUST_CHECK int torctl_bridges_add(struct torctl_bridges *bridges, const struct torctl_bridge *bridge);

/* Read many lines, and add what they hold; blank lines and comments ("#") are passed over. @diag names
 * the line. Returns 0, or as the two above: then @bridges is as it was. */
MUST_CHECK int torctl_bridges_parse(const char *text, size_t length, struct torctl_bridges *bridges,
				    struct diag *diag);

/* Does any of them need this transport? */
bool torctl_bridges_use(const struct torctl_bridges *bridges, enum torctl_transport transport);

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What leaves this computer, through what, right now, by program: made from what two doors answered,
 * and from nothing else. */
#pragma once

#include <base/buf.h>

#include "answer.h"

enum leaving_way {
	LEAVING_TOR,	  /* to one of Tor's ports, or to an address that Tor gave a name */
	LEAVING_RELAYS,	  /* Tor's own connections, and those that carry its transports */
	LEAVING_LAN,	  /* to the local network */
	LEAVING_CLEARNET, /* to the Internet, and not by Tor */
	LEAVING_ANYWHERE, /* by a UDP socket without a peer: where it sends is not known */
	LEAVING_HOST,	  /* to this computer itself: it leaves nothing */
	LEAVING_WAYS,
};

/* Which way does this socket of the door's go? Anything that is not understood is LEAVING_CLEARNET:
 * what may leave is shown. @sockets is the list that it is from, by which Tor's ports are known. */
enum leaving_way leaving_way_of(const json_t *sockets, const json_t *socket);

/* The picture for people, or as one JSON object with the same contents. Returns 0, -ENODATA if one
 * of the two is not known (which is said in the text), or -ENOMEM. */
MUST_CHECK int leaving_text(const struct answer *flows, const struct answer *watch,
			    struct buf *out);
MUST_CHECK int leaving_json(const struct answer *flows, const struct answer *watch,
			    struct buf *out);

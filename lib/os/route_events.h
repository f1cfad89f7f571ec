/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What changes about this network namespace's devices, addresses, routing rules and forwarding. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <base/cleanup.h>

enum route_event_kind {
	ROUTE_EVENT_LINK = 1, /* a device has come or changed */
	ROUTE_EVENT_LINK_GONE,
	ROUTE_EVENT_ADDRESS, /* a device got or lost one. Which one is not told: it is nobody's
			      * business */
	ROUTE_EVENT_RULE,    /* a routing rule */
	ROUTE_EVENT_SETTING, /* forwarding and its like, of a device or of all */
	ROUTE_EVENT_ROUTE,   /* a route */
};

struct route_event {
	enum route_event_kind kind;
	unsigned index; /* of the device, for the first three */
	bool up;        /* ROUTE_EVENT_LINK: set up by the administrator */
};

/* A socket that hears of them, but for routes. 0 or -errno. */
MUST_CHECK int route_events_open(int *ret_fd);

/* One that hears of what decides where IPv4 goes: devices, IPv4 addresses and routes. 0 or -errno. */
MUST_CHECK int route_events_open_ipv4(int *ret_fd);

/* The next that has come already. 1; 0, there is none; -ENOBUFS, some were lost; or -errno. Of a
 * datagram with several messages the first counts: the kernel puts one into each. */
MUST_CHECK int route_events_next(int fd, struct route_event *ret_event);

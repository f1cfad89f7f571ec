/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Sets of packets as few boxes that a person can read: "amnesia to 192.168.1.50 over tcp, port
 * 631". Private to this room.
 *
 * A packet is looked at through a view: the aspects below, which people name, and nothing else. An
 * aspect is a number of some bits that only some packets have (a port, for those whose protocol has
 * ports). A region says for each aspect which numbers it holds; for a packet that does not have the
 * aspect it says nothing. So "every protocol but tcp port 53" is one region, and each region is one
 * conjunction.
 */
#pragma once

#include <policy/policy.h>

#include "space.h"

enum region_aspect {
	REGION_LOOPBACK = 0,     /* the device is lo */
	REGION_LABEL,            /* the ethertype by which headers are read */
	REGION_BARE,             /* FRAME, but lo: the device has no link header */
	REGION_AGREES,           /* FRAME with a link header: the label says the same */
	REGION_VALID,            /* IP: the kernel accepts the header */
	REGION_OPTIONS,          /* IPv6: extension headers; IPv4, but on INPUT: options */
	REGION_FRAGMENT,         /* IP: behind the first fragment */
	REGION_OWNED,            /* OUTPUT, FRAME */
	REGION_UID,              /* owned */
	REGION_ROUTED,           /* FRAME, IP */
	REGION_SOCKET,           /* INPUT; enum packet_socket */
	REGION_EXPECTED,         /* INPUT, but on lo: UDP, ICMP */
	REGION_PROTOCOL,         /* valid IP */
	REGION_FLAGS,            /* TCP */
	REGION_DESTINATION_PORT, /* protocols with ports */
	REGION_DESTINATION,      /* IPv4 */
	REGION_SOURCE_PORT,      /* protocols with ports */
	REGION_ICMP,             /* ICMP: 256 * type + code */
	REGION_SOURCE,           /* IPv4 */
	REGION_ARP_OPERATION,    /* ARP */
	REGION_ARP_PLAIN,        /* ARP: of the one shape that IPv4 over Ethernet has */
	REGION_ASPECTS,
};

/* A set of numbers. Zero is the empty set. */
struct region_set {
	diagram numbers; /* over the aspect's own variables; DIAGRAM_TRUE: every number */
	struct policy_range
	    *ranges; /* the same, sorted, not adjacent; filled for finished regions */
	size_t count;
	bool more; /* there are more than REGION_RANGES_MAX; the last reaches to the end of them */
};
#define REGION_RANGES_MAX 65536

struct region {
	struct region_set sets[REGION_ASPECTS];
	unsigned paths; /* a bit 1 << enum packet_path for each path on which it is so */
	bool some;      /* it is so only for some of these packets, by what no aspect tells */
};
struct regions {
	struct region *list;
	size_t count, room;
	bool more; /* than were asked for */
};
void regions_done(struct regions *regions);
void region_done(struct region *region);

/* ---- region_view.c ---- */

/* What is looked at on one path. */
struct region_view {
	struct diagram_space *space;
	enum packet_path path;
	diagram ties;                    /* what the view's own variables stand for */
	diagram applies[REGION_ASPECTS]; /* packets that have the aspect */
};

void region_view_begin(struct region_view *view, struct diagram_space *space,
		       enum packet_path path);

/* All that @packets look like; two packets that look the same are one. */
diagram region_view_of(const struct region_view *view, diagram packets);

/* Those numbers of @aspect that occur in @seen; and @seen where @aspect is forgotten. */
diagram region_view_numbers(const struct region_view *view, diagram seen,
			    enum region_aspect aspect);

/* "The aspect's number is this one." */
diagram region_view_is(const struct region_view *view, enum region_aspect aspect, uint32_t number);

/* The variables of @aspect, the most significant first; at most 32. */
unsigned region_view_bits(enum region_aspect aspect, unsigned ret_bits[static 32]);

/* For diagram_find(): an ordinary packet, as it looks. */
void region_view_wishes(enum packet_path path, uint64_t values[static DIAGRAM_VARIABLES / 64]);

/* @region as a set of packets as they look on the view's path. */
diagram region_view_box(const struct region_view *view, const struct region *region);

/* ---- region_list.c ---- */

/* Fill in the ranges of one set from its numbers, or of all sets. Returns 0 or -ENOMEM. */
MUST_CHECK int region_set_list(const struct diagram_space *space, enum region_aspect aspect,
			       struct region_set *set);
MUST_CHECK int region_list(const struct diagram_space *space, struct region *region);

/* Does it hold the packet, by its ranges? */
bool region_contains(const struct region *region, const struct packet *packet);

/* ---- region_cover.c ---- */

/* Sets of packets as they look. */
struct region_task {
	diagram care;   /* that there can be */
	diagram wanted; /* of these, what regions may hold */
	diagram told;   /* of these, what need not be in any */
};

/* As few regions as can be found, added to @regions: together with what is told already they are
 * @task->wanted exactly. No two of them can be one. At most @most regions in the list, else
 * regions->more. Returns 0, -ENOMEM, or what diagram_error() says. */
MUST_CHECK int regions_cover(const struct region_view *view, const struct region_task *task,
			     size_t most, struct regions *regions);

/* ---- region_words.c ---- */

/* How long a listed set is to read: how many numbers, ranges or prefixes. */
size_t region_text_length(enum region_aspect aspect, const struct region_set *set);

/* ---- region_text.c ---- */

/* "amnesia to 192.168.1.50 over tcp, ports 631, 9100". Users have the names that either policy
 * gives; both may be NULL. Says nothing of region->some. */
void region_print(const struct region *region, const struct policy *old, const struct policy *new,
		  struct buf *out);

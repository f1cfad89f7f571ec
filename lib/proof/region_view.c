/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Packets as people look at them: fewer dimensions than the proof has, and those with names. */
#include "region.h"

#include <assert.h>
#include <linux/if_ether.h>
#include <netinet/in.h>

/* Variables of the view's own, for what is no field by itself. They lie below what is given out one
 * by one, and behind all fields. */
enum {
	VIEW_BARE = SPACE_FREE - 8,
	VIEW_AGREES,
	VIEW_OPTIONS,
	VIEW_FRAGMENT,
	VIEW_ARP_PLAIN,
};

#define ICMPV6 58

/* Where an aspect lies: in a field, or in one variable of the view's own. */
struct place {
	bool own;
	enum space_field field;
	unsigned variable;
};

#define FIELD(name)                                                                                \
	{                                                                                          \
		.field = (name)                                                                    \
	}
#define OWN(name)                                                                                  \
	{                                                                                          \
		.own = true, .variable = (name)                                                    \
	}
static const struct place places[REGION_ASPECTS] = {
    [REGION_LOOPBACK] = FIELD(SPACE_LOOPBACK),
    [REGION_LABEL] = FIELD(SPACE_ETHERTYPE),
    [REGION_BARE] = OWN(VIEW_BARE),
    [REGION_AGREES] = OWN(VIEW_AGREES),
    [REGION_VALID] = FIELD(SPACE_VALID),
    [REGION_OPTIONS] = OWN(VIEW_OPTIONS),
    [REGION_FRAGMENT] = OWN(VIEW_FRAGMENT),
    [REGION_OWNED] = FIELD(SPACE_OWNED),
    [REGION_UID] = FIELD(SPACE_UID),
    [REGION_ROUTED] = FIELD(SPACE_ROUTED),
    [REGION_SOCKET] = FIELD(SPACE_SOCKET),
    [REGION_EXPECTED] = FIELD(SPACE_EXPECTED),
    [REGION_PROTOCOL] = FIELD(SPACE_PROTOCOL),
    [REGION_FLAGS] = FIELD(SPACE_FLAGS),
    [REGION_DESTINATION_PORT] = FIELD(SPACE_DESTINATION_PORT),
    [REGION_DESTINATION] = FIELD(SPACE_DESTINATION4),
    [REGION_SOURCE_PORT] = FIELD(SPACE_SOURCE_PORT),
    [REGION_ICMP] = FIELD(SPACE_SOURCE_PORT), /* type and code lie where ports do */
    [REGION_SOURCE] = FIELD(SPACE_SOURCE4),
    [REGION_ARP_OPERATION] = FIELD(SPACE_FRAGMENT4), /* bytes 6 and 7 of an ARP packet */
    [REGION_ARP_PLAIN] = OWN(VIEW_ARP_PLAIN),
};

unsigned region_view_bits(enum region_aspect aspect, unsigned ret_bits[static 32])
{
	unsigned bits[SPACE_BITS_MAX], width;

	if (places[aspect].own) {
		ret_bits[0] = places[aspect].variable;
		return 1;
	}
	width = space_bits(places[aspect].field, bits);
	assert(width <= 32);
	for (unsigned i = 0; i < width; i++)
		ret_bits[i] = bits[i];
	return width;
}

static diagram tie(struct diagram_space *space, unsigned variable, diagram meaning)
{
	return diagram_not(space, diagram_xor(space, diagram_variable(space, variable), meaning));
}

static diagram arp_plain(struct diagram_space *space)
{
	static const uint8_t plain[] = {0, 1, 8, 0, 6, 4};
	diagram is = DIAGRAM_TRUE;

	for (unsigned i = 0; i < ARRAY_SIZE(plain); i++)
		is = diagram_and(space, is, space_network_is(space, i, plain[i]));
	return is;
}

static void make_ties(struct region_view *view)
{
	struct diagram_space *space = view->space;
	diagram agrees = space_equal(space, SPACE_ETHERTYPE, SPACE_LINK_ETHERTYPE);
	diagram options = diagram_or(space, space_options4(space), space_extended6(space));

	view->ties = tie(space, VIEW_BARE, space_bare(space));
	view->ties = diagram_and(space, view->ties, tie(space, VIEW_AGREES, agrees));
	view->ties = diagram_and(space, view->ties, tie(space, VIEW_OPTIONS, options));
	view->ties =
	    diagram_and(space, view->ties, tie(space, VIEW_FRAGMENT, space_later_fragment(space)));
	view->ties = diagram_and(space, view->ties, tie(space, VIEW_ARP_PLAIN, arp_plain(space)));
}

static diagram with_ports(struct diagram_space *space)
{
	diagram any = DIAGRAM_FALSE;

	for (unsigned protocol = 0; protocol <= UINT8_MAX; protocol++)
		if (packet_has_ports((uint8_t)protocol))
			any = diagram_or(space, any, space_is(space, SPACE_PROTOCOL, protocol));
	return any;
}

static void make_applies(struct region_view *view)
{
	struct diagram_space *space = view->space;
	bool out = view->path == PACKET_OUTPUT || view->path == PACKET_FRAME;
	diagram sent = out ? DIAGRAM_TRUE : DIAGRAM_FALSE;
	diagram frame = view->path == PACKET_FRAME ? DIAGRAM_TRUE : DIAGRAM_FALSE;
	diagram input = view->path == PACKET_INPUT ? DIAGRAM_TRUE : DIAGRAM_FALSE;
	diagram ip = diagram_or(space, space_ipv4(space), space_ipv6(space));
	diagram valid = diagram_and(space, ip, space_flag(space, SPACE_VALID));
	diagram arp = space_is(space, SPACE_ETHERTYPE, ETH_P_ARP);
	diagram whole = diagram_minus(space, valid, diagram_variable(space, VIEW_FRAGMENT));
	diagram ports = diagram_and(space, whole, with_ports(space));
	diagram icmp = diagram_or(space, space_is(space, SPACE_PROTOCOL, IPPROTO_ICMP),
				  space_is(space, SPACE_PROTOCOL, ICMPV6));
	diagram answers = diagram_or(space, icmp, space_is(space, SPACE_PROTOCOL, IPPROTO_UDP));

	view->applies[REGION_LOOPBACK] = DIAGRAM_TRUE;
	view->applies[REGION_LABEL] = DIAGRAM_TRUE;
	view->applies[REGION_BARE] = diagram_minus(space, frame, space_flag(space, SPACE_LOOPBACK));
	view->applies[REGION_AGREES] = diagram_minus(
	    space, frame,
	    diagram_and(space, view->applies[REGION_BARE], diagram_variable(space, VIEW_BARE)));
	view->applies[REGION_VALID] = ip;
	view->applies[REGION_OPTIONS] = view->path == PACKET_INPUT ? space_ipv6(space) : ip;
	view->applies[REGION_FRAGMENT] = ip;
	view->applies[REGION_OWNED] = sent;
	view->applies[REGION_UID] = diagram_and(space, sent, space_flag(space, SPACE_OWNED));
	view->applies[REGION_ROUTED] = diagram_and(space, frame, ip);
	view->applies[REGION_SOCKET] = input;
	view->applies[REGION_EXPECTED] = diagram_and(
	    space, input, diagram_minus(space, answers, space_flag(space, SPACE_LOOPBACK)));
	view->applies[REGION_PROTOCOL] = valid;
	view->applies[REGION_FLAGS] =
	    diagram_and(space, whole, space_is(space, SPACE_PROTOCOL, IPPROTO_TCP));
	view->applies[REGION_DESTINATION_PORT] = ports;
	view->applies[REGION_DESTINATION] = space_ipv4(space);
	view->applies[REGION_SOURCE_PORT] = ports;
	view->applies[REGION_ICMP] = diagram_and(space, whole, icmp);
	view->applies[REGION_SOURCE] = space_ipv4(space);
	view->applies[REGION_ARP_OPERATION] = arp;
	view->applies[REGION_ARP_PLAIN] = arp;
}

void region_view_begin(struct region_view *view, struct diagram_space *space, enum packet_path path)
{
	*view = (struct region_view){.space = space, .path = path};
	make_ties(view);
	make_applies(view);
}

static diagram forget(const struct region_view *view, diagram a, enum region_aspect aspect)
{
	unsigned bits[32], width = region_view_bits(aspect, bits);

	for (unsigned i = width; i-- > 0;)
		a = diagram_exists(view->space, a, bits[i], bits[i]);
	return a;
}

/* The packets' bits in an aspect's place count only where some aspect is there. */
static diagram smooth(const struct region_view *view, diagram a, enum region_aspect aspect)
{
	struct diagram_space *space = view->space;
	diagram there = view->applies[aspect], rest;

	if (aspect == REGION_SOURCE_PORT || aspect == REGION_ICMP)
		there = diagram_or(space, view->applies[REGION_SOURCE_PORT],
				   view->applies[REGION_ICMP]);
	rest = forget(view, diagram_minus(space, a, there), aspect);
	return diagram_or(space, diagram_and(space, a, there), diagram_minus(space, rest, there));
}

/* All variables of the fields from @first to @last. */
static diagram forget_fields(const struct region_view *view, diagram a, enum space_field first,
			     enum space_field last)
{
	return diagram_exists(view->space, a, space_first(first),
			      space_first(last) + space_width(last) - 1);
}

static diagram forget_link_ethertype(const struct region_view *view, diagram a)
{
	unsigned bits[SPACE_BITS_MAX], width = space_bits(SPACE_LINK_ETHERTYPE, bits);

	for (unsigned i = width; i-- > 0;)
		a = diagram_exists(view->space, a, bits[i], bits[i]);
	return a;
}

diagram region_view_of(const struct region_view *view, diagram packets)
{
	/* Who says whether others are there comes after them. */
	static const enum region_aspect order[] = {
	    REGION_ARP_PLAIN,
	    REGION_ARP_OPERATION,
	    REGION_SOURCE,
	    REGION_SOURCE_PORT,
	    REGION_ICMP,
	    REGION_DESTINATION,
	    REGION_DESTINATION_PORT,
	    REGION_FLAGS,
	    REGION_EXPECTED,
	    REGION_PROTOCOL,
	    REGION_SOCKET,
	    REGION_ROUTED,
	    REGION_UID,
	    REGION_OWNED,
	    REGION_FRAGMENT,
	    REGION_OPTIONS,
	    REGION_VALID,
	    REGION_AGREES,
	    REGION_BARE,
	};
	struct diagram_space *space = view->space;
	diagram seen;

	/* What no tie asks about goes first: the view's variables lie below all others, so that
	 * each tie can make a copy of what is above. */
	seen =
	    diagram_exists(space, packets, space_first(SPACE_DEVICE_INDEX), DIAGRAM_VARIABLES - 1);
	seen = forget_fields(view, seen, SPACE_TRANSPORT_REST, SPACE_LINK_REST);
	seen = forget_fields(view, seen, SPACE_PROTOCOL4, SPACE_PROTOCOL4);
	seen = forget_fields(view, seen, SPACE_ICMP_ID, SPACE_ICMP_ID);
	seen = forget_fields(view, seen, SPACE_TRANSPORT_LEN, SPACE_NETWORK_LEN);
	seen = diagram_and(space, seen, view->ties);
	seen = forget_fields(view, seen, SPACE_DEVICE_TYPE, SPACE_DEVICE_TYPE);
	seen = forget_fields(view, seen, SPACE_NETWORK_REST, SPACE_NETWORK_REST);
	seen = forget_fields(view, seen, SPACE_VERSION_IHL, SPACE_VERSION_IHL);
	seen = forget_fields(view, seen, SPACE_LATER_FRAGMENT6, SPACE_LATER_FRAGMENT6);
	seen = forget_link_ethertype(view, seen);
	for (size_t i = 0; i < ARRAY_SIZE(order); i++)
		seen = smooth(view, seen, order[i]);
	return seen;
}

diagram region_view_numbers(const struct region_view *view, diagram seen, enum region_aspect aspect)
{
	struct diagram_space *space = view->space;
	unsigned bits[32], width = region_view_bits(aspect, bits);

	seen = diagram_exists(space, seen, bits[width - 1] + 1, SPACE_FREE);
	/* Nothing lies between an aspect's bits: the link's ethertype is forgotten. */
	return bits[0] > 0 ? diagram_exists(space, seen, 0, bits[0] - 1) : seen;
}

diagram region_view_is(const struct region_view *view, enum region_aspect aspect, uint32_t number)
{
	unsigned bits[32], width = region_view_bits(aspect, bits);
	diagram is = DIAGRAM_TRUE;

	for (unsigned i = width; i-- > 0; number >>= 1) {
		diagram bit = diagram_variable(view->space, bits[i]);

		is = number & 1 ? diagram_and(view->space, bit, is)
				: diagram_minus(view->space, is, bit);
	}
	return is;
}

void region_view_wishes(enum packet_path path, uint64_t values[static DIAGRAM_VARIABLES / 64])
{
	space_wishes(path, values);
	values[VIEW_AGREES / 64] |= (uint64_t)1 << VIEW_AGREES % 64;
	values[VIEW_ARP_PLAIN / 64] |= (uint64_t)1 << VIEW_ARP_PLAIN % 64;
}

diagram region_view_box(const struct region_view *view, const struct region *region)
{
	struct diagram_space *space = view->space;
	diagram box = DIAGRAM_TRUE;

	for (unsigned i = REGION_ASPECTS; i-- > 0;)
		box = diagram_minus(
		    space, box, diagram_minus(space, view->applies[i], region->sets[i].numbers));
	return box;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Which packets there can be. Dimensions that depend on each other are tied together here, and what
 * nobody can read is given one value, so that one packet is one point.
 *
 * What is left out here is not proved: a condition stands only where the kernel cannot do
 * otherwise.
 */
#include "space.h"

#include <assert.h>
#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <string.h>

#include <base/cleanup.h>

#define LOOPBACK_INDEX 1
#define NOBODYS_UID    0xffffffffu /* (uid_t)-1, which the kernel gives to no one */
#define NAME_BYTES     16

#define TCP_HEADER   20
#define OTHER_HEADER 8 /* the shortest that policies look at: UDP, ICMP */
#define ARP_LEN      28

struct universe {
	struct diagram_space *space;
	diagram all;
};

static void demand(struct universe *universe, diagram what)
{
	universe->all = diagram_and(universe->space, universe->all, what);
}

/* Wherever @condition holds, @what does. */
static void demand_if(struct universe *universe, diagram condition, diagram what)
{
	demand(universe,
	       diagram_not(universe->space, diagram_minus(universe->space, condition, what)));
}

/* Nobody reads this field there: it has one value. */
static void idle_if(struct universe *universe, diagram condition, enum space_field field)
{
	unsigned bits[SPACE_BITS_MAX], width = space_bits(field, bits);
	diagram zero = DIAGRAM_TRUE;

	for (unsigned i = width; i-- > 0;)
		zero = diagram_minus(universe->space, zero,
				     diagram_variable(universe->space, bits[i]));
	demand_if(universe, condition, zero);
}

static void idle(struct universe *universe, enum space_field field)
{
	idle_if(universe, DIAGRAM_TRUE, field);
}

static diagram valid_with(struct diagram_space *space, diagram label)
{
	return diagram_and(space, space_flag(space, SPACE_VALID), label);
}

/* What the kernel checks before it says that it knows the upper protocol
 * (nft_set_pktinfo_ipv4_validate() and ip_rcv()): version, header length. On output it believes
 * what a raw socket's owner has written (raw_send_hdrinc()). */
static void demand_ipv4(struct universe *universe, enum packet_path path)
{
	struct diagram_space *space = universe->space;
	diagram valid = valid_with(space, space_ipv4(space));

	if (path != PACKET_OUTPUT)
		demand_if(universe, valid, space_between(space, SPACE_VERSION_IHL, 0x45, 0x4f));
	/* The upper protocol is what the header says. */
	demand_if(universe, valid, space_equal(space, SPACE_PROTOCOL, SPACE_PROTOCOL4));
	/* IPv4 has its offset in the header. */
	idle_if(universe, valid, SPACE_LATER_FRAGMENT6);
}

/* The upper protocol is none that the walk over extension headers would have gone on from. */
static diagram ends_walk(struct diagram_space *space)
{
	static const uint8_t headers[] = {IPPROTO_HOPOPTS, IPPROTO_ROUTING, IPPROTO_FRAGMENT,
					  IPPROTO_AH, IPPROTO_DSTOPTS};
	diagram ends = DIAGRAM_TRUE;

	for (size_t i = 0; i < ARRAY_SIZE(headers); i++)
		ends = diagram_minus(space, ends, space_is(space, SPACE_PROTOCOL, headers[i]));
	return ends;
}

/* The upper protocol is the next header of the fixed header, its byte 6. */
static diagram protocol_is_next(struct diagram_space *space)
{
	diagram same = DIAGRAM_TRUE;

	for (unsigned i = 8; i-- > 0;) {
		diagram mine = diagram_variable(space, space_first(SPACE_PROTOCOL) + i);
		diagram next = diagram_variable(space, space_network_bit(6, i));

		same = diagram_minus(space, same, diagram_xor(space, mine, next));
	}
	return same;
}

/* nft_set_pktinfo_ipv6_validate() and ipv6_find_hdr(). On output the version is a raw socket's, too
 * (rawv6_send_hdrinc()). */
static void demand_ipv6(struct universe *universe, enum packet_path path)
{
	struct diagram_space *space = universe->space;
	diagram valid = valid_with(space, space_ipv6(space));
	diagram extended = space_extended6(space);
	diagram plain = diagram_minus(space, valid, extended);

	if (path != PACKET_OUTPUT)
		demand_if(universe, valid, space_between(space, SPACE_VERSION_IHL, 0x60, 0x6f));
	/* Without extension headers there is no walk, and no fragment header that it could meet. */
	demand_if(universe, plain, protocol_is_next(space));
	idle_if(universe, plain, SPACE_LATER_FRAGMENT6);
	/* With them, it has walked to the end: any protocol may stand there but one of theirs. */
	demand_if(universe, diagram_and(space, valid, extended), ends_walk(space));
}

/* What holds of headers on every path. */
static void demand_headers(struct universe *universe, enum packet_path path)
{
	struct diagram_space *space = universe->space;
	diagram ip = diagram_or(space, space_ipv4(space), space_ipv6(space));
	diagram valid = space_flag(space, SPACE_VALID);
	diagram invalid = diagram_not(space, valid);

	/* The label says as what the headers are read. */
	demand_if(universe, valid, ip);
	demand_ipv4(universe, path);
	demand_ipv6(universe, path);
	/* Without a known upper protocol nobody reads it, or a transport header. */
	idle_if(universe, invalid, SPACE_PROTOCOL);
	idle_if(universe, invalid, SPACE_LATER_FRAGMENT6);
	idle_if(universe, invalid, SPACE_TRANSPORT_LEN);
	/* A valid header is a whole one; how much is there is not asked. */
	demand_if(universe, valid, space_is(space, SPACE_NETWORK_LEN, SPACE_LEN_MAX));
	/* Connection tracking knows no more states. */
	demand(universe, space_between(space, SPACE_CONNECTION, SPACE_INVALID, SPACE_UNTRACKED));
	/* Who has no owner has no owner's number; and -1 is no number. */
	idle_if(universe, diagram_not(space, space_flag(space, SPACE_OWNED)), SPACE_UID);
	demand(universe, diagram_not(space, space_is(space, SPACE_UID, NOBODYS_UID)));
}

/* The IP stack's hooks see IP only, and only what has passed its own checks. IPv6 with extension
 * headers comes to them, too, when the walk over those fails. */
static void demand_ip_stack(struct universe *universe)
{
	struct diagram_space *space = universe->space;
	diagram valid = space_flag(space, SPACE_VALID);

	demand(universe, diagram_or(space, space_ipv4(space), space_ipv6(space)));
	demand(universe, diagram_or(space, valid, space_extended6(space)));
	/* The fixed header is whole even then. */
	demand(universe, space_is(space, SPACE_NETWORK_LEN, SPACE_LEN_MAX));
}

/* Who answers lately sent packets: UDP, and the reply of either echo; never on lo, where nothing is
 * remembered. A later fragment is not excepted: where a filter reads a port, it has payload. */
static diagram can_be_expected(struct diagram_space *space)
{
	diagram udp = space_is(space, SPACE_PROTOCOL, IPPROTO_UDP);
	diagram echo4 = space_between(space, SPACE_SOURCE_PORT, 0 << 8, 0 << 8 | 0xff);
	diagram echo6 = space_between(space, SPACE_SOURCE_PORT, 129 << 8, 129 << 8 | 0xff);
	diagram can;

	echo4 = diagram_and(space, echo4, space_is(space, SPACE_PROTOCOL, IPPROTO_ICMP));
	echo6 = diagram_and(space, echo6, space_is(space, SPACE_PROTOCOL, IPPROTO_ICMPV6));
	can = diagram_or(space, diagram_and(space, space_ipv4(space), echo4),
			 diagram_and(space, space_ipv6(space), echo6));
	can = diagram_and(space, diagram_or(space, udp, can), space_flag(space, SPACE_VALID));
	return diagram_minus(space, can, space_flag(space, SPACE_LOOPBACK));
}

static void demand_output(struct universe *universe)
{
	demand_ip_stack(universe);
	/* The stack has chosen a route before its hook. */
	demand(universe, space_flag(universe->space, SPACE_ROUTED));
	/* The link header is not written yet. */
	idle(universe, SPACE_LINK_ETHERTYPE);
	idle(universe, SPACE_LINK_REST);
	idle(universe, SPACE_SOCKET);
	idle(universe, SPACE_EXPECTED);
}

/* AF_PACKET writes anything, with any label, but has no route. Not all that has one is IP: the
 * kernel's ARP may inherit the route of the packet that it is for (arp_solicit()), and devices that
 * are stacked hand on what they have wrapped (VLAN, MACsec). */
static void demand_frame(struct universe *universe)
{
	struct diagram_space *space = universe->space;
	diagram routed = space_flag(space, SPACE_ROUTED);
	diagram local = diagram_and(space, routed, space_flag(space, SPACE_LOOPBACK));
	diagram ip = diagram_or(space, space_ipv4(space), space_ipv6(space));

	/* But no device is stacked on lo, and it asks for no address: there a route means the IP
	 * stack, and the link header is made of the label (eth_header()). */
	demand_if(universe, local, ip);
	demand_if(universe, local, space_equal(space, SPACE_ETHERTYPE, SPACE_LINK_ETHERTYPE));
	/* What the IP stack sends as IP has a whole header. */
	demand_if(universe, diagram_and(space, routed, ip),
		  space_is(space, SPACE_NETWORK_LEN, SPACE_LEN_MAX));
	idle(universe, SPACE_SOCKET);
	idle(universe, SPACE_EXPECTED);
}

static void demand_input(struct universe *universe)
{
	struct diagram_space *space = universe->space;
	diagram loopback = space_flag(space, SPACE_LOOPBACK);
	diagram routed = space_flag(space, SPACE_ROUTED);

	demand_ip_stack(universe);
	/* What arrives belongs to nobody yet. */
	idle(universe, SPACE_OWNED);
	/* At the first hook only lo has handed a route on. */
	demand(universe, diagram_not(space, diagram_xor(space, loopback, routed)));
	/* The kernel puts IPv4 together before its input hook. */
	demand_if(universe, space_ipv4(space), diagram_not(space, space_later_fragment(space)));
	demand_if(universe, space_flag(space, SPACE_EXPECTED), can_be_expected(space));
}

static void demand_path(struct universe *universe, enum packet_path path)
{
	switch (path) {
	case PACKET_OUTPUT:
		demand_output(universe);
		break;
	case PACKET_FRAME:
		demand_frame(universe);
		break;
	case PACKET_INPUT:
		demand_input(universe);
		break;
	case PACKET_FORWARD:
		demand_ip_stack(universe);
		/* Routing is what brought it here; no socket is looked for. */
		demand(universe, space_flag(universe->space, SPACE_ROUTED));
		idle(universe, SPACE_OWNED);
		idle(universe, SPACE_SOCKET);
		idle(universe, SPACE_EXPECTED);
		break;
	}
}

static diagram name_is(struct diagram_space *space, const char name[NAME_BYTES])
{
	unsigned bits[SPACE_BITS_MAX], width = space_bits(SPACE_DEVICE_NAME, bits);
	uint8_t bytes[NAME_BYTES];

	memcpy(bytes, name, sizeof(bytes));
	return diagram_range(space, bits, width, bytes, bytes);
}

static diagram device_is(struct diagram_space *space, const struct space_device *device)
{
	diagram loopback = space_flag(space, SPACE_LOOPBACK);
	diagram is = name_is(space, device->name);

	is = diagram_and(space, space_is(space, SPACE_DEVICE_INDEX, device->index), is);
	is = diagram_and(space, space_is(space, SPACE_DEVICE_TYPE, device->type), is);
	return device->type == ARPHRD_LOOPBACK ? diagram_and(space, loopback, is)
					       : diagram_minus(space, is, loopback);
}

/* One byte at least, 15 at most, and NUL from the first NUL on. */
static diagram name_is_padded(struct diagram_space *space)
{
	diagram nul_from_here = DIAGRAM_TRUE, padded = DIAGRAM_TRUE;

	for (unsigned at = NAME_BYTES; at-- > 0;) {
		diagram nul = DIAGRAM_TRUE;

		for (unsigned i = 8; i-- > 0;) {
			unsigned bit = space_first(SPACE_DEVICE_NAME) + 8 * at + i;

			nul = diagram_minus(space, nul, diagram_variable(space, bit));
		}
		nul_from_here = diagram_and(space, nul, nul_from_here);
		if (at == NAME_BYTES - 1)
			padded = nul;
		else if (at > 0)
			padded = diagram_choose(space, nul, nul_from_here, padded);
		else
			padded = diagram_minus(space, padded, nul);
	}
	return padded;
}

/* Any device but lo, now or to come. */
static diagram any_other_device(struct diagram_space *space, const struct space_device *lo)
{
	diagram other = name_is_padded(space);

	other = diagram_minus(space, other, name_is(space, lo->name));
	other = diagram_and(
	    space, other, space_between(space, SPACE_DEVICE_INDEX, LOOPBACK_INDEX + 1, UINT32_MAX));
	other = diagram_minus(space, other, space_is(space, SPACE_DEVICE_TYPE, ARPHRD_LOOPBACK));
	return diagram_minus(space, other, space_flag(space, SPACE_LOOPBACK));
}

static void demand_device(struct universe *universe, const struct space_device *devices,
			  size_t count)
{
	static const struct space_device lo = {
	    .name = "lo", .index = LOOPBACK_INDEX, .type = ARPHRD_LOOPBACK};
	struct diagram_space *space = universe->space;
	diagram any = DIAGRAM_FALSE;

	if (!devices)
		any = diagram_or(space, device_is(space, &lo), any_other_device(space, &lo));
	for (size_t i = 0; devices && i < count; i++)
		any = diagram_or(space, any, device_is(space, &devices[i]));
	demand(universe, any);
}

diagram space_universe(struct diagram_space *space, enum packet_path path,
		       const struct space_device *devices, size_t device_count)
{
	struct universe universe = {.space = space, .all = DIAGRAM_TRUE};

	demand_device(&universe, devices, device_count);
	demand_headers(&universe, path);
	demand_path(&universe, path);
	return universe.all;
}

diagram space_complete(struct diagram_space *space)
{
	struct universe universe = {.space = space, .all = DIAGRAM_TRUE};
	diagram begins =
	    diagram_minus(space, space_flag(space, SPACE_VALID), space_later_fragment(space));
	diagram tcp = space_is(space, SPACE_PROTOCOL, IPPROTO_TCP);

	demand_if(&universe, diagram_and(space, begins, tcp),
		  space_between(space, SPACE_TRANSPORT_LEN, TCP_HEADER, SPACE_LEN_MAX));
	demand_if(&universe, diagram_minus(space, begins, tcp),
		  space_between(space, SPACE_TRANSPORT_LEN, OTHER_HEADER, SPACE_LEN_MAX));
	demand_if(&universe, space_is(space, SPACE_ETHERTYPE, ETH_P_ARP),
		  space_between(space, SPACE_NETWORK_LEN, ARP_LEN, SPACE_LEN_MAX));
	return universe.all;
}

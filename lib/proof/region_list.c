/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A region's sets as ranges of numbers, and whether one packet lies in them. */
#include "region.h"

#include <assert.h>
#include <linux/if_ether.h>
#include <netinet/in.h>

#define ICMPV6 58

void region_done(struct region *region)
{
	for (size_t i = 0; i < REGION_ASPECTS; i++)
		free(region->sets[i].ranges);
	*region = (struct region){0};
}

void regions_done(struct regions *regions)
{
	for (size_t i = 0; i < regions->count; i++)
		region_done(&regions->list[i]);
	free(regions->list);
	*regions = (struct regions){0};
}

struct walk {
	const struct diagram_space *space;
	unsigned bits[32], width;
	struct region_set *set;
	size_t room;
	int error;
};

/* In ascending order. */
static void add(struct walk *walk, uint32_t low, uint32_t high)
{
	struct region_set *set = walk->set;
	struct policy_range *last = set->count ? &set->ranges[set->count - 1] : NULL;

	if (last && (last->high + 1 == low || set->count == REGION_RANGES_MAX)) {
		set->more |= last->high + 1 != low;
		last->high = high;
		return;
	}
	if (!set->ranges || set->count == walk->room) {
		size_t room = walk->room ? 2 * walk->room : 4;
		struct policy_range *ranges = realloc(set->ranges, room * sizeof(*set->ranges));

		if (!ranges) {
			walk->error = -ENOMEM;
			return;
		}
		set->ranges = ranges;
		walk->room = room;
	}
	set->ranges[set->count++] = (struct policy_range){low, high};
}

/* The numbers that begin with the @depth bits of @prefix. As deep as an aspect has bits. */
static void walk_numbers(struct walk *walk, diagram a, unsigned depth, uint32_t prefix)
{
	unsigned left = walk->width - depth;
	uint32_t span = left == 32 ? UINT32_MAX : ((uint32_t)1 << left) - 1;
	bool asked;

	assert(left <= 32);
	if (a == DIAGRAM_FALSE || walk->error < 0)
		return;
	if (a == DIAGRAM_TRUE || left == 0 || walk->set->more) {
		add(walk, prefix, prefix | span);
		return;
	}
	asked = diagram_top(walk->space, a) == walk->bits[depth];
	walk_numbers(walk, asked ? diagram_low(walk->space, a) : a, depth + 1, prefix);
	walk_numbers(walk, asked ? diagram_high(walk->space, a) : a, depth + 1,
		     prefix | (uint32_t)1 << (left - 1));
}

int region_set_list(const struct diagram_space *space, enum region_aspect aspect,
		    struct region_set *set)
{
	struct walk walk = {.space = space, .set = set};

	free(set->ranges);
	*set = (struct region_set){.numbers = set->numbers};
	walk.width = region_view_bits(aspect, walk.bits);
	walk_numbers(&walk, set->numbers, 0, 0);
	return walk.error;
}

int region_list(const struct diagram_space *space, struct region *region)
{
	for (unsigned i = 0; i < REGION_ASPECTS; i++) {
		int r = region_set_list(space, (enum region_aspect)i, &region->sets[i]);

		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- one packet. ---- */

static bool holds(const struct region *region, enum region_aspect aspect, uint32_t number)
{
	const struct region_set *set = &region->sets[aspect];
	size_t low = 0, high = set->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (number > set->ranges[middle].high)
			low = middle + 1;
		else if (number < set->ranges[middle].low)
			high = middle;
		else
			return true;
	}
	return false;
}

/* The kernel walks over these, and never stops at one. */
static bool is_extension(const struct packet *packet)
{
	return packet->ethertype == ETH_P_IPV6 &&
	       (packet->protocol == IPPROTO_HOPOPTS || packet->protocol == IPPROTO_ROUTING ||
		packet->protocol == IPPROTO_FRAGMENT || packet->protocol == IPPROTO_AH ||
		packet->protocol == IPPROTO_DSTOPTS);
}

static bool holds_transport(const struct region *region, const struct packet *packet)
{
	if (packet->protocol == IPPROTO_TCP && !holds(region, REGION_FLAGS, packet->tcp_flags))
		return false;
	if (packet_has_ports(packet->protocol))
		return holds(region, REGION_DESTINATION_PORT, packet->destination_port) &&
		       holds(region, REGION_SOURCE_PORT, packet->source_port);
	if (packet->protocol == IPPROTO_ICMP || packet->protocol == ICMPV6)
		return holds(region, REGION_ICMP,
			     (uint32_t)packet->icmp_type << 8 | packet->icmp_code);
	return true;
}

static bool holds_expected(const struct region *region, const struct packet *packet)
{
	bool answers = packet->protocol == IPPROTO_UDP || packet->protocol == IPPROTO_ICMP ||
		       packet->protocol == ICMPV6;

	if (packet->path != PACKET_INPUT || packet->loopback || !answers)
		return true;
	return holds(region, REGION_EXPECTED, packet->expected);
}

static bool holds_ip(const struct region *region, const struct packet *packet)
{
	bool valid = !is_extension(packet);
	bool options =
	    packet->options || !valid || (packet->ethertype == ETH_P_IPV6 && packet->fragment);

	if (packet->path == PACKET_FRAME && !holds(region, REGION_ROUTED, packet->routed))
		return false;
	if (!holds(region, REGION_VALID, valid) ||
	    !holds(region, REGION_FRAGMENT, valid && packet->fragment))
		return false;
	if ((packet->path != PACKET_INPUT || packet->ethertype == ETH_P_IPV6) &&
	    !holds(region, REGION_OPTIONS, options))
		return false;
	if (packet->ethertype == ETH_P_IP &&
	    (!holds(region, REGION_SOURCE, packet_address_to4(&packet->source)) ||
	     !holds(region, REGION_DESTINATION, packet_address_to4(&packet->destination))))
		return false;
	if (!valid)
		return true;
	return holds(region, REGION_PROTOCOL, packet->protocol) && holds_expected(region, packet) &&
	       (packet->fragment || holds_transport(region, packet));
}

static bool holds_circumstances(const struct region *region, const struct packet *packet)
{
	bool agrees = !packet->link_ethertype || packet->link_ethertype == packet->ethertype;

	/* A device without a link header is none that a packet speaks of. */
	if (packet->path == PACKET_FRAME && !packet->loopback && !holds(region, REGION_BARE, 0))
		return false;
	if (packet->path == PACKET_FRAME && !holds(region, REGION_AGREES, agrees))
		return false;
	if (packet->path == PACKET_INPUT)
		return holds(region, REGION_SOCKET, packet->socket);
	if (packet->path == PACKET_FORWARD)
		return true;
	return holds(region, REGION_OWNED, packet->owned) &&
	       (!packet->owned || holds(region, REGION_UID, packet->uid));
}

bool region_contains(const struct region *region, const struct packet *packet)
{
	if (!(region->paths >> packet->path & 1))
		return false;
	if (!holds(region, REGION_LOOPBACK, packet->loopback) ||
	    !holds(region, REGION_LABEL, packet->ethertype) || !holds_circumstances(region, packet))
		return false;
	if (packet->ethertype == ETH_P_ARP)
		return holds(region, REGION_ARP_OPERATION, packet->arp_operation) &&
		       holds(region, REGION_ARP_PLAIN, packet->arp_plain);
	if (packet->ethertype == ETH_P_IP || packet->ethertype == ETH_P_IPV6)
		return holds_ip(region, packet);
	return true;
}

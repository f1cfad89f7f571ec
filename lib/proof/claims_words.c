/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the words of the claims mean, as functions of packets. */
#include "claims.h"

#include <linux/if_ether.h>
#include <netinet/in.h>

#define DHCP_CLIENT_PORT 68
#define DHCP_SERVER_PORT 67

#define ECHO_REPLY 0

diagram claims_all(struct claims *claims, const diagram *sets, size_t count)
{
	diagram all = DIAGRAM_TRUE;

	for (size_t i = 0; i < count; i++)
		all = diagram_and(claims->space, all, sets[i]);
	return all;
}

diagram claims_any(struct claims *claims, const diagram *sets, size_t count)
{
	diagram any = DIAGRAM_FALSE;

	for (size_t i = 0; i < count; i++)
		any = diagram_or(claims->space, any, sets[i]);
	return any;
}

diagram claims_exists(struct claims *claims, diagram a, enum space_field field, unsigned from,
		      unsigned count)
{
	unsigned bits[SPACE_BITS_MAX], width = space_bits(field, bits);

	for (unsigned i = from; i < from + count && i < width; i++)
		a = diagram_exists(claims->space, a, bits[i], bits[i]);
	return a;
}

diagram claims_only(struct claims *claims, diagram a, const enum space_field *kept, size_t count)
{
	for (int field = 0; field < SPACE_FIELDS; field++) {
		bool keep = false;

		for (size_t i = 0; i < count; i++)
			keep |= kept[i] == (enum space_field)field;
		if (!keep)
			a = claims_exists(claims, a, (enum space_field)field, 0, SPACE_BITS_MAX);
	}
	return diagram_exists(claims->space, a, SPACE_FREE, DIAGRAM_VARIABLES - 1);
}

static diagram user_is(struct claims *c, const struct proof_user *user)
{
	return user->exists ? ALL(c->owned, space_is(c->space, SPACE_UID, user->uid))
			    : DIAGRAM_FALSE;
}

diagram claims_users(struct claims *c, const struct policy_uids *uids)
{
	diagram any = DIAGRAM_FALSE;

	for (size_t i = 0; i < uids->count; i++)
		any = ANY(any, space_is(c->space, SPACE_UID, uids->uids[i]));
	return ALL(any, c->owned);
}

diagram claims_destinations(struct claims *c, const struct claims_range *ranges, size_t count)
{
	diagram any = DIAGRAM_FALSE;

	for (size_t i = 0; i < count; i++)
		any = ANY(any, space_between(c->space, SPACE_DESTINATION4, ranges[i].low,
					     ranges[i].high));
	return ALL(any, c->ipv4);
}

static diagram protocol(struct claims *c, uint8_t number)
{
	return ALL(c->ip, space_flag(c->space, SPACE_VALID),
		   space_is(c->space, SPACE_PROTOCOL, number));
}

static diagram icmp_types(struct claims *c, uint8_t number, uint8_t low, uint8_t high)
{
	diagram types = space_between(c->space, SPACE_SOURCE_PORT, (uint64_t)low << 8,
				      (uint64_t)high << 8 | 0xff);

	return ALL(types, protocol(c, number), NO(c->later));
}

diagram claims_icmp_errors(struct claims *c)
{
	/* Unreachable, time exceeded, parameter problem; of IPv6 also too big. */
	diagram errors =
	    ANY(icmp_types(c, IPPROTO_ICMP, 3, 3), icmp_types(c, IPPROTO_ICMP, 11, 12));

	return ANY(ALL(c->ipv4, errors), ALL(c->ipv6, icmp_types(c, IPPROTO_ICMPV6, 1, 4)));
}

diagram claims_echo_reply(struct claims *c)
{
	return ALL(c->ipv4, icmp_types(c, IPPROTO_ICMP, ECHO_REPLY, ECHO_REPLY));
}

static diagram tcp_flag(struct claims *c, unsigned mask)
{
	unsigned bits[SPACE_BITS_MAX], bit = 0;

	space_bits(SPACE_FLAGS, bits);
	while (0x80u >> bit != mask)
		bit++;
	return diagram_variable(c->space, bits[bit]);
}

static void words_of_headers(struct claims *c)
{
	struct diagram_space *space = c->space;
	diagram syn = tcp_flag(c, PACKET_TCP_SYN), ack = tcp_flag(c, PACKET_TCP_ACK);
	diagram rst = tcp_flag(c, PACKET_TCP_RST), fin = tcp_flag(c, PACKET_TCP_FIN);
	diagram valid = space_flag(space, SPACE_VALID), options;

	c->loopback = space_flag(space, SPACE_LOOPBACK);
	c->owned = space_flag(space, SPACE_OWNED);
	c->routed = space_flag(space, SPACE_ROUTED);
	c->ipv4 = space_ipv4(space);
	c->ipv6 = space_ipv6(space);
	c->ip = ANY(c->ipv4, c->ipv6);
	c->later = space_later_fragment(space);
	options = ANY(space_options4(space), space_extended6(space));
	c->odd = ALL(c->ip, ANY(c->later, options, NO(valid)));
	/* AF_PACKET has no route to give, and what another namespace sends has no owner here. */
	c->piece = ALL(c->ipv4, c->later, c->owned, c->routed, NO(options));
	c->tcp = protocol(c, IPPROTO_TCP);
	c->udp = protocol(c, IPPROTO_UDP);
	c->icmp =
	    ANY(ALL(c->ipv4, protocol(c, IPPROTO_ICMP)), ALL(c->ipv6, protocol(c, IPPROTO_ICMPV6)));
	c->opening = ALL(c->tcp, NO(c->later), syn, NO(ack), NO(rst), NO(fin));
	c->rest = ALL(c->tcp, NO(c->later), ack, NO(syn), NO(rst), c->routed);
	c->quiet = ANY(ALL(c->tcp, NO(c->opening)), claims_icmp_errors(c));
	c->ordinary = ALL(c->ip, NO(c->odd), space_complete(space));
	c->labelled = ALL(c->routed, ANY(space_equal(space, SPACE_ETHERTYPE, SPACE_LINK_ETHERTYPE),
					 space_bare(space)));
}

static void words_of_places(struct claims *c)
{
	/* RFC 1918. */
	static const struct claims_range lan[] = {
	    {0x0a000000, 0x0affffff}, {0xac100000, 0xac1fffff}, {0xc0a80000, 0xc0a8ffff}};
	/* This network, the provider's shared addresses, loopback, a link's own, groups, reserved.
	 */
	static const struct claims_range special[] = {{0x00000000, 0x00ffffff},
						      {0x64400000, 0x647fffff},
						      {0x7f000000, 0x7fffffff},
						      {0xa9fe0000, 0xa9feffff},
						      {0xe0000000, 0xffffffff}};
	/* DNS, NetBIOS, DNS over TLS, SSDP, NAT-PMP and PCP, mDNS, LLMNR. */
	static const uint16_t lookups[] = {53, 137, 853, 1900, 5351, 5353, 5355};
	diagram ports = DIAGRAM_FALSE;

	c->lan = claims_destinations(c, lan, ARRAY_SIZE(lan));
	c->internet = claims_destinations(c, special, ARRAY_SIZE(special));
	c->internet = ALL(c->ipv4, NO(c->internet), NO(c->lan));
	for (size_t i = 0; i < ARRAY_SIZE(lookups); i++)
		ports = ANY(ports, space_is(c->space, SPACE_DESTINATION_PORT, lookups[i]));
	c->lookup = ALL(ports, ANY(c->tcp, c->udp), NO(c->later));
	c->broadcast = ALL(c->ipv4, c->udp, NO(c->later),
			   space_is(c->space, SPACE_SOURCE_PORT, DHCP_CLIENT_PORT),
			   space_is(c->space, SPACE_DESTINATION_PORT, DHCP_SERVER_PORT),
			   space_is(c->space, SPACE_DESTINATION4, INADDR_BROADCAST),
			   claims_users(c, &c->people->dhcp));
}

void claims_words(struct claims *c)
{
	words_of_headers(c);
	words_of_places(c);
	c->tor = user_is(c, &c->people->tor);
	c->bridges_net = user_is(c, &c->people->bridges_net);
	c->fronts_net = user_is(c, &c->people->fronts_net);
	c->clearnet = user_is(c, &c->people->clearnet);
	c->clearnet_net = user_is(c, &c->people->clearnet_net);
	c->amnesia = user_is(c, &c->people->amnesia);
	c->open_users = ANY(c->clearnet, c->clearnet_net, c->fronts_net);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Each expression against outcomes worked out by hand. A rule that applies drops; one that does not
 * lets the chain's policy accept: so DROPPED means "the rule applied".
 */
#include "test_rule.h"

/* ---- meta ---- */

static void meta_of_the_packet(void **state)
{
	struct packet tcp = tcp_packet(PACKET_OUTPUT), ip6 = ip6_packet(PACKET_OUTPUT);
	struct packet frame = tcp_packet(PACKET_FRAME), arp = arp_packet(PACKET_FRAME);

	CHECK(APPLIES, output, &tcp, meta(NFT_META_NFPROTO, 0), is(BYTES(2)));
	CHECK(APPLIES, output, &ip6, meta(NFT_META_NFPROTO, 0), is(BYTES(10)));
	CHECK(NOT, output, &ip6, meta(NFT_META_NFPROTO, 0), is(BYTES(2)));
	CHECK(APPLIES, egress, &frame, meta(NFT_META_NFPROTO, 0), is(BYTES(5)));
	CHECK(APPLIES, output, &tcp, meta(NFT_META_L4PROTO, 0), is(BYTES(6)));
	CHECK(NOT, output, &tcp, meta(NFT_META_L4PROTO, 0), is(BYTES(17)));
	CHECK(APPLIES, output, &tcp, meta(NFT_META_PROTOCOL, 0), is(BYTES(0x08, 0x00)));
	CHECK(APPLIES, egress, &arp, meta(NFT_META_PROTOCOL, 0), is(BYTES(0x08, 0x06)));
	/* No upper protocol: the rule breaks off, whatever is asked. */
	CHECK(NOT, egress, &arp, meta(NFT_META_L4PROTO, 0),
	      compare(RULESET_GREATER_EQUAL, BYTES(0)));
	/* The register is filled up with zeroes. */
	CHECK(APPLIES, output, &tcp, meta(NFT_META_L4PROTO, 0), is(BYTES(6, 0, 0, 0)));
}

static void meta_l4proto_of_fragments(void **state)
{
	struct packet packet = tcp_packet(PACKET_OUTPUT), ip6 = ip6_packet(PACKET_OUTPUT);

	packet.fragment = ip6.fragment = true;
	CHECK(APPLIES, output, &packet, meta(NFT_META_L4PROTO, 0), is(BYTES(6)));
	CHECK(APPLIES, output, &ip6, meta(NFT_META_L4PROTO, 0), is(BYTES(6)));
	/* The kernel walks on over an extension header and finds no end. */
	ip6.protocol = IPPROTO_DSTOPTS;
	CHECK(NOT, output, &ip6, meta(NFT_META_L4PROTO, 0), is(BYTES(IPPROTO_DSTOPTS)));
	packet.protocol = IPPROTO_DSTOPTS;
	CHECK(APPLIES, output, &packet, meta(NFT_META_L4PROTO, 0), is(BYTES(IPPROTO_DSTOPTS)));
}

static void meta_devices(void **state)
{
	struct packet out = tcp_packet(PACKET_OUTPUT), in = tcp_packet(PACKET_INPUT);
	struct packet lo = tcp_packet(PACKET_OUTPUT);
	const char eth0[16] = "eth0", name_lo[16] = "lo", nothing[16] = "";
	uint16_t ethernet = 1, loopback = 772;

	lo.loopback = true;
	CHECK(APPLIES, output, &lo, meta(NFT_META_OIF, 0), is_u32(1));
	CHECK(APPLIES, output, &out, meta(NFT_META_OIF, 0), is_u32(2));
	CHECK(APPLIES, output, &lo, meta(NFT_META_OIFNAME, 0), is(name_lo, 16));
	CHECK(APPLIES, output, &out, meta(NFT_META_OIFNAME, 0), is(eth0, 16));
	CHECK(APPLIES, output, &out, meta(NFT_META_OIFTYPE, 0), is(&ethernet, 2));
	CHECK(APPLIES, output, &lo, meta(NFT_META_OIFTYPE, 0), is(&loopback, 2));
	/* Where there is no input device: index 0, no name, and no type. */
	CHECK(APPLIES, output, &out, meta(NFT_META_IIF, 0), is_u32(0));
	CHECK(APPLIES, output, &out, meta(NFT_META_IIFNAME, 0), is(nothing, 16));
	CHECK(NOT, output, &out, meta(NFT_META_IIFTYPE, 0),
	      compare(RULESET_GREATER_EQUAL, BYTES(0, 0)));
	CHECK(APPLIES, input, &in, meta(NFT_META_IIF, 0), is_u32(2));
	CHECK(APPLIES, prerouting, &in, meta(NFT_META_IIFNAME, 0), is(eth0, 16));
	CHECK(APPLIES, input, &in, meta(NFT_META_OIF, 0), is_u32(0));
}

static void meta_owner(void **state)
{
	struct packet packet = tcp_packet(PACKET_OUTPUT), in = tcp_packet(PACKET_INPUT);

	CHECK(APPLIES, output, &packet, meta(NFT_META_SKUID, 0), is_u32(1000));
	CHECK(NOT, output, &packet, meta(NFT_META_SKUID, 0), is_u32(1001));
	packet.owned = false;
	CHECK(NOT, output, &packet, meta(NFT_META_SKUID, 0), is_u32(1000));
	CHECK(NOT, output, &packet, meta(NFT_META_SKUID, 0),
	      compare(RULESET_GREATER_EQUAL, BYTES(0, 0, 0, 0)));
	/* An arriving packet may get its socket before input, but not before prerouting. */
	CHECK(NOT, input, &in, meta(NFT_META_SKUID, 0), is_u32(0));
	in.socket = PACKET_SOCKET_BOUND;
	CHECK(UNSURE, input, &in, meta(NFT_META_SKUID, 0), is_u32(0));
	CHECK(NOT, prerouting, &in, meta(NFT_META_SKUID, 0), is_u32(0));
}

/* The realm is the administrator's: nothing is known but that there is one, or none. */
static void meta_route(void **state)
{
	struct packet frame = tcp_packet(PACKET_FRAME), in = tcp_packet(PACKET_INPUT);
	expr any = compare(RULESET_GREATER_EQUAL, BYTES(0, 0, 0, 0));

	CHECK(APPLIES, egress, &frame, meta(NFT_META_RTCLASSID, 0), any);
	CHECK(UNSURE, egress, &frame, meta(NFT_META_RTCLASSID, 0), is_u32(0));
	CHECK(NOT, egress, &frame, meta(NFT_META_RTCLASSID, 0),
	      compare(RULESET_LESS, BYTES(0, 0, 0, 0)));
	frame.routed = false;
	CHECK(NOT, egress, &frame, meta(NFT_META_RTCLASSID, 0), any);
	CHECK(APPLIES, input, &in, meta(NFT_META_RTCLASSID, 0), any);
	CHECK(NOT, prerouting, &in, meta(NFT_META_RTCLASSID, 0), any);
	in.loopback = true;
	CHECK(APPLIES, prerouting, &in, meta(NFT_META_RTCLASSID, 0), any);
}

/* An open question that makes no difference is no doubt; one that does is. */
static void open_questions_are_answered_both_ways(void **state)
{
	struct packet packet = tcp_packet(PACKET_OUTPUT);
	expr one = meta(NFT_META_MARK, 0), five = is_u32(5);

	/* The rule itself decides nothing: whoever passes it meets the same end. */
	CHECK(NOT, output, &packet, one, five, is_u32(6), meta(NFT_META_SKUID, 0), is_u32(1001));
	CHECK(UNSURE, output, &packet, one, five);
	packet.owned = false;
	CHECK(NOT, output, &packet, meta(NFT_META_SKGID, 0), five);
}

/* What a rule has written is no longer known, and a packet that was written to never simply passes. */
static void writing_is_never_a_guess(void **state)
{
	struct packet packet = tcp_packet(PACKET_OUTPUT);
	expr write = {.kind = RULESET_PAYLOAD_SET}, value = meta(NFT_META_NFPROTO, 0);

	write.payload_set.base = RULESET_NETWORK;
	write.payload_set.offset = 16;
	write.payload_set.len = 1;
	CHECK(APPLIES, output, &packet, value, write); /* dropped, whatever it has become */
	CHECK(UNSURE, output, &packet, value, write, load(RULESET_NETWORK, 16, 1, 1), is_u32(1));
	CHECK(UNSURE, output, &packet, value, write, meta(NFT_META_SKUID, 0), is_u32(1001));
	write.payload_set.offset = 9; /* of another protocol from now on */
	CHECK(UNSURE, output, &packet, value, write);
	CHECK(UNSURE, output, &packet, value, write, meta(NFT_META_SKUID, 0), is_u32(1001));
}

/* A rule on a mark must not look harmless because the model's packets bear none. */
static void meta_that_packets_do_not_determine(void **state)
{
	static const uint32_t keys[] = {NFT_META_MARK,   NFT_META_LEN, NFT_META_SKGID,
					NFT_META_CGROUP, NFT_META_CPU, 9999};
	struct packet packet = tcp_packet(PACKET_OUTPUT);

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		CHECK(UNSURE, output, &packet, meta(keys[i], 0), is_u32(1));
}

/* ---- payload ---- */

static void payload_of_the_network_header(void **state)
{
	struct packet tcp = tcp_packet(PACKET_OUTPUT), ip6 = ip6_packet(PACKET_OUTPUT);
	struct packet arp = arp_packet(PACKET_FRAME);

	CHECK(APPLIES, output, &tcp, load(RULESET_NETWORK, 16, 4, 0), is(BYTES(203, 0, 113, 5)));
	CHECK(APPLIES, output, &tcp, load(RULESET_NETWORK, 12, 4, 0), is(BYTES(192, 168, 1, 2)));
	CHECK(APPLIES, output, &tcp, load(RULESET_NETWORK, 12, 8, 0),
	      is(BYTES(192, 168, 1, 2, 203, 0, 113, 5)));
	CHECK(APPLIES, output, &tcp, load(RULESET_NETWORK, 9, 1, 0), is(BYTES(6)));
	CHECK(APPLIES, output, &ip6, load(RULESET_NETWORK, 24, 16, 0),
	      is(BYTES(0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2)));
	CHECK(APPLIES, egress, &arp, load(RULESET_NETWORK, 0, 8, 0),
	      is(BYTES(0, 1, 8, 0, 6, 4, 0, 1)));
}

static void payload_of_the_transport_header(void **state)
{
	struct packet tcp = tcp_packet(PACKET_OUTPUT), icmp = tcp_packet(PACKET_OUTPUT);
	struct packet arp = arp_packet(PACKET_FRAME);

	CHECK(APPLIES, output, &tcp, load(RULESET_TRANSPORT, 2, 2, 0), is(BYTES(0x01, 0xbb)));
	CHECK(APPLIES, output, &tcp, load(RULESET_TRANSPORT, 0, 2, 0), is(BYTES(0x9c, 0x40)));
	icmp.protocol = IPPROTO_ICMP;
	icmp.icmp_type = 8;
	icmp.icmp_id = 0x1234;
	CHECK(APPLIES, output, &icmp, load(RULESET_TRANSPORT, 0, 1, 0), is(BYTES(8)));
	CHECK(APPLIES, output, &icmp, load(RULESET_TRANSPORT, 4, 2, 0), is(BYTES(0x12, 0x34)));
	/* Only echoes have an identifier. */
	icmp.icmp_type = 3;
	CHECK(UNSURE, output, &icmp, load(RULESET_TRANSPORT, 4, 2, 0), is(BYTES(0x12, 0x34)));
	/* The kernel may read a later fragment's payload in its place. */
	tcp.fragment = true;
	CHECK(UNSURE, output, &tcp, load(RULESET_TRANSPORT, 2, 2, 0),
	      compare(RULESET_NOT_EQUAL, BYTES(0, 0)));
	/* No transport header: even "anything but" does not apply. */
	CHECK(NOT, egress, &arp, load(RULESET_TRANSPORT, 2, 2, 0),
	      compare(RULESET_NOT_EQUAL, BYTES(0, 0)));
}

static void payload_of_the_link_header(void **state)
{
	struct packet frame = arp_packet(PACKET_FRAME), out = tcp_packet(PACKET_OUTPUT);
	struct packet in = tcp_packet(PACKET_INPUT);

	CHECK(APPLIES, egress, &frame, load(RULESET_LINK, 12, 2, 0), is(BYTES(0x08, 0x06)));
	CHECK(NOT, egress, &frame, load(RULESET_LINK, 12, 2, 0), is(BYTES(0x08, 0x00)));
	CHECK(APPLIES, prerouting, &in, load(RULESET_LINK, 12, 2, 0), is(BYTES(0x08, 0x00)));
	CHECK(UNSURE, egress, &frame, load(RULESET_LINK, 0, 6, 0), is(BYTES(0, 0, 0, 0, 0, 0)));
	CHECK(UNSURE, output, &out, load(RULESET_LINK, 12, 2, 0), is(BYTES(0x08, 0x00)));
}

/* Time to live, ports of a protocol without them, bytes beyond the headers, other frames. */
static void payload_that_packets_do_not_determine(void **state)
{
	struct packet tcp = tcp_packet(PACKET_OUTPUT), gre = tcp_packet(PACKET_OUTPUT);
	struct packet frame = {.path = PACKET_FRAME, .ethertype = ETH_P_PAE};
	struct packet ip6 = ip6_packet(PACKET_OUTPUT);

	CHECK(UNSURE, output, &tcp, load(RULESET_NETWORK, 8, 1, 0), is(BYTES(64)));
	CHECK(UNSURE, output, &ip6, load(RULESET_NETWORK, 7, 1, 0), is(BYTES(64)));
	gre.protocol = IPPROTO_GRE;
	CHECK(UNSURE, output, &gre, load(RULESET_TRANSPORT, 2, 2, 0), is(BYTES(0, 0)));
	CHECK(UNSURE, output, &tcp, load(RULESET_TRANSPORT, 20, 4, 0), is(BYTES(0, 0, 0, 0)));
	CHECK(UNSURE, output, &tcp, load(RULESET_NETWORK, 4000000000, 4, 0), is_u32(0));
	CHECK(UNSURE, egress, &frame, load(RULESET_NETWORK, 0, 1, 0), is(BYTES(0)));
	/* What is masked away does not matter. */
	CHECK(APPLIES, output, &tcp, load(RULESET_NETWORK, 8, 2, 0), mask(BYTES(0, 0xff)),
	      is(BYTES(0, 6)));
	/* Version and header length are certain; whether more fragments follow is not. */
	CHECK(APPLIES, output, &tcp, load(RULESET_NETWORK, 0, 1, 0), is(BYTES(0x45)));
	CHECK(UNSURE, output, &tcp, load(RULESET_NETWORK, 6, 1, 0), is(BYTES(0)));
	tcp.options = 3;
	CHECK(APPLIES, output, &tcp, load(RULESET_NETWORK, 0, 1, 0), is(BYTES(0x48)));
	CHECK(APPLIES, output, &tcp, load(RULESET_TRANSPORT, 2, 2, 0), is(BYTES(0x01, 0xbb)));
	CHECK(APPLIES, output, &ip6, load(RULESET_NETWORK, 6, 1, 0), is(BYTES(6)));
	ip6.options = 1;
	CHECK(APPLIES, output, &ip6, load(RULESET_NETWORK, 6, 1, 0), is(BYTES(60)));
}

/* ---- compare, bitwise, range ---- */

static void compare_weighs_the_first_byte_most(void **state)
{
	struct packet packet = tcp_packet(PACKET_OUTPUT);
	expr port = load(RULESET_TRANSPORT, 2, 2, 0); /* 01 bb */

	CHECK(APPLIES, output, &packet, port, compare(RULESET_LESS, BYTES(0x02, 0x00)));
	CHECK(NOT, output, &packet, port, compare(RULESET_LESS, BYTES(0x01, 0xbb)));
	CHECK(APPLIES, output, &packet, port, compare(RULESET_LESS_EQUAL, BYTES(0x01, 0xbb)));
	CHECK(NOT, output, &packet, port, compare(RULESET_LESS_EQUAL, BYTES(0x01, 0xba)));
	CHECK(APPLIES, output, &packet, port, compare(RULESET_GREATER, BYTES(0x01, 0xba)));
	CHECK(NOT, output, &packet, port, compare(RULESET_GREATER, BYTES(0x01, 0xbb)));
	CHECK(APPLIES, output, &packet, port, compare(RULESET_GREATER_EQUAL, BYTES(0x01, 0xbb)));
	CHECK(NOT, output, &packet, port, compare(RULESET_GREATER_EQUAL, BYTES(0x01, 0xbc)));
	CHECK(APPLIES, output, &packet, port, compare(RULESET_NOT_EQUAL, BYTES(0x01, 0xbc)));
	CHECK(NOT, output, &packet, port, compare(RULESET_NOT_EQUAL, BYTES(0x01, 0xbb)));
	/* Only as many bytes as the value has. */
	CHECK(APPLIES, output, &packet, port, is(BYTES(0x01)));
}

/* Equality can be certain where order is not. The byte of a first fragment's flags is ???00000. */
static void compare_with_open_bits(void **state)
{
	struct packet packet = tcp_packet(PACKET_OUTPUT);
	expr first = load(RULESET_NETWORK, 6, 1, 0);

	CHECK(NOT, output, &packet, first, is(BYTES(0x01)));
	CHECK(APPLIES, output, &packet, first, compare(RULESET_NOT_EQUAL, BYTES(0x01)));
	CHECK(APPLIES, output, &packet, first, compare(RULESET_LESS, BYTES(0xe1)));
	CHECK(UNSURE, output, &packet, first, compare(RULESET_LESS, BYTES(0x40)));
	CHECK(UNSURE, output, &packet, first, is(BYTES(0x40)));
	/* Byte 8 is open, byte 9 is 6: never equal to (64, 17), but greater or less. */
	CHECK(NOT, output, &packet, load(RULESET_NETWORK, 8, 2, 0), is(BYTES(64, 17)));
	CHECK(UNSURE, output, &packet, load(RULESET_NETWORK, 8, 2, 0),
	      compare(RULESET_LESS, BYTES(64, 17)));
}

static void bitwise_masks_and_flips(void **state)
{
	struct packet packet = tcp_packet(PACKET_OUTPUT);
	expr flip = mask(BYTES(0xff, 0x0f));

	packet.tcp_flags = PACKET_TCP_SYN | PACKET_TCP_ACK;
	CHECK(APPLIES, output, &packet, load(RULESET_TRANSPORT, 13, 1, 0), mask(BYTES(0x17)),
	      is(BYTES(0x12)));
	CHECK(NOT, output, &packet, load(RULESET_TRANSPORT, 13, 1, 0), mask(BYTES(0x17)),
	      is(BYTES(0x02)));
	CHECK(APPLIES, output, &packet, load(RULESET_TRANSPORT, 13, 1, 0), mask(BYTES(0x02)),
	      is(BYTES(0x02)));
	/* PSH is not among the flags that a packet's class determines. */
	CHECK(UNSURE, output, &packet, load(RULESET_TRANSPORT, 13, 1, 0), mask(BYTES(0x08)),
	      is(BYTES(0x00)));
	/* (01 bb & ff 0f) ^ 80 01 = 81 0a, into another register */
	flip.bitwise.reg = 3;
	flip.bitwise.xor = value(BYTES(0x80, 0x01));
	{
		expr asked = is(BYTES(0x81, 0x0a, 0, 0));

		asked.compare.reg = 3;
		CHECK(APPLIES, output, &packet, load(RULESET_TRANSPORT, 2, 2, 0), flip, asked);
	}
	/* 127.0.0.0/8 by mask */
	packet.destination = packet_address4(0x7fc00001);
	CHECK(APPLIES, output, &packet, load(RULESET_NETWORK, 16, 4, 0),
	      mask(BYTES(255, 0xc0, 0, 0)), is(BYTES(127, 192, 0, 0)));
}

static void range_is_inclusive(void **state)
{
	struct packet packet = tcp_packet(PACKET_OUTPUT);
	expr range = {.kind = RULESET_RANGE};

	range.range.from = value(BYTES(0x01, 0xbb));
	range.range.to = value(BYTES(0x01, 0xbd));
	for (uint16_t port = 442; port <= 446; port++) {
		bool inside = port >= 443 && port <= 445;

		packet.destination_port = port;
		range.range.operator= RULESET_EQUAL;
		CHECK(inside ? APPLIES : NOT, output, &packet, load(RULESET_TRANSPORT, 2, 2, 0),
		      range);
		range.range.operator= RULESET_NOT_EQUAL;
		CHECK(inside ? NOT : APPLIES, output, &packet, load(RULESET_TRANSPORT, 2, 2, 0),
		      range);
	}
	range.range.operator= RULESET_LESS;
	CHECK(UNSURE, output, &packet, load(RULESET_TRANSPORT, 2, 2, 0), range);
	/* Time to live: open. */
	range.range.operator= RULESET_EQUAL;
	range.range.from = value(BYTES(1));
	range.range.to = value(BYTES(100));
	CHECK(UNSURE, output, &packet, load(RULESET_NETWORK, 8, 1, 0), range);
	/* The version with any length, 0x40 to 0x4f, lies outside of 0x50 to 0x5f for certain. */
	range.range.from = value(BYTES(0x50));
	range.range.to = value(BYTES(0x5f));
	CHECK(NOT, output, &packet, load(RULESET_NETWORK, 0, 1, 0), range);
	range.range.from = value(BYTES(0x30));
	CHECK(APPLIES, output, &packet, load(RULESET_NETWORK, 0, 1, 0), range);
}

/* ---- registers ---- */

static void registers_must_be_loaded_by_the_rule(void **state)
{
	struct packet packet = tcp_packet(PACKET_OUTPUT);
	expr elsewhere = is_u32(1000);

	CHECK(UNSURE, output, &packet, is_u32(0));
	elsewhere.compare.reg = 4;
	CHECK(UNSURE, output, &packet, meta(NFT_META_SKUID, 0), elsewhere);
	CHECK(APPLIES, output, &packet, meta(NFT_META_SKUID, 4), elsewhere);
	/* A value of 16 bytes occupies four registers. */
	CHECK(APPLIES, output, &packet, meta(NFT_META_SKUID, 4), meta(NFT_META_OIFNAME, 5),
	      elsewhere);
	CHECK(NOT, output, &packet, meta(NFT_META_SKUID, 4), meta(NFT_META_OIFNAME, 1), elsewhere);
	CHECK(UNSURE, output, &packet, meta(NFT_META_OIFNAME, 13), drops());
	/* What a shorter value does not fill is zero, whatever was there: uid 1000 is e8 03. */
	CHECK(APPLIES, output, &packet, meta(NFT_META_SKUID, 0), meta(NFT_META_L4PROTO, 0),
	      is(BYTES(6, 0, 0, 0)));
}

/* ---- reject, socket, tproxy, the rest ---- */

static void reject_answers(void **state)
{
	struct packet tcp = tcp_packet(PACKET_OUTPUT), udp = tcp_packet(PACKET_OUTPUT);
	struct packet frame = tcp_packet(PACKET_FRAME);

	udp.protocol = IPPROTO_UDP;
	CHECK(RULESET_RESET, output, &tcp, reject(NFT_REJECT_TCP_RST, 0));
	CHECK(RULESET_DROPPED, output, &udp, reject(NFT_REJECT_TCP_RST, 0));
	CHECK(RULESET_UNREACHABLE, output, &udp, reject(NFT_REJECT_ICMPX_UNREACH, 1));
	CHECK(RULESET_UNREACHABLE, output, &tcp, reject(NFT_REJECT_ICMP_UNREACH, 3));
	CHECK(UNSURE, output, &tcp, reject(9, 0));
	CHECK(UNSURE, egress, &frame, reject(NFT_REJECT_TCP_RST, 0));
	tcp.fragment = udp.fragment = true;
	CHECK(RULESET_DROPPED, output, &tcp, reject(NFT_REJECT_TCP_RST, 0));
	CHECK(RULESET_DROPPED, output, &udp, reject(NFT_REJECT_ICMPX_UNREACH, 1));
}

static void socket_is_looked_for(void **state)
{
	static const struct {
		enum packet_socket socket;
		enum ruleset_outcome wildcard0, wildcard1, transparent0, transparent1;
	} cases[] = {
	    {PACKET_SOCKET_NONE, NOT, NOT, NOT, NOT},
	    {PACKET_SOCKET_WILDCARD, NOT, APPLIES, APPLIES, NOT},
	    {PACKET_SOCKET_BOUND, APPLIES, NOT, APPLIES, NOT},
	    {PACKET_SOCKET_TRANSPARENT, APPLIES, NOT, NOT, APPLIES},
	};
	struct packet packet = tcp_packet(PACKET_INPUT), out = tcp_packet(PACKET_OUTPUT);
	expr wildcard = asks_socket(NFT_SOCKET_WILDCARD);
	expr transparent = asks_socket(NFT_SOCKET_TRANSPARENT);

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		packet.socket = cases[i].socket;
		CHECK(cases[i].wildcard0, input, &packet, wildcard, is(BYTES(0)));
		CHECK(cases[i].wildcard1, input, &packet, wildcard, is(BYTES(1)));
		CHECK(cases[i].transparent0, input, &packet, transparent, is(BYTES(0)));
		CHECK(cases[i].transparent1, input, &packet, transparent, is(BYTES(1)));
	}
	CHECK(UNSURE, input, &packet, asks_socket(NFT_SOCKET_MARK), is_u32(0));
	CHECK(UNSURE, output, &out, wildcard, is(BYTES(0)));
	/* For other protocols the kernel does not look; of ICMP, for errors only. */
	packet.protocol = IPPROTO_SCTP;
	CHECK(NOT, input, &packet, wildcard, is(BYTES(0)));
	packet.protocol = IPPROTO_ICMP;
	packet.icmp_type = 0;
	CHECK(NOT, input, &packet, wildcard, is(BYTES(0)));
	packet.icmp_type = 3;
	CHECK(APPLIES, input, &packet, wildcard, is(BYTES(0)));
}

static struct ruleset_result proxied(const struct packet *packet, expr last, int32_t priority)
{
	CLEANUP(ruleset_freep) struct ruleset *ruleset = new_ruleset();
	struct ruleset_table *table = ruleset_add_table(ruleset, RULESET_INET, "t");
	struct ruleset_chain *chain;

	chain = base_chain(table, "pre", NF_INET_PRE_ROUTING, RULESET_DROP);
	chain->priority = priority;
	RULE(chain, "", data(0, BYTES(127, 0, 0, 1)), data(1, BYTES(0x23, 0x50)), last, accepts());
	return ruleset_evaluate(ruleset, packet);
}

static void tproxy_hands_over(void **state)
{
	struct packet packet = tcp_packet(PACKET_INPUT);
	expr to = tproxy(RULESET_IPV4, 0, 1);

	packet.socket = PACKET_SOCKET_TRANSPARENT;
	assert_int_equal(proxied(&packet, to, -150).outcome, RULESET_PROXIED);
	assert_int_equal(proxied(&packet, to, -150).proxy_port, 9040);
	/* Without a port of its own: the packet's. */
	assert_int_equal(proxied(&packet, tproxy(RULESET_IPV4, 0, -1), -150).proxy_port, 443);
	assert_int_equal(proxied(&packet, tproxy(RULESET_IPV6, 0, 1), -150).outcome,
			 RULESET_DROPPED);
	packet.socket = PACKET_SOCKET_BOUND; /* nobody transparent listens */
	assert_int_equal(proxied(&packet, to, -150).outcome, RULESET_DROPPED);
	assert_int_equal(proxied(&packet, to, -150).proxy_port, 0);
	packet.socket = PACKET_SOCKET_TRANSPARENT;
	packet.protocol = IPPROTO_SCTP;
	assert_int_equal(proxied(&packet, to, -150).outcome, RULESET_DROPPED);
	/* Fragments are put together at -400, because of this very rule. */
	packet.protocol = IPPROTO_TCP;
	packet.fragment = true;
	assert_int_equal(proxied(&packet, to, -150).outcome, RULESET_DROPPED);
	assert_int_equal(proxied(&packet, to, -450).outcome, RULESET_UNDECIDED);
}

static void the_rest(void **state)
{
	struct packet packet = tcp_packet(PACKET_OUTPUT);
	expr unknown = {.kind = RULESET_UNKNOWN, .unknown = {"xfrm"}};
	expr counter = {.kind = RULESET_COUNTER};

	CHECK(APPLIES, output, &packet, counter);
	CHECK(UNSURE, output, &packet, unknown);
	/* Not reached, so it does not matter. */
	CHECK(NOT, output, &packet, meta(NFT_META_L4PROTO, 0), is(BYTES(17)), unknown);
	CHECK(NOT, output, &packet, accepts(), unknown);
	CHECK(UNSURE, output, &packet, verdict(RULESET_QUEUE));
	CHECK(NOT, output, &packet, verdict(RULESET_BREAK));
	CHECK(APPLIES, output, &packet, verdict(RULESET_CONTINUE));
	CHECK(APPLIES, output, &packet, data(2, BYTES(1, 2, 3)));
	CHECK(UNSURE, output, &packet, tproxy(RULESET_IPV4, -1, -1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(meta_of_the_packet),
	    cmocka_unit_test(meta_l4proto_of_fragments),
	    cmocka_unit_test(meta_devices),
	    cmocka_unit_test(meta_owner),
	    cmocka_unit_test(meta_route),
	    cmocka_unit_test(open_questions_are_answered_both_ways),
	    cmocka_unit_test(writing_is_never_a_guess),
	    cmocka_unit_test(meta_that_packets_do_not_determine),
	    cmocka_unit_test(payload_of_the_network_header),
	    cmocka_unit_test(payload_of_the_transport_header),
	    cmocka_unit_test(payload_of_the_link_header),
	    cmocka_unit_test(payload_that_packets_do_not_determine),
	    cmocka_unit_test(compare_weighs_the_first_byte_most),
	    cmocka_unit_test(compare_with_open_bits),
	    cmocka_unit_test(bitwise_masks_and_flips),
	    cmocka_unit_test(range_is_inclusive),
	    cmocka_unit_test(registers_must_be_loaded_by_the_rule),
	    cmocka_unit_test(reject_answers),
	    cmocka_unit_test(socket_is_looked_for),
	    cmocka_unit_test(tproxy_hands_over),
	    cmocka_unit_test(the_rest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

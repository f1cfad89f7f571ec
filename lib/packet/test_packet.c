/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <string.h>

#include "packet.h"

static struct packet_address address(const char *text)
{
	struct packet_address parsed;
	bool ipv6;

	assert_int_equal(packet_address_parse(text, &parsed, &ipv6), 0);
	return parsed;
}

static struct packet ip4(uint8_t protocol)
{
	return (struct packet){
	    .path = PACKET_OUTPUT,
	    .ethertype = ETH_P_IP,
	    .protocol = protocol,
	    .source = address("192.168.1.2"),
	    .destination = address("203.0.113.5"),
	    .source_port = 40000,
	    .destination_port = 443,
	};
}

static struct packet ip6(uint8_t protocol)
{
	struct packet packet = ip4(protocol);

	packet.ethertype = ETH_P_IPV6;
	packet.source = address("2001:db8::1");
	packet.destination = address("2001:db8::2");
	return packet;
}

/* ---- predicates ---- */

/* Of all 256 flag bytes, those with SYN and none of ACK, RST, FIN; PSH, URG, ECE, CWR do not count.
 */
static void opening_is_syn_alone(void **state)
{
	struct packet packet = ip4(IPPROTO_TCP);

	for (unsigned flags = 0; flags < 256; flags++) {
		bool syn = flags & 0x02, other = flags & (0x01 | 0x04 | 0x10);

		packet.tcp_flags = (uint8_t)flags;
		assert_int_equal(packet_is_opening(&packet), syn && !other);
	}
}

static void opening_is_tcp_and_no_fragment(void **state)
{
	struct packet packet = ip4(IPPROTO_TCP);

	packet.tcp_flags = PACKET_TCP_SYN;
	assert_true(packet_is_opening(&packet));
	packet.fragment = true;
	assert_false(packet_is_opening(&packet));
	packet = ip4(IPPROTO_UDP);
	packet.tcp_flags = PACKET_TCP_SYN;
	assert_false(packet_is_opening(&packet));
}

static void ports_are_of_five_protocols(void **state)
{
	for (unsigned protocol = 0; protocol < 256; protocol++) {
		bool expected = protocol == 6 || protocol == 17 || protocol == 33 ||
				protocol == 132 || protocol == 136;

		assert_int_equal(packet_has_ports((uint8_t)protocol), expected);
	}
}

static void protocol_names(void **state)
{
	assert_string_equal(packet_protocol_name(1), "icmp");
	assert_string_equal(packet_protocol_name(2), "igmp");
	assert_string_equal(packet_protocol_name(6), "tcp");
	assert_string_equal(packet_protocol_name(17), "udp");
	assert_string_equal(packet_protocol_name(33), "dccp");
	assert_string_equal(packet_protocol_name(41), "ipv6");
	assert_string_equal(packet_protocol_name(47), "gre");
	assert_string_equal(packet_protocol_name(50), "esp");
	assert_string_equal(packet_protocol_name(51), "ah");
	assert_string_equal(packet_protocol_name(58), "icmpv6");
	assert_string_equal(packet_protocol_name(132), "sctp");
	assert_string_equal(packet_protocol_name(136), "udplite");
	assert_null(packet_protocol_name(0));
	assert_null(packet_protocol_name(255));
}

/* ---- addresses ---- */

static void address4_is_network_order_in_the_first_four(void **state)
{
	static const uint8_t expected[16] = {192, 0, 2, 1};
	struct packet_address four = packet_address4(0xc0000201);

	assert_memory_equal(four.bytes, expected, 16);
	assert_int_equal(packet_address_to4(&four), 0xc0000201);
	four = packet_address4(UINT32_MAX);
	assert_int_equal(packet_address_to4(&four), UINT32_MAX);
	four = packet_address4(0);
	assert_int_equal(packet_address_to4(&four), 0);
}

static void address_parse_tells_the_family(void **state)
{
	static const uint8_t loopback6[16] = {[15] = 1};
	static const uint8_t mapped[16] = {[10] = 0xff, 0xff, 192, 0, 2, 1};
	struct packet_address parsed;
	bool ipv6 = true;

	assert_int_equal(packet_address_parse("127.0.0.1", &parsed, &ipv6), 0);
	assert_false(ipv6);
	assert_int_equal(packet_address_to4(&parsed), 0x7f000001);
	assert_int_equal(packet_address_parse("::1", &parsed, &ipv6), 0);
	assert_true(ipv6);
	assert_memory_equal(parsed.bytes, loopback6, 16);
	assert_int_equal(packet_address_parse("::ffff:192.0.2.1", &parsed, &ipv6), 0);
	assert_true(ipv6);
	assert_memory_equal(parsed.bytes, mapped, 16);
}

static void address_parse_refuses_the_rest_untouched(void **state)
{
	static const char *const texts[] = {
	    "",           " ",        "1",        "1.2.3",     "1.2.3.4.5",  "256.1.1.1",
	    "01.2.3.4",   "1.2.3.4 ", " 1.2.3.4", "1.2.3.4/8", "0x7f.0.0.1", "localhost",
	    ":",          ":::",      "1::2::3",  "12345::",   "::1%lo",     "::1/128",
	    "1.2.3.4:80", "[::1]",    "-1.2.3.4", "::g",
	};
	struct packet_address parsed = packet_address4(7), before = parsed;
	bool ipv6 = true;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		assert_int_equal(packet_address_parse(texts[i], &parsed, &ipv6), -EINVAL);
	assert_memory_equal(&parsed, &before, sizeof(parsed));
	assert_true(ipv6);
}

static void address_print_and_parse_agree(void **state)
{
	static const char *const texts[] = {
	    "0.0.0.0",     "127.192.0.1", "255.255.255.255",      "::", "::1", "2001:db8::1",
	    "fe80::1:2:3", "ff02::fb",    "2001:db8:1:2:3:4:5:6",
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		AUTO_BUF struct buf out = {.cap = 64};
		struct packet_address parsed;
		bool ipv6;

		assert_int_equal(packet_address_parse(texts[i], &parsed, &ipv6), 0);
		packet_address_print(&parsed, ipv6, &out);
		assert_string_equal(buf_text(&out), texts[i]);
	}
}

/* ---- printing ---- */

static void prints_as(const struct packet *packet, const char *expected)
{
	AUTO_BUF struct buf out = {.cap = 256};

	packet_print(packet, &out);
	assert_int_equal(buf_finish(&out), 0);
	assert_string_equal(buf_text(&out), expected);
}

static void print_tcp(void **state)
{
	struct packet packet = ip4(IPPROTO_TCP);

	packet.tcp_flags = PACKET_TCP_SYN;
	packet.owned = true;
	packet.uid = 1000;
	prints_as(&packet, "tcp syn 192.168.1.2:40000 -> 203.0.113.5:443 by uid 1000, output");
	packet.tcp_flags = PACKET_TCP_SYN | PACKET_TCP_ACK;
	packet.owned = false;
	packet.loopback = true;
	prints_as(&packet, "tcp syn,ack 192.168.1.2:40000 -> 203.0.113.5:443 without owner, "
			   "output on lo");
	packet.tcp_flags = 0;
	packet.path = PACKET_INPUT;
	prints_as(&packet, "tcp no-flags 192.168.1.2:40000 -> 203.0.113.5:443, input on lo");
}

static void print_uid_zero_is_an_owner(void **state)
{
	struct packet packet = ip4(IPPROTO_UDP);

	packet.owned = true;
	prints_as(&packet, "udp 192.168.1.2:40000 -> 203.0.113.5:443 by uid 0, output");
	packet.uid = UINT32_MAX;
	prints_as(&packet, "udp 192.168.1.2:40000 -> 203.0.113.5:443 by uid 4294967295, output");
}

static void print_other_protocols(void **state)
{
	struct packet packet = ip4(IPPROTO_ICMP);

	packet.icmp_type = 8;
	packet.path = PACKET_FORWARD;
	prints_as(&packet, "icmp type 8 192.168.1.2 -> 203.0.113.5, forward");
	packet.protocol = IPPROTO_GRE;
	prints_as(&packet, "gre 192.168.1.2 -> 203.0.113.5, forward");
	packet.protocol = 253;
	prints_as(&packet, "protocol 253 192.168.1.2 -> 203.0.113.5, forward");
	packet.options = 3;
	prints_as(&packet, "protocol 253 with IP options 192.168.1.2 -> 203.0.113.5, forward");
	packet.options = 0;
	packet.protocol = IPPROTO_UDP;
	packet.fragment = true;
	prints_as(&packet, "udp fragment 192.168.1.2 -> 203.0.113.5, forward");
}

static void print_ip6(void **state)
{
	struct packet packet = ip6(IPPROTO_UDP);

	packet.path = PACKET_INPUT;
	packet.expected = true;
	prints_as(&packet, "udp [2001:db8::1]:40000 -> [2001:db8::2]:443, input, expected");
	packet.options = 1;
	packet.expected = false;
	prints_as(&packet,
		  "udp after extension headers [2001:db8::1]:40000 -> [2001:db8::2]:443, input");
	packet = ip6(IPPROTO_ICMPV6);
	packet.icmp_type = 135;
	prints_as(&packet, "icmpv6 type 135 2001:db8::1 -> 2001:db8::2 without owner, output");
}

static void print_frames(void **state)
{
	struct packet packet = {
	    .path = PACKET_FRAME,
	    .ethertype = ETH_P_ARP,
	    .arp_operation = 1,
	    .arp_plain = true,
	};

	prints_as(&packet, "arp operation 1 without owner, frame, unrouted");
	packet.arp_plain = false;
	packet.owned = true;
	prints_as(&packet, "arp operation 1 of unusual shape by uid 0, frame, unrouted");
	packet.ethertype = ETH_P_PAE;
	packet.routed = true;
	prints_as(&packet, "ethertype 0x888e by uid 0, frame");
	packet.link_ethertype = ETH_P_IP;
	prints_as(&packet, "ethertype 0x888e by uid 0, frame, labelled but framed as 0x0800");
	packet.link_ethertype = ETH_P_PAE;
	prints_as(&packet, "ethertype 0x888e by uid 0, frame");
}

static void print_respects_the_cap(void **state)
{
	AUTO_BUF struct buf out = {.cap = 10};
	struct packet packet = ip4(IPPROTO_TCP);

	packet_print(&packet, &out);
	assert_int_equal(buf_finish(&out), -E2BIG);
}

/* ---- encoding: bytes written here by hand, from the RFCs ---- */

static void encodes_as(const struct packet *packet, const uint8_t *expected, size_t len,
		       uint16_t transport_offset)
{
	struct packet_bytes bytes;

	memset(&bytes, 0xee, sizeof(bytes));
	packet_encode(packet, &bytes);
	assert_int_equal(bytes.len, len);
	assert_memory_equal(bytes.data, expected, len);
	assert_int_equal(bytes.transport_offset, transport_offset);
	for (size_t i = len; i < sizeof(bytes.data); i++)
		assert_int_equal(bytes.data[i], 0);
	for (size_t i = 0; i < 12; i++)
		assert_int_equal(bytes.link[i], 0);
}

static void encode_tcp4(void **state)
{
	static const uint8_t expected[] = {
	    0x45, 0x00, 0x00, 0x28, 0x00, 0x00, 0x00, 0x00, 64, 6, 0x00, 0x00, /* length 40 */
	    192,  168,  1,    2,    203,  0,    113,  5,                       /* addresses */
	    0x9c, 0x40, 0x01, 0xbb, 0,    0,    0,    0,    0,  0, 0,    0,    /* 40000, 443 */
	    0x50, 0x12, 0,    0,    0,    0,    0,    0,                       /* syn, ack */
	};
	struct packet packet = ip4(IPPROTO_TCP);
	struct packet_bytes bytes;

	packet.tcp_flags = PACKET_TCP_SYN | PACKET_TCP_ACK;
	encodes_as(&packet, expected, sizeof(expected), 20);
	packet_encode(&packet, &bytes);
	assert_int_equal(bytes.link[12], 0x08);
	assert_int_equal(bytes.link[13], 0x00);
}

static void encode_udp4(void **state)
{
	static const uint8_t expected[] = {
	    0x45, 0x00, 0x00, 0x1c, 0,   0, 0,   0, 64, 17, 0, 0, /* length 28 */
	    192,  168,  1,    2,    203, 0, 113, 5,               /* addresses */
	    0x9c, 0x40, 0x01, 0xbb, 0,   8, 0,   0,               /* ports, length 8 */
	};
	struct packet packet = ip4(IPPROTO_UDP);

	encodes_as(&packet, expected, sizeof(expected), 20);
}

static void encode_sctp4(void **state)
{
	static const uint8_t expected[] = {
	    0x45, 0x00, 0x00, 0x20, 0,   0, 0,   0, 64, 132, 0, 0, /* length 32 */
	    192,  168,  1,    2,    203, 0, 113, 5,                /* addresses */
	    0x9c, 0x40, 0x01, 0xbb, 0,   0, 0,   0, 0,  0,   0, 0, /* ports, tag, checksum */
	};
	struct packet packet = ip4(IPPROTO_SCTP);

	encodes_as(&packet, expected, sizeof(expected), 20);
}

static void encode_icmp4(void **state)
{
	static const uint8_t expected[] = {
	    0x45, 0x00, 0x00, 0x1c, 0,    0,    0,   0, 64, 1, 0, 0, /* length 28 */
	    192,  168,  1,    2,    203,  0,    113, 5,              /* addresses */
	    8,    7,    0,    0,    0xbe, 0xef, 0,   0,              /* type, code, identifier */
	};
	struct packet packet = ip4(IPPROTO_ICMP);

	packet.icmp_type = 8;
	packet.icmp_code = 7;
	packet.icmp_id = 0xbeef;
	encodes_as(&packet, expected, sizeof(expected), 20);
}

/* No ports are written for protocols that have none, whatever the packet's fields hold. */
static void encode_gre4(void **state)
{
	static const uint8_t expected[28] = {
	    0x45, 0x00, 0x00, 0x1c, 0, 0, 0, 0, 64, 47, 0, 0, 192, 168, 1, 2, 203, 0, 113, 5,
	};
	struct packet packet = ip4(IPPROTO_GRE);

	encodes_as(&packet, expected, sizeof(expected), 20);
}

static void encode_fragment4(void **state)
{
	static const uint8_t expected[28] = {
	    0x45, 0x00, 0x00, 0x1c, 0,   0, 0x00, 0xb9, 64, 6, 0, 0, /* offset 185 * 8 = 1480 */
	    192,  168,  1,    2,    203, 0, 113,  5,
	};
	struct packet packet = ip4(IPPROTO_TCP);

	packet.fragment = true;
	packet.tcp_flags = PACKET_TCP_SYN;
	encodes_as(&packet, expected, sizeof(expected), 0);
}

/* Options of "no operation"; the header's length and all that follows it move. */
static void encode_options4(void **state)
{
	static const uint8_t whole[] = {
	    0x47, 0x00, 0x00, 0x24, 0,   0, 0,   0, 64, 17, 0, 0, /* 7 words, length 36 */
	    192,  168,  1,    2,    203, 0, 113, 5,               /* addresses */
	    1,    1,    1,    1,    1,   1, 1,   1,               /* two words of options */
	    0x9c, 0x40, 0x01, 0xbb, 0,   8, 0,   0,               /* ports, length 8 */
	};
	static const uint8_t later[32] = {
	    0x46, 0x00, 0x00, 0x20, 0,   0, 0x00, 0xb9, 64, 17, 0, 0, /* 6 words, length 32 */
	    192,  168,  1,    2,    203, 0, 113,  5,    1,  1,  1, 1,
	};
	struct packet packet = ip4(IPPROTO_UDP);

	packet.options = 2;
	encodes_as(&packet, whole, sizeof(whole), 28);
	packet.options = 1;
	packet.fragment = true;
	encodes_as(&packet, later, sizeof(later), 0);
}

static void encode_most_options4(void **state)
{
	struct packet packet = ip4(IPPROTO_TCP);
	struct packet_bytes bytes;

	packet.options = 10;
	packet_encode(&packet, &bytes);
	assert_int_equal(bytes.data[0], 0x4f);
	assert_int_equal(bytes.transport_offset, 60);
	assert_int_equal(bytes.len, 80);
	assert_int_equal(bytes.data[60], 0x9c);
}

static void encode_options6(void **state)
{
	static const uint8_t expected[] = {
	    0x60, 0,    0,    0,    0x00, 0x10, 60, 64, /* payload 16, destination options */
	    0x20, 0x01, 0x0d, 0xb8, 0,    0,    0,  0,  0, 0, 0, 0, 0, 0,
	    0,    1,    0x20, 0x01, 0x0d, 0xb8, 0,  0,  0, 0, 0, 0, 0, 0,
	    0,    0,    0,    2,    17,   0,    0,  0,  0, 0, 0, 0, /* next header UDP, 8 bytes of
								       padding */
	    0x9c, 0x40, 0x01, 0xbb, 0,    8,    0,  0,
	};
	struct packet packet = ip6(IPPROTO_UDP);

	packet.options = 1;
	encodes_as(&packet, expected, sizeof(expected), 48);
}

static void encode_tcp6(void **state)
{
	static const uint8_t expected[] = {
	    0x60, 0,    0,    0,    0x00, 0x14, 6,    64, /* payload 20, next header 6, hops 64 */
	    0x20, 0x01, 0x0d, 0xb8, 0,    0,    0,    0,    0,    0,    0, 0, 0,
	    0,    0,    1,    0x20, 0x01, 0x0d, 0xb8, 0,    0,    0,    0, 0, 0,
	    0,    0,    0,    0,    0,    2,    0x9c, 0x40, 0x01, 0xbb, 0, 0, 0,
	    0,    0,    0,    0,    0,    0x50, 0x02, 0,    0,    0,    0, 0, 0,
	};
	struct packet packet = ip6(IPPROTO_TCP);
	struct packet_bytes bytes;

	packet.tcp_flags = PACKET_TCP_SYN;
	encodes_as(&packet, expected, sizeof(expected), 40);
	packet_encode(&packet, &bytes);
	assert_int_equal(bytes.link[12], 0x86);
	assert_int_equal(bytes.link[13], 0xdd);
}

static void encode_icmp6(void **state)
{
	static const uint8_t expected[] = {
	    0x60, 0, 0, 0, 0x00, 0x08, 58, 64, 0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0,
	    0,    0, 0, 0, 0,    0,    0,  1,  0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0,
	    0,    0, 0, 0, 0,    0,    0,  2,  135,  0,    0,    0,    0, 0, 0, 0,
	};
	struct packet packet = ip6(IPPROTO_ICMPV6);

	packet.icmp_type = 135;
	encodes_as(&packet, expected, sizeof(expected), 40);
}

static void encode_fragment6(void **state)
{
	static const uint8_t expected[56] = {
	    0x60, 0,    0,    0,    0x00, 0x10, 44,   64, /* payload 16, fragment header */
	    0x20, 0x01, 0x0d, 0xb8, 0,    0,    0,    0,  0,    0,    0, 0, 0,
	    0,    0,    1,    0x20, 0x01, 0x0d, 0xb8, 0,  0,    0,    0, 0, 0,
	    0,    0,    0,    0,    0,    2,    17,   0,  0x05, 0xc8, /* next header, offset 185 in
									 the upper 13 bits */
	};
	struct packet packet = ip6(IPPROTO_UDP);

	packet.fragment = true;
	encodes_as(&packet, expected, sizeof(expected), 0);
}

static void encode_arp(void **state)
{
	static const uint8_t plain[28] = {0, 1, 0x08, 0x00, 6, 4, 0, 2};
	static const uint8_t unusual[28] = {0, 6, 0x08, 0x00, 6, 4, 0, 9};
	struct packet packet = {
	    .path = PACKET_FRAME,
	    .ethertype = ETH_P_ARP,
	    .arp_operation = 2,
	    .arp_plain = true,
	};

	encodes_as(&packet, plain, sizeof(plain), 0);
	packet.arp_plain = false;
	packet.arp_operation = 9;
	encodes_as(&packet, unusual, sizeof(unusual), 0);
}

static void encode_other_ethertypes(void **state)
{
	static const uint8_t nothing[46] = {0};
	struct packet packet = {.path = PACKET_FRAME, .ethertype = ETH_P_PAE};
	struct packet_bytes bytes;

	encodes_as(&packet, nothing, sizeof(nothing), 0);
	packet_encode(&packet, &bytes);
	assert_int_equal(bytes.link[12], 0x88);
	assert_int_equal(bytes.link[13], 0x8e);
}

/* AF_PACKET senders label a frame as they like: the header says one thing, the label another. */
static void encode_link_ethertype_of_its_own(void **state)
{
	struct packet packet = ip4(IPPROTO_UDP);
	struct packet_bytes bytes;

	packet.path = PACKET_FRAME;
	packet.link_ethertype = ETH_P_ARP;
	packet_encode(&packet, &bytes);
	assert_int_equal(bytes.link[12], 0x08);
	assert_int_equal(bytes.link[13], 0x06);
	assert_int_equal(bytes.data[0], 0x45);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(opening_is_syn_alone),
	    cmocka_unit_test(opening_is_tcp_and_no_fragment),
	    cmocka_unit_test(ports_are_of_five_protocols),
	    cmocka_unit_test(protocol_names),
	    cmocka_unit_test(address4_is_network_order_in_the_first_four),
	    cmocka_unit_test(address_parse_tells_the_family),
	    cmocka_unit_test(address_parse_refuses_the_rest_untouched),
	    cmocka_unit_test(address_print_and_parse_agree),
	    cmocka_unit_test(print_tcp),
	    cmocka_unit_test(print_uid_zero_is_an_owner),
	    cmocka_unit_test(print_other_protocols),
	    cmocka_unit_test(print_ip6),
	    cmocka_unit_test(print_frames),
	    cmocka_unit_test(print_respects_the_cap),
	    cmocka_unit_test(encode_tcp4),
	    cmocka_unit_test(encode_udp4),
	    cmocka_unit_test(encode_sctp4),
	    cmocka_unit_test(encode_icmp4),
	    cmocka_unit_test(encode_gre4),
	    cmocka_unit_test(encode_fragment4),
	    cmocka_unit_test(encode_options4),
	    cmocka_unit_test(encode_most_options4),
	    cmocka_unit_test(encode_options6),
	    cmocka_unit_test(encode_tcp6),
	    cmocka_unit_test(encode_icmp6),
	    cmocka_unit_test(encode_fragment6),
	    cmocka_unit_test(encode_arp),
	    cmocka_unit_test(encode_other_ethertypes),
	    cmocka_unit_test(encode_link_ethertype_of_its_own),
	};

	return cmocka_run_group_tests_name("packet", tests, NULL, NULL);
}

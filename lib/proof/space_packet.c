/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One packet: as values of all variables, and as struct packet. */
#include "space.h"

#include <assert.h>
#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <string.h>

#include <base/cleanup.h>

#define IPV4_HEADER     20
#define IPV4_WORDS      5 /* of a header without options */
#define IPV4_WORDS_MAX  15
#define IPV4_OFFSET     0x1fff /* in the word of flags and offset */
#define ETHER_ADDRESSES 12

static void set_bit(uint64_t *values, unsigned variable, bool value)
{
	uint64_t mask = (uint64_t)1 << variable % 64;

	values[variable / 64] =
	    value ? values[variable / 64] | mask : values[variable / 64] & ~mask;
}

static bool get_bit(const uint64_t *values, unsigned variable)
{
	return values[variable / 64] >> variable % 64 & 1;
}

void space_set(uint64_t *values, enum space_field field, uint64_t value)
{
	unsigned bits[SPACE_BITS_MAX], width = space_bits(field, bits);

	assert(width <= 64 && (width == 64 || value >> width == 0));
	for (unsigned i = 0; i < width; i++)
		set_bit(values, bits[i], value >> (width - 1 - i) & 1);
}

uint64_t space_get(const uint64_t *values, enum space_field field)
{
	unsigned bits[SPACE_BITS_MAX], width = space_bits(field, bits);
	uint64_t value = 0;

	assert(width <= 64);
	for (unsigned i = 0; i < width; i++)
		value = value << 1 | get_bit(values, bits[i]);
	return value;
}

typedef unsigned bit_fn(unsigned at, unsigned bit);

static uint8_t get_byte(const uint64_t *values, bit_fn *bit_of, unsigned at)
{
	uint8_t byte = 0;

	for (unsigned i = 0; i < 8; i++)
		byte = (uint8_t)(byte << 1 | get_bit(values, bit_of(at, i)));
	return byte;
}

static void set_bytes(uint64_t *values, bit_fn *bit_of, unsigned at, const void *bytes,
		      unsigned count)
{
	const uint8_t *from = bytes;

	for (unsigned i = 0; i < 8 * count; i++)
		set_bit(values, bit_of(at + i / 8, i % 8), from[i / 8] >> (7 - i % 8) & 1);
}

static unsigned name_bit(unsigned at, unsigned bit)
{
	return space_first(SPACE_DEVICE_NAME) + 8 * at + bit;
}

uint8_t space_network_byte(const uint64_t *values, unsigned at)
{
	return get_byte(values, space_network_bit, at);
}

uint8_t space_transport_byte(const uint64_t *values, unsigned at)
{
	return get_byte(values, space_transport_bit, at);
}

/* ---- from a packet. ---- */

/* The kernel walks on from these, so none of them is ever the upper protocol. */
static bool is_extension_header(uint8_t protocol)
{
	return protocol == IPPROTO_HOPOPTS || protocol == IPPROTO_ROUTING ||
	       protocol == IPPROTO_FRAGMENT || protocol == IPPROTO_AH ||
	       protocol == IPPROTO_DSTOPTS;
}

static bool is_ip(const struct packet *packet)
{
	return packet->ethertype == ETH_P_IP || packet->ethertype == ETH_P_IPV6;
}

static void set_device(uint64_t *values, bool loopback)
{
	static const char names[2][16] = {"eth0", "lo"};

	space_set(values, SPACE_LOOPBACK, loopback);
	space_set(values, SPACE_DEVICE_TYPE, loopback ? ARPHRD_LOOPBACK : ARPHRD_ETHER);
	space_set(values, SPACE_DEVICE_INDEX, loopback ? 1 : 2);
	set_bytes(values, name_bit, 0, names[loopback], sizeof(names[loopback]));
}

/* What the kernel knows beside the bytes. Fields that a path does not have are 0 there, as in
 * space_universe(). */
static void set_circumstances(const struct packet *packet, uint64_t *values)
{
	bool out = packet->path == PACKET_OUTPUT || packet->path == PACKET_FRAME;
	bool in = packet->path == PACKET_INPUT, owned = out && packet->owned, routed = true;

	if (packet->path == PACKET_FRAME)
		routed = packet->routed;
	if (in)
		routed = packet->loopback;
	space_set(values, SPACE_OWNED, owned);
	space_set(values, SPACE_UID, owned ? packet->uid : 0);
	space_set(values, SPACE_ROUTED, routed);
	space_set(values, SPACE_SOCKET, in ? packet->socket : PACKET_SOCKET_NONE);
	space_set(values, SPACE_EXPECTED, in && packet->expected);
}

static void set_link(const struct packet *packet, const struct packet_bytes *bytes,
		     uint64_t *values)
{
	static const uint8_t none[SPACE_LINK_BYTES];

	if (packet->path == PACKET_OUTPUT)
		set_bytes(values, space_link_bit, 0, none, SPACE_LINK_BYTES);
	else
		set_bytes(values, space_link_bit, ETHER_ADDRESSES, bytes->link + ETHER_ADDRESSES,
			  SPACE_LINK_BYTES - ETHER_ADDRESSES);
}

/* Does the kernel know the upper protocol? */
static bool is_valid(const struct packet *packet)
{
	return packet->ethertype == ETH_P_IP ||
	       (packet->ethertype == ETH_P_IPV6 && !is_extension_header(packet->protocol));
}

static void set_network(const struct packet *packet, const struct packet_bytes *bytes,
			uint64_t *values)
{
	unsigned len = packet->ethertype == ETH_P_IP ? IPV4_HEADER : bytes->len;
	uint8_t next = IPPROTO_DSTOPTS;

	/* What is behind an IPv4 header is no part of it. */
	if (len > SPACE_NETWORK_BYTES)
		len = SPACE_NETWORK_BYTES;
	set_bytes(values, space_network_bit, 0, bytes->data, len);
	/* A fragment behind options: its bytes have room for the fragment header only. */
	if (packet->ethertype == ETH_P_IPV6 && packet->options)
		set_bytes(values, space_network_bit, 6, &next, sizeof(next));
}

static void set_transport(const struct packet *packet, const struct packet_bytes *bytes,
			  uint64_t *values)
{
	unsigned at = bytes->transport_offset, len = at ? bytes->len - at : 8;

	/* A later fragment goes on with payload. */
	space_set(values, SPACE_TRANSPORT_LEN, len);
	if (at)
		set_bytes(values, space_transport_bit, 0, bytes->data + at, len);
}

void space_from_packet(const struct packet *packet, uint64_t *values)
{
	bool valid = is_valid(packet), later6;
	bool stack = packet->path != PACKET_FRAME || packet->routed;
	struct packet_bytes bytes;

	packet_encode(packet, &bytes);
	set_device(values, packet->loopback);
	set_circumstances(packet, values);
	space_set(values, SPACE_ETHERTYPE, packet->ethertype);
	set_link(packet, &bytes, values);
	later6 = valid && packet->ethertype == ETH_P_IPV6 && packet->fragment;
	space_set(values, SPACE_VALID, valid);
	space_set(values, SPACE_PROTOCOL, valid ? packet->protocol : 0);
	space_set(values, SPACE_LATER_FRAGMENT6, later6);
	/* A header that is valid, or has come through the IP stack, is whole: see space_universe().
	 */
	space_set(values, SPACE_NETWORK_LEN,
		  valid || stack || bytes.len > SPACE_LEN_MAX ? SPACE_LEN_MAX : bytes.len);
	set_network(packet, &bytes, values);
	if (valid)
		set_transport(packet, &bytes, values);
	else
		space_set(values, SPACE_TRANSPORT_LEN, 0);
}

/* ---- to a packet. ---- */

static void get_network4(const uint64_t *values, struct packet *packet)
{
	unsigned words = (unsigned)space_get(values, SPACE_VERSION_IHL) & 0xf;

	static_assert(IPV4_WORDS_MAX - IPV4_WORDS == 10, "words of options");
	if (words > IPV4_WORDS)
		packet->options = (uint8_t)(words - IPV4_WORDS);
	packet->fragment = space_get(values, SPACE_FRAGMENT4) & IPV4_OFFSET;
	packet->protocol = space_network_byte(values, 9);
	for (unsigned i = 0; i < 4; i++) {
		packet->source.bytes[i] = space_network_byte(values, 12 + i);
		packet->destination.bytes[i] = space_network_byte(values, 16 + i);
	}
}

static void get_network6(const uint64_t *values, bool valid, struct packet *packet)
{
	uint8_t next = space_network_byte(values, 6);

	packet->fragment = space_get(values, SPACE_LATER_FRAGMENT6);
	/* If the walk has failed, a header that can be no upper protocol is all there is. */
	packet->protocol = valid ? (uint8_t)space_get(values, SPACE_PROTOCOL) : next;
	/* A fragment needs a fragment header; another one is what comes before it. */
	if (valid && is_extension_header(next))
		packet->options = !(packet->fragment && next == IPPROTO_FRAGMENT);
	for (unsigned i = 0; i < 16; i++) {
		packet->source.bytes[i] = space_network_byte(values, 8 + i);
		packet->destination.bytes[i] = space_network_byte(values, 24 + i);
	}
}

static void get_transport(const uint64_t *values, struct packet *packet)
{
	if (packet->protocol == IPPROTO_ICMP || packet->protocol == IPPROTO_ICMPV6) {
		packet->icmp_type = space_transport_byte(values, 0);
		packet->icmp_code = space_transport_byte(values, 1);
		packet->icmp_id = (uint16_t)space_get(values, SPACE_ICMP_ID);
	}
	if (packet_has_ports(packet->protocol)) {
		packet->source_port = (uint16_t)space_get(values, SPACE_SOURCE_PORT);
		packet->destination_port = (uint16_t)space_get(values, SPACE_DESTINATION_PORT);
	}
	if (packet->protocol == IPPROTO_TCP)
		packet->tcp_flags = (uint8_t)space_get(values, SPACE_FLAGS);
}

static void get_arp(const uint64_t *values, struct packet *packet)
{
	static const uint8_t plain[] = {0, 1, 8, 0, 6, 4};

	packet->arp_plain = true;
	for (unsigned i = 0; i < ARRAY_SIZE(plain); i++)
		packet->arp_plain &= space_network_byte(values, i) == plain[i];
	packet->arp_operation = (uint16_t)space_get(values, SPACE_FRAGMENT4);
}

static void get_circumstances(const uint64_t *values, struct packet *packet)
{
	uint16_t type = (uint16_t)space_get(values, SPACE_DEVICE_TYPE);
	uint16_t link = (uint16_t)space_get(values, SPACE_LINK_ETHERTYPE);
	bool bare = type == ARPHRD_PPP || type == ARPHRD_RAWIP || type == ARPHRD_NONE;

	if (packet->path == PACKET_FRAME && !bare && link != packet->ethertype)
		packet->link_ethertype = link;
	switch (packet->path) {
	case PACKET_OUTPUT:
	case PACKET_FRAME:
		packet->owned = space_get(values, SPACE_OWNED);
		packet->uid = packet->owned ? (uint32_t)space_get(values, SPACE_UID) : 0;
		packet->routed = space_get(values, SPACE_ROUTED);
		break;
	case PACKET_INPUT:
		packet->socket = (enum packet_socket)space_get(values, SPACE_SOCKET);
		packet->expected = space_get(values, SPACE_EXPECTED);
		break;
	case PACKET_FORWARD:
		break;
	}
}

struct packet space_packet(enum packet_path path, const uint64_t *values)
{
	bool valid = space_get(values, SPACE_VALID);
	struct packet packet = {
	    .path = path,
	    .loopback = space_get(values, SPACE_LOOPBACK),
	    .ethertype = (uint16_t)space_get(values, SPACE_ETHERTYPE),
	};

	get_circumstances(values, &packet);
	if (packet.ethertype == ETH_P_IP)
		get_network4(values, &packet);
	else if (packet.ethertype == ETH_P_IPV6)
		get_network6(values, valid, &packet);
	else if (packet.ethertype == ETH_P_ARP)
		get_arp(values, &packet);
	if (is_ip(&packet) && valid && !packet.fragment)
		get_transport(values, &packet);
	return packet;
}

/* ---- what one would like to see. ---- */

void space_wishes(enum packet_path path, uint64_t values[static DIAGRAM_VARIABLES / 64])
{
	bool arrives = path == PACKET_INPUT;
	struct packet packet = {
	    .path = path,
	    .ethertype = ETH_P_IP,
	    .owned = path == PACKET_OUTPUT || path == PACKET_FRAME,
	    .uid = 1000,
	    .routed = true,
	    .protocol = IPPROTO_TCP,
	    .source = packet_address4(arrives ? 0xc6336450 : 0xc0a80102),
	    .destination = packet_address4(arrives ? 0xc0a80102 : 0xc6336450),
	    .source_port = arrives ? 443 : 40000,
	    .destination_port = arrives ? 40000 : 443,
	    .tcp_flags = PACKET_TCP_SYN,
	};

	memset(values, 0, DIAGRAM_VARIABLES / 8);
	space_from_packet(&packet, values);
	space_set(values, SPACE_CONNECTION, SPACE_NEW);
}

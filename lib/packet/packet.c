/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "packet.h"

#include <arpa/inet.h>
#include <assert.h>
#include <linux/if_ether.h>
#include <string.h>

#define IP_OPTION_NONE 1 /* "no operation" */
#define IP_OPTIONS_MAX 10 /* words; more do not fit into the header's length */

#ifndef IPPROTO_DCCP
#define IPPROTO_DCCP 33
#endif

bool packet_is_opening(const struct packet *packet)
{
	return packet->protocol == IPPROTO_TCP && !packet->fragment &&
	       (packet->tcp_flags & PACKET_TCP_OPENING_MASK) == PACKET_TCP_SYN;
}

bool packet_has_ports(uint8_t protocol)
{
	switch (protocol) {
	case IPPROTO_TCP:
	case IPPROTO_UDP:
	case IPPROTO_UDPLITE:
	case IPPROTO_SCTP:
	case IPPROTO_DCCP:
		return true;
	default:
		return false;
	}
}

struct packet_address packet_address4(uint32_t host_order)
{
	struct packet_address address = { 0 };
	uint32_t net = htonl(host_order);

	memcpy(address.bytes, &net, sizeof(net));
	return address;
}

uint32_t packet_address_to4(const struct packet_address *address)
{
	uint32_t net;

	memcpy(&net, address->bytes, sizeof(net));
	return ntohl(net);
}

int packet_address_parse(const char *text, struct packet_address *ret_address, bool *ret_ipv6)
{
	struct packet_address address = { 0 };
	bool ipv6 = strchr(text, ':') != NULL;

	if (inet_pton(ipv6 ? AF_INET6 : AF_INET, text, address.bytes) != 1)
		return -EINVAL;
	*ret_address = address;
	*ret_ipv6 = ipv6;
	return 0;
}

void packet_address_print(const struct packet_address *address, bool ipv6, struct buf *out)
{
	char text[INET6_ADDRSTRLEN];

	inet_ntop(ipv6 ? AF_INET6 : AF_INET, address->bytes, text, sizeof(text));
	buf_puts(out, text);
}

const char *packet_protocol_name(uint8_t protocol)
{
	static const struct {
		uint8_t protocol;
		const char *name;
	} names[] = {
		{ IPPROTO_ICMP, "icmp" },     { IPPROTO_IGMP, "igmp" },
		{ IPPROTO_TCP, "tcp" },	      { IPPROTO_UDP, "udp" },
		{ IPPROTO_DCCP, "dccp" },     { IPPROTO_IPV6, "ipv6" },
		{ IPPROTO_GRE, "gre" },	      { IPPROTO_ESP, "esp" },
		{ IPPROTO_AH, "ah" },	      { IPPROTO_ICMPV6, "icmpv6" },
		{ IPPROTO_SCTP, "sctp" },     { IPPROTO_UDPLITE, "udplite" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (names[i].protocol == protocol)
			return names[i].name;
	return NULL;
}

static void print_tcp_flags(uint8_t flags, struct buf *out)
{
	static const struct {
		uint8_t bit;
		const char *name;
	} names[] = {
		{ PACKET_TCP_SYN, "syn" }, { PACKET_TCP_ACK, "ack" },
		{ PACKET_TCP_FIN, "fin" }, { PACKET_TCP_RST, "rst" },
	};
	bool any = false;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (!(flags & names[i].bit))
			continue;
		buf_printf(out, "%s%s", any ? "," : " ", names[i].name);
		any = true;
	}
	if (!any)
		buf_puts(out, " no-flags");
}

static void print_ip(const struct packet *packet, struct buf *out)
{
	bool ipv6 = packet->ethertype == ETH_P_IPV6;
	bool ports = packet_has_ports(packet->protocol) && !packet->fragment;
	const char *name = packet_protocol_name(packet->protocol);

	if (name)
		buf_puts(out, name);
	else
		buf_printf(out, "protocol %u", packet->protocol);
	if (packet->options)
		buf_puts(out, ipv6 ? " after extension headers" : " with IP options");
	if (packet->fragment)
		buf_puts(out, " fragment");
	else if (packet->protocol == IPPROTO_TCP)
		print_tcp_flags(packet->tcp_flags, out);
	else if (packet->protocol == IPPROTO_ICMP || packet->protocol == IPPROTO_ICMPV6)
		buf_printf(out, " type %u", packet->icmp_type);
	buf_puts(out, ipv6 && ports ? " [" : " ");
	packet_address_print(&packet->source, ipv6, out);
	if (ports)
		buf_printf(out, "%s:%u", ipv6 ? "]" : "", packet->source_port);
	buf_puts(out, ipv6 && ports ? " -> [" : " -> ");
	packet_address_print(&packet->destination, ipv6, out);
	if (ports)
		buf_printf(out, "%s:%u", ipv6 ? "]" : "", packet->destination_port);
}

void packet_print(const struct packet *packet, struct buf *out)
{
	static const char *const paths[] = { "nowhere", "output", "frame", "input", "forward" };

	if (packet->ethertype == ETH_P_IP || packet->ethertype == ETH_P_IPV6)
		print_ip(packet, out);
	else if (packet->ethertype == ETH_P_ARP)
		buf_printf(out, "arp operation %u%s", packet->arp_operation,
			   packet->arp_plain ? "" : " of unusual shape");
	else
		buf_printf(out, "ethertype 0x%04x", packet->ethertype);
	if (packet->path != PACKET_INPUT && packet->path != PACKET_FORWARD) {
		if (packet->owned)
			buf_printf(out, " by uid %u", packet->uid);
		else
			buf_puts(out, " without owner");
	}
	buf_printf(out, ", %s%s", paths[packet->path], packet->loopback ? " on lo" : "");
	if (packet->path == PACKET_FRAME && !packet->routed)
		buf_puts(out, ", unrouted");
	if (packet->link_ethertype && packet->link_ethertype != packet->ethertype)
		buf_printf(out, ", labelled but framed as 0x%04x", packet->link_ethertype);
	if (packet->expected)
		buf_puts(out, ", expected");
}

static void put16(uint8_t *at, uint16_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static uint16_t encode_transport(const struct packet *packet, uint8_t *at)
{
	if (packet->protocol == IPPROTO_ICMP || packet->protocol == IPPROTO_ICMPV6) {
		at[0] = packet->icmp_type;
		at[1] = packet->icmp_code;
		put16(at + 4, packet->icmp_id);
		return 8;
	}
	if (!packet_has_ports(packet->protocol))
		return 8;
	put16(at, packet->source_port);
	put16(at + 2, packet->destination_port);
	if (packet->protocol == IPPROTO_TCP) {
		at[12] = 5 << 4;
		at[13] = packet->tcp_flags;
		return 20;
	}
	if (packet->protocol == IPPROTO_UDP)
		put16(at + 4, 8);
	return packet->protocol == IPPROTO_UDP || packet->protocol == IPPROTO_UDPLITE ? 8 : 12;
}

static void encode_ip4(const struct packet *packet, struct packet_bytes *bytes)
{
	uint16_t header = (uint16_t)(20 + 4 * packet->options);

	assert(packet->options <= IP_OPTIONS_MAX);
	bytes->data[0] = (uint8_t)(0x40 | header / 4);
	memset(bytes->data + 20, IP_OPTION_NONE, header - 20u);
	if (packet->fragment) {
		put16(bytes->data + 6, 185);
		bytes->len = (uint16_t)(header + 8);
	} else {
		bytes->transport_offset = header;
		bytes->len = (uint16_t)(header + encode_transport(packet, bytes->data + header));
	}
	put16(bytes->data + 2, bytes->len);
	bytes->data[8] = 64;
	bytes->data[9] = packet->protocol;
	memcpy(bytes->data + 12, packet->source.bytes, 4);
	memcpy(bytes->data + 16, packet->destination.bytes, 4);
}

static void encode_ip6(const struct packet *packet, struct packet_bytes *bytes)
{
	uint16_t header = 40;

	bytes->data[0] = 0x60;
	bytes->data[6] = packet->protocol;
	bytes->data[7] = 64;
	memcpy(bytes->data + 8, packet->source.bytes, 16);
	memcpy(bytes->data + 24, packet->destination.bytes, 16);
	if (packet->fragment) {
		bytes->data[6] = IPPROTO_FRAGMENT;
		bytes->data[40] = packet->protocol;
		put16(bytes->data + 42, 185 << 3);
		bytes->len = 56;
	} else {
		if (packet->options) {
			bytes->data[6] = IPPROTO_DSTOPTS;
			bytes->data[header] = packet->protocol;
			header = 48;
		}
		bytes->transport_offset = header;
		bytes->len = (uint16_t)(header + encode_transport(packet, bytes->data + header));
	}
	put16(bytes->data + 4, (uint16_t)(bytes->len - 40));
}

static void encode_arp(const struct packet *packet, struct packet_bytes *bytes)
{
	put16(bytes->data, packet->arp_plain ? 1 : 6);
	put16(bytes->data + 2, ETH_P_IP);
	bytes->data[4] = 6;
	bytes->data[5] = 4;
	put16(bytes->data + 6, packet->arp_operation);
	bytes->len = 28;
}

void packet_encode(const struct packet *packet, struct packet_bytes *ret_bytes)
{
	memset(ret_bytes, 0, sizeof(*ret_bytes));
	put16(ret_bytes->link + 12,
	      packet->link_ethertype ? packet->link_ethertype : packet->ethertype);
	if (packet->ethertype == ETH_P_IP)
		encode_ip4(packet, ret_bytes);
	else if (packet->ethertype == ETH_P_IPV6)
		encode_ip6(packet, ret_bytes);
	else if (packet->ethertype == ETH_P_ARP)
		encode_arp(packet, ret_bytes);
	else
		ret_bytes->len = 46;
}

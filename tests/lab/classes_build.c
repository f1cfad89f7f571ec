/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Real packets of specimens, and finding out of a packet which specimen it is or answers. */
#include "classes.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <string.h>

#define TRAILER_LEN 8
#define IP4_LEN     20
#define IP6_LEN     40
#ifndef IPPROTO_DCCP
#define IPPROTO_DCCP 33
#endif
/* A reset acknowledges what it answers: its sequence number and at most two (SYN, FIN) and the
 * trailer. So numbers lie 16 apart. */
#define SEQUENCE_BASE 0x40000000u
#define SEQUENCE_STEP 16u
#define SEQUENCE_END  0x80000000u
/* The longest ICMP message that is a specimen, from the ICMP header on. */
#define ICMP_OWN_LEN (8 + TRAILER_LEN)

/* Where the kernel takes these bytes for an IPv6 extension header, it is one that reaches beyond
 * the packet: a chain of such headers must not end in some protocol. */
static const uint8_t magic[4] = {0x00, 0xff, 0xd1, 0xc7};

static void put16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static void put32(uint8_t *at, uint32_t value)
{
	put16(at, value >> 16);
	put16(at + 2, value & 0xffff);
}

static uint32_t get32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static uint32_t sum(const uint8_t *data, size_t len, uint32_t start)
{
	for (size_t i = 0; i < len; i++)
		start += i % 2 ? data[i] : (uint32_t)data[i] << 8;
	return start;
}

static uint16_t fold(uint32_t value)
{
	while (value >> 16)
		value = (value & 0xffff) + (value >> 16);
	return (uint16_t)~value;
}

/* Where a protocol keeps its checksum. Those that have none here get one all the same, because the
 * kernel answers nothing whose sum is wrong, and takes every protocol but a few (of which DCCP is
 * none since Linux 6.16) for one that has its sum over all of its bytes. Negative: none. */
static int checksum_at(const struct packet *packet)
{
	switch (packet->protocol) {
	case IPPROTO_TCP:
		return 16;
	case IPPROTO_UDP:
	case IPPROTO_DCCP:
		return 6;
	case IPPROTO_UDPLITE:
	case IPPROTO_SCTP:
		return -1;
	case IPPROTO_HOPOPTS:
	case IPPROTO_AH:
		return packet->ethertype == ETH_P_IPV6 ? -1 : 2; /* else these are options */
	default:
		return 2;
	}
}

/* Of the pseudo header, which the kernel adds for TCP and UDP in IPv4, and always in IPv6. */
static uint32_t pseudo_sum(const struct packet *packet, size_t len)
{
	bool ipv6 = packet->ethertype == ETH_P_IPV6;
	size_t address = ipv6 ? 16 : 4;
	uint32_t start = 0;

	if (!ipv6 && packet->protocol != IPPROTO_TCP && packet->protocol != IPPROTO_UDP)
		return 0;
	start = sum(packet->source.bytes, address, start);
	start = sum(packet->destination.bytes, address, start);
	return start + packet->protocol + (uint32_t)len;
}

static void finish_transport(const struct packet *packet, uint8_t *at, size_t len, uint32_t number)
{
	int place = checksum_at(packet);
	uint16_t check;

	if (packet->protocol == IPPROTO_TCP) {
		put32(at + 4, SEQUENCE_BASE + number * SEQUENCE_STEP);
		put32(at + 8, SEQUENCE_BASE + number * SEQUENCE_STEP);
		put16(at + 14, 1024);
	} else if (packet->protocol == IPPROTO_UDP) {
		put16(at + 4, (uint32_t)len);
	}
	if (place < 0)
		return;
	put16(at + place, 0);
	check = fold(sum(at, len, pseudo_sum(packet, len)));
	put16(at + place, check ? check : 0xffff);
}

void built_make(struct built *built, const struct packet *packet, uint32_t number)
{
	uint8_t *data = built->bytes + BUILT_LINK;
	struct packet_bytes bytes;

	packet_encode(packet, &bytes);
	memcpy(built->bytes, bytes.link, BUILT_LINK);
	memcpy(data, bytes.data, bytes.len);
	memcpy(data + bytes.len, magic, sizeof(magic));
	put32(data + bytes.len + sizeof(magic), number);
	built->len = bytes.len + (size_t)TRAILER_LEN;
	if (packet->ethertype == ETH_P_IP)
		put16(data + 2, (uint32_t)built->len);
	else if (packet->ethertype == ETH_P_IPV6)
		put16(data + 4, (uint32_t)built->len - IP6_LEN);
	else
		return;
	if (bytes.transport_offset)
		finish_transport(packet, data + bytes.transport_offset,
				 built->len - bytes.transport_offset, number);
	if (packet->ethertype == ETH_P_IP) {
		put16(data + 4, 1); /* an identification, so that the kernel needs not choose one */
		put16(data + 10, fold(sum(data, 4u * (data[0] & 15u), 0)));
	}
}

static uint32_t number_of_sequence(uint32_t sequence)
{
	if (sequence < SEQUENCE_BASE || sequence >= SEQUENCE_END)
		return CLASSES_NO_NUMBER;
	return (sequence - SEQUENCE_BASE) / SEQUENCE_STEP;
}

/* A reset without a trailer is the kernel's. It has the number that it answers in its own sequence
 * number, or acknowledges it. */
static uint32_t number_of_reset(const uint8_t *tcp, size_t len)
{
	if (len < 20 || !(tcp[13] & PACKET_TCP_RST))
		return CLASSES_NO_NUMBER;
	return number_of_sequence(get32(tcp + (tcp[13] & PACKET_TCP_ACK ? 8 : 4)));
}

/* Does the kernel report an error here, in a message that holds the whole packet? */
static bool is_report(uint8_t protocol, size_t len)
{
	return (protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6) && len > ICMP_OWN_LEN;
}

static bool has_trailer(const uint8_t *data, size_t len)
{
	return len >= TRAILER_LEN && memcmp(data + len - TRAILER_LEN, magic, sizeof(magic)) == 0;
}

uint32_t built_number(const uint8_t *data, size_t len, bool ip, uint32_t *ret_answer)
{
	size_t header = 0;
	uint8_t protocol = 0;

	*ret_answer = 0;
	if (ip && len >= IP4_LEN && data[0] >> 4 == 4) {
		header = 4u * (data[0] & 15u);
		protocol = data[9];
	} else if (ip && len >= IP6_LEN) {
		header = IP6_LEN;
		protocol = data[6];
	}
	if (header > len)
		return CLASSES_NO_NUMBER;
	if (has_trailer(data, len)) {
		if (is_report(protocol, len - header))
			*ret_answer = SIGHT_ERROR;
		return get32(data + len - 4);
	}
	if (protocol != IPPROTO_TCP)
		return CLASSES_NO_NUMBER;
	*ret_answer = SIGHT_RESET;
	return number_of_reset(data + header, len - header);
}

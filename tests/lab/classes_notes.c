/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Packets that are nobody's specimens, but made by the kernel or by a program's connection: read
 * from what was logged, judged as the class they belong to.
 */
#include "classes.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <string.h>

#define NOTES_MAX (1u << 20)
#define IP4_LEN   20u
#define IP6_LEN   40u
#define ARP_LEN   8u

static uint16_t get16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static void read_transport(struct packet *packet, const uint8_t *at, size_t len)
{
	if (packet->fragment || len < 4)
		return;
	if (packet_has_ports(packet->protocol)) {
		packet->source_port = get16(at);
		packet->destination_port = get16(at + 2);
	}
	if (packet->protocol == IPPROTO_TCP && len >= 14)
		packet->tcp_flags = at[13] & PACKET_TCP_OPENING_MASK;
	if (packet->protocol == IPPROTO_ICMP || packet->protocol == IPPROTO_ICMPV6) {
		packet->icmp_type = at[0];
		packet->icmp_code = at[1];
	}
}

static bool read_ip4(struct packet *packet, const uint8_t *data, size_t len)
{
	size_t header = len >= IP4_LEN ? 4u * (data[0] & 15u) : 0;

	if (header < IP4_LEN || header > len)
		return false;
	packet->ethertype = ETH_P_IP;
	packet->options = (uint8_t)((header - IP4_LEN) / 4);
	packet->fragment = (get16(data + 6) & 0x1fff) != 0;
	packet->protocol = data[9];
	memcpy(packet->source.bytes, data + 12, 4);
	memcpy(packet->destination.bytes, data + 16, 4);
	read_transport(packet, data + header, len - header);
	return true;
}

/* With one extension header at most: what the kernel makes itself has no more. */
static bool read_ip6(struct packet *packet, const uint8_t *data, size_t len)
{
	size_t header = IP6_LEN;

	if (len < IP6_LEN)
		return false;
	packet->ethertype = ETH_P_IPV6;
	packet->protocol = data[6];
	memcpy(packet->source.bytes, data + 8, 16);
	memcpy(packet->destination.bytes, data + 24, 16);
	if (packet->protocol == IPPROTO_HOPOPTS && len >= header + 8) {
		packet->options = 1;
		packet->protocol = data[header];
		header += 8u * (data[header + 1] + 1u);
		if (header > len)
			return false;
	}
	read_transport(packet, data + header, len - header);
	return true;
}

static bool read_arp(struct packet *packet, const uint8_t *data, size_t len)
{
	static const uint8_t shape[] = {0x00, 0x01, 0x08, 0x00, 6, 4};

	if (len < ARP_LEN)
		return false;
	packet->ethertype = ETH_P_ARP;
	packet->arp_plain = memcmp(data, shape, sizeof(shape)) == 0;
	packet->arp_operation = get16(data + 6);
	return true;
}

bool note_read(struct packet *packet, const uint8_t *data, size_t len)
{
	if (packet->path == PACKET_FRAME) {
		uint16_t ethertype = len >= BUILT_LINK ? get16(data + 12) : 0;

		if (ethertype == ETH_P_ARP)
			return read_arp(packet, data + BUILT_LINK, len - BUILT_LINK);
		/* What the kernel sends of IP has a route. */
		packet->routed = true;
		if (ethertype == ETH_P_IP)
			return read_ip4(packet, data + BUILT_LINK, len - BUILT_LINK);
		if (ethertype == ETH_P_IPV6)
			return read_ip6(packet, data + BUILT_LINK, len - BUILT_LINK);
		return false;
	}
	packet->routed = true;
	if (len > 0 && data[0] >> 4 == 4)
		return read_ip4(packet, data, len);
	return read_ip6(packet, data, len);
}

int note_add(struct notes *notes, const struct packet *packet, bool after)
{
	if (notes->count == NOTES_MAX)
		return -E2BIG;
	if (notes->count == notes->room) {
		size_t room = notes->room ? notes->room * 2 : 1024;
		struct note *more = reallocarray(notes->notes, room, sizeof(*more));

		if (!more)
			return -ENOMEM;
		notes->notes = more;
		notes->room = room;
	}
	notes->notes[notes->count++] = (struct note){
	    .packet = *packet,
	    .before = !after,
	    .after = after,
	};
	return 0;
}

/* Everything that note_read() fills, but the addresses. */
static void numbers_of(const struct packet *packet, uint64_t numbers[static 3])
{
	numbers[0] = (uint64_t)packet->path << 48 | (uint64_t)packet->loopback << 40 |
		     (uint64_t)packet->owned << 32 | packet->uid;
	numbers[1] = (uint64_t)packet->ethertype << 48 | (uint64_t)packet->protocol << 40 |
		     (uint64_t)packet->options << 32 | (uint64_t)packet->tcp_flags << 24 |
		     (uint64_t)packet->icmp_type << 16 | (uint64_t)packet->icmp_code << 8 |
		     (uint64_t)packet->fragment << 2 | (uint64_t)packet->routed << 1 |
		     packet->arp_plain;
	numbers[2] = (uint64_t)packet->source_port << 32 |
		     (uint64_t)packet->destination_port << 16 | packet->arp_operation;
}

static int compare(const void *a, const void *b)
{
	const struct note *x = a, *y = b;
	uint64_t left[3], right[3];
	int r;

	numbers_of(&x->packet, left);
	numbers_of(&y->packet, right);
	r = memcmp(left, right, sizeof(left));
	if (r == 0)
		r = memcmp(&x->packet.source, &y->packet.source, sizeof(x->packet.source));
	if (r == 0)
		r = memcmp(&x->packet.destination, &y->packet.destination,
			   sizeof(x->packet.destination));
	return r;
}

void notes_merge(struct notes *notes)
{
	size_t kept = 0;

	if (notes->count == 0)
		return;
	qsort(notes->notes, notes->count, sizeof(*notes->notes), compare);
	for (size_t i = 1; i < notes->count; i++) {
		if (compare(&notes->notes[kept], &notes->notes[i]) == 0) {
			notes->notes[kept].before += notes->notes[i].before;
			notes->notes[kept].after += notes->notes[i].after;
		} else {
			notes->notes[++kept] = notes->notes[i];
		}
	}
	notes->count = kept + 1;
}

void note_print(const struct note *note, struct buf *out)
{
	const struct packet *packet = &note->packet;
	const char *name = packet_protocol_name(packet->protocol);
	static const char *const flags[] = {
	    "none", "fin", "syn", "fin,syn", "rst", "fin,rst", "syn,rst", "fin,syn,rst",
	};

	if (packet->ethertype == ETH_P_ARP)
		buf_printf(out, "arp %u", packet->arp_operation);
	else
		buf_printf(out, "%s%s", name ? name : "other",
			   packet->ethertype == ETH_P_IPV6 && packet->protocol == IPPROTO_TCP ? "6"
											      : "");
	if (packet->ethertype != ETH_P_ARP && packet->protocol == IPPROTO_TCP)
		buf_printf(out, " %s%s", flags[packet->tcp_flags & 7],
			   packet->tcp_flags & PACKET_TCP_ACK ? ",ack" : "");
	if (packet->protocol == IPPROTO_ICMP || packet->protocol == IPPROTO_ICMPV6)
		buf_printf(out, " type %u", packet->icmp_type);
	buf_printf(out, " %s, %s%s: %s", packet->owned ? "owned" : "unowned",
		   packet->path == PACKET_FRAME ? "frame" : "output",
		   packet->loopback ? " on lo" : "", note->after ? "passed" : "blocked");
}

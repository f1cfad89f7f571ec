/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What rules can read of a packet: its bytes, what the kernel knows beside them, its socket. */
#include "evaluation.h"

#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <linux/netfilter/nf_tables.h>
#include <netinet/in.h>
#include <string.h>

#define LOOPBACK_INDEX 1u
#define OTHER_INDEX    2u

#define ARP_FIXED_LEN 8 /* types, lengths, operation; the rest is addresses */

/* The kernel walks over IPv6's extension headers, so none of them is ever the upper protocol. */
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

static bool is_echo(const struct packet *packet)
{
	if (packet->ethertype == ETH_P_IP)
		return packet->icmp_type == 0 || packet->icmp_type == 8;
	return packet->icmp_type == 128 || packet->icmp_type == 129;
}

static void know(uint8_t *known, size_t from, size_t len)
{
	memset(known + from, 0xff, len);
}

static void know_transport(const struct packet *packet, uint8_t *known)
{
	if (packet->protocol == IPPROTO_ICMP || packet->protocol == IPPROTO_ICMPV6) {
		know(known, 0, 2);
		if (is_echo(packet))
			know(known, 4, 2);
		return;
	}
	if (packet_has_ports(packet->protocol))
		know(known, 0, 4);
	if (packet->protocol == IPPROTO_TCP)
		known[13] = PACKET_TCP_OPENING_MASK;
}

/* Which bits a packet's class determines. Sizes, times to live, checksums and MAC addresses differ
 * within a class. */
static void know_network(const struct evaluation *evaluation, uint8_t *known)
{
	const struct packet *packet = evaluation->packet;

	switch (packet->ethertype) {
	case ETH_P_IP:
		known[0] = 0xff;
		known[6] = 0x1f; /* the offset; its flags are open */
		know(known, 7, 1);
		know(known, 9, 1);
		know(known, 12, 8);
		break;
	case ETH_P_IPV6:
		known[0] = 0xf0;
		know(known, 6, 1);
		know(known, 8, 32);
		break;
	case ETH_P_ARP:
		know(known, 0, ARP_FIXED_LEN);
		break;
	default:
		break;
	}
	if (evaluation->has_protocol && evaluation->bytes.transport_offset)
		know_transport(packet, known + evaluation->bytes.transport_offset);
}

void fields_prepare(struct evaluation *evaluation)
{
	const struct packet *packet = evaluation->packet;

	packet_encode(packet, &evaluation->bytes);
	evaluation->has_protocol =
	    packet->ethertype == ETH_P_IP ||
	    (packet->ethertype == ETH_P_IPV6 && !is_extension_header(packet->protocol));
	memset(&evaluation->known, 0, sizeof(evaluation->known));
	know(evaluation->known.link, 12, 2);
	know_network(evaluation, evaluation->known.data);
}

static enum evaluation_step store(struct evaluation *evaluation, uint8_t reg, const void *data,
				  const void *known, size_t len)
{
	if (!registers_store(&evaluation->registers, reg, data, known, len))
		return evaluation_undecided(evaluation, "a value does not fit into the registers");
	return EVALUATION_NEXT;
}

static enum evaluation_step store_u8(struct evaluation *evaluation, uint8_t reg, uint8_t value)
{
	return store(evaluation, reg, &value, NULL, sizeof(value));
}

static enum evaluation_step store_u16(struct evaluation *evaluation, uint8_t reg, uint16_t value)
{
	return store(evaluation, reg, &value, NULL, sizeof(value));
}

static enum evaluation_step store_u32(struct evaluation *evaluation, uint8_t reg, uint32_t value)
{
	return store(evaluation, reg, &value, NULL, sizeof(value));
}

static bool arrives(enum evaluation_hook hook)
{
	return hook == EVALUATION_INGRESS || hook == EVALUATION_PREROUTING ||
	       hook == EVALUATION_INPUT || hook == EVALUATION_FORWARD;
}

static bool leaves(enum evaluation_hook hook)
{
	return hook == EVALUATION_FORWARD || hook == EVALUATION_OUTPUT ||
	       hook == EVALUATION_POSTROUTING || hook == EVALUATION_EGRESS;
}

/* Where there is no such device, the kernel gives index 0 and an empty name; only the type breaks
 * off the rule. */
static enum evaluation_step load_device(struct evaluation *evaluation, uint32_t key, uint8_t reg)
{
	bool in = key == NFT_META_IIF || key == NFT_META_IIFNAME || key == NFT_META_IIFTYPE;
	bool exists = in ? arrives(evaluation->hook) : leaves(evaluation->hook);
	bool loopback = evaluation->packet->loopback;
	char name[RULESET_DEVICE_MAX] = "";

	if (in && evaluation->hook == EVALUATION_POSTROUTING)
		return evaluation_undecided(evaluation, "an input device is asked at postrouting");
	if (key == NFT_META_IIFTYPE || key == NFT_META_OIFTYPE) {
		if (!exists)
			return EVALUATION_BREAK;
		return store_u16(evaluation, reg, loopback ? ARPHRD_LOOPBACK : ARPHRD_ETHER);
	}
	if (key == NFT_META_IIF || key == NFT_META_OIF) {
		uint32_t index = loopback ? LOOPBACK_INDEX : OTHER_INDEX;

		return store_u32(evaluation, reg, exists ? index : 0);
	}
	if (exists)
		snprintf(name, sizeof(name), "%s", loopback ? "lo" : RULESET_OTHER_DEVICE);
	return store(evaluation, reg, name, NULL, sizeof(name));
}

/* A number that the class does not determine. */
static enum evaluation_step store_open(struct evaluation *evaluation, uint8_t reg)
{
	static const uint8_t nothing[4];

	return store(evaluation, reg, nothing, nothing, sizeof(nothing));
}

static enum evaluation_step load_owner(struct evaluation *evaluation, uint32_t key, uint8_t reg)
{
	const struct packet *packet = evaluation->packet;

	/* From tproxy on, and after the early lookup that lies between prerouting and input, an
	 * arriving packet may belong to a socket. */
	if (evaluation->hook == EVALUATION_INPUT && packet->socket != PACKET_SOCKET_NONE)
		return evaluation_undecided(evaluation, "a socket's user is asked on input");
	if (evaluation->proxied)
		return evaluation_undecided(evaluation, "a proxy's user is asked on input");
	if (arrives(evaluation->hook) || !packet->owned)
		return EVALUATION_BREAK;
	return key == NFT_META_SKUID ? store_u32(evaluation, reg, packet->uid)
				     : store_open(evaluation, reg);
}

/* Has the packet a route? The loopback device hands it on with the packet. */
static bool has_route(const struct evaluation *evaluation)
{
	switch (evaluation->hook) {
	case EVALUATION_EGRESS:
		return evaluation->packet->routed;
	case EVALUATION_INGRESS:
	case EVALUATION_PREROUTING:
		return evaluation->packet->loopback;
	case EVALUATION_INPUT:
	case EVALUATION_FORWARD:
	case EVALUATION_OUTPUT:
	case EVALUATION_POSTROUTING:
		break;
	}
	return true;
}

enum evaluation_step fields_meta(struct evaluation *evaluation,
				 const struct ruleset_expression *expression)
{
	const struct packet *packet = evaluation->packet;
	uint8_t reg = expression->meta.reg;

	switch (expression->meta.key) {
	case NFT_META_NFPROTO:
		return store_u8(evaluation, reg, (uint8_t)evaluation->family);
	case NFT_META_L4PROTO:
		if (!evaluation->has_protocol)
			return EVALUATION_BREAK;
		return store_u8(evaluation, reg, packet->protocol);
	case NFT_META_PROTOCOL:
		return store_u16(evaluation, reg, htons(packet->ethertype));
	case NFT_META_IIF:
	case NFT_META_OIF:
	case NFT_META_IIFNAME:
	case NFT_META_OIFNAME:
	case NFT_META_IIFTYPE:
	case NFT_META_OIFTYPE:
		return load_device(evaluation, expression->meta.key, reg);
	case NFT_META_SKUID:
	case NFT_META_SKGID:
	case NFT_META_CGROUP:
		return load_owner(evaluation, expression->meta.key, reg);
	case NFT_META_RTCLASSID: /* the administrator's realm, if there is a route */
		return has_route(evaluation) ? store_open(evaluation, reg) : EVALUATION_BREAK;
	case NFT_META_MARK:
	case NFT_META_PRIORITY:
	case NFT_META_LEN:
	case NFT_META_CPU:
		return store_open(evaluation, reg);
	default:
		/* Other devices' properties, times: a packet's class says nothing about them. */
		return evaluation_undecided(evaluation, "a meta key that packets do not determine");
	}
}

enum evaluation_step fields_payload(struct evaluation *evaluation,
				    const struct ruleset_expression *expression)
{
	const uint8_t *data = evaluation->bytes.data, *known = evaluation->known.data;
	size_t room = is_ip(evaluation->packet) || evaluation->packet->ethertype == ETH_P_ARP
			  ? evaluation->bytes.len
			  : 0;
	size_t offset = expression->payload.offset, len = expression->payload.len;
	size_t transport = evaluation->bytes.transport_offset;

	switch (expression->payload.base) {
	case RULESET_LINK:
		if (evaluation->hook == EVALUATION_OUTPUT ||
		    evaluation->hook == EVALUATION_POSTROUTING)
			return evaluation_undecided(evaluation,
						    "a link header before there is one");
		data = evaluation->bytes.link;
		known = evaluation->known.link;
		room = sizeof(evaluation->bytes.link);
		break;
	case RULESET_NETWORK:
		break;
	case RULESET_TRANSPORT:
		/* Seen on Linux 6.18: the kernel reads a later fragment's payload for a transport
		 * header, from its fast path. */
		if (evaluation->has_protocol && evaluation->packet->fragment)
			return evaluation_undecided(evaluation,
						    "a later fragment is read for a transport header");
		if (!evaluation->has_protocol || !transport)
			return EVALUATION_BREAK;
		data += transport;
		known += transport;
		room -= transport;
		break;
	default:
		return evaluation_undecided(evaluation, "an unknown part of the packet is read");
	}
	/* Real packets of the class may be longer: nobody knows what is there, or whether. */
	if (offset > room || len > room - offset)
		return evaluation_undecided(evaluation, "bytes that packets do not determine");
	return store(evaluation, expression->payload.reg, data + offset, known + offset, len);
}

/* Where the kernel looks to tell what a packet is: its version, fragment offset, next protocol. */
static bool tells_kind(const struct packet *packet, size_t at)
{
	return packet->ethertype == ETH_P_IP ? at == 0 || at == 6 || at == 7 || at == 9
					     : at == 0 || at == 6;
}

enum evaluation_step fields_write(struct evaluation *evaluation,
				  const struct ruleset_expression *expression)
{
	size_t offset = expression->payload_set.offset, len = expression->payload_set.len;
	size_t start = 0, room = evaluation->bytes.len;

	if (!is_ip(evaluation->packet) || expression->payload_set.base == RULESET_LINK)
		return evaluation_undecided(evaluation, "the packet is written to");
	if (expression->payload_set.base == RULESET_TRANSPORT) {
		start = evaluation->bytes.transport_offset;
		if (!evaluation->has_protocol || !start)
			return EVALUATION_BREAK;
	}
	for (size_t i = 0; i < len; i++) {
		size_t at = start + offset + i;

		if (start == 0 && tells_kind(evaluation->packet, at))
			return evaluation_undecided(evaluation, "the packet is written to");
		if (at < room)
			evaluation->known.data[at] = 0;
	}
	evaluation->written = true;
	return EVALUATION_NEXT;
}

/* Protocols for which the kernel looks for a socket; of ICMP, only errors name one. */
static bool can_have_socket(const struct packet *packet)
{
	switch (packet->protocol) {
	case IPPROTO_TCP:
	case IPPROTO_UDP:
		return true;
	case IPPROTO_ICMP:
		return packet->ethertype == ETH_P_IP &&
		       (packet->icmp_type == 3 || packet->icmp_type == 4 ||
			packet->icmp_type == 5 || packet->icmp_type == 11 ||
			packet->icmp_type == 12);
	case IPPROTO_ICMPV6:
		return packet->ethertype == ETH_P_IPV6 && packet->icmp_type < 128;
	default:
		return false;
	}
}

enum evaluation_step fields_socket(struct evaluation *evaluation,
				   const struct ruleset_expression *expression)
{
	const struct packet *packet = evaluation->packet;

	if (evaluation->hook != EVALUATION_PREROUTING && evaluation->hook != EVALUATION_INPUT)
		return evaluation_undecided(evaluation,
					    "a socket is looked for where none arrives");
	if (packet->socket == PACKET_SOCKET_NONE || !is_ip(packet) || !can_have_socket(packet))
		return EVALUATION_BREAK;
	switch (expression->socket.key) {
	case NFT_SOCKET_TRANSPARENT:
		return store_u8(evaluation, expression->socket.reg,
				packet->socket == PACKET_SOCKET_TRANSPARENT);
	case NFT_SOCKET_WILDCARD:
		return store_u8(evaluation, expression->socket.reg,
				packet->socket == PACKET_SOCKET_WILDCARD);
	default:
		return evaluation_undecided(evaluation, "a property of sockets that is not known");
	}
}

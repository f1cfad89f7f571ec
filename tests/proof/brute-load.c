/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which byte of which field a rule loads, for packets of a scene. */
#include "brute-read.h"

#include <netinet/in.h>
#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <linux/netfilter/nf_tables.h>
#include <string.h>

#define ENCODED_OFFSET 185 /* of a later fragment, see packet_encode() */

static struct origin constant(uint8_t value)
{
	return (struct origin){.from = CONSTANT, .value = value, .mask = 0xff};
}

static struct origin from(const struct reader *reader, enum brute_field field, size_t at)
{
	const struct packet *scene = reader->scene;
	uint16_t link = scene->link_ethertype ? scene->link_ethertype : scene->ethertype;

	if (field >= BRUTE_SHAPES || reader->shapes)
		return (struct origin){
		    .from = FIELD, .field = field, .at = (uint8_t)at, .mask = 0xff};
	if (field == BRUTE_PROTOCOL)
		return constant(scene->protocol);
	if (field == BRUTE_VERSION_IHL)
		return constant((uint8_t)(0x45 + scene->options));
	if (field == BRUTE_ARP_OPERATION)
		return constant((uint8_t)(scene->arp_operation >> (at ? 0 : 8)));
	/* The link header's: the label is a constant of its own. */
	return constant((uint8_t)(link >> (at ? 0 : 8)));
}

static struct origin from_transport(const struct reader *reader, size_t at)
{
	uint8_t protocol = reader->scene->protocol;

	if (protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6) {
		if (at == 0)
			return from(reader, BRUTE_ICMP_TYPE, 0);
		if (at == 1)
			return from(reader, BRUTE_ICMP_CODE, 0);
		if (at == 4 || at == 5)
			return from(reader, BRUTE_ICMP_ID, at - 4);
		return (struct origin){0};
	}
	if (!packet_has_ports(protocol))
		return (struct origin){0};
	if (at < 2)
		return from(reader, BRUTE_SOURCE_PORT, at);
	if (at < 4)
		return from(reader, BRUTE_DESTINATION_PORT, at - 2);
	if (at == 13 && protocol == IPPROTO_TCP)
		return from(reader, BRUTE_FLAGS, 0);
	return (struct origin){0};
}

static struct origin from_ipv4(const struct reader *reader, size_t at)
{
	const struct packet *scene = reader->scene;
	size_t header = 20u + 4u * scene->options;
	struct origin origin;

	if (at == 0)
		return from(reader, BRUTE_VERSION_IHL, 0);
	if (at == 6) {
		origin = constant(0);
		origin.open = 0xe0;
		return origin;
	}
	if (at == 7)
		return constant(scene->fragment ? ENCODED_OFFSET : 0);
	if (at == 9)
		return from(reader, BRUTE_PROTOCOL, 0);
	if (at >= 12 && at < 16)
		return from(reader, BRUTE_SOURCE4, at - 12);
	if (at >= 16 && at < 20)
		return from(reader, BRUTE_DESTINATION4, at - 16);
	if (at >= header && !scene->fragment)
		return from_transport(reader, at - header);
	return (struct origin){0};
}

static struct origin from_ipv6(const struct reader *reader, size_t at)
{
	const struct packet *scene = reader->scene;
	bool extended = scene->options || scene->fragment;
	size_t header = extended ? 48 : 40;

	if (at == 6 && extended)
		return constant(scene->fragment ? IPPROTO_FRAGMENT : IPPROTO_DSTOPTS);
	if (at == 6)
		return from(reader, BRUTE_PROTOCOL, 0);
	if (at >= 8 && at < 24)
		return from(reader, BRUTE_SOURCE6, at - 8);
	if (at >= 24 && at < 40)
		return from(reader, BRUTE_DESTINATION6, at - 24);
	if (at >= header && !scene->fragment)
		return from_transport(reader, at - header);
	return (struct origin){0};
}

static struct origin from_network(const struct reader *reader, size_t at)
{
	switch (reader->scene->ethertype) {
	case ETH_P_IP:
		return from_ipv4(reader, at);
	case ETH_P_IPV6:
		return from_ipv6(reader, at);
	case ETH_P_ARP:
		if (at == 6 || at == 7)
			return from(reader, BRUTE_ARP_OPERATION, at - 6);
		break;
	default:
		break;
	}
	return (struct origin){0};
}

static struct origin from_payload(const struct reader *reader, enum ruleset_base base, size_t at)
{
	if (base == RULESET_LINK && (at == 12 || at == 13))
		return from(reader, BRUTE_ETHERTYPE, at - 12);
	if (base == RULESET_NETWORK)
		return from_network(reader, at);
	if (base == RULESET_TRANSPORT)
		return from_transport(reader, at);
	return (struct origin){0};
}

/* ---- loads ---- */

void load_unknown(struct reader *reader, uint8_t reg, size_t len)
{
	for (size_t i = reg * 4u; i < BRUTE_REGISTER_BYTES && i < reg * 4u + (len + 3) / 4 * 4; i++)
		reader->registers[i] = (struct origin){0};
}

void load_constant(struct reader *reader, uint8_t reg, const void *bytes, size_t len)
{
	for (size_t i = 0; i < (len + 3) / 4 * 4 && reg * 4u + i < BRUTE_REGISTER_BYTES; i++)
		reader->registers[reg * 4u + i] =
		    constant(i < len ? ((const uint8_t *)bytes)[i] : 0);
}

static void load_field(struct reader *reader, uint8_t reg, enum brute_field field)
{
	size_t len = brute_field_len(field);
	static const uint8_t none[BRUTE_BYTES_MAX];

	load_constant(reader, reg, none, len);
	for (size_t i = 0; i < len && reg * 4u + i < BRUTE_REGISTER_BYTES; i++)
		reader->registers[reg * 4u + i] = from(reader, field, i);
}

static void load_number(struct reader *reader, uint8_t reg, uint32_t number)
{
	load_constant(reader, reg, &number, sizeof(number));
}

static bool load_device(struct reader *reader, const struct ruleset_expression *e, bool *sure)
{
	uint32_t key = e->meta.key;
	bool in = key == NFT_META_IIF || key == NFT_META_IIFTYPE;
	bool exists = in ? reader->arrives : reader->leaves, loopback = reader->scene->loopback;
	uint16_t type = loopback ? ARPHRD_LOOPBACK : ARPHRD_ETHER;

	/* What of an input device is left at postrouting is not known. */
	*sure &= exists || !in;
	if (key == NFT_META_IIF || key == NFT_META_OIF)
		load_number(reader, e->meta.reg, !exists ? 0 : loopback ? 1 : 2);
	else
		load_constant(reader, e->meta.reg, &type, sizeof(type));
	return exists || key == NFT_META_IIF || key == NFT_META_OIF;
}

bool load_meta(struct reader *reader, const struct ruleset_expression *e, bool *sure)
{
	const struct packet *scene = reader->scene;
	const uint16_t label = htons(scene->ethertype);

	switch (e->meta.key) {
	case NFT_META_L4PROTO:
		load_field(reader, e->meta.reg, BRUTE_PROTOCOL);
		return reader->has_protocol || reader->shapes;
	case NFT_META_PROTOCOL:
		if (reader->shapes)
			load_field(reader, e->meta.reg, BRUTE_ETHERTYPE);
		else
			load_constant(reader, e->meta.reg, &label, sizeof(label));
		return true;
	case NFT_META_IIF:
	case NFT_META_OIF:
	case NFT_META_IIFTYPE:
	case NFT_META_OIFTYPE:
		return load_device(reader, e, sure);
	case NFT_META_SKUID:
		load_field(reader, e->meta.reg, BRUTE_UID);
		return (scene->owned && reader->leaves && !reader->arrives) || reader->shapes;
	case NFT_META_RTCLASSID:
		*sure &= !reader->early;
		load_number(reader, e->meta.reg, 0);
		return scene->path != PACKET_FRAME || scene->routed;
	case NFT_META_NFPROTO:
		load_unknown(reader, e->meta.reg, 1);
		if (reader->table->family != RULESET_NETDEV) {
			uint8_t family = scene->ethertype == ETH_P_IP ? RULESET_IPV4 : RULESET_IPV6;

			load_constant(reader, e->meta.reg, &family, 1);
		}
		return true;
	default:
		*sure = false;
		load_unknown(reader, e->meta.reg, RULESET_DEVICE_MAX);
		return true;
	}
}

bool load_payload(struct reader *reader, const struct ruleset_expression *e, bool *sure)
{
	const size_t first = e->payload.reg * 4u, len = e->payload.len;

	/* There may be less, and then the rule ends here. */
	*sure = false;
	for (size_t i = 0; i < (len + 3) / 4 * 4 && first + i < BRUTE_REGISTER_BYTES; i++)
		reader->registers[first + i] =
		    i < len ? from_payload(reader, e->payload.base, e->payload.offset + i)
			    : constant(0);
	if (e->payload.base == RULESET_NETWORK && e->payload.offset + len > 20)
		reader->asked->deep = true;
	return e->payload.base != RULESET_TRANSPORT || reader->shapes ||
	       (reader->has_protocol && !reader->scene->fragment);
}

void load_bitwise(struct reader *reader, const struct ruleset_expression *e)
{
	struct origin made[RULESET_DATA_MAX] = {0};
	const size_t source = e->bitwise.source * 4u, to = e->bitwise.reg * 4u;
	size_t len = e->bitwise.len < RULESET_DATA_MAX ? e->bitwise.len : RULESET_DATA_MAX;

	for (size_t i = 0; i < len && source + i < BRUTE_REGISTER_BYTES; i++) {
		uint8_t mask = e->bitwise.mask.bytes[i], flip = e->bitwise.xor.bytes[i];
		struct origin *origin = &made[i];

		*origin = reader->registers[source + i];
		origin->value = (uint8_t)((origin->value & mask) ^ flip);
		origin->open &= mask;
		origin->xor = (uint8_t)((origin->xor &mask) ^ flip);
		origin->mask &= mask;
		if (mask == 0)
			*origin = constant(flip);
	}
	for (size_t i = 0; i < (len + 3) / 4 * 4 && to + i < BRUTE_REGISTER_BYTES; i++)
		reader->registers[to + i] = i < len ? made[i] : constant(0);
}

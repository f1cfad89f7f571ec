/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What nft calls the fields that rules load. */
#include "listing.h"

#include <linux/netfilter/nf_tables.h>
#include <netinet/in.h>
#include <string.h>

static const struct {
	uint32_t key;
	uint32_t type;
	size_t len;
	const char *text;
} metas[] = {
    {NFT_META_LEN, WORDS_INTEGER, 4, "meta length"},
    {NFT_META_PROTOCOL, WORDS_ETHERTYPE, 2, "meta protocol"},
    {NFT_META_MARK, WORDS_MARK, 4, "meta mark"},
    {NFT_META_IIF, WORDS_IFINDEX, 4, "iif"},
    {NFT_META_OIF, WORDS_IFINDEX, 4, "oif"},
    {NFT_META_IIFNAME, WORDS_IFNAME, 16, "iifname"},
    {NFT_META_OIFNAME, WORDS_IFNAME, 16, "oifname"},
    {NFT_META_IIFTYPE, WORDS_IFTYPE, 2, "meta iiftype"},
    {NFT_META_OIFTYPE, WORDS_IFTYPE, 2, "meta oiftype"},
    {NFT_META_SKUID, WORDS_UID, 4, "meta skuid"},
    {NFT_META_SKGID, WORDS_GID, 4, "meta skgid"},
    {NFT_META_RTCLASSID, WORDS_REALM, 4, "meta rtclassid"},
    {NFT_META_NFPROTO, WORDS_NFPROTO, 1, "meta nfproto"},
    {NFT_META_L4PROTO, WORDS_PROTOCOL, 1, "meta l4proto"},
};

/* The protocol of a connection is written as a number, so that nobody takes it for the packet's. */
static const struct {
	uint32_t key;
	uint32_t type;
	size_t len;
	bool host;
	const char *text;
} connections[] = {
    {NFT_CT_STATE, WORDS_CT_STATE, 4, true, "state"},
    {NFT_CT_DIRECTION, WORDS_INTEGER, 1, true, "direction"},
    {NFT_CT_STATUS, WORDS_INTEGER, 4, true, "status"},
    {NFT_CT_MARK, WORDS_MARK, 4, true, "mark"},
    {NFT_CT_PROTOCOL, WORDS_INTEGER, 1, false, "protocol"},
    {NFT_CT_PROTO_SRC, WORDS_PORT, 2, false, "proto-src"},
    {NFT_CT_PROTO_DST, WORDS_PORT, 2, false, "proto-dst"},
    {NFT_CT_SRC_IP, WORDS_IP4, 4, false, "ip saddr"},
    {NFT_CT_DST_IP, WORDS_IP4, 4, false, "ip daddr"},
    {NFT_CT_SRC_IP6, WORDS_IP6, 16, false, "ip6 saddr"},
    {NFT_CT_DST_IP6, WORDS_IP6, 16, false, "ip6 daddr"},
    {NFT_CT_PKTS, WORDS_INTEGER, 8, true, "packets"},
    {NFT_CT_BYTES, WORDS_INTEGER, 8, true, "bytes"},
    {NFT_CT_ZONE, WORDS_INTEGER, 2, true, "zone"},
    {NFT_CT_ID, WORDS_INTEGER, 4, true, "id"},
};

struct field {
	uint32_t offset, len;
	uint32_t type;
	const char *text;
};

static const struct field ip4_fields[] = {
    {6, 2, WORDS_INTEGER, "ip frag-off"},
    {9, 1, WORDS_PROTOCOL, "ip protocol"},
    {12, 4, WORDS_IP4, "ip saddr"},
    {16, 4, WORDS_IP4, "ip daddr"},
};

static const struct field ip6_fields[] = {
    {6, 1, WORDS_PROTOCOL, "ip6 nexthdr"},
    {8, 16, WORDS_IP6, "ip6 saddr"},
    {24, 16, WORDS_IP6, "ip6 daddr"},
};

static const struct field arp_fields[] = {
    {0, 2, WORDS_INTEGER, "arp htype"},   {2, 2, WORDS_ETHERTYPE, "arp ptype"},
    {4, 1, WORDS_INTEGER, "arp hlen"},    {5, 1, WORDS_INTEGER, "arp plen"},
    {6, 2, WORDS_ARPOP, "arp operation"}, {8, 6, WORDS_ETHER, "arp saddr ether"},
    {14, 4, WORDS_IP4, "arp saddr ip"},   {18, 6, WORDS_ETHER, "arp daddr ether"},
    {24, 4, WORDS_IP4, "arp daddr ip"},
};

static const struct field tcp_fields[] = {
    {0, 2, WORDS_PORT, "tcp sport"},
    {2, 2, WORDS_PORT, "tcp dport"},
    {13, 1, WORDS_TCP_FLAG, "tcp flags"},
};

static const struct field udp_fields[] = {
    {0, 2, WORDS_PORT, "udp sport"},
    {2, 2, WORDS_PORT, "udp dport"},
};

static const struct field icmp_fields[] = {
    {0, 1, WORDS_ICMP_TYPE, "icmp type"},
    {1, 1, WORDS_INTEGER, "icmp code"},
    {4, 2, WORDS_INTEGER, "icmp id"},
};

static const struct field icmp6_fields[] = {
    {0, 1, WORDS_ICMP6_TYPE, "icmpv6 type"},
    {1, 1, WORDS_INTEGER, "icmpv6 code"},
    {4, 2, WORDS_INTEGER, "icmpv6 id"},
};

/* Where the rule does not say which protocol it is about: flags are TCP's, ports anybody's. */
static const struct field transport_fields[] = {
    {0, 2, WORDS_PORT, "th sport"},
    {2, 2, WORDS_PORT, "th dport"},
    {13, 1, WORDS_TCP_FLAG, "tcp flags"},
};

/* The field at this place. Fewer bytes from its beginning are a prefix of an address. */
static const struct field *find_field(const struct field *fields, size_t count, uint32_t offset,
				      uint32_t len)
{
	for (size_t i = 0; i < count; i++) {
		bool address = fields[i].type == WORDS_IP4 || fields[i].type == WORDS_IP6;

		if (fields[i].offset != offset)
			continue;
		if (fields[i].len == len || (address && len > 0 && len < fields[i].len))
			return &fields[i];
	}
	return NULL;
}

#define FIND_FIELD(fields, expression)                                                             \
	find_field(fields, ARRAY_SIZE(fields), (expression)->payload.offset,                       \
		   (expression)->payload.len)

static const struct field *network_field(const struct listing_context *context,
					 const struct ruleset_expression *e,
					 struct listing_term *term)
{
	const struct field *field = NULL;

	if (context->arp || context->table == RULESET_ARP) {
		term->arp = true;
		return FIND_FIELD(arp_fields, e);
	}
	if (context->network != RULESET_IPV6)
		field = FIND_FIELD(ip4_fields, e);
	if (field) {
		term->network = RULESET_IPV4;
		return field;
	}
	if (context->network != RULESET_IPV4)
		field = FIND_FIELD(ip6_fields, e);
	if (field)
		term->network = RULESET_IPV6;
	return field;
}

static const struct field *transport_field(const struct listing_context *context,
					   const struct ruleset_expression *e,
					   struct listing_term *term)
{
	term->transport = context->transport;
	switch (context->transport) {
	case IPPROTO_TCP:
		return FIND_FIELD(tcp_fields, e);
	case IPPROTO_UDP:
		return FIND_FIELD(udp_fields, e);
	case IPPROTO_ICMP:
		term->network = RULESET_IPV4;
		return FIND_FIELD(icmp_fields, e);
	case IPPROTO_ICMPV6:
		term->network = RULESET_IPV6;
		return FIND_FIELD(icmp6_fields, e);
	default:
		term->transport = 0; /* "th dport" does not say it, so the rule must */
		return FIND_FIELD(transport_fields, e);
	}
}

static bool name_payload(const struct listing_context *context, const struct ruleset_expression *e,
			 struct listing_term *term)
{
	static const char *const bases[] = {"ll", "nh", "th"};
	const struct field *field = NULL;

	switch (e->payload.base) {
	case RULESET_LINK:
		/* nft adds to "ether type" the type of the input device, which egress has none of.
		 */
		break;
	case RULESET_NETWORK:
		field = network_field(context, e, term);
		break;
	case RULESET_TRANSPORT:
		field = transport_field(context, e, term);
		break;
	default:
		return false;
	}
	term->shape.len = e->payload.len;
	term->whole = e->payload.len;
	if (field) {
		snprintf(term->text, sizeof(term->text), "%s", field->text);
		term->shape.type = field->type;
		term->whole = field->len;
		return true;
	}
	term->network = 0;
	term->transport = 0;
	term->arp = false;
	term->arp_header =
	    e->payload.base == RULESET_NETWORK && e->payload.offset == 0 && e->payload.len == 6;
	term->shape.type = WORDS_HEX;
	snprintf(term->text, sizeof(term->text), "@%s,%u,%u", bases[e->payload.base],
		 e->payload.offset * 8, e->payload.len * 8);
	return true;
}

static void name_known(struct listing_term *term, const char *text, uint32_t type, size_t len)
{
	snprintf(term->text, sizeof(term->text), "%s", text);
	term->shape = (struct words_shape){type, len, true};
	term->whole = len;
}

static bool name_meta(uint32_t key, struct listing_term *term)
{
	for (size_t i = 0; i < ARRAY_SIZE(metas); i++) {
		if (metas[i].key != key)
			continue;
		name_known(term, metas[i].text, metas[i].type, metas[i].len);
		return true;
	}
	return false;
}

static bool name_connection(uint32_t key, int direction, struct listing_term *term)
{
	static const char *const directions[] = {"", "original ", "reply "};

	for (size_t i = 0; i < ARRAY_SIZE(connections); i++) {
		if (connections[i].key != key || direction < -1 || direction > 1)
			continue;
		name_known(term, "", connections[i].type, connections[i].len);
		term->shape.host = connections[i].host;
		snprintf(term->text, sizeof(term->text), "ct %s%s", directions[direction + 1],
			 connections[i].text);
		return true;
	}
	return false;
}

static bool name_route_lookup(const struct ruleset_expression *e, struct listing_term *term)
{
	static const char *const keys[] = {"saddr", "daddr", "mark", "iif", "oif"};
	static const struct {
		uint32_t type;
		size_t len;
		const char *text;
	} results[] = {
	    [NFT_FIB_RESULT_OIF] = {WORDS_IFINDEX, 4, "oif"},
	    [NFT_FIB_RESULT_OIFNAME] = {WORDS_IFNAME, 16, "oifname"},
	    [NFT_FIB_RESULT_ADDRTYPE] = {WORDS_ROUTE_TYPE, 4, "type"},
	};
	struct buf text = {.cap = sizeof(term->text) - 1};
	uint32_t result = e->route_lookup.result, flags = e->route_lookup.flags;

	if (result >= ARRAY_SIZE(results) || !results[result].text || flags >= 1u << 6)
		return false;
	name_known(term, "", results[result].type, results[result].len);
	if (flags & NFTA_FIB_F_PRESENT)
		name_known(term, "", WORDS_BOOLEAN, 1);
	buf_puts(&text, "fib");
	for (size_t i = 0, any = 0; i < ARRAY_SIZE(keys); i++)
		if (flags & 1u << i)
			buf_printf(&text, "%s%s", any++ ? " . " : " ", keys[i]);
	buf_printf(&text, " %s", results[result].text);
	snprintf(term->text, sizeof(term->text), "%s", buf_text(&text));
	buf_done(&text);
	return true;
}

static bool name_route_field(const struct ruleset_expression *e, struct listing_term *term)
{
	switch (e->route_field.key) {
	case NFT_RT_CLASSID:
		name_known(term, "rt classid", WORDS_REALM, 4);
		return true;
	case NFT_RT_NEXTHOP4:
		name_known(term, "rt ip nexthop", WORDS_IP4, 4);
		return true;
	case NFT_RT_NEXTHOP6:
		name_known(term, "rt ip6 nexthop", WORDS_IP6, 16);
		return true;
	case NFT_RT_TCPMSS:
		name_known(term, "rt mtu", WORDS_INTEGER, 2);
		return true;
	case NFT_RT_XFRM:
		name_known(term, "rt ipsec", WORDS_BOOLEAN, 1);
		return true;
	default:
		return false;
	}
}

static bool name_number(const struct ruleset_expression *e, struct listing_term *term)
{
	int len;

	if (e->number.type > NFT_NG_RANDOM)
		return false;
	name_known(term, "", WORDS_INTEGER, 4);
	len = snprintf(term->text, sizeof(term->text), "numgen %s mod %u",
		       e->number.type == NFT_NG_RANDOM ? "random" : "inc", e->number.modulus);
	if (e->number.offset)
		snprintf(term->text + len, sizeof(term->text) - (size_t)len, " offset %u",
			 e->number.offset);
	return true;
}

static bool name_socket(const struct ruleset_expression *e, struct listing_term *term)
{
	if (e->socket.key != NFT_SOCKET_TRANSPARENT && e->socket.key != NFT_SOCKET_WILDCARD)
		return false;
	snprintf(term->text, sizeof(term->text), "socket %s",
		 e->socket.key == NFT_SOCKET_WILDCARD ? "wildcard" : "transparent");
	term->shape = (struct words_shape){WORDS_INTEGER, 1, true};
	term->whole = 1;
	return true;
}

bool listing_name(const struct listing_context *context,
		  const struct ruleset_expression *expression, struct listing_term *ret_term)
{
	struct listing_term term = {.kind = LISTING_FIELD};
	bool named = false;

	switch ((int)expression->kind) {
	case RULESET_META:
		named = name_meta(expression->meta.key, &term);
		break;
	case RULESET_PAYLOAD:
		named = name_payload(context, expression, &term);
		break;
	case RULESET_SOCKET:
		named = name_socket(expression, &term);
		break;
	case RULESET_CONNECTION:
		named = name_connection(expression->connection.key,
					expression->connection.direction, &term);
		break;
	case RULESET_ROUTE_LOOKUP:
		named = name_route_lookup(expression, &term);
		break;
	case RULESET_ROUTE_FIELD:
		named = name_route_field(expression, &term);
		break;
	case RULESET_NUMBER:
		named = name_number(expression, &term);
		break;
	default:
		break;
	}
	if (named)
		*ret_term = term;
	return named;
}

bool listing_name_target(const struct ruleset_expression *expression, struct listing_term *ret_term)
{
	struct listing_term term = {.kind = LISTING_FIELD};
	bool named;

	if (expression->kind == RULESET_CONNECTION_SET) {
		named = name_connection(expression->connection_set.key,
					expression->connection_set.direction, &term);
	} else if (expression->meta_set.key == NFT_META_NFTRACE) {
		name_known(&term, "meta nftrace", WORDS_INTEGER, 1);
		named = true;
	} else {
		named = expression->meta_set.key == NFT_META_MARK &&
			name_meta(expression->meta_set.key, &term);
	}
	if (named)
		*ret_term = term;
	return named;
}

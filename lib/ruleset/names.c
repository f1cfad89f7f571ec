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
		/* nft adds to "ether type" the type of the input device, which egress has none of. */
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

static bool name_meta(const struct ruleset_expression *e, struct listing_term *term)
{
	for (size_t i = 0; i < ARRAY_SIZE(metas); i++) {
		if (metas[i].key != e->meta.key)
			continue;
		snprintf(term->text, sizeof(term->text), "%s", metas[i].text);
		term->shape = (struct words_shape){metas[i].type, metas[i].len, true};
		term->whole = metas[i].len;
		return true;
	}
	return false;
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

	if (expression->kind == RULESET_META)
		named = name_meta(expression, &term);
	else if (expression->kind == RULESET_PAYLOAD)
		named = name_payload(context, expression, &term);
	else if (expression->kind == RULESET_SOCKET)
		named = name_socket(expression, &term);
	if (named)
		*ret_term = term;
	return named;
}

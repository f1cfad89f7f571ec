/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Routing rules, and routes that do more than route. */
#include "surroundings_reading.h"

#include <linux/fib_rules.h>
#include <linux/lwtunnel.h>
#include <linux/nexthop.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#define PRIORITY_LOCAL   0u
#define PRIORITY_MAIN    32766u
#define PRIORITY_DEFAULT 32767u

struct rule {
	uint32_t priority, table;
	bool mark, other; /* selects or does something else than looking into the table */
};

static const char *family_name(uint8_t family)
{
	return family == AF_INET ? "ipv4" : family == AF_INET6 ? "ipv6" : "other";
}

/* ---- rules ---- */

/* Any attribute that is not known to mean nothing makes the rule another than the kernel's own: so
 * does one that kernels to come will have. */
static int rule_attribute(struct rule *rule, unsigned type, struct reading_bytes value)
{
	uint32_t number = 0;
	int r;

	switch (type) {
	case FRA_PRIORITY:
		return reading_u32(value, &rule->priority);
	case FRA_TABLE:
		return reading_u32(value, &rule->table);
	case FRA_SUPPRESS_PREFIXLEN:
	case FRA_SUPPRESS_IFGROUP:
		r = reading_u32(value, &number);
		rule->other |= number != UINT32_MAX;
		return r;
	case FRA_FWMARK:
	case FRA_FWMASK:
		rule->mark = true;
		return 0;
	case FRA_PROTOCOL: /* who made it */
	case FRA_PAD:
		return 0;
	default:
		rule->other = true;
		return 0;
	}
}

/* The number of the kernel's own rule that this is, or -1. */
static int rule_own(const struct rule *rule)
{
	static const struct rule own[] = {
	    {.priority = PRIORITY_LOCAL, .table = RT_TABLE_LOCAL},
	    {.priority = PRIORITY_MAIN, .table = RT_TABLE_MAIN},
	    {.priority = PRIORITY_DEFAULT, .table = RT_TABLE_DEFAULT},
	};

	if (rule->mark || rule->other)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(own); i++)
		if (rule->priority == own[i].priority && rule->table == own[i].table)
			return (int)i;
	return -1;
}

int reading_rule(struct reading *reading, struct reading_bytes body)
{
	char name[SURROUNDINGS_NAME_MAX];
	struct rule rule = {0};
	struct fib_rule_hdr fixed;
	struct reading_bytes rest, value;
	unsigned type;
	int r = reading_body(body, &fixed, sizeof(fixed), &rest);

	if (r < 0)
		return r;
	rule.table = fixed.table;
	rule.other = fixed.dst_len || fixed.src_len || fixed.tos || fixed.action != FR_ACT_TO_TBL ||
		     (fixed.flags & ~(uint32_t)FIB_RULE_PERMANENT);
	while ((r = reading_attribute(&rest, &type, &value)) > 0) {
		r = rule_attribute(&rule, type, value);
		if (r < 0)
			return r;
	}
	if (r < 0)
		return r;
	r = rule_own(&rule);
	if (r >= 0) {
		reading->rules_seen |= 1u << r;
		return 0;
	}
	snprintf(name, sizeof(name), "%s %u", family_name(fixed.family), rule.priority);
	if (rule.mark)
		reading_add(reading, SURROUNDINGS_RULE_MARK, name,
			    "the routing rule %u of %s, which selects packets by their mark",
			    rule.priority, family_name(fixed.family));
	else
		reading_add(reading, SURROUNDINGS_RULE, name, "the routing rule %u of %s",
			    rule.priority, family_name(fixed.family));
	return 0;
}

/* ---- routes ---- */

static const char *encap_name(uint16_t type)
{
	switch (type) {
	case LWTUNNEL_ENCAP_MPLS:
		return "mpls";
	case LWTUNNEL_ENCAP_IP:
		return "ip";
	case LWTUNNEL_ENCAP_ILA:
		return "ila";
	case LWTUNNEL_ENCAP_IP6:
		return "ip6";
	case LWTUNNEL_ENCAP_SEG6:
		return "seg6";
	case LWTUNNEL_ENCAP_BPF:
		return "bpf";
	case LWTUNNEL_ENCAP_SEG6_LOCAL:
		return "seg6local";
	default:
		return "other";
	}
}

static int encap_add(struct reading *reading, uint8_t family, struct reading_bytes value)
{
	char name[SURROUNDINGS_NAME_MAX];
	uint16_t type;

	if (value.len != sizeof(type))
		return -EBADMSG;
	memcpy(&type, value.data, sizeof(type));
	if (type == LWTUNNEL_ENCAP_NONE)
		return 0;
	snprintf(name, sizeof(name), "%s %s", family_name(family), encap_name(type));
	reading_add(reading, SURROUNDINGS_ROUTE_ENCAP, name,
		    "a route of %s that wraps packets or runs a program on them (%s)",
		    family_name(family), encap_name(type));
	return 0;
}

/* One way of several, or the route itself. The attributes of both have the same numbers. */
static int route_attributes(struct reading *reading, uint8_t family, struct reading_bytes rest,
			    struct reading_bytes *ret_ways)
{
	struct reading_bytes value;
	unsigned type;
	int r;

	while ((r = reading_attribute(&rest, &type, &value)) > 0) {
		if (type == RTA_MULTIPATH)
			*ret_ways = value;
		else if (type == RTA_ENCAP_TYPE)
			r = encap_add(reading, family, value);
		if (r < 0)
			return r;
	}
	return r;
}

int reading_route(struct reading *reading, struct reading_bytes body)
{
	struct rtmsg fixed;
	struct reading_bytes rest, ways = {0}, ignored;
	int r = reading_body(body, &fixed, sizeof(fixed), &rest);

	if (r < 0)
		return r;
	r = route_attributes(reading, fixed.rtm_family, rest, &ways);
	while (r == 0 && ways.len > 0) {
		struct rtnexthop way;
		size_t step;

		if (ways.len < sizeof(way))
			return -EBADMSG;
		memcpy(&way, ways.data, sizeof(way));
		if (way.rtnh_len < sizeof(way) || way.rtnh_len > ways.len)
			return -EBADMSG;
		rest = (struct reading_bytes){ways.data + sizeof(way), way.rtnh_len - sizeof(way)};
		r = route_attributes(reading, fixed.rtm_family, rest, &ignored);
		step = NLMSG_ALIGN((size_t)way.rtnh_len); /* the same as RTNH_ALIGN() */
		if (step > ways.len)
			step = ways.len;
		ways.data += step;
		ways.len -= step;
	}
	return r;
}

int reading_nexthop(struct reading *reading, struct reading_bytes body)
{
	struct nhmsg fixed;
	struct reading_bytes rest, value;
	unsigned type;
	int r = reading_body(body, &fixed, sizeof(fixed), &rest);

	if (r < 0)
		return r;
	while ((r = reading_attribute(&rest, &type, &value)) > 0) {
		if (type == NHA_ENCAP_TYPE)
			r = encap_add(reading, fixed.nh_family, value);
		if (r < 0)
			return r;
	}
	return r;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tables that others add beside Lethe's. */
#include "mutate-internal.h"

#include <linux/netfilter.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter_arp.h>
#include <string.h>

#define TABLE "foreign"
#define CHAIN "c"
#define PORT  9040

/* What the only rule of the added chain does. */
enum deed {
	DROP_ALL,
	ACCEPT_ALL,
	DROP_USER,
	TO_LOOPBACK,
	TO_STRANGER,
	SET_MARK,
	NO_TRACK,
	REWRITE,
	PROXY,
	UNKNOWN,
	DEEDS,
};

static const char *const deed_names[] = {
    "drops everything",         "accepts everything",
    "drops what root sends",    "dnat to 127.0.0.1:9040",
    "dnat to 198.51.100.7",     "sets the mark",
    "takes out of tracking",    "writes the destination",
    "tproxy to 127.0.0.1:9041", "does what is not understood",
};

/* Where a chain hangs. */
struct hook {
	enum ruleset_family family;
	uint32_t number;
	const char *name;
};

static const struct hook hooks[] = {
    {RULESET_INET, NF_INET_PRE_ROUTING, "prerouting"},
    {RULESET_INET, NF_INET_LOCAL_IN, "input"},
    {RULESET_INET, NF_INET_FORWARD, "forward"},
    {RULESET_INET, NF_INET_LOCAL_OUT, "output"},
    {RULESET_INET, NF_INET_POST_ROUTING, "postrouting"},
    {RULESET_INET, NF_INET_INGRESS, "ingress"},
    {RULESET_IPV4, NF_INET_PRE_ROUTING, "prerouting"},
    {RULESET_IPV4, NF_INET_LOCAL_IN, "input"},
    {RULESET_IPV4, NF_INET_LOCAL_OUT, "output"},
    {RULESET_IPV6, NF_INET_LOCAL_IN, "input"},
    {RULESET_IPV6, NF_INET_LOCAL_OUT, "output"},
    {RULESET_NETDEV, NF_NETDEV_INGRESS, "ingress"},
    {RULESET_NETDEV, 1, "egress"}, /* NF_NETDEV_EGRESS, which older headers lack */
    {RULESET_ARP, NF_ARP_IN, "input"},
    {RULESET_ARP, NF_ARP_OUT, "output"},
    {RULESET_BRIDGE, NF_INET_PRE_ROUTING, "prerouting"},
    {RULESET_BRIDGE, NF_INET_FORWARD, "forward"},
    {RULESET_BRIDGE, NF_INET_LOCAL_OUT, "output"},
};

/* Would the kernel have it there? */
static bool is_legal(const struct hook *hook, enum deed deed)
{
	bool inet = hook->family == RULESET_INET || hook->family == RULESET_IPV4 ||
		    hook->family == RULESET_IPV6;
	bool pre = inet && hook->number == NF_INET_PRE_ROUTING;
	bool out = inet && hook->number == NF_INET_LOCAL_OUT;

	switch (deed) {
	case TO_LOOPBACK:
	case TO_STRANGER:
	case NO_TRACK:
		return (pre || out) && hook->family != RULESET_IPV6;
	case PROXY:
		return pre;
	case DROP_USER:
		return out || (inet && hook->number == NF_INET_POST_ROUTING) ||
		       (hook->family == RULESET_NETDEV && hook->number == 1);
	case DROP_ALL:
	case ACCEPT_ALL:
	case SET_MARK:
	case REWRITE:
	case UNKNOWN:
	case DEEDS:
		break;
	}
	return true;
}

typedef struct ruleset_expression expr;

/* A rule being written. The first failure sticks. */
struct writer {
	struct ruleset_rule *rule;
	bool error;
};

static void write_one(struct writer *writer, const expr *e)
{
	writer->error |= !copy_push_expression(writer->rule, e);
}

static void write_verdict(struct writer *writer, enum ruleset_code code)
{
	write_one(writer, &(expr){.kind = RULESET_IMMEDIATE, .immediate.verdict.code = code});
}

static void write_data(struct writer *writer, uint8_t reg, const void *bytes, uint8_t len)
{
	expr e = {.kind = RULESET_IMMEDIATE, .immediate = {.reg = reg, .value.len = len}};

	memcpy(e.immediate.value.bytes, bytes, len);
	write_one(writer, &e);
}

static void write_user(struct writer *writer)
{
	write_one(writer, &(expr){.kind = RULESET_META, .meta.key = NFT_META_SKUID});
	write_one(writer, &(expr){.kind = RULESET_COMPARE, .compare.value.len = 4});
	write_verdict(writer, RULESET_DROP);
}

static void write_translation(struct writer *writer, const uint8_t address[static 4], bool port)
{
	const uint8_t number[] = {PORT >> 8, PORT & 0xff};
	expr e = {.kind = RULESET_TRANSLATE,
		  .translate = {.destination = true,
				.family = RULESET_IPV4,
				.address_reg = 0,
				.address_end_reg = -1,
				.port_reg = port ? 1 : -1,
				.port_end_reg = -1,
				.flags = NF_NAT_RANGE_MAP_IPS |
					 (port ? NF_NAT_RANGE_PROTO_SPECIFIED : 0)}};

	write_data(writer, 0, address, 4);
	if (port)
		write_data(writer, 1, number, sizeof(number));
	write_one(writer, &e);
}

static void write_proxy(struct writer *writer)
{
	static const uint8_t address[] = {127, 0, 0, 1};
	const uint8_t port[] = {(PORT + 1) >> 8, (PORT + 1) & 0xff};

	write_data(writer, 0, address, sizeof(address));
	write_data(writer, 1, port, sizeof(port));
	write_one(writer, &(expr){.kind = RULESET_TPROXY,
				  .tproxy = {RULESET_IPV4, .address_reg = 0, .port_reg = 1}});
}

static void write_deed(struct writer *writer, enum deed deed)
{
	static const uint8_t loopback[] = {127, 0, 0, 1}, stranger[] = {198, 51, 100, 7};

	switch (deed) {
	case DROP_ALL:
		write_verdict(writer, RULESET_DROP);
		break;
	case ACCEPT_ALL:
		write_verdict(writer, RULESET_ACCEPT);
		break;
	case DROP_USER:
		write_user(writer);
		break;
	case TO_LOOPBACK:
		write_translation(writer, loopback, true);
		break;
	case TO_STRANGER:
		write_translation(writer, stranger, false);
		break;
	case SET_MARK:
		write_data(writer, 0, loopback, sizeof(loopback));
		write_one(writer, &(expr){.kind = RULESET_META_SET, .meta_set.key = NFT_META_MARK});
		break;
	case NO_TRACK:
		write_one(writer, &(expr){.kind = RULESET_NOTRACK});
		break;
	case REWRITE:
		write_data(writer, 0, stranger, sizeof(stranger));
		write_one(writer, &(expr){.kind = RULESET_PAYLOAD_SET,
					  .payload_set = {.base = RULESET_NETWORK,
							  .offset = 16,
							  .len = 4,
							  .checksum_type = NFT_PAYLOAD_CSUM_INET,
							  .checksum_offset = 10,
							  .flags = NFT_PAYLOAD_L4CSUM_PSEUDOHDR}});
		break;
	case PROXY:
		write_proxy(writer);
		break;
	case UNKNOWN:
		write_one(writer, &(expr){.kind = RULESET_UNKNOWN, .unknown.name = "exthdr"});
		break;
	case DEEDS:
		break;
	}
}

static void add_table(struct mutate *m, const struct hook *hook, int32_t priority, enum deed deed)
{
	bool translates = deed == TO_LOOPBACK || deed == TO_STRANGER;
	struct ruleset *copy = mutate_begin(m);
	struct writer writer = {.error = false};
	struct ruleset_chain *chain = NULL;
	struct ruleset_table *table;

	if (!copy)
		return;
	table = ruleset_add_table(copy, hook->family, TABLE);
	if (table)
		chain = ruleset_add_chain(table, CHAIN);
	if (chain)
		writer.rule = copy_insert_rule(chain, 0);
	if (!writer.rule) {
		mutate_fail(m, copy);
		return;
	}
	chain->base = true;
	chain->type = translates ? RULESET_NAT : RULESET_FILTER;
	chain->hook = hook->number;
	chain->priority = priority;
	chain->policy = RULESET_ACCEPT;
	chain->every_device = hook->family == RULESET_NETDEV ||
			      (hook->family == RULESET_INET && hook->number == NF_INET_INGRESS);
	write_deed(&writer, deed);
	if (writer.error)
		mutate_fail(m, copy);
	else
		mutate_end(m, copy, "table added", "%s", deed_names[deed]);
}

void mutate_foreign(struct mutate *m)
{
	static const int32_t priorities[] = {-400, -300, -200, -150, -100, -1, 0, 1, 100, 300};

	for (size_t h = 0; h < ARRAY_SIZE(hooks); h++) {
		for (size_t p = 0; p < ARRAY_SIZE(priorities); p++) {
			snprintf(m->at, sizeof(m->at), "added table %s at %s, priority %d",
				 ruleset_family_name(hooks[h].family), hooks[h].name, priorities[p]);
			for (unsigned deed = 0; deed < DEEDS && !m->end; deed++)
				if (is_legal(&hooks[h], (enum deed)deed))
					add_table(m, &hooks[h], priorities[p], (enum deed)deed);
		}
	}
}

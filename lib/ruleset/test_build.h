/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Short words for building rulesets and packets in tests. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/netfilter/nf_tables.h>
#include <netinet/in.h>
#include <linux/netfilter.h>
#include <string.h>

#include "ruleset.h"

#define INGRESS_OF_NETDEV 0
#define EGRESS_OF_NETDEV  1

typedef struct ruleset_expression expr;

/* Bytes and how many there are. */
#define BYTES(...) (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})

static inline struct ruleset_value value(const void *bytes, size_t len)
{
	struct ruleset_value made = {.len = (uint8_t)len};

	assert_true(len <= sizeof(made.bytes));
	memcpy(made.bytes, bytes, len);
	return made;
}

static inline expr meta(uint32_t key, uint8_t reg)
{
	return (expr){.kind = RULESET_META, .meta = {.key = key, .reg = reg}};
}

static inline expr load(enum ruleset_base base, uint32_t offset, uint32_t len, uint8_t reg)
{
	return (expr){
	    .kind = RULESET_PAYLOAD,
	    .payload = {.base = base, .offset = offset, .len = len, .reg = reg},
	};
}

static inline expr compare(enum ruleset_operator how, const void *bytes, size_t len)
{
	return (expr){
	    .kind = RULESET_COMPARE,
	    .compare = {.operator= how, .value = value(bytes, len)},
	};
}

static inline expr is(const void *bytes, size_t len)
{
	return compare(RULESET_EQUAL, bytes, len);
}

/* A number in host order, as meta keys are. */
static inline expr is_u32(uint32_t number)
{
	return is(&number, sizeof(number));
}

static inline expr mask(const void *bytes, size_t len)
{
	expr made = {.kind = RULESET_BITWISE, .bitwise = {.len = (uint32_t)len}};

	made.bitwise.mask = value(bytes, len);
	made.bitwise.xor.len = (uint8_t)len;
	return made;
}

static inline expr verdict_to(enum ruleset_code code, const char *chain)
{
	expr made = {.kind = RULESET_IMMEDIATE, .immediate = {.verdict = {.code = code}}};

	snprintf(made.immediate.verdict.chain, sizeof(made.immediate.verdict.chain), "%s", chain);
	return made;
}

static inline expr verdict(enum ruleset_code code)
{
	return verdict_to(code, "");
}

static inline expr accepts(void)
{
	return verdict(RULESET_ACCEPT);
}

static inline expr drops(void)
{
	return verdict(RULESET_DROP);
}

static inline expr data(uint8_t reg, const void *bytes, size_t len)
{
	expr made = {.kind = RULESET_IMMEDIATE, .immediate = {.reg = reg}};

	made.immediate.value = value(bytes, len);
	return made;
}

static inline expr lookup(const char *set)
{
	expr made = {.kind = RULESET_LOOKUP};

	snprintf(made.lookup.set, sizeof(made.lookup.set), "%s", set);
	return made;
}

static inline expr vmap(const char *map)
{
	expr made = lookup(map);

	made.lookup.map = true;
	made.lookup.verdict_map = true;
	return made;
}

static inline expr update(const char *set)
{
	expr made = {.kind = RULESET_DYNSET, .dynset = {.update = true}};

	snprintf(made.dynset.set, sizeof(made.dynset.set), "%s", set);
	return made;
}

static inline expr reject(uint32_t type, uint8_t code)
{
	return (expr){.kind = RULESET_REJECT, .reject = {.type = type, .code = code}};
}

static inline expr asks_socket(uint32_t key)
{
	return (expr){.kind = RULESET_SOCKET, .socket = {.key = key}};
}

static inline expr tproxy(enum ruleset_family family, int address, int port)
{
	return (expr){
	    .kind = RULESET_TPROXY,
	    .tproxy = {.family = family, .address_reg = (int8_t)address, .port_reg = (int8_t)port},
	};
}

static inline struct ruleset_rule *add_rule(struct ruleset_chain *chain, const char *comment,
					    const expr *expressions, size_t count)
{
	struct ruleset_rule *rule = ruleset_add_rule(chain, comment);

	assert_non_null(rule);
	for (size_t i = 0; i < count; i++)
		assert_non_null(ruleset_add_expression(rule, &expressions[i]));
	return rule;
}

#define RULE(chain, comment, ...)                                                                  \
	add_rule(chain, comment, (const expr[]){__VA_ARGS__},                                      \
		 sizeof((const expr[]){__VA_ARGS__}) / sizeof(expr))

static inline struct ruleset *new_ruleset(void)
{
	struct ruleset *ruleset = ruleset_new();

	assert_non_null(ruleset);
	return ruleset;
}

static inline struct ruleset_chain *base_chain(struct ruleset_table *table, const char *name,
					       uint32_t hook, enum ruleset_code policy)
{
	struct ruleset_chain *chain = ruleset_add_chain(table, name);

	assert_non_null(chain);
	chain->base = true;
	chain->type = RULESET_FILTER;
	chain->hook = hook;
	chain->policy = policy;
	return chain;
}

static inline struct ruleset_set *new_set(struct ruleset_table *table, const char *name,
					  uint32_t key_len)
{
	struct ruleset_set *set = ruleset_add_set(table, name);

	assert_non_null(set);
	set->key_len = key_len;
	return set;
}

static inline void add_key(struct ruleset_set *set, const void *bytes, size_t len)
{
	struct ruleset_element element = {.key = value(bytes, len)};

	assert_non_null(ruleset_add_element(set, &element));
}

static inline void add_range(struct ruleset_set *set, const void *from, size_t len, const void *to,
			     size_t len_to)
{
	struct ruleset_element element = {.key = value(from, len), .key_end = value(to, len_to)};

	assert_non_null(ruleset_add_element(set, &element));
}

static inline void add_verdict(struct ruleset_set *set, enum ruleset_code code, const char *chain,
			       const void *bytes, size_t len)
{
	struct ruleset_element element = {.key = value(bytes, len), .verdict = {.code = code}};

	snprintf(element.verdict.chain, sizeof(element.verdict.chain), "%s", chain);
	assert_non_null(ruleset_add_element(set, &element));
}

/* TCP, opening, from 192.168.1.2:40000 to 203.0.113.5:443, by user 1000. */
static inline struct packet tcp_packet(enum packet_path path)
{
	return (struct packet){
	    .path = path,
	    .ethertype = ETH_P_IP,
	    .owned = path == PACKET_OUTPUT || path == PACKET_FRAME,
	    .uid = 1000,
	    .routed = true,
	    .protocol = IPPROTO_TCP,
	    .source = packet_address4(0xc0a80102),
	    .destination = packet_address4(0xcb007105),
	    .source_port = 40000,
	    .destination_port = 443,
	    .tcp_flags = PACKET_TCP_SYN,
	};
}

static inline struct packet ip6_packet(enum packet_path path)
{
	struct packet packet = tcp_packet(path);

	packet.ethertype = ETH_P_IPV6;
	packet.source = (struct packet_address){{0x20, 0x01, 0x0d, 0xb8, [15] = 1}};
	packet.destination = (struct packet_address){{0x20, 0x01, 0x0d, 0xb8, [15] = 2}};
	return packet;
}

static inline struct packet arp_packet(enum packet_path path)
{
	return (struct packet){
	    .path = path,
	    .ethertype = ETH_P_ARP,
	    .arp_operation = 1,
	    .arp_plain = true,
	};
}

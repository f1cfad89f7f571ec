/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "test_sample.h"

#include <stdio.h>
#include <string.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#define TYPE_VERDICT      0xffffff00u /* nft's numbers of data types */
#define TYPE_IPV4         7u
#define TYPE_PROTOCOL     12u
#define TYPE_SERVICE      13u
#define TYPE_UID          24u
#define TYPE_IPV4_SERVICE (TYPE_IPV4 << 6 | TYPE_SERVICE)

static void *must(void *pointer)
{
	if (!pointer)
		abort();
	return pointer;
}

static struct ruleset_value value(const void *bytes, size_t len)
{
	struct ruleset_value v = {.len = (uint8_t)len};

	memcpy(v.bytes, bytes, len);
	return v;
}

#define VALUE(...) value((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static struct ruleset_chain *add_base(struct ruleset_table *table, const char *name, uint32_t hook,
				      int32_t priority, enum ruleset_code policy)
{
	struct ruleset_chain *chain = must(ruleset_add_chain(table, name));

	chain->base = true;
	chain->type = RULESET_FILTER;
	chain->hook = hook;
	chain->priority = priority;
	chain->policy = policy;
	return chain;
}

static void add_rule(struct ruleset_chain *chain, const char *comment,
		     const struct ruleset_expression *expressions, size_t count)
{
	struct ruleset_rule *rule = must(ruleset_add_rule(chain, comment));

	for (size_t i = 0; i < count; i++)
		must(ruleset_add_expression(rule, &expressions[i]));
}

#define RULE(chain, comment, ...)                                                                  \
	add_rule(chain, comment, (const struct ruleset_expression[]){__VA_ARGS__},                 \
		 ARRAY_SIZE(((const struct ruleset_expression[]){__VA_ARGS__})))

#define META(k, r)                                                                                 \
	{                                                                                          \
		.kind = RULESET_META, .meta = {.key = (k), .reg = (r) }                            \
	}
#define PAYLOAD(b, o, l, r)                                                                        \
	{                                                                                          \
		.kind = RULESET_PAYLOAD, .payload = {(b), (o), (l), (r) }                          \
	}
#define COMPARE(r, op, ...)                                                                        \
	{                                                                                          \
		.kind = RULESET_COMPARE, .compare = {(r), (op), VALUE(__VA_ARGS__) }               \
	}
#define DO(what)                                                                                   \
	{                                                                                          \
		.kind = RULESET_IMMEDIATE, .immediate.verdict = {.code = (what) }                  \
	}
#define CALL(what, name)                                                                           \
	{                                                                                          \
		.kind = RULESET_IMMEDIATE, .immediate.verdict = {(what), name }                    \
	}
#define LOAD(r, ...)                                                                               \
	{                                                                                          \
		.kind = RULESET_IMMEDIATE, .immediate = {.reg = (r), .value = VALUE(__VA_ARGS__) } \
	}
#define COUNTER                                                                                    \
	{                                                                                          \
		.kind = RULESET_COUNTER                                                            \
	}
#define REJECT(t, c)                                                                               \
	{                                                                                          \
		.kind = RULESET_REJECT, .reject = {(t), (c) }                                      \
	}
#define SOCKET(k, r)                                                                               \
	{                                                                                          \
		.kind = RULESET_SOCKET, .socket = {.key = (k), .reg = (r) }                        \
	}
#define LOOKUP(name, r)                                                                            \
	{                                                                                          \
		.kind = RULESET_LOOKUP, .lookup = {.set = #name, .reg = (r) }                      \
	}

/* ---- sets ---- */

static struct ruleset_set *add_set(struct ruleset_table *table, const char *name, uint32_t type,
				   uint32_t len)
{
	struct ruleset_set *set = must(ruleset_add_set(table, name));

	set->key_type = type;
	set->key_len = len;
	return set;
}

static void add_range(struct ruleset_set *set, struct ruleset_value key, struct ruleset_value end)
{
	must(ruleset_add_element(set, &(struct ruleset_element){.key = key, .key_end = end}));
}

/* Intervals at the edges: from 0, side by side, single keys, to the highest. */
static void add_lines(struct ruleset_table *table)
{
	struct ruleset_set *set = add_set(table, "ports", TYPE_SERVICE, 2);

	set->interval = true;
	add_range(set, VALUE(0, 0), VALUE(0, 10));
	add_range(set, VALUE(0, 11), VALUE(0, 11));
	add_range(set, VALUE(0, 12), VALUE(0, 255));
	add_range(set, VALUE(1, 1), VALUE(1, 1));
	add_range(set, VALUE(255, 0), VALUE(255, 255));
	set = add_set(table, "everything", TYPE_IPV4, 4);
	set->interval = set->constant = true;
	add_range(set, VALUE(0, 0, 0, 0), VALUE(255, 255, 255, 255));
	set = add_set(table, "edges", TYPE_IPV4, 4);
	set->interval = true;
	add_range(set, VALUE(0, 0, 0, 0), VALUE(0, 0, 0, 0));
	add_range(set, VALUE(10, 0, 0, 0), VALUE(10, 255, 255, 255));
	add_range(set, VALUE(11, 0, 0, 0), VALUE(11, 255, 255, 255));
	add_range(set, VALUE(255, 255, 255, 255), VALUE(255, 255, 255, 255));
	set = add_set(table, "line_map", TYPE_SERVICE, 2);
	set->interval = set->map = set->verdict_map = true;
	set->data_type = TYPE_VERDICT;
	must(ruleset_add_element(set, &(struct ruleset_element){.key = VALUE(0, 1),
								.key_end = VALUE(0, 9),
								.verdict = {RULESET_ACCEPT}}));
	must(
	    ruleset_add_element(set, &(struct ruleset_element){.key = VALUE(0, 10),
							       .key_end = VALUE(255, 255),
							       .verdict = {RULESET_GOTO, "tail"}}));
}

static void add_maps(struct ruleset_table *table)
{
	static const struct ruleset_verdict verdicts[] = {
	    {RULESET_ACCEPT},       {RULESET_DROP},   {RULESET_JUMP, "leaf"},
	    {RULESET_GOTO, "leaf"}, {RULESET_RETURN}, {RULESET_CONTINUE},
	};
	struct ruleset_set *set = add_set(table, "by_user", TYPE_UID, 4);

	set->map = set->verdict_map = true;
	set->data_type = TYPE_VERDICT;
	for (size_t i = 0; i < ARRAY_SIZE(verdicts); i++)
		must(ruleset_add_element(
		    set, &(struct ruleset_element){.key = VALUE((uint8_t)i, 3, 0, 0),
						   .verdict = verdicts[i]}));
	set = add_set(table, "port_of", TYPE_UID, 4);
	set->map = true;
	set->data_type = TYPE_SERVICE;
	set->data_len = 2;
	must(ruleset_add_element(set, &(struct ruleset_element){.key = VALUE(0xe8, 3, 0, 0),
								.data = VALUE(0x23, 0x50)}));
	set = add_set(table, "__set0", TYPE_PROTOCOL, 1);
	set->anonymous = set->constant = true;
	set->size = 2;
	must(ruleset_add_element(set, &(struct ruleset_element){.key = VALUE(6)}));
	must(ruleset_add_element(set, &(struct ruleset_element){.key = VALUE(17)}));
}

static void add_concatenations(struct ruleset_table *table)
{
	struct ruleset_set *set = add_set(table, "grants", TYPE_UID << 6 | TYPE_SERVICE, 8);

	set->map = set->verdict_map = true;
	set->data_type = TYPE_VERDICT;
	set->field_count = 2;
	set->fields[0] = 4;
	set->fields[1] = 2;
	must(ruleset_add_element(
	    set, &(struct ruleset_element){.key = VALUE(0xe8, 3, 0, 0, 0x23, 0x5a, 0, 0),
					   .verdict = {RULESET_ACCEPT}}));
	must(ruleset_add_element(
	    set, &(struct ruleset_element){.key = VALUE(0, 0, 0, 0, 0x23, 0x5b, 0, 0),
					   .verdict = {RULESET_JUMP, "leaf"}}));
	set = add_set(table, "areas", TYPE_IPV4_SERVICE, 8);
	set->interval = true;
	set->field_count = 2;
	set->fields[0] = 4;
	set->fields[1] = 2;
	add_range(set, VALUE(10, 0, 0, 0, 0, 1, 0, 0), VALUE(10, 255, 255, 255, 0, 9, 0, 0));
	add_range(set, VALUE(11, 0, 0, 1, 0, 0, 0, 0), VALUE(11, 0, 0, 1, 255, 255, 0, 0));
	set = add_set(table, "triples", (TYPE_IPV4 << 6 | TYPE_IPV4) << 6 | TYPE_SERVICE, 12);
	set->field_count = 3;
	set->fields[0] = set->fields[1] = 4;
	set->fields[2] = 2;
	must(ruleset_add_element(
	    set, &(struct ruleset_element){.key = VALUE(1, 2, 3, 4, 5, 6, 7, 8, 0, 9, 0, 0)}));
	set = add_set(table, "expected", TYPE_IPV4_SERVICE, 8);
	set->dynamic = set->timeout = true;
	set->timeout_ms = 30000;
	set->size = 65535;
	set->field_count = 2;
	set->fields[0] = 4;
	set->fields[1] = 2;
}

/* ---- chains ---- */

static void fill_output(struct ruleset_chain *chain)
{
	RULE(chain, "owned: by owner", META(NFT_META_SKUID, 0),
	     COMPARE(0, RULESET_GREATER_EQUAL, 0, 0, 0, 0), COUNTER, META(NFT_META_SKUID, 0),
	     {.kind = RULESET_LOOKUP,
	      .lookup = {.set = "by_user", .reg = 0, .map = true, .verdict_map = true}});
	RULE(chain, "opening segments, and a grant's place", META(NFT_META_L4PROTO, 3),
	     COMPARE(3, RULESET_EQUAL, 6), PAYLOAD(RULESET_TRANSPORT, 13, 1, 15),
	     {.kind = RULESET_BITWISE,
	      .bitwise = {.source = 15, .reg = 14, .len = 1, .mask = VALUE(0x17), .xor = VALUE(0)}},
	     COMPARE(14, RULESET_EQUAL, 2), DO(RULESET_ACCEPT));
	RULE(chain, "", META(NFT_META_SKUID, 8), PAYLOAD(RULESET_TRANSPORT, 2, 2, 9),
	     {.kind = RULESET_LOOKUP,
	      .lookup = {.set = "grants", .reg = 8, .map = true, .verdict_map = true}});
	RULE(chain, "", META(NFT_META_SKUID, 4),
	     {.kind = RULESET_LOOKUP,
	      .lookup = {.set = "port_of", .reg = 4, .map = true, .destination = 5}},
	     COMPARE(5, RULESET_EQUAL, 0x23, 0x50), DO(RULESET_DROP));
	RULE(chain, "", META(NFT_META_L4PROTO, 0), LOOKUP(__set0, 0), DO(RULESET_RETURN));
	RULE(chain, "", PAYLOAD(RULESET_NETWORK, 16, 4, 0),
	     {.kind = RULESET_LOOKUP, .lookup = {.set = "edges", .inverted = true}},
	     REJECT(NFT_REJECT_TCP_RST, 0));
	RULE(chain, "", PAYLOAD(RULESET_NETWORK, 16, 4, 1), LOOKUP(everything, 1),
	     REJECT(NFT_REJECT_ICMPX_UNREACH, NFT_REJECT_ICMPX_PORT_UNREACH));
	RULE(chain, "", META(NFT_META_NFPROTO, 0), COMPARE(0, RULESET_NOT_EQUAL, 10),
	     REJECT(NFT_REJECT_ICMP_UNREACH, 3));
	RULE(chain, "", PAYLOAD(RULESET_NETWORK, 16, 4, 4), PAYLOAD(RULESET_TRANSPORT, 2, 2, 5),
	     LOOKUP(areas, 4), CALL(RULESET_JUMP, "leaf"));
	RULE(chain, "", PAYLOAD(RULESET_NETWORK, 12, 8, 0), PAYLOAD(RULESET_TRANSPORT, 2, 2, 2),
	     LOOKUP(triples, 0), CALL(RULESET_GOTO, "leaf"));
	RULE(chain, "", PAYLOAD(RULESET_NETWORK, 16, 4, 0), PAYLOAD(RULESET_TRANSPORT, 2, 2, 1),
	     {.kind = RULESET_DYNSET,
	      .dynset = {.set = "expected", .reg = 0, .update = true, .timeout_ms = 4000}});
	RULE(chain, "", PAYLOAD(RULESET_NETWORK, 16, 4, 0), PAYLOAD(RULESET_TRANSPORT, 2, 2, 1),
	     {.kind = RULESET_DYNSET, .dynset = {.set = "expected", .reg = 0}});
}

static void fill_leaf(struct ruleset_chain *chain)
{
	RULE(chain, "", PAYLOAD(RULESET_TRANSPORT, 2, 2, 0), LOOKUP(ports, 0), DO(RULESET_ACCEPT));
	RULE(chain, "", PAYLOAD(RULESET_TRANSPORT, 2, 2, 0),
	     {.kind = RULESET_LOOKUP,
	      .lookup = {.set = "line_map", .map = true, .verdict_map = true}});
	RULE(chain, "", PAYLOAD(RULESET_TRANSPORT, 0, 2, 7),
	     {.kind = RULESET_RANGE, .range = {7, RULESET_EQUAL, VALUE(0, 1), VALUE(0, 9)}},
	     DO(RULESET_CONTINUE));
	RULE(chain, "", PAYLOAD(RULESET_TRANSPORT, 0, 2, 0),
	     {.kind = RULESET_RANGE, .range = {0, RULESET_NOT_EQUAL, VALUE(0, 1), VALUE(0, 9)}},
	     DO(RULESET_BREAK));
	for (unsigned op = RULESET_EQUAL; op <= RULESET_GREATER_EQUAL; op++)
		RULE(chain, "", META(NFT_META_MARK, 0),
		     COMPARE(0, (enum ruleset_operator)op, 1, 2, 3, 4), COUNTER);
	RULE(chain, "", META(NFT_META_OIFNAME, 0),
	     COMPARE(0, RULESET_EQUAL, 'l', 'o', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
	     DO(RULESET_DROP));
}

static void fill_prerouting(struct ruleset_chain *chain)
{
	RULE(chain, "", SOCKET(NFT_SOCKET_TRANSPARENT, 0), COMPARE(0, RULESET_EQUAL, 1),
	     SOCKET(NFT_SOCKET_WILDCARD, 0), COMPARE(0, RULESET_EQUAL, 0), DO(RULESET_ACCEPT));
	RULE(chain, "", META(NFT_META_L4PROTO, 0), COMPARE(0, RULESET_EQUAL, 6),
	     LOAD(0, 127, 0, 0, 1), LOAD(4, 0x23, 0x50),
	     {.kind = RULESET_TPROXY, .tproxy = {RULESET_IPV4, 0, 4}}, DO(RULESET_ACCEPT));
	RULE(chain, "", META(NFT_META_L4PROTO, 0), COMPARE(0, RULESET_EQUAL, 17),
	     LOAD(3, 0x23, 0x50), {.kind = RULESET_TPROXY, .tproxy = {0, -1, 3}},
	     DO(RULESET_ACCEPT));
	RULE(chain, "", SOCKET(NFT_SOCKET_MARK, 0), COMPARE(0, RULESET_LESS, 1, 0, 0, 0));
	RULE(chain, "",
	     {.kind = RULESET_SOCKET, .socket = {.key = NFT_SOCKET_CGROUPV2, .level = 2, .reg = 4}},
	     COMPARE(4, RULESET_EQUAL, 1, 0, 0, 0, 0, 0, 0, 0), DO(RULESET_DROP));
}

struct ruleset *sample_full(const char *device)
{
	struct ruleset *ruleset = must(ruleset_new());
	struct ruleset_table *table = must(ruleset_add_table(ruleset, RULESET_INET, "lethe-test"));
	struct ruleset_chain *chain;

	add_lines(table);
	add_maps(table);
	add_concatenations(table);
	fill_leaf(must(ruleset_add_chain(table, "leaf")));
	must(ruleset_add_chain(table, "tail"));
	fill_output(add_base(table, "output", NF_INET_LOCAL_OUT, 0, RULESET_DROP));
	fill_prerouting(add_base(table, "prerouting", NF_INET_PRE_ROUTING, -150, RULESET_ACCEPT));
	add_base(table, "forward", NF_INET_FORWARD, INT32_MIN + 10, RULESET_DROP);
	table = must(ruleset_add_table(ruleset, RULESET_NETDEV, "lethe-test"));
	chain = add_base(table, "egress", NF_NETDEV_EGRESS, 0, RULESET_DROP);
	chain->every_device = true;
	RULE(chain, "frames", META(NFT_META_PROTOCOL, 0), COMPARE(0, RULESET_EQUAL, 8, 6),
	     PAYLOAD(RULESET_LINK, 12, 2, 0), COMPARE(0, RULESET_EQUAL, 8, 6), DO(RULESET_ACCEPT));
	chain = add_base(table, "ingress", NF_NETDEV_INGRESS, -500, RULESET_ACCEPT);
	if (ruleset_add_device(chain, device) < 0)
		abort();
	ruleset_sort(ruleset);
	return ruleset;
}

struct ruleset *sample_large(size_t count, bool interval)
{
	struct ruleset *ruleset = must(ruleset_new());
	struct ruleset_table *table = must(ruleset_add_table(ruleset, RULESET_INET, "lethe-test"));
	struct ruleset_chain *chain = must(ruleset_add_chain(table, "many"));
	struct ruleset_set *set = add_set(table, "large", TYPE_IPV4, 4);

	set->interval = interval;
	for (size_t i = 0; i < count; i++) {
		uint32_t at = (uint32_t)(i * 4 + 1);
		struct ruleset_value key = VALUE((uint8_t)(at >> 24), (uint8_t)(at >> 16),
						 (uint8_t)(at >> 8), (uint8_t)at);
		struct ruleset_value end = key;

		end.bytes[3] = (uint8_t)(end.bytes[3] + i % 3);
		add_range(set, key, interval ? end : (struct ruleset_value){0});
		if (i % 100 == 0)
			RULE(chain, "one of many", PAYLOAD(RULESET_NETWORK, 16, 4, 0),
			     COMPARE(0, RULESET_EQUAL, key.bytes[0], key.bytes[1], key.bytes[2],
				     key.bytes[3]),
			     DO(RULESET_ACCEPT));
	}
	ruleset_sort(ruleset);
	return ruleset;
}

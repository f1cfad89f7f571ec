/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Each expression of a rule, changed alone. */
#include "mutate-internal.h"

#include <linux/netfilter/nf_tables.h>
#include <stdarg.h>
#include <string.h>

/* One expression of the rule where the walk stands. */
struct place {
	struct mutate *m;
	size_t at;
	const struct ruleset_expression *was;
};

static void put(const struct place *place, const struct ruleset_expression *altered,
		const char *kind, const char *format, ...) PRINTF(4, 5);

static void put(const struct place *place, const struct ruleset_expression *altered,
		const char *kind, const char *format, ...)
{
	struct ruleset *copy = mutate_begin(place->m);
	char what[200];
	va_list args;

	if (!copy)
		return;
	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	mutate_rule(place->m, copy)->expressions[place->at] = *altered;
	mutate_end(place->m, copy, kind, "expression %zu: %s", place->at + 1, what);
}

/* @value is a part of @altered, which is given back unchanged. */
static void change_value(const struct place *place, struct ruleset_expression *altered,
			 struct ruleset_value *value, bool bits, const char *kind, const char *name)
{
	const struct ruleset_value was = *value;
	struct mutate_change change = {0};

	for (unsigned i = 0; mutate_value(&was, 0, was.len, bits, i, &change); i++) {
		*value = change.value;
		put(place, altered, kind, "%s %s", name, change.how);
	}
	*value = was;
}

/* The next register up and down, where there is one. */
static void change_register(const struct place *place, struct ruleset_expression *altered,
			    uint8_t *reg, const char *name)
{
	const uint8_t was = *reg;

	for (int step = -1; step <= 1; step += 2) {
		int other = was + step;

		if (other < 0 || other >= RULESET_REGISTERS)
			continue;
		*reg = (uint8_t)other;
		put(place, altered, "register changed", "%s register %d, not %u", name, other, was);
	}
	*reg = was;
}

static void change_meta(const struct place *place, struct ruleset_expression e)
{
	/* Keys of one width can stand for each other. */
	static const struct {
		uint32_t key, width;
	} keys[] = {
	    {NFT_META_IIF, 4},      {NFT_META_OIF, 4},      {NFT_META_SKUID, 4},
	    {NFT_META_SKGID, 4},    {NFT_META_MARK, 4},     {NFT_META_RTCLASSID, 4},
	    {NFT_META_LEN, 4},      {NFT_META_PRIORITY, 4}, {NFT_META_CGROUP, 4},
	    {NFT_META_L4PROTO, 1},  {NFT_META_NFPROTO, 1},  {NFT_META_PKTTYPE, 1},
	    {NFT_META_PROTOCOL, 2}, {NFT_META_IIFTYPE, 2},  {NFT_META_OIFTYPE, 2},
	    {NFT_META_IIFNAME, 16}, {NFT_META_OIFNAME, 16},
	};
	const uint32_t was = e.meta.key;
	uint32_t width = 0;

	change_register(place, &e, &e.meta.reg, "into");
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (keys[i].key == was)
			width = keys[i].width;
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		if (keys[i].width != width || keys[i].key == was)
			continue;
		e.meta.key = keys[i].key;
		put(place, &e, "meta key changed", "meta key %u, not %u", e.meta.key, was);
	}
}

static void change_payload(const struct place *place, struct ruleset_expression e)
{
	const struct ruleset_expression was = e;

	change_register(place, &e, &e.payload.reg, "into");
	for (int step = -1; step <= 1; step += 2) {
		if (step > 0 || was.payload.offset > 0) {
			e.payload.offset = was.payload.offset + (uint32_t)step;
			put(place, &e, "payload offset changed", "offset %u, not %u",
			    e.payload.offset, was.payload.offset);
		}
		e = was;
		if (step > 0 || was.payload.len > 1) {
			e.payload.len = was.payload.len + (uint32_t)step;
			put(place, &e, "payload length changed", "%u bytes, not %u", e.payload.len,
			    was.payload.len);
		}
		e = was;
	}
	for (unsigned base = RULESET_LINK; base <= RULESET_TRANSPORT; base++) {
		e.payload.base = (enum ruleset_base)base;
		put(place, &e, "payload base changed", "base %u, not %u", base, was.payload.base);
	}
}

static void change_compare(const struct place *place, struct ruleset_expression e)
{
	const enum ruleset_operator was = e.compare.operator;

	change_register(place, &e, &e.compare.reg, "of");
	change_value(place, &e, &e.compare.value, false, "compared value changed", "value");
	for (unsigned i = RULESET_EQUAL; i <= RULESET_GREATER_EQUAL; i++) {
		e.compare.operator=(enum ruleset_operator) i;
		put(place, &e, "comparison changed", "operator %u, not %u", i, was);
	}
}

static void change_bitwise(const struct place *place, struct ruleset_expression e)
{
	change_register(place, &e, &e.bitwise.source, "of");
	change_register(place, &e, &e.bitwise.reg, "into");
	change_value(place, &e, &e.bitwise.mask, true, "mask changed", "mask");
	change_value(place, &e, &e.bitwise.xor, true, "xor changed", "xor");
}

static void change_range(const struct place *place, struct ruleset_expression e)
{
	change_register(place, &e, &e.range.reg, "of");
	change_value(place, &e, &e.range.from, false, "range changed", "first");
	change_value(place, &e, &e.range.to, false, "range changed", "last");
	e.range.operator= e.range.operator== RULESET_EQUAL ? RULESET_NOT_EQUAL : RULESET_EQUAL;
	put(place, &e, "comparison changed", "inside for outside");
}

/* Sets that can stand for another: what they hold is as long, and leads to the same kind of thing.
 */
static bool alike(const struct ruleset_set *a, const struct ruleset_set *b)
{
	return a->key_len == b->key_len && a->map == b->map && a->verdict_map == b->verdict_map &&
	       a->data_len == b->data_len;
}

/* @name, a part of @altered, leads to each other set of the kind. */
static void change_set(const struct place *place, struct ruleset_expression *altered,
		       char name[static RULESET_NAME_MAX + 1], const char *kind)
{
	const struct ruleset_table *table = place->m->table;
	const struct ruleset_set *was = ruleset_find_set(table, name);

	for (size_t i = 0; was && i < table->set_count; i++) {
		const struct ruleset_set *set = &table->sets[i];

		if (set == was || !alike(set, was))
			continue;
		snprintf(name, RULESET_NAME_MAX + 1, "%s", set->name);
		put(place, altered, kind, "set %s, not %s", set->name, was->name);
	}
	if (was)
		snprintf(name, RULESET_NAME_MAX + 1, "%s", was->name);
}

static void change_lookup(const struct place *place, struct ruleset_expression e)
{
	change_register(place, &e, &e.lookup.reg, "of");
	if (e.lookup.map && !e.lookup.verdict_map)
		change_register(place, &e, &e.lookup.destination, "into");
	change_set(place, &e, e.lookup.set, "looked-up set changed");
	e.lookup.inverted = !e.lookup.inverted;
	put(place, &e, "lookup inverted", "inverted");
}

static void change_dynset(const struct place *place, struct ruleset_expression e)
{
	change_register(place, &e, &e.dynset.reg, "of");
	change_set(place, &e, e.dynset.set, "filled set changed");
	e.dynset.update = !e.dynset.update;
	put(place, &e, "update changed", "update for add");
	e.dynset.update = !e.dynset.update;
	e.dynset.timeout_ms += 86400000;
	put(place, &e, "update changed", "a day longer");
}

static void change_immediate(const struct place *place, struct ruleset_expression e)
{
	const struct ruleset_verdict was = e.immediate.verdict;
	char text[96], old[96];

	if (was.code == RULESET_NONE) {
		change_register(place, &e, &e.immediate.reg, "into");
		change_value(place, &e, &e.immediate.value, false, "immediate value changed",
			     "value");
		return;
	}
	for (unsigned i = 0; mutate_verdict(place->m, &was, i, &e.immediate.verdict); i++)
		put(place, &e, "verdict changed", "%s, not %s",
		    mutate_verdict_text(&e.immediate.verdict, text),
		    mutate_verdict_text(&was, old));
}

static void change_reject(const struct place *place, struct ruleset_expression e)
{
	static const struct {
		uint32_t type;
		uint8_t code;
	} kinds[] = {
	    {NFT_REJECT_TCP_RST, 0},
	    {NFT_REJECT_ICMPX_UNREACH, NFT_REJECT_ICMPX_NO_ROUTE},
	    {NFT_REJECT_ICMPX_UNREACH, NFT_REJECT_ICMPX_PORT_UNREACH},
	    {NFT_REJECT_ICMPX_UNREACH, NFT_REJECT_ICMPX_HOST_UNREACH},
	    {NFT_REJECT_ICMPX_UNREACH, NFT_REJECT_ICMPX_ADMIN_PROHIBITED},
	    {NFT_REJECT_ICMP_UNREACH, 3},
	    {NFT_REJECT_ICMP_UNREACH, 13},
	};
	static const enum ruleset_code codes[] = {RULESET_ACCEPT, RULESET_DROP, RULESET_RETURN};
	char text[96];

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		e.reject.type = kinds[i].type;
		e.reject.code = kinds[i].code;
		put(place, &e, "rejection changed", "reject type %u code %u", kinds[i].type,
		    kinds[i].code);
	}
	for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
		struct ruleset_expression end = {.kind = RULESET_IMMEDIATE};

		end.immediate.verdict.code = codes[i];
		put(place, &end, "rejection changed", "%s in place of a rejection",
		    mutate_verdict_text(&end.immediate.verdict, text));
	}
}

static void change_socket(const struct place *place, struct ruleset_expression e)
{
	const uint32_t was = e.socket.key;

	change_register(place, &e, &e.socket.reg, "into");
	for (uint32_t key = NFT_SOCKET_TRANSPARENT; key <= NFT_SOCKET_WILDCARD; key++) {
		e.socket.key = key;
		put(place, &e, "socket key changed", "socket key %u, not %u", key, was);
	}
}

static void change_tproxy(const struct place *place, struct ruleset_expression e)
{
	static const enum ruleset_family families[] = {(enum ruleset_family)0, RULESET_IPV4,
						       RULESET_IPV6};
	const struct ruleset_expression was = e;

	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		e.tproxy.family = families[i];
		put(place, &e, "proxy changed", "tproxy for family %u", families[i]);
	}
	for (int reg = -1; reg < 4; reg++) {
		e = was;
		e.tproxy.address_reg = (int8_t)reg;
		put(place, &e, "proxy changed", "tproxy's address from register %d", reg);
		e = was;
		e.tproxy.port_reg = (int8_t)reg;
		put(place, &e, "proxy changed", "tproxy's port from register %d", reg);
	}
}

static void change_expression(const struct place *place)
{
	const struct ruleset_expression *e = place->was;

	switch (e->kind) {
	case RULESET_META:
		change_meta(place, *e);
		break;
	case RULESET_PAYLOAD:
		change_payload(place, *e);
		break;
	case RULESET_COMPARE:
		change_compare(place, *e);
		break;
	case RULESET_BITWISE:
		change_bitwise(place, *e);
		break;
	case RULESET_RANGE:
		change_range(place, *e);
		break;
	case RULESET_LOOKUP:
		change_lookup(place, *e);
		break;
	case RULESET_DYNSET:
		change_dynset(place, *e);
		break;
	case RULESET_IMMEDIATE:
		change_immediate(place, *e);
		break;
	case RULESET_REJECT:
		change_reject(place, *e);
		break;
	case RULESET_SOCKET:
		change_socket(place, *e);
		break;
	case RULESET_TPROXY:
		change_tproxy(place, *e);
		break;
	/* Lethe's own rules have none of these; deleting them is all that is done to them. */
	case RULESET_UNKNOWN:
	case RULESET_COUNTER:
	case RULESET_META_SET:
	case RULESET_PAYLOAD_SET:
	case RULESET_SHIFT:
	case RULESET_BYTEORDER:
	case RULESET_CONNECTION:
	case RULESET_CONNECTION_SET:
	case RULESET_TRANSLATE:
	case RULESET_REDIRECT:
	case RULESET_MASQUERADE:
	case RULESET_NOTRACK:
	case RULESET_ROUTE_LOOKUP:
	case RULESET_ROUTE_FIELD:
	case RULESET_LIMIT:
	case RULESET_NUMBER:
	case RULESET_NO_EFFECT:
	case RULESET_OBJECT:
		break;
	}
}

void mutate_expressions(struct mutate *m)
{
	for (size_t i = 0; i < m->rule->count; i++) {
		const struct place place = {m, i, &m->rule->expressions[i]};
		struct ruleset *copy = mutate_begin(m);

		if (!copy)
			return;
		copy_delete_expression(mutate_rule(m, copy), i);
		mutate_end(m, copy, "expression deleted", "expression %zu: deleted", i + 1);
		change_expression(&place);
	}
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Random rulesets. */
#include "test_sample.h"

#include <stdio.h>
#include <string.h>

#include <linux/netfilter/nf_tables.h>

#define TYPE_VERDICT 0xffffff00u /* nft's numbers of data types */

static void *must(void *pointer)
{
	if (!pointer)
		abort();
	return pointer;
}

static uint32_t draw(uint64_t *state, uint32_t below)
{
	/* xorshift64*; the seed is never 0 */
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return (uint32_t)((*state * UINT64_C(2685821657736338717)) >> 32) % below;
}

static struct ruleset_value draw_value(uint64_t *state, size_t len)
{
	struct ruleset_value v = {.len = (uint8_t)len};

	for (size_t i = 0; i < len; i++)
		v.bytes[i] = (uint8_t)draw(state, 256);
	return v;
}

static const char *const chain_names[] = {"a", "b-chain", "c_chain"};
static const char *const set_names[] = {"s", "t_set", "u"};

static struct ruleset_verdict draw_verdict(uint64_t *state)
{
	struct ruleset_verdict v = {.code = RULESET_ACCEPT + draw(state, RULESET_BREAK)};

	if (v.code == RULESET_JUMP || v.code == RULESET_GOTO)
		snprintf(v.chain, sizeof(v.chain), "%s", chain_names[draw(state, 3)]);
	return v;
}

/* A register with room for @len bytes. */
static uint8_t draw_register(uint64_t *state, size_t len)
{
	return (uint8_t)draw(state, (uint32_t)(RULESET_REGISTERS - (len + 3) / 4 + 1));
}

static void draw_set_use(uint64_t *state, struct ruleset_expression *e)
{
	const char *name = set_names[draw(state, 3)];

	if (e->kind == RULESET_DYNSET) {
		snprintf(e->dynset.set, sizeof(e->dynset.set), "%s", name);
		e->dynset.reg = draw_register(state, 1);
		e->dynset.update = draw(state, 2);
		e->dynset.timeout_ms = draw(state, 2) * (uint64_t)draw(state, UINT32_MAX) * 1000;
		return;
	}
	snprintf(e->lookup.set, sizeof(e->lookup.set), "%s", name);
	e->lookup.reg = draw_register(state, 1);
	e->lookup.map = draw(state, 2);
	if (!e->lookup.map)
		e->lookup.inverted = draw(state, 2);
	else if (draw(state, 2))
		e->lookup.verdict_map = true;
	else
		e->lookup.destination = draw_register(state, 4);
}

/* Kinds that move or compare @len bytes from or to @reg. */
static void draw_bytes(uint64_t *state, struct ruleset_expression *e, size_t len, uint8_t reg)
{
	switch ((int)e->kind) {
	case RULESET_PAYLOAD:
		e->payload.base = RULESET_LINK + draw(state, 3);
		e->payload.offset = draw(state, 256);
		e->payload.len = (uint32_t)len;
		e->payload.reg = reg;
		break;
	case RULESET_COMPARE:
		e->compare.reg = reg;
		e->compare.operator= RULESET_EQUAL + draw(state, 6);
		e->compare.value = draw_value(state, len);
		break;
	case RULESET_BITWISE:
		e->bitwise.source = reg;
		e->bitwise.reg = draw_register(state, len);
		e->bitwise.len = (uint32_t)len;
		e->bitwise.mask = draw_value(state, len);
		e->bitwise.xor = draw_value(state, len);
		break;
	case RULESET_RANGE:
		e->range.reg = reg;
		e->range.operator= RULESET_EQUAL + draw(state, 2);
		e->range.from = draw_value(state, len);
		e->range.to = draw_value(state, len);
		break;
	default: /* RULESET_IMMEDIATE */
		e->immediate.reg = reg;
		e->immediate.value = draw_value(state, len);
		break;
	}
}

/* A register or none. */
static int8_t draw_maybe(uint64_t *state, size_t len)
{
	return draw(state, 2) ? (int8_t)draw_register(state, len) : -1;
}

static void draw_translation(uint64_t *state, struct ruleset_expression *e)
{
	bool ipv6 = draw(state, 2);
	size_t len = ipv6 ? 16 : 4;

	if (e->kind != RULESET_TRANSLATE) {
		e->redirect.port_reg = draw_maybe(state, 2);
		e->redirect.port_end_reg = e->redirect.port_reg < 0 ? -1 : draw_maybe(state, 2);
		e->redirect.flags = draw(state, 64);
		return;
	}
	e->translate.destination = draw(state, 2);
	e->translate.family = ipv6 ? RULESET_IPV6 : RULESET_IPV4;
	e->translate.address_reg = draw_maybe(state, len);
	e->translate.address_end_reg = e->translate.address_reg < 0 ? -1 : draw_maybe(state, len);
	e->translate.port_reg =
	    e->translate.address_reg < 0 ? (int8_t)draw_register(state, 2) : draw_maybe(state, 2);
	e->translate.port_end_reg = e->translate.port_reg < 0 ? -1 : draw_maybe(state, 2);
	e->translate.flags = draw(state, 128);
	if (e->translate.address_reg < 0 && draw(state, 2))
		e->translate.family = RULESET_INET;
}

static void draw_limit(uint64_t *state, struct ruleset_expression *e)
{
	static const char *const names[] = {"limit", "quota", "connlimit"};
	uint32_t which = draw(state, 3);

	snprintf(e->limit.name, sizeof(e->limit.name), "%s", names[which]);
	e->limit.settings[0] = draw(state, UINT32_MAX);
	e->limit.settings[1] = draw(state, 2);
	for (size_t i = 1; which == 0 && i < ARRAY_SIZE(e->limit.settings); i++)
		e->limit.settings[i] = draw(state, UINT32_MAX);
}

static void draw_arithmetic(uint64_t *state, struct ruleset_expression *e, uint32_t len,
			    uint8_t reg)
{
	if (e->kind == RULESET_SHIFT) {
		e->shift.source = reg;
		e->shift.reg = draw_register(state, len);
		e->shift.len = len;
		e->shift.left = draw(state, 2);
		e->shift.bits = 1 + draw(state, 31);
		return;
	}
	e->byteorder.size = 2u << draw(state, 3);
	e->byteorder.len = e->byteorder.size * (1 + draw(state, 4));
	e->byteorder.source = draw_register(state, e->byteorder.len);
	e->byteorder.reg = draw_register(state, e->byteorder.len);
	e->byteorder.op = draw(state, 2);
}

static void draw_connection(uint64_t *state, struct ruleset_expression *e, uint8_t reg)
{
	uint32_t key = draw(state, 24);
	int8_t direction = (int8_t)((int)draw(state, 3) - 1);

	if (e->kind == RULESET_CONNECTION) {
		e->connection.key = key;
		e->connection.direction = direction;
		e->connection.reg = reg;
	} else {
		e->connection_set.key = key;
		e->connection_set.direction = direction;
		e->connection_set.reg = reg;
	}
}

/* What only the rules of others contain. */
static void draw_foreign(uint64_t *state, struct ruleset_expression *e, uint32_t len, uint8_t reg)
{
	switch ((int)e->kind) {
	case RULESET_NOTRACK:
		break;
	case RULESET_SHIFT:
	case RULESET_BYTEORDER:
		draw_arithmetic(state, e, len, reg);
		break;
	case RULESET_TRANSLATE:
	case RULESET_REDIRECT:
	case RULESET_MASQUERADE:
		draw_translation(state, e);
		break;
	case RULESET_LIMIT:
		draw_limit(state, e);
		break;
	case RULESET_META_SET:
		e->meta_set.key = draw(state, 40);
		e->meta_set.reg = reg;
		break;
	case RULESET_PAYLOAD_SET:
		e->payload_set.base = RULESET_LINK + draw(state, 3);
		e->payload_set.offset = draw(state, 256);
		e->payload_set.len = len;
		e->payload_set.reg = reg;
		e->payload_set.checksum_type = draw(state, 3);
		e->payload_set.checksum_offset = draw(state, 256);
		e->payload_set.flags = draw(state, 2);
		break;
	case RULESET_CONNECTION:
	case RULESET_CONNECTION_SET:
		draw_connection(state, e, reg);
		break;
	case RULESET_ROUTE_LOOKUP:
		e->route_lookup.result = draw(state, 4);
		e->route_lookup.flags = draw(state, 64);
		e->route_lookup.reg = reg;
		break;
	case RULESET_ROUTE_FIELD:
		e->route_field.key = draw(state, 5);
		e->route_field.reg = reg;
		break;
	case RULESET_NUMBER:
		e->number.modulus = 1 + draw(state, 1u << 31);
		e->number.offset = draw(state, 1u << 31);
		e->number.type = draw(state, 2);
		e->number.reg = reg;
		break;
	case RULESET_NO_EFFECT:
		snprintf(e->no_effect.name, sizeof(e->no_effect.name), "%s",
			 draw(state, 2) ? "log" : "last");
		if (e->no_effect.name[1] == 'o')
			e->no_effect.group = (uint16_t)draw(state, 3);
		break;
	default: /* RULESET_OBJECT */
		e->object.type = draw(state, 11);
		snprintf(e->object.object, sizeof(e->object.object), "object%u", draw(state, 3));
		break;
	}
}

static struct ruleset_expression draw_expression(uint64_t *state)
{
	struct ruleset_expression e = {.kind = RULESET_META + draw(state, RULESET_OBJECT)};
	size_t len = 1 + draw(state, RULESET_DATA_MAX);
	uint8_t reg = draw_register(state, len);

	switch ((int)e.kind) {
	case RULESET_META:
		e.meta.key = draw(state, 40);
		e.meta.reg = reg;
		break;
	case RULESET_LOOKUP:
	case RULESET_DYNSET:
		draw_set_use(state, &e);
		break;
	case RULESET_IMMEDIATE:
		if (draw(state, 2))
			e.immediate.verdict = draw_verdict(state);
		else
			draw_bytes(state, &e, len, reg);
		break;
	case RULESET_REJECT:
		e.reject.type = draw(state, 3);
		e.reject.code = (uint8_t)draw(state, 256);
		break;
	case RULESET_SOCKET:
		e.socket.key = draw(state, 4);
		e.socket.level = e.socket.key == NFT_SOCKET_CGROUPV2 ? draw(state, 256) : 0;
		e.socket.reg = reg;
		break;
	case RULESET_TPROXY:
		e.tproxy.family = draw(state, 2) ? RULESET_IPV4 : RULESET_IPV6;
		e.tproxy.address_reg = (int8_t)((int)draw(state, 17) - 1);
		e.tproxy.port_reg = (int8_t)draw(state, 16);
		break;
	case RULESET_PAYLOAD:
	case RULESET_COMPARE:
	case RULESET_BITWISE:
	case RULESET_RANGE:
		draw_bytes(state, &e, len, reg);
		break;
	case RULESET_COUNTER:
	case RULESET_UNKNOWN:
		break;
	default:
		draw_foreign(state, &e, (uint32_t)len, reg);
		break;
	}
	return e;
}

static struct ruleset_value port(uint32_t number)
{
	return (struct ruleset_value){.bytes = {(uint8_t)(number >> 8), (uint8_t)number}, .len = 2};
}

/* Ranges that do not touch out of order: each key lies above the last end. */
static void draw_line(uint64_t *state, struct ruleset_set *set)
{
	uint32_t at = draw(state, 3), top = 0xffff;

	set->key_len = 2;
	while (at <= top) {
		uint32_t end = at + (draw(state, 2) ? 0 : draw(state, 4000));
		struct ruleset_element e = {0};

		if (end > top)
			end = top;
		e.key = port(at);
		e.key_end = port(end);
		if (set->verdict_map)
			e.verdict = draw_verdict(state);
		else if (set->map)
			e.data = draw_value(state, set->data_len);
		must(ruleset_add_element(set, &e));
		at = end + 1 + (draw(state, 2) ? 0 : draw(state, 4000));
	}
}

static void draw_fields(uint64_t *state, struct ruleset_set *set)
{
	set->key_len = 0;
	set->field_count = 2 + draw(state, 3);
	for (size_t i = 0; i < set->field_count; i++) {
		set->fields[i] = (uint8_t)(1 + draw(state, 16));
		set->key_len += (set->fields[i] + 3u) & ~3u;
	}
}

static void draw_set(uint64_t *state, struct ruleset_set *set)
{
	set->key_type = draw(state, 1u << 18);
	set->map = draw(state, 2);
	set->verdict_map = set->map && draw(state, 2);
	set->constant = draw(state, 2);
	set->anonymous = draw(state, 4) == 0;
	set->interval = draw(state, 2);
	set->size = draw(state, 2) * draw(state, 100000);
	if (set->verdict_map)
		set->data_type = TYPE_VERDICT;
	else if (set->map) {
		set->data_type = draw(state, 47);
		set->data_len = 1 + draw(state, RULESET_DATA_MAX);
	}
	if (set->interval && draw(state, 2)) {
		draw_line(state, set);
		return;
	}
	set->key_len = 8 + draw(state, RULESET_DATA_MAX - 7);
	if (set->interval || draw(state, 2))
		draw_fields(state, set);
	if (!set->interval && draw(state, 4) == 0) {
		set->dynamic = true;
		set->timeout = draw(state, 2);
		set->timeout_ms = set->timeout ? draw(state, UINT32_MAX) : 0;
		return;
	}
	for (uint32_t i = draw(state, 200); i > 0; i--) {
		struct ruleset_element e = {.key = draw_value(state, set->key_len)};

		if (set->interval)
			e.key_end = draw_value(state, set->key_len);
		if (set->verdict_map)
			e.verdict = draw_verdict(state);
		else if (set->map)
			e.data = draw_value(state, set->data_len);
		must(ruleset_add_element(set, &e));
	}
}

static void draw_chain(uint64_t *state, struct ruleset_chain *chain)
{
	static const char letters[] = "abc XYZ:,.-/()";

	chain->base = draw(state, 2);
	if (chain->base) {
		chain->type = RULESET_FILTER + draw(state, 3);
		chain->hook = draw(state, 6);
		chain->priority = (int32_t)draw(state, UINT32_MAX);
		chain->policy = draw(state, 2) ? RULESET_ACCEPT : RULESET_DROP;
		chain->every_device = draw(state, 2);
		for (uint32_t i = chain->every_device ? 0 : draw(state, 4); i > 0; i--) {
			char name[RULESET_DEVICE_MAX];

			snprintf(name, sizeof(name), "dev%u", i);
			if (ruleset_add_device(chain, name) < 0)
				abort();
		}
	}
	for (uint32_t i = draw(state, 20); i > 0; i--) {
		char comment[RULESET_COMMENT_MAX + 1] = "";
		struct ruleset_rule *rule;

		for (uint32_t k = draw(state, RULESET_COMMENT_MAX + 1); k > 0; k--)
			comment[k - 1] = letters[draw(state, sizeof(letters) - 1)];
		rule = must(ruleset_add_rule(chain, comment));
		for (uint32_t k = draw(state, 12); k > 0; k--) {
			struct ruleset_expression e = draw_expression(state);

			must(ruleset_add_expression(rule, &e));
		}
	}
}

struct ruleset *sample_random(uint64_t seed)
{
	static const enum ruleset_family families[] = {RULESET_INET, RULESET_NETDEV, RULESET_IPV4};
	uint64_t state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
	struct ruleset *ruleset = must(ruleset_new());

	for (uint32_t i = 1 + draw(&state, 3); i > 0; i--) {
		struct ruleset_table *table =
		    must(ruleset_add_table(ruleset, families[i - 1], "lethe-test"));

		table->flags = draw(&state, 4);
		for (uint32_t k = draw(&state, 4); k > 0; k--)
			draw_chain(&state, must(ruleset_add_chain(table, chain_names[k - 1])));
		for (uint32_t k = draw(&state, 4); k > 0; k--)
			draw_set(&state, must(ruleset_add_set(table, set_names[k - 1])));
	}
	ruleset_sort(ruleset);
	return ruleset;
}

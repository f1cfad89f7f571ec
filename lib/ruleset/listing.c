/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A rule in nft's words. The kernel's rules load registers and compare them; people write "tcp
 * dport 443". So what a register holds is remembered by name, and written when something is asked
 * of it. A question that nft asks by itself (is it TCP? is it IPv4?) waits until it is clear
 * whether the next one implies it.
 */
#include "listing.h"
#include "listing_state.h"

#include <linux/netfilter/nf_tables.h>
#include <stdarg.h>
#include <string.h>

static void separate(struct listing *listing)
{
	if (listing->begun)
		buf_puts(listing->out, " ");
	listing->begun = true;
}

void state_release(struct listing *listing, struct pending *pending, bool implied)
{
	if (pending->waiting && !implied) {
		separate(listing);
		buf_puts(listing->out, pending->text);
	}
	pending->waiting = false;
}

void state_begin(struct listing *listing, const struct listing_term *terms, size_t count)
{
	bool network = false, transport = false;

	for (size_t i = 0; i < count; i++) {
		network |= terms[i].arp ? listing->context.arp
					: terms[i].network != 0 &&
					      terms[i].network == listing->context.network;
		transport |=
		    terms[i].transport != 0 && terms[i].transport == listing->context.transport;
	}
	state_release(listing, &listing->network, network);
	state_release(listing, &listing->transport, transport);
	separate(listing);
}

void state_raw(struct listing *listing, const char *format, ...)
{
	char text[160];
	va_list args;

	state_begin(listing, NULL, 0);
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	buf_printf(listing->out, "/* %s */", text);
}

void state_load(struct listing *listing, uint8_t reg, size_t len, const struct listing_term *term)
{
	for (size_t i = reg; i < RULESET_REGISTERS && i < reg + (len + 3) / 4; i++)
		listing->terms[i] = (struct listing_term){0};
	if (reg < RULESET_REGISTERS)
		listing->terms[reg] = *term;
}

const struct listing_term *state_field(const struct listing *listing, uint8_t reg)
{
	const struct listing_term *term;

	if (reg >= RULESET_REGISTERS)
		return NULL;
	term = &listing->terms[reg];
	return term->kind == LISTING_FIELD ? term : NULL;
}

/* The register that is loaded. */
static uint8_t loaded_register(const struct ruleset_expression *e)
{
	switch ((int)e->kind) {
	case RULESET_META:
		return e->meta.reg;
	case RULESET_SOCKET:
		return e->socket.reg;
	case RULESET_CONNECTION:
		return e->connection.reg;
	case RULESET_ROUTE_LOOKUP:
		return e->route_lookup.reg;
	case RULESET_ROUTE_FIELD:
		return e->route_field.reg;
	case RULESET_NUMBER:
		return e->number.reg;
	default: /* RULESET_PAYLOAD */
		return e->payload.reg;
	}
}

static void list_unnamed(struct listing *listing, const struct ruleset_expression *e)
{
	switch ((int)e->kind) {
	case RULESET_META:
		state_raw(listing, "meta key %u", e->meta.key);
		break;
	case RULESET_SOCKET:
		state_raw(listing, "socket key %u", e->socket.key);
		break;
	case RULESET_CONNECTION:
		state_raw(listing, "ct key %u", e->connection.key);
		break;
	case RULESET_ROUTE_LOOKUP:
		state_raw(listing, "fib result %u flags %u", e->route_lookup.result,
			  e->route_lookup.flags);
		break;
	case RULESET_ROUTE_FIELD:
		state_raw(listing, "rt key %u", e->route_field.key);
		break;
	case RULESET_NUMBER:
		state_raw(listing, "numgen type %u", e->number.type);
		break;
	default: /* RULESET_PAYLOAD */
		return;
	}
	/* Nobody knows how long it is. */
	state_load(listing, loaded_register(e), RULESET_DATA_MAX, &(struct listing_term){0});
}

static void list_load(struct listing *listing, const struct ruleset_expression *e)
{
	struct listing_term term;

	if (listing_name(&listing->context, e, &term))
		state_load(listing, loaded_register(e),
			   e->kind == RULESET_PAYLOAD ? e->payload.len : term.shape.len, &term);
	else
		list_unnamed(listing, e);
}

/* The terms that make up a key of @len bytes from @reg on: how many, or 0. */
static size_t key_terms(const struct listing *listing, uint8_t reg, size_t len,
			struct listing_term terms[RULESET_REGISTERS])
{
	size_t count = 0, at = 0;

	while (at < len) {
		const struct listing_term *term = state_field(listing, (uint8_t)(reg + at / 4));

		/* Every term takes a register of its own at least, so that there is room for all.
		 */
		if (!term || term->masked || term->shape.len == 0 || term->shape.len != term->whole)
			return 0;
		terms[count++] = *term;
		at += (term->shape.len + 3) / 4 * 4;
	}
	/* Alone, a key is as long as its field; among others it is filled up. */
	if (count == 1 ? terms[0].shape.len != len : at != len)
		return 0;
	return count;
}

static void keep_key(struct listing *listing, const struct ruleset_set *set,
		     const struct listing_term *terms, size_t count)
{
	struct listing_key key = {.count = count};

	if (set != listing->wanted || count == 0)
		return;
	for (size_t i = 0; i < count; i++) {
		key.parts[i] = terms[i].shape;
		snprintf(key.text[i], sizeof(key.text[i]), "%s", terms[i].text);
	}
	*listing->key = key;
	listing->found = true;
}

static void list_terms(struct listing *listing, const struct listing_term *terms, size_t count)
{
	for (size_t i = 0; i < count; i++)
		buf_printf(listing->out, "%s%s", i ? " . " : "", terms[i].text);
}

static void list_anonymous(struct listing *listing, const struct ruleset_set *set,
			   const struct listing_term *terms, size_t count)
{
	struct listing_key key = {.count = count};

	for (size_t i = 0; i < count; i++)
		key.parts[i] = terms[i].shape;
	buf_puts(listing->out, "{ ");
	for (size_t i = 0; i < set->element_count; i++) {
		buf_puts(listing->out, i ? ", " : "");
		listing_element(listing->out, set, &key, &set->elements[i]);
	}
	buf_puts(listing->out, " }");
}

static void list_lookup(struct listing *listing, const struct ruleset_expression *e)
{
	const struct ruleset_set *set = ruleset_find_set(listing->table, e->lookup.set);
	struct listing_term terms[RULESET_REGISTERS];
	size_t count = set ? key_terms(listing, e->lookup.reg, set->key_len, terms) : 0;

	if (count == 0 || (e->lookup.map && !e->lookup.verdict_map)) {
		state_raw(listing, "lookup of register %u in %s", e->lookup.reg, e->lookup.set);
		if (e->lookup.map && !e->lookup.verdict_map)
			state_load(listing, e->lookup.destination, set ? set->data_len : 4,
				   &(struct listing_term){0});
		return;
	}
	keep_key(listing, set, terms, count);
	state_begin(listing, terms, count);
	list_terms(listing, terms, count);
	buf_puts(listing->out, e->lookup.map ? " vmap " : " ");
	buf_puts(listing->out, e->lookup.inverted ? "!= " : "");
	if (set->anonymous)
		list_anonymous(listing, set, terms, count);
	else
		buf_printf(listing->out, "@%s", set->name);
}

static void list_dynset(struct listing *listing, const struct ruleset_expression *e)
{
	const struct ruleset_set *set = ruleset_find_set(listing->table, e->dynset.set);
	struct listing_term terms[RULESET_REGISTERS];
	size_t count = set ? key_terms(listing, e->dynset.reg, set->key_len, terms) : 0;

	if (count == 0) {
		state_raw(listing, "add register %u to %s", e->dynset.reg, e->dynset.set);
		return;
	}
	keep_key(listing, set, terms, count);
	state_begin(listing, terms, count);
	buf_printf(listing->out, "%s @%s { ", e->dynset.update ? "update" : "add", set->name);
	list_terms(listing, terms, count);
	if (e->dynset.timeout_ms) {
		buf_puts(listing->out, " timeout ");
		words_duration(listing->out, e->dynset.timeout_ms);
	}
	buf_puts(listing->out, " }");
}

static void list_immediate(struct listing *listing, const struct ruleset_expression *e)
{
	struct listing_term term = {.kind = LISTING_VALUE, .mask = e->immediate.value};

	if (e->immediate.verdict.code == RULESET_NONE) {
		state_load(listing, e->immediate.reg, e->immediate.value.len, &term);
		return;
	}
	state_begin(listing, NULL, 0);
	words_verdict(listing->out, &e->immediate.verdict);
}

static void list_reject(struct listing *listing, const struct ruleset_expression *e)
{
	bool ipv6 = listing->context.network == RULESET_IPV6;
	struct buf text = {.cap = 128};

	if (words_reject(&text, e->reject.type, e->reject.code, ipv6)) {
		state_begin(listing, NULL, 0);
		buf_printf(listing->out, "reject %s", buf_text(&text));
	} else {
		state_raw(listing, "reject type %u code %u", e->reject.type, e->reject.code);
	}
	buf_done(&text);
}

const uint8_t *state_constant(const struct listing *listing, int reg, size_t len)
{
	if (reg < 0 || reg >= RULESET_REGISTERS || listing->terms[reg].kind != LISTING_VALUE ||
	    listing->terms[reg].mask.len != len)
		return NULL;
	return listing->terms[reg].mask.bytes;
}

static void list_tproxy(struct listing *listing, const struct ruleset_expression *e)
{
	bool ipv6 = e->tproxy.family == RULESET_IPV6;
	struct words_shape shape = {ipv6 ? WORDS_IP6 : WORDS_IP4, ipv6 ? 16 : 4, false};
	const uint8_t *address = state_constant(listing, e->tproxy.address_reg, shape.len);
	const uint8_t *port = state_constant(listing, e->tproxy.port_reg, 2);

	if ((e->tproxy.address_reg >= 0 && !address) || (e->tproxy.port_reg >= 0 && !port)) {
		state_raw(listing, "tproxy to registers");
		return;
	}
	state_begin(listing, NULL, 0);
	buf_puts(listing->out, "tproxy ");
	if (e->tproxy.family && listing->table->family == RULESET_INET)
		buf_puts(listing->out, ipv6 ? "ip6 " : "ip ");
	buf_puts(listing->out, "to ");
	if (address) {
		buf_puts(listing->out, ipv6 ? "[" : "");
		words_value(listing->out, &shape, address);
		buf_puts(listing->out, ipv6 ? "]" : "");
	}
	if (port)
		buf_printf(listing->out, ":%d", port[0] << 8 | port[1]);
}

static void list_counter(struct listing *listing, const struct ruleset_expression *e)
{
	state_begin(listing, NULL, 0);
	buf_puts(listing->out, "counter");
	if (e->counter.packets || e->counter.bytes)
		buf_printf(listing->out, " packets %ju bytes %ju", (uintmax_t)e->counter.packets,
			   (uintmax_t)e->counter.bytes);
}

static void list_expression(struct listing *listing, const struct ruleset_expression *e)
{
	switch (e->kind) {
	case RULESET_META:
	case RULESET_PAYLOAD:
	case RULESET_SOCKET:
	case RULESET_CONNECTION:
	case RULESET_ROUTE_LOOKUP:
	case RULESET_ROUTE_FIELD:
	case RULESET_NUMBER:
		list_load(listing, e);
		return;
	case RULESET_COMPARE:
		question_compare(listing, e);
		return;
	case RULESET_BITWISE:
		question_bitwise(listing, e);
		return;
	case RULESET_RANGE:
		question_range(listing, e);
		return;
	case RULESET_LOOKUP:
		list_lookup(listing, e);
		return;
	case RULESET_DYNSET:
		list_dynset(listing, e);
		return;
	case RULESET_IMMEDIATE:
		list_immediate(listing, e);
		return;
	case RULESET_REJECT:
		list_reject(listing, e);
		return;
	case RULESET_TPROXY:
		list_tproxy(listing, e);
		return;
	case RULESET_COUNTER:
		list_counter(listing, e);
		return;
	case RULESET_META_SET:
	case RULESET_PAYLOAD_SET:
	case RULESET_SHIFT:
	case RULESET_BYTEORDER:
	case RULESET_CONNECTION_SET:
	case RULESET_TRANSLATE:
	case RULESET_REDIRECT:
	case RULESET_MASQUERADE:
	case RULESET_NOTRACK:
	case RULESET_LIMIT:
	case RULESET_NO_EFFECT:
	case RULESET_OBJECT:
		statement_list(listing, e);
		return;
	case RULESET_UNKNOWN:
		state_raw(listing, "%s", e->unknown.name);
		return;
	}
}

static void list_all(struct listing *listing, const struct ruleset_table *table,
		     const struct ruleset_rule *rule)
{
	listing->table = table;
	listing->context.table = table->family;
	if (table->family == RULESET_IPV4 || table->family == RULESET_IPV6)
		listing->context.network = table->family;
	for (size_t i = 0; i < rule->count && !listing->found; i++)
		list_expression(listing, &rule->expressions[i]);
	state_release(listing, &listing->network, false);
	state_release(listing, &listing->transport, false);
}

void listing_rule(struct buf *out, const struct ruleset_table *table,
		  const struct ruleset_rule *rule)
{
	struct listing listing = {.out = out};

	list_all(&listing, table, rule);
	if (!*rule->comment)
		return;
	separate(&listing);
	buf_puts(out, "comment ");
	words_quoted(out, rule->comment);
}

bool listing_key_in_rule(const struct ruleset_table *table, const struct ruleset_rule *rule,
			 const struct ruleset_set *set, struct listing_key *ret_key)
{
	struct buf nowhere = {.cap = 0};
	struct listing listing = {.out = &nowhere, .wanted = set, .key = ret_key};

	list_all(&listing, table, rule);
	return listing.found;
}

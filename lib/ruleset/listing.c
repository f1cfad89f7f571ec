/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A rule in nft's words. The kernel's rules load registers and compare them; people write "tcp
 * dport 443". So what a register holds is remembered by name, and written when something is asked
 * of it. A question that nft asks by itself (is it TCP? is it IPv4?) waits until it is clear
 * whether the next one implies it.
 */
#include "listing.h"

#include <linux/if_ether.h>
#include <linux/netfilter/nf_tables.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <string.h>

struct pending {
	bool waiting;
	char text[64];
};

struct listing {
	struct buf *out;
	const struct ruleset_table *table;
	struct listing_context context;
	struct listing_term terms[RULESET_REGISTERS];
	struct pending network, transport;
	bool begun; /* something is written, so that a space must follow */

	const struct ruleset_set *wanted; /* whose key is asked for, or NULL */
	struct listing_key *key;
	bool found;
};

static void separate(struct listing *listing)
{
	if (listing->begun)
		buf_puts(listing->out, " ");
	listing->begun = true;
}

static void release(struct listing *listing, struct pending *pending, bool implied)
{
	if (pending->waiting && !implied) {
		separate(listing);
		buf_puts(listing->out, pending->text);
	}
	pending->waiting = false;
}

/* A statement about @terms begins. */
static void begin(struct listing *listing, const struct listing_term *terms, size_t count)
{
	bool network = false, transport = false;

	for (size_t i = 0; i < count; i++) {
		network |= terms[i].arp ? listing->context.arp
					: terms[i].network != 0 &&
					      terms[i].network == listing->context.network;
		transport |=
		    terms[i].transport != 0 && terms[i].transport == listing->context.transport;
	}
	release(listing, &listing->network, network);
	release(listing, &listing->transport, transport);
	separate(listing);
}

/* What nft has no words for, for people to read and for nft to refuse. */
static void raw(struct listing *listing, const char *format, ...) PRINTF(2, 3);

static void raw(struct listing *listing, const char *format, ...)
{
	char text[160];
	va_list args;

	begin(listing, NULL, 0);
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	buf_printf(listing->out, "/* %s */", text);
}

static void load(struct listing *listing, uint8_t reg, size_t len, const struct listing_term *term)
{
	for (size_t i = reg; i < RULESET_REGISTERS && i < reg + (len + 3) / 4; i++)
		listing->terms[i] = (struct listing_term){0};
	if (reg < RULESET_REGISTERS)
		listing->terms[reg] = *term;
}

/* The field that a register holds, or NULL. */
static const struct listing_term *field_in(const struct listing *listing, uint8_t reg)
{
	const struct listing_term *term;

	if (reg >= RULESET_REGISTERS)
		return NULL;
	term = &listing->terms[reg];
	return term->kind == LISTING_FIELD ? term : NULL;
}

static void list_load(struct listing *listing, const struct ruleset_expression *e)
{
	struct listing_term term;

	if (!listing_name(&listing->context, e, &term)) {
		term = (struct listing_term){0};
		if (e->kind == RULESET_META) {
			raw(listing, "meta key %u", e->meta.key);
			load(listing, e->meta.reg, 4, &term);
		} else if (e->kind == RULESET_SOCKET) {
			raw(listing, "socket key %u", e->socket.key);
			load(listing, e->socket.reg, 4, &term);
		}
		return;
	}
	if (e->kind == RULESET_META)
		load(listing, e->meta.reg, term.shape.len, &term);
	else if (e->kind == RULESET_PAYLOAD)
		load(listing, e->payload.reg, e->payload.len, &term);
	else
		load(listing, e->socket.reg, term.shape.len, &term);
}

static void hold(struct listing *listing, struct pending *pending, const struct listing_term *term,
		 const struct ruleset_value *value)
{
	struct buf text = {.cap = sizeof(pending->text) - 1};

	release(listing, pending, false);
	buf_printf(&text, "%s ", term->text);
	words_value(&text, &term->shape, value->bytes);
	snprintf(pending->text, sizeof(pending->text), "%s", buf_text(&text));
	pending->waiting = true;
	buf_done(&text);
}

/* Learn which protocol a rule is about. True if the question is put off. */
static bool learn(struct listing *listing, const struct listing_term *term,
		  const struct ruleset_value *value)
{
	struct listing_context *context = &listing->context;
	const uint8_t *bytes = value->bytes;

	if (term->shape.type == WORDS_NFPROTO) {
		context->network = bytes[0] == RULESET_IPV4   ? RULESET_IPV4
				   : bytes[0] == RULESET_IPV6 ? RULESET_IPV6
							      : 0;
		hold(listing, &listing->network, term, value);
		return true;
	}
	if (term->shape.type == WORDS_PROTOCOL) {
		context->transport = bytes[0];
		if (strcmp(term->text, "meta l4proto") != 0)
			return false;
		hold(listing, &listing->transport, term, value);
		return true;
	}
	if (term->shape.type == WORDS_ETHERTYPE && !term->arp) {
		unsigned ethertype = (unsigned)(bytes[0] << 8 | bytes[1]);

		context->network = ethertype == ETH_P_IP     ? RULESET_IPV4
				   : ethertype == ETH_P_IPV6 ? RULESET_IPV6
							     : 0;
		context->arp = ethertype == ETH_P_ARP;
		if (context->table != RULESET_NETDEV || strcmp(term->text, "meta protocol") != 0)
			return false;
		hold(listing, &listing->network, term, value);
		return true;
	}
	return false;
}

static const char *operator_text(enum ruleset_operator how, bool explicit)
{
	switch (how) {
	case RULESET_EQUAL:
		return explicit ? "== " : "";
	case RULESET_NOT_EQUAL:
		return "!= ";
	case RULESET_LESS:
		return "< ";
	case RULESET_LESS_EQUAL:
		return "<= ";
	case RULESET_GREATER:
		return "> ";
	case RULESET_GREATER_EQUAL:
		return ">= ";
	}
	return "/* comparison */ ";
}

/* An address of which only the first bits are asked for: by a mask, or by loading fewer bytes. */
static bool list_prefix(struct listing *listing, const struct listing_term *term,
			enum ruleset_operator how, const struct ruleset_value *value)
{
	bool address = term->shape.type == WORDS_IP4 || term->shape.type == WORDS_IP6;
	int prefix = (int)term->shape.len * 8;
	struct ruleset_value whole = *value;
	struct words_shape shape = term->shape;

	if (!address || (how != RULESET_EQUAL && how != RULESET_NOT_EQUAL))
		return false;
	if (term->masked) {
		prefix = words_prefix(term->mask.bytes, term->shape.len);
		for (size_t i = 0; i < value->len; i++)
			if (value->bytes[i] & (uint8_t)~term->mask.bytes[i])
				return false;
	}
	if (prefix < 0)
		return false;
	memset(whole.bytes + value->len, 0, sizeof(whole.bytes) - value->len);
	shape.len = term->whole;
	begin(listing, term, 1);
	buf_printf(listing->out, "%s %s", term->text, operator_text(how, false));
	words_value(listing->out, &shape, whole.bytes);
	buf_printf(listing->out, "/%d", prefix);
	return true;
}

/* Names of devices may be compared by their beginning. */
static void list_device(struct listing *listing, const struct listing_term *term,
			enum ruleset_operator how, const struct ruleset_value *value)
{
	bool beginning = value->len < term->shape.len && !memchr(value->bytes, 0, value->len);
	char name[RULESET_DEVICE_MAX + 2] = "";

	memcpy(name, value->bytes,
	       value->len < RULESET_DEVICE_MAX ? value->len : RULESET_DEVICE_MAX);
	if (beginning)
		strncat(name, "*", sizeof(name) - strlen(name) - 1);
	begin(listing, term, 1);
	buf_printf(listing->out, "%s %s", term->text, operator_text(how, false));
	words_quoted(listing->out, name);
}

/* Types and lengths of ARP for IPv4, asked for at once. nft asks for them one by one. */
static bool list_arp_header(struct listing *listing, const struct listing_term *term,
			    enum ruleset_operator how, const struct ruleset_value *value)
{
	static const uint8_t shape[] = {0x08, 0x00, 6, 4};
	const uint8_t *bytes = value->bytes;

	if (!term->arp_header || term->masked || how != RULESET_EQUAL ||
	    memcmp(bytes + 2, shape, sizeof(shape)) != 0)
		return false;
	begin(listing, &(struct listing_term){.arp = true}, 1);
	buf_printf(listing->out, "arp htype %d arp ptype ip arp hlen 6 arp plen 4",
		   bytes[0] << 8 | bytes[1]);
	listing->context.arp = true;
	return true;
}

static void list_compare(struct listing *listing, const struct ruleset_expression *e)
{
	const struct listing_term *term = field_in(listing, e->compare.reg);
	const struct ruleset_value *value = &e->compare.value;
	enum ruleset_operator how = e->compare.operator;
	bool flags;

	if (!term) {
		raw(listing, "compare register %u", e->compare.reg);
		return;
	}
	if (term->shape.type == WORDS_IFNAME && !term->masked) {
		list_device(listing, term, how, value);
		return;
	}
	if (value->len != term->shape.len) {
		raw(listing, "compare %u bytes of %s", value->len, term->text);
		return;
	}
	if (list_arp_header(listing, term, how, value))
		return;
	if (how == RULESET_EQUAL && !term->masked && term->shape.len == term->whole &&
	    learn(listing, term, value))
		return;
	if ((term->masked || term->shape.len != term->whole) &&
	    list_prefix(listing, term, how, value))
		return;
	if (term->shape.len != term->whole) {
		raw(listing, "compare the first %zu bytes of %s", term->shape.len, term->text);
		return;
	}
	/* "tcp flags syn" would mean: syn among others. */
	flags = term->shape.type == WORDS_TCP_FLAG;
	begin(listing, term, 1);
	buf_printf(listing->out, "%s ", term->text);
	if (term->masked) {
		buf_puts(listing->out, flags ? "& (" : "& ");
		words_value(listing->out, &term->shape, term->mask.bytes);
		buf_puts(listing->out, flags ? ") " : " ");
	}
	buf_puts(listing->out, operator_text(how, term->masked || flags));
	words_value(listing->out, &term->shape, value->bytes);
}

static void list_bitwise(struct listing *listing, const struct ruleset_expression *e)
{
	const struct listing_term *source = field_in(listing, e->bitwise.source);
	struct listing_term term = {0};
	bool plain = e->bitwise.xor.len == e->bitwise.len;

	for (size_t i = 0; i < e->bitwise.xor.len; i++)
		plain = plain && e->bitwise.xor.bytes[i] == 0;
	if (source && !source->masked && plain && source->shape.len == e->bitwise.len &&
	    e->bitwise.mask.len == e->bitwise.len) {
		term = *source;
		term.masked = true;
		term.mask = e->bitwise.mask;
	} else {
		raw(listing, "bitwise of register %u", e->bitwise.source);
	}
	load(listing, e->bitwise.reg, e->bitwise.len, &term);
}

static void list_range(struct listing *listing, const struct ruleset_expression *e)
{
	const struct listing_term *term = field_in(listing, e->range.reg);

	if (!term || term->masked || term->shape.len != term->whole ||
	    e->range.from.len != term->shape.len || e->range.to.len != term->shape.len) {
		raw(listing, "range of register %u", e->range.reg);
		return;
	}
	begin(listing, term, 1);
	buf_printf(listing->out, "%s %s", term->text, operator_text(e->range.operator, false));
	words_range(listing->out, &term->shape, e->range.from.bytes, e->range.to.bytes);
}

/* The terms that make up a key of @len bytes from @reg on: how many, or 0. */
static size_t key_terms(const struct listing *listing, uint8_t reg, size_t len,
			struct listing_term terms[RULESET_REGISTERS])
{
	size_t count = 0, at = 0;

	while (at < len) {
		const struct listing_term *term = field_in(listing, (uint8_t)(reg + at / 4));

		if (!term || term->masked || term->shape.len != term->whole)
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
		raw(listing, "lookup of register %u in %s", e->lookup.reg, e->lookup.set);
		if (e->lookup.map && !e->lookup.verdict_map)
			load(listing, e->lookup.destination, set ? set->data_len : 4,
			     &(struct listing_term){0});
		return;
	}
	keep_key(listing, set, terms, count);
	begin(listing, terms, count);
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
		raw(listing, "add register %u to %s", e->dynset.reg, e->dynset.set);
		return;
	}
	keep_key(listing, set, terms, count);
	begin(listing, terms, count);
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
		load(listing, e->immediate.reg, e->immediate.value.len, &term);
		return;
	}
	begin(listing, NULL, 0);
	words_verdict(listing->out, &e->immediate.verdict);
}

static void list_reject(struct listing *listing, const struct ruleset_expression *e)
{
	bool ipv6 = listing->context.network == RULESET_IPV6;
	struct buf text = {.cap = 128};

	if (words_reject(&text, e->reject.type, e->reject.code, ipv6)) {
		begin(listing, NULL, 0);
		buf_printf(listing->out, "reject %s", buf_text(&text));
	} else {
		raw(listing, "reject type %u code %u", e->reject.type, e->reject.code);
	}
	buf_done(&text);
}

/* The constant in a register, if it has @len bytes; else NULL. */
static const uint8_t *constant_in(const struct listing *listing, int reg, size_t len)
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
	const uint8_t *address = constant_in(listing, e->tproxy.address_reg, shape.len);
	const uint8_t *port = constant_in(listing, e->tproxy.port_reg, 2);

	if ((e->tproxy.address_reg >= 0 && !address) || (e->tproxy.port_reg >= 0 && !port)) {
		raw(listing, "tproxy to registers");
		return;
	}
	begin(listing, NULL, 0);
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
	begin(listing, NULL, 0);
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
		list_load(listing, e);
		return;
	case RULESET_COMPARE:
		list_compare(listing, e);
		return;
	case RULESET_BITWISE:
		list_bitwise(listing, e);
		return;
	case RULESET_RANGE:
		list_range(listing, e);
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
	case RULESET_UNKNOWN:
		raw(listing, "%s", e->unknown.name);
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
	release(listing, &listing->network, false);
	release(listing, &listing->transport, false);
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

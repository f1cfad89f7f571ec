/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What rules ask of one field: comparisons, masks, ranges. */
#include "listing_state.h"

#include <linux/if_ether.h>
#include <string.h>

static void hold(struct listing *listing, struct pending *pending, const struct listing_term *term,
		 const struct ruleset_value *value)
{
	struct buf text = {.cap = sizeof(pending->text) - 1};

	state_release(listing, pending, false);
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
	state_begin(listing, term, 1);
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
	state_begin(listing, term, 1);
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
	state_begin(listing, &(struct listing_term){.arp = true}, 1);
	buf_printf(listing->out, "arp htype %d arp ptype ip arp hlen 6 arp plen 4",
		   bytes[0] << 8 | bytes[1]);
	listing->context.arp = true;
	return true;
}

/* "ct state new": one of these bits is set. */
static bool list_states(struct listing *listing, const struct listing_term *term,
			enum ruleset_operator how, const struct ruleset_value *value)
{
	if (term->shape.type != WORDS_CT_STATE || !term->masked || how != RULESET_NOT_EQUAL)
		return false;
	for (size_t i = 0; i < value->len; i++)
		if (value->bytes[i] != 0)
			return false;
	state_begin(listing, term, 1);
	buf_printf(listing->out, "%s ", term->text);
	words_value(listing->out, &term->shape, term->mask.bytes);
	return true;
}

void question_compare(struct listing *listing, const struct ruleset_expression *e)
{
	const struct listing_term *term = state_field(listing, e->compare.reg);
	const struct ruleset_value *value = &e->compare.value;
	enum ruleset_operator how = e->compare.operator;
	bool flags;

	if (!term) {
		state_raw(listing, "compare register %u", e->compare.reg);
		return;
	}
	if (term->shape.type == WORDS_IFNAME && !term->masked) {
		list_device(listing, term, how, value);
		return;
	}
	if (value->len != term->shape.len) {
		state_raw(listing, "compare %u bytes of %s", value->len, term->text);
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
		state_raw(listing, "compare the first %zu bytes of %s", term->shape.len,
			  term->text);
		return;
	}
	if (list_states(listing, term, how, value))
		return;
	/* "tcp flags syn" would mean: syn among others. */
	flags = term->shape.type == WORDS_TCP_FLAG;
	state_begin(listing, term, 1);
	buf_printf(listing->out, "%s ", term->text);
	if (term->masked) {
		buf_puts(listing->out, flags ? "& (" : "& ");
		words_value(listing->out, &term->shape, term->mask.bytes);
		buf_puts(listing->out, flags ? ") " : " ");
	}
	buf_puts(listing->out, operator_text(how, term->masked || flags));
	words_value(listing->out, &term->shape, value->bytes);
}

void question_bitwise(struct listing *listing, const struct ruleset_expression *e)
{
	const struct listing_term *source = state_field(listing, e->bitwise.source);
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
		state_raw(listing, "bitwise of register %u", e->bitwise.source);
	}
	state_load(listing, e->bitwise.reg, e->bitwise.len, &term);
}

void question_range(struct listing *listing, const struct ruleset_expression *e)
{
	const struct listing_term *term = state_field(listing, e->range.reg);

	if (!term || term->masked || term->shape.len != term->whole ||
	    e->range.from.len != term->shape.len || e->range.to.len != term->shape.len) {
		state_raw(listing, "range of register %u", e->range.reg);
		return;
	}
	state_begin(listing, term, 1);
	buf_printf(listing->out, "%s %s", term->text, operator_text(e->range.operator, false));
	words_range(listing->out, &term->shape, e->range.from.bytes, e->range.to.bytes);
}

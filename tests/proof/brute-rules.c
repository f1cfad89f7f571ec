/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the rules ask of the packets of a scene.
 *
 * Rules are read, not run: each byte of a register is known to be a constant of the scene, or a
 * byte of a field, or neither. A rule that the scene's constants rule out is left where they do;
 * one that surely applies and ends its chain ends the reading of the chain. Where in doubt, more is
 * asked than need be, which costs time and nothing else.
 */
#include "brute-read.h"

#include <netinet/in.h>
#include <linux/if_ether.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <string.h>

/* ---- questions ---- */

static bool is_certain(const struct origin *origin)
{
	return origin->from == CONSTANT && origin->open == 0;
}

/* Of flags, the class of a packet determines four; only these can be asked. */
static void ask_flags(struct brute_asked *asked, struct brute_question *question)
{
	if (question->low[0] != question->high[0]) {
		for (uint8_t bit = 1; bit <= PACKET_TCP_ACK; bit = (uint8_t)(bit << 1))
			if (bit & PACKET_TCP_OPENING_MASK)
				brute_add_masked(asked, BRUTE_FLAGS, bit, bit);
		return;
	}
	question->mask[0] &= PACKET_TCP_OPENING_MASK;
	question->xor [0] &= PACKET_TCP_OPENING_MASK;
	question->low[0] &= PACKET_TCP_OPENING_MASK;
	question->high[0] &= PACKET_TCP_OPENING_MASK;
	brute_add(asked, BRUTE_FLAGS, question);
}

/* Of @len bytes that are neighbours in one field: are they from @low (NULL: the least) to @high? */
static void ask_part(struct reader *reader, const struct origin *origins, size_t len,
		     const uint8_t *low, const uint8_t *high)
{
	struct brute_question question = {0};

	if ((origins->field < BRUTE_SHAPES) != reader->shapes)
		return;
	for (size_t i = 0; i < len; i++) {
		size_t at = origins[i].at;

		question.mask[at] = origins[i].mask;
		question.xor [at] = origins[i].xor ;
		question.low[at] = low ? low[i] : 0;
		question.high[at] = high[i];
	}
	if (origins->field == BRUTE_FLAGS)
		ask_flags(reader->asked, &question);
	else
		brute_add(reader->asked, origins->field, &question);
}

static size_t run_of(const struct origin *origins, size_t len)
{
	size_t run = 1;

	while (run < len && origins[run].from == FIELD && origins[run].field == origins->field &&
	       origins[run].at == origins->at + run)
		run++;
	return run;
}

/* Where all bytes are certain: from @low to @high? Where one is, and cannot be: never. */
static enum truth decide(const struct origin *origins, size_t len, const uint8_t *low,
			 const uint8_t *high)
{
	uint8_t value[BRUTE_REGISTER_BYTES] = {0};
	bool certain = true, impossible = false;

	for (size_t i = 0; i < len; i++) {
		value[i] = origins[i].value;
		certain &= is_certain(&origins[i]);
		/* All bytes before this one must be alike in both ends for it to count alone. */
		impossible |=
		    is_certain(&origins[i]) && memcmp(low, high, len) == 0 && value[i] != low[i];
	}
	if (impossible)
		return NEVER;
	if (!certain)
		return SOMETIMES;
	return memcmp(value, low, len) >= 0 && memcmp(value, high, len) <= 0 ? ALWAYS : NEVER;
}

/* A value in the registers from byte @at on, against @low to @high. If all of it is of one field,
 * that is one question; else each part is asked how it lies to each end. @ordered: the order
 * counts, too. */
static enum truth ask(struct reader *reader, size_t at, size_t len, const uint8_t *low,
		      const uint8_t *high, bool ordered)
{
	const struct origin *origins = reader->registers + at;
	enum truth truth;

	if (at >= BRUTE_REGISTER_BYTES || len > BRUTE_REGISTER_BYTES - at || len == 0)
		return SOMETIMES;
	truth = decide(origins, len, low, high);
	if (truth == ALWAYS || (truth == NEVER && !ordered))
		return truth;
	if (origins->from == FIELD && run_of(origins, len) == len && !ordered) {
		ask_part(reader, origins, len, low, high);
		return SOMETIMES;
	}
	for (size_t i = 0, run; i < len; i += run) {
		run = 1;
		if (origins[i].from != FIELD)
			continue;
		run = run_of(origins + i, len - i);
		ask_part(reader, origins + i, run, low + i, low + i);
		ask_part(reader, origins + i, run, high + i, high + i);
		if (!ordered && memcmp(low, high, len) == 0)
			continue;
		ask_part(reader, origins + i, run, NULL, low + i);
		ask_part(reader, origins + i, run, NULL, high + i);
	}
	return truth;
}

static enum truth opposite(enum truth truth)
{
	return truth == SOMETIMES ? SOMETIMES : truth == ALWAYS ? NEVER : ALWAYS;
}

/* "Not less than nothing" is how owners and routes are asked for. */
static bool is_anything(const struct ruleset_expression *e)
{
	for (size_t i = 0; i < e->compare.value.len; i++)
		if (e->compare.value.bytes[i])
			return false;
	return e->compare.operator== RULESET_GREATER_EQUAL;
}

static bool is_loaded(const struct reader *reader, size_t at, size_t len)
{
	for (size_t i = at; i < at + len; i++)
		if (i >= BRUTE_REGISTER_BYTES || reader->registers[i].from == NOWHERE)
			return false;
	return true;
}

static enum truth ask_compare(struct reader *reader, const struct ruleset_expression *e)
{
	const size_t at = e->compare.reg * 4u, len = e->compare.value.len;
	const uint8_t *value = e->compare.value.bytes;
	enum truth truth;

	if (is_anything(e) && is_loaded(reader, at, len))
		return ALWAYS;
	if (e->compare.operator== RULESET_EQUAL)
		return ask(reader, at, len, value, value, false);
	if (e->compare.operator== RULESET_NOT_EQUAL)
		return opposite(ask(reader, at, len, value, value, false));
	truth = ask(reader, at, len, value, value, true);
	return truth == SOMETIMES ? truth : SOMETIMES;
}

/* Each part of a concatenation is a value of its own, and so is what pads it. */
static enum truth ask_element(struct reader *reader, size_t reg, const struct ruleset_set *set,
			      const struct ruleset_element *element)
{
	const uint8_t *low = element->key.bytes;
	const uint8_t *high = element->key_end.len ? element->key_end.bytes : low;
	size_t at = 0;

	if (set->field_count == 0 || set->field_count > ARRAY_SIZE(set->fields))
		return ask(reader, reg * 4u, set->key_len, low, high, false);
	/* First see whether a part rules the element out. */
	for (size_t i = 0, to = 0; i < set->field_count; i++) {
		size_t len = set->fields[i];

		if (reg * 4u + to + len > BRUTE_REGISTER_BYTES)
			return SOMETIMES;
		if (decide(reader->registers + reg * 4u + to, len, low + to, high + to) == NEVER)
			return NEVER;
		to += (len + 3) / 4 * 4;
	}
	for (size_t i = 0; i < set->field_count; i++) {
		size_t len = set->fields[i], room = (len + 3) / 4 * 4;

		(void)ask(reader, reg * 4u + at, len, low + at, high + at, false);
		(void)ask(reader, reg * 4u + at + len, room - len, low + at + len, high + at + len,
			  true);
		at += room;
	}
	return SOMETIMES;
}

/* ---- chains ---- */

static void want(struct reader *reader, const struct ruleset_verdict *verdict)
{
	if (verdict->code != RULESET_JUMP && verdict->code != RULESET_GOTO)
		return;
	for (size_t i = 0; i < reader->table->chain_count; i++) {
		if (strcmp(reader->table->chains[i].name, verdict->chain) != 0 || reader->wanted[i])
			continue;
		reader->wanted[i] = true;
		reader->grew = true;
	}
}

static enum truth ask_lookup(struct reader *reader, const struct ruleset_expression *e)
{
	const struct ruleset_set *set = ruleset_find_set(reader->table, e->lookup.set);
	enum truth truth = NEVER;

	if (!set || set->dynamic)
		return SOMETIMES;
	for (size_t i = 0; i < set->element_count; i++) {
		enum truth one = ask_element(reader, e->lookup.reg, set, &set->elements[i]);

		if (one != NEVER && e->lookup.map)
			want(reader, &set->elements[i].verdict);
		if (one == ALWAYS)
			truth = ALWAYS;
		else if (one == SOMETIMES && truth == NEVER)
			truth = SOMETIMES;
	}
	/* Which element's data it is was asked. */
	if (e->lookup.map && !e->lookup.verdict_map)
		load_unknown(reader, e->lookup.destination, set->data_len);
	if (e->lookup.map)
		return truth == NEVER ? NEVER : SOMETIMES;
	return e->lookup.inverted ? opposite(truth) : truth;
}

static enum truth ask_range(struct reader *reader, const struct ruleset_expression *e)
{
	if (e->range.from.len != e->range.to.len)
		return SOMETIMES;
	(void)ask(reader, e->range.reg * 4u, e->range.from.len, e->range.from.bytes,
		  e->range.to.bytes, true);
	return SOMETIMES;
}

/* Loads and questions. What writes to no register and asks about none, or only about what packets
 * do not determine, needs no more than doubt. */
/* NOLINTNEXTLINE(readability-function-size): a line for each kind there is */
static enum truth read_expression(struct reader *reader, const struct ruleset_expression *e)
{
	bool sure = true, on = true;

	switch (e->kind) {
	case RULESET_META:
		on = load_meta(reader, e, &sure);
		break;
	case RULESET_PAYLOAD:
		on = load_payload(reader, e, &sure);
		break;
	case RULESET_BITWISE:
		load_bitwise(reader, e);
		break;
	case RULESET_COMPARE:
		return ask_compare(reader, e);
	case RULESET_RANGE:
		return ask_range(reader, e);
	case RULESET_LOOKUP:
		return ask_lookup(reader, e);
	case RULESET_IMMEDIATE:
		want(reader, &e->immediate.verdict);
		if (e->immediate.verdict.code == RULESET_NONE)
			load_constant(reader, e->immediate.reg, e->immediate.value.bytes,
				      e->immediate.value.len);
		break;
	case RULESET_SOCKET:
		load_unknown(reader, e->socket.reg, 1);
		return SOMETIMES;
	case RULESET_CONNECTION:
		load_unknown(reader, e->connection.reg, 16);
		return SOMETIMES;
	case RULESET_ROUTE_LOOKUP:
		load_unknown(reader, e->route_lookup.reg, RULESET_DEVICE_MAX);
		return SOMETIMES;
	case RULESET_ROUTE_FIELD:
		load_unknown(reader, e->route_field.reg, 16);
		return SOMETIMES;
	case RULESET_NUMBER:
		load_unknown(reader, e->number.reg, 4);
		return SOMETIMES;
	case RULESET_SHIFT:
	case RULESET_BYTEORDER:
		reader->asked->opaque = "bits of fields change their places";
		return SOMETIMES;
	case RULESET_COUNTER:
	case RULESET_NO_EFFECT:
	case RULESET_REJECT:
		break;
	case RULESET_TPROXY:
	case RULESET_UNKNOWN:
	case RULESET_DYNSET:
	case RULESET_META_SET:
	case RULESET_PAYLOAD_SET:
	case RULESET_CONNECTION_SET:
	case RULESET_TRANSLATE:
	case RULESET_REDIRECT:
	case RULESET_MASQUERADE:
	case RULESET_NOTRACK:
	case RULESET_LIMIT:
	case RULESET_OBJECT:
		return SOMETIMES;
	}
	return !on ? NEVER : sure ? ALWAYS : SOMETIMES;
}

static bool ends_chain(const struct ruleset_expression *e)
{
	enum ruleset_code code = e->immediate.verdict.code;

	return e->kind == RULESET_REJECT ||
	       (e->kind == RULESET_IMMEDIATE && (code == RULESET_ACCEPT || code == RULESET_DROP ||
						 code == RULESET_GOTO || code == RULESET_RETURN));
}

static void read_chain(struct reader *reader, const struct ruleset_chain *chain)
{
	for (size_t r = 0; r < chain->rule_count; r++) {
		const struct ruleset_rule *rule = &chain->rules[r];
		bool sure = true;

		memset(reader->registers, 0, sizeof(reader->registers));
		for (size_t i = 0; i < rule->count; i++) {
			enum truth truth = read_expression(reader, &rule->expressions[i]);

			/* Shapes are asked for in all rules that read them. */
			if (truth == NEVER && !reader->shapes)
				break;
			sure &= truth == ALWAYS;
			if (sure && !reader->shapes && ends_chain(&rule->expressions[i]))
				return;
		}
	}
}

/* Can the scene's packets come to the hook? Sets what there is at it. */
static bool is_called(struct reader *reader, const struct ruleset_chain *chain)
{
	const struct packet *scene = reader->scene;
	const enum ruleset_family family = reader->table->family;
	const bool netdev = family == RULESET_NETDEV;
	const uint32_t hook = chain->hook;

	if ((family == RULESET_IPV4 && scene->ethertype != ETH_P_IP) ||
	    (family == RULESET_IPV6 && scene->ethertype != ETH_P_IPV6))
		return false;
	reader->early = netdev || hook == NF_INET_PRE_ROUTING || hook == NF_INET_INGRESS;
	reader->arrives = reader->leaves = false;
	switch (scene->path) {
	case PACKET_OUTPUT:
		reader->leaves = true;
		return !netdev && (hook == NF_INET_LOCAL_OUT || hook == NF_INET_POST_ROUTING);
	case PACKET_FRAME:
		reader->leaves = true;
		reader->early = false;
		return netdev && hook != NF_NETDEV_INGRESS;
	case PACKET_INPUT:
		reader->arrives = true;
		return netdev ? hook == NF_NETDEV_INGRESS
			      : hook == NF_INET_INGRESS || hook == NF_INET_PRE_ROUTING ||
				    hook == NF_INET_LOCAL_IN;
	case PACKET_FORWARD:
		reader->arrives = hook == NF_INET_FORWARD;
		reader->leaves = true;
		return !netdev && (hook == NF_INET_FORWARD || hook == NF_INET_POST_ROUTING);
	}
	return false;
}

/* From one base chain on, everything that it leads to. */
static void read_base(struct reader *reader, size_t base)
{
	const struct ruleset_table *table = reader->table;
	AUTO_FREE bool *wanted = calloc(table->chain_count, sizeof(*wanted));
	AUTO_FREE bool *done = calloc(table->chain_count, sizeof(*done));

	if (!wanted || !done) {
		reader->asked->error = true;
		return;
	}
	reader->wanted = wanted;
	wanted[base] = true;
	do {
		reader->grew = false;
		for (size_t i = 0; i < table->chain_count; i++) {
			if (!wanted[i] || done[i])
				continue;
			done[i] = true;
			read_chain(reader, &table->chains[i]);
		}
	} while (reader->grew);
	reader->wanted = NULL;
}

static bool finds_protocol(const struct packet *packet)
{
	return packet->ethertype == ETH_P_IP ||
	       (packet->ethertype == ETH_P_IPV6 && packet->protocol != IPPROTO_HOPOPTS &&
		packet->protocol != IPPROTO_ROUTING && packet->protocol != IPPROTO_FRAGMENT &&
		packet->protocol != IPPROTO_AH && packet->protocol != IPPROTO_DSTOPTS);
}

void brute_read_scene(const struct ruleset *ruleset, const struct packet *scene,
		      struct brute_asked *asked)
{
	struct reader reader = {
	    .asked = asked, .scene = scene, .has_protocol = finds_protocol(scene)};

	for (size_t t = 0; t < ruleset->table_count; t++) {
		reader.table = &ruleset->tables[t];
		for (size_t c = 0; c < reader.table->chain_count; c++)
			if (reader.table->chains[c].base &&
			    is_called(&reader, &reader.table->chains[c]))
				read_base(&reader, c);
	}
}

void brute_read_shapes(const struct ruleset *ruleset, struct brute_asked *asked)
{
	static const uint16_t ethertypes[] = {ETH_P_IP, ETH_P_IPV6, ETH_P_ARP};

	for (unsigned i = 0; i < 4 * ARRAY_SIZE(ethertypes); i++) {
		const struct packet scene = {
		    .ethertype = ethertypes[i / 4], .fragment = i & 1, .options = (i & 2) ? 1 : 0};
		struct reader reader = {.asked = asked, .scene = &scene, .shapes = true};

		for (size_t t = 0; t < ruleset->table_count; t++) {
			const struct ruleset_table *table = &ruleset->tables[t];
			AUTO_FREE bool *wanted = calloc(table->chain_count + 1, sizeof(*wanted));

			reader.table = table;
			reader.wanted = wanted;
			asked->error |= !wanted;
			for (size_t c = 0; wanted && c < table->chain_count; c++)
				read_chain(&reader, &table->chains[c]);
		}
	}
}

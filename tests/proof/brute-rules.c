/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the rules ask of the packets of a scene.
 *
 * Rules are read, not run: each byte of a register is known to be a constant of the scene, or a
 * byte of a field, or neither. A rule that the scene's constants rule out is left where they do;
 * one that surely applies and ends its chain ends the reading of the chain. Where in doubt, more is
 * asked than need be, which costs time and nothing else.
 */
#include "brute-internal.h"

#include <netinet/in.h>
#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <string.h>

#define REGISTER_BYTES (RULESET_REGISTERS * 4u)
#define ENCODED_OFFSET 185 /* of a later fragment, see packet_encode() */

struct origin {
	enum { NOWHERE = 0, CONSTANT, FIELD } from;
	enum brute_field field;
	uint8_t at; /* byte of the field */
	uint8_t mask, xor;
	uint8_t value, open; /* of a constant; and its bits that packets of a class do not share */
};

enum truth { NEVER, ALWAYS, SOMETIMES };

struct reader {
	struct brute_asked *asked;
	const struct packet *scene;
	bool shapes;       /* ask about shapes, and about nothing else; @scene gives the rest */
	bool has_protocol; /* the kernel finds an upper protocol */
	bool arrives, leaves, early; /* of the hook: which devices there are; before routing */
	const struct ruleset_table *table;
	struct origin registers[REGISTER_BYTES];
	/* For the chains of a table: is it to be read, was it? */
	bool *wanted;
	bool grew;
};

/* ---- where bytes are from ---- */

static struct origin constant(uint8_t value)
{
	return (struct origin){.from = CONSTANT, .value = value, .mask = 0xff};
}

static struct origin from(const struct reader *reader, enum brute_field field, size_t at)
{
	const struct packet *scene = reader->scene;
	uint16_t link = scene->link_ethertype ? scene->link_ethertype : scene->ethertype;

	if (field >= BRUTE_SHAPES || reader->shapes)
		return (struct origin){
		    .from = FIELD, .field = field, .at = (uint8_t)at, .mask = 0xff};
	if (field == BRUTE_PROTOCOL)
		return constant(scene->protocol);
	if (field == BRUTE_VERSION_IHL)
		return constant((uint8_t)(0x45 + scene->options));
	if (field == BRUTE_ARP_OPERATION)
		return constant((uint8_t)(scene->arp_operation >> (at ? 0 : 8)));
	/* The link header's: the label is a constant of its own. */
	return constant((uint8_t)(link >> (at ? 0 : 8)));
}

static struct origin from_transport(const struct reader *reader, size_t at)
{
	uint8_t protocol = reader->scene->protocol;

	if (protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6) {
		if (at == 0)
			return from(reader, BRUTE_ICMP_TYPE, 0);
		if (at == 1)
			return from(reader, BRUTE_ICMP_CODE, 0);
		if (at == 4 || at == 5)
			return from(reader, BRUTE_ICMP_ID, at - 4);
		return (struct origin){0};
	}
	if (!packet_has_ports(protocol))
		return (struct origin){0};
	if (at < 2)
		return from(reader, BRUTE_SOURCE_PORT, at);
	if (at < 4)
		return from(reader, BRUTE_DESTINATION_PORT, at - 2);
	if (at == 13 && protocol == IPPROTO_TCP)
		return from(reader, BRUTE_FLAGS, 0);
	return (struct origin){0};
}

static struct origin from_ipv4(const struct reader *reader, size_t at)
{
	const struct packet *scene = reader->scene;
	size_t header = 20u + 4u * scene->options;
	struct origin origin;

	if (at == 0)
		return from(reader, BRUTE_VERSION_IHL, 0);
	if (at == 6) {
		origin = constant(0);
		origin.open = 0xe0;
		return origin;
	}
	if (at == 7)
		return constant(scene->fragment ? ENCODED_OFFSET : 0);
	if (at == 9)
		return from(reader, BRUTE_PROTOCOL, 0);
	if (at >= 12 && at < 16)
		return from(reader, BRUTE_SOURCE4, at - 12);
	if (at >= 16 && at < 20)
		return from(reader, BRUTE_DESTINATION4, at - 16);
	if (at >= header && !scene->fragment)
		return from_transport(reader, at - header);
	return (struct origin){0};
}

static struct origin from_ipv6(const struct reader *reader, size_t at)
{
	const struct packet *scene = reader->scene;
	bool extended = scene->options || scene->fragment;
	size_t header = extended ? 48 : 40;

	if (at == 6 && extended)
		return constant(scene->fragment ? IPPROTO_FRAGMENT : IPPROTO_DSTOPTS);
	if (at == 6)
		return from(reader, BRUTE_PROTOCOL, 0);
	if (at >= 8 && at < 24)
		return from(reader, BRUTE_SOURCE6, at - 8);
	if (at >= 24 && at < 40)
		return from(reader, BRUTE_DESTINATION6, at - 24);
	if (at >= header && !scene->fragment)
		return from_transport(reader, at - header);
	return (struct origin){0};
}

static struct origin from_network(const struct reader *reader, size_t at)
{
	switch (reader->scene->ethertype) {
	case ETH_P_IP:
		return from_ipv4(reader, at);
	case ETH_P_IPV6:
		return from_ipv6(reader, at);
	case ETH_P_ARP:
		if (at == 6 || at == 7)
			return from(reader, BRUTE_ARP_OPERATION, at - 6);
		break;
	default:
		break;
	}
	return (struct origin){0};
}

static struct origin from_payload(const struct reader *reader, enum ruleset_base base, size_t at)
{
	if (base == RULESET_LINK && (at == 12 || at == 13))
		return from(reader, BRUTE_ETHERTYPE, at - 12);
	if (base == RULESET_NETWORK)
		return from_network(reader, at);
	if (base == RULESET_TRANSPORT)
		return from_transport(reader, at);
	return (struct origin){0};
}

/* ---- loads. False: surely none of the scene's packets comes farther in the rule. @sure becomes
 * false where that may be. ---- */

/* The registers' bytes from @reg on, as far as there are; a value is padded to whole registers. */
static void forget(struct reader *reader, uint8_t reg, size_t len)
{
	for (size_t i = reg * 4u; i < REGISTER_BYTES && i < reg * 4u + (len + 3) / 4 * 4; i++)
		reader->registers[i] = (struct origin){0};
}

static void load_constant(struct reader *reader, uint8_t reg, const void *bytes, size_t len)
{
	for (size_t i = 0; i < (len + 3) / 4 * 4 && reg * 4u + i < REGISTER_BYTES; i++)
		reader->registers[reg * 4u + i] =
		    constant(i < len ? ((const uint8_t *)bytes)[i] : 0);
}

static void load_field(struct reader *reader, uint8_t reg, enum brute_field field)
{
	size_t len = brute_field_len(field);
	const uint8_t none = 0;

	load_constant(reader, reg, &none, len > 1 ? 0 : 1);
	for (size_t i = 0; i < len && reg * 4u + i < REGISTER_BYTES; i++)
		reader->registers[reg * 4u + i] = from(reader, field, i);
}

static void load_number(struct reader *reader, uint8_t reg, uint32_t number)
{
	load_constant(reader, reg, &number, sizeof(number));
}

static bool load_device(struct reader *reader, const struct ruleset_expression *e, bool *sure)
{
	uint32_t key = e->meta.key;
	bool in = key == NFT_META_IIF || key == NFT_META_IIFTYPE;
	bool exists = in ? reader->arrives : reader->leaves, loopback = reader->scene->loopback;
	uint16_t type = loopback ? ARPHRD_LOOPBACK : ARPHRD_ETHER;

	/* What of an input device is left at postrouting is not known. */
	*sure &= exists || !in;
	if (key == NFT_META_IIF || key == NFT_META_OIF)
		load_number(reader, e->meta.reg, !exists ? 0 : loopback ? 1 : 2);
	else
		load_constant(reader, e->meta.reg, &type, sizeof(type));
	return exists || key == NFT_META_IIF || key == NFT_META_OIF;
}

static bool load_meta(struct reader *reader, const struct ruleset_expression *e, bool *sure)
{
	const struct packet *scene = reader->scene;
	const uint16_t label = htons(scene->ethertype);

	switch (e->meta.key) {
	case NFT_META_L4PROTO:
		load_field(reader, e->meta.reg, BRUTE_PROTOCOL);
		return reader->has_protocol || reader->shapes;
	case NFT_META_PROTOCOL:
		if (reader->shapes)
			load_field(reader, e->meta.reg, BRUTE_ETHERTYPE);
		else
			load_constant(reader, e->meta.reg, &label, sizeof(label));
		return true;
	case NFT_META_IIF:
	case NFT_META_OIF:
	case NFT_META_IIFTYPE:
	case NFT_META_OIFTYPE:
		return load_device(reader, e, sure);
	case NFT_META_SKUID:
		load_field(reader, e->meta.reg, BRUTE_UID);
		return (scene->owned && reader->leaves && !reader->arrives) || reader->shapes;
	case NFT_META_RTCLASSID:
		*sure &= !reader->early;
		load_number(reader, e->meta.reg, 0);
		return scene->path != PACKET_FRAME || scene->routed;
	case NFT_META_NFPROTO:
		forget(reader, e->meta.reg, 1);
		if (reader->table->family != RULESET_NETDEV) {
			uint8_t family = scene->ethertype == ETH_P_IP ? RULESET_IPV4 : RULESET_IPV6;

			load_constant(reader, e->meta.reg, &family, 1);
		}
		return true;
	default:
		*sure = false;
		forget(reader, e->meta.reg, RULESET_DEVICE_MAX);
		return true;
	}
}

static bool load_payload(struct reader *reader, const struct ruleset_expression *e, bool *sure)
{
	const size_t first = e->payload.reg * 4u, len = e->payload.len;
	const uint8_t none = 0;

	/* There may be less, and then the rule ends here. */
	*sure = false;
	load_constant(reader, e->payload.reg, &none, 0);
	for (size_t i = 0; i < (len + 3) / 4 * 4 && first + i < REGISTER_BYTES; i++)
		reader->registers[first + i] =
		    i < len ? from_payload(reader, e->payload.base, e->payload.offset + i)
			    : constant(0);
	if (e->payload.base == RULESET_NETWORK && e->payload.offset + len > 20)
		reader->asked->deep = true;
	return e->payload.base != RULESET_TRANSPORT || reader->shapes ||
	       (reader->has_protocol && !reader->scene->fragment);
}

static void load_bitwise(struct reader *reader, const struct ruleset_expression *e)
{
	struct origin made[RULESET_DATA_MAX] = {0};
	const size_t source = e->bitwise.source * 4u, to = e->bitwise.reg * 4u;
	size_t len = e->bitwise.len < RULESET_DATA_MAX ? e->bitwise.len : RULESET_DATA_MAX;

	for (size_t i = 0; i < len && source + i < REGISTER_BYTES; i++) {
		uint8_t mask = e->bitwise.mask.bytes[i], flip = e->bitwise.xor.bytes[i];
		struct origin *origin = &made[i];

		*origin = reader->registers[source + i];
		origin->value = (uint8_t)((origin->value & mask) ^ flip);
		origin->open &= mask;
		origin->xor = (uint8_t)((origin->xor &mask) ^ flip);
		origin->mask &= mask;
		if (mask == 0)
			*origin = constant(flip);
	}
	for (size_t i = 0; i < (len + 3) / 4 * 4 && to + i < REGISTER_BYTES; i++)
		reader->registers[to + i] = i < len ? made[i] : constant(0);
}

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
	uint8_t value[REGISTER_BYTES] = {0};
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

	if (at >= REGISTER_BYTES || len > REGISTER_BYTES - at || len == 0)
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
		if (i >= REGISTER_BYTES || reader->registers[i].from == NOWHERE)
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

		if (reg * 4u + to + len > REGISTER_BYTES)
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
		forget(reader, e->lookup.destination, set->data_len);
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
		forget(reader, e->socket.reg, 1);
		return SOMETIMES;
	case RULESET_CONNECTION:
		forget(reader, e->connection.reg, 16);
		return SOMETIMES;
	case RULESET_ROUTE_LOOKUP:
		forget(reader, e->route_lookup.reg, RULESET_DEVICE_MAX);
		return SOMETIMES;
	case RULESET_ROUTE_FIELD:
		forget(reader, e->route_field.reg, 16);
		return SOMETIMES;
	case RULESET_NUMBER:
		forget(reader, e->number.reg, 4);
		return SOMETIMES;
	case RULESET_SHIFT:
	case RULESET_BYTEORDER:
		reader->asked->opaque = "bits of fields change their places";
		return SOMETIMES;
	case RULESET_COUNTER:
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
	case RULESET_NO_EFFECT:
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

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "random.h"

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <string.h>

#include "copy.h"

#define CHAINS 3

typedef struct ruleset_expression expr;

/* splitmix64: small, and the same everywhere. */
uint32_t random_below(struct random_numbers *random, uint32_t limit)
{
	uint64_t z = random->state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return (uint32_t)((z ^ z >> 31) % limit);
}

static bool one_in(struct random_numbers *random, uint32_t n)
{
	return random_below(random, n) == 0;
}

/* What a rule may ask about, and values that occur. */
struct subject {
	enum ruleset_base base; /* payload, where len is not 0; else meta */
	uint32_t offset, len, key;
	uint8_t width;
	uint8_t protocol; /* asked first; 0 for none */
	uint8_t family;   /* the same */
	const uint8_t (*values)[4];
	size_t count;
};

static const uint8_t addresses[][4] = {{10, 0, 0, 0},    {127, 0, 0, 1},     {127, 192, 0, 0},
				       {192, 168, 1, 2}, {198, 51, 100, 80}, {255, 255, 255, 255}};
static const uint8_t ports[][4] = {{0, 53}, {0, 67}, {1, 187}, {35, 90}, {255, 255}, {0, 0}};
static const uint8_t protocols[][4] = {{6}, {17}, {1}, {58}, {44}};
static const uint8_t flags[][4] = {{0x02}, {0x10}, {0x12}, {0x04}};
static const uint8_t types[][4] = {{0}, {3}, {8}, {11}, {128}};
/* Users as a little-endian machine has them; on others they are other users, which is as good. */
static const uint8_t users[][4] = {{0}, {42}, {0, 0xfa}, {1, 0xfa}, {0xfe, 0xff}};
static const uint8_t indices[][4] = {{1}, {2}};

#define VALUES(list) .values = (list), .count = ARRAY_SIZE(list)
static const struct subject subjects[] = {
    {RULESET_NETWORK, 16, 4, 0, 4, 0, 2, VALUES(addresses)},
    {RULESET_NETWORK, 12, 4, 0, 4, 0, 2, VALUES(addresses)},
    {RULESET_TRANSPORT, 2, 2, 0, 2, 6, 0, VALUES(ports)},
    {RULESET_TRANSPORT, 2, 2, 0, 2, 17, 0, VALUES(ports)},
    {RULESET_TRANSPORT, 0, 2, 0, 2, 17, 0, VALUES(ports)},
    {RULESET_TRANSPORT, 0, 4, 0, 4, 6, 0, VALUES(addresses)},
    {RULESET_TRANSPORT, 13, 1, 0, 1, 6, 0, VALUES(flags)},
    {RULESET_TRANSPORT, 0, 1, 0, 1, 1, 2, VALUES(types)},
    {.key = NFT_META_L4PROTO, .width = 1, VALUES(protocols)},
    {.key = NFT_META_SKUID, .width = 4, VALUES(users)},
    {.key = NFT_META_OIF, .width = 4, VALUES(indices)},
    {.key = NFT_META_IIF, .width = 4, VALUES(indices)},
};

/* A chain being written. The first failure sticks. */
struct writer {
	struct random_numbers *random;
	struct ruleset_table *table;
	struct ruleset_rule *rule;
	bool error;
};

static void write_one(struct writer *writer, const expr *e)
{
	writer->error |= !copy_push_expression(writer->rule, e);
}

static struct ruleset_value some_value(struct writer *writer, const struct subject *subject)
{
	struct ruleset_value made = {.len = subject->width};

	memcpy(made.bytes, subject->values[random_below(writer->random, (uint32_t)subject->count)],
	       subject->width);
	if (one_in(writer->random, 4))
		made.bytes[subject->width - 1] ^= (uint8_t)random_below(writer->random, 4);
	return made;
}

static void write_number(struct writer *writer, uint32_t key, uint8_t number)
{
	const expr load = {.kind = RULESET_META, .meta = {.key = key, .reg = 1}};
	const expr same = {.kind = RULESET_COMPARE,
			   .compare = {.reg = 1, .value = {.bytes = {number}, .len = 1}}};

	write_one(writer, &load);
	write_one(writer, &same);
}

static void write_load(struct writer *writer, const struct subject *subject)
{
	expr load = {.kind = RULESET_META, .meta.key = subject->key};

	if (subject->len)
		load = (expr){.kind = RULESET_PAYLOAD,
			      .payload = {subject->base, subject->offset, subject->len, 0}};
	if (subject->family)
		write_number(writer, NFT_META_NFPROTO, subject->family);
	if (subject->protocol)
		write_number(writer, NFT_META_L4PROTO, subject->protocol);
	write_one(writer, &load);
	if (one_in(writer->random, 3)) {
		expr mask = {.kind = RULESET_BITWISE, .bitwise.len = subject->width};

		mask.bitwise.mask.len = mask.bitwise.xor.len = subject->width;
		/* Into another register: the kernel's own way has no overlap either. */
		mask.bitwise.reg = 0;
		for (size_t i = 0; i < subject->width; i++) {
			mask.bitwise.mask.bytes[i] = one_in(writer->random, 3) ? 0xf0 : 0xff;
			mask.bitwise.xor.bytes[i] = one_in(writer->random, 9) ? 1 : 0;
		}
		write_one(writer, &mask);
	}
}

static void order(struct ruleset_value *low, struct ruleset_value *high)
{
	struct ruleset_value other = *low;

	if (memcmp(low->bytes, high->bytes, low->len) <= 0)
		return;
	*low = *high;
	*high = other;
}

static struct ruleset_verdict some_verdict(struct writer *writer, uint32_t deeper)
{
	static const enum ruleset_code codes[] = {RULESET_ACCEPT, RULESET_DROP, RULESET_RETURN,
						  RULESET_JUMP, RULESET_GOTO};
	struct ruleset_verdict made;

	made = (struct ruleset_verdict){.code = codes[random_below(writer->random, 5)]};
	if (made.code < RULESET_JUMP || made.code == RULESET_RETURN)
		return made;
	/* Only farther on, so that nothing leads in a circle. */
	if (deeper > CHAINS)
		return (struct ruleset_verdict){.code = RULESET_ACCEPT};
	snprintf(made.chain, sizeof(made.chain), "c%u",
		 deeper + random_below(writer->random, CHAINS + 1 - deeper));
	return made;
}

/* A set of values, or a map from them to verdicts. Each value once; overlaps are left out. */
static void write_set(struct writer *writer, const struct subject *subject, uint32_t deeper)
{
	bool map = one_in(writer->random, 2), interval = one_in(writer->random, 2);
	expr look = {.kind = RULESET_LOOKUP,
		     .lookup = {.map = map,
				.verdict_map = map,
				.inverted = !map && one_in(writer->random, 4)}};
	struct ruleset_set *set;
	char name[32];

	snprintf(name, sizeof(name), "s%zu", writer->table->set_count);
	set = ruleset_add_set(writer->table, name);
	if (!set) {
		writer->error = true;
		return;
	}
	snprintf(look.lookup.set, sizeof(look.lookup.set), "%s", name);
	set->key_len = subject->width;
	set->interval = interval;
	set->map = set->verdict_map = map;
	for (uint32_t i = 1 + random_below(writer->random, 3); i > 0; i--) {
		struct ruleset_element element = {.key = some_value(writer, subject)};
		bool before = false;

		element.key_end = interval ? some_value(writer, subject) : element.key;
		order(&element.key, &element.key_end);
		for (size_t k = 0; k < set->element_count; k++) {
			const struct ruleset_element *other = &set->elements[k];
			const uint8_t *end = interval ? other->key_end.bytes : other->key.bytes;

			before |=
			    memcmp(element.key.bytes, end, subject->width) <= 0 &&
			    memcmp(other->key.bytes, element.key_end.bytes, subject->width) <= 0;
		}
		if (before)
			continue;
		if (!interval)
			element.key_end.len = 0;
		if (map)
			element.verdict = some_verdict(writer, deeper);
		writer->error |= !copy_push_element(set, &element);
	}
	write_one(writer, &look);
}

static void write_question(struct writer *writer, uint32_t deeper)
{
	const struct subject *subject =
	    &subjects[random_below(writer->random, ARRAY_SIZE(subjects))];
	expr e = {.kind = RULESET_COMPARE};

	write_load(writer, subject);
	switch (random_below(writer->random, 4)) {
	case 0:
		write_set(writer, subject, deeper);
		return;
	case 1:
		e = (expr){.kind = RULESET_RANGE,
			   .range = {.operator= one_in(writer->random, 3) ? RULESET_NOT_EQUAL
									  : RULESET_EQUAL,
				     .from = some_value(writer, subject),
				     .to = some_value(writer, subject)}};
		order(&e.range.from, &e.range.to);
		break;
	default:
		e.compare.operator=(enum ruleset_operator) random_below(writer->random, 6);
		e.compare.value = some_value(writer, subject);
		break;
	}
	write_one(writer, &e);
}

static void write_chain(struct writer *writer, struct ruleset_chain *chain, uint32_t deeper)
{
	for (uint32_t i = 1 + random_below(writer->random, 3); i > 0 && !writer->error; i--) {
		expr end = {.kind = RULESET_IMMEDIATE};

		writer->rule = copy_insert_rule(chain, chain->rule_count);
		if (!writer->rule) {
			writer->error = true;
			return;
		}
		write_question(writer, deeper);
		if (one_in(writer->random, 3))
			write_question(writer, deeper);
		end.immediate.verdict = some_verdict(writer, deeper);
		write_one(writer, &end);
	}
}

int random_add_table(struct random_numbers *random, struct ruleset *ruleset)
{
	static const uint32_t hooks[] = {NF_INET_PRE_ROUTING, NF_INET_LOCAL_IN, NF_INET_LOCAL_OUT,
					 NF_INET_POST_ROUTING, NF_INET_FORWARD};
	bool frames = one_in(random, 4);
	struct ruleset_table *table;
	struct writer writer = {.random = random};

	table = ruleset_add_table(ruleset, frames ? RULESET_NETDEV : RULESET_INET, "random");
	if (!table)
		return -ENOMEM;
	writer.table = table;
	for (uint32_t i = 0; i <= CHAINS; i++) {
		struct ruleset_chain *chain;
		char name[16];

		snprintf(name, sizeof(name), "c%u", i);
		chain = ruleset_add_chain(table, name);
		if (!chain)
			return -ENOMEM;
		if (i == 0) {
			chain->base = true;
			chain->type = RULESET_FILTER;
			chain->hook = frames ? 1 : hooks[random_below(random, ARRAY_SIZE(hooks))];
			chain->priority = (int32_t)random_below(random, 400) - 200;
			chain->policy = one_in(random, 4) ? RULESET_DROP : RULESET_ACCEPT;
			chain->every_device = frames;
		}
		write_chain(&writer, chain, i + 1);
		if (writer.error)
			return -ENOMEM;
	}
	ruleset_sort(ruleset);
	return 0;
}

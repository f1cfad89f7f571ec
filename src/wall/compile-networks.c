/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * How a rule asks whether the destination lies in a network. A set of intervals answers for any
 * network, but it was a third of what the whole filter costs (docs/benchmarks.md). So a network of
 * few prefixes gets a rule for each, and one that holds much of the address space is first asked by
 * the address's first octet, in a hash; only octets that it holds in part are left to ask about.
 * No address is in two parts, so that each element of the ruleset decides something.
 */
#include "compile-internal.h"

#include <netinet/in.h>
#include <string.h>

#define OCTETS	     256
#define OCTET_SIZE   (1u << 24)
#define OCTETS_WORTH 16 /* octets held as a whole, below which the first question is not worth it */
#define PREFIXES_MAX (COMPILE_PARTS_MAX - 1)

/* What is left of a network without the octets that it holds as a whole. */
struct rest {
	struct policy_range *ranges;
	size_t count;
};

static void rest_done(struct rest *rest)
{
	free(rest->ranges);
}

static uint32_t octet_low(size_t octet)
{
	return (uint32_t)octet * OCTET_SIZE;
}

static uint32_t octet_high(size_t octet)
{
	return octet_low(octet) + (OCTET_SIZE - 1);
}

static uint32_t later(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

static uint32_t earlier(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* Which octets the ranges (disjoint, perhaps adjacent) hold from end to end. Returns how many. */
static size_t whole_octets(const struct policy_range *ranges, size_t count, bool whole[OCTETS])
{
	uint32_t held[OCTETS] = { 0 };
	size_t found = 0;

	for (size_t i = 0; i < count; i++)
		for (size_t o = ranges[i].low / OCTET_SIZE; o <= ranges[i].high / OCTET_SIZE; o++)
			held[o] += earlier(ranges[i].high, octet_high(o)) -
				   later(ranges[i].low, octet_low(o)) + 1;
	for (size_t o = 0; o < OCTETS; o++) {
		whole[o] = held[o] == OCTET_SIZE;
		found += whole[o];
	}
	return found;
}

/* An addition that touches the last range makes that longer: a set of intervals takes neighbours
 * for a mistake. */
static void rest_add(struct rest *rest, uint32_t low, uint32_t high)
{
	if (rest->count > 0 && rest->ranges[rest->count - 1].high + 1 == low)
		rest->ranges[rest->count - 1].high = high;
	else
		rest->ranges[rest->count++] = (struct policy_range){ low, high };
}

/* At most the two ends of a range lie in octets that are not whole. */
static int rest_make(const struct policy_range *ranges, size_t count, const bool whole[OCTETS],
		     struct rest *rest)
{
	rest->ranges = calloc(2 * count + 1, sizeof(*rest->ranges));
	if (!rest->ranges)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		size_t first = ranges[i].low / OCTET_SIZE, last = ranges[i].high / OCTET_SIZE;

		for (size_t o = first; o <= last; o++)
			if (!whole[o])
				rest_add(rest, later(ranges[i].low, octet_low(o)),
					 earlier(ranges[i].high, octet_high(o)));
	}
	return 0;
}

/* The longest prefix that starts at @low and does not go beyond @high. */
static unsigned prefix_length(uint32_t low, uint32_t high)
{
	unsigned length = 32;

	while (length > 1) {
		uint32_t size = 1u << (32 - (length - 1));

		if (low % size != 0 || high - low < size - 1)
			break;
		length--;
	}
	return length;
}

/* Add a part for each prefix, or none if they would be too many. */
static bool add_prefixes(struct compile_network *network, const struct policy_range *ranges,
			 size_t count)
{
	size_t before = network->count;

	for (size_t i = 0; i < count; i++) {
		uint64_t low = ranges[i].low;

		while (low <= ranges[i].high) {
			unsigned length = prefix_length((uint32_t)low, ranges[i].high);

			if (network->count - before == PREFIXES_MAX) {
				network->count = before;
				return false;
			}
			network->parts[network->count++] =
				(struct compile_part){ .kind = COMPILE_PREFIX,
						       .address = (uint32_t)low,
						       .prefix_length = length };
			low += UINT64_C(1) << (32 - length);
		}
	}
	return true;
}

static struct compile_part *add_part(struct compile_network *network, enum compile_part_kind kind,
				     const char *prefix, const char *name)
{
	struct compile_part *part = &network->parts[network->count++];

	*part = (struct compile_part){ .kind = kind };
	snprintf(part->set, sizeof(part->set), "%s%.48s", prefix, name);
	return part;
}

static void octet_set(struct compile *compile, const struct compile_part *part,
		      const bool whole[OCTETS])
{
	struct emit_set set =
		emit_set(compile->table, &compile->error, part->set, EMIT_TYPE_IPV4, 4);

	for (size_t o = 0; o < OCTETS; o++) {
		uint32_t net = htonl(octet_low(o));

		if (whole[o] == (part->kind == COMPILE_OCTETS))
			emit_element(&set, &net, sizeof(net));
	}
}

static void add_octets(struct compile *compile, const char *name, bool make_sets, size_t found,
		       const bool whole[OCTETS], struct compile_network *network)
{
	bool most = found > OCTETS / 2;
	/* Before the name, not behind it, where a network of the policy could be called so. */
	struct compile_part *part = add_part(network, most ? COMPILE_OTHER_OCTETS : COMPILE_OCTETS,
					     most ? "other_octets_" : "octets_", name);

	if (make_sets)
		octet_set(compile, part, whole);
}

static void add_intervals(struct compile *compile, const char *name, bool make_sets,
			  const struct rest *rest, struct compile_network *network)
{
	struct compile_part *part = add_part(network, COMPILE_INTERVALS, "", name);

	if (make_sets)
		compile_address_set(compile, part->set, rest->ranges, rest->count);
}

void compile_network(struct compile *compile, const char *name, const struct policy_range *ranges,
		     size_t count, bool make_sets, struct compile_network *ret_network)
{
	CLEANUP(rest_done) struct rest rest = { 0 };
	struct compile_network network = { 0 };
	bool whole[OCTETS];
	size_t found = whole_octets(ranges, count, whole);

	*ret_network = network;
	if (add_prefixes(&network, ranges, count)) {
		*ret_network = network;
		return;
	}
	if (found >= OCTETS_WORTH)
		add_octets(compile, name, make_sets, found, whole, &network);
	else
		memset(whole, 0, sizeof(whole));
	if (rest_make(ranges, count, whole, &rest) < 0) {
		compile->error = -ENOMEM;
		return;
	}
	if (!add_prefixes(&network, rest.ranges, rest.count))
		add_intervals(compile, name, make_sets, &rest, &network);
	*ret_network = network;
}

void compile_part_match(struct emit *emit, const struct compile_part *part)
{
	switch (part->kind) {
	case COMPILE_PREFIX:
		emit_prefix(emit, part->address, part->prefix_length);
		return;
	case COMPILE_OCTETS:
	case COMPILE_OTHER_OCTETS:
		emit_first_octet(emit, part->set, part->kind == COMPILE_OTHER_OCTETS);
		return;
	case COMPILE_INTERVALS:
		emit_destination_in(emit, part->set);
		return;
	}
}

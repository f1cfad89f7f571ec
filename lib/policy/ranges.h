/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sets of IPv4 addresses and of ports, as sorted ranges. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <base/cleanup.h>

#include "policy.h"

#define RANGES_MAX 65536 /* prefixes that one network is made of */

/* A range, and which of the terms that make up a network it comes from. */
struct range_term {
	struct policy_range range;
	size_t term;
};

/*
 * Read "192.0.2.1" or "192.0.2.0/24". Returns 0, -EINVAL (neither), -EDOM (IPv6) or -ERANGE (bits
 * beyond the prefix's length are set; then *ret_range is the prefix that holds the address).
 */
MUST_CHECK int range_parse(const char *text, struct policy_range *ret_range,
			   unsigned *ret_prefix_length);

/* Do the sorted, disjoint @ranges and @range have an address in common? */
bool ranges_touch(const struct policy_range *ranges, size_t count,
		  const struct policy_range *range);
/* Is all of @inner in @outer? Both sorted, disjoint and not adjacent. */
bool ranges_cover(const struct policy_range *outer, size_t outer_count,
		  const struct policy_range *inner, size_t inner_count);

/* Sort by address. Returns NULL, or the later of two terms that overlap, with the earlier one's
 * number at *ret_other. */
const struct range_term *range_terms_sort(struct range_term *terms, size_t count,
					  size_t *ret_other);

/* @terms (sorted, disjoint) without @except (sorted, disjoint), adjacent ranges joined. The array
 * is the caller's to free, NULL if nothing is left. Returns 0 or -ENOMEM. */
MUST_CHECK int ranges_subtract(const struct range_term *terms, size_t count,
			       const struct range_term *except, size_t except_count,
			       struct policy_range **ret_ranges, size_t *ret_count);

/* The longest prefix that begins where @range does and ends within it; its length. */
unsigned range_first_prefix(const struct policy_range *range, struct policy_range *ret_prefix);

/* How many prefixes it takes to write these ranges. */
size_t ranges_count_prefixes(const struct policy_range *ranges, size_t count);

/* Do two sorted lists of disjoint ranges of ports have one in common? */
bool ports_overlap(const struct policy_ports *a, size_t a_count, const struct policy_ports *b,
		   size_t b_count);

/* What a traffic means, as ports: every port if it names none. */
struct port_view {
	const struct policy_ports *ports;
	size_t count;
};
struct port_view traffic_ports(const struct policy_traffic *traffic);
/* Is all that @inner allows allowed by @outer? */
bool traffic_covers(const struct policy_traffic *outer, const struct policy_traffic *inner);
bool traffic_overlaps(const struct policy_traffic *a, const struct policy_traffic *b);

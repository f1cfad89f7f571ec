/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ranges.h"

#include <arpa/inet.h>
#include <string.h>

#include <base/num.h>

#include "grow.h"

int range_parse(const char *text, struct policy_range *ret_range, unsigned *ret_prefix_length)
{
	char address[INET_ADDRSTRLEN] = "";
	const char *slash = strchr(text, '/');
	size_t len = slash ? (size_t)(slash - text) : strlen(text);
	uint64_t length = 32;
	struct in_addr net;
	uint32_t low, mask;

	if (strchr(text, ':'))
		return -EDOM;
	if (len >= sizeof(address))
		return -EINVAL;
	memcpy(address, text, len);
	if (inet_pton(AF_INET, address, &net) != 1)
		return -EINVAL;
	if (slash && num_parse_u64(slash + 1, 32, &length) < 0)
		return -EINVAL;
	low = ntohl(net.s_addr);
	mask = length ? UINT32_MAX << (32 - length) : 0;
	ret_range->low = low & mask;
	ret_range->high = low | ~mask;
	*ret_prefix_length = (unsigned)length;
	return low & ~mask ? -ERANGE : 0;
}

bool ranges_touch(const struct policy_range *ranges, size_t count, const struct policy_range *range)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (ranges[middle].high < range->low)
			low = middle + 1;
		else
			high = middle;
	}
	return low < count && ranges[low].low <= range->high;
}

bool ranges_cover(const struct policy_range *outer, size_t outer_count,
		  const struct policy_range *inner, size_t inner_count)
{
	size_t i = 0;

	for (size_t j = 0; j < inner_count; j++) {
		while (i < outer_count && outer[i].high < inner[j].high)
			i++;
		if (i == outer_count || outer[i].low > inner[j].low)
			return false;
	}
	return true;
}

static int compare_terms(const void *a, const void *b)
{
	const struct range_term *x = a, *y = b;

	if (x->range.low != y->range.low)
		return x->range.low < y->range.low ? -1 : 1;
	return (x->term > y->term) - (x->term < y->term);
}

const struct range_term *range_terms_sort(struct range_term *terms, size_t count, size_t *ret_other)
{
	if (count > 1)
		qsort(terms, count, sizeof(*terms), compare_terms);
	for (size_t i = 1; i < count; i++) {
		const struct range_term *a = &terms[i - 1], *b = &terms[i];

		if (b->range.low > a->range.high)
			continue;
		*ret_other = a->term < b->term ? a->term : b->term;
		return a->term < b->term ? b : a;
	}
	return NULL;
}

/* Add a range behind all others, joined to the last one if nothing lies between. */
static int add_range(struct policy_range **ranges, size_t *count, uint32_t low, uint32_t high)
{
	struct policy_range range = {low, high};

	if (*count && (*ranges)[*count - 1].high + 1 == low) {
		(*ranges)[*count - 1].high = high;
		return 0;
	}
	return APPEND(*ranges, *count, &range);
}

int ranges_subtract(const struct range_term *terms, size_t count, const struct range_term *except,
		    size_t except_count, struct policy_range **ret_ranges, size_t *ret_count)
{
	AUTO_FREE struct policy_range *ranges = NULL;
	size_t range_count = 0, j = 0;

	for (size_t i = 0; i < count; i++) {
		uint32_t low = terms[i].range.low, high = terms[i].range.high;
		bool left = true; /* is [low, high] still to be written? */
		int r = 0;

		while (j < except_count && except[j].range.high < low)
			j++;
		for (size_t k = j; r == 0 && left && k < except_count; k++) {
			if (except[k].range.low > high)
				break;
			if (except[k].range.low > low)
				r = add_range(&ranges, &range_count, low, except[k].range.low - 1);
			left = except[k].range.high < high;
			low = left ? except[k].range.high + 1 : high;
		}
		if (r == 0 && left)
			r = add_range(&ranges, &range_count, low, high);
		if (r < 0)
			return r;
	}
	*ret_ranges = TAKE_PTR(ranges);
	*ret_count = range_count;
	return 0;
}

unsigned range_first_prefix(const struct policy_range *range, struct policy_range *ret_prefix)
{
	unsigned length = 32;

	/* Shorten while the prefix still begins at `low` and ends by `high`. */
	while (length > 0) {
		uint32_t host = length == 1 ? UINT32_MAX : (UINT32_C(1) << (33 - length)) - 1;

		if (range->low & host || host > range->high - range->low)
			break;
		length--;
	}
	ret_prefix->low = range->low;
	ret_prefix->high =
	    range->low + (length ? (uint32_t)((UINT64_C(1) << (32 - length)) - 1) : UINT32_MAX);
	return length;
}

size_t ranges_count_prefixes(const struct policy_range *ranges, size_t count)
{
	size_t prefixes = 0;

	for (size_t i = 0; i < count; i++) {
		struct policy_range rest = ranges[i], prefix;

		for (;;) {
			range_first_prefix(&rest, &prefix);
			prefixes++;
			if (prefix.high == rest.high)
				break;
			rest.low = prefix.high + 1;
		}
	}
	return prefixes;
}

bool ports_overlap(const struct policy_ports *a, size_t a_count, const struct policy_ports *b,
		   size_t b_count)
{
	size_t i = 0, j = 0;

	while (i < a_count && j < b_count) {
		if (a[i].high < b[j].low)
			i++;
		else if (b[j].high < a[i].low)
			j++;
		else
			return true;
	}
	return false;
}

struct port_view traffic_ports(const struct policy_traffic *traffic)
{
	static const struct policy_ports every = {0, UINT16_MAX};

	if (traffic->port_count == 0)
		return (struct port_view){&every, 1};
	return (struct port_view){traffic->ports, traffic->port_count};
}

bool traffic_covers(const struct policy_traffic *outer, const struct policy_traffic *inner)
{
	struct port_view a = traffic_ports(outer), b = traffic_ports(inner);
	size_t i = 0;

	if (outer->protocol != inner->protocol)
		return false;
	for (size_t j = 0; j < b.count; j++) {
		while (i < a.count && a.ports[i].high < b.ports[j].high)
			i++;
		if (i == a.count || a.ports[i].low > b.ports[j].low)
			return false;
	}
	return true;
}

bool traffic_overlaps(const struct policy_traffic *a, const struct policy_traffic *b)
{
	struct port_view x = traffic_ports(a), y = traffic_ports(b);

	return a->protocol == b->protocol && ports_overlap(x.ports, x.count, y.ports, y.count);
}

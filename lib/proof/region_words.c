/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sets of numbers and of addresses in words, as short as they can be. */
#include "region_words.h"

#include <policy/ranges.h>

#define ITEMS_MAX 48 /* that are written out; of others it is said how many they are */

/* ---- sets ---- */

size_t words_complement(const struct region_set *set, uint32_t most,
			struct policy_range *ret_ranges)
{
	size_t count = 0;
	uint64_t from = 0;

	for (size_t i = 0; i <= set->count; i++) {
		uint64_t to = i < set->count ? set->ranges[i].low : (uint64_t)most + 1;

		if (to > from) {
			if (ret_ranges)
				ret_ranges[count] =
				    (struct policy_range){(uint32_t)from, (uint32_t)(to - 1)};
			count++;
		}
		if (i < set->count)
			from = (uint64_t)set->ranges[i].high + 1;
	}
	return count;
}

/* A set of addresses as prefixes, with holes that are told apart where that is shorter. */
struct prefixes {
	struct policy_range *ranges, *holes;
	size_t range_count, hole_count;
	size_t items;
};

static void prefixes_done(struct prefixes *prefixes)
{
	free(prefixes->ranges);
	free(prefixes->holes);
}

/* Ranges that have little between them are one, with a hole. */
static void prefixes_of(const struct policy_range *ranges, size_t count, struct prefixes *ret)
{
	struct prefixes p = {
	    .ranges = calloc(count + 1, sizeof(*p.ranges)),
	    .holes = calloc(count + 1, sizeof(*p.holes)),
	};

	for (size_t i = 0; p.ranges && p.holes && i < count; i++) {
		struct policy_range *last = p.range_count ? &p.ranges[p.range_count - 1] : NULL;
		struct policy_range hole, joined;

		if (last) {
			hole = (struct policy_range){last->high + 1, ranges[i].low - 1};
			joined = (struct policy_range){last->low, ranges[i].high};
			if (ranges_count_prefixes(&joined, 1) + ranges_count_prefixes(&hole, 1) <
			    ranges_count_prefixes(last, 1) + ranges_count_prefixes(&ranges[i], 1)) {
				*last = joined;
				p.holes[p.hole_count++] = hole;
				continue;
			}
		}
		p.ranges[p.range_count++] = ranges[i];
	}
	p.items = p.ranges && p.holes ? ranges_count_prefixes(p.ranges, p.range_count) +
					    ranges_count_prefixes(p.holes, p.hole_count)
				      : SIZE_MAX;
	*ret = p;
}

/* As what it is, or as what it is not: what is shorter. Returns true for the latter. */
static bool prefixes_shortest(const struct region_set *set, struct prefixes *ret)
{
	AUTO_FREE struct policy_range *rest = calloc(set->count + 1, sizeof(*rest));
	size_t count = rest ? words_complement(set, UINT32_MAX, rest) : 0;
	size_t items = ranges_count_prefixes(rest, count);

	prefixes_of(set->ranges, set->count, ret);
	if (!rest || set->more || items >= ret->items)
		return false;
	prefixes_done(ret);
	*ret = (struct prefixes){.ranges = TAKE_PTR(rest), .range_count = count, .items = items};
	return true;
}

static uint32_t most_of(enum region_aspect aspect)
{
	unsigned bits[32], width = region_view_bits(aspect, bits);

	return width == 32 ? UINT32_MAX : ((uint32_t)1 << width) - 1;
}

size_t region_text_length(enum region_aspect aspect, const struct region_set *set)
{
	size_t rest = words_complement(set, most_of(aspect), NULL);

	if (region_set_is_every(set))
		return 0;
	if (aspect == REGION_DESTINATION || aspect == REGION_SOURCE) {
		struct prefixes prefixes;

		prefixes_shortest(set, &prefixes);
		rest = prefixes.items;
		prefixes_done(&prefixes);
		return rest;
	}
	return set->count < rest ? set->count : rest;
}

/* ---- lists of words ---- */

bool words_next(struct words *list)
{
	if (list->items++ >= ITEMS_MAX)
		return false;
	if (list->items > 1)
		buf_puts(list->out, ", ");
	return true;
}

void words_end(const struct words *list)
{
	if (list->items > ITEMS_MAX)
		buf_printf(list->out, " and %zu more", list->items - ITEMS_MAX);
}

static void print_prefixes(const struct policy_range *ranges, size_t count, struct buf *out)
{
	struct words list = {.out = out};

	for (size_t i = 0; i < count; i++) {
		struct policy_range rest = ranges[i], prefix;

		for (;;) {
			unsigned bits = range_first_prefix(&rest, &prefix);
			struct packet_address address = packet_address4(prefix.low);

			if (words_next(&list)) {
				packet_address_print(&address, false, out);
				if (bits < 32)
					buf_printf(out, "/%u", bits);
			}
			if (prefix.high == rest.high)
				break;
			rest.low = prefix.high + 1;
		}
	}
	words_end(&list);
}

void words_addresses(const struct region_set *set, const char *word, struct buf *out)
{
	struct prefixes prefixes;

	if (region_set_is_every(set))
		return;
	buf_printf(out, " %s ", word);
	if (set->more)
		buf_puts(out, "some of ");
	if (prefixes_shortest(set, &prefixes))
		buf_puts(out, "anywhere but ");
	print_prefixes(prefixes.ranges, prefixes.range_count, out);
	if (prefixes.items == SIZE_MAX)
		out->error = -ENOMEM;
	if (prefixes.hole_count)
		buf_puts(out, " but not ");
	print_prefixes(prefixes.holes, prefixes.hole_count, out);
	prefixes_done(&prefixes);
}

void words_numbers(const struct region_set *set, enum region_aspect aspect, const char *one,
		   const char *many, struct buf *out)
{
	AUTO_FREE struct policy_range *rest = calloc(set->count + 1, sizeof(*rest));
	size_t rest_count = rest ? words_complement(set, most_of(aspect), rest) : SIZE_MAX;
	bool but = rest_count < set->count;
	const struct policy_range *ranges = but ? rest : set->ranges;
	size_t count = but ? rest_count : set->count;
	struct words list = {.out = out};

	if (region_set_is_every(set))
		return;
	if (but)
		buf_printf(out, ", every %s but ", one);
	else
		buf_printf(out, ", %s ",
			   count == 1 && ranges[0].low == ranges[0].high ? one : many);
	for (size_t i = 0; i < count; i++) {
		if (!words_next(&list))
			continue;
		buf_printf(out, "%u", ranges[i].low);
		if (ranges[i].high > ranges[i].low)
			buf_printf(out, "-%u", ranges[i].high);
	}
	words_end(&list);
}

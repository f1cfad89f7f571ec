/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sets of numbers and of addresses in words. Private to what tells regions. */
#pragma once

#include "region.h"

static inline bool region_set_is_every(const struct region_set *set)
{
	return set->numbers == DIAGRAM_TRUE;
}

/* Does the listed set hold the number? */
static inline bool region_set_has(const struct region_set *set, uint32_t number)
{
	for (size_t i = 0; i < set->count; i++)
		if (number >= set->ranges[i].low && number <= set->ranges[i].high)
			return true;
	return false;
}

/* Numbers up to @most that are not in @set. Returns how many ranges; fills @ret_ranges (count + 1
 * of the set's) if it is not NULL. */
size_t words_complement(const struct region_set *set, uint32_t most,
			struct policy_range *ret_ranges);

/* A list with commas, of which the end is left out if it is long. */
struct words {
	struct buf *out;
	size_t items;
};

/* True if there is room for one more item, which then follows. */
bool words_next(struct words *list);
/* How many were left out, if any. */
void words_end(const struct words *list);

/* " to 10.0.0.0/8 but not 10.1.2.3", @word being "to"; nothing for every address. */
void words_addresses(const struct region_set *set, const char *word, struct buf *out);

/* ", ports 80, 443" or ", every port but 53", @one being "port" and @many "ports"; nothing for
 * every number. */
void words_numbers(const struct region_set *set, enum region_aspect aspect, const char *one,
		   const char *many, struct buf *out);

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "search.h"

#include <string.h>

/* Where the parts of a key lie. Each starts at a multiple of 4. */
struct layout {
	size_t count;
	size_t at[ARRAY_SIZE(((struct ruleset_set *)0)->fields)];
	size_t len[ARRAY_SIZE(((struct ruleset_set *)0)->fields)];
};

static bool layout_of(const struct ruleset_set *set, struct layout *ret_layout)
{
	struct layout layout = {.count = set->field_count};
	size_t at = 0;

	if (set->key_len == 0 || set->key_len > RULESET_DATA_MAX)
		return false;
	if (set->field_count == 0) {
		*ret_layout = (struct layout){.count = 1, .len = {set->key_len}};
		return true;
	}
	if (set->field_count > ARRAY_SIZE(layout.at))
		return false;
	for (size_t i = 0; i < layout.count; i++) {
		layout.at[i] = at;
		layout.len[i] = set->fields[i];
		at += (set->fields[i] + 3u) / 4 * 4;
	}
	if (at != set->key_len)
		return false;
	*ret_layout = layout;
	return true;
}

/* The last key of an element: its only one, unless it is a range. */
static const uint8_t *end_of(const struct ruleset_element *element)
{
	return element->key_end.len ? element->key_end.bytes : element->key.bytes;
}

size_t search_exact_fields(const struct ruleset_set *set)
{
	struct layout layout;
	size_t exact;

	if (!layout_of(set, &layout))
		return 0;
	if (!set->interval)
		return layout.count;
	exact = layout.count;
	for (size_t i = 0; i < set->element_count && exact > 0; i++) {
		const struct ruleset_element *element = &set->elements[i];

		for (size_t f = 0; f < exact; f++)
			if (memcmp(element->key.bytes + layout.at[f],
				   end_of(element) + layout.at[f], layout.len[f]) != 0)
				exact = f;
	}
	return exact;
}

/* The first element from @low to @high whose first @len bytes from @at are not less than those of
 * @key; or, with @above, the first whose are greater. */
static size_t bisect(const struct ruleset_set *set, size_t low, size_t high, size_t at, size_t len,
		     const uint8_t *key, bool above)
{
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = memcmp(set->elements[middle].key.bytes + at, key + at, len);

		if (order < 0 || (above && order == 0))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* A key whose open bits are all 0 and all 1. */
struct span {
	uint8_t low[RULESET_DATA_MAX], high[RULESET_DATA_MAX];
};

static struct span span_of(const uint8_t *key, const uint8_t *known, size_t len)
{
	struct span span = {0};

	for (size_t i = 0; i < len; i++) {
		span.low[i] = key[i] & known[i];
		span.high[i] = (uint8_t)(key[i] | (uint8_t)~known[i]);
	}
	return span;
}

/* Can the element hold the key, whatever its open bits are? With none open: does it? */
static bool may_hold(const struct ruleset_element *element, const struct layout *layout,
		     const struct span *span, const uint8_t *known)
{
	const uint8_t *start = element->key.bytes, *end = end_of(element);

	for (size_t f = 0; f < layout->count; f++) {
		size_t at = layout->at[f], len = layout->len[f];
		bool single = memcmp(start + at, end + at, len) == 0;

		if (memcmp(span->high + at, start + at, len) < 0 ||
		    memcmp(span->low + at, end + at, len) > 0)
			return false;
		for (size_t i = at; single && i < at + len; i++)
			if ((start[i] ^ span->low[i]) & known[i])
				return false;
	}
	return true;
}

static size_t known_prefix(const uint8_t *known, size_t len)
{
	size_t prefix = 0;

	while (prefix < len && known[prefix] == 0xff)
		prefix++;
	return prefix;
}

enum search_answer search_set(const struct ruleset_set *set, const uint8_t *key,
			      const uint8_t *known, const struct ruleset_element **ret_element)
{
	size_t exact = set->exact_fields, prefix, len, low, high;
	struct layout layout;
	struct span span;
	bool certain;

	if (!layout_of(set, &layout) || exact > layout.count)
		return SEARCH_UNKNOWN;
	len = exact == layout.count ? set->key_len : layout.at[exact];
	prefix = known_prefix(known, set->key_len);
	certain = prefix == set->key_len;
	if (prefix > len)
		prefix = len;

	low = bisect(set, 0, set->element_count, 0, prefix, key, false);
	high = bisect(set, low, set->element_count, 0, prefix, key, true);
	/* One part is left: the ranges of it do not overlap, so only the last that starts at or
	 * before the key can hold it. */
	if (certain && exact + 1 == layout.count) {
		high = bisect(set, low, high, layout.at[exact], layout.len[exact], key, true);
		low = high > low ? high - 1 : high;
	}
	span = span_of(key, known, set->key_len);
	for (; low < high; low++) {
		if (!may_hold(&set->elements[low], &layout, &span, known))
			continue;
		if (!certain)
			return SEARCH_UNKNOWN;
		*ret_element = &set->elements[low];
		return SEARCH_FOUND;
	}
	return SEARCH_MISSING;
}

bool ruleset_is_filled(const struct ruleset_table *table, const struct ruleset_set *set)
{
	if (set->held > 0)
		return true;
	for (size_t c = 0; c < table->chain_count; c++) {
		const struct ruleset_chain *chain = &table->chains[c];

		for (size_t i = 0; i < chain->rule_count; i++)
			for (size_t k = 0; k < chain->rules[i].count; k++) {
				const struct ruleset_expression *e = &chain->rules[i].expressions[k];

				if (e->kind == RULESET_UNKNOWN ||
				    (e->kind == RULESET_DYNSET &&
				     strcmp(e->dynset.set, set->name) == 0))
					return true;
			}
	}
	return false;
}

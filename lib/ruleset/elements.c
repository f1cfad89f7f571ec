/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a set holds, in nft's words. */
#include "listing.h"

#include <string.h>

/* The parts that the set's type number names. False if they do not make up the key. */
static bool key_from_type(const struct ruleset_set *set, struct listing_key *ret_key)
{
	struct listing_key key = {.typed = true};
	uint32_t type = set->key_type;
	size_t at = 0, alone = 0;

	for (int shift = 30 - WORDS_TYPE_BITS; shift >= 0; shift -= WORDS_TYPE_BITS) {
		uint32_t part = (type >> shift) & ((1u << WORDS_TYPE_BITS) - 1);
		size_t len = 0;

		if (part == 0 && key.count == 0)
			continue;
		if (!words_type_name(part, &len))
			return false;
		key.parts[key.count++] = (struct words_shape){.type = part, .len = len};
		at += (len + 3) / 4 * 4;
		alone = len;
	}
	if (key.count == 0 || (key.count == 1 ? alone : at) != set->key_len)
		return false;
	*ret_key = key;
	return true;
}

bool listing_key_of(const struct ruleset_table *table, const struct ruleset_set *set,
		    struct listing_key *ret_key)
{
	if (key_from_type(set, ret_key))
		return true;
	for (size_t c = 0; c < table->chain_count; c++)
		for (size_t r = 0; r < table->chains[c].rule_count; r++)
			if (listing_key_in_rule(table, &table->chains[c].rules[r], set, ret_key))
				return true;
	*ret_key = (struct listing_key){
	    .count = 1,
	    .parts = {{.type = WORDS_HEX, .len = set->key_len}},
	};
	return false;
}

void listing_element(struct buf *out, const struct ruleset_set *set, const struct listing_key *key,
		     const struct ruleset_element *element)
{
	const struct ruleset_value *end = element->key_end.len ? &element->key_end : &element->key;
	struct words_shape data = {set->data_type, element->data.len, false};
	size_t at = 0;

	for (size_t i = 0; i < key->count; i++) {
		size_t len = key->parts[i].len;

		if (len > RULESET_DATA_MAX || at > RULESET_DATA_MAX - len)
			break;
		buf_puts(out, i ? " . " : "");
		words_range(out, &key->parts[i], element->key.bytes + at, end->bytes + at);
		at += (len + 3) / 4 * 4;
	}
	if (!set->map)
		return;
	buf_puts(out, " : ");
	if (set->verdict_map)
		words_verdict(out, &element->verdict);
	else
		words_value(out, &data, element->data.bytes);
}

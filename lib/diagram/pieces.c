/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "pieces.h"

#include <string.h>

#include "space.h"

struct pieces *pieces_free(struct pieces *pieces)
{
	if (pieces)
		free(pieces->words);
	free(pieces);
	return NULL;
}

/* The upper (@above: all from @end on) or lower part of a range below the bit @first - 1, where its
 * two ends part. The first prefix is that with @end itself. */
static size_t cut_end(const uint8_t *end, bool above, unsigned first, unsigned width,
		      struct prefix *prefixes)
{
	unsigned last = width;
	size_t count = 0;

	/* 1000 and all above it up to 1111 is one prefix. */
	while (last > first && space_bit_of(end, last - 1) != above)
		last--;
	prefixes[count++] = (struct prefix){.key = end, .length = last};
	while (last > first) {
		if (space_bit_of(end, last - 1) != above)
			prefixes[count++] =
			    (struct prefix){.key = end, .length = last, .flip = true};
		last--;
	}
	return count;
}

size_t pieces_of_range(const uint8_t *low, const uint8_t *high, unsigned width,
		       struct prefix *ret_prefixes)
{
	unsigned parting = 0;
	size_t count;

	while (parting < width && space_bit_of(low, parting) == space_bit_of(high, parting))
		parting++;
	if (parting == width) {
		*ret_prefixes = (struct prefix){.key = low, .length = width};
		return 1;
	}
	if (space_bit_of(low, parting))
		return 0;
	count = cut_end(low, true, parting + 1, width, ret_prefixes);
	count += cut_end(high, false, parting + 1, width, ret_prefixes + count);
	if (count == 2 && ret_prefixes[0].length == parting + 1 &&
	    ret_prefixes[1].length == parting + 1) {
		ret_prefixes[0].length = parting;
		return 1;
	}
	return count;
}

static int compare_levels(const void *left, const void *right)
{
	const struct level *a = left, *b = right;

	if (a->top != b->top)
		return a->top < b->top ? -1 : 1;
	return a->key_bit < b->key_bit ? -1 : a->key_bit > b->key_bit;
}

/* Add the level of a bit of the key, unless it is known. */
static int add_level(struct pieces *pieces, const struct diagram_space *space, unsigned key_bit)
{
	const struct diagram_table *table = pieces->table;
	struct level level = {.key_bit = key_bit, .bit = table->bits[key_bit]};

	if (level.bit == DIAGRAM_BIT_FUNCTION) {
		if (!table->functions || table->functions[key_bit] >= space->count)
			return -EINVAL;
		level.function = table->functions[key_bit];
		level.top = space_top(space, level.function);
		if (level.function <= DIAGRAM_TRUE)
			level.bit = level.function == DIAGRAM_TRUE ? DIAGRAM_BIT_1 : DIAGRAM_BIT_0;
	} else {
		level.top = level.bit;
	}
	if (level.bit == DIAGRAM_BIT_0) {
		pieces->level_of[key_bit] = LEVEL_ALWAYS_0;
		return 0;
	}
	if (level.bit == DIAGRAM_BIT_1) {
		pieces->level_of[key_bit] = LEVEL_ALWAYS_1;
		return 0;
	}
	if (level.top >= DIAGRAM_VARIABLES)
		return -EINVAL;
	pieces->levels[pieces->level_count++] = level;
	return 0;
}

int pieces_begin(struct pieces *pieces, const struct diagram_space *space,
		 const struct diagram_table *table)
{
	pieces->table = table;
	for (size_t i = 0; i < table->part_count; i++) {
		if (table->part_bytes[i] > PIECES_KEY_BITS_MAX / 8 - pieces->key_bits / 8)
			return -EINVAL;
		pieces->key_bits += table->part_bytes[i] * 8;
	}
	for (unsigned i = 0; i < pieces->key_bits; i++) {
		int r = add_level(pieces, space, i);

		if (r < 0)
			return r;
	}
	qsort(pieces->levels, pieces->level_count, sizeof(*pieces->levels), compare_levels);
	for (unsigned i = 0; i < pieces->level_count; i++)
		pieces->level_of[pieces->levels[i].key_bit] = (uint16_t)i;
	pieces->half = (pieces->level_count + 63) / 64;
	pieces->stride = 2 * pieces->half + 1;
	/* A row is one piece, or some dozens, in what anyone writes. */
	pieces->count_max = ((size_t)1 << 20) + 4 * table->row_count;
	if (pieces->count_max > UINT32_MAX)
		pieces->count_max = UINT32_MAX;
	return 0;
}

/* Can a key have this prefix, from its bit @first on, with the bits that are known? */
static bool can_be(const struct pieces *pieces, const struct prefix *prefix, unsigned first)
{
	for (unsigned i = 0; i < prefix->length; i++) {
		bool bit =
		    space_bit_of(prefix->key, i) != (prefix->flip && i == prefix->length - 1);

		if (pieces->level_of[first + i] == (bit ? LEVEL_ALWAYS_0 : LEVEL_ALWAYS_1))
			return false;
	}
	return true;
}

/* Write what a prefix fixes to a piece. */
static void fix(const struct pieces *pieces, const struct prefix *prefix, unsigned first,
		uint64_t *words)
{
	for (unsigned i = 0; i < prefix->length; i++) {
		bool bit =
		    space_bit_of(prefix->key, i) != (prefix->flip && i == prefix->length - 1);
		unsigned level = pieces->level_of[first + i];

		if (level >= LEVEL_ALWAYS_0)
			continue;
		words[level / 64] |= (uint64_t)1 << (level % 64);
		words[pieces->half + level / 64] |= (uint64_t)bit << (level % 64);
		if (words[pieces->stride - 1] <= level)
			words[pieces->stride - 1] = level + 1;
	}
}

static int make_room(struct pieces *pieces, size_t added)
{
	size_t room = pieces->room ? pieces->room : 256;
	uint64_t *words;

	if (added > pieces->count_max - pieces->count)
		return -E2BIG;
	while (room < pieces->count + added)
		room *= 2;
	if (room == pieces->room)
		return 0;
	words = reallocarray(pieces->words, room, pieces->stride * sizeof(*words));
	if (!words)
		return -ENOMEM;
	pieces->words = words;
	pieces->room = room;
	return 0;
}

/* Cut one part of a row. Its prefixes are added behind @used others. Returns how many. */
static size_t cut_part(struct pieces *pieces, const struct diagram_row *row, size_t used,
		       unsigned first, unsigned width)
{
	struct prefix *prefixes = pieces->prefixes + used;
	size_t found, kept = 0;

	found = pieces_of_range(row->low + first / 8, row->high + first / 8, width, prefixes);
	for (size_t i = 0; i < found; i++)
		if (can_be(pieces, &prefixes[i], first))
			prefixes[kept++] = prefixes[i];
	return kept;
}

int pieces_add(struct pieces *pieces, const struct diagram_row *row)
{
	const struct diagram_table *table = pieces->table;
	size_t counts[PIECES_KEY_BITS_MAX / 8], product = 1, used = 0, part_count = 0;
	unsigned firsts[PIECES_KEY_BITS_MAX / 8], first = 0;
	int r;

	for (size_t i = 0; i < table->part_count; i++) {
		unsigned width = table->part_bytes[i] * 8;

		if (width == 0)
			continue;
		firsts[part_count] = first;
		counts[part_count] = cut_part(pieces, row, used, first, width);
		if (counts[part_count] == 0)
			return 0;
		used += counts[part_count];
		product *= counts[part_count++];
		if (product > PIECES_PER_ROW_MAX)
			return -E2BIG;
		first += width;
	}
	r = make_room(pieces, product);
	if (r < 0)
		return r;
	for (size_t n = 0; n < product; n++) {
		uint64_t *words = pieces->words + pieces->count++ * pieces->stride;
		const struct prefix *prefixes = pieces->prefixes;
		size_t rest = n;

		memset(words, 0, pieces->stride * sizeof(*words));
		for (size_t i = 0; i < part_count; i++) {
			fix(pieces, &prefixes[rest % counts[i]], firsts[i], words);
			rest /= counts[i];
			prefixes += counts[i];
		}
	}
	return 0;
}

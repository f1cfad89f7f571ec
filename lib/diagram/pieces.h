/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Rows of a table as pieces: keys of which some bits are fixed and the others are free. */
#pragma once

#include "diagram.h"

#define PIECES_KEY_BITS_MAX 512 /* as diagram_range() */
#define PIECES_PER_ROW_MAX  1024

/* The first @length bits of @key, the last of them flipped if @flip. */
struct prefix {
	const uint8_t *key;
	unsigned length;
	bool flip;
};

#define PREFIXES_MAX (2 * PIECES_KEY_BITS_MAX)

/* The numbers from @low to @high, of @width bits that make whole bytes, as prefixes: at most
 * 2 * width - 2, or one. Returns how many; 0 if @low > @high. */
size_t pieces_of_range(const uint8_t *low, const uint8_t *high, unsigned width,
		       struct prefix *ret_prefixes);

/* A bit of the key that is asked about. */
struct level {
	unsigned key_bit;
	unsigned bit;     /* a variable or DIAGRAM_BIT_FUNCTION */
	diagram function; /* or DIAGRAM_FALSE */
	unsigned top;     /* the uppermost variable it depends on */
};

/* What stands for a level where a bit of the key is known. */
#define LEVEL_ALWAYS_0 0xfffeu
#define LEVEL_ALWAYS_1 0xffffu

struct pieces {
	const struct diagram_table *table;
	struct level levels[PIECES_KEY_BITS_MAX]; /* by @top, then by place in the key */
	unsigned level_count, key_bits;
	uint16_t level_of[PIECES_KEY_BITS_MAX];
	/* Of each piece @stride words: as many words with what is fixed as there are with its
	 * value, both with bit l % 64 of word l / 64 for level l, and the number of levels that may
	 * matter. */
	uint64_t *words;
	size_t count, room, count_max, stride, half;
	/* The row being cut. */
	struct prefix prefixes[PREFIXES_MAX];
};

/* Begin with the levels of @table. Returns 0, -EINVAL (a bit that is none, a key too long). */
MUST_CHECK int pieces_begin(struct pieces *pieces, const struct diagram_space *space,
			    const struct diagram_table *table);

/* Cut a row to pieces and add them. What no key with the bits that are known can match is left out.
 * Returns 0; -E2BIG if there would be too many, and then nothing was added; or -ENOMEM. */
MUST_CHECK int pieces_add(struct pieces *pieces, const struct diagram_row *row);

/* No pieces, and room for those of another value. */
static inline void pieces_clear(struct pieces *pieces)
{
	pieces->count = 0;
}

struct pieces *pieces_free(struct pieces *pieces);
DEFINE_CLEANUP(struct pieces *, pieces_free)

static inline bool piece_is_fixed(const struct pieces *pieces, uint32_t piece, unsigned level)
{
	return pieces->words[piece * pieces->stride + level / 64] >> (level % 64) & 1;
}

static inline bool piece_value(const struct pieces *pieces, uint32_t piece, unsigned level)
{
	return pieces->words[piece * pieces->stride + pieces->half + level / 64] >> (level % 64) &
	       1;
}

/* From this level on all are free. */
static inline unsigned piece_end(const struct pieces *pieces, uint32_t piece)
{
	return (unsigned)pieces->words[(piece + (size_t)1) * pieces->stride - 1];
}

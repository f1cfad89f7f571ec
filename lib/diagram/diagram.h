/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Boolean functions as reduced ordered decision diagrams (R. E. Bryant, "Graph-Based Algorithms for
 * Boolean Function Manipulation", IEEE Transactions on Computers C-35(8), 1986).
 *
 * A function of any number of Boolean variables is a number of 32 bits, and two functions are equal
 * if and only if their numbers are: that is what makes "for every packet" one comparison. Pure: no
 * system calls. Everything is deterministic, so the same questions give the same numbers.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <base/cleanup.h>

/* A function; meaningful only with the space it was made in. Zero is false, so that unset denies. */
typedef uint32_t diagram;

#define DIAGRAM_FALSE	  ((diagram)0)
#define DIAGRAM_TRUE	  ((diagram)1)
#define DIAGRAM_VARIABLES 4096 /* most variables of one space; asked for first are those of low number */

/* The functions made so far. Grows up to a cap; afterwards every operation gives DIAGRAM_FALSE and
 * diagram_error() says so: check it before any answer is believed. */
struct diagram_space;

/* @nodes_max: how many nodes there may ever be, the two constants not counted (16 bytes each, and 8 to
 * 16 for looking them up, or 32 while they are few); 0 is refused. Returns NULL if memory is short. */
struct diagram_space *diagram_space_new(size_t nodes_max);
struct diagram_space *diagram_space_free(struct diagram_space *space);
DEFINE_CLEANUP(struct diagram_space *, diagram_space_free)

/* 0; -ENOMEM; -E2BIG if the cap was reached; -EINVAL if a variable was out of range or
 * a number is no function of this space. Sticky. */
MUST_CHECK int diagram_error(const struct diagram_space *space);

/* Nodes made so far, all functions together. */
size_t diagram_nodes(const struct diagram_space *space);
/* Nodes of one function; 0 after a failure. */
size_t diagram_size(struct diagram_space *space, diagram a);

/* "Variable @number is true." Variables are tested in the order of their numbers, from 0. */
diagram diagram_variable(struct diagram_space *space, unsigned number);

diagram diagram_not(struct diagram_space *space, diagram a);
diagram diagram_and(struct diagram_space *space, diagram a, diagram b);
diagram diagram_or(struct diagram_space *space, diagram a, diagram b);
diagram diagram_xor(struct diagram_space *space, diagram a, diagram b);
/* a and not b */
diagram diagram_minus(struct diagram_space *space, diagram a, diagram b);
/* @a ? @b : @c */
diagram diagram_choose(struct diagram_space *space, diagram a, diagram b, diagram c);

/* There is a value of the variables @first to @last (inclusive) for which @a is true. */
diagram diagram_exists(struct diagram_space *space, diagram a, unsigned first, unsigned last);

/* @a where the variables @from, @from + 1, ... (@count of them) are renamed to @to, @to + 1, ...; the
 * renaming may change their order relative to others. No variable of the target range may occur in @a
 * unless it is renamed itself. */
diagram diagram_rename(struct diagram_space *space, diagram a, unsigned from, unsigned to,
		       unsigned count);

/*
 * Sets of numbers. A number of @width bits (1 to 512) lies in variables: bit i (from the most
 * significant) is variable @bits[i]; these need not be neighbours nor in order, but differ.
 * @low and @high are big-endian, (width + 7) / 8 bytes, the number in their last @width bits.
 */
/* low <= number <= high */
diagram diagram_range(struct diagram_space *space, const unsigned *bits, unsigned width,
		      const uint8_t *low, const uint8_t *high);

/* One line of a table: every part of a key within its range; and what it leads to. */
struct diagram_row {
	const uint8_t *low, *high; /* whole keys, of the table's width in bytes, borrowed */
	uint32_t value;		   /* below the table's number of values */
};

/*
 * A table of keys, as a set or a map of a firewall has: @row_count rows, each a box, whose keys
 * consist of @part_count parts of @part_bytes[i] bytes. Bit j of the key's byte b is variable
 * @bits[8 * b + j], from the most significant. Bits that are no variable are DIAGRAM_BIT_0,
 * DIAGRAM_BIT_1 or, if @functions is not NULL, DIAGRAM_BIT_FUNCTION: then @functions[8 * b + j].
 * Fills ret[v] for each value v with "some row with the value v holds the key"; @value_count of
 * them. Keys have at most 64 bytes. The same variable may stand in several bits and in functions. A
 * range whose low is above its high holds nothing. Tables of 100,000 rows are ordinary. Returns 0,
 * -EEXIST if two rows of different values hold one key that can be with these bits (which of them
 * counts is then not known), or what diagram_error() says. Unless it is 0, all of @ret_values are
 * DIAGRAM_FALSE.
 */
#define DIAGRAM_BIT_0	     0xfffffffdu
#define DIAGRAM_BIT_1	     0xfffffffeu
#define DIAGRAM_BIT_FUNCTION 0xffffffffu
struct diagram_table {
	const struct diagram_row *rows;
	size_t row_count;
	const unsigned *part_bytes;
	size_t part_count;
	const unsigned *bits;
	const diagram *functions;
};
MUST_CHECK int diagram_table(struct diagram_space *space, const struct diagram_table *table,
			     size_t value_count, diagram *ret_values);

/* ---- asking. ---- */

/* The value of @a where variable v has the value @values[v / 64] >> (v % 64) & 1. */
bool diagram_at(const struct diagram_space *space, diagram a, const uint64_t *values);

/* Values for which @a is true, or false if it has none. Only the variables that @a asks about on the
 * way are set in @values, and marked in @ret_asked (may be NULL); the rest is left as it was. Where
 * both ways lead to true, the one that @values has already is taken: so it holds what one would like
 * to see. Both have DIAGRAM_VARIABLES / 64 words. */
bool diagram_find(const struct diagram_space *space, diagram a, uint64_t *values,
		  uint64_t *ret_asked);

/* How many ways lead from the top to true: the regions that @a consists of. Inexact beyond 2^53.
 * 0 after a failure. */
double diagram_ways(struct diagram_space *space, diagram a);

/* The uppermost variable that @a asks about, and what is left if it is false or true. @a is neither
 * DIAGRAM_FALSE nor DIAGRAM_TRUE. */
unsigned diagram_top(const struct diagram_space *space, diagram a);
diagram diagram_low(const struct diagram_space *space, diagram a);
diagram diagram_high(const struct diagram_space *space, diagram a);

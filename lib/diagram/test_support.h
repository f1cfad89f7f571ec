/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the tests of this room share: random numbers, and functions as truth tables to compare with.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "diagram.h"

/* The seed is LETHE_SEED or a fresh one; it is printed as a TAP comment. */
void test_seed(void);
uint32_t draw(uint32_t below);

static inline bool one_in(uint32_t n)
{
	return draw(n) == 0;
}

/* A function of TEST_VARIABLES variables; bit i says what it is where variable v is i >> v & 1. */
#define TEST_VARIABLES 11
#define TEST_POINTS    (1u << TEST_VARIABLES)

struct truth {
	uint8_t at[TEST_POINTS];
};

/* Where the variables lie among those of a space: far apart, in ascending order, the last at the
 * end of all. */
extern const unsigned test_place[TEST_VARIABLES];

/* Set @values to a point: the variables of the test have the bits of @point, others are random. */
void test_point(uint64_t *values, uint32_t point);

/* The truth table of @a, by asking everywhere. */
struct truth test_truth(const struct diagram_space *space, diagram a);

/* The diagram of a truth table, out of nothing but diagram_variable() and diagram_choose(). */
diagram test_diagram(struct diagram_space *space, const struct truth *truth);

/* A random function; some depend on few variables. */
struct truth test_random_truth(void);

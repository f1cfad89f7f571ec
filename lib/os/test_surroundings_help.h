/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Planting something in a network namespace of the test's own, and what must then be found. */
#pragma once

#include "surroundings.h"

struct plant_expected {
	enum surroundings_kind kind;
	const char *name;
};

/* Each test has a namespace of its own. Without the right to make one the test says so and is
 * skipped, or fails if LETHE_MUST_RUN is 1. */
int plant_setup(void **state);
#define PLANT_TEST(test) cmocka_unit_test_setup(test, plant_setup)

/* Skips the test where there is no namespace. */
void plant_need(void **state);

/* Skips the test: this kernel or system has no @what. */
void plant_cannot(const char *what);

/* Words are divided by single blanks. What it prints goes where the test's errors go. Returns its
 * status. */
int plant_run(const char *command);

/* The same, where it must work. */
void plant(const char *command);

/* Print all findings. */
void plant_tell(const struct surroundings *found);

/* Read: these are found, in this order, and nothing else. */
void plant_require(const struct plant_expected *expected, size_t count);

#define REQUIRE_FOUND(...)                                                                         \
	plant_require((const struct plant_expected[]){__VA_ARGS__},                                \
		      ARRAY_SIZE(((const struct plant_expected[]){__VA_ARGS__})))
#define REQUIRE_NOTHING() plant_require(NULL, 0)

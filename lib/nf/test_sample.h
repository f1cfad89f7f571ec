/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Rulesets for the tests of this room. */
#pragma once

#include <stdint.h>

#include <ruleset/ruleset.h>

/* One that uses every kind of expression, set and chain that the model has. The device is a chain's
 * by name. Sorted; aborts when memory is short. */
struct ruleset *sample_full(const char *device);

/* One with a set of @count elements, of intervals or not, and a chain with @count rules. */
struct ruleset *sample_large(size_t count, bool interval);

/* A random one that can be written. Two of one seed are equal. */
struct ruleset *sample_random(uint64_t seed);

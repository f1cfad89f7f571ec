/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the tests of this room share. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "judge.h"

#define TEST_FLOOR 1763700000LL /* 2025-11-21: when the system of the tests was built */
#define TEST_REAL  1795788000LL /* 2026-11-27 14:00:00: what time it is there, s */
#define TEST_BOOT  (1000 * CLOCK_NS)

/* Random numbers that a printed seed brings back: LETHE_SEED, or a fresh one. */
struct test_random {
	uint64_t state;
};
struct test_random test_random_begin(void);
uint32_t test_random_below(struct test_random *random, uint32_t limit);
/* From -@most to @most. */
int64_t test_random_around(struct test_random *random, int64_t most);

/* The clock says @seconds, @boot ns after the start. */
struct clock_now test_now(int64_t seconds, int64_t boot);

/* A round of @pools that begins at TEST_BOOT. */
struct judge_round test_round(unsigned pools);

/* An answer of host 0 of @pool: at TEST_BOOT + 1 s it says @date, after a trip of @trip ns; its
 * certificate is valid for a year around that. */
struct record test_answer(unsigned pool, int64_t date, int64_t trip);

/* Take it; the test fails if it is refused. */
void test_take(struct judge_round *round, struct record record);
void test_fail(struct judge_round *round, unsigned pool, unsigned host, enum record_result result);
void test_portal(struct judge_round *round, enum record_portal portal);
void test_end(struct judge_round *round);

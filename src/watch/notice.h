/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a person is told when a program was refused: the words, and how often. The contract with
 * whoever shows it on a desktop is docs/notices.md.
 */
#pragma once

#include "table.h"

#define NOTICE_TEXT_MAX 512

enum notice_advice {
	NOTICE_NOTHING = 0,
	NOTICE_LOCAL_SERVICE,
	NOTICE_USE_TOR,
	NOTICE_NOT_BY_TOR,
};

struct notice {
	char title[NOTICE_TEXT_MAX];  /* one sentence: who tried what */
	char advice[NOTICE_TEXT_MAX]; /* what to do */
};

/* The words for @row, in English. */
struct notice notice_make(const struct row *row);

/* The advice as a word for programs, in static storage; docs/notices.md has them. */
const char *notice_advice_word(const struct row *row);

/* ---- how often ---- */

#define NOTICE_PROGRAMS_MAX 64 /* of which it is known when they were last told of */
#define NOTICE_AGAIN_NS     (300ull * 1000000000) /* of one program and user */
#define NOTICE_BURST        5                     /* at once, of all programs together */
#define NOTICE_REFILL_NS    (20ull * 1000000000)  /* one more */

struct notice_limit {
	struct {
		uint64_t exe_inode;
		uint32_t exe_device, uid;
		uint64_t told_ns;
		bool used;
	} programs[NOTICE_PROGRAMS_MAX];
	uint64_t refilled_ns;
	unsigned budget;
	bool started;
	uint64_t held_back; /* refusals that nobody was told of since the last notice */
};

/* May this be told now, at @now_ns of one clock that never goes back? If so, *ret_held_back is how
 * many were not told since the last one. Zero-initialised @limit begins with a full budget. */
bool notice_allow(struct notice_limit *limit, const struct row *row, uint64_t now_ns,
		  uint64_t *ret_held_back);

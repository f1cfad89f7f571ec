/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The judge's outcomes and reasons as words: for programs, and for people. Never NULL. */
#pragma once

#include "judge.h"

/* "kept", "right", "set" */
const char *words_outcome(enum judge_outcome outcome);

/* "no-quorum": what the answer and the status hold */
const char *words_reason(enum judge_reason reason);

/* "slow": how it went with a host, for the journal. */
const char *words_result(enum record_result result);

/* The same as words_reason() in a sentence. By the word that is read from a status; "" if there is no such word. */
const char *words_explain(const char *reason);

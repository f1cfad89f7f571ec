/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What is said at the door /run/lethe/clock/ask: one message each way, JSON.
 *
 *   {"mode":"network"}     {"outcome":"set","reason":"network","captive":false,"difference":-3600}
 */
#pragma once

#include <stddef.h>

#include <base/buf.h>

#include "judge.h"

#define REQUEST_BYTES_MAX 256
#define ANSWER_BYTES_MAX  512

enum request_mode {
	REQUEST_NETWORK = 1, /* ask the network */
	REQUEST_CONSENSUS,   /* ask Tor */
};

/* @length bytes at @text: an object with the one member "mode", without escapes in it. Blanks of JSON
 * may stand where JSON has them, and at the end. Returns 0, or -EBADMSG. */
MUST_CHECK int request_parse(const char *text, size_t length, enum request_mode *ret_mode);

/* What request_parse() reads; never NULL. */
const char *request_text(enum request_mode mode);

const char *request_mode_name(enum request_mode mode);

/* The answer. Errors stay in the buffer. The difference is in whole seconds. */
void request_write_answer(const struct judge_verdict *verdict, struct buf *out);

/* By how much the clock was behind, in whole seconds. */
int64_t request_difference(const struct judge_verdict *verdict);

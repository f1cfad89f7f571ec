/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Any bytes as what *fetch* sends, message after message: what is read is written as it came; whatever
 * is taken, the verdict is one of those that can be, and nothing beyond floor and ceiling is to be set.
 * The bytes are also read as the setter's message and answer.
 */
#include "judge.h"
#include "set.h"

#include <string.h>

#include <base/fuzz.h>

#define FLOOR 1763700000LL
#define BOOT  (1LL << 40)

static void check_verdict(const struct judge_round *round, int64_t real)
{
	struct judge_session session = {.floor = FLOOR};
	struct judge_verdict verdict;

	verdict = judge_network(&session, round, (struct clock_now){.real = real, .boot = BOOT});
	REQUIRE(verdict.outcome <= JUDGE_SET && verdict.reason < JUDGE_REASON_COUNT);
	REQUIRE(verdict.reason != JUDGE_REASON_NONE);
	REQUIRE(round->ended || verdict.outcome == JUDGE_KEPT);
	REQUIRE((verdict.outcome == JUDGE_KEPT) != session.has_network);
	if (verdict.outcome != JUDGE_SET)
		return;
	REQUIRE(verdict.real >= FLOOR * CLOCK_NS);
	REQUIRE(clock_fits(verdict.real / CLOCK_NS, FLOOR - JUDGE_ROUND_MAX / CLOCK_NS));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct judge_round round = {.begun = BOOT - 60 * CLOCK_NS};
	unsigned char again[RECORD_BYTES];
	struct set_message message;
	struct record record;
	int result, r = 0;

	if (set_message_read(data, size, &message) == 0) {
		set_message_write(&message, again);
		REQUIRE(memcmp(again, data, SET_MESSAGE_BYTES) == 0);
	}
	if (set_answer_read(data, size, &result) == 0)
		REQUIRE(result <= 0 && result >= -4095);
	while (size > 0 && r == 0) {
		size_t length = size < RECORD_BYTES ? size : RECORD_BYTES;

		r = record_read(data, length, &record);
		REQUIRE(r == 0 || r == -EBADMSG);
		if (r == 0) {
			record_write(&record, again);
			REQUIRE(memcmp(again, data, RECORD_BYTES) == 0);
			r = judge_take(&round, &record, BOOT);
			REQUIRE(r == 0 || r == -EBADMSG);
		}
		data += length;
		size -= length;
	}
	if (r < 0)
		round.ended = false;
	check_verdict(&round, FLOOR * CLOCK_NS);
	check_verdict(&round, 0);
	check_verdict(&round, INT64_MAX);
	return 0;
}

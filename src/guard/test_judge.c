/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the guard makes of what the proof says. */
#include "resident.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <os/surroundings.h>
#include <proof/proof.h>

/* Whoever adds a fault must say whether it lets out more: none is taken for harmless here. */
static void test_answers(void **state)
{
	static const struct {
		struct proof_result result;
		enum resident_judgement judgement;
	} rows[] = {
	    {{.answer = PROOF_UNKNOWN}, JUDGEMENT_UNKNOWN},
	    {{.answer = PROOF_UNKNOWN, .fault = PROOF_BLOCKS}, JUDGEMENT_UNKNOWN},
	    {{.answer = PROOF_PROVED}, JUDGEMENT_PROVED},
	    {{.answer = PROOF_REFUTED, .fault = PROOF_NO_FAULT}, JUDGEMENT_WEAKER},
	    {{.answer = PROOF_REFUTED, .fault = PROOF_LEAK}, JUDGEMENT_WEAKER},
	    {{.answer = PROOF_REFUTED, .fault = PROOF_REWRITES}, JUDGEMENT_WEAKER},
	    {{.answer = PROOF_REFUTED, .fault = PROOF_BLOCKS}, JUDGEMENT_STRICTER},
	    {{.answer = PROOF_REFUTED, .fault = PROOF_MANNER}, JUDGEMENT_STRICTER},
	    {{.answer = PROOF_REFUTED, .fault = PROOF_PROXIES}, JUDGEMENT_WEAKER},
	    {{.answer = PROOF_REFUTED, .fault = PROOF_PROXIES + 1}, JUDGEMENT_WEAKER},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(judge_result(&rows[i].result), rows[i].judgement);
}

static void says(const struct surroundings *surroundings, const char *wanted)
{
	char text[RESIDENT_WHAT_MAX] = "untouched";

	judge_outside(surroundings, text);
	assert_string_equal(text, wanted);
}

static void test_outside(void **state)
{
	struct surroundings_finding findings[] = {
	    {.kind = SURROUNDINGS_CANNOT_TELL, .words = "this cannot be read"},
	    {.kind = SURROUNDINGS_FORWARDING, .words = "packets are forwarded"},
	    {.kind = SURROUNDINGS_XDP, .words = "an XDP program"},
	};
	struct surroundings surroundings = {.findings = findings};

	says(&surroundings, "untouched");
	surroundings.finding_count = 1;
	says(&surroundings, "untouched");
	surroundings.finding_count = 2;
	says(&surroundings, "packets are forwarded");
	surroundings.finding_count = 3;
	says(&surroundings, "packets are forwarded, and more");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_answers),
	    cmocka_unit_test(test_outside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

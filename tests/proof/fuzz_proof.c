/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Any bytes as the kernel's dump of its rules, and what they hold is judged. There is an answer
 * about each; if it is a refutation, its packet differs as the second algorithm's evaluators say, and
 * what is incomplete is never proved.
 */
#include <stdio.h>
#include <stdlib.h>

#include <base/fuzz.h>

#include <nf/codec.h>

#include "judge.h"

#define TEXT                                                                                       \
	"lethe-policy 1\ndefault drop\nipv6 blocked\n"                                              \
	"network n = 198.51.100.0/24\nallow root to n over tcp 443\n"

#define NODES_MAX ((size_t)1 << 20)

static const struct policy *the_policy(void)
{
	static struct policy *policy;
	const struct policy_options options = {0};
	struct diag diag = {0};

	if (!policy)
		REQUIRE(policy_parse("fuzz", TEXT, sizeof(TEXT) - 1, &options, &diag, &policy) == 0);
	return policy;
}

static void check_example(const struct ruleset *ruleset, const struct proof_result *result)
{
	AUTO_BUF struct buf detail = {.cap = 4096};
	bool beyond;

	if (!judge_example(the_policy(), ruleset, result, &beyond, &detail)) {
		fprintf(stderr, "%s\n", buf_text(&detail));
		abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct proof_device devices[] = {{"lo", 1, 772}, {"eth0", 2, 1}};
	const struct proof_options options = {
	    .devices = devices, .device_count = 2, .nodes_max = NODES_MAX};
	CLEANUP(ruleset_freep) struct ruleset *ruleset = NULL;
	CLEANUP(proof_result_done) struct proof_result result = {0};

	if (nf_decode((struct nf_span){data, size}, 0, NULL, &ruleset) < 0)
		return 0;
	REQUIRE(proof_compare(the_policy(), ruleset, &options, &result) == 0);
	REQUIRE(!ruleset->incomplete || result.answer != PROOF_PROVED);
	if (result.answer == PROOF_REFUTED)
		check_example(ruleset, &result);
	return 0;
}

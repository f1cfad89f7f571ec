/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Any bytes as a stored batch. What passes must be a batch to the sender too, must name one table
 * only, and must be understood in full.
 */
#include <stdio.h>
#include <string.h>

#include <base/fuzz.h>

#include "codec.h"

#define NAME "lethe-test"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(ruleset_freep) struct ruleset *ruleset = NULL;
	struct nf_span bytes = {data, size};
	int r = nf_batch_check(data, size, NAME);

	REQUIRE(r == 0 || r == -EBADMSG);
	if (r < 0)
		return 0;
	REQUIRE(nf_batch_walk(bytes, NULL) == 0);
	REQUIRE(nf_batch_check(data, size, NAME "x") == -EBADMSG);
	REQUIRE(nf_decode(bytes, 0, NULL, &ruleset) == 0 && !ruleset->incomplete);
	for (size_t i = 0; i < ruleset->table_count; i++)
		REQUIRE(strcmp(ruleset->tables[i].name, NAME) == 0 &&
			(ruleset->tables[i].family == RULESET_INET ||
			 ruleset->tables[i].family == RULESET_NETDEV));
	return 0;
}

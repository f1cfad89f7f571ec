/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Any bytes as the batch that a client hands over, and what the guard makes of it: what it accepts
 * is Lethe's two tables and nothing else, can be written for the kernel in each of the ways that
 * kernels need, and, kept for a guard after this one, is read as the same.
 */
#include "resident.h"

#include <stdio.h>
#include <string.h>

#include <base/fuzz.h>

static void require_ours(const struct ruleset *ruleset)
{
	bool host = false, frames = false;

	REQUIRE(ruleset->table_count == 2 && !ruleset->incomplete);
	for (size_t i = 0; i < ruleset->table_count; i++) {
		const struct ruleset_table *table = &ruleset->tables[i];

		REQUIRE(strcmp(table->name, NF_TABLE) == 0);
		/* Whose they are is not the client's to say. */
		REQUIRE(table->flags == 0);
		host = host || table->family == RULESET_INET;
		frames = frames || table->family == RULESET_NETDEV;
		(void)foreign_weakens(table);
	}
	REQUIRE(host && frames);
}

static void require_equal(const struct ruleset *a, const struct ruleset *b)
{
	AUTO_BUF struct buf difference = {.cap = 4096};

	for (size_t i = 0; i < a->table_count; i++)
		if (!ruleset_table_equal(&a->tables[i], &b->tables[i], &difference)) {
			fprintf(stderr, "%s\n", buf_text(&difference));
			abort();
		}
}

/* Written in this way, and read as a guard that begins reads what was kept. */
static void require_survives(const struct ruleset *ruleset, const struct nf_batch_options *how)
{
	CLEANUP(ruleset_freep) struct ruleset *again = NULL;
	AUTO_BUF struct buf batch = {.cap = NF_BATCH_MAX};

	REQUIRE(nf_batch_build(ruleset, how, &batch) == 0);
	REQUIRE(nf_batch_read(batch.data, batch.len, &again) == 0);
	require_ours(again);
	require_equal(ruleset, again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char devices[][RULESET_DEVICE_MAX] = {"eth0", "lo"};
	static const struct nf_batch_options ways[] = {
	    {.device_prefix = true},
	    {.device_prefix = true, .table_flags = NF_OWNED},
	    {.devices = devices, .device_count = ARRAY_SIZE(devices)},
	};
	CLEANUP(ruleset_freep) struct ruleset *ruleset = NULL;
	int r = nf_batch_read(data, size, &ruleset);

	REQUIRE(r == 0 || r == -EBADMSG || r == -ENOMEM);
	REQUIRE((r == 0) == (ruleset != NULL));
	if (r < 0)
		return 0;
	require_ours(ruleset);
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++)
		require_survives(ruleset, &ways[i]);
	return 0;
}

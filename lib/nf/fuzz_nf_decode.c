/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Any bytes as the kernel's dump. What is understood must survive: written as a batch and read
 * again it is the same. Each message is read as a refusal, too.
 */
#include <stdio.h>
#include <string.h>

#include <base/fuzz.h>

#include "codec.h"
#include "socket.h"

static void compare(const struct ruleset *a, const struct ruleset *b)
{
	AUTO_BUF struct buf difference = {.cap = 4096};

	REQUIRE(a->table_count == b->table_count);
	for (size_t i = 0; i < a->table_count; i++)
		if (!ruleset_table_equal(&a->tables[i], &b->tables[i], &difference)) {
			fprintf(stderr, "%s\n", buf_text(&difference));
			abort();
		}
}

static void read_answers(struct nf_span bytes)
{
	struct nf_message message;
	char text[64];
	int error;

	while (nf_message_next(&bytes, &message) > 0)
		if (nf_answer_read(&message, &error, text, sizeof(text)) == 0)
			REQUIRE(error <= 0 && strnlen(text, sizeof(text)) < sizeof(text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct nf_batch_options options = {.device_prefix = true};
	CLEANUP(ruleset_freep) struct ruleset *first = NULL, *again = NULL;
	AUTO_BUF struct buf batch = {.cap = NF_BATCH_MAX};
	int r;

	read_answers((struct nf_span){data, size});
	r = nf_decode((struct nf_span){data, size}, 0, NULL, &first);
	REQUIRE(r == 0 || r == -EBADMSG || r == -ENOMEM || r == -ESTALE);
	REQUIRE((r == 0) == (first != NULL));
	if (r < 0)
		return 0;
	r = nf_batch_build(first, &options, &batch);
	if (r < 0)
		return 0; /* holds what is unknown */
	REQUIRE(nf_batch_walk((struct nf_span){(const uint8_t *)batch.data, batch.len}, NULL) == 0);
	REQUIRE(nf_decode((struct nf_span){(const uint8_t *)batch.data, batch.len}, 0, NULL,
			  &again) == 0);
	compare(first, again);
	return 0;
}

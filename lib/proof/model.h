/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A ruleset judged on every path, and what there can be there. Private to this room. */
#pragma once

#include "proof.h"
#include "run.h"

#define MODEL_PATHS (PACKET_FORWARD + 1)

/* From this variable on: for a moment, when fields are exchanged. */
#define MODEL_SPARE (DIAGRAM_VARIABLES - 256)

struct model {
	struct diagram_space *space;
	const struct ruleset *ruleset;
	struct run *runs[MODEL_PATHS]; /* by enum packet_path */
	struct judgement judgements[MODEL_PATHS];
	/* Packets that there can be: any device; and by the devices that are there. */
	diagram universes[MODEL_PATHS], present;
};

/* Judge @ruleset on all paths. Returns 0, -ENOMEM, or what diagram_error() says. */
MUST_CHECK int model_make(struct diagram_space *space, const struct ruleset *ruleset,
			  const struct proof_options *options, struct model *ret_model);
void model_done(struct model *model);

/* ---- answers.c ---- */

/*
 * "Expected" is a property of the packet to the policy: an answer to what this host has sent lately.
 * To the kernel it is an element in a dynamic set. They are one if
 *  - the rules on OUTPUT write a key for exactly the packets of that kind that are sent,
 *  - the question on INPUT is the same key with source and destination exchanged,
 *  - nothing else writes to the set, and its elements expire within minutes.
 * Here the last two are decided; the first is left to compare.c, which knows what is sent.
 */
enum answers_kind { ANSWERS_NONE = 0, ANSWERS_UDP, ANSWERS_ECHO };

/* What the set is for, by what is written on OUTPUT; *ret_written are the packets that write. */
enum answers_kind answers_kind_of(struct run *output, diagram universe, const struct ruleset_set *set,
				  diagram *ret_written);
/* For run->is_expected; data is the struct model whose OUTPUT run is done. */
bool answers_expected(const struct run *run, const struct run_memory *question,
		      diagram *ret_packets, void *data);
/* Packets of @kind on OUTPUT that somebody can answer. */
diagram answers_questions(struct diagram_space *space, enum answers_kind kind);

/* ---- track.c ---- */

/* Narrow the universes to what connection tracking can have made of a packet, if a rule asks. */
void track_narrow(struct model *model);

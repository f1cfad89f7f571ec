/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where two judgements differ. Private to this room. */
#pragma once

#include "model.h"

struct difference {
	diagram faults[PROOF_PROXIES + 1]; /* by enum proof_fault; packets of the universe */
	diagram undecided;
};

/* What passes as it came: accepted, or handed to the proxy. */
diagram difference_passes(struct diagram_space *space, const struct judgement *judgement);

/* How @held differs from @wanted, which is never undecided, for the packets of @universe. */
void difference_between(struct diagram_space *space, const struct judgement *wanted,
		   const struct judgement *held, diagram universe, struct difference *ret);

/* Another path than OUTPUT adds to the memory of what was asked: then nothing is known of what is
 * expected. Gives the packets about which that is, with a doubt for each in the run of INPUT. */
diagram difference_foreign_writes(struct model *model);

/* The text for what is not understood, of @packets. */
void difference_tell_doubt(const struct model *model, enum packet_path path, diagram packets,
			   struct buf *reason);

/* One of @packets (not empty), as readable as it can be, with both verdicts. Returns 0 or -ENOMEM, or
 * what diagram_error() says. @policy may be NULL. */
MUST_CHECK int example_find(struct model *model, const struct policy *policy, enum packet_path path,
			    diagram packets, struct proof_result *result);

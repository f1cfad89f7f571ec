/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One packet on its way through the rules. Private to this room. */
#pragma once

#include "registers.h"
#include "ruleset.h"

/* The kernel's hooks, as far as a packet's path leads by them. */
enum evaluation_hook {
	EVALUATION_INGRESS = 1,
	EVALUATION_PREROUTING,
	EVALUATION_INPUT,
	EVALUATION_FORWARD,
	EVALUATION_OUTPUT,
	EVALUATION_POSTROUTING,
	EVALUATION_EGRESS,
};

struct evaluation {
	const struct packet *packet;
	struct packet_bytes bytes, known; /* @known: which bits of @bytes the class determines */
	bool has_protocol;                /* the kernel finds an upper protocol */

	enum evaluation_hook hook;
	enum ruleset_family family; /* what expressions see: IPV4, IPV6, ARP or NETDEV */
	const struct ruleset_table *table;
	const struct ruleset_chain *base; /* called by the kernel, and the way led to: */
	const struct ruleset_chain *chain;
	const struct ruleset_rule *rule; /* NULL once the chain's policy decides */
	unsigned steps;                  /* rules tried so far */

	struct registers registers;
	struct ruleset_verdict verdict; /* of the last rule that ended with one */
	enum ruleset_outcome drop;      /* how the packet is dropped, where it is */
	bool proxied;
	uint16_t proxy_port;
	const char *reason; /* why nothing can be said */

	/* Questions that the packet's class leaves open, and how they are answered this time; see
	 * evaluation_either(). */
	uint32_t choices;
	unsigned choice_count;
	const char *open_reason; /* of the first of them */
	bool written;		 /* a rule has written into the packet */
};

/* What one expression leads to. */
enum evaluation_step {
	EVALUATION_UNDECIDED = 0, /* with a reason */
	EVALUATION_NEXT,          /* go on with the rule */
	EVALUATION_BREAK,         /* the rule does not apply */
	EVALUATION_VERDICT,       /* evaluation->verdict holds */
};

/* Nothing can be said, because of @reason (static storage). */
static inline enum evaluation_step evaluation_undecided(struct evaluation *evaluation,
							const char *reason)
{
	evaluation->reason = reason;
	return EVALUATION_UNDECIDED;
}

/* So many open questions of one packet are answered both ways; more, and nothing is said. */
#define EVALUATION_CHOICES_MAX 5

/* A question that the class leaves open: this time it is answered by the next of the choices. If the
 * packet comes to the same end whichever way they are answered, that end is certain. */
static inline enum evaluation_step evaluation_either(struct evaluation *evaluation,
						     const char *reason)
{
	if (evaluation->choice_count == EVALUATION_CHOICES_MAX)
		return evaluation_undecided(evaluation, reason);
	if (evaluation->choice_count == 0)
		evaluation->open_reason = reason;
	return evaluation->choices >> evaluation->choice_count++ & 1 ? EVALUATION_NEXT
								      : EVALUATION_BREAK;
}

/* Prepare what rules can read of @evaluation->packet. */
void fields_prepare(struct evaluation *evaluation);
enum evaluation_step fields_meta(struct evaluation *evaluation,
				 const struct ruleset_expression *expression);
enum evaluation_step fields_payload(struct evaluation *evaluation,
				    const struct ruleset_expression *expression);
/* A rule writes into the packet: what was there is no longer known. */
enum evaluation_step fields_write(struct evaluation *evaluation,
				  const struct ruleset_expression *expression);
enum evaluation_step fields_socket(struct evaluation *evaluation,
				   const struct ruleset_expression *expression);

enum evaluation_step expression_run(struct evaluation *evaluation,
				    const struct ruleset_expression *expression);

/* Shifts and byte orders. */
enum evaluation_step arithmetic_shift(struct evaluation *evaluation,
				      const struct ruleset_expression *expression);
enum evaluation_step arithmetic_byteorder(struct evaluation *evaluation,
					  const struct ruleset_expression *expression);

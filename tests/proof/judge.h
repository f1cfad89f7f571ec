/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The proof's answer about one ruleset, held against the second algorithm's. */
#pragma once

#include <proof/proof.h>

#include "brute.h"
#include "mutate.h"

enum judgement_of {
	JUDGE_REFUTED = 0, /* and its example does differ, as far as evaluators can tell */
	JUDGE_NOT_PROVED,
	JUDGE_PRESENT_ONLY, /* proved for the devices that are there, not for those to come */
	JUDGE_EQUIVALENT,   /* proved, and the second algorithm finds no difference either */
	JUDGE_SURVIVOR,     /* proved, and the second algorithm cannot say */
	JUDGE_DISAGREEMENT, /* one of the two is wrong */
	JUDGES,
};

/* "refuted". */
const char *judge_word(enum judgement_of judgement);

const char *judge_fault(enum proof_fault fault); /* "leak" */

struct judge_record {
	size_t number; /* of the mutant */
	enum judgement_of judgement;
	const char *kind;   /* of the mutant; static storage */
	const char *reason; /* why it is equivalent, in short; NULL for others. Static storage */
	bool beyond;        /* refuted by what packets as values do not show */
	bool tried;         /* refuted, and trying finds a difference, too */
	bool fault_known;   /* refuted: with a fault of the proof's */
	enum proof_fault fault;
	char text[600];    /* the mutant */
	char detail[1200]; /* the example, or why not */
	double seconds;
};

/* What is known of the ruleset before it is changed. */
struct judge;

/* Both are borrowed by *ret_judge. Returns 0 or -ENOMEM. */
MUST_CHECK int judge_new(const struct policy *policy, const struct ruleset *ruleset,
			 struct judge **ret_judge);
struct judge *judge_free(struct judge *judge);
DEFINE_CLEANUP(struct judge *, judge_free)

/* Judge one ruleset. Fills *record but for its number, kind and text. Returns 0 or -ENOMEM. */
MUST_CHECK int judge_ruleset(const struct policy *policy, const struct ruleset *ruleset,
			     struct judge_record *record);
/* Judge one mutant, and say why it is equivalent if it is. */
MUST_CHECK int judge_mutant(const struct judge *judge, const struct mutant *mutant,
			    struct judge_record *record);

/*
 * Does the example of a refutation hold? False, with the reason at @detail, if both evaluators say
 * that the packet's fate is what the policy says, or if the example says other things of it than
 * they do. *ret_beyond: it rests on what packets as values do not show.
 */
bool judge_example(const struct policy *policy, const struct ruleset *ruleset,
		   const struct proof_result *proof, bool *ret_beyond, struct buf *detail);

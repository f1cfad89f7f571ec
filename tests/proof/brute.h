/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The same question as lib/proof, answered by trying: every packet that the policy or the ruleset
 * could tell from the others is given to policy_evaluate() and to ruleset_evaluate().
 *
 * Exactness. Both evaluators read a packet's fields through questions of one form: is the field,
 * masked and xored, between two constants? brute-questions.c lists all of them for each field; what
 * a rule reads across two fields is asked of each part. Values of a field that answer every
 * question alike are of one kind, and brute-cells.c finds one value of every kind. So every
 * combination of kinds, with every combination of what is not a number (path, device lo or not,
 * route, socket, fragment), is every packet there is. (Kinds are told apart by a hash of 64 bits:
 * two could be taken for one with a chance of about 1 in 10^19.)
 */
#pragma once

#include <policy/policy.h>
#include <ruleset/ruleset.h>

enum brute_answer {
	BRUTE_UNDECIDED =
	    0, /* never different, and for some packet nothing can be said: `reason` */
	BRUTE_EQUAL,
	BRUTE_DIFFER, /* `packet` */
};

struct brute_result {
	enum brute_answer answer;
	size_t packets; /* tried */
	char reason[160];
	/* The packet that differs, or the first one that is undecided. The places of @kernel belong
	 * to the ruleset, that of @policy to the policy. */
	struct packet packet;
	struct policy_verdict policy;
	struct ruleset_result kernel;
};

#define BRUTE_PACKETS_MAX ((size_t)200 << 20)

/* @ruleset must be sorted. @packets_max: give up (undecided) after so many; 0: BRUTE_PACKETS_MAX.
 * Returns 0 with an answer, or -ENOMEM. */
MUST_CHECK int brute_compare(const struct policy *policy, const struct ruleset *ruleset,
			     size_t packets_max, struct brute_result *ret_result);

/* Of which kinds answers can be expected: of those for which the policy lets somebody ask. */
struct brute_expected {
	bool udp, echo;
};
/* Returns 0 or -ENOMEM. */
MUST_CHECK int brute_expected_of(const struct policy *policy, struct brute_expected *ret_expected);
/* Can @packet, which arrives, be an expected answer? */
bool brute_may_be_expected(const struct brute_expected *expected, const struct packet *packet);

/* Every packet that is tried, once. @visit returns 0 to go on; what else it returns ends the walk
 * and is returned. Returns -ENOMEM, or -E2BIG if a field has too many kinds; or 0. */
typedef int brute_visit(const struct packet *packet, void *data);
MUST_CHECK int brute_each(const struct policy *policy, const struct ruleset *ruleset,
			  brute_visit *visit, void *data);

/* Is what the ruleset did to @packet what the policy says of it? More exact than the outcome: an
 * ICMP error must be the one that the policy means, "port unreachable". */
bool brute_agrees(const struct packet *packet, const struct policy_verdict *policy,
		  const struct ruleset_result *kernel);

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "judge.h"

#include <linux/if_arp.h>
#include <string.h>
#include <time.h>

struct judge {
	const struct policy *policy;
	const struct ruleset *ruleset;
	/* Rules, and base chains by their policy, that decide about some packet. */
	const void **deciding;
	size_t count, room;
	bool error;
};

const char *judge_word(enum judgement_of judgement)
{
	static const char *const words[JUDGES] = {
	    [JUDGE_REFUTED] = "refuted",
	    [JUDGE_NOT_PROVED] = "not proved",
	    [JUDGE_PRESENT_ONLY] = "proved for present devices only",
	    [JUDGE_EQUIVALENT] = "equivalent",
	    [JUDGE_SURVIVOR] = "survivor",
	    [JUDGE_DISAGREEMENT] = "disagreement",
	};

	return words[judgement];
}

const char *judge_fault(enum proof_fault fault)
{
	static const char *const words[] = {
	    [PROOF_NO_FAULT] = "no fault", [PROOF_LEAK] = "leak",     [PROOF_REWRITES] = "rewrites",
	    [PROOF_BLOCKS] = "blocks",     [PROOF_MANNER] = "manner", [PROOF_PROXIES] = "proxies",
	};

	return words[fault];
}

static bool decides(const struct judge *judge, const void *place)
{
	for (size_t i = 0; i < judge->count; i++)
		if (judge->deciding[i] == place)
			return true;
	return false;
}

static int note(const struct packet *packet, void *data)
{
	struct judge *judge = data;
	struct ruleset_result result = ruleset_evaluate(judge->ruleset, packet);
	const void *place = result.rule ? (const void *)result.rule : result.chain;

	if (!place || decides(judge, place))
		return 0;
	if (judge->count == judge->room) {
		size_t room = judge->room ? judge->room * 2 : 64;
		const void **grown = reallocarray(judge->deciding, room, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		judge->deciding = grown;
		judge->room = room;
	}
	judge->deciding[judge->count++] = place;
	return 0;
}

int judge_new(const struct policy *policy, const struct ruleset *ruleset, struct judge **ret_judge)
{
	CLEANUP(judge_freep) struct judge *judge = calloc(1, sizeof(*judge));
	int r;

	if (!judge)
		return -ENOMEM;
	judge->policy = policy;
	judge->ruleset = ruleset;
	r = brute_each(policy, ruleset, note, judge);
	if (r < 0)
		return r;
	*ret_judge = TAKE_PTR(judge);
	return 0;
}

struct judge *judge_free(struct judge *judge)
{
	if (judge)
		free(judge->deciding);
	free(judge);
	return NULL;
}

/* ---- one ruleset ---- */

static void tell(struct buf *detail, const struct packet *packet,
		 const struct policy_verdict *policy, const struct ruleset_result *kernel)
{
	packet_print(packet, detail);
	buf_printf(detail, ": the policy says %u (%s), the ruleset does %u", policy->action,
		   policy->reason ? policy->reason : "", kernel->outcome);
	if (kernel->chain)
		buf_printf(detail, " in chain %s", kernel->chain->name);
	if (kernel->reason)
		buf_printf(detail, " (%s)", kernel->reason);
}

bool judge_example(const struct policy *policy, const struct ruleset *ruleset,
		   const struct proof_result *proof, bool *ret_beyond, struct buf *detail)
{
	const struct proof_example *example = &proof->example;
	const struct packet *packet = &example->packet;
	struct policy_verdict says = policy_evaluate(policy, packet);
	struct ruleset_result does = ruleset_evaluate(ruleset, packet);
	const char *circumstances = buf_text(&example->circumstances);
	bool device = example->device[0] == '\0' || strcmp(example->device, "lo") == 0 ||
		      strcmp(example->device, RULESET_OTHER_DEVICE) == 0;

	buf_printf(detail, "%s: ", judge_fault(proof->fault));
	tell(detail, packet, &says, &does);
	if (*circumstances)
		buf_printf(detail, "; if %s", circumstances);
	/* What the evaluators cannot tell, they cannot deny. An Ethernet device is what they know. */
	*ret_beyond = !device || example->rewritten || does.outcome == RULESET_UNDECIDED ||
		      (*circumstances && strcmp(circumstances, "device of type 1") != 0);
	if (*ret_beyond)
		return true;
	if (brute_agrees(packet, &says, &does)) {
		buf_puts(detail, "; that is the same, and the proof says that they differ");
		return false;
	}
	if (says.action != example->policy.action) {
		buf_printf(detail, "; the proof has the policy say %u", example->policy.action);
		return false;
	}
	return true;
}

/* A refutation that rests on what packets as values show must be found by trying, too. */
static void judge_refuted(const struct brute_result *brute, struct judge_record *record,
			  struct buf *detail)
{
	record->tried = brute->answer == BRUTE_DIFFER;
	if (brute->answer != BRUTE_EQUAL || record->beyond)
		return;
	record->judgement = JUDGE_DISAGREEMENT;
	buf_puts(detail, "; but trying every packet finds no difference");
}

static void judge_proved(const struct brute_result *brute, struct judge_record *record,
			 struct buf *detail)
{
	switch (brute->answer) {
	case BRUTE_EQUAL:
		record->judgement = JUDGE_EQUIVALENT;
		break;
	case BRUTE_DIFFER:
		record->judgement = JUDGE_DISAGREEMENT;
		buf_puts(detail, "proved, and yet: ");
		tell(detail, &brute->packet, &brute->policy, &brute->kernel);
		break;
	case BRUTE_UNDECIDED:
		record->judgement = JUDGE_SURVIVOR;
		buf_printf(detail, "proved, and trying says: %s; ", brute->reason);
		packet_print(&brute->packet, detail);
		break;
	}
}

static double seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int judge_ruleset(const struct policy *policy, const struct ruleset *ruleset,
		  struct judge_record *record)
{
	static const struct proof_device devices[] = {
	    {"lo", 1, ARPHRD_LOOPBACK},
	    {RULESET_OTHER_DEVICE, 2, ARPHRD_ETHER},
	};
	const struct proof_options options = {.devices = devices,
					      .device_count = ARRAY_SIZE(devices)};
	CLEANUP(proof_result_done) struct proof_result proof = {0};
	AUTO_BUF struct buf detail = {.cap = sizeof(record->detail) - 1};
	struct brute_result brute;
	double start = seconds_now();
	int r;

	r = proof_compare(policy, ruleset, &options, &proof);
	if (r < 0)
		return r;
	record->fault = proof.fault;
	record->fault_known = proof.answer == PROOF_REFUTED;
	if (proof.answer != PROOF_UNKNOWN) {
		r = brute_compare(policy, ruleset, 0, &brute);
		if (r < 0)
			return r;
	}
	if (proof.answer == PROOF_REFUTED) {
		record->judgement = judge_example(policy, ruleset, &proof, &record->beyond, &detail)
					? JUDGE_REFUTED
					: JUDGE_DISAGREEMENT;
		judge_refuted(&brute, record, &detail);
	} else if (proof.answer == PROOF_UNKNOWN) {
		record->judgement = JUDGE_NOT_PROVED;
		buf_puts(&detail, buf_text(&proof.reason));
	} else {
		judge_proved(&brute, record, &detail);
		if (record->judgement == JUDGE_EQUIVALENT && !proof.future_devices)
			record->judgement = JUDGE_PRESENT_ONLY;
	}
	snprintf(record->detail, sizeof(record->detail), "%s", buf_text(&detail));
	record->seconds = seconds_now() - start;
	return 0;
}

/* ---- one mutant ---- */

static bool is(const struct mutant *mutant, const char *kind)
{
	return strcmp(mutant->kind, kind) == 0;
}

/* What makes the mutant the same as the original, as far as that can be seen from outside. */
static const char *reason_for(const struct judge *judge, const struct mutant *mutant)
{
	if (mutant->foreign)
		return "added beside, and lets everything go on to Lethe's rules";
	if (is(mutant, "chain's policy flipped") && !decides(judge, mutant->chain))
		return "a chain's policy that no packet is left to";
	if (is(mutant, "priority changed"))
		return "the order of chains that do not depend on each other";
	if (is(mutant, "set's flags changed"))
		return "a set's property that decides nothing";
	if (is(mutant, "rule duplicated"))
		return "the same rule twice";
	if (is(mutant, "rules swapped"))
		return "neighbours that are about different packets";
	if (mutant->rule && !decides(judge, mutant->rule))
		return "a rule that decides about no packet by itself";
	if (mutant->rule)
		return "another rule decides the same";
	if (mutant->set)
		return "an element that makes no difference where it is looked up";
	return "no packet meets the difference";
}

int judge_mutant(const struct judge *judge, const struct mutant *mutant,
		 struct judge_record *record)
{
	int r;

	*record = (struct judge_record){.number = mutant->number, .kind = mutant->kind};
	snprintf(record->text, sizeof(record->text), "%s", mutant->text);
	r = judge_ruleset(judge->policy, mutant->ruleset, record);
	if (r == 0 && record->judgement == JUDGE_EQUIVALENT)
		record->reason = reason_for(judge, mutant);
	return r;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Two judgements, path by path: where do they differ, and how badly? */
#include "difference.h"

#include <netinet/in.h>
#include <linux/if_ether.h>
#include <string.h>

diagram difference_passes(struct diagram_space *space, const struct judgement *judgement)
{
	return diagram_or(space, judgement->outcomes[JUDGEMENT_ACCEPT],
			  judgement->outcomes[JUDGEMENT_PROXY]);
}

/* Packets shorter than their headers: no policy speaks of them. They may pass if what they could be
 * the beginning of may pass; to stop them is always right. */
static diagram short_leaks(struct diagram_space *space, diagram passed, diagram granted,
			   diagram universe)
{
	static const enum space_field lost[] = {
	    SPACE_TRANSPORT_LEN, SPACE_NETWORK_LEN,    SPACE_FLAGS,	   SPACE_DESTINATION_PORT,
	    SPACE_SOURCE_PORT,	 SPACE_ICMP_ID, SPACE_TRANSPORT_REST,
	};
	diagram cut = diagram_minus(space, universe, space_complete(space));
	diagram beginnings = diagram_and(space, granted, space_complete(space));
	diagram arp = space_is(space, SPACE_ETHERTYPE, ETH_P_ARP), arp_beginnings;

	beginnings = diagram_and(space, beginnings, universe);
	arp_beginnings = diagram_and(space, beginnings, arp);
	for (size_t i = 0; i < ARRAY_SIZE(lost); i++)
		beginnings = diagram_exists(space, beginnings, space_first(lost[i]),
					    space_first(lost[i]) + space_width(lost[i]) - 1);
	/* Of ARP the network header itself is cut. */
	for (unsigned at = 0; at < SPACE_NETWORK_BYTES; at++)
		for (unsigned bit = 0; arp_beginnings != DIAGRAM_FALSE && bit < 8; bit++)
			arp_beginnings = diagram_exists(space, arp_beginnings,
							space_network_bit(at, bit),
							space_network_bit(at, bit));
	arp_beginnings = diagram_exists(
	    space, arp_beginnings, space_first(SPACE_NETWORK_LEN),
	    space_first(SPACE_NETWORK_LEN) + space_width(SPACE_NETWORK_LEN) - 1);
	beginnings = diagram_choose(space, arp, arp_beginnings, beginnings);
	return diagram_minus(space, diagram_and(space, passed, cut), beginnings);
}

/* Both stop it, one in another manner than the other. */
static diagram other_manner(struct diagram_space *space, const struct judgement *wanted,
			    const struct judgement *held)
{
	static const enum judgement_outcome manners[] = {JUDGEMENT_DROP, JUDGEMENT_RESET,
							 JUDGEMENT_UNREACHABLE};
	diagram stopped = DIAGRAM_FALSE, same = DIAGRAM_FALSE, granted;

	for (size_t i = 0; i < ARRAY_SIZE(manners); i++) {
		stopped = diagram_or(space, stopped, held->outcomes[manners[i]]);
		same = diagram_or(space, same, diagram_and(space, held->outcomes[manners[i]],
							   wanted->outcomes[manners[i]]));
	}
	stopped = diagram_or(space, stopped, held->outcomes[JUDGEMENT_OTHER_ERROR]);
	granted = difference_passes(space, wanted);
	return diagram_minus(space, diagram_minus(space, stopped, same), granted);
}

static diagram other_proxy(struct diagram_space *space, const struct judgement *wanted,
			   const struct judgement *held)
{
	diagram same = diagram_and(space, wanted->outcomes[JUDGEMENT_PROXY],
				   held->outcomes[JUDGEMENT_PROXY]);
	diagram one = diagram_or(space, wanted->outcomes[JUDGEMENT_PROXY],
				 held->outcomes[JUDGEMENT_PROXY]);

	if (wanted->proxy_port != held->proxy_port)
		same = DIAGRAM_FALSE;
	one = diagram_minus(space, one, same);
	return diagram_and(space, one,
			   diagram_and(space, difference_passes(space, wanted),
				       difference_passes(space, held)));
}

void difference_between(struct diagram_space *space, const struct judgement *wanted,
		   const struct judgement *held, diagram universe, struct difference *ret)
{
	diagram complete = diagram_and(space, universe, space_complete(space));
	diagram passed = difference_passes(space, held);
	diagram granted = difference_passes(space, wanted);
	diagram unsure = held->outcomes[JUDGEMENT_UNDECIDED];
	struct difference d = {0};

	d.faults[PROOF_LEAK] = diagram_and(space, complete, diagram_minus(space, passed, granted));
	d.faults[PROOF_LEAK] = diagram_or(space, d.faults[PROOF_LEAK],
					  short_leaks(space, passed, granted, universe));
	d.faults[PROOF_REWRITES] =
	    diagram_and(space, universe, held->outcomes[JUDGEMENT_REWRITTEN]);
	d.faults[PROOF_BLOCKS] = diagram_minus(space, granted, passed);
	d.faults[PROOF_BLOCKS] = diagram_minus(space, d.faults[PROOF_BLOCKS],
					       held->outcomes[JUDGEMENT_REWRITTEN]);
	d.faults[PROOF_BLOCKS] = diagram_and(space, complete, d.faults[PROOF_BLOCKS]);
	d.faults[PROOF_BLOCKS] = diagram_minus(space, d.faults[PROOF_BLOCKS], unsure);
	d.faults[PROOF_MANNER] =
	    diagram_and(space, complete, other_manner(space, wanted, held));
	d.faults[PROOF_PROXIES] = diagram_and(space, complete, other_proxy(space, wanted, held));
	d.undecided = diagram_and(space, universe, unsure);
	*ret = d;
}

/* What is written down as asked must be what is sent, no more and no less; see model.h. */
static void compare_answers(struct model *model, const struct judgement *wanted,
			    struct difference *difference)
{
	struct diagram_space *space = model->space;
	struct run *output = model->runs[PACKET_OUTPUT], *input = model->runs[PACKET_INPUT];
	diagram universe = model->universes[PACKET_OUTPUT];
	diagram sent = diagram_and(space, difference_passes(space, wanted), universe);

	sent = diagram_and(space, sent, space_complete(space));
	for (size_t i = 0; i < input->question_count; i++) {
		const struct run_memory *question = &input->questions[i];
		enum answers_kind kind;
		diagram written, wished, packets;

		if (!answers_expected(input, question, &packets, model))
			continue;
		kind = answers_kind_of(output, universe, question->set, &written);
		wished = answers_questions(space, kind);
		written = diagram_and(space, written, wished);
		written = diagram_and(space, written, space_complete(space));
		wished = diagram_and(space, wished, sent);
		difference->faults[PROOF_LEAK] = diagram_or(
		    space, difference->faults[PROOF_LEAK], diagram_minus(space, written, wished));
		difference->faults[PROOF_BLOCKS] = diagram_or(
		    space, difference->faults[PROOF_BLOCKS], diagram_minus(space, wished, written));
	}
}

diagram difference_foreign_writes(struct model *model)
{
	struct diagram_space *space = model->space;
	diagram found = DIAGRAM_FALSE;

	for (int path = PACKET_FRAME; path < MODEL_PATHS; path++) {
		struct run *run = model->runs[path];

		for (size_t i = 0; i < run->write_count; i++) {
			diagram packets = diagram_and(space, run->writes[i].packets,
						      model->universes[path]);
			struct run *input = model->runs[PACKET_INPUT];
			struct run_step doubt;

			for (size_t k = 0; packets != DIAGRAM_FALSE && k < input->question_count;
			     k++) {
				if (input->questions[k].set != run->writes[i].set)
					continue;
				input->table = run->writes[i].table;
				input->chain = NULL;
				input->rule = NULL;
				doubt = run_doubtful(input, model->universes[PACKET_INPUT],
						     "packets that are not sent are written down "
						     "as asked");
				found = diagram_or(space, found, doubt.undecided);
			}
		}
	}
	return found;
}

void difference_tell_doubt(const struct model *model, enum packet_path path, diagram packets,
			   struct buf *reason)
{
	static const char *const names[] = {
	    [PACKET_OUTPUT] = "output",
	    [PACKET_FRAME] = "frames to a device",
	    [PACKET_INPUT] = "input",
	    [PACKET_FORWARD] = "forwarding",
	};
	const struct run *run = model->runs[path];

	for (size_t i = 0; i < run->doubt_count; i++) {
		if (diagram_and(model->space, run->doubts[i].packets, packets) == DIAGRAM_FALSE)
			continue;
		buf_printf(reason, "%s: %s", names[path], run->doubts[i].text);
		return;
	}
	buf_printf(reason, "%s: something is not understood", names[path]);
}

struct differences {
	struct judgement wanted[MODEL_PATHS];
	struct difference paths[MODEL_PATHS];
};

/* What answers nothing is not expected: where the policy lets no packet of a kind be sent, no answer of
 * that kind can be. (Rules need no set for it then.) */
static diagram never_expected(struct model *model, const struct judgement *wanted)
{
	struct diagram_space *space = model->space;
	diagram sent = diagram_and(space, difference_passes(space, wanted),
				   model->universes[PACKET_OUTPUT]);
	diagram udp = space_is(space, SPACE_PROTOCOL, IPPROTO_UDP);
	diagram never = DIAGRAM_FALSE;

	if (diagram_and(space, sent, answers_questions(space, ANSWERS_UDP)) == DIAGRAM_FALSE)
		never = udp;
	if (diagram_and(space, sent, answers_questions(space, ANSWERS_ECHO)) == DIAGRAM_FALSE)
		never = diagram_or(space, never, diagram_not(space, udp));
	return diagram_and(space, never, space_flag(space, SPACE_EXPECTED));
}

static int differences_find(struct model *model, const struct policy *policy,
			    struct differences *ret)
{
	struct diagram_space *space = model->space;

	for (int path = PACKET_OUTPUT; path < MODEL_PATHS; path++) {
		int r = meaning_of(space, policy, (enum packet_path)path, &ret->wanted[path]);

		if (r < 0)
			return r;
		if (path == PACKET_INPUT)
			model->universes[path] =
			    diagram_minus(space, model->universes[path],
					  never_expected(model, &ret->wanted[PACKET_OUTPUT]));
		difference_between(space, &ret->wanted[path], &model->judgements[path],
				   model->universes[path], &ret->paths[path]);
	}
	compare_answers(model, &ret->wanted[PACKET_OUTPUT], &ret->paths[PACKET_OUTPUT]);
	ret->paths[PACKET_INPUT].undecided =
	    diagram_or(space, ret->paths[PACKET_INPUT].undecided, difference_foreign_writes(model));
	return diagram_error(space);
}

/* The worst fault that there is on any path, among packets in @within. */
static bool worst(const struct model *model, const struct differences *differences, diagram within,
		  enum proof_fault *ret_fault, enum packet_path *ret_path, diagram *ret_packets)
{
	for (int fault = PROOF_LEAK; fault <= PROOF_PROXIES; fault++) {
		for (int path = PACKET_OUTPUT; path < MODEL_PATHS; path++) {
			diagram packets = diagram_and(
			    model->space, differences->paths[path].faults[fault], within);

			if (packets == DIAGRAM_FALSE)
				continue;
			*ret_fault = (enum proof_fault)fault;
			*ret_path = (enum packet_path)path;
			*ret_packets = packets;
			return true;
		}
	}
	return false;
}

static bool undecided(const struct model *model, const struct differences *differences,
		      diagram within, struct proof_result *result)
{
	for (int path = PACKET_OUTPUT; path < MODEL_PATHS; path++) {
		diagram packets =
		    diagram_and(model->space, differences->paths[path].undecided, within);

		if (packets == DIAGRAM_FALSE)
			continue;
		difference_tell_doubt(model, (enum packet_path)path, packets,
				      &result->reason);
		return true;
	}
	return false;
}

static int decide(struct model *model, const struct policy *policy,
		  const struct differences *differences, const struct proof_options *options,
		  struct proof_result *result)
{
	diagram present = options->device_count ? model->present : DIAGRAM_TRUE;
	enum packet_path path;
	diagram packets;

	if (worst(model, differences, present, &result->fault, &path, &packets)) {
		result->answer = PROOF_REFUTED;
		return example_find(model, policy, path, packets, result);
	}
	if (undecided(model, differences, present, result)) {
		result->answer = PROOF_UNKNOWN;
		return 0;
	}
	result->answer = PROOF_PROVED;
	result->fault = PROOF_NO_FAULT;
	result->future_devices =
	    !worst(model, differences, DIAGRAM_TRUE, &(enum proof_fault){0},
		   &(enum packet_path){0}, &(diagram){0});
	for (int p = PACKET_OUTPUT; p < MODEL_PATHS; p++)
		if (differences->paths[p].undecided != DIAGRAM_FALSE)
			result->future_devices = false;
	return 0;
}

static void count(struct model *model, struct proof_result *result)
{
	for (int path = PACKET_OUTPUT; path < MODEL_PATHS; path++)
		for (size_t i = 0; i < JUDGEMENT_OUTCOMES; i++)
			result->classes +=
			    diagram_ways(model->space, model->judgements[path].outcomes[i]);
	result->nodes = diagram_nodes(model->space);
}

static int compare(struct diagram_space *space, const struct policy *policy,
		   const struct ruleset *ruleset, const struct proof_options *options,
		   struct proof_result *result)
{
	CLEANUP(model_done) struct model model = {0};
	AUTO_FREE struct differences *differences = calloc(1, sizeof(*differences));
	int r = differences ? model_make(space, ruleset, options, &model) : -ENOMEM;

	if (r == 0)
		r = differences_find(&model, policy, differences);
	if (r == 0)
		r = decide(&model, policy, differences, options, result);
	if (r == 0)
		count(&model, result);
	return r == 0 ? diagram_error(space) : r;
}

int proof_compare(const struct policy *policy, const struct ruleset *ruleset,
		  const struct proof_options *options, struct proof_result *ret_result)
{
	size_t nodes = options->nodes_max ? options->nodes_max : PROOF_NODES_MAX;
	CLEANUP(diagram_space_freep) struct diagram_space *space = diagram_space_new(nodes);
	struct proof_result result = {.reason = {.cap = 4096},
				      .example = {.circumstances = {.cap = 4096}}};
	int r;

	if (!space)
		return -ENOMEM;
	if (ruleset->incomplete) {
		buf_printf(&result.reason, "the kernel holds what this model cannot: %s",
			   ruleset->missing[0] ? ruleset->missing : "something unknown");
		*ret_result = result;
		return 0;
	}
	r = compare(space, policy, ruleset, options, &result);
	if (r == -E2BIG) {
		proof_result_done(&result);
		result = (struct proof_result){.reason = {.cap = 4096}};
		buf_puts(&result.reason, "the rules are too large for the memory they were given");
		r = 0;
	}
	if (r < 0) {
		proof_result_done(&result);
		return r;
	}
	*ret_result = result;
	return 0;
}

void proof_result_done(struct proof_result *result)
{
	buf_done(&result->reason);
	buf_done(&result->example.circumstances);
}

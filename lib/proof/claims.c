/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The sentences of the claims, one after the other. */
#include "claims.h"

#include "difference.h"

#include <assert.h>
#include <string.h>

#define REASON_MAX 4096

struct walk {
	struct claims claims;
	const struct ruleset *ruleset;
	const struct proof_options *options;
	int (*visit)(const struct proof_claim *claim, void *data);
	void *data;
	const char *unknown; /* why nothing can be said of packets; or NULL */
};

/* Where the packets are that refute a sentence, and those that nobody can judge. */
struct findings {
	diagram violations[MODEL_PATHS], unsure[MODEL_PATHS];
};

static void find(struct claims *c, const struct claims_sentence *sentence,
		 struct findings *findings)
{
	struct claims_sets sets = {0};

	sentence->tell(c, &sets);
	for (int path = PACKET_OUTPUT; path < MODEL_PATHS; path++) {
		const struct judgement *judgement = &c->model->judgements[path];
		diagram undecided = judgement->outcomes[JUDGEMENT_UNDECIDED];
		diagram blocked = ALL(sets.always[path], NO(undecided),
				      NO(difference_passes(c->space, judgement)));
		diagram leaked = ALL(sets.never[path], c->passes[path]);
		diagram concerns = ANY(sets.never[path], sets.always[path], sets.concerns[path]);

		findings->violations[path] =
		    ALL(ANY(leaked, blocked, sets.violations[path]), c->model->universes[path]);
		findings->unsure[path] = ALL(ANY(ALL(concerns, undecided), sets.doubts[path]),
					     c->model->universes[path]);
	}
}

/* The first path on which @sets holds a packet on one of the devices @within. */
static bool first(struct claims *c, const diagram sets[MODEL_PATHS], diagram within,
		  enum packet_path *ret_path, diagram *ret_packets)
{
	for (int path = PACKET_OUTPUT; path < MODEL_PATHS; path++) {
		*ret_packets = ALL(sets[path], within);
		*ret_path = (enum packet_path)path;
		if (*ret_packets != DIAGRAM_FALSE)
			return true;
	}
	return false;
}

static bool user_is_missing(const struct proof_people *people, const char *name)
{
	const struct {
		const char *name;
		const struct proof_user *user;
	} users[] = {
	    {"debian-tor", &people->tor},
	    {"bridges-net", &people->bridges_net},
	    {"fronts-net", &people->fronts_net},
	    {"clearnet", &people->clearnet},
	    {"clearnet-net", &people->clearnet_net},
	    {"amnesia", &people->amnesia},
	};

	for (size_t i = 0; name && i < ARRAY_SIZE(users); i++)
		if (strcmp(users[i].name, name) == 0)
			return !users[i].user->exists;
	return false;
}

static int judge_packets(struct walk *walk, const struct claims_sentence *sentence,
			 struct proof_result *result)
{
	struct claims *c = &walk->claims;
	struct findings findings = {0};
	enum packet_path path;
	diagram present, packets;
	int r;

	assert(c->model);
	present = walk->options->device_count ? c->model->present : DIAGRAM_TRUE;
	find(c, sentence, &findings);
	r = diagram_error(c->space);
	if (r < 0)
		return r;
	if (first(c, findings.violations, present, &path, &packets)) {
		result->answer = PROOF_REFUTED;
		result->fault = sentence->fault;
		return example_find(c->model, NULL, path, packets, result);
	}
	if (first(c, findings.unsure, present, &path, &packets)) {
		difference_tell_doubt(c->model, path, packets, &result->reason);
		return diagram_error(c->space);
	}
	result->answer = PROOF_PROVED;
	result->future_devices = !first(c, findings.violations, DIAGRAM_TRUE, &path, &packets) &&
				 !first(c, findings.unsure, DIAGRAM_TRUE, &path, &packets);
	if (user_is_missing(c->people, sentence->user))
		buf_printf(&result->reason, "there is no user %s", sentence->user);
	return diagram_error(c->space);
}

/* Sentences about the rules themselves need no packet. */
static void judge_rules(struct walk *walk, const struct claims_sentence *sentence,
			struct proof_result *result)
{
	bool unsure;

	if (sentence->rule(walk->ruleset, &unsure, &result->reason)) {
		result->answer = PROOF_REFUTED;
		result->fault = sentence->fault;
	} else if (!unsure) {
		result->answer = PROOF_PROVED;
		result->future_devices = true;
	}
}

static void begin_result(struct proof_result *result)
{
	*result = (struct proof_result){.reason = {.cap = REASON_MAX},
					.example = {.circumstances = {.cap = REASON_MAX}}};
}

static void is_unknown(struct walk *walk, struct proof_result *result)
{
	proof_result_done(result);
	begin_result(result);
	buf_puts(&result->reason, walk->unknown);
}

static int judge(struct walk *walk, const struct claims_sentence *sentence,
		 struct proof_result *result)
{
	int r = 0;

	if (walk->unknown) {
		is_unknown(walk, result);
	} else if (sentence->rule) {
		judge_rules(walk, sentence, result);
	} else {
		r = judge_packets(walk, sentence, result);
		result->nodes = diagram_nodes(walk->claims.space);
	}
	if (r == -E2BIG) {
		walk->unknown = "the rules are too large for the memory they were given";
		is_unknown(walk, result);
		r = 0;
	}
	return r == 0 ? buf_finish(&result->reason) : r;
}

static int sentence_visit(struct walk *walk, const struct claims_sentence *sentence)
{
	struct proof_claim claim = {
	    .id = sentence->id, .kind = sentence->kind, .statement = sentence->statement};
	int r;

	begin_result(&claim.result);
	r = judge(walk, sentence, &claim.result);
	if (r == 0)
		r = walk->visit(&claim, walk->data);
	proof_result_done(&claim.result);
	return r;
}

/* Both lists are in order, by numbers: "F1.9" comes before "F1.10". */
static bool comes_before(const char *a, const char *b)
{
	return strverscmp(a, b) < 0;
}

static int sentences_visit(struct walk *walk)
{
	size_t remote = 0, local = 0;

	while (remote < claims_remote_count || local < claims_local_count) {
		bool take_remote = local == claims_local_count ||
				   (remote < claims_remote_count &&
				    comes_before(claims_remote[remote].id, claims_local[local].id));
		int r = sentence_visit(walk, take_remote ? &claims_remote[remote++]
							 : &claims_local[local++]);

		if (r != 0)
			return r;
	}
	return 0;
}

static void begin_claims(struct claims *c, struct model *model)
{
	c->model = model;
	for (int path = PACKET_OUTPUT; path < MODEL_PATHS; path++) {
		const struct judgement *judgement = &model->judgements[path];

		c->passes[path] = ANY(difference_passes(c->space, judgement),
				      judgement->outcomes[JUDGEMENT_REWRITTEN]);
	}
	c->foreign = difference_foreign_writes(model);
	claims_words(c);
}

int proof_claims(const struct ruleset *ruleset, const struct proof_people *people,
		 const struct proof_options *options,
		 int (*visit)(const struct proof_claim *claim, void *data), void *data)
{
	size_t nodes = options->nodes_max ? options->nodes_max : PROOF_NODES_MAX;
	CLEANUP(diagram_space_freep) struct diagram_space *space = diagram_space_new(nodes);
	CLEANUP(model_done) struct model model = {0};
	AUTO_BUF struct buf missing = {.cap = REASON_MAX};
	struct walk walk = {.claims = {.space = space, .people = people},
			    .ruleset = ruleset,
			    .options = options,
			    .visit = visit,
			    .data = data};
	int r;

	if (!space)
		return -ENOMEM;
	if (ruleset->incomplete) {
		buf_printf(&missing, "the kernel holds what this model cannot: %s",
			   ruleset->missing[0] ? ruleset->missing : "something unknown");
		walk.unknown = buf_text(&missing);
		return sentences_visit(&walk);
	}
	r = model_make(space, ruleset, options, &model);
	if (r == 0)
		begin_claims(&walk.claims, &model);
	else if (r == -E2BIG)
		walk.unknown = "the rules are too large for the memory they were given";
	else
		return r;
	return sentences_visit(&walk);
}

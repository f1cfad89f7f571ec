/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The words and sentences of the claims. Private to claims*.c.
 *
 * Nothing here comes from a policy, nor from what a policy means (meaning.c): the claims are a
 * second opinion, and shall not share a mistake with the first.
 */
#pragma once

#include "model.h"

struct claims {
	struct model *model;
	struct diagram_space *space;
	const struct proof_people *people;
	diagram passes[MODEL_PATHS]; /* as it came, or rewritten */
	diagram foreign;             /* on INPUT: nothing is known of what is expected */

	/* Words. They say nothing about the path. */
	diagram loopback, owned, routed;
	diagram ipv4, ipv6, ip; /* by the label */
	diagram later;		/* a later fragment */
	diagram odd; /* that, or a header with options, or one that the kernel does not accept */
	diagram piece;		/* a later fragment that the IP stack has cut itself */
	diagram tcp, udp, icmp; /* the last of both families */
	diagram opening, rest;	/* TCP segments: the first of a connection; of a closed socket */
	diagram quiet;	/* on loopback, opens nothing: TCP that is no opening, ICMP errors */
	diagram lan, internet; /* destinations */
	diagram lookup;	   /* name lookups, questions to the router, by TCP and UDP */
	diagram broadcast; /* a DHCP client's, by who may */
	diagram tor, bridges_net, fronts_net, clearnet, clearnet_net, amnesia; /* owners */
	diagram open_users; /* who has TCP and UDP: clearnet, clearnet-net, fronts-net */
	diagram ordinary; /* whole, valid, no fragment, no options */
	diagram labelled; /* a frame that came through the IP stack, its label its ethertype */
};

/* What a sentence says, by path. Bits outside the universe do not matter. */
struct claims_sets {
	diagram never[MODEL_PATHS];      /* must not pass */
	diagram always[MODEL_PATHS];     /* must pass as it came */
	diagram violations[MODEL_PATHS]; /* is wrong as it is */
	diagram concerns[MODEL_PATHS];   /* beside these: must be understood */
	diagram doubts[MODEL_PATHS];     /* is not understood */
};

/* Fill the words in; @claims->model and ->people are set. */
void claims_words(struct claims *claims);

/* Short words for the sentences. */
diagram claims_all(struct claims *claims, const diagram *sets, size_t count);
diagram claims_any(struct claims *claims, const diagram *sets, size_t count);
#define ALL(...)                                                                                   \
	claims_all(c, (const diagram[]){__VA_ARGS__},                                              \
		   sizeof((const diagram[]){__VA_ARGS__}) / sizeof(diagram))
#define ANY(...)                                                                                   \
	claims_any(c, (const diagram[]){__VA_ARGS__},                                              \
		   sizeof((const diagram[]){__VA_ARGS__}) / sizeof(diagram))
#define NO(what) diagram_not(c->space, what)

/* One of @uids is the owner. */
diagram claims_users(struct claims *claims, const struct policy_uids *uids);
/* A destination in one of these ranges. */
struct claims_range {
	uint32_t low, high;
};
diagram claims_destinations(struct claims *claims, const struct claims_range *ranges, size_t count);
/* For some value of the @count bits of @field from bit @from on (0 the most significant). */
diagram claims_exists(struct claims *claims, diagram a, enum space_field field, unsigned from,
		      unsigned count);
/* For some value of all bits but those of @kept, which need not be fields of one piece. */
diagram claims_only(struct claims *claims, diagram a, const enum space_field *kept, size_t count);

/* ICMP errors of both families that loopback needs. */
diagram claims_icmp_errors(struct claims *claims);
diagram claims_echo_reply(struct claims *claims);

/* A rule that asks the kernel to track connections, or to translate addresses; false: none does.
 * Then *ret_unsure is whether there is an expression that nobody here knows. Both write where to
 * @where. */
bool claims_rule_tracks(const struct ruleset *ruleset, bool translates, bool *ret_unsure,
			struct buf *where);

struct claims_sentence {
	const char *id;
	enum proof_kind kind;
	const char *statement;
	const char *user; /* who must exist for the sentence to say something; or NULL */
	void (*tell)(struct claims *c, struct claims_sets *sets);
	bool (*rule)(const struct ruleset *ruleset, bool *ret_unsure, struct buf *where);
	enum proof_fault fault; /* of a packet that refutes it */
};

/* F1 to F5 and F8 (claims_remote.c), F6, F7 and F9 (claims_local.c). */
extern const struct claims_sentence claims_remote[], claims_local[];
extern const size_t claims_remote_count, claims_local_count;

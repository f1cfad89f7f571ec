/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What happens to each packet, as one function for each thing that can happen. Private to this room. */
#pragma once

#include "space.h"

enum judgement_outcome {
	JUDGEMENT_DROP = 0,    /* in silence */
	JUDGEMENT_RESET,       /* refused, by a TCP reset */
	JUDGEMENT_UNREACHABLE, /* refused, by the ICMP error "port unreachable" */
	JUDGEMENT_OTHER_ERROR, /* refused, by another ICMP error; no policy asks for that */
	JUDGEMENT_ACCEPT,
	JUDGEMENT_PROXY,     /* accepted, and handed to the transparent proxy's port below */
	JUDGEMENT_REWRITTEN, /* accepted, with other addresses, ports or bytes than it came with; no
			      * policy asks for that */
	JUDGEMENT_UNDECIDED, /* not understood: never a guess; no policy is */
	JUDGEMENT_OUTCOMES,
};

/* Disjoint, and together every packet of the path's universe (outside it they say nothing). */
struct judgement {
	diagram outcomes[JUDGEMENT_OUTCOMES];
	uint16_t proxy_port; /* the one port of JUDGEMENT_PROXY; 0 while there is none */
};

struct policy;

/*
 * What @policy means on @path, for every packet. Written from lethe-policy(5) and the order in
 * docs/architecture.md, apart from policy_evaluate(): tests hold the two together on every class and
 * on random packets. Never undecided. *ret_judgement is filled in any case; returns what
 * diagram_error() says.
 */
MUST_CHECK int meaning_of(struct diagram_space *space, const struct policy *policy,
			  enum packet_path path, struct judgement *ret_judgement);

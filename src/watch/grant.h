/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Why a packet was refused, and the line of policy that would have let it pass. */
#pragma once

#include <packet/packet.h>
#include <policy/policy.h>

#define GRANT_LINE_MAX 256

enum grant_answer {
	GRANT_UNASKED = 0,
	GRANT_UNKNOWN, /* the policy could not be read */
	GRANT_LINE,	   /* the line would let it pass */
	GRANT_NONE,	   /* no line can: the language has no words for it, on purpose */
	GRANT_ALLOWED,	   /* this policy allows it: another filter, or another policy, refused it */
};

struct grant {
	enum grant_answer answer;
	const char *reason; /* the policy's, in plain words; "" if unknown. Static storage. */
	char line[GRANT_LINE_MAX]; /* for GRANT_LINE; else "" */
};

/* @policy may be NULL. @options are those it was read with. Whether the line holds is tried, by
 * reading the policy with it, so that a line that would not help is never told. */
struct grant grant_find(const struct policy *policy, const struct policy_options *options,
			const struct packet *packet);

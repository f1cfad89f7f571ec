/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Shared by the files of the second algorithm and nobody else. */
#pragma once

#include "brute.h"

/* What both evaluators read of a packet as a number. Bytes are as in a register. */
enum brute_field {
	/* Of a packet's shape, which is the same for all packets of a scene. */
	BRUTE_ETHERTYPE, /* the label and the link header's, which are compared with each other */
	BRUTE_PROTOCOL,
	BRUTE_VERSION_IHL, /* IPv4's first byte */
	BRUTE_ARP_OPERATION,
	BRUTE_SHAPES, /* the number of those before */
	/* Of a packet of a scene. */
	BRUTE_UID = BRUTE_SHAPES, /* host order */
	BRUTE_DESTINATION4,
	BRUTE_SOURCE4,
	BRUTE_DESTINATION6,
	BRUTE_SOURCE6,
	BRUTE_DESTINATION_PORT,
	BRUTE_SOURCE_PORT,
	BRUTE_FLAGS, /* TCP's */
	BRUTE_ICMP_TYPE,
	BRUTE_ICMP_CODE,
	BRUTE_ICMP_ID,
	BRUTE_FIELDS,
};

#define BRUTE_BYTES_MAX 16

/* Bytes of the field. */
size_t brute_field_len(enum brute_field field);

/* Is (value & mask) ^ xor from low to high, as memcmp() orders them? */
struct brute_question {
	uint8_t mask[BRUTE_BYTES_MAX], xor[BRUTE_BYTES_MAX];
	uint8_t low[BRUTE_BYTES_MAX], high[BRUTE_BYTES_MAX];
};

struct brute_questions {
	struct brute_question *questions;
	size_t count, room;
};

struct brute_asked {
	struct brute_questions fields[BRUTE_FIELDS];
	bool deep;  /* IPv4's transport header is read from the network header on: where it begins
		       counts */
	bool error; /* memory was short */
	const char
	    *opaque; /* what is done to fields and no question says; or NULL. Static storage */
};

/* The questions about shapes. Fills *asked in any case, to be released with brute_asked_done(). */
MUST_CHECK int brute_ask_shapes(const struct ruleset *ruleset, struct brute_asked *asked);

/*
 * The questions about the packets of a scene: those that are as @scene in their path, device,
 * route, shape (ethertypes, protocol, options, fragment, ARP) and in whether they have an owner.
 * Rules that such a packet cannot come to are not asked. Fills *asked in any case.
 */
MUST_CHECK int brute_ask(const struct policy *policy, const struct ruleset *ruleset,
			 const struct packet *scene, struct brute_asked *asked);
void brute_asked_done(struct brute_asked *asked);

/* Between the two files of questions. */
void brute_add(struct brute_asked *asked, enum brute_field field,
	       const struct brute_question *question);
void brute_add_masked(struct brute_asked *asked, enum brute_field field, uint8_t mask,
		      uint8_t value);
void brute_read_shapes(const struct ruleset *ruleset, struct brute_asked *asked);
void brute_read_scene(const struct ruleset *ruleset, const struct packet *scene,
		      struct brute_asked *asked);

/* One value of each kind; of kinds that hold more values, up to @each of them. */
struct brute_values {
	uint8_t (*values)[BRUTE_BYTES_MAX];
	uint64_t *kinds; /* of each value */
	size_t count, room;
};

/* Returns 0, -ENOMEM or -E2BIG; *values is to be released with brute_values_done() in any case. */
MUST_CHECK int brute_cells(const struct brute_questions *questions, size_t len, unsigned each,
			   struct brute_values *values);
void brute_values_done(struct brute_values *values);

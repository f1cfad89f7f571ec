/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Expressions as nft writes them. Private to this room. */
#pragma once

#include "ruleset.h"
#include "words.h"

/* What a register holds, in nft's words. */
struct listing_term {
	enum {
		LISTING_NOTHING = 0,
		LISTING_FIELD, /* of the packet; @text names it */
		LISTING_VALUE, /* a constant */
	} kind;
	char text[48];
	struct words_shape shape;
	size_t whole;                /* bytes of the field, where shape.len are only its first */
	enum ruleset_family network; /* the protocols that the field belongs to: 0 for none */
	uint8_t transport;
	bool arp;
	bool arp_header; /* the first six bytes of the network header, which may be ARP's */
	bool masked;
	struct ruleset_value mask; /* or the constant */
};

/* The protocols that a rule has asked for so far, so that "tcp dport" can be said for a port. */
struct listing_context {
	enum ruleset_family table;   /* the table's */
	enum ruleset_family network; /* IPV4 or IPV6; 0 for unknown */
	bool arp;
	uint8_t transport; /* IPPROTO_*; 0 for unknown */
};

/* Name what META, PAYLOAD, SOCKET and the other kinds that load something load. False if nft has no
 * words for it. */
bool listing_name(const struct listing_context *context,
		  const struct ruleset_expression *expression, struct listing_term *ret_term);

/* What META_SET or CONNECTION_SET writes to. False if nft has no words for it. */
bool listing_name_target(const struct ruleset_expression *expression,
			 struct listing_term *ret_term);

/* How the parts of a set's keys are written. */
struct listing_key {
	size_t count;
	struct words_shape parts[RULESET_REGISTERS];
	char text[RULESET_REGISTERS][48]; /* for typeof; "" where only the type is known */
	bool typed;                       /* every part's type has a name */
};

/* From the set's type or, where that does not say, from a rule of @table that uses the set. False
 * if neither tells. */
bool listing_key_of(const struct ruleset_table *table, const struct ruleset_set *set,
		    struct listing_key *ret_key);
void listing_element(struct buf *out, const struct ruleset_set *set, const struct listing_key *key,
		     const struct ruleset_element *element);

/* One rule, without indentation or newline. What nft has no words for is written like a C comment,
 * which nft refuses to load: a rule that says less than the original must not be taken for it. */
void listing_rule(struct buf *out, const struct ruleset_table *table,
		  const struct ruleset_rule *rule);

/* The parts of the key that @rule puts together for @set. False if it does not. */
bool listing_key_in_rule(const struct ruleset_table *table, const struct ruleset_rule *rule,
			 const struct ruleset_set *set, struct listing_key *ret_key);

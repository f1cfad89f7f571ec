/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A ruleset run on all packets of one path at a time. Private to this room.
 *
 * A register's bit is a function of the packet, a header's byte is eight of them (rules may have
 * rewritten it), and where a rule has one packet here a set of packets travels: `live`, those that
 * reach it. Each expression splits that set: into those for which the rule goes on, those for which
 * it does not apply, and those about which nothing can be said.
 */
#pragma once

#include <base/buf.h>
#include <ruleset/ruleset.h>

#include "judgement.h"

/* The kernel's hooks, as far as a packet's path leads by them. */
enum run_hook {
	RUN_INGRESS = 1,
	RUN_PREROUTING,
	RUN_INPUT,
	RUN_FORWARD,
	RUN_OUTPUT,
	RUN_POSTROUTING,
	RUN_EGRESS,
};

struct run_registers {
	diagram bits[RULESET_DATA_MAX * 8]; /* byte by byte, each from its most significant bit */
	uint16_t written;		    /* registers that this rule has loaded, a bit each */
};

/* What one rule does with what reaches it. */
struct run_step {
	diagram applies;   /* the rule goes on; of those that reached it, all others leave the rule */
	diagram undecided; /* nothing can be said; apart from `applies` */
};

/* Sets of packets by where a chain has sent them. They are apart from each other. */
enum run_end {
	RUN_ACCEPT,
	RUN_DROP,
	RUN_RESET,
	RUN_UNREACHABLE,
	RUN_OTHER_ERROR,
	RUN_UNDECIDED,
	RUN_ENDS,
};
struct run_ends {
	diagram sets[RUN_ENDS];
	diagram left; /* reached the chain's end, or returned */
};

/* Something that is not understood: for which packets, why, and where. */
#define RUN_DOUBTS_MAX 32
#define RUN_DOUBT_MAX  320
struct run_doubt {
	diagram packets;
	char text[RUN_DOUBT_MAX];
};

/* A write to, or a question of, a dynamic set. */
#define RUN_MEMORY_MAX 256
struct run_memory {
	const struct ruleset_table *table;
	const struct ruleset_set *set;
	const struct ruleset_rule *rule;
	diagram packets;		/* which packets write or ask */
	diagram key[RULESET_DATA_MAX * 8];
	size_t key_len;			/* bytes */
	uint64_t timeout_ms;		/* of the write; 0: the set's own */
};

/* A proxy that packets are handed to. */
#define RUN_PROXIES_MAX 4
struct run_proxy {
	diagram packets;
	uint32_t address; /* IPv4, host order; 0: where the packet came by */
	uint16_t port;
	bool ipv6;
};

/* Variables given out for what packets do not determine. */
#define RUN_FREE_MAX 96
enum run_free_kind {
	RUN_FREE_META,	 /* a meta key; the same at each rule */
	RUN_FREE_CT,	 /* a key of connection tracking; the same at each rule */
	RUN_FREE_ORACLE, /* whether a rule applies that depends on what came before; each its own */
	RUN_FREE_NUMBER, /* a random number; each its own */
	RUN_FREE_MEMBER, /* whether a dynamic set holds a key; one for each question */
};
struct run_free {
	enum run_free_kind kind;
	uint32_t key;
	unsigned first, width; /* variables */
	const struct ruleset_chain *chain;
	const struct ruleset_rule *rule;
	char name[48]; /* for people: "the packet's priority" */
};

struct run_chain_memo;

struct run {
	struct diagram_space *space;
	const struct ruleset *ruleset;
	enum packet_path path;

	/* where */
	enum run_hook hook;
	const struct ruleset_table *table;
	const struct ruleset_chain *base, *chain;
	const struct ruleset_rule *rule;
	unsigned depth, steps;
	bool table_pure; /* no rule of the table changes packets or remembers them */

	/* the packet as it is now; functions of the packet as it came */
	diagram network[SPACE_NETWORK_BYTES * 8], transport[SPACE_TRANSPORT_BYTES * 8];
	diagram mark[32];
	diagram rewritten;   /* changed on its way */
	diagram readdressed; /* of these, with another destination */
	diagram untracked;   /* by a rule */
	diagram translated;  /* by a chain for it: no other such chain is asked */
	struct run_proxy proxies[RUN_PROXIES_MAX];
	size_t proxy_count;

	struct run_registers registers;
	struct run_memory writes[RUN_MEMORY_MAX], questions[RUN_MEMORY_MAX];
	size_t write_count, question_count;
	/* On INPUT: does this question ask whether the packet is expected (answers.c)? For which
	 * packets it is so is @ret_packets's to say. NULL: it never does. */
	bool (*is_expected)(const struct run *run, const struct run_memory *question,
			    diagram *ret_packets, void *data);
	void *expected_data;

	struct run_free free[RUN_FREE_MAX];
	size_t free_count;
	unsigned next_variable;
	diagram assume; /* what holds of the free variables */

	struct run_doubt doubts[RUN_DOUBTS_MAX];
	size_t doubt_count;
	struct run_chain_memo *memo;
	size_t memo_count, memo_room;
	bool asks_connections; /* some rule depends on connection tracking */

	/* One packet to be followed: who ended it last. DIAGRAM_FALSE: none. */
	diagram point;
	const struct ruleset_table *last_table;
	const struct ruleset_chain *last_chain;
	const struct ruleset_rule *last_rule;
	int error; /* -ENOMEM */
};

/* The judgement of @run->ruleset on @run->path. @run is made by run_begin(). Returns 0, -ENOMEM, or
 * what diagram_error() says; doubts are in @run. */
void run_begin(struct run *run, struct diagram_space *space, const struct ruleset *ruleset,
	       enum packet_path path, unsigned first_free);
MUST_CHECK int run_all(struct run *run, struct judgement *ret_judgement);
void run_done(struct run *run);

/* ---- for the expressions ---- */

/* Nothing can be said about @packets, because of @reason. Gives the step that says so for those, and
 * lets @applies go on. */
struct run_step run_doubtful(struct run *run, diagram packets, const char *reason);
/* The rule goes on for @applies. */
static inline struct run_step run_go(diagram applies)
{
	return (struct run_step){.applies = applies};
}

/* Variables for what packets do not determine; the first of @width. 0 if there are no more: then the
 * step is doubtful. */
unsigned run_free_variables(struct run *run, enum run_free_kind kind, uint32_t key, unsigned width,
			    const char *name);

bool run_arrives(enum run_hook hook);
bool run_leaves(enum run_hook hook);
/* What is known by name of the label, of validity. */
diagram run_segment(struct run *run); /* a TCP segment, whole or a first fragment */

/* Registers. All return false if the rule uses what it has not loaded, or what does not fit. */
bool run_store(struct run *run, uint8_t reg, const diagram *bits, size_t len); /* bytes */
bool run_store_number(struct run *run, uint8_t reg, const diagram *bits, size_t width,
		      bool host_order); /* bits, most significant first */
bool run_store_constant(struct run *run, uint8_t reg, const uint8_t *bytes, size_t len);
const diagram *run_view(struct run *run, uint8_t reg, size_t len);

/* Loads (load.c, load_payload.c), questions (ask.c), and what changes packets (change.c). @live are the packets for
 * which the rule has come so far. */
struct run_step run_load_meta(struct run *run, const struct ruleset_expression *e, diagram live);
struct run_step run_load_payload(struct run *run, const struct ruleset_expression *e, diagram live);
struct run_step run_load_socket(struct run *run, const struct ruleset_expression *e, diagram live);
struct run_step run_load_connection(struct run *run, const struct ruleset_expression *e,
				    diagram live);
struct run_step run_load_number(struct run *run, const struct ruleset_expression *e, diagram live);
struct run_step run_compare(struct run *run, const struct ruleset_expression *e, diagram live);
struct run_step run_range(struct run *run, const struct ruleset_expression *e, diagram live);
struct run_step run_bitwise(struct run *run, const struct ruleset_expression *e, diagram live);
struct run_step run_shift(struct run *run, const struct ruleset_expression *e, diagram live);
struct run_step run_byteorder(struct run *run, const struct ruleset_expression *e, diagram live);
struct run_step run_dynset(struct run *run, const struct ruleset_expression *e, diagram live);
struct run_step run_tproxy(struct run *run, const struct ruleset_expression *e, diagram live);
struct run_step run_meta_set(struct run *run, const struct ruleset_expression *e, diagram live);
struct run_step run_payload_set(struct run *run, const struct ruleset_expression *e, diagram live);
struct run_step run_notrack(struct run *run, diagram live);
struct run_step run_translate(struct run *run, const struct ruleset_expression *e, diagram live);

/* A lookup in a set (a step), or in a map: then each verdict of an element with the packets that it
 * holds for, through @verdict. */
typedef void run_verdict(struct run *run, const struct ruleset_verdict *verdict, diagram packets,
			 void *data);
struct run_step run_lookup(struct run *run, const struct ruleset_expression *e, diagram live,
			   run_verdict *verdict, void *data);

/* The ends of a rejection, for @packets. */
void run_reject(struct run *run, const struct ruleset_expression *e, diagram packets,
		struct run_ends *ends);


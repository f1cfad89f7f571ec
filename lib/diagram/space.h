/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the files of this room share: how functions are stored. */
#pragma once

#include "diagram.h"

/* Numbers from here on are not functions, but say in `c` of struct answer what was asked. */
#define SPACE_NODES_MAX  0xfffffff0u
#define OPERATION_AND    0xfffffff1u
#define OPERATION_OR     0xfffffff2u
#define OPERATION_XOR    0xfffffff3u
#define OPERATION_MINUS  0xfffffff4u
#define OPERATION_EXISTS 0xfffffff5u

/* "@variable ? @high : @low". The two constants are nodes 0 and 1, their variable is
 * DIAGRAM_VARIABLES, below every other, and both their branches lead to themselves. */
struct node {
	uint32_t variable;
	diagram low, high;
	uint32_t visit; /* see space_visited() */
};

/* What an operation gave. @a of one that is in use is never DIAGRAM_FALSE. */
struct answer {
	diagram a, b,
	    c; /* for diagram_choose(); else @c is an operation, and @b what belongs to it */
	diagram result;
};

/* What a walk over one function found out about one of its nodes. */
struct visit {
	diagram node;
	diagram result;
	double ways;
};

struct diagram_space {
	struct node *nodes;
	size_t count, room, count_max; /* with the two constants */
	/* Hashed by what a node is, at most half full, so that a number needs @place_bits - 1 bits;
	 * what is above them is more of the hash, so that few nodes are looked at in vain. 0 is
	 * empty. */
	uint32_t *places;
	unsigned place_bits;
	/* Each answer has one place, where it may be overwritten: asking again costs only time, and
	 * makes no node that is not there already, so that numbers do not depend on its size. */
	struct answer *answers;
	size_t answer_count; /* given since it grew */
	unsigned answer_bits;
	struct visit *visits; /* of the walk going on */
	size_t visit_count, visit_room;
	int error;
};

/* Remember the first failure. */
void space_fail(struct diagram_space *space, int error);

/* Nothing failed yet and @a is a function of this space; one that is not is a failure. */
bool space_has(struct diagram_space *space, diagram a);

/* The node, found or made. @variable stands above those of both branches. DIAGRAM_FALSE if it
 * cannot be made. */
diagram space_node(struct diagram_space *space, unsigned variable, diagram low, diagram high);

/* The same for any order of variables: @variable ? @high : @low. */
diagram space_branch(struct diagram_space *space, unsigned variable, diagram low, diagram high);

/* The same for a bit of a table: a variable, which is in range, or DIAGRAM_BIT_*. */
diagram space_bit(struct diagram_space *space, unsigned bit, diagram function, diagram low,
		  diagram high);

/* diagram_range() for such bits; @functions as in struct diagram_table. */
diagram space_range(struct diagram_space *space, const unsigned *bits, const diagram *functions,
		    unsigned width, const uint8_t *low, const uint8_t *high);

/* Begin a walk; its visits are remembered until the next one begins. */
static inline void space_walk(struct diagram_space *space)
{
	space->visit_count = 0;
}

/* What was remembered in this walk, or NULL. A node says where its visit would be, and that visit
 * says whether it is its own: so that beginning a walk does not touch all nodes. */
static inline struct visit *space_visited(const struct diagram_space *space, diagram a)
{
	uint32_t at = space->nodes[a].visit;

	return at < space->visit_count && space->visits[at].node == a ? &space->visits[at] : NULL;
}

/* Remember; a failure if memory is short. */
void space_visit(struct diagram_space *space, struct visit visit);

static inline unsigned space_top(const struct diagram_space *space, diagram a)
{
	return space->nodes[a].variable;
}

/* Spread keys evenly; the upper bits are the good ones. */
static inline uint64_t space_hash(uint32_t a, uint32_t b, uint32_t c)
{
	uint64_t hash = ((uint64_t)a << 32 | b) * 0x9e3779b97f4a7c15ull;

	return (hash ^ hash >> 32 ^ c) * 0xd6e8feb86659fd93ull;
}

/* Where the answer to a question has its place. */
static inline struct answer *space_answer(const struct diagram_space *space, diagram a, diagram b,
					  diagram c)
{
	return &space->answers[space_hash(a, b, c) >> (64 - space->answer_bits)];
}

/* More places for answers, if there may be more. */
void space_grow_answers(struct diagram_space *space);

/* Bit @i of @bytes, from the most significant. */
static inline bool space_bit_of(const uint8_t *bytes, unsigned i)
{
	return bytes[i / 8] >> (7 - i % 8) & 1;
}

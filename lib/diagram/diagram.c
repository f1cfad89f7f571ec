/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The store: every node is there once, so that equal functions have equal numbers. */
#include "diagram.h"

#include <string.h>

#include "space.h"

#define FIRST_BITS      10 /* of the first node store, hash table and answers */
#define PLACE_BITS_FEW  21 /* 8 MiB */
#define ANSWER_BITS_MAX 21 /* 32 MiB */

struct diagram_space *diagram_space_free(struct diagram_space *space)
{
	if (!space)
		return NULL;
	free(space->nodes);
	free(space->places);
	free(space->answers);
	free(space->visits);
	free(space);
	return NULL;
}

struct diagram_space *diagram_space_new(size_t nodes_max)
{
	struct diagram_space *space;

	if (nodes_max == 0)
		return NULL;
	space = calloc(1, sizeof(*space));
	if (!space)
		return NULL;
	space->count_max = nodes_max < SPACE_NODES_MAX - 2 ? nodes_max + 2 : SPACE_NODES_MAX;
	space->room = (size_t)1 << FIRST_BITS;
	space->place_bits = FIRST_BITS;
	space->answer_bits = FIRST_BITS;
	space->nodes = calloc(space->room, sizeof(*space->nodes));
	space->places = calloc((size_t)1 << FIRST_BITS, sizeof(*space->places));
	space->answers = calloc((size_t)1 << FIRST_BITS, sizeof(*space->answers));
	if (!space->nodes || !space->places || !space->answers)
		return diagram_space_free(space);
	for (diagram a = DIAGRAM_FALSE; a <= DIAGRAM_TRUE; a++)
		space->nodes[a] = (struct node){.variable = DIAGRAM_VARIABLES, .low = a, .high = a};
	space->count = 2;
	return space;
}

int diagram_error(const struct diagram_space *space)
{
	return space->error;
}

size_t diagram_nodes(const struct diagram_space *space)
{
	return space->count - 2;
}

void space_fail(struct diagram_space *space, int error)
{
	if (space->error == 0)
		space->error = error;
}

bool space_has(struct diagram_space *space, diagram a)
{
	if (a >= space->count)
		space_fail(space, -EINVAL);
	return space->error == 0;
}

static uint64_t hash_of(const struct node *node)
{
	return space_hash(node->low, node->high, node->variable);
}

static size_t place_of(const struct diagram_space *space, uint64_t hash)
{
	return (size_t)(hash >> (64 - space->place_bits));
}

/* The part of a hash that stands above a number. Its own place is not told by the same bits. */
static uint32_t mark_of(const struct diagram_space *space, uint64_t hash)
{
	return (uint32_t)(hash >> 8) & ~(uint32_t)(((uint64_t)1 << (space->place_bits - 1)) - 1);
}

static void grow_places(struct diagram_space *space)
{
	/* Four times as many while that is little, since all nodes move each time. */
	unsigned bits = space->place_bits + (space->place_bits < PLACE_BITS_FEW ? 2 : 1);
	size_t size = (size_t)1 << bits;
	uint32_t *places = calloc(size, sizeof(*places));

	if (!places) {
		space_fail(space, -ENOMEM);
		return;
	}
	free(space->places);
	space->places = places;
	space->place_bits = bits;
	for (size_t i = 2; i < space->count; i++) {
		uint64_t hash = hash_of(&space->nodes[i]);
		size_t at = place_of(space, hash);

		while (places[at] != 0)
			at = (at + 1) & (size - 1);
		places[at] = mark_of(space, hash) | (uint32_t)i;
	}
}

/* Without memory for more the old ones stay: that is slower, but right. */
void space_grow_answers(struct diagram_space *space)
{
	struct answer *old = space->answers, *answers;
	size_t size = (size_t)1 << space->answer_bits;

	space->answer_count = 0;
	if (space->answer_bits >= ANSWER_BITS_MAX)
		return;
	answers = calloc(size * 2, sizeof(*answers));
	if (!answers)
		return;
	space->answers = answers;
	space->answer_bits++;
	for (size_t i = 0; i < size; i++)
		if (old[i].a != DIAGRAM_FALSE)
			*space_answer(space, old[i].a, old[i].b, old[i].c) = old[i];
	free(old);
}

static bool grow_nodes(struct diagram_space *space)
{
	size_t room = space->room * 2 < space->count_max ? space->room * 2 : space->count_max;
	struct node *nodes = reallocarray(space->nodes, room, sizeof(*nodes));

	if (!nodes) {
		space_fail(space, -ENOMEM);
		return false;
	}
	space->nodes = nodes;
	space->room = room;
	return true;
}

diagram space_node(struct diagram_space *space, unsigned variable, diagram low, diagram high)
{
	const struct node wanted = {.variable = variable, .low = low, .high = high};
	uint64_t hash = hash_of(&wanted);
	uint32_t mark = mark_of(space, hash);
	size_t mask = ((size_t)1 << space->place_bits) - 1, at = place_of(space, hash);
	diagram made;

	if (low == high)
		return low;
	for (; space->places[at] != 0; at = (at + 1) & mask) {
		uint32_t number = space->places[at] ^ mark;
		const struct node *node = &space->nodes[number];

		if (number <= mask / 2 && node->low == low && node->high == high &&
		    node->variable == variable)
			return number;
	}
	if (space->count >= space->count_max)
		space_fail(space, -E2BIG);
	if (space->error < 0 || (space->count == space->room && !grow_nodes(space)))
		return DIAGRAM_FALSE;
	made = (diagram)space->count++;
	space->nodes[made] = wanted;
	space->places[at] = mark | made;
	if (space->count * 2 > mask)
		grow_places(space);
	return made;
}

void space_visit(struct diagram_space *space, struct visit visit)
{
	if (space->visit_count == space->visit_room) {
		size_t room = space->visit_room ? space->visit_room * 2 : 64;
		struct visit *visits = reallocarray(space->visits, room, sizeof(*visits));

		if (!visits) {
			space_fail(space, -ENOMEM);
			return;
		}
		space->visits = visits;
		space->visit_room = room;
	}
	space->nodes[visit.node].visit = (uint32_t)space->visit_count;
	space->visits[space->visit_count++] = visit;
}

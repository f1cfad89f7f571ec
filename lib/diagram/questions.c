/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is asked about a function. Recursion is as deep as there are variables at most. */
#include "space.h"

static bool value_at(const uint64_t *values, unsigned variable)
{
	return values[variable / 64] >> (variable % 64) & 1;
}

bool diagram_at(const struct diagram_space *space, diagram a, const uint64_t *values)
{
	if (space->error < 0 || a >= space->count)
		return false;
	while (a > DIAGRAM_TRUE) {
		const struct node *node = &space->nodes[a];

		a = value_at(values, node->variable) ? node->high : node->low;
	}
	return a == DIAGRAM_TRUE;
}

bool diagram_find(const struct diagram_space *space, diagram a, uint64_t *values,
		  uint64_t *ret_asked)
{
	for (size_t i = 0; ret_asked && i < DIAGRAM_VARIABLES / 64; i++)
		ret_asked[i] = 0;
	if (space->error < 0 || a >= space->count)
		return false;
	/* Every node leads to true: were it false everywhere, it would be DIAGRAM_FALSE. */
	while (a > DIAGRAM_TRUE) {
		const struct node *node = &space->nodes[a];
		uint64_t bit = (uint64_t)1 << (node->variable % 64);
		bool value = value_at(values, node->variable);

		if ((value ? node->high : node->low) == DIAGRAM_FALSE) {
			value = !value;
			values[node->variable / 64] ^= bit;
		}
		if (ret_asked)
			ret_asked[node->variable / 64] |= bit;
		a = value ? node->high : node->low;
	}
	return a == DIAGRAM_TRUE;
}

static double ways(struct diagram_space *space, diagram a)
{
	const struct visit *visit = space_visited(space, a);
	double sum;

	if (a <= DIAGRAM_TRUE)
		return a == DIAGRAM_TRUE;
	if (visit)
		return visit->ways;
	if (space->error < 0)
		return 0;
	sum = ways(space, space->nodes[a].low) + ways(space, space->nodes[a].high);
	space_visit(space, (struct visit){.node = a, .ways = sum});
	return sum;
}

double diagram_ways(struct diagram_space *space, diagram a)
{
	double sum;

	if (!space_has(space, a))
		return 0;
	space_walk(space);
	sum = ways(space, a);
	return space->error < 0 ? 0 : sum;
}

size_t diagram_size(struct diagram_space *space, diagram a)
{
	if (!space_has(space, a))
		return 0;
	space_walk(space);
	ways(space, a);
	return space->error < 0 ? 0 : space->visit_count;
}

unsigned diagram_top(const struct diagram_space *space, diagram a)
{
	return a < space->count ? space->nodes[a].variable : DIAGRAM_VARIABLES;
}

diagram diagram_low(const struct diagram_space *space, diagram a)
{
	return a < space->count ? space->nodes[a].low : DIAGRAM_FALSE;
}

diagram diagram_high(const struct diagram_space *space, diagram a)
{
	return a < space->count ? space->nodes[a].high : DIAGRAM_FALSE;
}

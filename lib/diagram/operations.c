/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * New functions out of old ones. Every step of a recursion goes down by a variable at least, so
 * that none is deeper than DIAGRAM_VARIABLES; frames are kept small for that (less than 1 MiB in
 * all).
 */
#include "space.h"

static bool recall(const struct diagram_space *space, diagram a, diagram b, diagram c,
		   diagram *ret_result)
{
	const struct answer *answer = space_answer(space, a, b, c);

	if (answer->a != a || answer->b != b || answer->c != c)
		return false;
	*ret_result = answer->result;
	return true;
}

static diagram remember(struct diagram_space *space, diagram a, diagram b, diagram c,
			diagram result)
{
	if (++space->answer_count >> space->answer_bits)
		space_grow_answers(space);
	*space_answer(space, a, b, c) = (struct answer){.a = a, .b = b, .c = c, .result = result};
	return result;
}

/* After a failure a result may be anything, so it is none. */
static diagram believed(const struct diagram_space *space, diagram result)
{
	return space->error < 0 ? DIAGRAM_FALSE : result;
}

/* What @a is where @variable, which is its uppermost one or stands above, has the value. */
static diagram low_at(const struct diagram_space *space, diagram a, unsigned variable)
{
	return space->nodes[a].variable == variable ? space->nodes[a].low : a;
}

static diagram high_at(const struct diagram_space *space, diagram a, unsigned variable)
{
	return space->nodes[a].variable == variable ? space->nodes[a].high : a;
}

static unsigned upper(const struct diagram_space *space, diagram a, diagram b)
{
	unsigned top_a = space_top(space, a), top_b = space_top(space, b);

	return top_a < top_b ? top_a : top_b;
}

diagram diagram_variable(struct diagram_space *space, unsigned number)
{
	if (number >= DIAGRAM_VARIABLES)
		space_fail(space, -EINVAL);
	if (space->error < 0)
		return DIAGRAM_FALSE;
	return believed(space, space_node(space, number, DIAGRAM_FALSE, DIAGRAM_TRUE));
}

/* Answers that need no look at any node. Unless it is OPERATION_MINUS, @a <= @b. */
static bool is_plain(uint32_t operation, diagram a, diagram b, diagram *ret_result)
{
	if (a == b)
		*ret_result =
		    operation == OPERATION_AND || operation == OPERATION_OR ? a : DIAGRAM_FALSE;
	else if (a == DIAGRAM_FALSE)
		*ret_result =
		    operation == OPERATION_OR || operation == OPERATION_XOR ? b : DIAGRAM_FALSE;
	else if (a == DIAGRAM_TRUE && operation == OPERATION_AND)
		*ret_result = b;
	else if (a == DIAGRAM_TRUE && operation == OPERATION_OR)
		*ret_result = DIAGRAM_TRUE;
	else if (operation == OPERATION_MINUS && b <= DIAGRAM_TRUE)
		*ret_result = b == DIAGRAM_TRUE ? DIAGRAM_FALSE : a;
	else
		return false;
	return true;
}

static diagram apply(struct diagram_space *space, uint32_t operation, diagram a, diagram b)
{
	diagram result, low, high;
	unsigned variable;

	if (operation != OPERATION_MINUS && a > b) {
		result = a;
		a = b;
		b = result;
	}
	if (is_plain(operation, a, b, &result))
		return result;
	if (a == DIAGRAM_TRUE)
		operation = OPERATION_XOR; /* "not b" under one name only */
	if (recall(space, a, b, operation, &result))
		return result;
	if (space->error < 0)
		return DIAGRAM_FALSE;
	variable = upper(space, a, b);
	low = apply(space, operation, low_at(space, a, variable), low_at(space, b, variable));
	high = apply(space, operation, high_at(space, a, variable), high_at(space, b, variable));
	return remember(space, a, b, operation, space_node(space, variable, low, high));
}

static diagram operate(struct diagram_space *space, uint32_t operation, diagram a, diagram b)
{
	if (!space_has(space, a) || !space_has(space, b))
		return DIAGRAM_FALSE;
	return believed(space, apply(space, operation, a, b));
}

diagram diagram_not(struct diagram_space *space, diagram a)
{
	return operate(space, OPERATION_XOR, DIAGRAM_TRUE, a);
}

diagram diagram_and(struct diagram_space *space, diagram a, diagram b)
{
	return operate(space, OPERATION_AND, a, b);
}

diagram diagram_or(struct diagram_space *space, diagram a, diagram b)
{
	return operate(space, OPERATION_OR, a, b);
}

diagram diagram_xor(struct diagram_space *space, diagram a, diagram b)
{
	return operate(space, OPERATION_XOR, a, b);
}

diagram diagram_minus(struct diagram_space *space, diagram a, diagram b)
{
	return operate(space, OPERATION_MINUS, a, b);
}

static diagram choose(struct diagram_space *space, diagram a, diagram b, diagram c)
{
	diagram result, low, high;
	unsigned variable;

	if (b == a)
		b = DIAGRAM_TRUE;
	if (c == a)
		c = DIAGRAM_FALSE;
	if (a == DIAGRAM_TRUE || b == c)
		return b;
	if (a == DIAGRAM_FALSE)
		return c;
	if (b == DIAGRAM_TRUE)
		return apply(space, OPERATION_OR, a, c);
	if (b == DIAGRAM_FALSE)
		return apply(space, OPERATION_MINUS, c, a);
	if (c == DIAGRAM_FALSE)
		return apply(space, OPERATION_AND, a, b);
	if (recall(space, a, b, c, &result))
		return result;
	if (space->error < 0)
		return DIAGRAM_FALSE;
	variable = upper(space, a, b);
	if (space_top(space, c) < variable)
		variable = space_top(space, c);
	low = choose(space, low_at(space, a, variable), low_at(space, b, variable),
		     low_at(space, c, variable));
	high = choose(space, high_at(space, a, variable), high_at(space, b, variable),
		      high_at(space, c, variable));
	return remember(space, a, b, c, space_node(space, variable, low, high));
}

diagram diagram_choose(struct diagram_space *space, diagram a, diagram b, diagram c)
{
	if (!space_has(space, a) || !space_has(space, b) || !space_has(space, c))
		return DIAGRAM_FALSE;
	return believed(space, choose(space, a, b, c));
}

diagram space_branch(struct diagram_space *space, unsigned variable, diagram low, diagram high)
{
	if (variable < upper(space, low, high))
		return space_node(space, variable, low, high);
	return diagram_choose(space, diagram_variable(space, variable), high, low);
}

diagram space_bit(struct diagram_space *space, unsigned bit, diagram function, diagram low,
		  diagram high)
{
	if (bit == DIAGRAM_BIT_0)
		return low;
	if (bit == DIAGRAM_BIT_1)
		return high;
	if (bit == DIAGRAM_BIT_FUNCTION)
		return diagram_choose(space, function, high, low);
	return space_branch(space, bit, low, high);
}

/* @range is both ends of it, as one number. */
static diagram exists(struct diagram_space *space, diagram a, uint32_t range)
{
	unsigned variable = space_top(space, a);
	diagram result, low, high;

	if (variable > (range & (DIAGRAM_VARIABLES - 1)))
		return a;
	if (recall(space, a, range, OPERATION_EXISTS, &result))
		return result;
	if (space->error < 0)
		return DIAGRAM_FALSE;
	low = exists(space, space->nodes[a].low, range);
	high = exists(space, space->nodes[a].high, range);
	result = variable < range / DIAGRAM_VARIABLES ? space_node(space, variable, low, high)
						      : apply(space, OPERATION_OR, low, high);
	return remember(space, a, range, OPERATION_EXISTS, result);
}

diagram diagram_exists(struct diagram_space *space, diagram a, unsigned first, unsigned last)
{
	if (first > last || last >= DIAGRAM_VARIABLES)
		space_fail(space, -EINVAL);
	if (!space_has(space, a))
		return DIAGRAM_FALSE;
	return believed(space, exists(space, a, first * DIAGRAM_VARIABLES + last));
}

struct renaming {
	unsigned from, to, count;
};

static diagram rename_walk(struct diagram_space *space, diagram a, const struct renaming *renaming)
{
	const struct visit *visit = space_visited(space, a);
	unsigned variable = space_top(space, a);
	diagram result, low, high;

	if (a <= DIAGRAM_TRUE || space->error < 0)
		return a;
	if (visit)
		return visit->result;
	low = rename_walk(space, space->nodes[a].low, renaming);
	high = rename_walk(space, space->nodes[a].high, renaming);
	if (variable >= renaming->from && variable - renaming->from < renaming->count)
		variable = variable - renaming->from + renaming->to;
	result = space_branch(space, variable, low, high);
	space_visit(space, (struct visit){.node = a, .result = result});
	return result;
}

diagram diagram_rename(struct diagram_space *space, diagram a, unsigned from, unsigned to,
		       unsigned count)
{
	struct renaming renaming = {.from = from, .to = to, .count = count};

	if (count > DIAGRAM_VARIABLES || from > DIAGRAM_VARIABLES - count ||
	    to > DIAGRAM_VARIABLES - count)
		space_fail(space, -EINVAL);
	if (!space_has(space, a))
		return DIAGRAM_FALSE;
	space_walk(space);
	return believed(space, rename_walk(space, a, &renaming));
}

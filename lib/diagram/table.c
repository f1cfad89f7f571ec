/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Tables, one value at a time: the rows are cut to pieces, which are sorted into those that want
 * the next bit to be 0, those that want it to be 1 and those that do not care. So each piece is in
 * one heap only, and the work is that of its bits; nodes are made from the last bit up.
 */
#include <string.h>

#include "pieces.h"
#include "space.h"

static diagram bit_of(struct diagram_space *space, const struct pieces *pieces, unsigned level,
		      diagram low, diagram high)
{
	const struct level *bit = &pieces->levels[level];

	return space_bit(space, bit->bit, bit->function, low, high);
}

/* One piece, from @level on. */
static diagram build_one(struct diagram_space *space, const struct pieces *pieces, uint32_t piece,
			 unsigned level)
{
	diagram made = DIAGRAM_TRUE;

	for (unsigned i = piece_end(pieces, piece); i-- > level;) {
		if (!piece_is_fixed(pieces, piece, i))
			continue;
		made = piece_value(pieces, piece, i)
			   ? bit_of(space, pieces, i, DIAGRAM_FALSE, made)
			   : bit_of(space, pieces, i, made, DIAGRAM_FALSE);
	}
	return made;
}

static void swap(uint32_t *list, size_t i, size_t j)
{
	uint32_t piece = list[i];

	list[i] = list[j];
	list[j] = piece;
}

/* "The bits from @level on are those of one of these pieces." Sorts the list. Recursion is as deep
 * as the key has bits. */
static diagram build(struct diagram_space *space, const struct pieces *pieces, uint32_t *list,
		     size_t count, unsigned level)
{
	size_t zeros = 0, ones = count;
	diagram low, high, any;

	if (count == 0 || space->error < 0)
		return DIAGRAM_FALSE;
	if (count == 1)
		return build_one(space, pieces, list[0], level);
	for (size_t i = 0; i < ones;) {
		if (piece_end(pieces, list[i]) <= level)
			return DIAGRAM_TRUE;
		if (!piece_is_fixed(pieces, list[i], level))
			i++;
		else if (piece_value(pieces, list[i], level))
			swap(list, i, --ones);
		else
			swap(list, i++, zeros++);
	}
	low = build(space, pieces, list, zeros, level + 1);
	high = build(space, pieces, list + ones, count - ones, level + 1);
	any = build(space, pieces, list + zeros, ones - zeros, level + 1);
	return diagram_or(space, bit_of(space, pieces, level, low, high), any);
}

/* A row that makes too many pieces: every part for itself. */
static diagram build_box(struct diagram_space *space, const struct pieces *pieces,
			 const struct diagram_row *row)
{
	const struct diagram_table *table = pieces->table;
	diagram made = DIAGRAM_TRUE;
	size_t first = 0;

	for (size_t i = 0; i < table->part_count; i++) {
		const diagram *functions = table->functions ? table->functions + first * 8 : NULL;

		made = diagram_and(space, made,
				   space_range(space, table->bits + first * 8, functions,
					       table->part_bytes[i] * 8, row->low + first,
					       row->high + first));
		first += table->part_bytes[i];
	}
	return made;
}

/* All of some functions, two by two, so that no large one is gone through for every small one. */
static diagram unite(struct diagram_space *space, diagram *functions, size_t count)
{
	if (count == 0)
		return DIAGRAM_FALSE;
	for (; count > 1; count = (count + 1) / 2) {
		for (size_t i = 0; i < count / 2; i++)
			functions[i] = diagram_or(space, functions[2 * i], functions[2 * i + 1]);
		if (count % 2)
			functions[count / 2] = functions[count - 1];
	}
	return functions[0];
}

/* The function of the rows @order[0] ... @order[count - 1]. */
static int build_rows(struct diagram_space *space, struct pieces *pieces, const uint32_t *order,
		      size_t count, diagram *ret_function)
{
	AUTO_FREE diagram *boxes = NULL;
	AUTO_FREE uint32_t *list = NULL;
	size_t box_count = 0;

	pieces_clear(pieces);
	boxes = calloc(count + 1, sizeof(*boxes));
	if (!boxes)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		const struct diagram_row *row = &pieces->table->rows[order[i]];
		int r = pieces_add(pieces, row);

		if (r == -E2BIG)
			boxes[box_count++] = build_box(space, pieces, row);
		else if (r < 0)
			return r;
	}
	list = calloc(pieces->count + 1, sizeof(*list));
	if (!list)
		return -ENOMEM;
	for (size_t i = 0; i < pieces->count; i++)
		list[i] = (uint32_t)i;
	boxes[box_count] = build(space, pieces, list, pieces->count, 0);
	*ret_function = unite(space, boxes, box_count + 1);
	return space->error;
}

/* The rows' numbers, ordered by their values; those of value v begin at @ret_starts[v]. */
static int order_rows(const struct diagram_table *table, size_t value_count, size_t *starts,
		      uint32_t *ret_order)
{
	size_t sum = 0;

	for (size_t i = 0; i < table->row_count; i++) {
		if (table->rows[i].value >= value_count)
			return -EINVAL;
		starts[table->rows[i].value]++;
	}
	for (size_t v = 0; v <= value_count; v++) {
		size_t count = starts[v];

		starts[v] = sum;
		sum += count;
	}
	for (size_t i = 0; i < table->row_count; i++)
		ret_order[starts[table->rows[i].value]++] = (uint32_t)i;
	for (size_t v = value_count; v > 0; v--)
		starts[v] = starts[v - 1];
	starts[0] = 0;
	return 0;
}

/* 0 if no two functions are true at once, or -EEXIST. Two by two, as unite(); @functions is used
 * up. */
static int check_apart(struct diagram_space *space, diagram *functions, size_t count)
{
	for (; count > 1; count = (count + 1) / 2) {
		for (size_t i = 0; i < count / 2; i++) {
			diagram a = functions[2 * i], b = functions[2 * i + 1];

			if (diagram_and(space, a, b) != DIAGRAM_FALSE)
				return -EEXIST;
			if (count > 2)
				functions[i] = diagram_or(space, a, b);
		}
		if (count % 2)
			functions[count / 2] = functions[count - 1];
	}
	return space->error;
}

static int build_table(struct diagram_space *space, const struct diagram_table *table,
		       size_t value_count, diagram *values)
{
	CLEANUP(pieces_freep) struct pieces *pieces = calloc(1, sizeof(*pieces));
	AUTO_FREE size_t *starts = calloc(value_count + 1, sizeof(*starts));
	AUTO_FREE uint32_t *order = calloc(table->row_count + 1, sizeof(*order));
	AUTO_FREE diagram *copy = calloc(value_count + 1, sizeof(*copy));
	int r;

	if (!pieces || !starts || !order || !copy)
		return -ENOMEM;
	r = pieces_begin(pieces, space, table);
	if (r < 0)
		return r;
	r = order_rows(table, value_count, starts, order);
	for (size_t v = 0; r == 0 && v < value_count; v++)
		r = build_rows(space, pieces, order + starts[v], starts[v + 1] - starts[v],
			       &values[v]);
	if (r < 0)
		return r;
	if (value_count > 0)
		memcpy(copy, values, value_count * sizeof(*copy));
	return check_apart(space, copy, value_count);
}

int diagram_table(struct diagram_space *space, const struct diagram_table *table,
		  size_t value_count, diagram *ret_values)
{
	int r = space->error;

	for (size_t v = 0; v < value_count; v++)
		ret_values[v] = DIAGRAM_FALSE;
	if (r == 0 && table->row_count >= UINT32_MAX)
		r = -EINVAL;
	if (r == 0)
		r = build_table(space, table, value_count, ret_values);
	if (r == 0)
		return 0;
	for (size_t v = 0; v < value_count; v++)
		ret_values[v] = DIAGRAM_FALSE;
	if (r != -EEXIST)
		space_fail(space, r);
	return r;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Random tables and ranges against looking at every row for every value of the variables: bits in
 * any order, known, said twice or functions of others, rows that overlap, and values that collide.
 * LETHE_SEED repeats a run.
 */
#include "test_support.h"

#include <string.h>

#define ROUNDS   700
#define KEY_MAX  3 /* bytes */
#define ROWS_MAX 24
#define VALUES   4

struct sample {
	struct diagram_space *space;
	unsigned part_bytes[KEY_MAX], bits[KEY_MAX * 8];
	size_t part_count, key_len, row_count;
	diagram functions[KEY_MAX * 8];
	struct truth truths[KEY_MAX * 8];   /* of each bit of the key */
	uint8_t keys[TEST_POINTS][KEY_MAX]; /* what the variables make it */
	uint8_t low[ROWS_MAX][KEY_MAX], high[ROWS_MAX][KEY_MAX];
	struct diagram_row rows[ROWS_MAX];
};

/* What stands in one bit of the key: the variable @v, or something else if there are none left. */
static void random_bit(struct sample *c, size_t bit, unsigned v, bool simple)
{
	uint32_t kind = simple ? 0 : draw(4);

	if (v >= TEST_VARIABLES && simple)
		kind = 1 + draw(2);
	if (kind == 0 && v >= TEST_VARIABLES)
		v = draw(TEST_VARIABLES);
	c->functions[bit] = 0x7fffffff; /* not to be looked at */
	for (uint32_t i = 0; i < TEST_POINTS; i++)
		c->truths[bit].at[i] = kind == 0 ? (i >> v & 1) != 0 : kind == 2;
	if (kind == 0) {
		c->bits[bit] = test_place[v];
	} else if (kind < 3) {
		c->bits[bit] = kind == 1 ? DIAGRAM_BIT_0 : DIAGRAM_BIT_1;
	} else {
		c->truths[bit] = test_random_truth();
		c->bits[bit] = DIAGRAM_BIT_FUNCTION;
		c->functions[bit] = test_diagram(c->space, &c->truths[bit]);
	}
}

static void random_key(struct sample *c)
{
	unsigned order[KEY_MAX * 8];
	bool simple = one_in(2);
	size_t bits;

	c->part_count = 1 + draw(KEY_MAX);
	for (size_t i = 0; i < c->part_count; i++) {
		c->part_bytes[i] = 1 + draw((uint32_t)(KEY_MAX + 1 - c->part_count));
		if (c->key_len + c->part_bytes[i] > KEY_MAX)
			c->part_bytes[i] = 0;
		c->key_len += c->part_bytes[i];
	}
	bits = c->key_len * 8;
	for (unsigned i = 0; i < bits; i++)
		order[i] = i;
	for (size_t i = bits; one_in(2) && i > 1; i--) {
		size_t j = draw((uint32_t)i);
		unsigned moved = order[j];

		order[j] = order[i - 1];
		order[i - 1] = moved;
	}
	for (size_t i = 0; i < bits; i++)
		random_bit(c, i, order[i], simple);
	for (uint32_t point = 0; point < TEST_POINTS; point++)
		for (size_t i = 0; i < bits; i++)
			if (c->truths[i].at[point])
				c->keys[point][i / 8] |= (uint8_t)(0x80 >> i % 8);
}

/* One part of a row. @low and @high hold a key that can be. */
static void random_box(uint8_t *low, uint8_t *high, unsigned len)
{
	uint32_t kind = draw(12), free = draw(len * 8 + 1);

	for (unsigned i = 0; i < len; i++) {
		unsigned kept = (i + 1) * 8 <= len * 8 - free ? 8
				: i * 8 >= len * 8 - free     ? 0
							      : (len * 8 - free) % 8;
		uint8_t mask = (uint8_t)(0xff00u >> kept);

		if (kind >= 4 && kind < 8) { /* a prefix */
			low[i] &= mask;
			high[i] |= (uint8_t)~mask;
		} else if (kind == 8) { /* all but the ends: as many pieces as can be */
			low[i] = i == len - 1;
			high[i] = i == len - 1 ? 0xfe : 0xff;
		} else if (kind == 9) { /* often none */
			low[i] = (uint8_t)draw(256);
			high[i] = (uint8_t)draw(256);
		} else if (kind == 10) {
			low[i] = 0;
		} else if (kind == 11) {
			high[i] = 0xff;
		}
	}
}

static void random_rows(struct sample *c, uint32_t kinds)
{
	c->row_count = draw(ROWS_MAX + 1);
	for (size_t i = 0; i < c->row_count; i++) {
		size_t at = 0;

		memcpy(c->low[i], c->keys[draw(TEST_POINTS)], KEY_MAX);
		memcpy(c->high[i], c->low[i], KEY_MAX);
		for (size_t part = 0; part < c->part_count; part++) {
			if (!one_in(3))
				random_box(c->low[i] + at, c->high[i] + at, c->part_bytes[part]);
			at += c->part_bytes[part];
		}
		c->rows[i] = (struct diagram_row){c->low[i], c->high[i], draw(kinds)};
	}
}

static bool holds(const struct sample *c, size_t row, const uint8_t *key)
{
	size_t at = 0;

	for (size_t part = 0; part < c->part_count; at += c->part_bytes[part++])
		if (memcmp(key + at, c->low[row] + at, c->part_bytes[part]) < 0 ||
		    memcmp(key + at, c->high[row] + at, c->part_bytes[part]) > 0)
			return false;
	return true;
}

/* Returns 0 or -EEXIST. */
static int look_everywhere(const struct sample *c, struct truth *truths)
{
	int result = 0;

	memset(truths, 0, VALUES * sizeof(*truths));
	for (uint32_t point = 0; point < TEST_POINTS; point++) {
		unsigned sum = 0;

		for (size_t i = 0; i < c->row_count; i++)
			if (holds(c, i, c->keys[point]))
				truths[c->rows[i].value].at[point] = 1;
		for (size_t v = 0; v < VALUES; v++)
			sum += truths[v].at[point];
		if (sum > 1)
			result = -EEXIST;
	}
	return result;
}

/* How many of the tables collided. */
static unsigned run_tables(unsigned rounds, uint32_t kinds)
{
	unsigned collisions = 0;

	for (unsigned round = 0; round < rounds; round++) {
		struct sample *c = calloc(1, sizeof(*c));
		struct truth truths[VALUES];
		diagram values[VALUES];
		struct diagram_table table;
		int wanted;

		assert_non_null(c);
		c->space = diagram_space_new(1u << 22);
		assert_non_null(c->space);
		random_key(c);
		random_rows(c, kinds);
		table = (struct diagram_table){c->rows,       c->row_count, c->part_bytes,
					       c->part_count, c->bits,      c->functions};
		wanted = look_everywhere(c, truths);
		assert_int_equal(diagram_table(c->space, &table, VALUES, values), wanted);
		assert_int_equal(diagram_error(c->space), 0);
		for (size_t v = 0; v < VALUES; v++)
			assert_int_equal(values[v], wanted < 0
							? DIAGRAM_FALSE
							: test_diagram(c->space, &truths[v]));
		collisions += wanted < 0;
		diagram_space_free(c->space);
		free(c);
	}
	return collisions;
}

static void test_one_value(void **state)
{
	test_seed();
	assert_int_equal(run_tables(ROUNDS, 1), 0);
}

static void test_many_values(void **state)
{
	unsigned collisions;

	test_seed();
	collisions = run_tables(ROUNDS, VALUES);
	assert_in_range(collisions, ROUNDS / 20, ROUNDS - ROUNDS / 20);
}

/* Three ports that exclude both ends make more pieces than a row may: every part for itself then.
 */
static void test_many_pieces(void **state)
{
	static const uint8_t low[3][6] = {{0, 1, 0, 1, 0, 1}, {0, 0, 0, 0, 0, 0}, {0, 0, 0, 3}};
	static const uint8_t high[3][6] = {
	    {255, 254, 255, 254, 255, 254}, {0, 0, 0, 0, 0, 0}, {255, 252, 255, 253, 255, 251}};
	const struct diagram_row rows[] = {
	    {low[0], high[0], 0}, {low[1], high[1], 0}, {low[2], high[2], 0}};
	const unsigned parts[] = {2, 2, 2};
	struct diagram_space *space = diagram_space_new(100000);
	unsigned bits[48];
	diagram value, wanted = DIAGRAM_FALSE;

	assert_non_null(space);
	for (unsigned i = 0; i < 48; i++)
		bits[i] = 3 * i;
	for (size_t count = 1; count <= ARRAY_SIZE(rows); count++) {
		struct diagram_table table = {rows, count, parts, 3, bits, NULL};
		diagram box = DIAGRAM_TRUE;

		for (unsigned i = 0; i < 3; i++)
			box = diagram_and(space, box,
					  diagram_range(space, bits + i * 16, 16,
							low[count - 1] + 2 * i,
							high[count - 1] + 2 * i));
		assert_int_equal(diagram_minus(space, box, wanted) == DIAGRAM_FALSE, false);
		wanted = diagram_or(space, wanted, box);
		assert_int_equal(diagram_table(space, &table, 1, &value), 0);
		assert_int_equal(value, wanted);
	}
	diagram_space_free(space);
}

static void test_small_ranges(void **state)
{
	test_seed();
	for (int round = 0; round < ROUNDS; round++) {
		struct diagram_space *space = diagram_space_new(1u << 20);
		unsigned order[TEST_VARIABLES] = {0}, bits[TEST_VARIABLES];
		unsigned width = 1 + draw(TEST_VARIABLES);
		uint32_t low = draw(1u << width), high = one_in(8) ? low : draw(1u << width);
		uint8_t low_bytes[2], high_bytes[2], high_junk = (uint8_t)draw(256);
		size_t skip = width <= 8;
		struct truth wanted;
		bool mixed = one_in(2);

		for (unsigned i = 0; i < TEST_VARIABLES; i++) {
			unsigned j = mixed ? draw(i + 1) : i;

			order[i] = order[j];
			order[j] = i;
		}
		for (uint32_t point = 0; point < TEST_POINTS; point++) {
			uint32_t number = 0;

			for (unsigned i = 0; i < width; i++)
				number = number << 1 | (point >> order[i] & 1);
			wanted.at[point] = number >= low && number <= high;
		}
		for (unsigned i = 0; i < width; i++)
			bits[i] = test_place[order[i]];
		/* What is left of the number in its first byte does not matter. */
		low |= (uint32_t)high_junk << width;
		low_bytes[0] = (uint8_t)(low >> 8);
		low_bytes[1] = (uint8_t)low;
		high_bytes[0] = (uint8_t)(high >> 8);
		high_bytes[1] = (uint8_t)high;
		assert_int_equal(
		    diagram_range(space, bits, width, low_bytes + skip, high_bytes + skip),
		    test_diagram(space, &wanted));
		assert_int_equal(diagram_error(space), 0);
		diagram_space_free(space);
	}
}

/* Add @by (1 or -1) to a big-endian number; false if that is none. */
static bool step(uint8_t *number, size_t len, int by)
{
	for (size_t i = len; i-- > 0;) {
		number[i] = (uint8_t)(number[i] + by);
		if (number[i] != (by > 0 ? 0 : 0xff))
			return true;
	}
	return false;
}

static bool range_at(const struct diagram_space *space, diagram a, const unsigned *bits,
		     const uint8_t *number, size_t len)
{
	uint64_t values[DIAGRAM_VARIABLES / 64];

	test_point(values, 0);
	for (size_t i = 0; i < len * 8; i++) {
		values[bits[i] / 64] &= ~((uint64_t)1 << (bits[i] % 64));
		values[bits[i] / 64] |= (uint64_t)(number[i / 8] >> (7 - i % 8) & 1)
					<< (bits[i] % 64);
	}
	return diagram_at(space, a, values);
}

/* The widest numbers, at the ends of a range and beside them. */
static void test_wide_ranges(void **state)
{
	test_seed();
	for (int round = 0; round < ROUNDS; round++) {
		struct diagram_space *space = diagram_space_new(1u << 20);
		size_t len = one_in(2) ? 64 : 1 + draw(64);
		uint8_t ends[2][64], number[64];
		unsigned bits[512];
		diagram a;

		for (unsigned i = 0; i < len * 8; i++)
			bits[i] = 8 * i + draw(8);
		for (size_t i = 0; i < len; i++) {
			ends[0][i] = (uint8_t)draw(one_in(3) ? 1 : 256);
			ends[1][i] = one_in(3) ? 0xff : (uint8_t)draw(256);
			if (i < len / 2)
				ends[1][i] = ends[0][i];
		}
		a = diagram_range(space, bits, (unsigned)len * 8, ends[0], ends[1]);
		for (size_t end = 0; end < 2; end++)
			for (int by = -1; by <= 1; by++) {
				memcpy(number, ends[end], len);
				if (by != 0 && !step(number, len, by))
					continue;
				assert_int_equal(range_at(space, a, bits, number, len),
						 memcmp(number, ends[0], len) >= 0 &&
						     memcmp(number, ends[1], len) <= 0);
			}
		diagram_space_free(space);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_one_value),   cmocka_unit_test(test_many_values),
	    cmocka_unit_test(test_many_pieces), cmocka_unit_test(test_small_ranges),
	    cmocka_unit_test(test_wide_ranges),
	};

	return cmocka_run_group_tests_name("diagram tables", tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One value for every way in which a field's questions can be answered.
 *
 * The value is chosen bit by bit, the most significant first. A question that the bits so far have
 * answered is put aside; where no open question reads the next bit, it is 0 without a choice. So
 * there are about as many ways down as there are constants, whatever the field's length.
 */
#include "brute-internal.h"

#include <string.h>

#define LEAVES_MAX ((size_t)1 << 20)

struct search {
	const struct brute_questions *questions;
	size_t len;
	unsigned each;
	struct brute_values *values;
	/* The hash table: for each kind, how many values it has. */
	struct slot {
		uint64_t kind;
		unsigned count;
		bool used;
	} * slots;
	size_t slot_count, kinds, leaves;
	uint32_t *open; /* for each depth, @stride numbers of the questions still open */
	size_t stride;
};

/* A number for each question's "yes", so that their sum tells the answers apart. */
static uint64_t weight(size_t question)
{
	uint64_t z = (question + 1) * 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static bool bit_of(const uint8_t *bytes, unsigned bit)
{
	return bytes[bit / 8] >> (7 - bit % 8) & 1;
}

enum answer { OPEN, NO, YES };

/* With @bits bits of the value given and the rest open. */
static enum answer answer(const struct brute_question *question, size_t len, const uint8_t *value,
			  unsigned bits)
{
	uint8_t least[BRUTE_BYTES_MAX] = {0}, most[BRUTE_BYTES_MAX] = {0};

	for (size_t i = 0; i < len; i++) {
		unsigned given = bits > i * 8 ? bits - (unsigned)i * 8 : 0;
		uint8_t free = given >= 8 ? 0 : (uint8_t)(0xff >> given);
		uint8_t fixed = (uint8_t)((value[i] & question->mask[i]) ^ question->xor [i]);

		free &= question->mask[i];
		least[i] = (uint8_t)(fixed & ~free);
		most[i] = fixed | free;
	}
	if (memcmp(most, question->low, len) < 0 || memcmp(least, question->high, len) > 0)
		return NO;
	if (memcmp(least, question->low, len) >= 0 && memcmp(most, question->high, len) <= 0)
		return YES;
	return OPEN;
}

static int push(struct brute_values *values, const uint8_t *value, uint64_t kind)
{
	if (values->count == values->room) {
		size_t room = values->room ? values->room * 2 : 16;
		void *grown = reallocarray(values->values, room, sizeof(*values->values));

		if (!grown)
			return -ENOMEM;
		values->values = grown;
		grown = reallocarray(values->kinds, room, sizeof(*values->kinds));
		if (!grown)
			return -ENOMEM;
		values->kinds = grown;
		values->room = room;
	}
	memcpy(values->values[values->count], value, BRUTE_BYTES_MAX);
	values->kinds[values->count++] = kind;
	return 0;
}

static int grow_slots(struct search *search)
{
	size_t count = search->slot_count ? search->slot_count * 2 : 64;
	struct slot *slots = calloc(count, sizeof(*slots));

	if (!slots)
		return -ENOMEM;
	for (size_t i = 0; i < search->slot_count; i++) {
		size_t at = search->slots[i].kind & (count - 1);

		if (!search->slots[i].used)
			continue;
		while (slots[at].used)
			at = (at + 1) & (count - 1);
		slots[at] = search->slots[i];
	}
	free(search->slots);
	search->slots = slots;
	search->slot_count = count;
	return 0;
}

static int leaf(struct search *search, const uint8_t *value, uint64_t kind)
{
	struct slot *slot;
	size_t at;

	if (++search->leaves > LEAVES_MAX)
		return -E2BIG;
	if (search->kinds * 2 >= search->slot_count && grow_slots(search) < 0)
		return -ENOMEM;
	at = kind & (search->slot_count - 1);
	while (search->slots[at].used && search->slots[at].kind != kind)
		at = (at + 1) & (search->slot_count - 1);
	slot = &search->slots[at];
	if (!slot->used) {
		*slot = (struct slot){.kind = kind, .used = true};
		search->kinds++;
	}
	return slot->count++ < search->each ? push(search->values, value, kind) : 0;
}

/* The next bit that an open question reads, or all bits. */
static unsigned next_bit(const struct search *search, const uint32_t *open, size_t count,
			 unsigned bit)
{
	for (; bit < search->len * 8; bit++)
		for (size_t i = 0; i < count; i++)
			if (bit_of(search->questions->questions[open[i]].mask, bit))
				return bit;
	return (unsigned)search->len * 8;
}

/* A leaf, and the other value that is farthest from it, if a second one of the kind is wanted. */
static int leaves(struct search *search, uint8_t *value, unsigned bit, uint64_t kind)
{
	uint8_t other[BRUTE_BYTES_MAX];
	int r = leaf(search, value, kind);

	if (r < 0 || search->each < 2 || bit >= search->len * 8)
		return r;
	memcpy(other, value, sizeof(other));
	for (; bit < search->len * 8; bit++)
		other[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
	return leaf(search, other, kind);
}

/* Recursion is as deep as a field has bits: at most 128. */
static int descend(struct search *search, uint8_t *value, unsigned bit, unsigned depth,
		   size_t count, uint64_t kind)
{
	const uint32_t *open = search->open + depth * search->stride;
	unsigned first_free = bit;

	bit = next_bit(search, open, count, bit);
	if (count == 0)
		return leaves(search, value, first_free, kind);
	for (unsigned set = 0; set < 2; set++) {
		uint32_t *still = search->open + (depth + 1) * search->stride;
		uint64_t answered = kind;
		size_t kept = 0;
		int r;

		if (set)
			value[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
		for (size_t i = 0; i < count; i++) {
			enum answer now = answer(&search->questions->questions[open[i]],
						 search->len, value, bit + 1);

			if (now == OPEN)
				still[kept++] = open[i];
			else if (now == YES)
				answered += weight(open[i]);
		}
		r = descend(search, value, bit + 1, depth + 1, kept, answered);
		if (r < 0)
			return r;
	}
	value[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
	return 0;
}

static int start(struct search *search)
{
	uint8_t value[BRUTE_BYTES_MAX] = {0};
	uint64_t kind = 0;
	size_t count = 0;

	for (size_t i = 0; i < search->questions->count; i++) {
		enum answer now = answer(&search->questions->questions[i], search->len, value, 0);

		if (now == OPEN)
			search->open[count++] = (uint32_t)i;
		else if (now == YES)
			kind += weight(i);
	}
	return descend(search, value, 0, 0, count, kind);
}

int brute_cells(const struct brute_questions *questions, size_t len, unsigned each,
		struct brute_values *values)
{
	struct search search = {.questions = questions, .len = len, .each = each, .values = values};
	AUTO_FREE uint32_t *open = NULL;
	int r;

	*values = (struct brute_values){0};
	search.stride = questions->count + 1;
	open = calloc((len * 8 + 1) * search.stride, sizeof(*open));
	if (!open)
		return -ENOMEM;
	search.open = open;
	r = start(&search);
	free(search.slots);
	return r;
}

void brute_values_done(struct brute_values *values)
{
	free(values->values);
	free(values->kinds);
	*values = (struct brute_values){0};
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What rules do with what they have loaded: comparisons, masks, ranges. */
#include "run.h"

#include <linux/netfilter/nf_tables.h>
#include <string.h>

static const char not_loaded[] = "registers are used that the rule has not loaded";

/* The first byte weighs most, as in memcmp(): the comparison begins with the last bit. */
static void against(struct run *run, const diagram *bits, const struct ruleset_value *value,
		    diagram *ret_less, diagram *ret_equal)
{
	struct diagram_space *space = run->space;
	diagram less = DIAGRAM_FALSE, equal = DIAGRAM_TRUE;

	for (size_t i = (size_t)value->len * 8; i-- > 0;) {
		if (value->bytes[i / 8] >> (7 - i % 8) & 1) {
			less = diagram_choose(space, bits[i], less, DIAGRAM_TRUE);
			equal = diagram_and(space, bits[i], equal);
		} else {
			less = diagram_minus(space, less, bits[i]);
			equal = diagram_minus(space, equal, bits[i]);
		}
	}
	*ret_less = less;
	*ret_equal = equal;
}

struct run_step run_compare(struct run *run, const struct ruleset_expression *e, diagram live)
{
	const diagram *bits = run_view(run, e->compare.reg, e->compare.value.len);
	struct diagram_space *space = run->space;
	diagram less, equal;

	if (!bits)
		return run_doubtful(run, live, not_loaded);
	against(run, bits, &e->compare.value, &less, &equal);
	switch (e->compare.operator) {
	case RULESET_EQUAL:
		return run_go(equal);
	case RULESET_NOT_EQUAL:
		return run_go(diagram_not(space, equal));
	case RULESET_LESS:
		return run_go(less);
	case RULESET_LESS_EQUAL:
		return run_go(diagram_or(space, less, equal));
	case RULESET_GREATER:
		return run_go(diagram_not(space, diagram_or(space, less, equal)));
	case RULESET_GREATER_EQUAL:
		return run_go(diagram_not(space, less));
	}
	return run_doubtful(run, live, "an unknown comparison");
}

struct run_step run_range(struct run *run, const struct ruleset_expression *e, diagram live)
{
	const diagram *bits = run_view(run, e->range.reg, e->range.from.len);
	struct diagram_space *space = run->space;
	diagram below, above, less, equal;

	if (e->range.from.len != e->range.to.len)
		return run_doubtful(run, live, "a range whose ends differ in length");
	if (!bits)
		return run_doubtful(run, live, not_loaded);
	against(run, bits, &e->range.from, &below, &equal);
	against(run, bits, &e->range.to, &less, &equal);
	above = diagram_not(space, diagram_or(space, less, equal));
	if (e->range.operator== RULESET_NOT_EQUAL)
		return run_go(diagram_or(space, below, above));
	if (e->range.operator!= RULESET_EQUAL)
		return run_doubtful(run, live, "an unknown comparison");
	return run_go(diagram_not(space, diagram_or(space, below, above)));
}

static bool bit_of(const struct ruleset_value *value, size_t bit)
{
	return value->bytes[bit / 8] >> (7 - bit % 8) & 1;
}

/* Do the registers overlap without being the same? The kernel works word by word, and would read some
 * that it has written; how, kernels differ. */
static bool overlaps(uint8_t source, uint8_t reg, size_t len)
{
	size_t words = (len + 3) / 4;

	return source != reg && source < reg + words && reg < source + words;
}

static const char overlapping[] = "registers that overlap";

struct run_step run_bitwise(struct run *run, const struct ruleset_expression *e, diagram live)
{
	const diagram *source = run_view(run, e->bitwise.source, e->bitwise.len);
	diagram bits[RULESET_DATA_MAX * 8];

	if (!source)
		return run_doubtful(run, live, not_loaded);
	if (overlaps(e->bitwise.source, e->bitwise.reg, e->bitwise.len))
		return run_doubtful(run, live, overlapping);
	if (e->bitwise.mask.len != e->bitwise.len || e->bitwise.xor.len != e->bitwise.len)
		return run_doubtful(run, live, "a mask of another length than its value");
	for (size_t i = 0; i < (size_t)e->bitwise.len * 8; i++) {
		bits[i] = bit_of(&e->bitwise.mask, i) ? source[i] : DIAGRAM_FALSE;
		if (bit_of(&e->bitwise.xor, i))
			bits[i] = diagram_not(run->space, bits[i]);
	}
	if (!run_store(run, e->bitwise.reg, bits, e->bitwise.len))
		return run_doubtful(run, live, "a value does not fit into the registers");
	return run_go(DIAGRAM_TRUE);
}

/* The order in which a register's bits stand in the kernel's number: its words are in host order. */
static size_t word_bit(size_t len, size_t bit)
{
	size_t word = bit / 32, in_word = bit % 32;
	size_t byte = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? 3 - in_word / 8 : in_word / 8;
	size_t at = (word * 4 + byte) * 8 + in_word % 8;

	return at < len * 8 ? at : SIZE_MAX;
}

/* nft_bitwise: words of 32 bits, the first word first, what leaves one word enters its neighbour. */
struct run_step run_shift(struct run *run, const struct ruleset_expression *e, diagram live)
{
	size_t len = e->shift.len, width = len * 8, by = e->shift.bits;
	const diagram *source = run_view(run, e->shift.source, len);
	diagram bits[RULESET_DATA_MAX * 8] = {0};

	if (!source)
		return run_doubtful(run, live, not_loaded);
	/* In place, the bits that enter a word come from one that is shifted already, or not. */
	if (overlaps(e->shift.source, e->shift.reg, len) ||
	    (e->shift.source == e->shift.reg && len > 4))
		return run_doubtful(run, live, overlapping);
	if (len % 4 != 0 || by > 31)
		return run_doubtful(run, live, "a shift of another form than the kernel's");
	for (size_t i = 0; i < width; i++) {
		size_t from = e->shift.left ? i + by : i - by;

		if (from < width) /* what comes from outside is 0; i - by may have wrapped */
			bits[word_bit(len, i)] = source[word_bit(len, from)];
	}
	if (!run_store(run, e->shift.reg, bits, len))
		return run_doubtful(run, live, "a value does not fit into the registers");
	return run_go(DIAGRAM_TRUE);
}

struct run_step run_byteorder(struct run *run, const struct ruleset_expression *e, diagram live)
{
	size_t len = e->byteorder.len, size = e->byteorder.size;
	const diagram *source = run_view(run, e->byteorder.source, len);
	diagram bits[RULESET_DATA_MAX * 8];

	if (!source)
		return run_doubtful(run, live, not_loaded);
	/* One number: of several, kernels differ in which they swap. A short one leaves the other bytes
	 * of another register as they were. */
	if (len != size || (size == 2 && e->byteorder.source != e->byteorder.reg) ||
	    overlaps(e->byteorder.source, e->byteorder.reg, len))
		return run_doubtful(run, live, overlapping);
	if (size != 2 && size != 4 && size != 8)
		return run_doubtful(run, live, "a change of byte order of another form");
	for (size_t i = 0; i < len; i++) {
		size_t from = i / size * size + (size - 1 - i % size);

		if (__BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__)
			from = i;
		memcpy(&bits[i * 8], &source[from * 8], 8 * sizeof(*bits));
	}
	if (!run_store(run, e->byteorder.reg, bits, len))
		return run_doubtful(run, live, "a value does not fit into the registers");
	return run_go(DIAGRAM_TRUE);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Shifts and swapped bytes, with what is certain of them. To the kernel a register is a number in
 * host order, and what is longer is several, the first weighing most.
 */
#include "evaluation.h"

#include <linux/netfilter/nf_tables.h>
#include <string.h>

#define WORD  sizeof(uint32_t)
#define WORDS (RULESET_DATA_MAX / WORD)

static void shift_words(const uint32_t *from, uint32_t *to, size_t count,
			const struct ruleset_expression *e, uint32_t fill)
{
	uint32_t bits = e->shift.bits;

	for (size_t i = 0; i < count; i++) {
		uint32_t before = i > 0 ? from[i - 1] : fill,
			 after = i + 1 < count ? from[i + 1] : fill;

		if (bits == 0)
			to[i] = from[i];
		else if (e->shift.left)
			to[i] = from[i] << bits | after >> (32 - bits);
		else
			to[i] = from[i] >> bits | before << (32 - bits);
	}
}

enum evaluation_step arithmetic_shift(struct evaluation *evaluation,
				      const struct ruleset_expression *e)
{
	uint32_t data[WORDS], known[WORDS], result[WORDS], certain[WORDS];
	size_t count = (e->shift.len + WORD - 1) / WORD, len = count * WORD;
	const uint8_t *bytes, *bits;

	if (!registers_view(&evaluation->registers, e->shift.source, len, &bytes, &bits))
		return evaluation_undecided(evaluation,
					    "registers are used that the rule has not loaded");
	/* In place the kernel takes the carry from what it has shifted already. */
	if (e->shift.bits > 31 ||
	    (count > 1 && (e->shift.bits == 0 || e->shift.source == e->shift.reg)) ||
	    registers_overlap(e->shift.source, e->shift.reg, len))
		return evaluation_undecided(evaluation, "a shift that no kernel defines");
	memcpy(data, bytes, len);
	memcpy(known, bits, len);
	/* What comes in from the ends is zero, and that is certain. */
	shift_words(data, result, count, e, 0);
	shift_words(known, certain, count, e, UINT32_MAX);
	if (!registers_store(&evaluation->registers, e->shift.reg, result, certain, len))
		return evaluation_undecided(evaluation, "a value does not fit into the registers");
	return EVALUATION_NEXT;
}

static void swap(uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len / 2; i++) {
		uint8_t byte = bytes[i];

		bytes[i] = bytes[len - 1 - i];
		bytes[len - 1 - i] = byte;
	}
}

/* To and from network order is the same. Several numbers at once are left open: kernels before
 * Linux 6.7 take the wrong ones. */
enum evaluation_step arithmetic_byteorder(struct evaluation *evaluation,
					  const struct ruleset_expression *e)
{
	size_t size = e->byteorder.size, len = (size + WORD - 1) / WORD * WORD;
	uint8_t data[8] = {0}, known[8] = {0};
	const uint8_t *bytes, *bits;

	if ((size != 2 && size != 4 && size != 8) || e->byteorder.len != size ||
	    registers_overlap(e->byteorder.source, e->byteorder.reg, size))
		return evaluation_undecided(evaluation,
					    "bytes are swapped in more than one number");
	if (!registers_view(&evaluation->registers, e->byteorder.source, size, &bytes, &bits))
		return evaluation_undecided(evaluation,
					    "registers are used that the rule has not loaded");
	memcpy(data, bytes, size);
	memcpy(known, bits, size);
	/* The rest of the register stays what it was. */
	if (e->byteorder.source == e->byteorder.reg) {
		memcpy(data, bytes, len);
		memcpy(known, bits, len);
	}
	if (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__) {
		swap(data, size);
		swap(known, size);
	}
	if (!registers_store(&evaluation->registers, e->byteorder.reg, data, known, len))
		return evaluation_undecided(evaluation, "a value does not fit into the registers");
	return EVALUATION_NEXT;
}

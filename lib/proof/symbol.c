/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The register file, where each bit is a function of the packet. */
#include "run.h"

#include <string.h>

#define REGISTER_SIZE 4u

/* One bit for each of the registers that @len bytes from @reg on occupy; 0 if they do not fit. */
static uint16_t register_bits(uint8_t reg, size_t len)
{
	size_t count = (len + REGISTER_SIZE - 1) / REGISTER_SIZE;

	if (len == 0 || len > RULESET_DATA_MAX || reg >= RULESET_REGISTERS ||
	    reg + count > RULESET_REGISTERS)
		return 0;
	return (uint16_t)(((1ul << count) - 1) << reg);
}

bool run_store(struct run *run, uint8_t reg, const diagram *bits, size_t len)
{
	uint16_t written = register_bits(reg, len);
	size_t room = (len + REGISTER_SIZE - 1) / REGISTER_SIZE * REGISTER_SIZE;
	diagram *at = &run->registers.bits[(size_t)reg * REGISTER_SIZE * 8];

	if (!written)
		return false;
	/* The kernel fills the last register up with zeroes. @bits may lie in the registers. */
	memmove(at, bits, len * 8 * sizeof(*at));
	for (size_t i = len * 8; i < room * 8; i++)
		at[i] = DIAGRAM_FALSE;
	run->registers.written |= written;
	return true;
}

bool run_store_number(struct run *run, uint8_t reg, const diagram *bits, size_t width,
		      bool host_order)
{
	diagram bytes[128]; /* a device's name is the longest */
	size_t len = width / 8;

	if (width % 8 || width == 0 || width > ARRAY_SIZE(bytes))
		return false;
	for (size_t i = 0; i < len; i++) {
		size_t from = host_order && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? len - 1 - i
										       : i;

		memcpy(&bytes[i * 8], &bits[from * 8], 8 * sizeof(*bytes));
	}
	return run_store(run, reg, bytes, len);
}

bool run_store_constant(struct run *run, uint8_t reg, const uint8_t *bytes, size_t len)
{
	diagram bits[RULESET_DATA_MAX * 8];

	if (len > RULESET_DATA_MAX)
		return false;
	for (size_t i = 0; i < len * 8; i++)
		bits[i] = bytes[i / 8] >> (7 - i % 8) & 1 ? DIAGRAM_TRUE : DIAGRAM_FALSE;
	return run_store(run, reg, bits, len);
}

const diagram *run_view(struct run *run, uint8_t reg, size_t len)
{
	uint16_t bits = register_bits(reg, len);

	if (!bits || (run->registers.written & bits) != bits)
		return NULL;
	return &run->registers.bits[(size_t)reg * REGISTER_SIZE * 8];
}

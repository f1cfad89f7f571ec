/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "registers.h"

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

void registers_forget(struct registers *registers)
{
	registers->written = 0;
}

bool registers_store(struct registers *registers, uint8_t reg, const void *data, const void *known,
		     size_t len)
{
	uint16_t bits = register_bits(reg, len);
	size_t at = reg * REGISTER_SIZE;
	size_t room = (len + REGISTER_SIZE - 1) / REGISTER_SIZE * REGISTER_SIZE;

	if (!bits)
		return false;
	memset(registers->data + at, 0, room);
	memcpy(registers->data + at, data, len);
	memset(registers->known + at, 0xff, room);
	if (known)
		memcpy(registers->known + at, known, len);
	registers->written |= bits;
	return true;
}

bool registers_view(const struct registers *registers, uint8_t reg, size_t len,
		    const uint8_t **ret_data, const uint8_t **ret_known)
{
	uint16_t bits = register_bits(reg, len);

	if (!bits || (registers->written & bits) != bits)
		return false;
	*ret_data = registers->data + reg * REGISTER_SIZE;
	*ret_known = registers->known + reg * REGISTER_SIZE;
	return true;
}

bool registers_overlap(uint8_t a, uint8_t b, size_t len)
{
	return a != b && (register_bits(a, len) & register_bits(b, len)) != 0;
}

static bool surely_different(const uint8_t *data, const uint8_t *known, const uint8_t *value,
			     size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((data[i] ^ value[i]) & known[i])
			return true;
	return false;
}

enum registers_order registers_compare(const uint8_t *data, const uint8_t *known,
				       const uint8_t *value, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		uint8_t low = data[i] & known[i];
		uint8_t high = (uint8_t)(data[i] | (uint8_t)~known[i]);

		if (high < value[i])
			return REGISTERS_LESS;
		if (low > value[i])
			return REGISTERS_GREATER;
		if (low == high)
			continue; /* equal so far, and certain */
		return surely_different(data, known, value, len) ? REGISTERS_DIFFERENT
								 : REGISTERS_OPEN;
	}
	return REGISTERS_EQUAL;
}

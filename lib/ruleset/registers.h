/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The register file of one packet's evaluation. Private to this room.
 *
 * A packet stands for a class, so some of what a rule can load is not determined: the time to live,
 * the MAC address, a TCP option. Each register therefore keeps beside its bits which of them are
 * certain. A decision that would rest on another is no decision.
 */
#pragma once

#include "ruleset.h"

struct registers {
	uint8_t data[RULESET_DATA_MAX];
	uint8_t known[RULESET_DATA_MAX]; /* 1 for every certain bit of data */
	uint16_t written;                /* registers that this rule has loaded, a bit each */
};

/* A rule begins: newer kernels refuse rules that use what an earlier one has loaded. */
void registers_forget(struct registers *registers);

/* Load @len bytes, the last register filled up with zeroes. @known is NULL if all is certain.
 * False if they do not fit. */
MUST_CHECK bool registers_store(struct registers *registers, uint8_t reg, const void *data,
				const void *known, size_t len);

/* Lend @len bytes from @reg on. False if this rule has not loaded all of them. */
MUST_CHECK bool registers_view(const struct registers *registers, uint8_t reg, size_t len,
			       const uint8_t **ret_data, const uint8_t **ret_known);

/* Do @len bytes from two registers on overlap without being the same? The kernel works on words one
 * after the other, and then reads what it has written. */
bool registers_overlap(uint8_t a, uint8_t b, size_t len);

enum registers_order {
	REGISTERS_OPEN = 0,  /* the class does not say */
	REGISTERS_DIFFERENT, /* not equal, but which is greater is open */
	REGISTERS_LESS,
	REGISTERS_EQUAL,
	REGISTERS_GREATER,
};

/* Bytes of a register against @value, the first byte weighing most, as memcmp() does. */
enum registers_order registers_compare(const uint8_t *data, const uint8_t *known,
				       const uint8_t *value, size_t len);

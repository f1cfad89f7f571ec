/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Decimal numbers out of text. */
#pragma once

#include <stdint.h>

#include "cleanup.h"

/* Read @text as a decimal number from 0 to @max: digits only, no sign, no blanks, no leading zero
 * (which some readers take for octal). Returns 0, -EINVAL (not such a number) or -ERANGE. */
MUST_CHECK int num_parse_u64(const char *text, uint64_t max, uint64_t *ret_value);

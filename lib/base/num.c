/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "num.h"

#include <stdbool.h>

int num_parse_u64(const char *text, uint64_t max, uint64_t *ret_value)
{
	uint64_t value = 0;
	bool large = false;

	if (!text[0] || (text[0] == '0' && text[1]))
		return -EINVAL;
	for (const char *at = text; *at; at++) {
		uint64_t digit = (uint64_t)(*at - '0');

		if (*at < '0' || *at > '9')
			return -EINVAL;
		/* Read on: what follows may show that it is no number at all. */
		if (value > (UINT64_MAX - digit) / 10)
			large = true;
		else
			value = value * 10 + digit;
	}
	if (large || value > max)
		return -ERANGE;
	*ret_value = value;
	return 0;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What every fuzz target shares. Only fuzz_*.c and tests/fuzz include it. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* The target: any @size bytes at @data, borrowed. Returns 0; what is wrong ends the process. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* End the process, with the place and the words of what does not hold: libFuzzer keeps the input. */
#define REQUIRE(condition)                                                                         \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);            \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

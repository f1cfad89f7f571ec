/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Time since the computer was started. */
#pragma once

#include <stdint.h>
#include <time.h>

/* Milliseconds of CLOCK_BOOTTIME, so also of time asleep. */
static inline uint64_t clock_ms(void)
{
	struct timespec now = {0};

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static inline void clock_wait_ms(unsigned milliseconds)
{
	const struct timespec time = {milliseconds / 1000, (long)(milliseconds % 1000) * 1000000};

	nanosleep(&time, NULL);
}

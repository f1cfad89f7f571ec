/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the processes of the network clock share: limits, the floor, and how time is measured.
 *
 * Three processes, each with the least it needs: *fetch* asks the network and knows nothing of the
 * clock; *judge* (lethe-clockd) has no right and no network, and decides; *set* has CAP_SYS_TIME
 * and does one thing. Between them go records of one fixed size, over sockets of one computer.
 *
 * Instants are seconds or nanoseconds since 1970, UTC, without leap seconds (as CLOCK_REALTIME).
 * Durations are measured by CLOCK_BOOTTIME, which nobody sets and which goes on in suspension, so
 * that a change of the clock in between harms nothing.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <base/cleanup.h>

#define CLOCK_NS 1000000000LL

/* How many years after the build a clock can be right. A session that is later than that needs a
 * newer image for many reasons; and it keeps liars from going beyond 2038. */
#define CLOCK_YEARS_MAX	  10
#define CLOCK_YEAR	  (366LL * 86400)
#define CLOCK_CEILING(floor) ((floor) + CLOCK_YEARS_MAX * CLOCK_YEAR)

/* No image was built before, or will be after: 2020-01-01 and 2100-01-01. */
#define CLOCK_BUILD_MIN 1577836800LL
#define CLOCK_BUILD_MAX 4102444800LL

#define CLOCK_BUILD_DATE "/usr/lib/lethe/build-date"

/* What the clock may hold: from the build date to CLOCK_YEARS_MAX years after it, in seconds. */
static inline bool clock_fits(int64_t seconds, int64_t floor)
{
	return seconds >= floor && seconds <= CLOCK_CEILING(floor);
}

/* The build date, one line of decimal seconds in the file @path. Returns 0; -EINVAL (it is none, or
 * none that can be), or -errno: then there is no floor, and nothing may be set. */
MUST_CHECK int clock_floor(const char *path, int64_t *ret_seconds);

/* CLOCK_REALTIME and CLOCK_BOOTTIME, in ns, read one after the other. */
struct clock_now {
	int64_t real, boot;
};
struct clock_now clock_now(void);

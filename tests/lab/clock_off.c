/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A clock that is wrong for one process: preloaded, it adds LETHE_CLOCK_OFF seconds to the time of
 * day, and to nothing else. Durations go on as they are, for what measures them by CLOCK_MONOTONIC;
 * so do waits, which the kernel times. It opens nothing and needs no call of its own, so that a
 * program that has locked itself in does not notice it. A program that asks the kernel itself and
 * not the C library (one written in Go, as obfs4proxy is) keeps the true time. */
#include <stddef.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

static long long offset;

/* A test's own environment; what is no number is no offset. */
__attribute__((constructor)) static void read_offset(void)
{
	const char *text = getenv("LETHE_CLOCK_OFF");
	int sign = 1;
	if (text && *text == '-') {
		sign = -1;
		text++;
	}
	for (; text && *text >= '0' && *text <= '9'; text++)
		offset = offset * 10 + (*text - '0');
	offset *= sign;
}

EXPORT int clock_gettime(clockid_t clock, struct timespec *ret_time)
{
	int status = (int)syscall(SYS_clock_gettime, clock, ret_time);
	if (status == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
		ret_time->tv_sec += offset;
	return status;
}

EXPORT int gettimeofday(struct timeval *restrict ret_time, void *restrict zone)
{
	struct timespec now;
	(void)zone;
	if (clock_gettime(CLOCK_REALTIME, &now) == 0) {
		ret_time->tv_sec = now.tv_sec;
		ret_time->tv_usec = now.tv_nsec / 1000;
	}
	return 0;
}

EXPORT time_t time(time_t *ret_time)
{
	struct timespec now = {0};
	clock_gettime(CLOCK_REALTIME, &now);
	if (ret_time)
		*ret_time = now.tv_sec;
	return now.tv_sec;
}

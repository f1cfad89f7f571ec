/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "clock.h"

#include <time.h>

#include <os/file.h>

int clock_floor(const char *path, int64_t *ret_seconds)
{
	uint64_t value;
	int r = file_read_number(path, &value);

	if (r < 0)
		return r;
	if (value < CLOCK_BUILD_MIN || value > CLOCK_BUILD_MAX)
		return -EINVAL;
	*ret_seconds = (int64_t)value;
	return 0;
}

static int64_t read_clock(clockid_t id)
{
	struct timespec now = {0};

	clock_gettime(id, &now);
	return (int64_t)now.tv_sec * CLOCK_NS + now.tv_nsec;
}

struct clock_now clock_now(void)
{
	return (struct clock_now){
	    .real = read_clock(CLOCK_REALTIME),
	    .boot = read_clock(CLOCK_BOOTTIME),
	};
}

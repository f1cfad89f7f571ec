/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "stamp.h"

#include <sys/stat.h>

/* Times of files are those of the kernel's last tick, and ticks are at most this long. */
#define TICK_NS 20000000u

struct taking {
	uint64_t from_ns, to_ns;
	struct stamp stamp;
};

static uint64_t nanoseconds(const struct timespec *time)
{
	return (uint64_t)time->tv_sec * 1000000000u + (uint64_t)time->tv_nsec;
}

/* FNV-1a, of whole numbers. Nobody who may write these files needs to deceive the watch. */
static void mix(struct taking *taking, uint64_t number)
{
	for (unsigned i = 0; i < sizeof(number); i++)
		taking->stamp.hash =
		    (taking->stamp.hash ^ (number >> i * 8 & 0xff)) * 1099511628211u;
}

static void look_at(struct taking *taking, const char *path)
{
	struct stat status;
	uint64_t changed;

	if (stat(path, &status) < 0) {
		mix(taking, (uint64_t)errno);
		return;
	}
	changed = nanoseconds(&status.st_ctim);
	mix(taking, status.st_dev);
	mix(taking, status.st_ino);
	mix(taking, (uint64_t)status.st_size);
	mix(taking, nanoseconds(&status.st_mtim));
	mix(taking, changed);
	/* In the future is not "while it was read": the clock was put back since. */
	if (changed >= taking->from_ns && changed <= taking->to_ns)
		taking->stamp.settled = false;
}

struct stamp stamp_take(const struct policy *policy, const char *path, const char *passwd,
			uint64_t before_ns, uint64_t after_ns)
{
	struct taking taking = {
	    .from_ns = before_ns > TICK_NS ? before_ns - TICK_NS : 0,
	    .to_ns = after_ns + TICK_NS,
	    .stamp = {.hash = 14695981039346656037u, .settled = policy != NULL}};

	look_at(&taking, path);
	look_at(&taking, passwd);
	for (size_t i = 0; policy && i < policy->file_count; i++)
		look_at(&taking, policy->files[i]);
	for (size_t i = 0; policy && i < policy->folder_count; i++)
		look_at(&taking, policy->folders[i]);
	return taking.stamp;
}

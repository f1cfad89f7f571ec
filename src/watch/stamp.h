/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Have the files of a policy changed? Asked of their status, without reading them. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <base/cleanup.h>
#include <policy/policy.h>

struct stamp {
	uint64_t hash; /* of the files' and folders' identities, sizes and times */
	bool settled;  /* no file changed while it was read, as far as its time can tell: else the
			* policy  may be older than this stamp, and must be read again */
};

/*
 * The stamp of @policy, of the file at @path from which it was read, and of @passwd. @before_ns and
 * @after_ns are CLOCK_REALTIME before and after the reading. Of what is not there, that it is not
 * is the stamp. @policy may be NULL: such a stamp is never settled.
 */
struct stamp stamp_take(const struct policy *policy, const char *path, const char *passwd,
			uint64_t before_ns, uint64_t after_ns);

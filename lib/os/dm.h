/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Device-mapper over its ioctls: read-only devices of one target, as Lethe uses them, and reading
 * back what the kernel really holds. Needs CAP_SYS_ADMIN.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <base/cleanup.h>

#define DM_TYPE_MAX   16   /* bytes of a target's type, with the NUL */
#define DM_PARAMS_MAX 1024 /* bytes of a target's parameters or status, with the NUL */
#define DM_SECTOR     512  /* the unit of starts and lengths, whatever the disk's own is */

/* One target, and what the kernel says of the whole device. */
struct dm_state {
	dev_t dev;
	bool readonly;
	bool suspended;
	uint32_t targets;       /* how many the table has; the fields below are the first one's */
	uint64_t start, length; /* sectors */
	char type[DM_TYPE_MAX];
	char params[DM_PARAMS_MAX]; /* its table line, or its status: see dm_read() */
};

enum dm_question {
	DM_QUESTION_TABLE,  /* what the target was made of; the live table, never a loaded one */
	DM_QUESTION_STATUS, /* how it is doing */
};

/* Open the control device. Returns 0, -ENOENT (no device-mapper), or -errno. */
MUST_CHECK int dm_open(int *ret_control);

/* Make a device without a table. The kernel names its node /dev/dm-MINOR.
 * Returns 0, -EBUSY (the name is taken), -ENAMETOOLONG, or -errno. */
MUST_CHECK int dm_create(int control, const char *name, dev_t *ret_dev);

/* Load a read-only table of one target that spans the device, @sectors long; it becomes live with
 * dm_resume(), replacing the one before. Returns 0, -E2BIG (@params too long), or -errno: the
 * target's own refusal. */
MUST_CHECK int dm_load(int control, const char *name, const char *type, uint64_t sectors,
		       const char *params);

/* Make the loaded table the live one. Returns 0 or -errno. */
MUST_CHECK int dm_resume(int control, const char *name);

/* Remove the device. Returns 0, -EBUSY (it is in use), -ENXIO (there is none), or -errno. */
MUST_CHECK int dm_remove(int control, const char *name);

/* Ask about the live table. A device without one has 0 targets.
 * Returns 0, -ENXIO (no such device), -E2BIG (more text than a target of Lethe's has), -EPROTO (an
 * answer that is none), or -errno. */
MUST_CHECK int dm_read(int control, const char *name, enum dm_question question,
		       struct dm_state *ret_state);

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the running system stands on: collecting facts, and judging them. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <base/buf.h>
#include <base/cleanup.h>
#include <os/block.h>
#include <os/dm.h>
#include <os/verity.h>

#define FACTS_FILE_MAX 1048576
#define REASON_MAX     300

/* All that is read, as the kernel gave it. Nothing of it is judged yet. */
struct facts {
	struct buf cmdline, mounts;    /* /proc/cmdline, /proc/self/mountinfo */
	struct buf started_from;       /* what init noted of the disk */
	int mapper_error;              /* why device-mapper cannot be asked, or 0 */
	int root_error;                /* why it does not tell of lethe-root, or 0 */
	struct dm_state table, status; /* lethe-root's */
	bool has_disk;
	struct block_disk disk; /* what is below lethe-medium now: the disk, or memory (loop) */
	bool has_origin;
	struct block_disk origin; /* the disk that init names, as it is now */
};

/* Read them. @facts is zero but for the buffers' caps. Returns 0, -EPERM (only root may ask), or
 * -errno with what could not be read in *@ret_what. facts_done() frees. */
MUST_CHECK int facts_collect(struct facts *facts, const char **ret_what);
void facts_done(struct facts *facts);

/* What init wrote of the disk it started from, lines NAME=VALUE. */
struct origin {
	char device[BLOCK_NAME_MAX], bus[16], model[BLOCK_MODEL_MAX];
	uint64_t sequence;
};

/* Pure. Returns 0 or -EINVAL. */
MUST_CHECK int origin_parse(const char *text, struct origin *ret_origin);

struct verdict {
	bool verified;
	char reason[REASON_MAX]; /* why it is not; "" if it is */
	bool laboratory;         /* a laboratory layer is part of the system */
	bool in_ram;
	bool stops_at_corruption;         /* the kernel stops rather than giving an error */
	char root_hash[VERITY_HASH_TEXT]; /* the one of the command line; "" without one */
	struct origin medium;             /* "" where not known */
	bool present;
};

/* Pure. Everything that is not as it must be makes it not verified. */
void judge(const struct facts *facts, struct verdict *ret_verdict);

/* Pure. */
void print_text(const struct verdict *verdict, struct buf *out);
void print_json(const struct verdict *verdict, struct buf *out);

/* A mount, out of mountinfo. */
struct mount_entry {
	dev_t dev;
	char type[32], root[64];
	char options[256]; /* the mount's own */
	char super[1024];  /* the file system's */
};

/* The topmost mount at @where. Pure. Returns 0, -ENOENT, or -E2BIG (a field of it is too long). */
MUST_CHECK int mounts_find(const char *mountinfo, const char *where, struct mount_entry *ret_entry);

/* The value of an option in a list "a,b=c,d". Pure. Returns 0, -ENOENT, or -E2BIG. */
MUST_CHECK int mounts_option(const char *options, const char *name, char *value, size_t size);

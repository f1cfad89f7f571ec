/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Who asked the kernel to change the packet filter: read from the kernel's record, in words, and
 * the latest of them remembered. Pure. Nothing of a rule is kept but the name of its table.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <base/cleanup.h>

#include "record.h"

#define TAMPER_WHAT_MAX 128
#define TAMPER_EXE_MAX  256
#define TAMPER_UNIT_MAX 128
#define TAMPERS_MAX     8

struct tamper {
	uint64_t time_ns;           /* CLOCK_MONOTONIC; of the last, if it was done again */
	uint64_t times;             /* in a row, by the same process */
	enum watch_concern concern; /* never WATCH_NOTHING */
	uint32_t netns;
	uint32_t pid, uid;
	uint64_t exe_inode;
	char comm[WATCH_COMM_MAX];
	char exe[TAMPER_EXE_MAX];   /* path; or the file's own name; cut at the left, by "..." */
	char unit[TAMPER_UNIT_MAX]; /* of systemd's; "" if there is none */
	char what[TAMPER_WHAT_MAX]; /* "delete table inet lethe, and 2 more changes" */
};

/* Read the @len bytes of a record. Returns 0, or -EBADMSG; *ret_tamper is untouched then. */
MUST_CHECK int tamper_read(const void *data, size_t len, struct tamper *ret_tamper);

/* ---- the latest ---- */

struct tampers {
	uint64_t count; /* all that were added, since the watch began */
	size_t kept;
	struct tamper latest[TAMPERS_MAX]; /* the last one first */
};

void tampers_add(struct tampers *tampers, const struct tamper *tamper);

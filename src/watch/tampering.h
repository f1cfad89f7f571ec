/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The program in the kernel that sees who asks for a change of packet filters. Apart from that of
 * probe.h, so that neither fails with the other.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <base/cleanup.h>

struct tampering;

struct tampering *tampering_free(struct tampering *tampering);
DEFINE_CLEANUP(struct tampering *, tampering_free)

/* Load and attach. The rights that it needs, and what is returned, are as of probe_open(). */
MUST_CHECK int tampering_open(struct tampering **ret_tampering, const char **ret_step);

/* Becomes readable when there are records. Borrowed. */
int tampering_descriptor(const struct tampering *tampering);

/* Hand each waiting record (struct watch_tamper) to @take. Returns 0 or -errno. */
MUST_CHECK int tampering_read(struct tampering *tampering,
			      void (*take)(const void *record, size_t len, void *data), void *data);

/* Records for which there was no room. */
uint64_t tampering_lost(const struct tampering *tampering);

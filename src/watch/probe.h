/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The program in the kernel: loaded, attached, and its records read. The only door to libbpf. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <base/cleanup.h>

struct probe;

struct probe_counts {
	uint64_t counted;  /* packets of this host that a filter dropped */
	uint64_t incoming; /* dropped packets that came in; nobody here sent them */
	uint64_t lost;	   /* of those counted, without a record: there was no room */
	uint64_t missed;   /* at most so many were not even counted: the kernel does not run a program
			    * inside itself, and says how often it did not; of any dropped packets */
	bool missed_known;
};

struct probe *probe_free(struct probe *probe);
DEFINE_CLEANUP(struct probe *, probe_free)

/*
 * Load and attach. Needs CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN, and none of them afterwards.
 * Returns 0; -EOPNOTSUPP (the kernel does not describe itself, or not the reasons for which it drops
 * packets); -EPERM; or -errno. *ret_step says what was tried, in static storage, on failure.
 */
MUST_CHECK int probe_open(struct probe **ret_probe, const char **ret_step);

/* Becomes readable when there are records. Borrowed. */
int probe_descriptor(const struct probe *probe);

/* Are sockets noted when they are made? If not (no control groups of version 2), who made a socket is
 * not known, and repetitions of packets that were never dropped before have no name. */
bool probe_notes_sockets(const struct probe *probe);

/* Hand each waiting record to @take, at most @most of them. Returns 0 or -errno. */
MUST_CHECK int probe_read(struct probe *probe, size_t most,
			  void (*take)(const void *record, size_t len, void *data), void *data);

struct probe_counts probe_count(const struct probe *probe);

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The kernel's nftables over netlink: one atomic batch in, everything read back out, events.
 * The only door to libmnl. Nothing here knows what a policy is.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <base/buf.h>
#include <base/cleanup.h>
#include <base/diag.h>
#include <ruleset/ruleset.h>

#define NF_BATCH_MAX (64u << 20) /* bytes of one batch */

/* A netlink socket to the nftables subsystem, in the network namespace it was opened in. */
struct nf_socket;

/* Returns 0 and the socket, the caller's, to release with nf_close(); or -errno. */
MUST_CHECK int nf_open(struct nf_socket **ret_socket);
struct nf_socket *nf_close(struct nf_socket *socket);
DEFINE_CLEANUP(struct nf_socket *, nf_close)

/* What to build into a batch. */
struct nf_batch_options {
	/* Bind `every_device` chains by the empty name prefix (kernel >= 6.18); otherwise by the
	 * names in @devices, which then must hold every device. */
	bool device_prefix;
	const char (*devices)[RULESET_DEVICE_MAX];
	size_t device_count;
	/* Flags for every table, beside those it has; see nf/held.h. */
	uint32_t table_flags;
	/* Let what was in the tables go by a message of newer kernels (6.3), which asks nothing of it:
	 * the other way is refused where the old table has flags that outlive a process. */
	bool destroy;
};

/*
 * The bytes that replace (or create) every table of @ruleset in one transaction: what was in tables
 * of these names goes, other tables stay. Valid at any generation, so that it may be kept and sent
 * later. @out has cap NF_BATCH_MAX or less. Deterministic. A chain bound by names reads back with
 * these names, not as `every_device`. Counters that rules name are made, at 0; of other objects the
 * kernel says that they are not there. Returns 0, -E2BIG, -ENOMEM, -EINVAL (something that cannot be
 * written, an incomplete or empty ruleset, a chain for every device without any); after a failure
 * what is in @out is of no use.
 */
MUST_CHECK int nf_batch_build(const struct ruleset *ruleset, const struct nf_batch_options *options,
			      struct buf *out);

/* The bytes that remove the tables of these names and families, if they exist. @destroy as above. */
MUST_CHECK int nf_batch_remove(const struct ruleset *ruleset, bool destroy, struct buf *out);

/* The bytes that give the tables of these names and families, which must exist, these flags. */
MUST_CHECK int nf_batch_reflag(const struct ruleset *ruleset, uint32_t flags, struct buf *out);

/* The flags of a table (NFT_TABLE_F_*). 0, -ENOENT, or -errno. */
MUST_CHECK int nf_table_flags(struct nf_socket *socket, enum ruleset_family family,
			      const char *name, uint32_t *ret_flags);

/*
 * Send a batch and wait for every answer. All of it is done, or nothing. Returns 0, or -errno: the
 * kernel's first complaint, with what it concerned in @diag (message index, kind, name).
 * -ENOBUFS (answers were lost) is not a verdict: the caller must read back. -EBADMSG: these bytes
 * are not a batch, and nothing was sent.
 */
MUST_CHECK int nf_batch_send(struct nf_socket *socket, const void *batch, size_t len,
			     struct diag *diag);

/* When the last batch that was sent over this socket came into force: microseconds of CLOCK_MONOTONIC; 0
 * if none has. */
int64_t nf_batch_time(const struct nf_socket *socket);

/*
 * Check that @len bytes are one well-formed batch that touches only the tables @name of families
 * inet and netdev, so that a stored batch from a file cannot do anything else. 0 or -EBADMSG.
 */
MUST_CHECK int nf_batch_check(const void *batch, size_t len, const char *name);

/*
 * Everything the kernel holds in this namespace: all tables of all families. Consistent: read again
 * when the generation changes meanwhile, -EAGAIN after @tries of that. The result is sorted and the
 * caller's. Unknown expressions are kept as RULESET_UNKNOWN, and what has no place at all makes the
 * ruleset `incomplete`, with the first such thing in `missing`. Elements of dynamic sets are counted
 * and not kept: packets change them without a new generation, so their number is about right.
 * *ret_generation may be NULL.
 */
MUST_CHECK int nf_read(struct nf_socket *socket, unsigned tries, uint32_t *ret_generation,
		       struct ruleset **ret_ruleset);

/* The same, one table only; -ENOENT if it does not exist, -EINVAL if no table of ours could have
 * that name. `incomplete` tells of this table alone. */
MUST_CHECK int nf_read_table(struct nf_socket *socket, enum ruleset_family family, const char *name,
			     struct ruleset **ret_ruleset);

/* Does this kernel bind netdev chains by name prefix? Asked by a transaction that is aborted, so
 * nothing changes. 0, or -errno. */
MUST_CHECK int nf_probe_device_prefix(struct nf_socket *socket, bool *ret_supported);

/* Does this kernel know all these flags of tables (not 0)? Asked in the same way. */
MUST_CHECK int nf_probe_table_flags(struct nf_socket *socket, uint32_t flags, bool *ret_supported);

/* The current generation of the namespace's ruleset. */
MUST_CHECK int nf_generation(struct nf_socket *socket, uint32_t *ret_generation);

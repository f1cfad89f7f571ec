/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Lethe's two tables in the kernel of this network namespace: put there, read back, compared, and
 * whose they are. For whoever changes them; what is in them is a ruleset like any other.
 */
#pragma once

#include "nf.h"

#define NF_TABLE       "lethe"
#define NF_EGRESS      "egress" /* the chain of the netdev table that every frame meets */
#define NF_HOOK_EGRESS 1        /* NF_NETDEV_EGRESS, which older headers lack */

/* Flags of tables that only the socket which sent them may change, and that outlive it. Older
 * headers lack the second, kernels before 6.9 refuse it. */
#define NF_FLAG_OWNER   0x2u
#define NF_FLAG_PERSIST 0x4u
#define NF_OWNED        (NF_FLAG_OWNER | NF_FLAG_PERSIST)

/* The names of devices, sorted. Release with nf_devices_done(). */
struct nf_devices {
	char (*names)[RULESET_DEVICE_MAX];
	size_t count;
};

/* The devices of this network namespace. 0 or -errno. */
MUST_CHECK int nf_devices_list(struct nf_devices *ret_devices);
bool nf_devices_same(const struct nf_devices *a, const struct nf_devices *b);
void nf_devices_done(struct nf_devices *devices);

/* What the kernel binds the egress chain to. */
enum nf_binding {
	NF_UNBOUND = 0, /* there is no egress chain */
	NF_BY_NAMES,    /* the devices that were there (kernels before 6.18) */
	NF_BY_PREFIX,   /* every device, those to come too */
};

/* Lethe's two tables as the kernel holds them. */
struct nf_held {
	struct ruleset *host;   /* inet; one table, or NULL if it is missing */
	struct ruleset *frames; /* netdev; likewise. Its egress chain is said to be for every
				 * device, whatever it is bound to. */
	enum nf_binding binding;
	struct nf_devices uncovered; /* devices present that the egress chain does not judge */
};

/* Read them. 0 and the caller's *ret_held, to release with nf_held_done(); or -errno. */
MUST_CHECK int nf_held_read(struct nf_socket *nf, struct nf_held *ret_held);
void nf_held_done(struct nf_held *held);

/* Both tables are there, whole, and frames meet the egress chain: something is in force. */
bool nf_held_whole(const struct nf_held *held);

/* Both tables as one ruleset, without the flags that say whose they are; nothing is left in @held.
 * Both must be there. 0 and the caller's *ret_ruleset, sorted; or -ENOMEM. */
MUST_CHECK int nf_held_take(struct nf_held *held, struct ruleset **ret_ruleset);

/* An egress chain bound by names is said to be for every device; returns what it was bound to. For
 * a ruleset that will be sent again, or compared. */
enum nf_binding nf_held_unbind(struct ruleset *frames);

/* Compare the rules, leaving aside what they are bound to. 0 equal, or -ESTALE: a table is missing
 * or differs (@difference says how). */
MUST_CHECK int nf_held_compare(const struct ruleset *ruleset, const struct nf_held *held,
			       struct buf *difference);

/* Does the kernel hold @ruleset, for each device that is present? 0, -ESTALE (@difference says why
 * not), or -errno. */
MUST_CHECK int nf_held_verify(struct nf_socket *nf, const struct ruleset *ruleset,
			      struct buf *difference);

/*
 * Build and send: replace the two tables by @ruleset in one transaction, read them back, and see
 * that each device has its egress chain. @flags is 0, or NF_OWNED to have them owned by this
 * socket. Tables that a socket has left behind are replaced like others. Returns 0; -ESTALE when
 * what was read back differs (@difference says how); -EAGAIN when devices came faster than they
 * could be covered; or -errno with @diag, and nothing was changed: -EOPNOTSUPP also where the
 * kernel does not know the flags. *ret_binding may be NULL. Takes no lock.
 */
MUST_CHECK int nf_install(struct nf_socket *nf, const struct ruleset *ruleset, uint32_t flags,
			  struct diag *diag, struct buf *difference, enum nf_binding *ret_binding);

/* Remove the tables of @ruleset, by their names, in one transaction. 0, or -errno with @diag. */
MUST_CHECK int nf_uninstall(struct nf_socket *nf, const struct ruleset *ruleset, struct diag *diag);

/* Own the two tables, which an owner has left behind, as they are: dynamic sets keep what they
 * hold. 0, or -errno with @diag, and nothing was changed. */
MUST_CHECK int nf_adopt(struct nf_socket *nf, struct diag *diag);

/* What the batch, checked with nf_batch_check(), would install: for every device, whatever names
 * are in it, and without flags. Returns 0 and the caller's *ret_ruleset, sorted; -EBADMSG if it is
 * none of ours, or would not leave both tables in force; -ENOMEM. */
MUST_CHECK int nf_batch_read(const void *batch, size_t len, struct ruleset **ret_ruleset);

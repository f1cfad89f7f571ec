/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Packets that rules tell of by `log group` (nfnetlink_log): to the one who listens, by netlink,
 * and to no file. While nobody listens the kernel looks for the listener and goes on. Of this
 * network namespace alone.
 */
#pragma once

#include "nf.h"

/* The group of Lethe's rules; one process of a network namespace may listen. */
#define NF_LOG_GROUP 7806

/* Bytes of each packet that are told: a header of a link, one of IP with options, and what of a
 * transport header tells ports and flags. */
#define NF_LOG_BYTES 96

struct nf_logged {
	uint8_t family; /* NFPROTO_*; of NFPROTO_NETDEV the bytes begin with the link's header */
	uint16_t ethertype; /* the kernel's label */
	uint32_t device;    /* index of the one by which it leaves; 0: not told */
	bool owned;
	uint32_t uid;        /* if owned: what `meta skuid` sees */
	const uint8_t *data; /* the packet's first bytes; borrowed for the call */
	size_t len;
};

struct nf_log_counts {
	uint64_t told; /* packets, with those that were lost */
	uint64_t lost; /* there was no room for them, or they could not be read */
};

struct nf_log;

struct nf_log *nf_log_close(struct nf_log *log);
DEFINE_CLEANUP(struct nf_log *, nf_log_close)

/* Listen. Needs CAP_NET_ADMIN, and nothing afterwards. Returns 0; -EBUSY: somebody else listens;
 * -EPERM; -ENOENT or -EOPNOTSUPP: the kernel has no nfnetlink_log; or -errno. */
MUST_CHECK int nf_log_open(struct nf_log **ret_log);

/* Readable when a packet was told of. Borrowed. */
int nf_log_descriptor(const struct nf_log *log);

/* Hand each packet that waits to @take, until there is none or, about, @most were handed. Returns 0
 * or -errno. */
MUST_CHECK int nf_log_read(struct nf_log *log, size_t most,
			   void (*take)(const struct nf_logged *logged, void *data), void *data);

/* Since it was opened. Packets are numbered by the kernel, and it counts those that had no room. */
struct nf_log_counts nf_log_count(const struct nf_log *log);

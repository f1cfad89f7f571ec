/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Who changed the ruleset of this network namespace: the kernel's notice at the end of each
 * transaction. What was changed is not read here; it is read back as a whole.
 */
#pragma once

#include "nf.h"

#define NF_COMM_MAX 16 /* TASK_COMM_LEN */

struct nf_change {
	uint32_t generation; /* of the ruleset, after the change */
	uint32_t port;       /* of the socket that made it; see nf_port() */
	uint32_t pid; /* of the process that made it, in the first pid namespace; 0: not told */
	char comm[NF_COMM_MAX]; /* its name as printable ASCII, others as '?'; "" if not told */
};

/* A socket that hears of each transaction. Needs CAP_NET_ADMIN. 0 and the socket, to release with
 * nf_close(); or -errno. */
MUST_CHECK int nf_events_open(struct nf_socket **ret_socket);

/* For poll(): readable when there may be something. Borrowed. */
int nf_descriptor(const struct nf_socket *socket);

/* The number by which the kernel knows the socket, and by which it remembers an owner. */
uint32_t nf_port(const struct nf_socket *socket);

/* The changes that have been told of since, each handed to @visit. 0; -ENOBUFS: notices were lost,
 * so anything may have changed; or -errno. Malformed notices count as lost. */
MUST_CHECK int nf_events_read(struct nf_socket *socket,
			      void (*visit)(const struct nf_change *change, void *data),
			      void *data);

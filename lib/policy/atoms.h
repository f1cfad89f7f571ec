/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The values of one dimension of packets that policies can tell apart.
 *
 * An atom is a value at or beside a constant of a policy: between two neighbouring atoms nothing
 * changes. Atoms that every statement treats alike form a kind; one of each kind is its sample.
 * Samples come first in each list.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <base/cleanup.h>
#include <packet/packet.h>

#include "policy.h"

struct port_atoms {
	uint16_t *ports;
	size_t count, samples;
};

struct address_atoms {
	struct packet_address *addresses;
	size_t count, samples;
	bool ipv6;
};

/* What decides about packets to other hosts, or about packets on loopback. */
struct scene_atoms {
	struct address_atoms ipv4, ipv6;
	struct port_atoms tcp, udp; /* destination */
	struct port_atoms source;   /* UDP */
};

struct atoms {
	struct scene_atoms remote, local;
	uint32_t *uids; /* every user named in a policy, and at the end one whom none names */
	size_t uid_count;
};

/* Collect the atoms of @policies. Returns 0 or -ENOMEM; either way to be released by atoms_done().
 */
MUST_CHECK int atoms_collect(struct atoms *atoms, const struct policy *const *policies,
			     size_t count);
void atoms_done(struct atoms *atoms);

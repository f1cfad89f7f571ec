/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the statements of a policy hold, as functions. Private to meaning*.c. */
#pragma once

#include <policy/policy.h>

#include "judgement.h"

struct meaning {
	struct diagram_space *space;
	const struct policy *policy;
	diagram *networks;           /* destinations in each network; DIAGRAM_FALSE: not made yet */
	struct judgement *judgement; /* what is decided */
	diagram rest;                /* what is not decided yet */
	bool silent;                 /* refusals are not told */
	int error;                   /* sticky: -ENOMEM */
};

/* All give DIAGRAM_FALSE if memory is short, and say so in @error. */

/* The owner is one of these. */
diagram meaning_users(struct meaning *meaning, const struct policy_uids *uids);
/* The destination is in this network. */
diagram meaning_network(struct meaning *meaning, size_t network);
/* The destination's port, or the source's, is one of these; @count may be 0, and none fits then. */
diagram meaning_ports(struct meaning *meaning, enum space_field field,
		      const struct policy_ports *ports, size_t count);
/* The protocol and the destination's port are these. */
diagram meaning_traffic(struct meaning *meaning, const struct policy_traffic *traffic);

/* A grant of the owner's holds destination, protocol and port. */
diagram meaning_granted(struct meaning *meaning);
/* The destination is one that somebody may reach; by TCP, if @tcp. */
diagram meaning_reachable(struct meaning *meaning, bool tcp);

/* Who must be granted a service, for its port to count. */
enum meaning_side {
	MEANING_ANY,     /* nobody: every service counts */
	MEANING_USED,    /* somebody */
	MEANING_CLIENTS, /* the owner may use it */
	MEANING_SERVERS, /* the owner runs it */
};
/* The port in @field is that of a service of @protocol. */
diagram meaning_services(struct meaning *meaning, enum policy_protocol protocol,
			 enum space_field field, enum meaning_side side);
/* The destination's port is open to the owner by "allow USER to loopback"; or, if @anybody, to some
 * user. */
diagram meaning_open_loopback(struct meaning *meaning, bool anybody);

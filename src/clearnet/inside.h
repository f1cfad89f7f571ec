/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is done inside the namespace, by children that have no right outside of it. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <base/cleanup.h>

/* Make a user namespace of @uid and @gid and a network namespace that belongs to it: loopback up,
 * nothing forwarded, IPv6 on loopback alone. Returns 0 and its descriptor, or -errno. Takes
 * CAP_SETUID and CAP_SETGID. */
MUST_CHECK int inside_new(uid_t uid, gid_t gid, int *ret_net);

/* A socket of route_events.h that hears what changes in there. The namespace @net belongs to the
 * user namespace @user of the calling user, here and below. Returns 0 or -errno. */
MUST_CHECK int inside_listen(int user, int net, int *ret_events);

/* Does anything lead out of it: has it a default route? Returns 1, 0, or -errno. */
MUST_CHECK int inside_leads_out(int user, int net);

/* No host has the IPv4 addresses @hide (network order) from now on, whatever the namespace's device
 * could carry; @show are ordinary again. Returns 0 or -errno; then some may be done, hiding first.
 */
MUST_CHECK int inside_hide(int user, int net, const uint32_t *hide, size_t hide_count,
			   const uint32_t *show, size_t show_count);

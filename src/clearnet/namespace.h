/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A network namespace with a name. It belongs to a user namespace of one ordinary user, whose
 * process may therefore join it and bring a device into it, and who has no right outside of it.
 * Nothing of this computer's network is in it: no device, no address, no route.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include <base/cleanup.h>

#define NAMESPACE_DIRECTORY "/run/lethe/netns"
#define NAMESPACE_NAME_MAX  28 /* bytes with the NUL; the user's name is this one and "-net" */
#define NAMESPACE_USER_MAX  (NAMESPACE_NAME_MAX + 4)

/* Small letters, digits and '-', a letter first. */
bool namespace_name_is_valid(const char *name);

/* The user whose sockets carry what leaves the namespace: "NAME-net". */
void namespace_user(const char *name, char ret_user[static NAMESPACE_USER_MAX]);

/*
 * Make the namespace @name for @uid and @gid, with its loopback up, and mount it at
 * NAMESPACE_DIRECTORY/NAME for everybody to see. One that is there already and belongs to @uid
 * stays as it is, with the programs in it. Takes CAP_SYS_ADMIN, CAP_SETUID and CAP_SETGID; the
 * calling process stays where it is. Returns 0, -EINVAL (no such name can be), -EEXIST (something
 * else is mounted there), or -errno; after a failure nothing is mounted.
 */
MUST_CHECK int namespace_make(const char *name, uid_t uid, gid_t gid);

/* Take the mount away. Programs in the namespace stay in it, alone. Returns 0, also if there was
 * none, or -errno. */
MUST_CHECK int namespace_remove(const char *name);

/* Open it, and the user namespace that it belongs to. Returns 0, -EINVAL (no such name can be),
 * -ENOENT, -EPROTO (not a network namespace), -EPERM (it is not @uid's), or -errno. */
MUST_CHECK int namespace_open(const char *name, uid_t uid, int *ret_net, int *ret_user);

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The network namespace this process is in. */
#pragma once

#include <stdint.h>

#include <base/cleanup.h>

/* Take the lock on changing this network namespace's filter; waits for whoever holds it. It goes
 * with the descriptor, so also when the process dies. Returns 0 and the descriptor, or -errno. */
MUST_CHECK int netns_lock(int *ret_fd);

/* The same, for those who must not wait for ever: -ETIMEDOUT after @seconds. */
MUST_CHECK int netns_lock_within(unsigned seconds, int *ret_fd);

#define NETNS_DEVICE_MAX 16 /* IFNAMSIZ */

/* The names of all devices present, in no order. The array is the caller's, to free().
 * Returns 0 or -errno. */
MUST_CHECK int netns_devices(char (**ret_names)[NETNS_DEVICE_MAX], size_t *ret_count);

/* ---- namespaces by name, as ip-netns(8) keeps them in /run/netns ---- */

#define NETNS_NAME_MAX 256 /* NAME_MAX + 1 */

/* All names, in the order of their bytes; none where the directory is missing. Nothing is known yet
 * of what bears them: netns_open() tells. The array is the caller's, to free(). Returns 0, -EBADMSG
 * (a name that is not printable ASCII), -E2BIG (more than 65536), or -errno. */
MUST_CHECK int netns_names(char (**ret_names)[NETNS_NAME_MAX], size_t *ret_count);

/* The namespace of that name; no symbolic link is followed. Returns 0 and the descriptor, -EINVAL
 * (no such name can be), -ENOENT, -ELOOP (a symbolic link), -EPROTO (not a network namespace), or
 * -errno. */
MUST_CHECK int netns_open(const char *name, int *ret_fd);

/* The namespace of the calling thread. Returns 0 and the descriptor, or -errno. */
MUST_CHECK int netns_open_own(int *ret_fd);

/* Which one it is: two descriptors of one namespace have the same number, as long as one is open.
 * Returns 0, -EPROTO (not a network namespace), or -errno. */
MUST_CHECK int netns_identity(int fd, uint64_t *ret_number);

/* The calling thread goes there; the others stay. Returns 0, -EPROTO, or -errno. */
MUST_CHECK int netns_enter(int fd);

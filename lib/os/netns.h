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

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Asks org.lethe.Network1. */
#pragma once

#include "entry.h"

struct client;

struct client *client_free(struct client *client);
DEFINE_CLEANUP(struct client *, client_free)

/* Connect to the system bus, or to @address if not NULL. Returns 0 or -errno. */
MUST_CHECK int client_open(const char *address, struct client **ret_client);

/* Hand each entry of an answer to @take; it is borrowed for the call. */
struct client_take {
	void (*entry)(const struct entry *entry, void *data);
	void *data;
};

/* All of these return 0; -ENOENT (nobody offers the service), -EACCES (not allowed to ask),
 * -EBADMSG (the answer is not as it should be), -ETIMEDOUT, or -errno. */

MUST_CHECK int client_snapshot(struct client *client, const struct client_take *take);
MUST_CHECK int client_summary(struct client *client, const struct client_take *take);
MUST_CHECK int client_state(struct client *client, const struct client_take *take);
MUST_CHECK int client_forget(struct client *client);

/* What was heard of since @number, which is set to ask on. */
MUST_CHECK int client_since(struct client *client, uint64_t *number,
			    const struct client_take *take);

/* From here on the service's signal is heard; -ENOENT if the service ends while waiting. */
MUST_CHECK int client_listen(struct client *client);
/* Wait until the service says that something changed. */
MUST_CHECK int client_wait(struct client *client);

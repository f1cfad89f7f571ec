/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Asking lethe-connectd on the bus. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <base/cleanup.h>
#include <torctl/bridge.h>

#define CLIENT_NAME_MAX 32
#define CLIENT_TEXT_MAX 512

struct client;

/* How it is, as lethe-connectd says it: the texts are English, to be looked up by who shows them. */
struct status {
	char state[CLIENT_NAME_MAX], mode[CLIENT_NAME_MAX], phase[CLIENT_NAME_MAX],
	    reason[CLIENT_NAME_MAX];
	char phase_text[CLIENT_TEXT_MAX], reason_text[CLIENT_TEXT_MAX], advice[CLIENT_TEXT_MAX];
	uint32_t progress, bridges, default_bridges;
};

/* What is asked for; as struct choice is for the daemon. */
struct request {
	const char *mode;
	bool plain, default_bridges, ask;
	const char *country; /* or NULL */
	const struct torctl_bridges *bridges;
};

struct client *client_free(struct client *client);
DEFINE_CLEANUP(struct client *, client_free)

/* Connect to the system bus, or to @address if it is not NULL. 0 or -errno. */
MUST_CHECK int client_open(const char *address, struct client **ret_client);

/* These return 0; -ENOENT (the daemon does not run), -EACCES (it may not be asked), or -errno. */
MUST_CHECK int client_status(struct client *client, struct status *ret_status);
/* -EINVAL: refused; why is in @why, @size bytes. */
MUST_CHECK int client_choose(struct client *client, const struct request *request, char *why,
			     size_t size);
/* "Cancel", "Retry" or "Forget". */
MUST_CHECK int client_call(struct client *client, const char *method);

/* Hear of changes from now on. */
MUST_CHECK int client_listen(struct client *client);
/* Wait for the next one. */
MUST_CHECK int client_wait(struct client *client);

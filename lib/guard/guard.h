/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * How a program asks lethe-guard to change the filter: one datagram each way, over a socket in the
 * file system that only root may connect to, named after the network namespace that the guard is
 * in. What is to be installed is a batch of lib/nf, handed over as sealed memory, so that it cannot
 * change while it is looked at.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <base/cleanup.h>
#include <base/diag.h>

#define GUARD_FOLDER    "/run/lethe"
#define GUARD_PATH_MAX  108 /* sun_path */
#define GUARD_BATCH_MAX ((size_t)64 << 20)
#define GUARD_SECONDS   10 /* that an answer may take: it takes milliseconds */

enum guard_verb {
	GUARD_INSTALL = 1, /* the batch that comes with it, in place of what is enforced */
	GUARD_COVER,       /* what is enforced, for the devices of now; -ENOENT: nothing is */
	GUARD_OPEN,        /* enforce nothing */
};

struct guard_request {
	uint32_t magic;
	uint32_t verb;
};

struct guard_answer {
	uint32_t magic;
	int32_t error; /* 0, or -errno: then nothing that was enforced was opened */
	char message[DIAG_MESSAGE_MAX], hint[DIAG_MESSAGE_MAX];
};

#define GUARD_MAGIC 0x4c474431u /* "LGD1": another layout gets another number */

/* The name of the file @suffix of the guard of this network namespace, in @folder:
 * "guard-N.socket". Returns 0, -E2BIG, or -errno. */
MUST_CHECK int guard_path(const char *folder, const char *suffix, char ret_path[GUARD_PATH_MAX]);

/* ---- the asking side ---- */

#define GUARD_BATCHES                                                                              \
	2 /* that one client may hand over: what it wants, and the seal if that fails */

struct guard_client {
	int socket;                /* -EBADF: there is no guard */
	int memory[GUARD_BATCHES]; /* for one batch each */
};
#define GUARD_NOBODY ((struct guard_client){.socket = -EBADF, .memory = {-EBADF, -EBADF}})

/* Connect to the guard of this network namespace, if there is one that takes connections. What
 * creates descriptors is done here, so that a sandbox may follow. 0 and the client, to release with
 * guard_client_done(); -ENOENT, there is no guard, or none that this user may ask; or -errno. */
MUST_CHECK int guard_connect(const char *folder, struct guard_client *ret_client);
void guard_client_done(struct guard_client *client);

/* Ask, and wait for the answer. @batch is of @len bytes, for GUARD_INSTALL. Returns 0 with what
 * the guard said; -ETIMEDOUT if it does not answer, and it is not done later: the connection is
 * closed; -ENOSPC, all batches were handed over; or -errno. */
MUST_CHECK int guard_ask(struct guard_client *client, enum guard_verb verb, const void *batch,
			 size_t len, struct guard_answer *ret_answer);

/* ---- the answering side ---- */

/* Listen at @path with mode 0600; what was there goes. 0 and the descriptor, or -errno. */
MUST_CHECK int guard_listen(const char *path, int *ret_fd);

/* The next connection, of root's. 0 and the descriptor; -EAGAIN, there is none; -EPERM, it was
 * somebody else's and is closed; or -errno. */
MUST_CHECK int guard_accept(int listener, int *ret_fd);

/* The request, if it has come: what it asks, and its batch, which is the caller's to free(). 0;
 * -EAGAIN (not yet); -EBADMSG, it is no request, or its memory is not sealed or too large; or
 * -errno. */
MUST_CHECK int guard_receive(int fd, enum guard_verb *ret_verb, uint8_t **ret_batch,
			     size_t *ret_len);

/* Has who asked gone? Then nothing may be done any more: it was told that it failed. */
bool guard_is_gone(int fd);

/* 0 or -errno. Does not wait. */
MUST_CHECK int guard_reply(int fd, int error, const struct diag *diag);

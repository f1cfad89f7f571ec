/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A client of Tor's control port at a UNIX socket. One conversation has one deadline, so that
 * whoever is at the other end, silent, slow or endless, cannot hold the caller up.
 *
 * Tor is asked to accept the cookie itself (method COOKIE), not a proof of knowing it (SAFECOOKIE).
 * SAFECOOKIE is against somebody who sits at Tor's address to learn the cookie. Here the kernel
 * says who that is: the cookie is sent only to a process that was, when it began to listen, of the
 * user who owns the cookie's file, or root. Both can read the file anyway, so it tells them nothing
 * new. That needs no hash and no random numbers, and it also refuses who merely knows the cookie.
 */
#pragma once

#include "reply.h"
#include "settings.h"

#include <sys/types.h>

struct torctl;

/*
 * Connect to the socket at @path. @deadline_ms is for the whole conversation, from now on.
 * Returns 0 and the connection, to torctl_close(); -ENOENT or -ECONNREFUSED (nobody listens),
 * -EACCES, -EAGAIN (too many are waiting), -ENAMETOOLONG, -ENOMEM, or -errno.
 */
MUST_CHECK int torctl_open(const char *path, unsigned deadline_ms, struct torctl **ret_torctl);
/* The same on a connected socket, which then belongs to the connection. 0, or -errno: then the
 * socket is still the caller's. */
MUST_CHECK int torctl_adopt(int fd, unsigned deadline_ms, struct torctl **ret_torctl);
struct torctl *torctl_close(struct torctl *torctl);
DEFINE_CLEANUP(struct torctl *, torctl_close)

/* Open the file of the cookie, which is not read yet. Returns 0 and the descriptor, or -errno. */
MUST_CHECK int torctl_cookie_open(const char *path, int *ret_fd);

/*
 * Ask how to authenticate and do so by the cookie in @cookie_fd. Returns 0; -EPERM (who listens is
 * neither root nor the owner of the cookie), -EINVAL (that is no cookie's file), -EOPNOTSUPP (Tor
 * does not take a cookie), -EKEYREJECTED (Tor refused it), or as torctl_command().
 */
MUST_CHECK int torctl_authenticate(struct torctl *torctl, int cookie_fd);

/*
 * Ask how to authenticate and do so with nothing (method NULL): for a filter before Tor's socket, which
 * asks the kernel who is at the other end. 0; -EOPNOTSUPP (it wants something), -EKEYREJECTED (it
 * refused), or as torctl_command().
 */
MUST_CHECK int torctl_authenticate_null(struct torctl *torctl);

/*
 * Send one command, a line without its end, and wait for its reply; events that come meanwhile are
 * passed over, or go to whom torctl_on_event() named. The reply is the connection's, until the next call, and may be a refusal (4xx, 5xx).
 * Returns 0; -EINVAL (@line holds a control character), -ETIMEDOUT, -ECONNRESET (Tor ended the
 * connection), -EBADMSG or -E2BIG (what came is no reply), or -errno. After an error but -EINVAL
 * the conversation is at its end: every later call returns the same.
 */
MUST_CHECK int torctl_command(struct torctl *torctl, const char *line,
			      const struct torctl_reply **ret_reply);

/*
 * The value of one key of GETINFO, of one option of GETCONF ("" if Tor says that it has its default
 * value). The text is the caller's, to free(). Returns 0; -ENOKEY (Tor does not know the key),
 * -EREMOTEIO (Tor refused otherwise), -EBADMSG (the reply is about something else), or as
 * torctl_command().
 */
MUST_CHECK int torctl_getinfo(struct torctl *torctl, const char *key, char **ret_value);
MUST_CHECK int torctl_getconf(struct torctl *torctl, const char *option, char **ret_value);

/* Tor's bridges, as far as they are understood here; those that are not are counted in *ret_unknown.
 * 0, or as torctl_getconf(). */
MUST_CHECK int torctl_get_bridges(struct torctl *torctl, struct torctl_bridges *ret_bridges,
				  size_t *ret_unknown);

/* Set how Tor connects. 0; -EREMOTEIO (Tor refused: then all is as it was), -E2BIG, or as
 * torctl_command(). */
MUST_CHECK int torctl_configure(struct torctl *torctl, const struct torctl_settings *settings);

/* ---- conversations that stay ---- */

/* From now on the conversation has @deadline_ms, again. */
void torctl_renew(struct torctl *torctl, unsigned deadline_ms);

/* Call @function for each event that comes, in its order, from inside the functions here. It must not
 * call any of them on @torctl. */
void torctl_on_event(struct torctl *torctl,
		     void (*function)(const struct torctl_reply *event, void *data), void *data);

/* What to wait for, to be read. */
int torctl_descriptor(const struct torctl *torctl);

/* Take what has come, without waiting, but no more than a fair share of it: what is left keeps the
 * descriptor readable, or makes this return 1. 0; -EBADMSG (a reply that nobody asked for, or none at
 * all), or as torctl_command(). */
MUST_CHECK int torctl_receive(struct torctl *torctl);

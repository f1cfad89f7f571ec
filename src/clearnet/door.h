/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The door into the namespace `clearnet`: one program at a time, of those that are allowed. Whoever
 * decides that one may be started has no right to do it. It connects to a socket of the service
 * manager; what the connection is handed to (lethe-clearnet-run) is in the namespace and shut in
 * already.
 *
 * The connection is a lease: the program ends when it does, and the other way round. What is said
 * over it are whole datagrams: the program's name, with the descriptor that takes its output; then
 * "started", and at the end "exit N", or "failed" and why. Of this file, the reading of answers is
 * pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <base/cleanup.h>

#include "program.h"

#define DOOR_PROGRAMS "/usr/share/lethe/clearnet.d"
#define DOOR_SOCKETS  "/run/lethe/clearnet" /* with `console` in it */
#define DOOR_CMDLINE  "/proc/cmdline"
#define DOOR_TEXT_MAX 256 /* bytes of a datagram, with a NUL behind it */

enum door_event {
	DOOR_NOTHING,
	DOOR_STARTED,
	DOOR_ENDED, /* by itself, or it could not be started: see `exit` and `why` */
};

#define DOOR_NO_EXIT (-1) /* it was not started, or nobody knows how it ended */

struct door {
	const char *programs, *sockets; /* folders */
	bool enabled;
	int lease;                   /* -EBADF: nothing runs */
	char name[PROGRAM_NAME_MAX]; /* what runs, or "" */
	bool started;
	int exit; /* of the last one: its exit status, 128 and the signal that ended it, or
		     DOOR_NO_EXIT */
	char why[DOOR_TEXT_MAX]; /* the last one could not be started; "" otherwise */
};

/*
 * May the door be used, by what the kernel's command line in the file @cmdline says? Only one that
 * can be read and does not have the word `lethe.clearnet`, or has it as "on", leaves it usable: any
 * other value, two of them, or one that cannot be understood, shuts it.
 */
bool door_is_enabled(const char *cmdline);

/*
 * Ask for the program @name. Returns 0 and the end of a pipe that brings what it writes, to the
 * end; -EPERM (the door is shut), -EBUSY (one runs), -ENOENT (no such program is allowed), -EINVAL
 * (its file is wrong), or -errno (the service manager does not take connections), with the reason
 * in @diag.
 */
MUST_CHECK int door_start(struct door *door, const char *name, int *ret_output, struct diag *diag);

/* Ask it to end. It has ended when door_take() says so. */
void door_stop(struct door *door);

/* What has come over the lease; does not wait. */
enum door_event door_take(struct door *door);

/* What a datagram of the other side says; @text ends with a NUL. */
enum door_event door_understand(struct door *door, const char *text);

/* Send the program's name and descriptor over @lease, and take them: @ret_name is as long as
 * DOOR_TEXT_MAX. 0, -EPROTO (it is something else), -ECONNRESET (nobody is there), or -errno. */
MUST_CHECK int door_send(int lease, const char *name, int output);
MUST_CHECK int door_receive(int lease, char ret_name[static DOOR_TEXT_MAX], int *ret_output);

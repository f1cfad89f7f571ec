/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The process at the door, and the one with each guest. */
#pragma once

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "grants.h"
#include "turn.h"

#define GATE_LISTENERS_MAX 4
#define GATE_SHIPPED	   "/usr/share/lethe/gate.d"
#define GATE_LOCAL	   "/etc/lethe/gate.d"

struct options {
	const char *shipped, *local; /* folders of grants; local may be NULL */
	const char *passwd;
	const char *tor;    /* folder of Tor's control socket, which is named "control" */
	const char *cookie; /* the cookie's name in it */
	const char *listen; /* a UNIX socket to make; NULL: what the service manager gave */
	uint16_t port;	    /* of 127.0.0.1, to listen at; 0: as above */
	bool check;
};

/* Returns -1 to go on, or the exit status. */
int options_parse(int argc, char **argv, struct options *options);

/* Memory that the door and all its guests share. */
struct shared {
	struct turn turn;
	_Atomic bool met_tor; /* a guest has authenticated to Tor */
};

struct door {
	const struct options *options;
	struct grants grants;
	int listeners[GATE_LISTENERS_MAX];
	size_t listener_count;
	int folder;  /* of Tor's control socket */
	int diag;    /* for asking the kernel whose a connection is */
	struct shared *shared;
	uint64_t opened; /* ms of CLOCK_MONOTONIC */
	int signals; /* a descriptor for SIGTERM, SIGINT and SIGCHLD, which are blocked */
};

/* Open everything; the grants are read already. Returns 0, or -errno after saying what failed. */
MUST_CHECK int door_open(struct door *door);
/* Serve until told to end. Returns 0 or -errno. */
MUST_CHECK int door_serve(struct door *door);

/* In a process of its own: talk to Tor for the client at @client, who has @rights. Closes nothing but what
 * it opened, and the door's folder; the process ends with it. */
void guest_serve(const struct door *door, int client, const struct rights *rights);

static inline void gate_complain(int error, const char *what)
{
	fprintf(stderr, "lethe-gate: %s%s%s\n", what, error < 0 ? ": " : "",
		error < 0 ? strerror(-error) : "");
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * lethe-connectd: the machine with its hands and ears. Each part posts what it hears; the loop gives it
 * to the machine and has the actions done. Nothing here decides.
 */
#pragma once

#include <poll.h>
#include <sys/types.h>

#include <torctl/client.h>

#include "heard.h"

#define CONNECT_BUS_NAME  "org.lethe.Connect1"
#define CONNECT_BUS_PATH  "/org/lethe/Connect1"
#define CONNECT_INTERFACE "org.lethe.Connect1"

#define QUEUE_MAX 512

/* An event without anything borrowed but its phase, which is here. */
struct posted {
	struct event event;
	char phase[PHASE_MAX];
};

/* A connection to a door, and what of its answer has come. */
struct line_reader {
	int fd; /* -EBADF: none */
	size_t used;
	char bytes[HEARD_LINE_MAX];
};

struct daemon {
	struct machine machine;
	struct torctl_bridges defaults;

	/* Paths, borrowed from the command line. */
	const char *run;	/* the folder of all doors */
	const char *tor_socket; /* NULL: in that folder */
	const char *cookie;	/* NULL: none is needed */

	struct torctl *torctl; /* NULL: Tor is not there */
	int64_t tor_next_ms;   /* when to look for it again */
	bool tor_missed;       /* too many events came at once */
	struct torctl_bridges tor_bridges; /* as it has them, when it was found */

	struct line_reader leases[TORCTL_TRANSPORT_END];
	struct line_reader settings;
	struct torctl_bridges found; /* by the service */
	unsigned found_builtin;
	int clock;	    /* -EBADF: nothing is asked */
	bool clock_network; /* the network is asked, and not the consensus */

	int changes, questions; /* of routes */
	int64_t link_next_ms;	/* when to ask again, because it failed; 0: it did not */
	int signals;
	time_t built; /* no clock is right that shows an earlier time */
	struct bus *bus;
	bool told; /* to be told on the bus */
	bool ended;

	struct posted queue[QUEUE_MAX];
	size_t first, count;
};

int64_t daemon_now_ms(void);
/* To be taken by the machine after what was posted before. Text that the event borrows is copied; an
 * event with bridges cannot be posted. False: there is no room. */
bool daemon_post(struct daemon *daemon, const struct event *event);
/* Of what was posted, take back what Tor said of its connections. */
void daemon_drop_tor_events(struct daemon *daemon);
/* Take it now, with all that was posted, and do what follows. Not from inside an action. */
void daemon_take(struct daemon *daemon, struct event event);
void daemon_take_posted(struct daemon *daemon);
/* Ask whether there is a network, and have the machine take what has changed. Not from inside an action. */
void daemon_look_at_link(struct daemon *daemon);
/* Does the clock show a time that can be? */
bool daemon_plausible(const struct daemon *daemon);

/* ---- tor.c ---- */

/* Look for Tor, if it is time to. */
void tor_look(struct daemon *daemon);
void tor_set(struct daemon *daemon, const struct action *action);
/* It has said something, or its connection has ended. */
void tor_hear(struct daemon *daemon);
void tor_close(struct daemon *daemon);

/* ---- doors.c ---- */

void lease_open(struct daemon *daemon, enum torctl_transport transport);
void lease_close(struct daemon *daemon, enum torctl_transport transport);
void lease_hear(struct daemon *daemon, enum torctl_transport transport);
void clock_ask(struct daemon *daemon, bool network);
void clock_hear(struct daemon *daemon);
/* An answer is not waited for any more. */
void clock_close(struct daemon *daemon);
void settings_ask(struct daemon *daemon, const char *country);
void settings_hear(struct daemon *daemon);
void settings_close(struct daemon *daemon);

/* ---- service.c ---- */

struct bus *service_free(struct bus *bus);
/* Offer the service on the system bus, or on the one at @address. 0, -EEXIST (the name is taken), or
 * -errno. */
MUST_CHECK int service_open(struct daemon *daemon, const char *address, struct bus **ret_bus);
MUST_CHECK int service_prepare(struct bus *bus, struct pollfd *ret_wait, int *ret_timeout_ms);
MUST_CHECK int service_answer(struct bus *bus);
/* Tell whoever listens how it is now. */
MUST_CHECK int service_tell(struct bus *bus);

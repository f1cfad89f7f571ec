/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Waiting for what happens, and nothing else: without events this process does not run. */
#include "resident.h"

#include <os/route_events.h>
#include <poll.h>

#define AGAIN_MS  50   /* until what could not be read is looked at again */
#define CLIENT_MS 2000 /* that a client may be silent */

enum { EVENTS, ROUTE, LISTENER, CLIENT, SIGNALS, NAMES, JUDGED, SOURCES };

/* What came in one go. */
struct gathered {
	struct resident *resident;
	bool foreign;
	struct nf_change culprit;
};

static void change_note(const struct nf_change *change, void *data)
{
	struct gathered *gathered = data;

	if (change->port == nf_port(gathered->resident->nf))
		return;
	gathered->resident->changes++;
	/* The last has the last word; of one who is gone already the name is still told. */
	gathered->culprit = *change;
	gathered->foreign = true;
}

static int on_changes(struct resident *resident)
{
	int64_t began = heal_clock();
	struct gathered gathered = {.resident = resident};
	int r = nf_events_read(resident->events, change_note, &gathered);

	if (r == -ENOBUFS) {
		resident->lost++;
		tell("notices of changes were lost: looking at everything");
	} else if (r < 0) {
		return r;
	}
	if (r < 0 || gathered.foreign) {
		heal_look(resident, began, gathered.foreign ? &gathered.culprit : NULL);
		tell_status(resident);
	}
	return 0;
}

/* What the devices' and routes' notices ask for; each once, however many there were. */
static int on_route(struct resident *resident)
{
	bool links = false, rules = false;
	struct route_event event;
	int r;

	while ((r = route_events_next(resident->route, &event)) != 0) {
		if (r == -ENOBUFS) {
			resident->lost++;
			links = rules = true;
			if (resident->state == RESIDENT_SHUT)
				shut_all(resident, resident->shut_why);
			continue;
		}
		if (r < 0)
			return r;
		if (event.kind == ROUTE_EVENT_LINK) {
			links = true;
			if (resident->state == RESIDENT_SHUT && event.up && event.index != 1)
				shut_device(resident, event.index);
		}
		rules =
		    rules || event.kind == ROUTE_EVENT_RULE || event.kind == ROUTE_EVENT_SETTING;
	}
	if (links)
		heal_cover(resident);
	if (rules)
		judge_start(resident);
	return 0;
}

/* A namespace of its own has no rules; what leaves it comes in here as any packet does, and
 * forwarding is forbidden. It is counted, and the proof looks at what lies outside the rules. */
static void on_names(struct resident *resident)
{
	unsigned appeared = names_read(resident);

	if (appeared == 0)
		return;
	resident->namespaces += appeared;
	judge_start(resident);
	tell_status(resident);
}

static int timeout_of(const struct resident *resident)
{
	if (resident->again > 0)
		return AGAIN_MS;
	return resident->client >= 0 ? CLIENT_MS : -1;
}

static void on_timeout(struct resident *resident)
{
	if (resident->again > 0) {
		heal_look(resident, heal_clock(), NULL);
		tell_status(resident);
		return;
	}
	closep(&resident->client);
	resident->client = -EBADF;
}

static int dispatch(struct resident *resident, const struct pollfd *sources)
{
	int r = 0;

	/* What may leak first, and requests last: they shall meet a state that is known. */
	if (sources[EVENTS].revents)
		r = on_changes(resident);
	if (r == 0 && sources[ROUTE].revents)
		r = on_route(resident);
	if (r < 0)
		return r;
	if (sources[JUDGED].revents)
		judge_finish(resident);
	if (sources[NAMES].revents)
		on_names(resident);
	if (sources[CLIENT].revents)
		request_serve(resident);
	if (sources[LISTENER].revents && resident->client < 0)
		request_accept(resident);
	return 0;
}

int loop_run(struct resident *resident)
{
	for (;;) {
		struct pollfd sources[SOURCES] = {
		    [EVENTS] = {.fd = nf_descriptor(resident->events), .events = POLLIN},
		    [ROUTE] = {.fd = resident->route, .events = POLLIN},
		    /* One after the other. */
		    [LISTENER] = {.fd = resident->client < 0 ? resident->listener : -1,
				  .events = POLLIN},
		    [CLIENT] = {.fd = resident->client, .events = POLLIN},
		    [SIGNALS] = {.fd = resident->signals, .events = POLLIN},
		    [NAMES] = {.fd = resident->names, .events = POLLIN},
		    [JUDGED] = {.fd = resident->judged, .events = POLLIN},
		};
		int ready = poll(sources, SOURCES, timeout_of(resident)), r;

		if (ready < 0 && errno == EINTR)
			continue;
		if (ready < 0)
			return neg_errno();
		if (sources[SIGNALS].revents)
			return 0;
		r = dispatch(resident, sources);
		if (r < 0)
			return r;
		if (ready == 0)
			on_timeout(resident);
	}
}

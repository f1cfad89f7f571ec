/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Any bytes as what Tor, a transport, the clock and the service for bridges say. The first byte tells
 * who it is. What is understood is whole, and the machine takes it in any state. */
#include "heard.h"

#include <string.h>

#include <base/fuzz.h>

static void check(const struct event *event)
{
	if (event->kind == EVENT_BOOTSTRAP) {
		REQUIRE(event->bootstrap.progress <= 100);
		REQUIRE(strlen(event->bootstrap.phase) < PHASE_MAX);
	} else if (event->kind == EVENT_SETTINGS) {
		REQUIRE(event->settings.outcome != SETTINGS_FOUND || event->settings.builtin ||
			event->settings.bridges->count > 0);
	} else {
		REQUIRE(event->kind == EVENT_RELAY || event->kind == EVENT_SKEW ||
			event->kind == EVENT_LIVENESS || event->kind == EVENT_LEASE ||
			event->kind == EVENT_CLOCK);
	}
}

static int read_settings(const char *text, size_t size, struct event *ret_event)
{
	static struct torctl_bridges bridges;
	unsigned builtin = 0;
	int r = 0;

	bridges.count = 0;
	for (const char *at = text, *end = text + size; at < end && r == 0;) {
		const char *stop = memchr(at, '\n', (size_t)(end - at)) ?: end;

		r = heard_settings(at, (size_t)(stop - at), &bridges, &builtin, ret_event);
		at = stop < end ? stop + 1 : end;
	}
	return r == 1 ? 0 : r < 0 ? r : -ENODATA;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct machine machine;
	static struct actions actions;
	static const struct torctl_bridges none;
	const char *text = (const char *)data + 1;
	struct event event = {0};
	char phase[PHASE_MAX];
	int r = -ENODATA;

	if (size < 1)
		return 0;
	size--;
	switch (data[0] % 5) {
	case 0:
		r = heard_tor(text, size, false, phase, &event);
		break;
	case 1:
		r = heard_tor(text, size, true, phase, &event);
		break;
	case 2:
		r = heard_lease(text, size, TORCTL_TRANSPORT_OBFS4, &event);
		break;
	case 3:
		r = heard_clock(text, size, &event);
		break;
	default:
		r = read_settings(text, size, &event);
		break;
	}
	REQUIRE(r == 0 || r == -ENODATA || r == -EBADMSG || r == -ENOMEM);
	if (r < 0)
		return 0;
	check(&event);
	machine_init(&machine, 1000, &none);
	machine_take(&machine, &event, &actions);
	REQUIRE(machine.state == STATE_OFFLINE);
	return 0;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The conversation with Tor, through the filter before its control socket. */
#include <string.h>

#include "daemon.h"

#define TALK_MS	 10000
#define AGAIN_MS 1000
#define EVENTS	 "SETEVENTS STATUS_CLIENT STATUS_GENERAL NETWORK_LIVENESS ORCONN"

void tor_close(struct daemon *daemon)
{
	daemon->torctl = torctl_close(daemon->torctl);
	daemon->tor_next_ms = daemon_now_ms() + AGAIN_MS;
}

/* There must always be room for this one. */
static void lose(struct daemon *daemon)
{
	tor_close(daemon);
	if (!daemon_post(daemon, &(struct event){.kind = EVENT_TOR_GONE})) {
		daemon->count = 0;
		(void)!daemon_post(daemon, &(struct event){.kind = EVENT_TOR_GONE});
	}
}

/* From inside the conversation: posted only. */
static void on_event(const struct torctl_reply *reply, void *data)
{
	struct daemon *daemon = data;
	char phase[PHASE_MAX];
	struct event event;
	int r = heard_tor(reply->lines[0].text, reply->lines[0].text_length, false, phase, &event);

	if (r == 0 && !daemon_post(daemon, &event))
		daemon->tor_missed = true;
}

/* One of "0" and "1", or "" for the default. */
static int ask_flag(struct daemon *daemon, const char *option, bool standard, bool *ret_on)
{
	AUTO_FREE char *value = NULL;
	int r = torctl_getconf(daemon->torctl, option, &value);

	if (r < 0)
		return r;
	if (value[0] && strcmp(value, "0") != 0 && strcmp(value, "1") != 0)
		return -EBADMSG;
	*ret_on = value[0] ? value[0] == '1' : standard;
	return 0;
}

/* Tor stays at 100 % when it has lost its network: whether it has a circuit counts as well. */
static int ask_phase(struct daemon *daemon, char phase[static PHASE_MAX], struct event *ret_event)
{
	AUTO_FREE char *value = NULL, *circuit = NULL;
	struct event event = {0};
	int r = torctl_getinfo(daemon->torctl, "status/bootstrap-phase", &value);

	if (r == 0)
		r = torctl_getinfo(daemon->torctl, "status/circuit-established", &circuit);
	if (r < 0 || !value || !circuit)
		return r < 0 ? r : -EBADMSG;
	r = heard_tor(value, strlen(value), true, phase, &event);
	if (r < 0)
		return r;
	if (event.bootstrap.progress == 100 && strcmp(circuit, "1") != 0)
		event.bootstrap.progress = 99;
	*ret_event = event;
	return 0;
}

static int greet(struct daemon *daemon)
{
	const struct torctl_reply *reply;
	AUTO_CLOSE int cookie = -EBADF;
	int r = 0;

	if (daemon->cookie)
		r = torctl_cookie_open(daemon->cookie, &cookie);
	if (r == 0)
		r = daemon->cookie ? torctl_authenticate(daemon->torctl, cookie)
				   : torctl_authenticate_null(daemon->torctl);
	if (r == 0)
		r = torctl_command(daemon->torctl, EVENTS, &reply);
	if (r == 0 && reply->lines[0].code != 250)
		r = -EREMOTEIO;
	return r;
}

/* How it is now: what a new Tor says, or one that was connected before. */
static int meet(struct daemon *daemon)
{
	struct event here = {.kind = EVENT_TOR_HERE}, progress = {0};
	bool off = false, bridged = false;
	char phase[PHASE_MAX] = "";
	size_t unknown = 0;
	int r = greet(daemon);

	if (r == 0)
		r = ask_flag(daemon, "DisableNetwork", false, &off);
	if (r == 0)
		r = ask_flag(daemon, "UseBridges", false, &bridged);
	if (r == 0)
		r = torctl_get_bridges(daemon->torctl, &daemon->tor_bridges, &unknown);
	if (r == 0)
		r = ask_phase(daemon, phase, &progress);
	if (r < 0)
		return r;
	here.tor.network = !off;
	here.tor.progress = progress.bootstrap.progress;
	here.tor.foreign = unknown > 0;
	here.tor.bridges = bridged ? &daemon->tor_bridges : NULL;
	daemon_take(daemon, here);
	return 0;
}

/* Having met it, the machine may have set it anew, or lost it: what it said before that is not about the
 * connection that it makes now. So it is asked again. */
static int catch_up(struct daemon *daemon)
{
	char phase[PHASE_MAX] = "";
	struct event event = {0};
	int r;

	if (!daemon->torctl)
		return 0;
	torctl_renew(daemon->torctl, TALK_MS);
	r = ask_phase(daemon, phase, &event);
	if (r == 0)
		daemon_take(daemon, event);
	return r;
}

void tor_look(struct daemon *daemon)
{
	char path[256];
	int r;

	if (daemon->torctl || daemon_now_ms() < daemon->tor_next_ms)
		return;
	daemon->tor_next_ms = daemon_now_ms() + AGAIN_MS;
	if ((size_t)snprintf(path, sizeof(path), "%s/tor/control", daemon->run) >= sizeof(path))
		return;
	r = torctl_open(daemon->tor_socket ?: path, TALK_MS, &daemon->torctl);
	if (r < 0)
		return;
	torctl_on_event(daemon->torctl, on_event, daemon);
	r = meet(daemon);
	if (r == 0)
		r = catch_up(daemon);
	if (r < 0)
		lose(daemon);
}

/* Tor answers a command before it sends what it had to tell until then. With the answer to one more
 * question all of that has come, and none of it is about the connection that is to be made. */
static int forget_what_was(struct daemon *daemon)
{
	AUTO_FREE char *circuit = NULL;
	int r = torctl_getinfo(daemon->torctl, "status/circuit-established", &circuit);

	daemon_drop_tor_events(daemon);
	return r;
}

/* In two steps when the network is wanted: whatever Tor does while it takes the bridges over, it does
 * without network. */
static int configure(struct daemon *daemon, const struct action *action)
{
	struct torctl_settings settings = {.bridges = action->bridges};
	int r;

	torctl_renew(daemon->torctl, TALK_MS);
	r = torctl_configure(daemon->torctl, &settings);
	if (r == 0 && action->network)
		r = forget_what_was(daemon);
	else
		daemon_drop_tor_events(daemon);
	if (r < 0 || !action->network)
		return r;
	settings.network = true;
	return torctl_configure(daemon->torctl, &settings);
}

void tor_set(struct daemon *daemon, const struct action *action)
{
	int r;

	if (!daemon->torctl)
		return;
	r = configure(daemon, action);
	/* A Tor that does not let itself be shut is not talked with: it is looked for, and shut, anew. */
	if (r == -EREMOTEIO && action->network &&
	    daemon_post(daemon, &(struct event){.kind = EVENT_TOR_REFUSED}))
		return;
	if (r < 0)
		lose(daemon);
}

void tor_hear(struct daemon *daemon)
{
	int r = torctl_receive(daemon->torctl);

	if (r < 0 || daemon->tor_missed) {
		daemon->tor_missed = false;
		lose(daemon);
	}
}

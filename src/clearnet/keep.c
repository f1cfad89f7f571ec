/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "keep.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>

#include <base/buf.h>
#include <os/file.h>
#include <os/notify.h>
#include <os/route_events.h>
#include <os/sandbox.h>
#include <os/signals.h>

#include "inside.h"
#include "namespace.h"
#include "uplink.h"

#define ROUTES "/proc/net/route"

/* pasta that ends is started anew after a while, which grows with each time that it did not live
 * for LIVED_MS; a change of the network begins anew. */
#define AGAIN_FIRST_MS 250
#define AGAIN_LAST_MS  16000
#define LIVED_MS       10000

struct keeper {
	const struct keep_options *options;
	int net, user, events, signals, manager;
	int inside;  /* tells of changes in the namespace */
	bool joined; /* pasta has brought a network into it */
	bool ready;  /* the service manager knows */
	pid_t pasta; /* 0: it does not run */
	int64_t started;
	int64_t again; /* when it may be started; 0: at once */
	int64_t wait;
	struct uplink_addresses hidden; /* addresses of this computer that nobody inside reaches */
};

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void say(const struct keeper *keeper, const char *what, int error)
{
	fprintf(stderr, "lethe-namespace: %s: %s%s%s\n", keeper->options->name, what,
		error < 0 ? ": " : "", error < 0 ? strerror(-error) : "");
}

static void tell(const struct keeper *keeper, const char *lines)
{
	/* Nobody may want to know. */
	(void)!notify_send(keeper->manager, lines);
}

/* ---- this computer's own addresses ---- */

static int hide_addresses(struct keeper *keeper)
{
	struct uplink_addresses own, fresh, gone;
	int r = uplink_addresses(&own);

	if (r < 0)
		return r;
	uplink_difference(&own, &keeper->hidden, &fresh);
	uplink_difference(&keeper->hidden, &own, &gone);
	r = inside_hide(keeper->user, keeper->net, fresh.list, fresh.count, gone.list, gone.count);
	if (r == 0)
		keeper->hidden = own;
	return r;
}

/* ---- pasta ---- */

static int device_find(char ret_device[static UPLINK_DEVICE_MAX])
{
	AUTO_BUF struct buf routes = {.cap = UPLINK_ROUTES_MAX};
	int r = file_read(ROUTES, &routes);

	return r < 0 ? r : uplink_device(buf_text(&routes), ret_device);
}

/* In the child. */
static void become_pasta(const struct keeper *keeper, const char *device, pid_t parent)
{
	static char *const environment[] = {NULL};
	const char *arguments[UPLINK_ARGUMENTS_MAX];
	char net[64], user[64], *words[UPLINK_ARGUMENTS_MAX];
	struct uplink_join join = {.program = keeper->options->pasta,
				   .device = device,
				   .net = net,
				   .user = user,
				   .udp = keeper->options->udp};
	sigset_t none;
	size_t count;

	/* Of its parent they are open; itself it closes what it has not opened. It opens the
	 * network namespace when it is in the other user namespace, from where it cannot look at
	 * its parent. */
	snprintf(net, sizeof(net), "%s/%s", NAMESPACE_DIRECTORY, keeper->options->name);
	snprintf(user, sizeof(user), "/proc/%d/fd/%d", parent, keeper->user);
	count = uplink_arguments(&join, arguments);
	for (size_t i = 0; i <= count; i++)
		memcpy(&words[i], &arguments[i], sizeof(words[i]));
	sigemptyset(&none);
	if (sigprocmask(SIG_SETMASK, &none, NULL) < 0 ||
	    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || getppid() != parent)
		_exit(126);
	/* It would take larger buffers than other programs, and its connections would be told apart
	 * by the window that they begin with. */
	if (sandbox_usual_buffers() < 0)
		_exit(126);
	execve(join.program, words, environment);
	_exit(127);
}

static int start_pasta(struct keeper *keeper, const char *device)
{
	pid_t parent = getpid(), child = fork();

	if (child < 0)
		return neg_errno();
	if (child == 0)
		become_pasta(keeper, device, parent);
	keeper->pasta = child;
	keeper->joined = false;
	keeper->started = now_ms();
	return 0;
}

/* Programs that are started after this service have a network if there is one. */
static void say_state(struct keeper *keeper, const char *state)
{
	tell(keeper, state);
	if (!keeper->ready)
		tell(keeper, "READY=1\n");
	keeper->ready = true;
}

/* What there is to hear from inside is that pasta has made its device and routes. */
static void look_inside(struct keeper *keeper)
{
	if (keeper->pasta == 0 || keeper->joined ||
	    inside_leads_out(keeper->user, keeper->net) <= 0)
		return;
	keeper->joined = true;
	say_state(keeper, "STATUS=joined\n");
}

static void pasta_ended(struct keeper *keeper, int status)
{
	int64_t now = now_ms();

	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		say(keeper, "cannot run pasta", 0);
	else
		say(keeper, "pasta has ended; it is started anew", 0);
	keeper->pasta = 0;
	keeper->wait = now - keeper->started >= LIVED_MS || keeper->wait == 0 ? AGAIN_FIRST_MS
		       : keeper->wait >= AGAIN_LAST_MS                        ? AGAIN_LAST_MS
									      : 2 * keeper->wait;
	keeper->again = now + keeper->wait;
	tell(keeper, "STATUS=not joined: pasta has ended\n");
}

static void stop_pasta(struct keeper *keeper)
{
	if (keeper->pasta == 0)
		return;
	kill(keeper->pasta, SIGKILL);
	while (waitpid(keeper->pasta, NULL, 0) < 0 && errno == EINTR)
		;
	keeper->pasta = 0;
}

/* ---- the loop ---- */

/* Bring things into the state that the network asks for: addresses first, then pasta. What cannot
 * be hidden is not reached, because pasta does not run. */
static void settle(struct keeper *keeper)
{
	char device[UPLINK_DEVICE_MAX];
	int r = hide_addresses(keeper);

	if (r < 0) {
		say(keeper, "cannot hide this computer's addresses; not joined", r);
		stop_pasta(keeper);
		keeper->again = now_ms() + AGAIN_LAST_MS;
		return;
	}
	if (keeper->pasta != 0 || keeper->again > now_ms())
		return;
	r = device_find(device);
	if (r == -ENOENT) {
		say_state(keeper, "STATUS=waiting for a network\n");
		return;
	}
	if (r == 0)
		r = start_pasta(keeper, device);
	if (r == 0)
		return;
	say(keeper, "cannot start pasta", r);
	keeper->again = now_ms() + AGAIN_LAST_MS;
}

/* Take what has come. */
static int take_events(int fd, bool *ret_any)
{
	struct route_event event;
	bool any = false;
	int r;

	while ((r = route_events_next(fd, &event)) != 0) {
		/* Lost: something has changed then, and all is looked at anew anyway. */
		if (r < 0 && r != -ENOBUFS)
			return r;
		any = true;
	}
	*ret_any = any;
	return 0;
}

static int take_signals(struct keeper *keeper, bool *ret_end)
{
	struct signalfd_siginfo info;
	bool end = false;
	int status;

	while (read(keeper->signals, &info, sizeof(info)) == (ssize_t)sizeof(info))
		if (info.ssi_signo != SIGCHLD)
			end = true;
	if (keeper->pasta != 0 && waitpid(keeper->pasta, &status, WNOHANG) == keeper->pasta)
		pasta_ended(keeper, status);
	*ret_end = end;
	return 0;
}

/* Milliseconds until there is something to do without an event; -1: nothing. */
static int patience(const struct keeper *keeper)
{
	int64_t left = keeper->again - now_ms();

	if (keeper->again == 0 || keeper->pasta != 0)
		return -1;
	return left < 0 ? 0 : (int)left;
}

static int loop(struct keeper *keeper)
{
	struct pollfd wait[] = {{.fd = keeper->signals, .events = POLLIN},
				{.fd = keeper->events, .events = POLLIN},
				{.fd = keeper->inside, .events = POLLIN}};
	bool end = false, changed = false;
	int r = 0;

	for (;;) {
		settle(keeper);
		if (poll(wait, ARRAY_SIZE(wait), patience(keeper)) < 0 && errno != EINTR)
			return neg_errno();
		r = take_signals(keeper, &end);
		if (r < 0 || end)
			return r;
		r = take_events(keeper->inside, &changed);
		if (r == 0 && changed)
			look_inside(keeper);
		if (r == 0)
			r = take_events(keeper->events, &changed);
		if (r < 0)
			return r;
		if (changed)
			keeper->wait = 0;
		if (changed || keeper->again <= now_ms())
			keeper->again = 0;
	}
}

static int prepare(struct keeper *keeper)
{
	int r = namespace_open(keeper->options->name, getuid(), &keeper->net, &keeper->user);

	if (r < 0) {
		say(keeper, "cannot open the namespace", r);
		return r;
	}
	r = notify_open(&keeper->manager);
	if (r < 0 && r != -ENOENT)
		return r;
	/* Before anything is looked at, so that no change is missed. */
	r = route_events_open_ipv4(&keeper->events);
	if (r == 0)
		r = inside_listen(keeper->user, keeper->net, &keeper->inside);
	if (r < 0)
		return r;
	return signals_open(SIGCHLD, &keeper->signals);
}

int keep(const struct keep_options *options)
{
	struct keeper keeper = {.options = options,
				.net = -EBADF,
				.user = -EBADF,
				.events = -EBADF,
				.signals = -EBADF,
				.manager = -EBADF,
				.inside = -EBADF};
	int r = prepare(&keeper);

	if (r == 0)
		r = loop(&keeper);
	stop_pasta(&keeper);
	closep(&keeper.net);
	closep(&keeper.user);
	closep(&keeper.events);
	closep(&keeper.inside);
	closep(&keeper.signals);
	closep(&keeper.manager);
	return r;
}

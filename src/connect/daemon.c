/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * lethe-connectd: connects Tor as the person at the computer has chosen, and not before. Opens what it
 * needs, gives up every right, and only then reads what others say.
 */
#include "daemon.h"

#include <getopt.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <time.h>

#include <base/num.h>
#include <os/notify.h>
#include <os/sandbox.h>
#include <os/signals.h>
#include <os/uplink.h>

#include "defaults.h"

#define DEFAULT_RUN	"/run/lethe"
#define DEFAULT_BRIDGES LETHE_DATADIR "/lethe/bridges.conf"
#define BRIDGES_FOLDER	LETHE_SYSCONFDIR "/lethe/bridges.d"
#define STALL_SECONDS	60
#define YEAR		(365L * 24 * 3600)
#define CLOCK_AHEAD	(10 * YEAR) /* no system is used that long */
#define CLOCK_BEHIND	(24 * 3600) /* builders' clocks and time zones */
#define LINK_AGAIN_MS	2000
#define TURNS_MAX	4096	    /* of events that follow from one */

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

struct options {
	const char *address, *bridges;
	uint64_t stall;
};

static void complain(int error, const char *what)
{
	fprintf(stderr, "lethe-connectd: %s%s%s\n", what, error < 0 ? ": " : "",
		error < 0 ? strerror(-error) : "");
}

static void usage(void)
{
	fputs("Usage: lethe-connectd [OPTION]...\n"
	      "Connect Tor as was chosen on the system bus, and not before. Offers\n"
	      CONNECT_BUS_NAME ".\n"
	      "\n"
	      "      --bus=ADDRESS      this bus, not the system's\n"
	      "      --bridges=FILE     the system's own bridges\n"
	      "                         (" DEFAULT_BRIDGES ", and files in\n"
	      "                         " BRIDGES_FOLDER ")\n"
	      "      --run=FOLDER       where the doors of other services are (" DEFAULT_RUN ")\n"
	      "      --tor-socket=FILE  Tor's control socket (FOLDER/tor/control)\n"
	      "      --cookie=FILE      its cookie, where it wants one\n"
	      "      --stall=SECONDS    so long a direct connection may make no progress (60);\n"
	      "                         other times are multiples of it\n"
	      "  -h, --help             this text\n"
	      "  -V, --version          print the version\n"
	      "\n"
	      "Exit status: 0 it was told to end, 1 it failed, 2 wrong usage.\n",
	      stdout);
}

/* Returns -1 to go on, or the exit status. */
static int parse_options(int argc, char **argv, struct daemon *daemon, struct options *options)
{
	static const struct option longs[] = {
	    {"bus", required_argument, NULL, 'b'},	  {"bridges", required_argument, NULL, 'f'},
	    {"run", required_argument, NULL, 'r'},	  {"tor-socket", required_argument, NULL, 't'},
	    {"cookie", required_argument, NULL, 'c'}, {"stall", required_argument, NULL, 's'},
	    {"help", no_argument, NULL, 'h'},	  {"version", no_argument, NULL, 'V'},
	    {0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "hV", longs, NULL)) != -1) {
		switch (option) {
		case 'b':
			options->address = optarg;
			break;
		case 'f':
			options->bridges = optarg;
			break;
		case 'r':
			daemon->run = optarg;
			break;
		case 't':
			daemon->tor_socket = optarg;
			break;
		case 'c':
			daemon->cookie = optarg;
			break;
		case 's':
			if (num_parse_u64(optarg, 3600, &options->stall) < 0 || options->stall == 0) {
				complain(0, "--stall: give seconds from 1 to 3600");
				return EXIT_USAGE;
			}
			break;
		case 'h':
			usage();
			return EXIT_DONE;
		case 'V':
			puts("lethe-connectd " LETHE_VERSION);
			return EXIT_DONE;
		default:
			fputs("Try 'lethe-connectd --help'.\n", stderr);
			return EXIT_USAGE;
		}
	}
	if (optind == argc)
		return -1;
	complain(0, "no arguments are taken. Try 'lethe-connectd --help'");
	return EXIT_USAGE;
}

int64_t daemon_now_ms(void)
{
	struct timespec now = {0};

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

bool daemon_plausible(const struct daemon *daemon)
{
	const time_t now = time(NULL);

	return now >= daemon->built - CLOCK_BEHIND && now <= daemon->built + CLOCK_AHEAD;
}

/* ---- events and actions ---- */

bool daemon_post(struct daemon *daemon, const struct event *event)
{
	struct posted *posted = &daemon->queue[(daemon->first + daemon->count) % QUEUE_MAX];

	if (daemon->count == QUEUE_MAX)
		return false;
	daemon->count++;
	posted->event = *event;
	if (event->kind == EVENT_BOOTSTRAP) {
		snprintf(posted->phase, sizeof(posted->phase), "%s", event->bootstrap.phase);
		posted->event.bootstrap.phase = posted->phase;
	}
	return true;
}

void daemon_drop_tor_events(struct daemon *daemon)
{
	const size_t count = daemon->count;

	daemon->count = 0;
	for (size_t i = 0; i < count; i++) {
		const struct posted posted = daemon->queue[(daemon->first + i) % QUEUE_MAX];
		const enum event_kind kind = posted.event.kind;

		/* What is kept moves forward, to a place that has been read. */
		if (kind != EVENT_BOOTSTRAP && kind != EVENT_RELAY && kind != EVENT_LIVENESS &&
		    kind != EVENT_SKEW)
			daemon->queue[(daemon->first + daemon->count++) % QUEUE_MAX] = posted;
	}
}

static void act(struct daemon *daemon, const struct action *action)
{
	switch (action->kind) {
	case ACTION_TOR:
		tor_set(daemon, action);
		break;
	case ACTION_LEASE_OPEN:
		lease_open(daemon, action->transport);
		break;
	case ACTION_LEASE_CLOSE:
		lease_close(daemon, action->transport);
		break;
	case ACTION_CLOCK:
		clock_ask(daemon, action->network);
		break;
	case ACTION_SETTINGS:
		settings_ask(daemon, action->country);
		break;
	case ACTION_TELL:
		daemon->told = true;
		break;
	}
}

/* A question whose answer the machine does not wait for any more ends at once: nothing is asked on
 * the network that nobody wants to know. */
static void drop_questions(struct daemon *daemon)
{
	const struct machine *machine = &daemon->machine;

	if (daemon->clock >= 0 && daemon->clock_network && machine->step != STEP_CLOCK)
		clock_close(daemon);
	if (daemon->settings.fd >= 0 && machine->step != STEP_SETTINGS)
		settings_close(daemon);
}

static void take_one(struct daemon *daemon, struct event *event)
{
	struct actions actions;

	event->now_ms = daemon_now_ms();
	machine_take(&daemon->machine, event, &actions);
	for (size_t i = 0; i < actions.count; i++)
		act(daemon, &actions.list[i]);
	drop_questions(daemon);
}

void daemon_take_posted(struct daemon *daemon)
{
	for (size_t i = 0; i < TURNS_MAX && daemon->count > 0; i++) {
		struct posted posted = daemon->queue[daemon->first];

		daemon->first = (daemon->first + 1) % QUEUE_MAX;
		daemon->count--;
		if (posted.event.kind == EVENT_BOOTSTRAP)
			posted.event.bootstrap.phase = posted.phase;
		take_one(daemon, &posted.event);
	}
}

void daemon_take(struct daemon *daemon, struct event event)
{
	daemon_take_posted(daemon);
	take_one(daemon, &event);
	daemon_take_posted(daemon);
}

/* ---- the loop ---- */

void daemon_look_at_link(struct daemon *daemon)
{
	bool up = false;
	int r = uplink_drain(daemon->changes);

	if (r == 0)
		r = uplink_ask(daemon->questions, &up);
	/* What cannot be told is not there, and nothing is begun; but no change need come after it by which
	 * it would be told. */
	if (r < 0 && daemon->link_next_ms == 0)
		complain(r, "cannot ask whether there is a network; it is asked again");
	daemon->link_next_ms = r < 0 ? daemon_now_ms() + LINK_AGAIN_MS : 0;
	if (r < 0)
		up = false;
	if (up != daemon->machine.linked)
		daemon_take(daemon, (struct event){.kind = EVENT_LINK, .up = up});
}

static void take_signal(struct daemon *daemon)
{
	struct signalfd_siginfo info;

	if (read(daemon->signals, &info, sizeof(info)) == sizeof(info))
		daemon->ended = true;
}

/* The sooner of @timeout_ms (-1: never) and the time @at_ms (0: never). */
static int sooner(int timeout_ms, int64_t at_ms)
{
	int64_t left = at_ms - daemon_now_ms();

	if (at_ms == 0 || (timeout_ms >= 0 && timeout_ms <= left))
		return timeout_ms;
	return left < 0 ? 0 : left > 60000 ? 60000 : (int)left;
}

enum { WAIT_BUS, WAIT_SIGNALS, WAIT_LINK, WAIT_TOR, WAIT_CLOCK, WAIT_SETTINGS, WAIT_LEASES };
#define WAITS (WAIT_LEASES + TORCTL_TRANSPORT_END)

static int prepare(struct daemon *daemon, struct pollfd wait[static WAITS], int *ret_timeout_ms)
{
	int r = service_answer(daemon->bus);

	if (r == 0 && daemon->told) {
		daemon->told = false;
		r = service_tell(daemon->bus);
	}
	if (r == 0)
		r = service_prepare(daemon->bus, &wait[WAIT_BUS], ret_timeout_ms);
	if (r < 0)
		return r;
	for (size_t i = WAIT_SIGNALS; i < WAITS; i++)
		wait[i] = (struct pollfd){.fd = -EBADF, .events = POLLIN};
	wait[WAIT_SIGNALS].fd = daemon->signals;
	wait[WAIT_LINK].fd = daemon->changes;
	wait[WAIT_CLOCK].fd = daemon->clock;
	wait[WAIT_SETTINGS].fd = daemon->settings.fd;
	if (daemon->torctl)
		wait[WAIT_TOR].fd = torctl_descriptor(daemon->torctl);
	for (size_t i = TORCTL_TRANSPORT_OBFS4; i < TORCTL_TRANSPORT_END; i++)
		wait[WAIT_LEASES + i].fd = daemon->leases[i].fd;
	*ret_timeout_ms = sooner(*ret_timeout_ms, daemon->machine.timer_ms);
	*ret_timeout_ms = sooner(*ret_timeout_ms, daemon->link_next_ms);
	if (!daemon->torctl)
		*ret_timeout_ms = sooner(*ret_timeout_ms, daemon->tor_next_ms);
	return 0;
}

/* A descriptor may have been closed by what was heard before it: it is looked at again. */
static void hear(struct daemon *daemon, const struct pollfd wait[static WAITS])
{
	if (wait[WAIT_LINK].revents)
		daemon_look_at_link(daemon);
	if (wait[WAIT_TOR].revents && daemon->torctl)
		tor_hear(daemon);
	daemon_take_posted(daemon);
	if (wait[WAIT_CLOCK].revents && daemon->clock == wait[WAIT_CLOCK].fd)
		clock_hear(daemon);
	if (wait[WAIT_SETTINGS].revents && daemon->settings.fd == wait[WAIT_SETTINGS].fd)
		settings_hear(daemon);
	for (size_t i = TORCTL_TRANSPORT_OBFS4; i < TORCTL_TRANSPORT_END; i++)
		if (wait[WAIT_LEASES + i].revents &&
		    daemon->leases[i].fd == wait[WAIT_LEASES + i].fd && daemon->leases[i].fd >= 0)
			lease_hear(daemon, (enum torctl_transport)i);
	daemon_take_posted(daemon);
}

static int turn(struct daemon *daemon)
{
	struct pollfd wait[WAITS];
	int timeout = -1, r;

	tor_look(daemon);
	daemon_take_posted(daemon);
	r = prepare(daemon, wait, &timeout);
	if (r < 0)
		return r;
	/* Events that came with an answer are here already, and make nothing readable. */
	if (daemon->count > 0 || daemon->told)
		timeout = 0;
	if (poll(wait, WAITS, timeout) < 0)
		return errno == EINTR ? 0 : neg_errno();
	if (wait[WAIT_SIGNALS].revents)
		take_signal(daemon);
	hear(daemon, wait);
	if (daemon->link_next_ms != 0 && daemon_now_ms() >= daemon->link_next_ms)
		daemon_look_at_link(daemon);
	if (daemon->machine.timer_ms != 0 && daemon_now_ms() >= daemon->machine.timer_ms)
		daemon_take(daemon, (struct event){.kind = EVENT_TIME});
	return 0;
}

/* ---- start and end ---- */

static void read_defaults(struct daemon *daemon, const char *given)
{
	int unknown = defaults_read(given ?: DEFAULT_BRIDGES, &daemon->defaults), more = 0;

	if (!given)
		more = defaults_read_folder(BRIDGES_FOLDER, &daemon->defaults);
	if (unknown < 0 || more < 0)
		complain(unknown < 0 ? unknown : more, "cannot read the system's own bridges");
	else if (unknown + more > 0)
		complain(0, "some lines of the system's own bridges are not understood");
}

/* What this program was built of is no newer than its file, which has the time of the build. */
static time_t time_of_build(void)
{
	struct stat status;

	return stat("/proc/self/exe", &status) == 0 ? status.st_mtim.tv_sec : 0;
}

static int open_all(struct daemon *daemon, const struct options *options)
{
	int r = signals_open(0, &daemon->signals);

	if (r == 0)
		r = uplink_open(&daemon->changes, &daemon->questions);
	if (r < 0) {
		complain(r, "cannot start");
		return r;
	}
	read_defaults(daemon, options->bridges);
	daemon->built = time_of_build();
	machine_init(&daemon->machine, (int64_t)options->stall * 1000, &daemon->defaults);
	r = service_open(daemon, options->address, &daemon->bus);
	if (r < 0)
		complain(r, "cannot offer " CONNECT_BUS_NAME " on the bus");
	return r;
}

/* No right, no file for writing, no socket but to doors here, and no core that holds bridges. */
static int lock_in(void)
{
	const struct rlimit none = {0};
	int r;

	if (prctl(PR_SET_DUMPABLE, 0) < 0 || setrlimit(RLIMIT_CORE, &none) < 0)
		return neg_errno();
	r = sandbox_keep_no_capability();
	return r < 0 ? r : sandbox_calling();
}

/* Where nobody waits to be told, nothing is. */
static void say_ready(void)
{
	AUTO_CLOSE int fd = -EBADF;
	int r = notify_open(&fd);

	if (r == 0)
		r = notify_send(fd, "READY=1");
	if (r < 0 && r != -ENOENT)
		complain(r, "cannot tell the service manager that it is ready");
}

/* What is connected stays so for the daemon after this one; what is not, is shut. */
static void leave(struct daemon *daemon)
{
	if (daemon->machine.state != STATE_CONNECTED)
		tor_set(daemon, &(struct action){.kind = ACTION_TOR});
}

static int serve(struct daemon *daemon, const struct options *options)
{
	int r = open_all(daemon, options);

	if (r < 0)
		return EXIT_FAILED;
	say_ready();
	r = lock_in();
	if (r < 0) {
		complain(r, "cannot give up its rights");
		return EXIT_FAILED;
	}
	daemon_look_at_link(daemon);
	while (r == 0 && !daemon->ended)
		r = turn(daemon);
	leave(daemon);
	if (r < 0)
		complain(r, "the message bus is gone");
	return r < 0 ? EXIT_FAILED : EXIT_DONE;
}

int main(int argc, char **argv)
{
	static struct daemon daemon = {
	    .run = DEFAULT_RUN,
	    .clock = -EBADF,
	    .changes = -EBADF,
	    .questions = -EBADF,
	    .signals = -EBADF,
	    .settings = {.fd = -EBADF},
	};
	struct options options = {.stall = STALL_SECONDS};
	int r;

	for (size_t i = 0; i < TORCTL_TRANSPORT_END; i++)
		daemon.leases[i].fd = -EBADF;
	r = parse_options(argc, argv, &daemon, &options);
	if (r >= 0)
		return r;
	r = serve(&daemon, &options);
	for (int i = TORCTL_TRANSPORT_OBFS4; i < TORCTL_TRANSPORT_END; i++)
		lease_close(&daemon, (enum torctl_transport)i);
	clock_close(&daemon);
	settings_close(&daemon);
	tor_close(&daemon);
	service_free(daemon.bus);
	closep(&daemon.signals);
	closep(&daemon.changes);
	closep(&daemon.questions);
	explicit_bzero(&daemon, sizeof(daemon));
	return r;
}

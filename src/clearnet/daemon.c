/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * lethe-clearnetd: whoever sits at the computer asks it over the bus for a program in the namespace
 * `clearnet`; it lets one at a time be started, of those that are allowed, and has no right itself.
 */
#include <getopt.h>
#include <string.h>

#include <os/notify.h>
#include <os/sandbox.h>
#include <os/signals.h>

#include "bus.h"

enum { EXIT_DONE = 0, EXIT_USAGE = 2, EXIT_FAILED = 3 };

struct settings {
	const char *programs, *sockets, *cmdline, *address;
};

static void complain(int error, const char *what)
{
	fprintf(stderr, "lethe-clearnetd: %s%s%s\n", what, error < 0 ? ": " : "",
		error < 0 ? strerror(-error) : "");
}

static void usage(void)
{
	fputs("Usage: lethe-clearnetd [OPTION]...\n"
	      "Start allowed programs in the namespace `clearnet`, for whoever sits here.\n"
	      "\n"
	      "      --programs=FOLDER  what may be started (" DOOR_PROGRAMS ")\n"
	      "      --sockets=FOLDER   where the service manager listens (" DOOR_SOCKETS ")\n"
	      "      --cmdline=FILE     the kernel's, which may disable it (" DOOR_CMDLINE ")\n"
	      "      --bus=ADDRESS      another bus than the system's\n"
	      "  -h, --help             this text\n"
	      "  -V, --version          print the version\n"
	      "\n"
	      "Exit status: 0 it was asked to end, 2 wrong usage, 3 the system refused.\n",
	      stdout);
}

/* Returns -1 to go on, or the exit status. */
static int parse_options(int argc, char **argv, struct settings *settings)
{
	static const struct option longs[] = {
	    {"programs", required_argument, NULL, 'p'},
	    {"sockets", required_argument, NULL, 's'},
	    {"cmdline", required_argument, NULL, 'c'},
	    {"bus", required_argument, NULL, 'b'},
	    {"help", no_argument, NULL, 'h'},
	    {"version", no_argument, NULL, 'V'},
	    {0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "hV", longs, NULL)) != -1) {
		switch (option) {
		case 'p':
			settings->programs = optarg;
			break;
		case 's':
			settings->sockets = optarg;
			break;
		case 'c':
			settings->cmdline = optarg;
			break;
		case 'b':
			settings->address = optarg;
			break;
		case 'h':
			usage();
			return EXIT_DONE;
		case 'V':
			puts("lethe-clearnetd " LETHE_VERSION);
			return EXIT_DONE;
		default:
			fputs("Try 'lethe-clearnetd --help'.\n", stderr);
			return EXIT_USAGE;
		}
	}
	if (optind == argc)
		return -1;
	complain(0, "no arguments are taken. Try 'lethe-clearnetd --help'");
	return EXIT_USAGE;
}

static void say_ready(const struct door *door)
{
	AUTO_CLOSE int fd = -EBADF;
	int r = notify_open(&fd);

	if (r == 0)
		r = notify_send(fd, door->enabled ? "READY=1\nSTATUS=enabled\n"
						  : "READY=1\nSTATUS=disabled at the start\n");
	if (r < 0 && r != -ENOENT)
		complain(r, "cannot tell the service manager that it is ready");
}

static int take_lease(struct bus *bus, struct door *door)
{
	enum door_event event;
	int r = 0;

	while (r == 0 && (event = door_take(door)) != DOOR_NOTHING)
		r = bus_tell(bus, event);
	return r;
}

static int turn(struct bus *bus, struct door *door, int signals, bool *ret_end)
{
	struct pollfd wait[3] = {[1] = {.fd = signals, .events = POLLIN}};
	int timeout = -1, r = bus_answer(bus);

	if (r == 0)
		r = bus_prepare(bus, &wait[0], &timeout);
	if (r < 0)
		return r;
	wait[2] = (struct pollfd){.fd = door->lease, .events = POLLIN};
	if (poll(wait, ARRAY_SIZE(wait), timeout) < 0)
		return errno == EINTR ? 0 : neg_errno();
	*ret_end = wait[1].revents != 0;
	return wait[2].revents ? take_lease(bus, door) : 0;
}

static int serve(const struct settings *settings)
{
	CLEANUP(bus_freep) struct bus *bus = NULL;
	AUTO_CLOSE int signals = -EBADF;
	struct door door = {.programs = settings->programs,
			    .sockets = settings->sockets,
			    .enabled = door_is_enabled(settings->cmdline),
			    .lease = -EBADF,
			    .exit = DOOR_NO_EXIT};
	bool end = false;
	int r = sandbox_keep_no_capability();

	if (r == 0)
		r = signals_open(0, &signals);
	if (r == 0)
		r = bus_open(settings->address, &bus);
	if (r == 0)
		r = bus_offer(bus, &door);
	if (r < 0) {
		complain(r, "cannot offer " BUS_NAME " on the bus");
		return EXIT_FAILED;
	}
	say_ready(&door);
	while (r == 0 && !end)
		r = turn(bus, &door, signals, &end);
	/* The program ends with the lease. */
	closep(&door.lease);
	if (r < 0)
		complain(r, "the message bus is gone");
	return r < 0 ? EXIT_FAILED : EXIT_DONE;
}

int main(int argc, char **argv)
{
	struct settings settings = {
	    .programs = DOOR_PROGRAMS, .sockets = DOOR_SOCKETS, .cmdline = DOOR_CMDLINE};
	int r = parse_options(argc, argv, &settings);

	return r >= 0 ? r : serve(&settings);
}

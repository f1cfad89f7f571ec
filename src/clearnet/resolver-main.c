/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * lethe-resolver: writes the resolvers of the network, as NetworkManager knows them, where programs
 * in the namespaces find them. The system itself never asks them.
 */
#include <fcntl.h>
#include <getopt.h>
#include <string.h>

#include <os/notify.h>
#include <os/sandbox.h>
#include <os/signals.h>

#include "bus.h"

#define FOLDER "/run/lethe-resolver"

enum { EXIT_DONE = 0, EXIT_USAGE = 2, EXIT_FAILED = 3 };

static void complain(int error, const char *what)
{
	fprintf(stderr, "lethe-resolver: %s%s%s\n", what, error < 0 ? ": " : "",
		error < 0 ? strerror(-error) : "");
}

static void usage(void)
{
	fputs("Usage: lethe-resolver [OPTION]...\n"
	      "Write the network's resolvers to resolv.conf in a folder, whenever they change.\n"
	      "\n"
	      "      --folder=FOLDER  the folder (" FOLDER ")\n"
	      "      --bus=ADDRESS    another bus than the system's\n"
	      "  -h, --help           this text\n"
	      "  -V, --version        print the version\n"
	      "\n"
	      "Exit status: 0 it was asked to end, 2 wrong usage, 3 the system refused.\n",
	      stdout);
}

struct settings {
	const char *folder, *address;
};

/* Returns -1 to go on, or the exit status. */
static int parse_options(int argc, char **argv, struct settings *settings)
{
	static const struct option longs[] = {
	    {"folder", required_argument, NULL, 'f'},
	    {"bus", required_argument, NULL, 'b'},
	    {"help", no_argument, NULL, 'h'},
	    {"version", no_argument, NULL, 'V'},
	    {0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "hV", longs, NULL)) != -1) {
		switch (option) {
		case 'f':
			settings->folder = optarg;
			break;
		case 'b':
			settings->address = optarg;
			break;
		case 'h':
			usage();
			return EXIT_DONE;
		case 'V':
			puts("lethe-resolver " LETHE_VERSION);
			return EXIT_DONE;
		default:
			fputs("Try 'lethe-resolver --help'.\n", stderr);
			return EXIT_USAGE;
		}
	}
	if (optind == argc)
		return -1;
	complain(0, "no arguments are taken. Try 'lethe-resolver --help'");
	return EXIT_USAGE;
}

/* @written: what the file holds. What cannot be told leaves nobody to ask: those of another network
 * must not be asked in this one. */
static int renew(struct bus *bus, int folder, struct buf *written)
{
	AUTO_BUF struct buf text = {.cap = RESOLVERS_TEXT_MAX};
	struct resolvers resolvers = {0};
	int r = bus_network_resolvers(bus, &resolvers);

	if (r < 0) {
		complain(r, "cannot ask NetworkManager");
		resolvers.count = 0;
	}
	resolvers_print(&resolvers, &text);
	r = buf_finish(&text);
	if (r < 0 || (written->cap > 0 && strcmp(buf_text(&text), buf_text(written)) == 0))
		return r;
	r = resolvers_write(folder, buf_text(&text));
	if (r < 0)
		return r;
	buf_done(written);
	written->cap = RESOLVERS_TEXT_MAX;
	buf_puts(written, buf_text(&text));
	return buf_finish(written);
}

static int turn(struct bus *bus, int folder, int signals, struct buf *written, bool *ret_end)
{
	struct pollfd wait[2] = {[1] = {.fd = signals, .events = POLLIN}};
	int timeout = -1, r = bus_answer(bus);

	if (r == 0 && bus_network_changed(bus)) {
		r = renew(bus, folder, written);
		/* While it waited for an answer, more may have come. */
		return r;
	}
	if (r == 0)
		r = bus_prepare(bus, &wait[0], &timeout);
	if (r < 0)
		return r;
	if (poll(wait, ARRAY_SIZE(wait), timeout) < 0 && errno != EINTR)
		return neg_errno();
	*ret_end = wait[1].revents != 0;
	return 0;
}

static int serve(const struct settings *settings)
{
	CLEANUP(bus_freep) struct bus *bus = NULL;
	AUTO_BUF struct buf written = {0};
	AUTO_CLOSE int folder = -EBADF, signals = -EBADF, manager = -EBADF;
	bool end = false;
	int r = sandbox_keep_no_capability();

	folder = open(settings->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (r == 0 && folder < 0)
		r = neg_errno();
	if (r == 0)
		r = signals_open(0, &signals);
	if (r == 0)
		r = bus_open(settings->address, &bus);
	if (r == 0)
		r = bus_network_listen(bus);
	if (r == 0)
		r = renew(bus, folder, &written);
	if (r < 0) {
		complain(r, "cannot start");
		return EXIT_FAILED;
	}
	if (notify_open(&manager) == 0 && notify_send(manager, "READY=1\n") < 0)
		complain(0, "cannot tell the service manager that it is ready");
	while (r == 0 && !end)
		r = turn(bus, folder, signals, &written, &end);
	if (r < 0) {
		complain(r, "ended");
		/* Nobody would tell when these become wrong. */
		if (resolvers_write(folder, "") < 0)
			complain(0, "cannot empty the file");
	}
	return r < 0 ? EXIT_FAILED : EXIT_DONE;
}

int main(int argc, char **argv)
{
	struct settings settings = {.folder = FOLDER};
	int r = parse_options(argc, argv, &settings);

	return r >= 0 ? r : serve(&settings);
}

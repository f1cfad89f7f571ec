/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * lethe-resolver: writes the resolvers of the network, as NetworkManager knows them, where programs
 * in the namespaces find them. The system itself never asks them.
 */
#include <fcntl.h>
#include <getopt.h>
#include <string.h>
#include <time.h>

#include <os/notify.h>
#include <os/sandbox.h>
#include <os/signals.h>

#include "bus.h"

#define FOLDER "/run/lethe-resolver"

/* After a question that failed: each time twice as long as before. */
#define AGAIN_FIRST_MS 250
#define AGAIN_MOST_MS  60000

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

struct follower {
	struct bus *bus;
	int folder, signals;
	struct buf written; /* what the file holds; without a cap, nobody knows */
	uint64_t again;     /* when to ask again, in CLOCK_MONOTONIC; 0: when something changes */
	unsigned wait_ms;   /* how long it was waited the last time */
};

static uint64_t now_ms(void)
{
	struct timespec now = {0};

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static int put(struct follower *follower, const char *text)
{
	int r;

	if (follower->written.cap > 0 && strcmp(text, buf_text(&follower->written)) == 0)
		return 0;
	buf_done(&follower->written);
	follower->written.cap = 0;
	r = resolvers_write(follower->folder, text);
	if (r < 0)
		return r;
	follower->written.cap = RESOLVERS_TEXT_MAX;
	buf_puts(&follower->written, text);
	return buf_finish(&follower->written);
}

/* What cannot be told leaves nobody to ask: those of another network must not be asked in this one.
 * It need not change again before it can be told, so it is asked for again. */
static int renew(struct follower *follower)
{
	AUTO_BUF struct buf text = {.cap = RESOLVERS_TEXT_MAX};
	struct resolvers resolvers = {0};
	int r = bus_network_resolvers(follower->bus, &resolvers);

	if (r < 0) {
		complain(r, "cannot ask NetworkManager");
		resolvers.count = 0;
		follower->wait_ms = follower->wait_ms == 0 ? AGAIN_FIRST_MS : 2 * follower->wait_ms;
		if (follower->wait_ms > AGAIN_MOST_MS)
			follower->wait_ms = AGAIN_MOST_MS;
		follower->again = now_ms() + follower->wait_ms;
	} else {
		follower->wait_ms = 0;
		follower->again = 0;
	}
	resolvers_print(&resolvers, &text);
	r = buf_finish(&text);
	return r < 0 ? r : put(follower, buf_text(&text));
}

static int turn(struct follower *follower, bool *ret_end)
{
	struct pollfd wait[2] = {[1] = {.fd = follower->signals, .events = POLLIN}};
	uint64_t now = now_ms();
	int timeout = -1, r = bus_answer(follower->bus);

	/* While it waits for an answer, more may come. */
	if (r == 0 &&
	    (bus_network_changed(follower->bus) || (follower->again > 0 && now >= follower->again)))
		return renew(follower);
	if (r == 0)
		r = bus_prepare(follower->bus, &wait[0], &timeout);
	if (r < 0)
		return r;
	if (follower->again > 0 && (timeout < 0 || (uint64_t)timeout > follower->again - now))
		timeout = (int)(follower->again - now);
	if (poll(wait, ARRAY_SIZE(wait), timeout) < 0 && errno != EINTR)
		return neg_errno();
	*ret_end = wait[1].revents != 0;
	return 0;
}

static int prepare(struct follower *follower, const struct settings *settings)
{
	int r = sandbox_keep_no_capability();

	follower->folder = open(settings->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (r == 0 && follower->folder < 0)
		r = neg_errno();
	/* What one before this has left, which was killed. */
	if (r == 0)
		r = put(follower, "");
	if (r == 0)
		r = signals_open(0, &follower->signals);
	if (r == 0)
		r = bus_open(settings->address, &follower->bus);
	if (r == 0)
		r = bus_network_listen(follower->bus);
	return r < 0 ? r : renew(follower);
}

static int follow(struct follower *follower)
{
	AUTO_CLOSE int manager = -EBADF;
	bool end = false;
	int r = 0;

	if (notify_open(&manager) == 0 && notify_send(manager, "READY=1\n") < 0)
		complain(0, "cannot tell the service manager that it is ready");
	while (r == 0 && !end)
		r = turn(follower, &end);
	/* Nobody would tell when these become wrong. */
	if (resolvers_write(follower->folder, "") < 0)
		complain(0, "cannot empty the file");
	return r;
}

static int serve(const struct settings *settings)
{
	struct follower follower = {.folder = -EBADF, .signals = -EBADF};
	int r = prepare(&follower, settings);

	if (r < 0) {
		complain(r, "cannot start");
	} else {
		r = follow(&follower);
		if (r < 0)
			complain(r, "ended");
	}
	bus_free(follower.bus);
	buf_done(&follower.written);
	closep(&follower.folder);
	closep(&follower.signals);
	return r < 0 ? EXIT_FAILED : EXIT_DONE;
}

int main(int argc, char **argv)
{
	struct settings settings = {.folder = FOLDER};
	int r = parse_options(argc, argv, &settings);

	return r >= 0 ? r : serve(&settings);
}

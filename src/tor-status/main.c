/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * lethe-tor-status: asks Tor, through lethe-gate, how it is, and prints that as one JSON object. Runs
 * without any right behind the door /run/lethe/status/tor, and reads nothing from who asks.
 */
#include "status.h"

#include <getopt.h>
#include <string.h>

#include <base/num.h>
#include <os/sandbox.h>

#define DEFAULT_SOCKET  "/run/lethe/tor/control"
#define DEFAULT_SECONDS 12 /* less than who asks at the door waits */
#define SECONDS_MAX     3600
#define OUTPUT_MAX      16384

enum { EXIT_RUNNING = 0, EXIT_NOT_RUNNING = 1, EXIT_USAGE = 2, EXIT_FAILED = 3 };

struct options {
	const char *socket;
	const char *cookie; /* NULL: who listens is the gate, and wants none */
	unsigned seconds;
	bool done; /* --help or --version: nothing else is to be done */
};

static void usage(void)
{
	fputs("Usage: lethe-tor-status [OPTION]...\n"
	      "Ask Tor how it is, and print one JSON object.\n"
	      "\n"
	      "      --socket=FILE   lethe-gate's socket (" DEFAULT_SOCKET ")\n"
	      "      --cookie=FILE   that is Tor's own, and this its cookie\n"
	      "      --wait=SECONDS  how long Tor may take to answer (12)\n"
	      "  -j, --json          as always; accepted as other commands do\n"
	      "  -h, --help          this text\n"
	      "  -V, --version       print the version\n"
	      "\n"
	      "Exit status: 0 Tor runs, 1 it does not or did not answer, 2 wrong usage,\n"
	      "3 the system refused.\n",
	      stdout);
}

static int parse_seconds(const char *text, unsigned *ret_seconds)
{
	uint64_t value;

	if (num_parse_u64(text, SECONDS_MAX, &value) < 0 || value == 0) {
		fprintf(stderr, "lethe-tor-status: --wait: give seconds from 1 to %d\n",
			SECONDS_MAX);
		return EXIT_USAGE;
	}
	*ret_seconds = (unsigned)value;
	return 0;
}

/* Returns 0 or the exit status. */
static int parse_options(int argc, char **argv, struct options *options)
{
	static const struct option longs[] = {
	    {"socket", required_argument, NULL, 's'},
	    {"cookie", required_argument, NULL, 'c'},
	    {"wait", required_argument, NULL, 'w'},
	    {"json", no_argument, NULL, 'j'},
	    {"help", no_argument, NULL, 'h'},
	    {"version", no_argument, NULL, 'V'},
	    {0},
	};
	int option, r;

	while ((option = getopt_long(argc, argv, "jhV", longs, NULL)) != -1) {
		switch (option) {
		case 's':
			options->socket = optarg;
			break;
		case 'c':
			options->cookie = optarg;
			break;
		case 'w':
			r = parse_seconds(optarg, &options->seconds);
			if (r != 0)
				return r;
			break;
		case 'j':
			break;
		case 'h':
			usage();
			options->done = true;
			return 0;
		case 'V':
			puts("lethe-tor-status " LETHE_VERSION);
			options->done = true;
			return 0;
		default:
			fputs("Try 'lethe-tor-status --help'.\n", stderr);
			return EXIT_USAGE;
		}
	}
	if (optind < argc) {
		fprintf(stderr,
			"lethe-tor-status: '%s' is not an option. "
			"Try 'lethe-tor-status --help'\n",
			argv[optind]);
		return EXIT_USAGE;
	}
	return 0;
}

static int print(const struct tor_status *status)
{
	AUTO_BUF struct buf out = {.cap = OUTPUT_MAX};

	tor_status_json(status, &out);
	if (buf_finish(&out) < 0 || fwrite(out.data, 1, out.len, stdout) != out.len ||
	    fflush(stdout)) {
		fputs("lethe-tor-status: cannot write the answer\n", stderr);
		return EXIT_FAILED;
	}
	return status->running ? EXIT_RUNNING : EXIT_NOT_RUNNING;
}

/* By the cookie, or, at the gate, by what the kernel says of this process. */
static int authenticate(struct torctl *torctl, int cookie)
{
	const struct torctl_reply *reply;
	int r;

	if (cookie >= 0)
		return torctl_authenticate(torctl, cookie);
	r = torctl_command(torctl, "AUTHENTICATE", &reply);
	if (r < 0)
		return r;
	return tor_status_greeting(&reply->lines[0]);
}

/* Whether who listens is not there because Tor is not, or the gate. */
static int nobody_listens(const struct options *options, int error)
{
	return !options->cookie && (error == -ENOENT || error == -ECONNREFUSED) ? -EHOSTDOWN : error;
}

/* All that is opened is opened first, so that what Tor says meets a process that can open nothing.
 */
static int report(const struct options *options)
{
	CLEANUP(torctl_closep) struct torctl *torctl = NULL;
	AUTO_CLOSE int cookie = -EBADF;
	struct tor_status status = {0};
	const char *step = options->socket;
	int r = torctl_open(options->socket, options->seconds * 1000, &torctl), boxed;

	if (r == 0 && options->cookie) {
		step = options->cookie;
		r = torctl_cookie_open(options->cookie, &cookie);
		/* Tor listens a moment before it has written the cookie. */
		if (r == -ENOENT)
			r = -EINPROGRESS;
	}
	r = nobody_listens(options, r);
	boxed = sandbox_opened_only();
	if (boxed < 0) {
		fprintf(stderr, "lethe-tor-status: cannot restrict system calls: %s\n",
			strerror(-boxed));
		return EXIT_FAILED;
	}
	if (r == 0) {
		step = options->cookie ? "while authenticating" : "says lethe-gate";
		r = authenticate(torctl, cookie);
	}
	if (r == 0) {
		step = "while asking how it is";
		r = tor_status_ask(torctl, &status);
	}
	if (r < 0)
		status = tor_status_failed(step, r);
	return print(&status);
}

int main(int argc, char **argv)
{
	struct options options = {.socket = DEFAULT_SOCKET, .seconds = DEFAULT_SECONDS};
	int r = parse_options(argc, argv, &options);

	return r != 0 || options.done ? r : report(&options);
}

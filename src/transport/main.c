/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * lethe-transport: runs one of Tor's pluggable transports in a network namespace of its own, and
 * hands on to it what Tor connects to a port of the host. Started for a lease, and gone with it.
 */
#include "given.h"
#include "session.h"

#include <fcntl.h>
#include <getopt.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include <base/num.h>
#include <os/sandbox.h>

#define DEFAULT_STATE   "/run/lethe-transport/"
#define DEFAULT_SECONDS 60
#define SECONDS_MAX     3600
#define LEASE_NAME      "lease"
#define PORT_NAME       "port"

enum { EXIT_GIVEN_BACK = 0, EXIT_NO_TRANSPORT = 1, EXIT_USAGE = 2, EXIT_REFUSED = 3 };

static const struct {
	const char *name, *program, *state;
} transports[] = {
    {"obfs4", "/usr/bin/obfs4proxy", DEFAULT_STATE "obfs4"},
    {"meek_lite", "/usr/bin/obfs4proxy", DEFAULT_STATE "meek_lite"},
    {"snowflake", "/usr/bin/snowflake-client", DEFAULT_STATE "snowflake"},
};

struct options {
	const char *name, *program, *state;
	unsigned seconds;
	bool done; /* --help or --version: nothing else is to be done */
};

static void usage(void)
{
	fputs("Usage: lethe-transport [OPTION]... NAME\n"
	      "Run a pluggable transport of Tor, and hand Tor's connections on to it.\n"
	      "NAME is obfs4, meek_lite or snowflake.\n"
	      "\n"
	      "      --program=FILE  what is run (what Debian has for NAME)\n"
	      "      --state=FOLDER  where it may write (" DEFAULT_STATE "NAME)\n"
	      "      --wait=SECONDS  how long it may take to become ready (60)\n"
	      "  -j, --json          as always; accepted as other commands do\n"
	      "  -h, --help          this text\n"
	      "  -V, --version       print the version\n"
	      "\n"
	      "Exit status: 0 the lease was given back, 1 the transport cannot be had or has\n"
	      "ended, 2 wrong usage, 3 the system refused.\n",
	      stdout);
}

static int wrong(const char *what, const char *why)
{
	fprintf(stderr, "lethe-transport: '%s' %s. Try 'lethe-transport --help'\n", what, why);
	return EXIT_USAGE;
}

static int parse_seconds(const char *text, unsigned *ret_seconds)
{
	uint64_t value;

	if (num_parse_u64(text, SECONDS_MAX, &value) < 0 || value == 0) {
		fprintf(stderr, "lethe-transport: --wait: give seconds from 1 to %d\n",
			SECONDS_MAX);
		return EXIT_USAGE;
	}
	*ret_seconds = (unsigned)value;
	return 0;
}

/* Returns 0 or the exit status. */
static int parse_name(int argc, char **argv, struct options *options)
{
	if (optind == argc) {
		fputs("lethe-transport: which transport? Try 'lethe-transport --help'\n", stderr);
		return EXIT_USAGE;
	}
	if (optind + 1 < argc)
		return wrong(argv[optind + 1], "is one too many");
	for (size_t i = 0; i < ARRAY_SIZE(transports); i++) {
		if (strcmp(argv[optind], transports[i].name) != 0)
			continue;
		options->name = transports[i].name;
		if (!options->program)
			options->program = transports[i].program;
		if (!options->state)
			options->state = transports[i].state;
		return 0;
	}
	return wrong(argv[optind], "is no transport that is known here");
}

/* Returns 0 or the exit status. */
static int parse_options(int argc, char **argv, struct options *options)
{
	static const struct option longs[] = {
	    {"program", required_argument, NULL, 'p'},
	    {"state", required_argument, NULL, 's'},
	    {"wait", required_argument, NULL, 'w'},
	    {"json", no_argument, NULL, 'j'},
	    {"help", no_argument, NULL, 'h'},
	    {"version", no_argument, NULL, 'V'},
	    {0},
	};
	int option, r;

	while ((option = getopt_long(argc, argv, "jhV", longs, NULL)) != -1) {
		switch (option) {
		case 'p':
			options->program = optarg;
			break;
		case 's':
			options->state = optarg;
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
			puts("lethe-transport " LETHE_VERSION);
			options->done = true;
			return 0;
		default:
			fputs("Try 'lethe-transport --help'.\n", stderr);
			return EXIT_USAGE;
		}
	}
	return parse_name(argc, argv, options);
}

static int refused(const char *step, int r)
{
	fprintf(stderr, "lethe-transport: %s: %s\n", step, strerror(-r));
	return EXIT_REFUSED;
}

static int cookie_of(int fd, uint64_t *ret_cookie)
{
	socklen_t size = sizeof(*ret_cookie);

	return getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, ret_cookie, &size) < 0 ? neg_errno() : 0;
}

/* The transport must not share the network of whoever connects to @listener: its own port, open to
 * all there, would be a way out for everybody. */
static int is_elsewhere(int listener)
{
	AUTO_CLOSE int own = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	uint64_t here = 0, there = 0;
	int r = own < 0 ? neg_errno() : cookie_of(own, &here);

	r = r < 0 ? r : cookie_of(listener, &there);
	return r < 0 ? r : here == there ? -EXDEV : 0;
}

/* The two sockets that were handed over. Returns 0 or the exit status. */
static int find_sockets(int *ret_lessor, int *ret_listener)
{
	const struct given given = {
	    .count = getenv("LISTEN_FDS"),
	    .pid = getenv("LISTEN_PID"),
	    .names = getenv("LISTEN_FDNAMES"),
	};
	int r = given_find(&given, (uint64_t)getpid(), LEASE_NAME, ret_lessor);

	r = r < 0 ? r : given_find(&given, (uint64_t)getpid(), PORT_NAME, ret_listener);
	if (r < 0)
		return refused("the sockets 'lease' and 'port' are handed over by its unit", r);
	if (!given_listens(*ret_lessor, AF_UNIX) || !given_listens(*ret_listener, AF_INET))
		return refused("these are other sockets", -EINVAL);
	r = is_elsewhere(*ret_listener);
	return r < 0 ? refused("it must not run in the network namespace of its port", r) : 0;
}

/* The transport runs, and what it says is read, only by a process that can do little. */
static int lend(const struct options *options, const struct session_sockets *sockets)
{
	struct child child = {-EBADF, -EBADF, -EBADF};
	enum session_end end;
	int r;

	session_tell_state(sockets->lease, "starting");
	r = child_start(options->program, options->name, options->state, &child);
	if (r < 0) {
		session_tell_failed(sockets->lease, SESSION_NOT_STARTED);
		fprintf(stderr, "lethe-transport: %s: %s\n", options->program, strerror(-r));
		return EXIT_NO_TRANSPORT;
	}
	r = sandbox_relaying(child.process);
	if (r < 0) {
		session_tell_failed(sockets->lease, SESSION_BROKEN);
		child_end(&child);
		return refused("cannot restrict system calls", r);
	}
	end = session_run(sockets, &child, options->name, options->seconds * 1000);
	child_end(&child);
	return end == SESSION_RETURNED ? EXIT_GIVEN_BACK : EXIT_NO_TRANSPORT;
}

static int serve(const struct options *options)
{
	struct session_sockets sockets = {-EBADF, -EBADF};
	AUTO_CLOSE int lessor = -EBADF, lease = -EBADF, listener = -EBADF;
	int r = sandbox_keep_no_capability(), status;

	if (r < 0)
		return refused("cannot give up capabilities", r);
	/* The transport runs as the same user: it shall not reach into this process for its
	 * sockets. */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return refused("cannot shut itself off", neg_errno());
	status = find_sockets(&lessor, &listener);
	if (status != 0)
		return status;
	if (fcntl(lessor, F_SETFL, O_NONBLOCK) < 0 || fcntl(listener, F_SETFL, O_NONBLOCK) < 0)
		return refused("cannot go on without waiting", neg_errno());
	lease = accept4(lessor, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (lease < 0)
		return refused("nobody asks for it", neg_errno());
	/* Who asks next waits there for the next process. */
	close(TAKE_FD(lessor));
	sockets = (struct session_sockets){lease, listener};
	return lend(options, &sockets);
}

int main(int argc, char **argv)
{
	struct options options = {.seconds = DEFAULT_SECONDS};
	int r = parse_options(argc, argv, &options);

	return r != 0 || options.done ? r : serve(&options);
}

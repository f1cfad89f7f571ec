/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * lethe-clockd: the judge. Takes requests at the door /run/lethe/clock/ask, its standard input, one
 * after the other; has the network or Tor asked, decides, and has the clock set. It has no right and no
 * network, opens no file, and remembers in memory alone what it was told.
 */
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <os/sandbox.h>
#include <os/sandbox_clock.h>

#include "ask.h"
#include "peer.h"
#include "status.h"
#include "words.h"

#define REQUEST_TIME (5 * CLOCK_NS) /* from a connection to its request */
#define FRESH	     STATUS_NAME ".new"

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

struct daemon {
	const char *fetch, *set, *tor, *folder_name, *build;
	int folder;
	bool has_floor;
	struct judge_session session;
	struct status status;
};

static void complain(int error, const char *what)
{
	fprintf(stderr, "lethe-clockd: %s%s%s\n", what, error < 0 ? ": " : "",
		error < 0 ? strerror(-error) : "");
}

static void usage(void)
{
	fputs("Usage: lethe-clockd [OPTION]...\n"
	      "Judge what time it is, when somebody asks at the socket that is standard input:\n"
	      "by the network, or by Tor's consensus; and have the clock set.\n"
	      "\n"
	      "      --fetch=SOCKET   who asks the network (" ASK_FETCH ")\n"
	      "      --set=SOCKET     who sets the clock (" ASK_SET ")\n"
	      "      --tor=SOCKET     the gate to Tor (" ASK_TOR ")\n"
	      "      --status=FOLDER  where it says what was done (" STATUS_FOLDER ")\n"
	      "      --build=FILE     when this system was built\n"
	      "                       (" CLOCK_BUILD_DATE ")\n"
	      "  -h, --help           this text\n"
	      "  -V, --version        print the version\n"
	      "\n"
	      "Exit status: 0 help or version, 1 it failed, 2 wrong usage.\n",
	      stdout);
}

/* Returns -1 to go on, or the exit status. */
static int parse_options(int argc, char **argv, struct daemon *daemon)
{
	static const struct option longs[] = {
	    {"fetch", required_argument, NULL, 'f'}, {"set", required_argument, NULL, 's'},
	    {"tor", required_argument, NULL, 't'},   {"status", required_argument, NULL, 'o'},
	    {"build", required_argument, NULL, 'b'}, {"help", no_argument, NULL, 'h'},
	    {"version", no_argument, NULL, 'V'},     {0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "hV", longs, NULL)) != -1) {
		switch (option) {
		case 'f':
			daemon->fetch = optarg;
			break;
		case 's':
			daemon->set = optarg;
			break;
		case 't':
			daemon->tor = optarg;
			break;
		case 'o':
			daemon->folder_name = optarg;
			break;
		case 'b':
			daemon->build = optarg;
			break;
		case 'h':
			usage();
			return EXIT_DONE;
		case 'V':
			puts("lethe-clockd " LETHE_VERSION);
			return EXIT_DONE;
		default:
			fputs("Try 'lethe-clockd --help'.\n", stderr);
			return EXIT_USAGE;
		}
	}
	if (optind == argc)
		return -1;
	complain(0, "no arguments are taken. Try 'lethe-clockd --help'");
	return EXIT_USAGE;
}

/* ---- the status ---- */

/* 0 or -errno: then the file is as it was. */
static int replace(int folder, const struct buf *out)
{
	AUTO_CLOSE int fd = -EBADF;

	if (unlinkat(folder, FRESH, 0) < 0 && errno != ENOENT)
		return neg_errno();
	fd = openat(folder, FRESH, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (fd < 0)
		return neg_errno();
	if (fchmod(fd, 0640) < 0 || write(fd, out->data, out->len) != (ssize_t)out->len ||
	    renameat(folder, FRESH, folder, STATUS_NAME) < 0)
		return neg_errno();
	return 0;
}

/* What cannot be told anew is not left to tell something old. */
static void tell(const struct daemon *daemon)
{
	AUTO_BUF struct buf out = {.cap = STATUS_BYTES_MAX};
	int r;

	status_write(&daemon->status, &out);
	r = buf_finish(&out);
	if (r == 0)
		r = replace(daemon->folder, &out);
	if (r < 0) {
		(void)!unlinkat(daemon->folder, STATUS_NAME, 0);
		complain(r, "cannot say what was done");
	}
}

static void note(struct daemon *daemon, const char *mode, const struct judge_verdict *verdict)
{
	struct status *status = &daemon->status;

	snprintf(status->mode, sizeof(status->mode), "%s", mode);
	snprintf(status->outcome, sizeof(status->outcome), "%s", words_outcome(verdict->outcome));
	snprintf(status->reason, sizeof(status->reason), "%s", words_reason(verdict->reason));
	status->captive = verdict->captive;
	status->difference = request_difference(verdict);
	status->boottime = clock_now().boot / CLOCK_NS;
	tell(daemon);
}

/* ---- one request ---- */

static struct judge_verdict kept(enum judge_reason reason)
{
	return (struct judge_verdict){.outcome = JUDGE_KEPT, .reason = reason};
}

/* How it went with those that were asked, in numbers. */
static void tell_failures(const struct judge_round *round)
{
	fputs("lethe-clockd: the network told no time:", stderr);
	for (unsigned i = RECORD_DATED; i < RECORD_RESULT_COUNT; i++)
		if (round->results[i])
			fprintf(stderr, " %s %u,", words_result(i), round->results[i]);
	fprintf(stderr, " of %u pools\n", round->pools);
}

/* Tor may have verified a consensus that nobody has asked about yet. Asking Tor sends nothing; without an
 * answer the network is asked all the same, for there may be no consensus until the clock is right. */
static void hear_what_is_proven(struct daemon *daemon)
{
	struct judge_consensus consensus;

	if (ask_consensus(daemon->tor, &consensus) == 0)
		judge_hear(&daemon->session, &consensus, clock_now().boot);
}

static struct judge_verdict by_network(struct daemon *daemon, int asker)
{
	struct judge_verdict verdict;
	struct judge_round round;
	int r;

	hear_what_is_proven(daemon);
	if (peer_gone(asker))
		return kept(JUDGE_UNWANTED);
	if (judge_known(&daemon->session, clock_now(), &verdict))
		return verdict;
	daemon->status.queries++;
	r = ask_network(daemon->fetch, asker, &round);
	if (r == -ECANCELED)
		return kept(JUDGE_UNWANTED);
	if (r < 0) {
		complain(r, "cannot have the network asked");
		return kept(JUDGE_BAD_FETCH);
	}
	daemon->status.pools = round.pools;
	daemon->status.dated = round.results[RECORD_DATED];
	verdict = judge_network(&daemon->session, &round, clock_now());
	if (verdict.reason != JUDGE_NETWORK)
		tell_failures(&round);
	return verdict;
}

static struct judge_verdict by_consensus(struct daemon *daemon)
{
	struct judge_consensus consensus;
	int r = ask_consensus(daemon->tor, &consensus);

	if (r == 0)
		return judge_consensus(&daemon->session, &consensus, clock_now());
	if (r != -ENODATA)
		complain(r, "cannot ask Tor for its consensus' times");
	return kept(r == -EBADMSG ? JUDGE_BAD_CONSENSUS : JUDGE_NO_CONSENSUS);
}

/* Who asked and has gone may have chosen to hide meanwhile: for him nothing is asked, and nothing set. */
static struct judge_verdict judge(struct daemon *daemon, enum request_mode mode, int asker)
{
	struct judge_verdict verdict;
	int r;

	/* Nobody is asked for a time that nothing could be done with. */
	if (!daemon->has_floor)
		return kept(JUDGE_NO_FLOOR);
	if (peer_gone(asker))
		return kept(JUDGE_UNWANTED);
	verdict = mode == REQUEST_NETWORK ? by_network(daemon, asker) : by_consensus(daemon);
	if (verdict.outcome != JUDGE_SET)
		return verdict;
	if (peer_gone(asker))
		return kept(JUDGE_UNWANTED);
	r = ask_set(daemon->set, verdict.real, verdict.boot);
	if (r < 0) {
		complain(r, "the clock was not set");
		verdict.outcome = JUDGE_KEPT;
		verdict.reason = JUDGE_REFUSED;
	}
	return verdict;
}

static int serve_one(struct daemon *daemon, int fd)
{
	AUTO_BUF struct buf answer = {.cap = ANSWER_BYTES_MAX};
	char text[REQUEST_BYTES_MAX];
	struct judge_verdict verdict;
	enum request_mode mode;
	ssize_t got = peer_receive(fd, text, sizeof(text), clock_now().boot + REQUEST_TIME);
	int r;

	if (got <= 0)
		return got == 0 ? -ECONNRESET : (int)got;
	r = request_parse(text, (size_t)got, &mode);
	if (r < 0)
		return r;
	daemon->status.requests++;
	verdict = judge(daemon, mode, fd);
	note(daemon, request_mode_name(mode), &verdict);
	request_write_answer(&verdict, &answer);
	r = buf_finish(&answer);
	return r < 0 ? r : peer_send(fd, answer.data, answer.len);
}

/* ---- start ---- */

static int open_all(struct daemon *daemon)
{
	int listening = 0, r;
	socklen_t length = sizeof(listening);

	if (getsockopt(STDIN_FILENO, SOL_SOCKET, SO_ACCEPTCONN, &listening, &length) < 0 ||
	    !listening) {
		complain(0, "standard input is no socket that listens");
		return -ENOTSOCK;
	}
	daemon->folder =
	    open(daemon->folder_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (daemon->folder < 0) {
		r = neg_errno();
		complain(r, daemon->folder_name);
		return r;
	}
	r = clock_floor(daemon->build, &daemon->session.floor);
	daemon->has_floor = r == 0;
	daemon->status.build = daemon->session.floor;
	if (r < 0)
		complain(r, daemon->build);
	return 0;
}

static int lock_in(const struct daemon *daemon)
{
	const struct rlimit none = {0};
	int r;

	if (prctl(PR_SET_DUMPABLE, 0) < 0 || setrlimit(RLIMIT_CORE, &none) < 0)
		return neg_errno();
	r = sandbox_keep_no_capability();
	return r < 0 ? r : sandbox_conversing(daemon->folder);
}

static int serve(struct daemon *daemon)
{
	int r = open_all(daemon);

	if (r < 0)
		return EXIT_FAILED;
	r = lock_in(daemon);
	if (r < 0) {
		complain(r, "cannot give up its rights");
		return EXIT_FAILED;
	}
	for (;;) {
		struct pollfd door = {.fd = STDIN_FILENO, .events = POLLIN};
		AUTO_CLOSE int fd = -EBADF;

		if (poll(&door, 1, -1) < 0 && errno != EINTR)
			break;
		fd = accept4(STDIN_FILENO, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd < 0 && errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
			break;
		r = fd < 0 ? 0 : serve_one(daemon, fd);
		if (r < 0)
			complain(r, "a request was not answered");
	}
	complain(neg_errno(), "the door is gone");
	return EXIT_FAILED;
}

int main(int argc, char **argv)
{
	struct daemon daemon = {
	    .fetch = ASK_FETCH,
	    .set = ASK_SET,
	    .tor = ASK_TOR,
	    .folder_name = STATUS_FOLDER,
	    .build = CLOCK_BUILD_DATE,
	    .folder = -EBADF,
	};
	int r = parse_options(argc, argv, &daemon);

	return r >= 0 ? r : serve(&daemon);
}

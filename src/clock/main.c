/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * lethe-clock: tells what was last done about the clock, and why; and, for root and the connection
 * assistant's user, has it be done.
 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include <os/file.h>

#include "peer.h"
#include "status.h"
#include "words.h"

#define DEFAULT_DOOR   "/run/lethe/clock/ask"
#define DEFAULT_STATUS STATUS_FOLDER "/" STATUS_NAME
#define ANSWER_TIME    (JUDGE_ROUND_MAX + 60 * CLOCK_NS)

enum { EXIT_WELL = 0, EXIT_KEPT = 1, EXIT_USAGE = 2, EXIT_FAILED = 3 };

struct options {
	const char *door, *status;
	bool json, done;
	enum request_mode ask; /* 0: tell the status */
};

static void usage(void)
{
	fputs("Usage: lethe-clock [OPTION]... [status]\n"
	      "       lethe-clock [OPTION]... ask network|consensus\n"
	      "Tell what was last done about the clock, and why; or have it be judged anew.\n"
	      "\n"
	      "  status            what was last done (this if nothing is said)\n"
	      "  ask network       ask hosts of the Internet for the time, outside Tor: who\n"
	      "                    watches the network sees that, and whom\n"
	      "  ask consensus     compare the clock with Tor's consensus\n"
	      "\n"
	      "      --door=SOCKET     where to ask (" DEFAULT_DOOR ")\n"
	      "      --status=FILE     where it is told (" DEFAULT_STATUS ")\n"
	      "  -j, --json            one JSON object\n"
	      "  -h, --help            this text\n"
	      "  -V, --version         print the version\n"
	      "\n"
	      "Exit status: 0 the clock is right, or was set; 1 it was left as it is; 2 wrong\n"
	      "usage; 3 nothing is known, or nobody could be asked.\n",
	      stdout);
}

static int wrong(const char *what)
{
	fprintf(stderr, "lethe-clock: %s. Try 'lethe-clock --help'\n", what);
	return EXIT_USAGE;
}

static int parse_words(char **words, struct options *options)
{
	if (!words[0] || (strcmp(words[0], "status") == 0 && !words[1]))
		return 0;
	if (strcmp(words[0], "ask") != 0)
		return wrong("no such command");
	if (words[1] && !words[2] && strcmp(words[1], "network") == 0)
		options->ask = REQUEST_NETWORK;
	else if (words[1] && !words[2] && strcmp(words[1], "consensus") == 0)
		options->ask = REQUEST_CONSENSUS;
	else
		return wrong("ask whom? network or consensus");
	return 0;
}

/* Returns 0 or the exit status. */
static int parse_options(int argc, char **argv, struct options *options)
{
	static const struct option longs[] = {
	    {"door", required_argument, NULL, 'd'}, {"status", required_argument, NULL, 's'},
	    {"json", no_argument, NULL, 'j'},	    {"help", no_argument, NULL, 'h'},
	    {"version", no_argument, NULL, 'V'},    {0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "jhV", longs, NULL)) != -1) {
		switch (option) {
		case 'd':
			options->door = optarg;
			break;
		case 's':
			options->status = optarg;
			break;
		case 'j':
			options->json = true;
			break;
		case 'h':
			usage();
			options->done = true;
			return 0;
		case 'V':
			puts("lethe-clock " LETHE_VERSION);
			options->done = true;
			return 0;
		default:
			fputs("Try 'lethe-clock --help'.\n", stderr);
			return EXIT_USAGE;
		}
	}
	return parse_words(argv + optind, options);
}

static int failed(int error, const char *what)
{
	fprintf(stderr, "lethe-clock: %s: %s\n", what, strerror(-error));
	return EXIT_FAILED;
}

/* ---- telling ---- */

static void print_sentence(const struct status *status)
{
	int64_t by = status->difference < 0 ? -status->difference : status->difference;

	if (strcmp(status->outcome, "set") == 0)
		printf("The clock was set: it was %lld s %s", (long long)by,
		       status->difference < 0 ? "ahead" : "behind");
	else if (strcmp(status->outcome, "right") == 0)
		fputs("The clock is right", stdout);
	else
		fputs("The clock was left as it is", stdout);
	printf(", %s.\n", words_explain(status->reason));
	if (status->captive)
		puts("The network wants something of you first: open its page in the Unsafe Browser.");
}

static void print_status(const struct status *status)
{
	int64_t ago = clock_now().boot / CLOCK_NS - status->boottime;

	print_sentence(status);
	printf("That was %lld s ago. Requests so far: %lld; the network was asked %lld times.\n",
	       (long long)(ago > 0 ? ago : 0), (long long)status->requests,
	       (long long)status->queries);
	if (status->queries > 0)
		printf("Pools that told a time when it was asked last: %lld of %lld.\n",
		       (long long)status->dated, (long long)status->pools);
}

static int exit_of(const struct status *status)
{
	return strcmp(status->outcome, "kept") == 0 ? EXIT_KEPT : EXIT_WELL;
}

/* Only what has been read and is as it should be is shown. */
static int show(const char *text, size_t length, const struct options *options)
{
	struct status status;
	int r = status_read(text, length, &status);

	if (r < 0 || !words_explain(status.reason)[0])
		return failed(-EBADMSG, "what was told cannot be read");
	if (options->json)
		printf("%.*s%s", (int)length, text,
		       length > 0 && text[length - 1] == '\n' ? "" : "\n");
	else if (options->ask)
		print_sentence(&status);
	else
		print_status(&status);
	return fflush(stdout) == 0 ? exit_of(&status) : failed(-EIO, "cannot write");
}

static int tell_status(const struct options *options)
{
	AUTO_BUF struct buf text = {.cap = STATUS_BYTES_MAX};
	int r = file_read(options->status, &text);

	if (r == -ENOENT) {
		fputs("lethe-clock: nobody has asked about the clock yet\n", stderr);
		return EXIT_FAILED;
	}
	return r < 0 ? failed(r, options->status) : show(buf_text(&text), text.len, options);
}

static int ask(const struct options *options)
{
	const char *request = request_text(options->ask);
	AUTO_CLOSE int fd = -EBADF;
	char text[ANSWER_BYTES_MAX];
	ssize_t got;
	int r = peer_connect(options->door, &fd);

	if (r == 0)
		r = peer_send(fd, request, strlen(request));
	if (r < 0)
		return failed(r, options->door);
	got = peer_receive(fd, text, sizeof(text), clock_now().boot + ANSWER_TIME);
	if (got <= 0)
		return failed(got < 0 ? (int)got : -ECONNRESET, options->door);
	return show(text, (size_t)got, options);
}

int main(int argc, char **argv)
{
	struct options options = {.door = DEFAULT_DOOR, .status = DEFAULT_STATUS};
	int r = parse_options(argc, argv, &options);

	if (r != 0 || options.done)
		return r;
	return options.ask ? ask(&options) : tell_status(&options);
}

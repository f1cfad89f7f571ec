/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * lethe-clock-set: sets the clock, once. Behind the door /run/lethe/clock/set it is started for each
 * connection, reads one message of 24 bytes from it, answers with 8, and ends. It has CAP_SYS_TIME and
 * no other right, opens the build date before it reads, and then can make only the calls that this takes.
 */
#include "set.h"

#include <getopt.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/timex.h>
#include <time.h>

#include <os/sandbox.h>
#include <os/sandbox_clock.h>

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

static void usage(void)
{
	fputs("Usage: lethe-clock-set [--floor]\n"
	      "Set the clock as one message on standard input says, a socket, and answer it.\n"
	      "Not for people: lethe-clockd sends the message. The hardware clock is never\n"
	      "written.\n"
	      "\n"
	      "      --floor     read no message: if the clock is before the date this system\n"
	      "                  was built, or too many years after it, set it to that date\n"
	      "  -h, --help      this text\n"
	      "  -V, --version   print the version\n"
	      "\n"
	      "Exit status: 0 it was set or need not be, 1 it was refused or failed, 2 wrong\n"
	      "usage.\n",
	      stdout);
}

/* ---- the kernel's clock ---- */

static struct clock_now kernel_now(void *data)
{
	(void)data;
	return clock_now();
}

/* This call never writes the hardware clock, and it takes the kernel's mark away that its clock is
 * synchronised, by which the kernel would. */
static int kernel_set(void *data, int64_t real)
{
	struct timespec to = {.tv_sec = real / CLOCK_NS, .tv_nsec = real % CLOCK_NS};

	(void)data;
	return clock_settime(CLOCK_REALTIME, &to) < 0 ? neg_errno() : 0;
}

static int kernel_synchronised(void *data)
{
	struct timex state = {.modes = 0};

	(void)data;
	if (adjtimex(&state) < 0)
		return neg_errno();
	return !(state.status & STA_UNSYNC);
}

static const struct set_world kernel = {
    .now = kernel_now, .set = kernel_set, .synchronised = kernel_synchronised};

/* ---- the one thing ---- */

static void complain(int error, const char *what)
{
	fprintf(stderr, "lethe-clock-set: %s: %s\n", what, strerror(-error));
}

static int lock_in(void)
{
	int r = sandbox_keep_capability(CAP_SYS_TIME);

	return r < 0 ? r : sandbox_setting_clock();
}

static int receive(struct set_message *ret_message)
{
	unsigned char data[SET_MESSAGE_BYTES + 1];
	ssize_t got = recv(STDIN_FILENO, data, sizeof(data), 0);

	return got < 0 ? neg_errno() : set_message_read(data, (size_t)got, ret_message);
}

static int serve(int64_t floor)
{
	unsigned char answer[SET_ANSWER_BYTES];
	struct set_message message;
	int r = receive(&message);

	if (r == 0)
		r = set_apply(&message, floor, &kernel);
	if (r < 0)
		complain(r, "the clock is not set");
	set_answer_write(r, answer);
	if (send(STDIN_FILENO, answer, sizeof(answer), MSG_NOSIGNAL) != (ssize_t)sizeof(answer))
		return EXIT_FAILED;
	return r == 0 ? EXIT_DONE : EXIT_FAILED;
}

static int put_to_floor(int64_t floor)
{
	int r = set_to_floor(floor, &kernel);

	if (r < 0)
		complain(r, "the clock cannot be right, and cannot be set");
	else if (r > 0)
		fputs("lethe-clock-set: the clock could not be right; it is at this system's build date\n",
		      stderr);
	return r < 0 ? EXIT_FAILED : EXIT_DONE;
}

static int run(bool at_start)
{
	int64_t floor;
	int r = clock_floor(CLOCK_BUILD_DATE, &floor);

	if (r < 0) {
		complain(r, CLOCK_BUILD_DATE);
		return EXIT_FAILED;
	}
	r = lock_in();
	if (r < 0) {
		complain(r, "cannot give up its rights");
		return EXIT_FAILED;
	}
	return at_start ? put_to_floor(floor) : serve(floor);
}

int main(int argc, char **argv)
{
	static const struct option longs[] = {
	    {"floor", no_argument, NULL, 'f'},
	    {"help", no_argument, NULL, 'h'},
	    {"version", no_argument, NULL, 'V'},
	    {0},
	};
	bool at_start = false;
	int option;

	while ((option = getopt_long(argc, argv, "hV", longs, NULL)) != -1) {
		switch (option) {
		case 'f':
			at_start = true;
			break;
		case 'h':
			usage();
			return EXIT_DONE;
		case 'V':
			puts("lethe-clock-set " LETHE_VERSION);
			return EXIT_DONE;
		default:
			fputs("Try 'lethe-clock-set --help'.\n", stderr);
			return EXIT_USAGE;
		}
	}
	if (optind < argc) {
		fputs("lethe-clock-set: no arguments are taken. Try 'lethe-clock-set --help'\n", stderr);
		return EXIT_USAGE;
	}
	return run(at_start);
}

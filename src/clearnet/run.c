/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * lethe-clearnet-run: starts the one program that a connection asks for, and ends it with the
 * connection. Its unit has put it into the namespace, under the user that the program runs as, with
 * nothing left to give up: what it reads comes from lethe-clearnetd, and what it starts has no more
 * than it has.
 */
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include <os/sandbox.h>
#include <os/signals.h>

#include "door.h"

#define LEASE        STDIN_FILENO
#define HOME         "/tmp/home"
#define RUNTIME      "/tmp/runtime"
#define END_PATIENCE 5000 /* ms, from the request to end until it is ended by force */

enum { EXIT_DONE = 0, EXIT_USAGE = 2, EXIT_FAILED = 3 };

static void usage(void)
{
	fputs("Usage: lethe-clearnet-run [OPTION]...\n"
	      "Start the program that the connection on standard input asks for, and end it\n"
	      "with the connection. Its unit is started by lethe-clearnetd.\n"
	      "\n"
	      "      --programs=FOLDER  what may be started (" DOOR_PROGRAMS ")\n"
	      "      --cmdline=FILE     the kernel's, which may disable it (" DOOR_CMDLINE ")\n"
	      "  -h, --help             this text\n"
	      "  -V, --version          print the version\n"
	      "\n"
	      "Exit status: 0 done, 2 wrong usage, 3 it could not be started.\n",
	      stdout);
}

static void answer(const char *text)
{
	/* Who asked may have gone; then it ends. */
	(void)!send(LEASE, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT);
}

static int refuse(const char *why)
{
	char text[DOOR_TEXT_MAX];

	snprintf(text, sizeof(text), "failed %s", why);
	answer(text);
	fprintf(stderr, "lethe-clearnet-run: %s\n", why);
	return EXIT_FAILED;
}

/* A pipe that can be written to, and nothing that could be answered through. */
static int check_output(int output)
{
	struct stat info;
	int flags = fcntl(output, F_GETFL);

	if (flags < 0 || fstat(output, &info) < 0)
		return neg_errno();
	return S_ISFIFO(info.st_mode) && (flags & O_ACCMODE) == O_WRONLY ? 0 : -EPROTO;
}

static int folders_make(void)
{
	static const char *const folders[] = {HOME, RUNTIME};

	for (size_t i = 0; i < ARRAY_SIZE(folders); i++)
		if (mkdir(folders[i], 0700) < 0 && errno != EEXIST)
			return neg_errno();
	return 0;
}

/* In the child. */
static void become(const struct program *program, int output)
{
	char *environment[] = {(char[]){"PATH=/usr/bin:/bin"}, (char[]){"HOME=" HOME},
			       (char[]){"XDG_RUNTIME_DIR=" RUNTIME}, (char[]){"LANG=C.UTF-8"},
			       NULL};
	char *words[PROGRAM_ARGUMENTS_MAX + 2] = {0};
	struct program copy = *program;
	sigset_t none;
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	words[0] = copy.path;
	for (size_t i = 0; i < copy.argument_count; i++)
		words[i + 1] = copy.arguments[i];
	sigemptyset(&none);
	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(output, STDOUT_FILENO) < 0 ||
	    dup2(output, STDERR_FILENO) < 0 || close_range(3, ~0u, 0) < 0 ||
	    sigprocmask(SIG_SETMASK, &none, NULL) < 0 || chdir(HOME) < 0)
		_exit(126);
	execve(copy.path, words, environment);
	_exit(127);
}

/* Everybody in the namespace but this process, whatever group, session or parent they have chosen.
 * Only of the first process of a PID namespace is that so; serve() has made sure. */
static void signal_all(int signal)
{
	(void)!kill(-1, signal);
}

static uint64_t now_ms(void)
{
	struct timespec now = {0};

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Does a signal ask for the end? */
static bool is_asked(int signals)
{
	struct signalfd_siginfo info;

	return read(signals, &info, sizeof(info)) == (ssize_t)sizeof(info) &&
	       info.ssi_signo != SIGCHLD;
}

/*
 * Until the program ends, or it is to end: the lease is closed, nobody reads what it writes, or a
 * signal asks. From then on it has its time and no more, whatever it does meanwhile. Returns its
 * status.
 *
 * This process is the first of its namespace, so that it is left with what others have left. It
 * takes one at a time: as fast as they may come, the lease is looked at.
 */
static int attend(pid_t child, int signals, int output)
{
	struct pollfd wait[] = {{.fd = signals, .events = POLLIN},
				{.fd = LEASE, .events = POLLIN | POLLRDHUP},
				{.fd = output}};
	uint64_t end = 0; /* of its time; 0: it is not to end yet */

	for (;;) {
		uint64_t now = now_ms();
		int status, r;
		pid_t pid = waitpid(-1, &status, WNOHANG);

		if (pid == child)
			return status;
		if (end > 0 && now >= end)
			return SIGKILL; /* as it reads where that has ended it; it will have */
		r = poll(wait, ARRAY_SIZE(wait), pid > 0 ? 0 : end > 0 ? (int)(end - now) : -1);
		/* Who asked says nothing more; whatever comes ends it. */
		if (end == 0 && (r < 0 ? errno != EINTR
				       : is_asked(signals) || wait[1].revents || wait[2].revents)) {
			signal_all(SIGTERM);
			end = now_ms() + END_PATIENCE;
			wait[1].fd = wait[2].fd = -1;
		} else if (end > 0) {
			(void)is_asked(signals);
		}
	}
}

static int run(const struct program *program, int output)
{
	AUTO_CLOSE int signals = -EBADF;
	char text[32];
	pid_t child;
	int status, r = signals_open(SIGCHLD, &signals);

	if (r == 0)
		r = folders_make();
	if (r < 0)
		return refuse(strerror(-r));
	child = fork();
	if (child < 0)
		return refuse(strerror(errno));
	if (child == 0)
		become(program, output);
	answer("started");
	status = attend(child, signals, output);
	/* What is left. If anything of it should get past that, it does not get past the end of
	 * this process: with the first of its namespace the kernel ends all, and waits for it. */
	signal_all(SIGKILL);
	snprintf(text, sizeof(text), "exit %d",
		 WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
	answer(text);
	return EXIT_DONE;
}

static int serve(const char *programs, const char *cmdline)
{
	AUTO_CLOSE int output = -EBADF;
	char name[DOOR_TEXT_MAX];
	struct program program;
	struct diag diag = {0};
	int r;

	/* What it starts is of the same user, and could otherwise write into its memory. */
	r = prctl(PR_SET_DUMPABLE, 0) < 0 ? neg_errno() : 0;
	/* The unit leaves it none; this holds where it is started otherwise. */
	if (r == 0)
		r = sandbox_keep_no_capability();
	if (r == 0)
		r = door_receive(LEASE, name, &output);
	if (r == 0)
		r = check_output(output);
	if (r < 0)
		return refuse(strerror(-r));
	if (getpid() != 1)
		return refuse(
		    "it is not the first of a PID namespace, and could not end what it starts");
	/* lethe-clearnetd has looked, too. But who else gets at its socket would not ask it. */
	if (!door_is_enabled(cmdline))
		return refuse("it was disabled when the computer was started");
	r = program_load(programs, name, &program, &diag);
	if (r < 0)
		return refuse(diag.message[0] ? diag.message : strerror(-r));
	return run(&program, output);
}

int main(int argc, char **argv)
{
	static const struct option longs[] = {{"programs", required_argument, NULL, 'p'},
					      {"cmdline", required_argument, NULL, 'c'},
					      {"help", no_argument, NULL, 'h'},
					      {"version", no_argument, NULL, 'V'},
					      {0}};
	const char *programs = DOOR_PROGRAMS, *cmdline = DOOR_CMDLINE;
	int option;

	while ((option = getopt_long(argc, argv, "hV", longs, NULL)) != -1) {
		switch (option) {
		case 'p':
			programs = optarg;
			break;
		case 'c':
			cmdline = optarg;
			break;
		case 'h':
			usage();
			return EXIT_DONE;
		case 'V':
			puts("lethe-clearnet-run " LETHE_VERSION);
			return EXIT_DONE;
		default:
			fputs("Try 'lethe-clearnet-run --help'.\n", stderr);
			return EXIT_USAGE;
		}
	}
	if (optind < argc) {
		fputs("lethe-clearnet-run: no arguments are taken. Try 'lethe-clearnet-run "
		      "--help'\n",
		      stderr);
		return EXIT_USAGE;
	}
	return serve(programs, cmdline);
}

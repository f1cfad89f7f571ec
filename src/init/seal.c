/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "seal.h"

#include "clock.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#define WALL     "/sbin/lethe-wall"
#define SEAL_MS  60000
#define SAID_MAX 300

static int start(int output, pid_t *ret_child)
{
	static char name[] = "lethe-wall", verb[] = "seal";
	char *const words[] = {name, verb, NULL}, *const environment[] = {NULL};
	pid_t child = fork();

	if (child < 0)
		return neg_errno();
	if (child == 0) {
		if (dup2(output, STDOUT_FILENO) >= 0 && dup2(output, STDERR_FILENO) >= 0)
			execve(WALL, words, environment);
		_exit(127);
	}
	*ret_child = child;
	return 0;
}

/* What it says until it closes its output. Returns 0, or -ETIMEDOUT. */
static int listen_to(int fd, char said[static SAID_MAX])
{
	uint64_t deadline = clock_ms() + SEAL_MS, now;
	size_t len = 0;

	said[0] = '\0';
	while ((now = clock_ms()) < deadline) {
		struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
		char chunk[256];
		ssize_t got;

		if (poll(&poll_fd, 1, (int)(deadline - now)) <= 0)
			continue;
		got = read(fd, chunk, sizeof(chunk));
		if (got <= 0)
			return 0;
		for (ssize_t i = 0; i < got && len < SAID_MAX - 1; i++)
			said[len++] = chunk[i] < ' ' || chunk[i] == 0x7f ? ' ' : chunk[i];
		said[len] = '\0';
	}
	return -ETIMEDOUT;
}

static int run(char said[static SAID_MAX], int *ret_status)
{
	AUTO_CLOSE int output = -EBADF, input = -EBADF;
	int ends[2], r;
	pid_t child = -1;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return neg_errno();
	output = ends[0];
	input = ends[1];
	r = start(input, &child);
	if (r < 0)
		return r;
	close(TAKE_FD(input));
	r = listen_to(output, said);
	if (r < 0)
		kill(child, SIGKILL);
	/* It ends in a newline, which became a blank. */
	for (size_t len = strlen(said); len > 0 && said[len - 1] == ' '; len--)
		said[len - 1] = '\0';
	/* As PID 1 it also gets the children that others left; there are none, but reap them. */
	for (pid_t ended = 0; ended != child;) {
		ended = waitpid(-1, ret_status, 0);
		if (ended < 0 && errno != EINTR)
			return neg_errno();
	}
	return r;
}

int seal(struct diag *diag)
{
	char said[SAID_MAX] = "";
	int status = -1, r = run(said, &status);

	if (r == 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (r < 0)
		diag_set(diag, "", 0, 0, "cannot close the network: running " WALL " seal: %s",
			 strerror(-r));
	else
		diag_set(diag, "", 0, 0,
			 "cannot close the network: " WALL " seal ended with status %d%s%s",
			 WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
			 said[0] ? ": " : "", said);
	diag_hint(diag, "Nothing was sent. Start again; if it happens again, report the problem.");
	return r < 0 ? r : -EPROTO;
}

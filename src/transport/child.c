/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "child.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <base/buf.h>

#define WORDS_MAX 4096

/* close_range(2) and pidfd_open(2) by number: Debian 12's C library lacks the second one's header.
 */
static int pidfd_of(pid_t pid)
{
	return (int)syscall(SYS_pidfd_open, pid, 0);
}

struct ends {
	int input, output, nowhere, failure;
};

/* In the new process; never returns. What fails is written as a number to the pipe that exec
 * closes. */
static void become(const char *program, char *const environment[], const struct ends *ends,
		   pid_t parent)
{
	char *const words[] = {(char *)(uintptr_t)program, NULL};
	sigset_t nothing;
	int error;

	sigemptyset(&nothing);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0 && getppid() == parent &&
	    sigprocmask(SIG_SETMASK, &nothing, NULL) == 0 && dup2(ends->input, STDIN_FILENO) >= 0 &&
	    dup2(ends->output, STDOUT_FILENO) >= 0 && dup2(ends->nowhere, STDERR_FILENO) >= 0 &&
	    dup2(ends->failure, 3) >= 0 && fcntl(3, F_SETFD, FD_CLOEXEC) == 0 &&
	    syscall(SYS_close_range, 4, ~0u, 0) == 0)
		execve(program, words, environment);
	error = errno;
	if (write(3, &error, sizeof(error)) < 0)
		_exit(126);
	_exit(127);
}

/* All descriptors of @ends above the standard ones, so that none is overwritten before its turn. */
static int lift(int *fd)
{
	int higher = fcntl(*fd, F_DUPFD_CLOEXEC, 10);

	if (higher < 0)
		return neg_errno();
	close(*fd);
	*fd = higher;
	return 0;
}

static int run(const char *program, char *const environment[], struct ends *ends, pid_t *ret_pid)
{
	pid_t parent = getpid(), pid;
	int r = lift(&ends->input);

	r = r < 0 ? r : lift(&ends->output);
	r = r < 0 ? r : lift(&ends->nowhere);
	r = r < 0 ? r : lift(&ends->failure);
	if (r < 0)
		return r;
	pid = fork();
	if (pid < 0)
		return neg_errno();
	if (pid == 0)
		become(program, environment, ends, parent);
	*ret_pid = pid;
	return 0;
}

/* The new process has become the program when this end is closed without a word. */
static int started(int failure, pid_t pid)
{
	int error = 0;
	ssize_t got;

	do
		got = read(failure, &error, sizeof(error));
	while (got < 0 && errno == EINTR);
	if (got == 0)
		return 0;
	waitpid(pid, NULL, 0);
	return got == (ssize_t)sizeof(error) && error > 0 ? -error : -EIO;
}

/* The four variables of pt-spec 3.2, and no other. */
static int environment_make(const char *name, const char *state, struct buf texts[static 4],
			    char *ret_environment[static 5])
{
	buf_puts(&texts[0], "TOR_PT_MANAGED_TRANSPORT_VER=1");
	buf_printf(&texts[1], "TOR_PT_CLIENT_TRANSPORTS=%s", name);
	buf_printf(&texts[2], "TOR_PT_STATE_LOCATION=%s", state);
	buf_puts(&texts[3], "TOR_PT_EXIT_ON_STDIN_CLOSE=1");
	for (size_t i = 0; i < 4; i++) {
		int r = buf_finish(&texts[i]);

		if (r < 0)
			return r;
		ret_environment[i] = texts[i].data;
	}
	ret_environment[4] = NULL;
	return 0;
}

static int open_ends(int input[static 2], int output[static 2], int failure[static 2],
		     int *ret_nowhere)
{
	if (pipe2(input, O_CLOEXEC) < 0 || pipe2(output, O_CLOEXEC) < 0 ||
	    pipe2(failure, O_CLOEXEC) < 0 || fcntl(output[0], F_SETFL, O_NONBLOCK) < 0)
		return neg_errno();
	*ret_nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
	return *ret_nowhere < 0 ? neg_errno() : 0;
}

static int start(const char *program, char *const environment[], struct child *ret_child)
{
	AUTO_CLOSE int input_read = -EBADF, input_write = -EBADF, output_read = -EBADF;
	AUTO_CLOSE int failure_read = -EBADF, process = -EBADF;
	struct ends ends = {-EBADF, -EBADF, -EBADF, -EBADF};
	int input[2] = {-EBADF, -EBADF}, output[2] = {-EBADF, -EBADF},
	    failure[2] = {-EBADF, -EBADF};
	int r = open_ends(input, output, failure, &ends.nowhere);
	pid_t pid = 0;

	input_read = input[0];
	input_write = input[1];
	output_read = output[0];
	failure_read = failure[0];
	ends.input = TAKE_FD(input_read);
	ends.output = output[1];
	ends.failure = failure[1];
	r = r < 0 ? r : run(program, environment, &ends, &pid);
	closep(&ends.input);
	closep(&ends.output);
	closep(&ends.nowhere);
	closep(&ends.failure);
	r = r < 0 ? r : started(failure_read, pid);
	if (r < 0)
		return r;
	process = pidfd_of(pid);
	if (process < 0) {
		r = neg_errno();
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		return r;
	}
	ret_child->process = TAKE_FD(process);
	ret_child->input = TAKE_FD(input_write);
	ret_child->output = TAKE_FD(output_read);
	return 0;
}

int child_start(const char *program, const char *name, const char *state, struct child *ret_child)
{
	struct buf texts[4] = {
	    {.cap = WORDS_MAX}, {.cap = WORDS_MAX}, {.cap = WORDS_MAX}, {.cap = WORDS_MAX}};
	char *environment[5];
	int r = environment_make(name, state, texts, environment);

	r = r < 0 ? r : start(program, environment, ret_child);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		buf_done(&texts[i]);
	return r;
}

void child_end(struct child *child)
{
	siginfo_t ended;

	syscall(SYS_pidfd_send_signal, child->process, SIGKILL, NULL, 0);
	while (waitid(P_PIDFD, (id_t)child->process, &ended, WEXITED) < 0 && errno == EINTR)
		;
	closep(&child->process);
	closep(&child->input);
	closep(&child->output);
	*child = (struct child){-EBADF, -EBADF, -EBADF};
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a program that hands on connections can still do, and what ends it: each in a process. */
#include "sandbox.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cmocka.h>

static int listener, process, other;
static pid_t idle[2];

static int idle_process(pid_t *ret_pid)
{
	*ret_pid = fork();
	if (*ret_pid == 0)
		for (;;)
			pause();
	return (int)syscall(SYS_pidfd_open, *ret_pid, 0);
}

static int make_all(void **state)
{
	struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	process = idle_process(&idle[0]);
	other = idle_process(&idle[1]);
	return process < 0 || other < 0 ||
	       bind(listener, (const struct sockaddr *)&own, sizeof(own)) < 0 ||
	       listen(listener, 1) < 0;
}

static int end_all(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(idle); i++) {
		kill(idle[i], SIGKILL);
		waitpid(idle[i], NULL, 0);
	}
	return 0;
}

static int in_sandbox(int (*inside)(void))
{
	int status = -1;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0)
		_exit(sandbox_relaying(process) < 0 ? 99 : inside());
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

/* ---- what is left ---- */

static int hands_on(void)
{
	struct sockaddr_in there = {0};
	socklen_t size = sizeof(there);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), error = 0;

	/* getsockname() is not among them, so the address is one where nobody listens. */
	there = (struct sockaddr_in){
	    .sin_family = AF_INET, .sin_port = htons(1), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	return fd < 0 ||
	       (connect(fd, (const struct sockaddr *)&there, size) < 0 && errno != EINPROGRESS &&
		errno != ECONNREFUSED) ||
	       (accept4(listener, NULL, NULL, SOCK_NONBLOCK) < 0 && errno != EAGAIN) ||
	       getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &(socklen_t){sizeof(error)}) < 0;
}

static int opens_no_file(void)
{
	return open("/dev/null", O_RDONLY | O_CLOEXEC) >= 0 || errno != EACCES;
}

static int ends_its_process(void)
{
	return syscall(SYS_pidfd_send_signal, process, SIGKILL, NULL, 0) < 0;
}

static void test_what_is_left(void **state)
{
	static int (*const allowed[])(void) = {hands_on, opens_no_file, ends_its_process};

	for (size_t i = 0; i < ARRAY_SIZE(allowed); i++) {
		int status = in_sandbox(allowed[i]);

		print_message("# allowed %zu: %x\n", i, (unsigned)status);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 0);
	}
}

/* ---- what ends it ---- */

static int datagrams(void)
{
	return socket(AF_INET, SOCK_DGRAM, 0);
}

static int raw(void)
{
	return socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
}

static int local(void)
{
	return socket(AF_UNIX, SOCK_STREAM, 0);
}

static int netlink(void)
{
	return socket(AF_NETLINK, SOCK_RAW, 0);
}

static int opens_a_port(void)
{
	return listen(listener, 1);
}

static int starts_a_program(void)
{
	return execl("/bin/true", "true", NULL);
}

static int splits(void)
{
	return fork();
}

static int signals_it_otherwise(void)
{
	return (int)syscall(SYS_pidfd_send_signal, process, SIGSTOP, NULL, 0);
}

static int kills_another(void)
{
	return (int)syscall(SYS_pidfd_send_signal, other, SIGKILL, NULL, 0);
}

static int kills_by_number(void)
{
	return kill(idle[1], SIGKILL);
}

static int takes_a_descriptor(void)
{
	return (int)syscall(SYS_pidfd_getfd, process, 0, 0);
}

static int gains(void)
{
	return (int)syscall(SYS_setuid, 0);
}

static void test_what_ends_it(void **state)
{
	static int (*const forbidden[])(void) = {
	    datagrams,
	    raw,
	    local,
	    netlink,
	    opens_a_port,
	    starts_a_program,
	    splits,
	    signals_it_otherwise,
	    kills_another,
	    kills_by_number,
	    takes_a_descriptor,
	    gains,
	};

	for (size_t i = 0; i < ARRAY_SIZE(forbidden); i++) {
		int status = in_sandbox(forbidden[i]);

		print_message("# forbidden %zu: %x\n", i, (unsigned)status);
		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), SIGSYS);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_what_is_left),
	    cmocka_unit_test(test_what_ends_it),
	};

	return cmocka_run_group_tests(tests, make_all, end_all);
}

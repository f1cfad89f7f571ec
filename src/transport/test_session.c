/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A whole session with a transport that the test plays: in a process of its own, so that it can be
 * killed like a real one.
 */
#include "session.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cmocka.h>

#include <os/sandbox.h>

#define PATIENT 120000u

struct bench {
	int lease;     /* the other end: whoever asked */
	uint16_t port; /* where Tor connects */
	struct session_sockets sockets;
	int transport; /* where the played transport listens */
	uint16_t its_port;
};

static int listening(uint16_t *ret_port)
{
	struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(own);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)&own, size), 0);
	assert_int_equal(listen(fd, 256), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&own, &size), 0);
	*ret_port = ntohs(own.sin_port);
	return fd;
}

static void begin(struct bench *bench)
{
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	bench->lease = ends[0];
	bench->sockets.lease = ends[1];
	bench->sockets.listener = listening(&bench->port);
	bench->transport = listening(&bench->its_port);
	assert_int_equal(fcntl(bench->sockets.listener, F_SETFL, O_NONBLOCK), 0);
}

static void done(struct bench *bench)
{
	closep(&bench->lease);
	close(bench->sockets.lease);
	close(bench->sockets.listener);
	close(bench->transport);
}

/* A process that says @said, then does nothing until it is killed; or ends, if @ends. */
static void play(const char *said, bool ends, struct child *ret_child)
{
	int output[2];
	pid_t pid;

	assert_int_equal(pipe2(output, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		/* It holds nothing of the test's, so that what the test closes is closed. */
		bool heard = dup2(output[1], STDOUT_FILENO) >= 0 &&
			     syscall(SYS_close_range, 3, ~0u, 0) == 0 &&
			     write(STDOUT_FILENO, said, strlen(said)) >= 0;

		if (ends)
			_exit(!heard);
		for (;;)
			pause();
	}
	close(output[1]);
	assert_int_equal(fcntl(output[0], F_SETFL, O_NONBLOCK), 0);
	*ret_child = (struct child){
	    .process = (int)syscall(SYS_pidfd_open, pid, 0), .input = -EBADF, .output = output[0]};
	assert_true(ret_child->process >= 0);
}

static void ready_words(const struct bench *bench, char *text, size_t size)
{
	snprintf(text, size, "VERSION 1\nCMETHOD obfs4 socks5 127.0.0.1:%u\nCMETHODS DONE\n",
		 bench->its_port);
}

static void expect_lines(const struct bench *bench, const char *lines)
{
	char got[256] = "";
	ssize_t length = recv(bench->lease, got, sizeof(got) - 1, MSG_DONTWAIT);

	assert_true(length >= 0 || lines[0] == '\0');
	assert_string_equal(got, lines);
}

/* ---- what ends it ---- */

#define FAILED(reason) "{\"state\":\"failed\",\"reason\":\"" reason "\"}\n"

static void fails(const char *said, bool ends, unsigned start_ms, const char *lines)
{
	struct child child;
	struct bench bench;

	begin(&bench);
	play(said, ends, &child);
	assert_int_equal(session_run(&bench.sockets, &child, "obfs4", start_ms), SESSION_FAILED);
	child_end(&child);
	expect_lines(&bench, lines);
	done(&bench);
}

static void test_failures(void **state)
{
	fails("", true, PATIENT, FAILED("ended"));
	fails("VERSION 1\n", true, PATIENT, FAILED("ended"));
	fails("VERSION 1\n", false, 1, FAILED("late"));
	fails("VERSION 2\n", false, PATIENT, FAILED("malformed"));
	fails("VERSION-ERROR no-version\n", true, PATIENT, FAILED("refused"));
	fails("VERSION 1\nCMETHOD obfs4 socks5 0.0.0.0:1\nCMETHODS DONE\n", false, PATIENT,
	      FAILED("malformed"));
}

static void test_too_much(void **state)
{
	char line[2048];

	memset(line, 'x', sizeof(line));
	line[sizeof(line) - 1] = '\0';
	fails(line, false, PATIENT, FAILED("too-much"));
}

static void test_words(void **state)
{
	for (int i = SESSION_NOT_STARTED; i <= SESSION_BROKEN; i++)
		assert_non_null(session_word((enum session_reason)i));
}

/* ---- while it lasts: the session in a process, the test at both its ends ---- */

static pid_t in_background(const struct bench *bench, const struct child *child)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		close(bench->lease);
		if (sandbox_relaying(child->process) < 0)
			_exit(99);
		_exit((int)session_run(&bench->sockets, child, "obfs4", PATIENT));
	}
	close(bench->sockets.lease);
	return pid;
}

static int connect_to(uint16_t port)
{
	const struct sockaddr_in there = {.sin_family = AF_INET,
					  .sin_port = htons(port),
					  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, (const struct sockaddr *)&there, sizeof(there)), 0);
	return fd;
}

static void expect_text(int fd, const char *text)
{
	char got[64] = "";

	assert_int_equal(recv(fd, got, sizeof(got) - 1, 0), (ssize_t)strlen(text));
	assert_string_equal(got, text);
}

static int status_of(pid_t pid)
{
	int status = -1;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void test_relays(void **state)
{
	char words[128];
	struct child child;
	struct bench bench;
	int tor, transport;
	pid_t pid;

	begin(&bench);
	ready_words(&bench, words, sizeof(words));
	play(words, false, &child);
	pid = in_background(&bench, &child);
	expect_text(bench.lease, "{\"state\":\"ready\"}\n");
	tor = connect_to(bench.port);
	transport = accept(bench.transport, NULL, NULL);
	assert_int_equal(send(tor, "to the bridge", 13, 0), 13);
	expect_text(transport, "to the bridge");
	assert_int_equal(send(transport, "back", 4, 0), 4);
	expect_text(tor, "back");
	/* What comes from the lease means nothing, but its end does. */
	assert_int_equal(send(bench.lease, "stop", 4, 0), 4);
	assert_int_equal(send(tor, "still", 5, 0), 5);
	expect_text(transport, "still");
	close(TAKE_FD(bench.lease));
	assert_int_equal(status_of(pid), SESSION_RETURNED << 8);
	expect_text(tor, "");
	expect_text(transport, "");
	close(tor);
	close(transport);
	bench.sockets.lease = -EBADF;
	child_end(&child);
	done(&bench);
}

static void test_killed(void **state)
{
	char words[128];
	struct child child;
	struct bench bench;
	pid_t pid;

	begin(&bench);
	ready_words(&bench, words, sizeof(words));
	play(words, false, &child);
	pid = in_background(&bench, &child);
	expect_text(bench.lease, "{\"state\":\"ready\"}\n");
	assert_int_equal(syscall(SYS_pidfd_send_signal, child.process, SIGKILL, NULL, 0), 0);
	expect_text(bench.lease, FAILED("ended"));
	assert_int_equal(status_of(pid), SESSION_FAILED << 8);
	bench.sockets.lease = -EBADF;
	child_end(&child);
	done(&bench);
}

/* More connections than it takes wait until others have ended. */
static void test_many(void **state)
{
	int tor[SESSION_CONNECTIONS_MAX + 1], transport[SESSION_CONNECTIONS_MAX + 1];
	char words[128];
	struct child child;
	struct bench bench;
	pid_t pid;

	begin(&bench);
	ready_words(&bench, words, sizeof(words));
	play(words, false, &child);
	pid = in_background(&bench, &child);
	expect_text(bench.lease, "{\"state\":\"ready\"}\n");
	for (size_t i = 0; i < SESSION_CONNECTIONS_MAX; i++) {
		tor[i] = connect_to(bench.port);
		transport[i] = accept(bench.transport, NULL, NULL);
		assert_int_equal(send(tor[i], "hello", 5, 0), 5);
		expect_text(transport[i], "hello");
	}
	tor[SESSION_CONNECTIONS_MAX] = connect_to(bench.port);
	assert_int_equal(send(tor[SESSION_CONNECTIONS_MAX], "later", 5, 0), 5);
	/* All others are still handed on: the one too many is not among them. */
	assert_int_equal(send(tor[0], "again", 5, 0), 5);
	expect_text(transport[0], "again");
	assert_int_equal(fcntl(bench.transport, F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(accept(bench.transport, NULL, NULL), -1);
	assert_int_equal(fcntl(bench.transport, F_SETFL, 0), 0);
	close(tor[7]);
	close(transport[7]);
	transport[SESSION_CONNECTIONS_MAX] = accept(bench.transport, NULL, NULL);
	expect_text(transport[SESSION_CONNECTIONS_MAX], "later");
	close(TAKE_FD(bench.lease));
	assert_int_equal(status_of(pid), SESSION_RETURNED << 8);
	for (size_t i = 0; i <= SESSION_CONNECTIONS_MAX; i++) {
		if (i != 7) {
			close(tor[i]);
			close(transport[i]);
		}
	}
	bench.sockets.lease = -EBADF;
	child_end(&child);
	done(&bench);
}

/* ---- the real way to start one ---- */

static void test_start(void **state)
{
	struct child child = {-EBADF, -EBADF, -EBADF};
	char got[16];

	assert_int_equal(child_start("/nonexistent/transport", "obfs4", "/tmp", &child), -ENOENT);
	assert_int_equal(child_start("/dev/null", "obfs4", "/tmp", &child), -EACCES);
	assert_int_equal(child.process, -EBADF);
	/* It reads its standard input until that is closed. */
	assert_int_equal(child_start("/bin/cat", "obfs4", "/tmp", &child), 0);
	assert_int_equal(write(child.input, "ping", 4), 4);
	assert_int_equal(poll(&(struct pollfd){child.output, POLLIN, 0}, 1, -1), 1);
	assert_int_equal(read(child.output, got, sizeof(got)), 4);
	close(TAKE_FD(child.input));
	assert_int_equal(poll(&(struct pollfd){child.process, POLLIN, 0}, 1, -1), 1);
	child_end(&child);
	assert_int_equal(child.process, -EBADF);
}

static void test_surroundings(void **state)
{
	struct child child;
	char got[1024] = "";
	size_t length = 0;
	ssize_t n;

	assert_int_equal(child_start("/usr/bin/env", "obfs4", "/run/x", &child), 0);
	while (poll(&(struct pollfd){child.output, POLLIN, 0}, 1, -1) == 1 &&
	       (n = read(child.output, got + length, sizeof(got) - 1 - length)) > 0)
		length += (size_t)n;
	child_end(&child);
	assert_string_equal(got, "TOR_PT_MANAGED_TRANSPORT_VER=1\n"
				 "TOR_PT_CLIENT_TRANSPORTS=obfs4\n"
				 "TOR_PT_STATE_LOCATION=/run/x\n"
				 "TOR_PT_EXIT_ON_STDIN_CLOSE=1\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_failures), cmocka_unit_test(test_too_much),
	    cmocka_unit_test(test_words),    cmocka_unit_test(test_relays),
	    cmocka_unit_test(test_killed),   cmocka_unit_test(test_many),
	    cmocka_unit_test(test_start),    cmocka_unit_test(test_surroundings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

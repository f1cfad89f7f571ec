/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a doorkeeper can still do, and what ends it: each in a process of its own. */
#include "sandbox.h"

#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "sockets.h"

static char folder_path[] = "/tmp/lethe-doorkeeper-XXXXXX";
static char socket_path[sizeof(folder_path) + 8];
static int folder, listener, asking;

static int make_all(void **state)
{
	struct sockaddr_un own = {.sun_family = AF_UNIX};
	int file;

	if (!mkdtemp(folder_path))
		return -1;
	snprintf(socket_path, sizeof(socket_path), "%s/socket", folder_path);
	memcpy(own.sun_path, socket_path, sizeof(socket_path));
	folder = open(folder_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	file = openat(folder, "cookie", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	close(file);
	return file < 0 || sockets_peer_open(&asking) < 0 ||
	       bind(listener, (const struct sockaddr *)&own, sizeof(own)) < 0 ||
	       listen(listener, 4) < 0;
}

static int remove_all(void **state)
{
	unlink(socket_path);
	unlinkat(folder, "cookie", 0);
	return rmdir(folder_path);
}

/* Run @inside in a child in the sandbox; returns the wait status. */
static int in_sandbox(int (*inside)(void))
{
	int status = -1;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0)
		_exit(sandbox_doorkeeper(folder) < 0 ? 99 : inside());
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

static int connect_here(void)
{
	struct sockaddr_un own = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memcpy(own.sun_path, socket_path, sizeof(socket_path));
	return fd < 0 || connect(fd, (const struct sockaddr *)&own, sizeof(own)) < 0 ? -1 : fd;
}

/* ---- what is left ---- */

static int keep_the_door(void)
{
	uint32_t uid;
	int there = connect_here(), here = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	int cookie = openat(folder, "cookie", O_RDONLY | O_CLOEXEC);

	if (there < 0 || here < 0 || cookie < 0)
		return 1;
	/* It is no TCP connection: but the kernel can be asked. */
	return sockets_peer_owner(asking, here, &uid) == -EPERM ? 0 : 2;
}

static int be_a_guest(void)
{
	int status = -1;
	pid_t child = fork();

	if (child == 0)
		_exit(sandbox_opened_only() < 0 ? 1 : 42);
	return waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : 2;
}

static int open_another(void)
{
	bool refused = open("/etc/passwd", O_RDONLY | O_CLOEXEC) < 0 && errno == EACCES;

	return refused && openat(AT_FDCWD, "/etc/passwd", O_RDONLY | O_CLOEXEC) < 0 &&
		       errno == EACCES
		   ? 0
		   : 1;
}

/* The limit that the header tells: a path is not looked at. */
static int leave_the_folder(void)
{
	int root = openat(folder, "/etc/passwd", O_RDONLY | O_CLOEXEC);
	int above = openat(folder, "../../etc/passwd", O_RDONLY | O_CLOEXEC);

	return root >= 0 && above >= 0 ? 0 : 1;
}

static void test_what_is_left(void **state)
{
	assert_int_equal(in_sandbox(keep_the_door), 0);
	assert_int_equal(in_sandbox(be_a_guest), 42 << 8);
	assert_int_equal(in_sandbox(open_another), 0);
	assert_int_equal(in_sandbox(leave_the_folder), 0);
}

/* ---- what ends it ---- */

static int write_the_cookie(void)
{
	return openat(folder, "cookie", O_WRONLY | O_CLOEXEC) < 0;
}

static int make_a_file(void)
{
	return openat(folder, "other", O_RDONLY | O_CREAT | O_CLOEXEC, 0600) < 0;
}

static int go_to_the_network(void)
{
	return socket(AF_INET, SOCK_STREAM, 0) < 0;
}

static int start_a_program(void)
{
	return execl("/bin/true", "true", NULL);
}

static int leave_its_namespaces(void)
{
	return (int)syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
}

static int listen_anew(void)
{
	return listen(listener, 1);
}

static void test_what_ends_it(void **state)
{
	static int (*const deeds[])(void) = {write_the_cookie, make_a_file, go_to_the_network,
					     start_a_program, leave_its_namespaces, listen_anew};

	for (size_t i = 0; i < ARRAY_SIZE(deeds); i++) {
		int status = in_sandbox(deeds[i]);

		if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS)
			fail_msg("%zu: status %x", i, (unsigned)status);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_left),
		cmocka_unit_test(test_what_ends_it),
	};

	return cmocka_run_group_tests(tests, make_all, remove_all);
}

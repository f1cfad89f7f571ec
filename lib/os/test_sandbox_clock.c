/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the three sandboxes of sandbox_clock.h leave, and what ends the process: each in a process of its
 * own. No clock is set: what is tried is refused by the kernel for other reasons. */
#include "sandbox_clock.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

#include <cmocka.h>

static char folder[] = "/tmp/lethe-sandbox-XXXXXX";
static char socket_path[sizeof(folder) + 8];
static int folder_fd, listener;

static int make_all(void **state)
{
	struct sockaddr_un own = {.sun_family = AF_UNIX};

	if (!mkdtemp(folder))
		return -1;
	snprintf(socket_path, sizeof(socket_path), "%s/socket", folder);
	memcpy(own.sun_path, socket_path, sizeof(socket_path));
	folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	return folder_fd < 0 || bind(listener, (const struct sockaddr *)&own, sizeof(own)) < 0 ||
	       listen(listener, 4) < 0;
}

static int remove_all(void **state)
{
	unlink(socket_path);
	return rmdir(folder);
}

static int conversing(void)
{
	return sandbox_conversing(folder_fd);
}

/* The wait status of a child that does @inside in the sandbox. */
static int in(int (*sandbox)(void), int (*inside)(void))
{
	int status = -1;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0)
		_exit(sandbox() < 0 ? 99 : inside());
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

#define LIVES(sandbox, inside) assert_int_equal(in(sandbox, inside), 0)
#define ENDS(sandbox, inside)                                                                      \
	do {                                                                                       \
		int status_ = in(sandbox, inside);                                                 \
		assert_true(WIFSIGNALED(status_) && WTERMSIG(status_) == SIGSYS);                  \
	} while (0)

/* ---- what is tried: 0 when it went as it should ---- */

static int refused(int result, int error)
{
	return result < 0 && errno == error ? 0 : 1;
}

static int reads_a_file(void)
{
	return open("/etc/passwd", O_RDONLY) < 0;
}

static int may_not_read_a_file(void)
{
	return refused(open("/etc/passwd", O_RDONLY), EACCES) ||
	       refused((int)syscall(SYS_open, "/etc/passwd", O_RDONLY), EACCES);
}

static int opens_by_path(void)
{
	return openat(AT_FDCWD, "/etc/passwd", O_RDONLY) < 0;
}

static int writes_a_file(void)
{
	return open("/tmp/lethe-sandbox-never", O_WRONLY | O_CREAT | O_EXCL, 0600) < 0;
}

static int replaces_in_the_folder(void)
{
	int fd = openat(folder_fd, "new", O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			0600);

	return fd < 0 || write(fd, "x", 1) != 1 || fchmod(fd, 0644) < 0 ||
	       renameat(folder_fd, "new", folder_fd, "file") < 0 ||
	       unlinkat(folder_fd, "file", 0) < 0;
}

static int reads_in_the_folder(void)
{
	return openat(folder_fd, "file", O_RDONLY) < 0;
}

static int connects_here(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0), other;

	memcpy(address.sun_path, socket_path, sizeof(socket_path));
	if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return 1;
	other = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	return other < 0 || send(fd, "x", 1, 0) != 1;
}

static int makes_unix(void)
{
	return socket(AF_UNIX, SOCK_STREAM, 0) < 0;
}

static int makes_inet(void)
{
	return socket(AF_INET, SOCK_STREAM, 0) < 0;
}

static int makes_no_other(void)
{
	static const int families[] = {AF_UNIX, AF_INET6, AF_PACKET, AF_VSOCK, AF_ALG, AF_BLUETOOTH};

	for (size_t i = 0; i < ARRAY_SIZE(families); i++)
		if (refused(socket(families[i], SOCK_STREAM, 0), EAFNOSUPPORT))
			return 1;
	return socket(AF_NETLINK, SOCK_RAW, 0) < 0;
}

static int listens(void)
{
	return listen(socket(AF_INET, SOCK_STREAM, 0), 1) < 0;
}

static void *nothing(void *data)
{
	return data;
}

static int makes_a_thread(void)
{
	pthread_t thread;
	void *result = NULL;

	return pthread_create(&thread, NULL, nothing, &folder) != 0 ||
	       pthread_join(thread, &result) != 0 || result != &folder;
}

static int splits(void)
{
	return fork() < 0;
}

static int starts_a_program(void)
{
	return execl("/bin/true", "true", NULL);
}

static int traces(void)
{
	return ptrace(PTRACE_ATTACH, getppid(), NULL, NULL) < 0;
}

static int kills(void)
{
	return kill(getppid(), 0) < 0;
}

/* Twice what no kernel takes for a time: nothing is set, whoever runs this. The C library would not even
 * ask the kernel. */
static int sets_the_clock(void)
{
	const struct timespec never = {.tv_sec = -1, .tv_nsec = -1};

	return refused((int)syscall(SYS_clock_settime, CLOCK_REALTIME, &never), EINVAL);
}

static int sets_another_clock(void)
{
	const struct timespec never = {.tv_sec = -1, .tv_nsec = -1};

	return syscall(SYS_clock_settime, CLOCK_MONOTONIC, &never) < 0;
}

static int asks_how_the_clock_is_kept(void)
{
	struct timex state = {.modes = 0};

	return adjtimex(&state) < 0;
}

/* ---- the three ---- */

static void test_setting(void **state)
{
	LIVES(sandbox_setting_clock, sets_the_clock);
	LIVES(sandbox_setting_clock, asks_how_the_clock_is_kept);
	LIVES(sandbox_setting_clock, may_not_read_a_file);
	ENDS(sandbox_setting_clock, sets_another_clock);
	ENDS(sandbox_setting_clock, makes_unix);
	ENDS(sandbox_setting_clock, makes_inet);
	ENDS(sandbox_setting_clock, splits);
	ENDS(sandbox_setting_clock, starts_a_program);
	ENDS(sandbox_setting_clock, traces);
}

static void test_conversing(void **state)
{
	LIVES(conversing, connects_here);
	LIVES(conversing, replaces_in_the_folder);
	ENDS(conversing, reads_in_the_folder);
	ENDS(conversing, opens_by_path);
	ENDS(conversing, writes_a_file);
	ENDS(conversing, makes_inet);
	ENDS(conversing, sets_the_clock);
	ENDS(conversing, splits);
	ENDS(conversing, starts_a_program);
	ENDS(conversing, traces);
	ENDS(conversing, kills);
}

static void test_fetching(void **state)
{
	LIVES(sandbox_fetching, makes_inet);
	LIVES(sandbox_fetching, makes_no_other);
	LIVES(sandbox_fetching, reads_a_file);
	LIVES(sandbox_fetching, makes_a_thread);
	ENDS(sandbox_fetching, writes_a_file);
	ENDS(sandbox_fetching, listens);
	ENDS(sandbox_fetching, sets_the_clock);
	ENDS(sandbox_fetching, asks_how_the_clock_is_kept);
	ENDS(sandbox_fetching, splits);
	ENDS(sandbox_fetching, starts_a_program);
	ENDS(sandbox_fetching, traces);
	ENDS(sandbox_fetching, kills);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_setting),
	    cmocka_unit_test(test_conversing),
	    cmocka_unit_test(test_fetching),
	};

	return cmocka_run_group_tests(tests, make_all, remove_all);
}

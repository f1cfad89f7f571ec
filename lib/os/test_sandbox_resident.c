/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a resident program can still do, and what ends it: each in a process of its own. */
#include "sandbox.h"

#include <fcntl.h>
#include <linux/bpf.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "netns.h"
#include "notify.h"
#include "route_events.h"
#include "surroundings.h"

/* What the program has opened before. */
static char folder[] = "/tmp/lethe-sandbox-XXXXXX";
static char socket_path[sizeof(folder) + 8], file_path[sizeof(folder) + 8];
static int listener, ends[2], inotify, signals;
static bool is_root;

static int make_all(void **state)
{
	struct sockaddr_un own = {.sun_family = AF_UNIX};
	sigset_t none;

	is_root = geteuid() == 0;
	sigemptyset(&none);
	if (!mkdtemp(folder) || socketpair(AF_UNIX, SOCK_DGRAM, 0, ends) < 0)
		return -1;
	snprintf(socket_path, sizeof(socket_path), "%s/socket", folder);
	snprintf(file_path, sizeof(file_path), "%s/file", folder);
	memcpy(own.sun_path, socket_path, sizeof(socket_path));
	listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0);
	inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	signals = signalfd(-1, &none, SFD_CLOEXEC | SFD_NONBLOCK);
	return inotify < 0 || signals < 0 ||
	       bind(listener, (const struct sockaddr *)&own, sizeof(own)) < 0 ||
	       listen(listener, 1) < 0;
}

static int remove_all(void **state)
{
	unlink(socket_path);
	return rmdir(folder);
}

/* Run @inside in a child in the sandbox; returns the wait status. */
static int in_sandbox(int (*inside)(void))
{
	int status = -1;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0)
		_exit(sandbox_resident() < 0 ? 99 : inside());
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

/* ---- what is left ---- */

static int takes_a_connection(void)
{
	return accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK) >= 0 || errno != EAGAIN;
}

static int tells_the_manager(void)
{
	char lines[8] = "";

	return notify_send(ends[0], "READY") < 0 || read(ends[1], lines, sizeof(lines)) != 5;
}

static int writes_its_files(void)
{
	char fresh[sizeof(file_path) + 4], byte = 0;
	struct stat status;
	int fd;

	snprintf(fresh, sizeof(fresh), "%s.new", file_path);
	fd = open(fresh, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	return fd < 0 || write(fd, "a", 1) != 1 || pread(fd, &byte, 1, 0) != 1 || byte != 'a' ||
	       rename(fresh, file_path) < 0 || stat(file_path, &status) < 0 ||
	       unlink(file_path) < 0;
}

static int hears_of_things(void)
{
	AUTO_CLOSE int routes = -EBADF;
	struct signalfd_siginfo signal;
	struct route_event event;

	return route_events_open(&routes) < 0 || route_events_next(routes, &event) < 0 ||
	       inotify_add_watch(inotify, folder, IN_CREATE) < 0 ||
	       (read(signals, &signal, sizeof(signal)) < 0 && errno != EAGAIN);
}

static int knows_where_it_is(void)
{
	AUTO_CLOSE int own = -EBADF, lock = -EBADF;
	uint64_t number = 0;

	return netns_open_own(&own) < 0 || netns_identity(own, &number) < 0 || number == 0 ||
	       netns_lock_within(0, &lock) < 0;
}

static int looks_outside_the_rules(void)
{
	AUTO_SURROUNDINGS struct surroundings surroundings = {0};

	return surroundings_read(&surroundings) < 0 || surroundings.device_count == 0;
}

/* In the process that was split off. */
static int thinks(int out, pid_t parent)
{
	AUTO_FREE char *much = calloc(64, 1u << 20);

	if (!much || prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || getppid() != parent ||
	    looks_outside_the_rules() != 0 || (is_root && sandbox_keep_no_capability() < 0))
		return 1;
	return write(out, "a", 1) != 1;
}

static int has_one_that_thinks(void)
{
	int answer[2], status = -1;
	pid_t parent = getpid(), child;
	char byte = 0;

	if (pipe2(answer, O_CLOEXEC) < 0)
		return 1;
	child = fork();
	if (child == 0)
		_exit(thinks(answer[1], parent));
	close(answer[1]);
	return child < 0 || read(answer[0], &byte, 1) != 1 || waitpid(child, &status, 0) != child ||
	       status != 0;
}

static void test_what_is_left(void **state)
{
	static int (*const allowed[])(void) = {
	    takes_a_connection, tells_the_manager,       writes_its_files,    hears_of_things,
	    knows_where_it_is,  looks_outside_the_rules, has_one_that_thinks,
	};

	for (size_t i = 0; i < ARRAY_SIZE(allowed); i++) {
		int status = in_sandbox(allowed[i]);

		print_message("# allowed %zu: %x\n", i, (unsigned)status);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 0);
	}
}

/* ---- what ends it ---- */

static int socket_inet(void)
{
	return socket(AF_INET, SOCK_DGRAM, 0) < 0;
}

static int socket_inet6(void)
{
	return socket(AF_INET6, SOCK_STREAM, 0) < 0;
}

static int socket_packet(void)
{
	return socket(AF_PACKET, SOCK_RAW, 0) < 0;
}

static int socket_unix(void)
{
	return socket(AF_UNIX, SOCK_DGRAM, 0) < 0;
}

static int socket_vsock(void)
{
	return socket(AF_VSOCK, SOCK_STREAM, 0) < 0;
}

static int socket_pair(void)
{
	int both[2];

	return socketpair(AF_UNIX, SOCK_STREAM, 0, both) < 0;
}

static int connects(void)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};

	memcpy(to.sun_path, socket_path, sizeof(socket_path));
	return connect(ends[0], (const struct sockaddr *)&to, sizeof(to)) < 0;
}

static int listens(void)
{
	return listen(ends[0], 1) < 0;
}

static int starts_a_program(void)
{
	execl("/bin/true", "true", NULL);
	return 0;
}

static int starts_one_by_descriptor(void)
{
	return (int)syscall(SYS_execveat, 0, "/bin/true", NULL, NULL, 0);
}

static int traces(void)
{
	return ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0;
}

static int reads_another(void)
{
	return syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0) < 0;
}

static int signals_another(void)
{
	return kill(getppid(), 0) < 0;
}

static int splits_off_elsewhere(void)
{
	return syscall(SYS_clone, CLONE_NEWNET | SIGCHLD, NULL, NULL, NULL, NULL) < 0;
}

static int goes_elsewhere(void)
{
	return unshare(CLONE_NEWNS) < 0;
}

static int goes_to_another(void)
{
	return setns(ends[0], CLONE_NEWNET) < 0;
}

static int mounts(void)
{
	return mount("none", folder, "tmpfs", 0, NULL) < 0;
}

static int loads_a_program(void)
{
	return syscall(SYS_bpf, BPF_PROG_LOAD, NULL, 0) < 0;
}

static int attaches_a_program(void)
{
	return syscall(SYS_bpf, BPF_PROG_ATTACH, NULL, 0) < 0;
}

static int loads_a_module(void)
{
	return syscall(SYS_finit_module, ends[0], "", 0) < 0;
}

static int changes_who_may(void)
{
	return chmod(socket_path, 0666) < 0;
}

static int becomes_another(void)
{
	return setuid(0) < 0;
}

static int makes_a_name(void)
{
	return symlink("/etc/shadow", file_path) < 0;
}

static int makes_memory(void)
{
	return memfd_create("program", 0) < 0;
}

static void test_what_ends_it(void **state)
{
	static int (*const forbidden[])(void) = {
	    socket_inet,
	    socket_inet6,
	    socket_packet,
	    socket_unix,
	    socket_vsock,
	    socket_pair,
	    connects,
	    listens,
	    starts_a_program,
	    starts_one_by_descriptor,
	    traces,
	    reads_another,
	    signals_another,
	    splits_off_elsewhere,
	    goes_elsewhere,
	    goes_to_another,
	    mounts,
	    loads_a_program,
	    attaches_a_program,
	    loads_a_module,
	    changes_who_may,
	    becomes_another,
	    makes_a_name,
	    makes_memory,
	};

	for (size_t i = 0; i < ARRAY_SIZE(forbidden); i++) {
		int status = in_sandbox(forbidden[i]);

		print_message("# forbidden %zu: %x\n", i, (unsigned)status);
		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), SIGSYS);
	}
}

static int splits_off_one_that_starts_a_program(void)
{
	int status = -1;
	pid_t child = fork();

	if (child == 0)
		_exit(starts_a_program());
	return child < 0 || waitpid(child, &status, 0) != child || !WIFSIGNALED(status) ||
	       WTERMSIG(status) != SIGSYS;
}

/* And what it splits off is no freer. */
static void test_it_holds_for_what_is_split_off(void **state)
{
	int status = in_sandbox(splits_off_one_that_starts_a_program);

	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_what_is_left),
	    cmocka_unit_test(test_what_ends_it),
	    cmocka_unit_test(test_it_holds_for_what_is_split_off),
	};

	return cmocka_run_group_tests(tests, make_all, remove_all);
}

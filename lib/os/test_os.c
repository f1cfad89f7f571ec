/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <arpa/inet.h>
#include <linux/openat2.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/syscall.h>
#include <sys/stat.h>
#include <stdlib.h>
#include <sys/wait.h>

#include <cmocka.h>

#include <fcntl.h>

#include "link.h"
#include "netns.h"
#include "sandbox.h"
#include "sockets.h"
#include "sysctl.h"
#include "user.h"

#define PASSWD TEST_SOURCE_ROOT "/tests/support/passwd"

static void test_devices_hold_lo(void **state)
{
	AUTO_FREE char(*names)[NETNS_DEVICE_MAX] = NULL;
	size_t count = 0;
	bool lo = false;

	assert_int_equal(netns_devices(&names, &count), 0);
	for (size_t i = 0; i < count; i++)
		lo |= strcmp(names[i], "lo") == 0;
	assert_true(lo);
}

/* The lock is held against another process and goes with its holder. */
static void test_lock_excludes_and_ends(void **state)
{
	int lock = -1, ready[2], status;
	char byte = 0;
	pid_t child;

	assert_int_equal(pipe(ready), 0);
	assert_int_equal(netns_lock(&lock), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		int mine;

		close(lock); /* a lock lives as long as any copy of its descriptor */
		if (write(ready[1], "a", 1) != 1 || netns_lock(&mine) < 0)
			_exit(1);
		_exit(write(ready[1], "b", 1) != 1);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_int_equal(byte, 'a');
	assert_int_equal(waitpid(child, &status, WNOHANG), 0);
	close(lock);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_int_equal(byte, 'b');
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	close(ready[0]);
	close(ready[1]);
}

/* Held by another descriptor, it is given up for; then it is had at once. */
static void test_lock_within_a_time(void **state)
{
	int held = -EBADF, lock = -EBADF;

	assert_int_equal(netns_lock(&held), 0);
	assert_int_equal(netns_lock_within(0, &lock), -ETIMEDOUT);
	assert_int_equal(lock, -EBADF);
	close(held);
	assert_int_equal(netns_lock_within(0, &lock), 0);
	assert_int_equal(netns_lock_within(0, &held), -ETIMEDOUT);
	close(lock);
}

static void test_link_index(void **state)
{
	unsigned index = 0;

	assert_int_equal(link_index("no_such_device", &index), -ENODEV);
	assert_int_equal(index, 0);
	assert_int_equal(link_index("lo", &index), 0);
	assert_int_equal(index, 1);
}

static void test_sysctl(void **state)
{
	char value[SYSCTL_VALUE_MAX] = "x";

	assert_int_equal(sysctl_read("kernel/ostype", value), 0);
	assert_string_equal(value, "Linux");
	assert_int_equal(sysctl_read("kernel/no_such_setting", value), -ENOENT);
	assert_int_equal(sysctl_read("../sys/kernel/ostype", value), -EINVAL);
	/* Untouched by the failures. */
	assert_string_equal(value, "Linux");
}

static void test_sockets_list_finds_our_own(void **state)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr = { .s_addr = htonl(INADDR_LOOPBACK) } };
	socklen_t len = sizeof(address);
	AUTO_FREE struct os_socket *sockets = NULL;
	AUTO_CLOSE int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	AUTO_CLOSE int client = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in6 mapped = { .sin6_family = AF_INET6 };
	bool listening = false, connected = false;
	size_t count = 0;

	assert_int_equal(bind(listener, (struct sockaddr *)&address, len), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &len), 0);
	assert_int_equal(inet_pton(AF_INET6, "::ffff:127.0.0.1", &mapped.sin6_addr), 1);
	mapped.sin6_port = address.sin_port;
	assert_int_equal(connect(client, (struct sockaddr *)&mapped, sizeof(mapped)), 0);
	assert_int_equal(sockets_list(&sockets, &count), 0);
	for (size_t i = 0; i < count; i++) {
		if (sockets[i].listening && sockets[i].local_port == ntohs(address.sin_port))
			listening = sockets[i].uid == getuid();
		/* An IPv6 socket that talks to a mapped address sends IPv4. */
		if (!sockets[i].listening && sockets[i].remote_port == ntohs(address.sin_port))
			connected = !sockets[i].ipv6 && sockets[i].remote[0] == 127 &&
				    sockets[i].uid == getuid();
	}
	assert_true(listening);
	assert_true(connected);
}

static void test_udp_sockets_are_listed(void **state)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_port = htons(9),
				       .sin_addr = { .s_addr = htonl(INADDR_LOOPBACK) } };
	AUTO_CLOSE int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	AUTO_FREE struct os_socket *sockets = NULL;
	size_t count = 0, found = 0;
	struct stat status;

	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(fstat(fd, &status), 0);
	assert_int_equal(sockets_list_udp(&sockets, &count), 0);
	for (size_t i = 0; i < count; i++) {
		assert_true(sockets[i].udp && !sockets[i].listening);
		found += sockets[i].inode == status.st_ino && sockets[i].remote_port == 9 &&
			 sockets[i].remote[0] == 127 && sockets[i].uid == getuid();
	}
	assert_int_equal(found, 1);
}

/* Run @inside in a child under the @sandbox; returns the wait status. */
static int in_sandbox(int (*sandbox)(void), int (*inside)(void))
{
	int status = -1;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		if (sandbox() < 0)
			_exit(99);
		_exit(inside());
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

static int open_netlink(void)
{
	return socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 12) < 0;
}

static int by_value(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

/* What large policies lead to: much memory, and sorting it. */
static int use_much_memory(void)
{
	size_t count = 4u << 20;
	int *numbers = calloc(count, sizeof(*numbers));

	if (!numbers)
		return 1;
	for (size_t i = 0; i < count; i++)
		numbers[i] = (int)(count - i);
	qsort(numbers, count, sizeof(*numbers), by_value);
	return numbers[0] != 1;
}

static int open_internet(void)
{
	return socket(AF_INET, SOCK_STREAM, 0) < 0;
}

static int start_program(void)
{
	execl("/bin/true", "true", NULL);
	return 0;
}

static void test_sandbox_bites(void **state)
{
	int status = in_sandbox(sandbox_netlink_only, open_netlink);

	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	status = in_sandbox(sandbox_netlink_only, use_much_memory);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	status = in_sandbox(sandbox_netlink_only, open_internet);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
	status = in_sandbox(sandbox_netlink_only, start_program);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
}

/* As in a unit whose SystemCallFilter= lacks @sandbox; udev's does. Without libseccomp, which would
 * remember that the call was there. */
static int sandbox_without_seccomp(void)
{
	struct sock_filter steps[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_seccomp, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = ARRAY_SIZE(steps), .filter = steps };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		return neg_errno();
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 1, NULL) == 0 || errno != EPERM)
		return -EINVAL;
	return sandbox_netlink_only();
}

static void test_sandbox_bites_without_seccomp(void **state)
{
	int status = in_sandbox(sandbox_without_seccomp, open_netlink);

	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	status = in_sandbox(sandbox_without_seccomp, open_internet);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
}

static int opened[2];

/* What was opened before works on, and a file that a library would like to see does not. */
static int use_what_is_open(void)
{
	char byte = 0;
	FILE *file;

	if (write(opened[1], "a", 1) != 1 || read(opened[0], &byte, 1) != 1 || byte != 'a')
		return 1;
	file = fopen("/etc/passwd", "re");
	if (file)
		fclose(file);
	if (file || errno != EACCES)
		return 2;
	return isatty(opened[0]) ? 3 : use_much_memory();
}

static int type_for_the_user(void)
{
	return ioctl(opened[0], TIOCSTI, "x") < 0;
}

static int open_unix(void)
{
	return socket(AF_UNIX, SOCK_STREAM, 0) < 0;
}

static void test_opened_only_bites(void **state)
{
	static int (*const forbidden[])(void) = {
		open_netlink, open_internet, open_unix, start_program, type_for_the_user,
	};
	int status;

	assert_int_equal(pipe(opened), 0);
	status = in_sandbox(sandbox_opened_only, use_what_is_open);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	for (size_t i = 0; i < ARRAY_SIZE(forbidden); i++) {
		status = in_sandbox(sandbox_opened_only, forbidden[i]);
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
	}
	close(opened[0]);
	close(opened[1]);
}

static int read_a_file(void)
{
	AUTO_CLOSE int fd = open("/etc/passwd", O_RDONLY | O_CLOEXEC);
	char byte;

	return fd < 0 || read(fd, &byte, 1) != 1 ? 1 : use_much_memory();
}

static int write_a_file(void)
{
	return open("/dev/null", O_WRONLY | O_CLOEXEC) < 0;
}

static int make_a_file(void)
{
	return open("/dev/null", O_RDONLY | O_CREAT | O_CLOEXEC, 0600) < 0;
}

static int load_a_program(void)
{
	return syscall(SYS_bpf, 5, NULL, 0) < 0; /* BPF_PROG_LOAD */
}

static int ask_of_nothing(void)
{
	return syscall(SYS_bpf, 15, NULL, 0) == 0; /* BPF_OBJ_GET_INFO_BY_FD */
}

/* Refused, and not the end: a library may ask for it first. */
static int open_by_the_new_call(void)
{
	struct open_how how = { .flags = O_WRONLY };

	return syscall(SYS_openat2, AT_FDCWD, "/dev/null", &how, sizeof(how)) >= 0 ||
	       errno != ENOSYS;
}

static void test_serving_bites(void **state)
{
	static int (*const allowed[])(void) = { read_a_file, ask_of_nothing,
						open_by_the_new_call };
	static int (*const forbidden[])(void) = {
		open_netlink, open_internet, open_unix,	    start_program,
		write_a_file, make_a_file,   load_a_program, type_for_the_user,
	};
	int status;

	assert_int_equal(pipe(opened), 0);
	for (size_t i = 0; i < ARRAY_SIZE(allowed); i++) {
		status = in_sandbox(sandbox_serving, allowed[i]);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 0);
	}
	for (size_t i = 0; i < ARRAY_SIZE(forbidden); i++) {
		status = in_sandbox(sandbox_serving, forbidden[i]);
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
	}
	close(opened[0]);
	close(opened[1]);
}

static int reported = -EBADF;

static int reporting(void)
{
	return sandbox_reporting(reported);
}

/* As a status is replaced. */
static int replace_there(void)
{
	AUTO_CLOSE int fd = openat(reported, "new", O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);

	return fd < 0 || fchmod(fd, 0644) < 0 || write(fd, "x", 1) != 1 ||
	       renameat(reported, "new", reported, "status") < 0 ||
	       unlinkat(reported, "status", 0) < 0;
}

static int replace_elsewhere(void)
{
	return renameat(AT_FDCWD, "new", reported, "status") == 0;
}

static int write_what_is_there(void)
{
	return openat(reported, "status", O_WRONLY) < 0;
}

static void test_reporting_bites(void **state)
{
	static int (*const forbidden[])(void) = {
		write_a_file, make_a_file, replace_elsewhere, write_what_is_there, open_unix,
	};
	char path[] = "/tmp/lethe-reporting-XXXXXX";
	int status;

	assert_non_null(mkdtemp(path));
	reported = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(reported >= 0);
	status = in_sandbox(reporting, replace_there);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	for (size_t i = 0; i < ARRAY_SIZE(forbidden); i++) {
		status = in_sandbox(reporting, forbidden[i]);
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
	}
	status = in_sandbox(sandbox_serving, replace_there);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
	close(reported);
	assert_int_equal(rmdir(path), 0);
}

/* In the child of the next test: two are kept, one below and one above the 32nd, and no other. */
static int keeps_two(void)
{
	const uint64_t keep = 1ull << CAP_SYS_PTRACE | 1ull << CAP_MAC_OVERRIDE;
	AUTO_FILE FILE *file = NULL;
	char line[128], expected[64];

	if (sandbox_keep_capabilities(1ull << (CAP_LAST_CAP + 1)) != -EINVAL ||
	    sandbox_keep_capabilities(keep) < 0)
		return 1;
	snprintf(expected, sizeof(expected), "CapEff:\t%016llx\n", (unsigned long long)keep);
	file = fopen("/proc/self/status", "re");
	while (file && fgets(line, sizeof(line), file))
		if (strcmp(line, expected) == 0)
			return 0;
	return 2;
}

static void test_some_capabilities_are_left(void **state)
{
	int status = -1;
	pid_t child;

	if (geteuid() != 0)
		skip(); /* there is nothing to give up; ./test runs this as root */
	child = fork();
	assert_true(child >= 0);
	if (child == 0)
		_exit(keeps_two());
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void test_capability_is_all_that_is_left(void **state)
{
	int status = -1;
	pid_t child;

	if (geteuid() != 0)
		skip(); /* there is nothing to give up; ./test runs this as root */
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		if (sandbox_keep_capability(CAP_NET_ADMIN) < 0)
			_exit(1);
		/* Root without capabilities: raw sockets are refused. */
		_exit(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP) >= 0 || errno != EPERM);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void test_user_name(void **state)
{
	char name[USER_NAME_MAX] = "untouched";

	assert_null(user_name(TEST_SOURCE_ROOT "/tests/support/none", 0, name));
	assert_null(user_name(PASSWD, UINT32_MAX, name));
	assert_string_equal(name, "untouched");
	assert_string_equal(user_name(PASSWD, 64001, name), "amnesia");
}

static void test_user_numbers(void **state)
{
	uint32_t uid = 7, gid = 7;

	assert_int_equal(user_numbers(PASSWD, "nobody-here", &uid, &gid), -ENOENT);
	assert_int_equal(user_numbers(TEST_SOURCE_ROOT "/tests/support/none", "root", &uid, &gid),
			 -ENOENT);
	assert_int_equal(uid, 7);
	assert_int_equal(user_numbers(PASSWD, "_apt", &uid, &gid), 0);
	assert_int_equal(uid, 42);
	assert_int_equal(gid, 65534);
}

static int receive_buffer(int fd)
{
	socklen_t len = sizeof(int);
	int value = -1;

	return getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &value, &len) < 0 ? -1 : value;
}

/* Before, the size is what was asked for; after, it is the system's, and other options still work. */
static int buffers_are_usual(void)
{
	int one = socket(AF_INET, SOCK_STREAM, 0), two = socket(AF_INET, SOCK_STREAM, 0);
	int usual = receive_buffer(one), size = 8192, on = 1;

	if (setsockopt(one, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)) < 0 ||
	    receive_buffer(one) == usual)
		return 1;
	if (sandbox_usual_buffers() < 0)
		return 2;
	if (setsockopt(two, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)) < 0 ||
	    receive_buffer(two) != usual)
		return 3;
	return setsockopt(two, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ? 4 : 0;
}

static void test_usual_buffers(void **state)
{
	int status = -1;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0)
		_exit(buffers_are_usual());
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static int connect_unix(void)
{
	struct sockaddr_un nowhere = { .sun_family = AF_UNIX, .sun_path = "/nonexistent/door" };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	return fd < 0 || connect(fd, (struct sockaddr *)&nowhere, sizeof(nowhere)) == 0 ||
	       errno != ENOENT;
}

static int connect_internet(void)
{
	struct sockaddr_in nobody = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	/* To port 0 of this computer: nobody can be there. */
	nobody.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return fd < 0 || connect(fd, (struct sockaddr *)&nobody, sizeof(nobody)) == 0;
}

static int open_datagram(void)
{
	return socket(AF_INET, SOCK_DGRAM, 0) < 0;
}

static int try_ipv6(void)
{
	return socket(AF_INET6, SOCK_STREAM, 0) >= 0 || errno != EAFNOSUPPORT;
}

static int open_to_write(void)
{
	return open("/dev/null", O_WRONLY | O_CLOEXEC) < 0;
}

/* Who talks at doors reaches those alone; who fetches has TCP alone. */
static void test_clients_are_kept_to_their_kind(void **state)
{
	static int (*const of_calling[])(void) = { open_netlink, open_internet, start_program,
						   open_to_write, open_datagram };
	static int (*const of_fetching[])(void) = { open_netlink, open_unix, start_program,
						    open_datagram };
	int status = in_sandbox(sandbox_calling, connect_unix);

	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	for (size_t i = 0; i < ARRAY_SIZE(of_calling); i++) {
		status = in_sandbox(sandbox_calling, of_calling[i]);
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
	}
	status = in_sandbox(sandbox_asking, connect_internet);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	status = in_sandbox(sandbox_asking, try_ipv6);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	for (size_t i = 0; i < ARRAY_SIZE(of_fetching); i++) {
		status = in_sandbox(sandbox_asking, of_fetching[i]);
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_user_name),
		cmocka_unit_test(test_user_numbers),
		cmocka_unit_test(test_usual_buffers),
		cmocka_unit_test(test_devices_hold_lo),
		cmocka_unit_test(test_lock_excludes_and_ends),
		cmocka_unit_test(test_lock_within_a_time),
		cmocka_unit_test(test_link_index),
		cmocka_unit_test(test_sysctl),
		cmocka_unit_test(test_sockets_list_finds_our_own),
		cmocka_unit_test(test_sandbox_bites),
		cmocka_unit_test(test_sandbox_bites_without_seccomp),
		cmocka_unit_test(test_opened_only_bites),
		cmocka_unit_test(test_clients_are_kept_to_their_kind),
		cmocka_unit_test(test_capability_is_all_that_is_left),
		cmocka_unit_test(test_some_capabilities_are_left),
		cmocka_unit_test(test_serving_bites),
		cmocka_unit_test(test_reporting_bites),
		cmocka_unit_test(test_udp_sockets_are_listed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

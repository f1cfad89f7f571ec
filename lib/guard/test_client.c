/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Asking, against a guard of a few lines, against none, and against one that is no good. */
#include "guard.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>

#include <cmocka.h>

#define BATCH "what is to be installed"

static char folder[] = "/tmp/lethe-guard-XXXXXX";
static char path[GUARD_PATH_MAX];

static int make_folder(void **state)
{
	if (!mkdtemp(folder))
		return -1;
	return guard_path(folder, "socket", path);
}

static int remove_folder(void **state)
{
	unlink(path);
	return rmdir(folder);
}

/* ---- names ---- */

static void test_a_path_names_the_namespace(void **state)
{
	char other[GUARD_PATH_MAX];
	struct stat own;
	char wanted[256];

	assert_int_equal(stat("/proc/self/ns/net", &own), 0);
	assert_int_equal(guard_path("/run/lethe", "batch", other), 0);
	snprintf(wanted, sizeof(wanted), "/run/lethe/guard-%lu.batch", (unsigned long)own.st_ino);
	assert_string_equal(other, wanted);
}

static void test_a_path_that_is_too_long(void **state)
{
	char long_folder[GUARD_PATH_MAX], other[GUARD_PATH_MAX] = "untouched";
	struct guard_client client = {.socket = 77};
	size_t most = sizeof(other) - 1;

	/* "/guard-N.socket": the longest that fits, and one more. */
	most -= strlen(path) - strlen(folder);
	memset(long_folder, 'x', sizeof(long_folder));
	long_folder[most + 1] = '\0';
	assert_int_equal(guard_path(long_folder, "socket", other), -E2BIG);
	assert_string_equal(other, "untouched");
	assert_int_equal(guard_connect(long_folder, &client), -E2BIG);
	assert_int_equal(client.socket, 77);
	long_folder[most] = '\0';
	assert_int_equal(guard_path(long_folder, "socket", other), 0);
	assert_int_equal(strlen(other), sizeof(other) - 1);
}

/* ---- nobody ---- */

static void nobody_in(const char *where)
{
	struct guard_client client = {.socket = 77};

	assert_int_equal(guard_connect(where, &client), -ENOENT);
	assert_int_equal(client.socket, 77);
}

static void test_there_is_no_guard(void **state)
{
	int listener = -EBADF;

	nobody_in(folder);
	nobody_in("/no/such/folder");
	nobody_in("/proc/self/exe");
	/* One that died has left its file. */
	assert_int_equal(guard_listen(path, &listener), 0);
	close(listener);
	nobody_in(folder);
	assert_int_equal(unlink(path), 0);
}

static void test_not_for_this_user(void **state)
{
	AUTO_CLOSE int listener = -EBADF;
	int status = -1;
	pid_t child;

	if (geteuid() != 0)
		skip(); /* there is no one else to be; ./test runs this as root */
	assert_int_equal(guard_listen(path, &listener), 0);
	assert_int_equal(chmod(folder, 0755), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		struct guard_client client;

		if (setgid(65534) < 0 || setuid(65534) < 0)
			_exit(1);
		_exit(guard_connect(folder, &client) != -ENOENT);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

/* ---- a guard of a few lines ---- */

/* In a process of its own: takes one connection, and does @serve. */
static pid_t start(int listener, int (*serve)(int fd))
{
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

		_exit(fd < 0 ? 99 : serve(fd));
	}
	return child;
}

static void ended_well(pid_t child)
{
	int status = -1;

	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* Waits for a request, as the guard does for readiness. */
static int receive(int fd, enum guard_verb *verb, uint8_t **batch, size_t *len)
{
	char byte;

	(void)!recv(fd, &byte, 1, MSG_PEEK);
	return guard_receive(fd, verb, batch, len);
}

static int serve_properly(int fd)
{
	static const enum guard_verb verbs[] = {GUARD_COVER, GUARD_INSTALL, GUARD_INSTALL,
						GUARD_OPEN};
	const struct diag refusal = {.message = "not now", .hint = "later"};

	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
		enum guard_verb verb = GUARD_OPEN;
		AUTO_FREE uint8_t *batch = NULL;
		size_t len = 0;

		if (receive(fd, &verb, &batch, &len) < 0 || verb != verbs[i])
			return 1;
		if (verb == GUARD_INSTALL &&
		    (len != strlen(BATCH) || memcmp(batch, BATCH, len) != 0))
			return 2;
		if (guard_reply(fd, verb == GUARD_OPEN ? -EBUSY : 0, &refusal) < 0)
			return 3;
	}
	return 0;
}

static void test_asking(void **state)
{
	AUTO_CLOSE int listener = -EBADF;
	CLEANUP(guard_client_done) struct guard_client client = GUARD_NOBODY;
	struct guard_answer answer = {.error = 77};
	pid_t child;

	assert_int_equal(guard_listen(path, &listener), 0);
	assert_int_equal(fcntl(listener, F_SETFL, 0), 0);
	child = start(listener, serve_properly);
	assert_int_equal(guard_connect(folder, &client), 0);
	assert_int_equal(guard_ask(&client, GUARD_COVER, NULL, 0, &answer), 0);
	assert_int_equal(answer.error, 0);
	for (unsigned i = 0; i < GUARD_BATCHES; i++)
		assert_int_equal(guard_ask(&client, GUARD_INSTALL, BATCH, strlen(BATCH), &answer),
				 0);
	assert_int_equal(guard_ask(&client, GUARD_OPEN, NULL, 0, &answer), 0);
	assert_int_equal(answer.error, -EBUSY);
	assert_string_equal(answer.message, "not now");
	assert_string_equal(answer.hint, "later");
	ended_well(child);
}

/* What a batch lies in is no program, where the kernel can keep it from being one. */
static void test_memory_that_cannot_be_run(void **state)
{
	AUTO_CLOSE int listener = -EBADF;
	CLEANUP(guard_client_done) struct guard_client client = GUARD_NOBODY;
	struct stat status;

	if (access("/proc/sys/vm/memfd_noexec", F_OK) < 0)
		skip(); /* before 6.3 */
	assert_int_equal(guard_listen(path, &listener), 0);
	assert_int_equal(guard_connect(folder, &client), 0);
	for (size_t i = 0; i < GUARD_BATCHES; i++) {
		assert_int_equal(fstat(client.memory[i], &status), 0);
		assert_int_equal(status.st_mode & 0111, 0);
		assert_int_equal(fchmod(client.memory[i], 0700), -1);
	}
}

static int serve_two(int fd)
{
	for (unsigned i = 0; i < GUARD_BATCHES; i++) {
		enum guard_verb verb = GUARD_OPEN;
		AUTO_FREE uint8_t *batch = NULL;
		size_t len = 0;

		if (receive(fd, &verb, &batch, &len) < 0 ||
		    guard_reply(fd, 0, &(struct diag){0}) < 0)
			return 1;
	}
	return 0;
}

static void test_all_batches_were_handed_over(void **state)
{
	AUTO_CLOSE int listener = -EBADF;
	struct guard_client client = GUARD_NOBODY;
	struct guard_answer answer = {.error = 77};
	pid_t child;

	assert_int_equal(guard_listen(path, &listener), 0);
	assert_int_equal(fcntl(listener, F_SETFL, 0), 0);
	child = start(listener, serve_two);
	assert_int_equal(guard_connect(folder, &client), 0);
	for (unsigned i = 0; i < GUARD_BATCHES; i++)
		assert_int_equal(guard_ask(&client, GUARD_INSTALL, BATCH, strlen(BATCH), &answer),
				 0);
	answer.error = 77;
	assert_int_equal(guard_ask(&client, GUARD_INSTALL, BATCH, strlen(BATCH), &answer), -ENOSPC);
	assert_int_equal(answer.error, 77);
	assert_int_equal(client.socket, -EBADF);
	ended_well(child);
}

/* ---- one that is no good ---- */

/* What a guard sends, byte by byte. */
static struct guard_answer bad;
static size_t bad_len;

static int serve_badly(int fd)
{
	char byte[sizeof(bad) + 1] = {0};

	if (recv(fd, byte, 1, 0) != 1)
		return 1;
	memcpy(byte, &bad, sizeof(bad));
	return send(fd, byte, bad_len, MSG_NOSIGNAL) != (ssize_t)bad_len;
}

static int ask_badly(struct guard_answer *ret_answer)
{
	AUTO_CLOSE int listener = -EBADF;
	struct guard_client client = GUARD_NOBODY;
	pid_t child;
	int r;

	assert_int_equal(guard_listen(path, &listener), 0);
	assert_int_equal(fcntl(listener, F_SETFL, 0), 0);
	child = start(listener, serve_badly);
	assert_int_equal(guard_connect(folder, &client), 0);
	r = guard_ask(&client, GUARD_COVER, NULL, 0, ret_answer);
	/* Whoever failed has hung up. */
	assert_true(r == 0 || client.socket == -EBADF);
	guard_client_done(&client);
	ended_well(child);
	return r;
}

static void test_answers_that_are_none(void **state)
{
	struct guard_answer answer = {.error = 77};

	bad = (struct guard_answer){.magic = GUARD_MAGIC};
	bad_len = sizeof(bad) - 1;
	assert_int_equal(ask_badly(&answer), -EBADMSG);
	bad_len = sizeof(bad) + 1;
	assert_int_equal(ask_badly(&answer), -EBADMSG);
	bad_len = sizeof(bad);
	bad.magic = GUARD_MAGIC + 1;
	assert_int_equal(ask_badly(&answer), -EBADMSG);
	bad.magic = GUARD_MAGIC;
	bad.error = 1;
	assert_int_equal(ask_badly(&answer), -EBADMSG);
	/* It hangs up. */
	bad_len = 0;
	assert_int_equal(ask_badly(&answer), -ECONNRESET);
	assert_int_equal(answer.error, 77);
}

static void test_text_without_an_end(void **state)
{
	struct guard_answer answer = {0};

	bad = (struct guard_answer){.magic = GUARD_MAGIC, .error = -EIO};
	memset(bad.message, 'm', sizeof(bad.message));
	memset(bad.hint, 'h', sizeof(bad.hint));
	bad_len = sizeof(bad);
	assert_int_equal(ask_badly(&answer), 0);
	assert_int_equal(strlen(answer.message), sizeof(answer.message) - 1);
	assert_int_equal(strlen(answer.hint), sizeof(answer.hint) - 1);
}

/* It has stopped: who asks hangs up, and is known to have gone when it goes on. */
static void test_no_answer_in_time(void **state)
{
	const struct timeval shortly = {.tv_usec = 1000};
	AUTO_CLOSE int listener = -EBADF, fd = -EBADF;
	struct guard_client client = GUARD_NOBODY;
	struct guard_answer answer = {.error = 77};
	AUTO_FREE uint8_t *batch = NULL;
	enum guard_verb verb = GUARD_OPEN;
	size_t len = 0;

	assert_int_equal(guard_listen(path, &listener), 0);
	assert_int_equal(guard_connect(folder, &client), 0);
	assert_int_equal(
	    setsockopt(client.socket, SOL_SOCKET, SO_RCVTIMEO, &shortly, sizeof(shortly)), 0);
	assert_int_equal(guard_ask(&client, GUARD_INSTALL, BATCH, strlen(BATCH), &answer),
			 -ETIMEDOUT);
	assert_int_equal(answer.error, 77);
	assert_int_equal(client.socket, -EBADF);
	if (geteuid() != 0)
		skip(); /* the other side takes root's connections only */
	/* The request is there to be read, and this is what keeps it from being done. */
	assert_int_equal(guard_accept(listener, &fd), 0);
	assert_int_equal(guard_receive(fd, &verb, &batch, &len), 0);
	assert_int_equal(verb, GUARD_INSTALL);
	assert_true(guard_is_gone(fd));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_path_names_the_namespace),
	    cmocka_unit_test(test_a_path_that_is_too_long),
	    cmocka_unit_test(test_there_is_no_guard),
	    cmocka_unit_test(test_not_for_this_user),
	    cmocka_unit_test(test_asking),
	    cmocka_unit_test(test_memory_that_cannot_be_run),
	    cmocka_unit_test(test_all_batches_were_handed_over),
	    cmocka_unit_test(test_answers_that_are_none),
	    cmocka_unit_test(test_text_without_an_end),
	    cmocka_unit_test(test_no_answer_in_time),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}

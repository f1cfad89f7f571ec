/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Requests as far as they do not reach the kernel: this process has no netlink socket at all. */
#include "resident.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <cmocka.h>

static char folder[] = "/tmp/lethe-request-XXXXXX";
static char status_path[sizeof(folder) + 16];
static struct resident_options options = {.folder = folder, .status = status_path};

static int make_folder(void **state)
{
	if (!mkdtemp(folder))
		return -1;
	snprintf(status_path, sizeof(status_path), "%s/guard.json", folder);
	return 0;
}

static int remove_folder(void **state)
{
	unlink(status_path);
	return rmdir(folder);
}

/* One that guards nothing, with a client at the other end of *ret_asking. */
static struct resident idle(int *ret_asking)
{
	int ends[2];

	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
	*ret_asking = ends[0];
	return (struct resident){.options = &options, .client = ends[1], .notify = -EBADF};
}

static void request(int socket, enum guard_verb verb)
{
	const struct guard_request bytes = {GUARD_MAGIC, (uint32_t)verb};

	assert_int_equal(send(socket, &bytes, sizeof(bytes), 0), sizeof(bytes));
}

static int answered(int socket)
{
	struct guard_answer answer;

	assert_int_equal(recv(socket, &answer, sizeof(answer), 0), sizeof(answer));
	assert_int_equal(answer.magic, GUARD_MAGIC);
	/* Whoever is refused is told why. */
	assert_true(answer.error == 0 || answer.message[0] != '\0');
	return answer.error;
}

static void test_where_nothing_is_enforced(void **state)
{
	AUTO_CLOSE int asking = -EBADF;
	struct resident resident = idle(&asking);

	request(asking, GUARD_COVER);
	request_serve(&resident);
	assert_int_equal(answered(asking), -ENOENT);
	request(asking, GUARD_OPEN);
	request_serve(&resident);
	assert_int_equal(answered(asking), 0);
	assert_int_equal(resident.state, RESIDENT_IDLE);
	close(resident.client);
}

static void test_nothing_yet(void **state)
{
	AUTO_CLOSE int asking = -EBADF;
	struct resident resident = idle(&asking);

	request_serve(&resident);
	assert_true(resident.client >= 0);
	close(resident.client);
}

/* It was told that it failed, or will be: nothing may be done for it. */
static void test_one_that_has_gone(void **state)
{
	AUTO_CLOSE int asking = -EBADF;
	struct resident resident = idle(&asking);

	/* Were it done, all would be opened. */
	resident.state = RESIDENT_HOLDING;
	request(asking, GUARD_OPEN);
	assert_int_equal(shutdown(asking, SHUT_WR), 0);
	request_serve(&resident);
	assert_int_equal(resident.state, RESIDENT_HOLDING);
	assert_int_equal(resident.client, -EBADF);
}

static void test_one_that_talks_nonsense(void **state)
{
	AUTO_CLOSE int asking = -EBADF;
	struct resident resident = idle(&asking);
	char byte;

	assert_int_equal(send(asking, "nonsense", 8, 0), 8);
	request_serve(&resident);
	assert_int_equal(resident.client, -EBADF);
	assert_int_equal(recv(asking, &byte, 1, 0), 0);
}

static void hand_over(int socket, const void *bytes, size_t len)
{
	const struct guard_request head = {GUARD_MAGIC, GUARD_INSTALL};
	AUTO_CLOSE int memory = memfd_create("batch", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	struct iovec part = {.iov_base = (void *)(uintptr_t)&head, .iov_len = sizeof(head)};
	union {
		char space[CMSG_SPACE(sizeof(int))];
		struct cmsghdr aligned;
	} control = {.aligned = {.cmsg_level = SOL_SOCKET,
				 .cmsg_type = SCM_RIGHTS,
				 .cmsg_len = CMSG_LEN(sizeof(int))}};
	struct msghdr message = {.msg_iov = &part,
				 .msg_iovlen = 1,
				 .msg_control = control.space,
				 .msg_controllen = sizeof(control.space)};

	assert_int_equal(write(memory, bytes, len), len);
	assert_int_equal(fcntl(memory, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE), 0);
	memcpy(CMSG_DATA(&control.aligned), &memory, sizeof(int));
	assert_int_equal(sendmsg(socket, &message, 0), sizeof(head));
}

/* A batch that only removes, and one that stops in the middle. Neither is sent anywhere. */
static void test_batches_that_are_none_of_ours(void **state)
{
	static const char *const names[] = {"removal", "default"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		AUTO_CLOSE int asking = -EBADF;
		struct resident resident = idle(&asking);
		static char bytes[1 << 20];
		AUTO_FILE FILE *file = NULL;
		char path[256];
		size_t len;

		snprintf(path, sizeof(path), TEST_SOURCE_ROOT "/tests/corpus/guard/%s", names[i]);
		file = fopen(path, "re");
		assert_non_null(file);
		len = fread(bytes, 1, sizeof(bytes), file);
		hand_over(asking, bytes, i == 0 ? len : len / 2);
		request_serve(&resident);
		assert_int_equal(answered(asking), -EBADMSG);
		assert_null(resident.wanted);
		assert_int_equal(resident.state, RESIDENT_IDLE);
		close(resident.client);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_where_nothing_is_enforced),
	    cmocka_unit_test(test_nothing_yet),
	    cmocka_unit_test(test_one_that_has_gone),
	    cmocka_unit_test(test_one_that_talks_nonsense),
	    cmocka_unit_test(test_batches_that_are_none_of_ours),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}

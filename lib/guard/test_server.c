/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Who may ask, and what is a request. */
#include "guard.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <cmocka.h>

#define SEALS  (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)
#define BATCH  "what is to be installed"
#define OTHER  "what was put there later"
#define NOBODY 65534

static const struct guard_request install = {GUARD_MAGIC, GUARD_INSTALL};

/* What is sent, and what comes of it. The answering end does not block. */
struct pair {
	int asking, answering;
};

static struct pair pair_open(void)
{
	int ends[2];

	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
	return (struct pair){ends[0], ends[1]};
}

static void pair_done(struct pair *pair)
{
	closep(&pair->asking);
	closep(&pair->answering);
}

/* One datagram with @count descriptors. */
static void send_with(int socket, const void *data, size_t len, const int *fds, size_t count)
{
	char bytes[64] = {0};
	struct iovec part = {.iov_base = bytes, .iov_len = len};
	union {
		char space[CMSG_SPACE(8 * sizeof(int))];
		struct cmsghdr aligned;
	} control = {0};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

	assert_true(len <= sizeof(bytes));
	memcpy(bytes, data, len);
	if (count > 0) {
		struct cmsghdr *header;

		message.msg_control = control.space;
		message.msg_controllen = CMSG_SPACE(count * sizeof(int));
		header = CMSG_FIRSTHDR(&message);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(count * sizeof(int));
		memcpy(CMSG_DATA(header), fds, count * sizeof(int));
	}
	assert_int_equal(sendmsg(socket, &message, MSG_NOSIGNAL), len);
}

/* Memory that holds BATCH, with these seals. */
static int memory_of(int seals)
{
	int memory = memfd_create("batch", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_true(memory >= 0);
	assert_int_equal(write(memory, BATCH, strlen(BATCH)), strlen(BATCH));
	assert_int_equal(fcntl(memory, F_ADD_SEALS, seals), 0);
	return memory;
}

static size_t descriptors(void)
{
	AUTO_DIR DIR *dir = opendir("/proc/self/fd");
	size_t count = 0;

	assert_non_null(dir);
	while (readdir(dir))
		count++;
	return count;
}

/* Receive what must be refused, with this error: nothing is given out, and no descriptor is left.
 */
static void refused(int socket, int error, size_t descriptors_before)
{
	enum guard_verb verb = (enum guard_verb)77;
	uint8_t *batch = (uint8_t *)&verb;
	size_t len = 78;

	assert_int_equal(guard_receive(socket, &verb, &batch, &len), error);
	assert_int_equal(verb, 77);
	assert_ptr_equal(batch, &verb);
	assert_int_equal(len, 78);
	assert_int_equal(descriptors(), descriptors_before);
}

static void refused_with(const void *data, size_t data_len, const int *fds, size_t count)
{
	CLEANUP(pair_done) struct pair pair = pair_open();
	size_t before = descriptors();

	send_with(pair.asking, data, data_len, fds, count);
	refused(pair.answering, -EBADMSG, before);
}

static void refused_memory(int memory)
{
	refused_with(&install, sizeof(install), &memory, 1);
	close(memory);
}

/* ---- requests ---- */

static void test_a_batch_is_received(void **state)
{
	CLEANUP(pair_done) struct pair pair = pair_open();
	AUTO_CLOSE int memory = memory_of(SEALS);
	AUTO_FREE uint8_t *batch = NULL;
	enum guard_verb verb = GUARD_OPEN;
	size_t len = 0, before = descriptors();

	/* Where its owner stands in it does not matter. */
	assert_int_equal(lseek(memory, 3, SEEK_SET), 3);
	send_with(pair.asking, &install, sizeof(install), &memory, 1);
	assert_int_equal(guard_receive(pair.answering, &verb, &batch, &len), 0);
	assert_int_equal(verb, GUARD_INSTALL);
	assert_int_equal(len, strlen(BATCH));
	assert_memory_equal(batch, BATCH, len);
	assert_int_equal(descriptors(), before);
}

static void test_what_needs_no_batch(void **state)
{
	static const enum guard_verb verbs[] = {GUARD_COVER, GUARD_OPEN};
	AUTO_CLOSE int memory = memory_of(SEALS);

	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
		const struct guard_request request = {GUARD_MAGIC, (uint32_t)verbs[i]};
		CLEANUP(pair_done) struct pair pair = pair_open();
		enum guard_verb verb = GUARD_INSTALL;
		uint8_t *batch = NULL;
		size_t len = 0;

		send_with(pair.asking, &request, sizeof(request), NULL, 0);
		assert_int_equal(guard_receive(pair.answering, &verb, &batch, &len), 0);
		assert_int_equal(verb, verbs[i]);
		assert_null(batch);
		/* What came along was meant for something else. */
		refused_with(&request, sizeof(request), &memory, 1);
	}
}

static void test_what_is_no_request(void **state)
{
	static const struct guard_request requests[] = {
	    {GUARD_MAGIC, 0},
	    {GUARD_MAGIC, GUARD_OPEN + 1},
	    {GUARD_MAGIC, UINT32_MAX},
	    {GUARD_MAGIC, GUARD_INSTALL}, /* of nothing */
	    {GUARD_MAGIC ^ 1, GUARD_OPEN},
	    {0, GUARD_OPEN},
	};
	const struct guard_request two[] = {{GUARD_MAGIC, GUARD_OPEN}, {GUARD_MAGIC, GUARD_OPEN}};

	for (size_t i = 0; i < ARRAY_SIZE(requests); i++)
		refused_with(&requests[i], sizeof(requests[i]), NULL, 0);
	for (size_t len = 0; len <= sizeof(two); len++)
		if (len != sizeof(two[0]))
			refused_with(two, len, NULL, 0);
}

static void test_not_yet_and_never(void **state)
{
	CLEANUP(pair_done) struct pair pair = pair_open();
	size_t before = descriptors();

	refused(pair.answering, -EAGAIN, before);
	closep(&pair.asking);
	pair.asking = -EBADF;
	refused(pair.answering, -EBADMSG, before - 1);
}

/* ---- what is handed over ---- */

static void test_what_is_not_sealed(void **state)
{
	static const int seals[] = {
	    0,
	    F_SEAL_SEAL,
	    F_SEAL_GROW | F_SEAL_WRITE,
	    F_SEAL_SHRINK | F_SEAL_WRITE,
	    F_SEAL_SHRINK | F_SEAL_GROW,
	    /* A mapping that was there before goes on writing. */
	    F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE,
	};

	for (size_t i = 0; i < ARRAY_SIZE(seals); i++)
		refused_memory(memory_of(seals[i]));
}

/* Files cannot be sealed, and reading from a pipe might wait for ever. */
static void test_what_is_no_memory(void **state)
{
	int ends[2];

	refused_memory(open("/dev/zero", O_RDONLY | O_CLOEXEC));
	refused_memory(open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
	refused_memory(open("/", O_PATH | O_CLOEXEC));
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	close(ends[1]);
	refused_memory(ends[0]);
}

static int memory_of_size(size_t size)
{
	int memory = memfd_create("batch", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_true(memory >= 0);
	assert_int_equal(ftruncate(memory, (off_t)size), 0);
	assert_int_equal(fcntl(memory, F_ADD_SEALS, SEALS), 0);
	return memory;
}

static void test_sizes(void **state)
{
	CLEANUP(pair_done) struct pair pair = pair_open();
	AUTO_CLOSE int most = memory_of_size(GUARD_BATCH_MAX);
	AUTO_FREE uint8_t *batch = NULL;
	enum guard_verb verb = GUARD_OPEN;
	size_t len = 0;

	refused_memory(memory_of_size(0));
	refused_memory(memory_of_size(GUARD_BATCH_MAX + 1));
	refused_memory(memory_of_size((size_t)1 << 40));
	send_with(pair.asking, &install, sizeof(install), &most, 1);
	assert_int_equal(guard_receive(pair.answering, &verb, &batch, &len), 0);
	assert_int_equal(len, GUARD_BATCH_MAX);
}

static void test_more_than_one(void **state)
{
	AUTO_CLOSE int memory = memory_of(SEALS);
	int fds[8];

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		fds[i] = memory;
	/* With eight there is no room for all, and the kernel cuts. */
	for (size_t count = 2; count <= ARRAY_SIZE(fds); count++)
		refused_with(&install, sizeof(install), fds, count);
}

/* Whoever hands over keeps a descriptor, and all the ways of writing that it offers. */
static void test_what_is_sealed_stays(void **state)
{
	CLEANUP(pair_done) struct pair pair = pair_open();
	AUTO_CLOSE int memory = memory_of(0);
	AUTO_FREE uint8_t *batch = NULL;
	enum guard_verb verb = GUARD_OPEN;
	size_t len = 0;
	void *view = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);

	assert_ptr_not_equal(view, MAP_FAILED);
	/* No seal while somebody can write past it. */
	assert_int_equal(fcntl(memory, F_ADD_SEALS, SEALS), -1);
	assert_int_equal(errno, EBUSY);
	refused_with(&install, sizeof(install), &memory, 1);

	assert_int_equal(munmap(view, 4096), 0);
	assert_int_equal(fcntl(memory, F_ADD_SEALS, SEALS), 0);
	send_with(pair.asking, &install, sizeof(install), &memory, 1);
	assert_int_equal(pwrite(memory, OTHER, strlen(OTHER), 0), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(ftruncate(memory, 1), -1);
	assert_int_equal(ftruncate(memory, 8192), -1);
	assert_ptr_equal(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0),
			 MAP_FAILED);
	assert_int_equal(guard_receive(pair.answering, &verb, &batch, &len), 0);
	assert_int_equal(len, strlen(BATCH));
	assert_memory_equal(batch, BATCH, len);
}

/* ---- those who ask ---- */

static void test_gone(void **state)
{
	struct pair pairs[] = {pair_open(), pair_open()};

	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++)
		assert_false(guard_is_gone(pairs[i].answering));
	/* One that waits with a request is there. */
	send_with(pairs[0].asking, &install, sizeof(install), NULL, 0);
	assert_false(guard_is_gone(pairs[0].answering));
	close(pairs[0].asking);
	assert_true(guard_is_gone(pairs[0].answering));
	assert_int_equal(shutdown(pairs[1].asking, SHUT_WR), 0);
	assert_true(guard_is_gone(pairs[1].answering));
	close(pairs[0].answering);
	pair_done(&pairs[1]);
}

/* It neither kills who answers, nor keeps it waiting. */
static void test_an_answer_that_nobody_takes(void **state)
{
	CLEANUP(pair_done) struct pair pair = pair_open();
	const struct diag diag = {.message = "no", .hint = "later"};
	int r = 0;

	for (unsigned i = 0; i < 100000 && r == 0; i++)
		r = guard_reply(pair.answering, -EPERM, &diag);
	assert_int_equal(r, -EAGAIN);
	closep(&pair.asking);
	pair.asking = -EBADF;
	assert_true(guard_reply(pair.answering, -EPERM, &diag) < 0);
}

/* ---- the socket ---- */

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

static int connect_to_it(void)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	memcpy(to.sun_path, path, sizeof(path));
	if (fd >= 0 && connect(fd, (const struct sockaddr *)&to, sizeof(to)) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static void test_listening(void **state)
{
	AUTO_CLOSE int listener = -EBADF, again = -EBADF, fd = -EBADF, none = -EBADF;
	AUTO_CLOSE int client = -EBADF;
	mode_t before = umask(0);
	struct stat status;

	assert_int_equal(guard_listen(path, &listener), 0);
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode, S_IFSOCK | 0600);
	/* Of one that died the file is left. */
	assert_int_equal(guard_listen(path, &again), 0);
	assert_int_equal(umask(before), 0);
	assert_int_equal(guard_accept(again, &none), -EAGAIN);
	client = connect_to_it();
	assert_true(client >= 0);
	assert_int_equal(guard_accept(listener, &none), -EAGAIN);
	assert_int_equal(guard_accept(again, &fd), geteuid() == 0 ? 0 : -EPERM);
	assert_int_equal(none, -EBADF);
}

static void test_places_where_nobody_can_listen(void **state)
{
	char long_path[GUARD_PATH_MAX + 1];
	int fd = -77;

	memset(long_path, 'x', sizeof(long_path));
	long_path[0] = '/';
	long_path[sizeof(long_path) - 1] = '\0';
	assert_int_equal(guard_listen(long_path, &fd), -E2BIG);
	assert_int_equal(guard_listen("/no/such/folder", &fd), -ENOENT);
	assert_int_equal(guard_listen("/proc", &fd), -EISDIR);
	assert_int_equal(fd, -77);
}

/* Somebody else, with a file mode that would let him. */
static void test_only_root_is_taken(void **state)
{
	AUTO_CLOSE int listener = -EBADF;
	int fd = -77, status = -1;
	pid_t child;

	if (geteuid() != 0)
		skip(); /* there is no one else to be; ./test runs this as root */
	assert_int_equal(guard_listen(path, &listener), 0);
	assert_int_equal(chmod(path, 0666), 0);
	assert_int_equal(chmod(folder, 0755), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		char byte;
		int client;

		if (setgid(NOBODY) < 0 || setuid(NOBODY) < 0)
			_exit(1);
		client = connect_to_it();
		/* Closed without a word. Its end is also what the parent waits for. */
		_exit(client < 0 || recv(client, &byte, 1, 0) != 0);
	}
	assert_int_equal(fcntl(listener, F_SETFL, 0), 0);
	assert_int_equal(guard_accept(listener, &fd), -EPERM);
	assert_int_equal(fd, -77);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_batch_is_received),
	    cmocka_unit_test(test_what_needs_no_batch),
	    cmocka_unit_test(test_what_is_no_request),
	    cmocka_unit_test(test_not_yet_and_never),
	    cmocka_unit_test(test_what_is_not_sealed),
	    cmocka_unit_test(test_what_is_no_memory),
	    cmocka_unit_test(test_sizes),
	    cmocka_unit_test(test_more_than_one),
	    cmocka_unit_test(test_what_is_sealed_stays),
	    cmocka_unit_test(test_gone),
	    cmocka_unit_test(test_an_answer_that_nobody_takes),
	    cmocka_unit_test(test_listening),
	    cmocka_unit_test(test_places_where_nobody_can_listen),
	    cmocka_unit_test(test_only_root_is_taken),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}

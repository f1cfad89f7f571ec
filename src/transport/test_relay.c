/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A relay between two pairs of sockets: the test holds the outer ends. */
#include "relay.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

struct bench {
	int near, far; /* the outer ends */
	struct relay *relay;
};

static void begin(struct bench *bench)
{
	int near[2], far[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, near), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, far), 0);
	bench->near = near[0];
	bench->far = far[0];
	assert_int_equal(relay_new(near[1], far[1], false, &bench->relay), 0);
}

static void done(struct bench *bench)
{
	close(bench->near);
	close(bench->far);
	bench->relay = relay_free(bench->relay);
}

/* As long as the relay has something to do; returns what the last step did. */
static int run(struct bench *bench)
{
	struct pollfd waits[2];
	int r = 1;

	for (;;) {
		relay_wants(bench->relay, waits);
		if (poll(waits, 2, 0) <= 0)
			return r;
		r = relay_step(bench->relay);
		if (r <= 0)
			return r;
	}
}

static void expect(int fd, const char *text)
{
	char got[64] = "";
	ssize_t length = recv(fd, got, sizeof(got) - 1, 0);

	assert_int_equal(length, (ssize_t)strlen(text));
	assert_string_equal(got, text);
}

static void test_both_ways(void **state)
{
	struct bench bench;

	begin(&bench);
	assert_int_equal(send(bench.near, "question", 8, 0), 8);
	assert_int_equal(run(&bench), 1);
	expect(bench.far, "question");
	assert_int_equal(send(bench.far, "answer", 6, 0), 6);
	assert_int_equal(run(&bench), 1);
	expect(bench.near, "answer");
	done(&bench);
}

/* One side has said all; the other goes on, and only then it is over. */
static void test_half_closed(void **state)
{
	struct bench bench;

	begin(&bench);
	assert_int_equal(send(bench.near, "last", 4, 0), 4);
	assert_int_equal(shutdown(bench.near, SHUT_WR), 0);
	assert_int_equal(run(&bench), 1);
	expect(bench.far, "last");
	expect(bench.far, "");
	assert_int_equal(send(bench.far, "more", 4, 0), 4);
	assert_int_equal(run(&bench), 1);
	expect(bench.near, "more");
	assert_int_equal(shutdown(bench.far, SHUT_WR), 0);
	assert_int_equal(run(&bench), 0);
	expect(bench.near, "");
	done(&bench);
}

/* Who does not read is waited for; then nothing is read from the other, and nothing is lost. */
static void test_nobody_reads(void **state)
{
	static char block[4096];
	size_t sent = 0, got = 0;
	struct pollfd waits[2];
	struct bench bench;
	ssize_t n;

	begin(&bench);
	for (;;) {
		memset(block, (int)(sent / sizeof(block)) & 0x7f, sizeof(block));
		n = send(bench.near, block, sizeof(block), 0);
		if (n < 0 && run(&bench) == 1)
			n = send(bench.near, block, sizeof(block), 0);
		if (n < 0)
			break;
		assert_int_equal(n, sizeof(block));
		sent += (size_t)n;
		assert_true(sent < 64u << 20);
	}
	assert_int_equal(errno, EAGAIN);
	relay_wants(bench.relay, waits);
	assert_int_equal(waits[0].fd, -1); /* not read from */
	assert_int_equal(waits[1].events & POLLOUT, POLLOUT);
	assert_int_equal(shutdown(bench.near, SHUT_WR), 0);
	while ((n = recv(bench.far, block, sizeof(block), 0)) != 0) {
		if (n < 0) {
			assert_true(run(&bench) >= 0);
			continue;
		}
		for (ssize_t i = 0; i < n; i++)
			assert_int_equal(block[i], (int)((got + (size_t)i) / sizeof(block)) & 0x7f);
		got += (size_t)n;
	}
	assert_int_equal(got, sent);
	done(&bench);
}

static void test_gone(void **state)
{
	struct bench bench;

	begin(&bench);
	close(bench.far);
	assert_int_equal(send(bench.near, "lost", 4, 0), 4);
	assert_int_equal(run(&bench), -EPIPE);
	bench.far = open("/dev/null", O_RDONLY | O_CLOEXEC);
	done(&bench);
}

/* The far end is still being connected; nothing is taken from the near one before. */
static void connects(bool listens)
{
	struct sockaddr_in there = {.sin_family = AF_INET,
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(there);
	int near[2], server = socket(AF_INET, SOCK_STREAM, 0), accepted = -EBADF;
	int far = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	struct bench bench;

	assert_int_equal(bind(server, (const struct sockaddr *)&there, size), 0);
	assert_int_equal(getsockname(server, (struct sockaddr *)&there, &size), 0);
	if (listens)
		assert_int_equal(listen(server, 1), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, near), 0);
	(void)!connect(far, (const struct sockaddr *)&there, size);
	bench = (struct bench){.near = near[0], .far = server};
	assert_int_equal(relay_new(near[1], far, true, &bench.relay), 0);
	assert_int_equal(send(bench.near, "hello", 5, 0), 5);
	if (listens) {
		assert_int_equal(run(&bench), 1);
		accepted = accept(server, NULL, NULL);
		expect(accepted, "hello");
		close(accepted);
	} else {
		assert_int_equal(run(&bench), -ECONNREFUSED);
	}
	done(&bench);
}

static void test_connecting(void **state)
{
	connects(true);
	connects(false);
}

static void test_nothing(void **state)
{
	assert_null(relay_free(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_both_ways),    cmocka_unit_test(test_half_closed),
	    cmocka_unit_test(test_nobody_reads), cmocka_unit_test(test_gone),
	    cmocka_unit_test(test_connecting),   cmocka_unit_test(test_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Whose is the other end? With sockets of our own, over loopback. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <sys/socket.h>

#include "sockets.h"

static int listener(struct sockaddr_in *address)
{
	socklen_t size = sizeof(*address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	*address = (struct sockaddr_in){.sin_family = AF_INET,
					.sin_addr = {htonl(INADDR_LOOPBACK)}};
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)address, size), 0);
	assert_int_equal(listen(fd, 4), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)address, &size), 0);
	return fd;
}

static int accepted(int fd)
{
	int connection = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

	assert_true(connection >= 0);
	return connection;
}

static void test_ours(void **state)
{
	struct sockaddr_in address;
	AUTO_CLOSE int ask = -EBADF, listens = listener(&address);
	AUTO_CLOSE int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), server = -EBADF;
	uint32_t uid = 12345;

	assert_int_equal(sockets_peer_open(&ask), 0);
	assert_int_equal(connect(client, (struct sockaddr *)&address, sizeof(address)), 0);
	server = accepted(listens);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(sockets_peer_owner(ask, server, &uid), 0);
		assert_int_equal(uid, getuid());
		uid = 12345;
	}
	/* From the other end, too; and of what is no connection nothing is told. */
	assert_int_equal(sockets_peer_owner(ask, client, &uid), 0);
	assert_true(sockets_peer_owner(ask, listens, &uid) < 0);
}

/* One that its program has closed is nobody's, although the kernel would say root. */
static void test_closed(void **state)
{
	struct sockaddr_in address;
	AUTO_CLOSE int ask = -EBADF, listens = listener(&address);
	AUTO_CLOSE int server = -EBADF;
	int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	uint32_t uid = 12345;

	assert_int_equal(sockets_peer_open(&ask), 0);
	assert_int_equal(connect(client, (struct sockaddr *)&address, sizeof(address)), 0);
	server = accepted(listens);
	close(client);
	assert_true(sockets_peer_owner(ask, server, &uid) < 0);
	assert_int_equal(uid, 12345);
}

static void test_half_closed(void **state)
{
	struct sockaddr_in address;
	AUTO_CLOSE int ask = -EBADF, listens = listener(&address);
	AUTO_CLOSE int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), server = -EBADF;
	uint32_t uid = 12345;

	assert_int_equal(sockets_peer_open(&ask), 0);
	assert_int_equal(connect(client, (struct sockaddr *)&address, sizeof(address)), 0);
	server = accepted(listens);
	assert_int_equal(shutdown(client, SHUT_WR), 0);
	assert_true(sockets_peer_owner(ask, server, &uid) < 0);
}

/* An IPv6 socket that talks IPv4 is found as well. */
static void test_mapped(void **state)
{
	struct sockaddr_in address;
	struct sockaddr_in6 mapped = {.sin6_family = AF_INET6};
	AUTO_CLOSE int ask = -EBADF, listens = listener(&address);
	AUTO_CLOSE int client = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0), server = -EBADF;
	uint32_t uid = 12345;

	/* A kernel without IPv6 has no such sockets. */
	if (client < 0)
		return;
	assert_int_equal(sockets_peer_open(&ask), 0);
	mapped.sin6_port = address.sin_port;
	mapped.sin6_addr.s6_addr[10] = mapped.sin6_addr.s6_addr[11] = 0xff;
	memcpy(&mapped.sin6_addr.s6_addr[12], &address.sin_addr, 4);
	assert_int_equal(connect(client, (struct sockaddr *)&mapped, sizeof(mapped)), 0);
	server = accepted(listens);
	assert_int_equal(sockets_peer_owner(ask, server, &uid), 0);
	assert_int_equal(uid, getuid());
}

static void test_others_families(void **state)
{
	int pair[2];
	AUTO_CLOSE int ask = -EBADF;
	uint32_t uid;

	assert_int_equal(sockets_peer_open(&ask), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(sockets_peer_owner(ask, pair[0], &uid), -EPERM);
	close(pair[0]);
	close(pair[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ours),	     cmocka_unit_test(test_closed),
		cmocka_unit_test(test_half_closed),  cmocka_unit_test(test_mapped),
		cmocka_unit_test(test_others_families),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

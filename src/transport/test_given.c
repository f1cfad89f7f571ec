/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "given.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cmocka.h>

static void test_find(void **state)
{
	static const struct {
		struct given given;
		int wanted; /* of "port", for the process 42 */
	} rows[] = {
	    {{"2", "42", "lease:port"}, 4},    {{"2", "42", "port:lease"}, 3},
	    {{"1", "42", "port"}, 3},          {{"1", "42", "lease"}, -ENOENT},
	    {{"1", "42", "ports"}, -ENOENT},   {{"1", "42", "por"}, -ENOENT},
	    {{"1", "42", ""}, -ENOENT},        {{NULL, NULL, NULL}, -ENOENT},
	    {{"1", NULL, "port"}, -ENOENT},    {{NULL, "42", "port"}, -ENOENT},
	    {{"1", "43", "port"}, -ENOENT},    {{"1", "42", NULL}, -EBADMSG},
	    {{"2", "42", "port"}, -EBADMSG},   {{"1", "42", "port:lease"}, -EBADMSG},
	    {{"0", "42", "port"}, -EBADMSG},   {{"17", "42", "port"}, -EBADMSG},
	    {{"-1", "42", "port"}, -EBADMSG},  {{"1 ", "42", "port"}, -EBADMSG},
	    {{"1", "self", "port"}, -EBADMSG}, {{"2", "42", "port:port"}, -EEXIST},
	    {{"3", "42", "::port"}, 5},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int fd = -7, r = given_find(&rows[i].given, 42, "port", &fd);

		print_message("# %zu\n", i);
		assert_int_equal(r, rows[i].wanted < 0 ? rows[i].wanted : 0);
		assert_int_equal(fd, r < 0 ? -7 : rows[i].wanted);
	}
}

static int bound_to(uint32_t address, int type, bool listens)
{
	struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(address)};
	int fd = socket(AF_INET, type, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)&own, sizeof(own)), 0);
	if (listens)
		assert_int_equal(listen(fd, 1), 0);
	return fd;
}

static void test_listens(void **state)
{
	AUTO_CLOSE int right = bound_to(INADDR_LOOPBACK, SOCK_STREAM, true);
	AUTO_CLOSE int everywhere = bound_to(INADDR_ANY, SOCK_STREAM, true);
	AUTO_CLOSE int deaf = bound_to(INADDR_LOOPBACK, SOCK_STREAM, false);
	AUTO_CLOSE int datagrams = bound_to(INADDR_LOOPBACK, SOCK_DGRAM, false);
	AUTO_CLOSE int local = socket(AF_UNIX, SOCK_STREAM, 0);
	AUTO_CLOSE int packets = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	struct sockaddr_un own = {.sun_family = AF_UNIX};

	assert_true(given_listens(right, AF_INET));
	assert_false(given_listens(right, AF_UNIX));
	assert_false(given_listens(everywhere, AF_INET));
	assert_false(given_listens(deaf, AF_INET));
	assert_false(given_listens(datagrams, AF_INET));
	assert_false(given_listens(local, AF_UNIX));
	/* Bound to a name of the kernel's choice. */
	assert_int_equal(bind(local, (const struct sockaddr *)&own, sizeof(sa_family_t)), 0);
	assert_int_equal(bind(packets, (const struct sockaddr *)&own, sizeof(sa_family_t)), 0);
	assert_int_equal(listen(local, 1) | listen(packets, 1), 0);
	assert_true(given_listens(local, AF_UNIX));
	assert_false(given_listens(packets, AF_UNIX));
	assert_false(given_listens(-1, AF_UNIX));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_find),
	    cmocka_unit_test(test_listens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

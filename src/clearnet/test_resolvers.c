/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "resolvers.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void expect(const char *first, const char *second, const char *text)
{
	AUTO_BUF struct buf out = {.cap = RESOLVERS_TEXT_MAX};
	struct resolvers resolvers = {0};

	resolvers_add(&resolvers, first);
	resolvers_add(&resolvers, second);
	resolvers_print(&resolvers, &out);
	assert_int_equal(buf_finish(&out), 0);
	assert_string_equal(buf_text(&out), text);
}

static void test_words(void **state)
{
	expect("", "", "");
	expect("192.168.1.1", "", "nameserver 192.168.1.1\n");
	expect("  192.168.1.1   100.64.0.53 ", "",
	       "nameserver 192.168.1.1\nnameserver 100.64.0.53\n");
	expect("10.0.0.1", "10.0.0.2 10.0.0.1", "nameserver 10.0.0.1\nnameserver 10.0.0.2\n");
	expect("1.1.1.1 2.2.2.2", "3.3.3.3 4.4.4.4",
	       "nameserver 1.1.1.1\nnameserver 2.2.2.2\nnameserver 3.3.3.3\n");
	expect("169.254.1.53", "223.255.255.255",
	       "nameserver 169.254.1.53\nnameserver 223.255.255.255\n");
}

static void test_no_other_host(void **state)
{
	expect(
	    "127.0.0.1 127.192.0.1 0.0.0.0 0.1.2.3 224.0.0.251 239.1.1.1 255.255.255.255 240.1.1.1",
	    "", "");
	expect("::1 fe80::1 1.2.3 1.2.3.4.5 01.2.3.4 1.2.3.4\n", "x 1.2.3.4\tsearch 999.1.1.1", "");
	expect("1.2.3.4\nsearch example", "192.168.1.1\noptions", "");
}

static void test_joined(void **state)
{
	AUTO_BUF struct buf out = {.cap = RESOLVERS_TEXT_MAX};
	struct resolvers own = {0}, offered = {0};

	resolvers_add(&own, "1.1.1.1");
	resolvers_add(&offered, "2.2.2.2 1.1.1.1 3.3.3.3");
	resolvers_join(&own, &offered);
	resolvers_join(&own, &(struct resolvers){.list = {0x04040404u}, .count = 1});
	resolvers_print(&own, &out);
	assert_string_equal(buf_text(&out),
			    "nameserver 1.1.1.1\nnameserver 2.2.2.2\nnameserver 3.3.3.3\n");
}

static void test_written_in_place(void **state)
{
	static const char longest[] = "nameserver 223.255.255.251\nnameserver 223.255.255.252\n"
				      "nameserver 223.255.255.253\n";
	char folder[] = "/tmp/lethe-resolvers-XXXXXX", text[RESOLVERS_TEXT_MAX + 32] = "";
	AUTO_CLOSE int fd = -EBADF, file = -EBADF;

	assert_non_null(mkdtemp(folder));
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(resolvers_write(fd, "nameserver 192.168.1.1\n"), 0);
	assert_int_equal(resolvers_write(fd, "nameserver 1.1.1.1\n"), 0);
	file = openat(fd, "resolv.conf", O_RDONLY | O_CLOEXEC);
	assert_true(file >= 0);
	assert_int_equal(read(file, text, sizeof(text) - 1), RESOLVERS_TEXT_MAX);
	assert_memory_equal(text, "nameserver 1.1.1.1\n\n", 20);
	/* Whoever has the file open, or mounted, sees what is in it now; and where one text has
	 * ended all do: behind it there is nothing to be read of another. */
	assert_int_equal(resolvers_write(fd, longest), 0);
	assert_int_equal(read(file, text, sizeof(text) - 1), 0);
	assert_int_equal(lseek(file, 0, SEEK_SET), 0);
	assert_int_equal(read(file, text, sizeof(text) - 1), RESOLVERS_TEXT_MAX);
	assert_memory_equal(text, longest, strlen(longest));
	assert_int_equal(resolvers_write(fd, ""), 0);
	assert_int_equal(lseek(file, 0, SEEK_SET), 0);
	assert_int_equal(read(file, text, sizeof(text) - 1), 0);
	memset(text, 'x', RESOLVERS_TEXT_MAX + 1);
	text[RESOLVERS_TEXT_MAX + 1] = '\0';
	assert_int_equal(resolvers_write(fd, text), -E2BIG);
	/* Nothing else is left. */
	assert_int_equal(unlinkat(fd, "resolv.conf", 0), 0);
	assert_int_equal(rmdir(folder), 0);
	assert_true(resolvers_write(-EBADF, "") < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_words),
	    cmocka_unit_test(test_no_other_host),
	    cmocka_unit_test(test_joined),
	    cmocka_unit_test(test_written_in_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

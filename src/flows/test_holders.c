/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "holders.h"

static void links_are_read(void **state)
{
	uint32_t inode = 7;

	assert_int_equal(holders_parse_link("socket:[12345]", &inode), 0);
	assert_int_equal(inode, 12345);
	assert_int_equal(holders_parse_link("socket:[4294967295]", &inode), 0);
	assert_int_equal(inode, UINT32_MAX);
}

static void other_links_are_refused(void **state)
{
	static const char *const texts[] = {
	    "",	       "socket:[",	"socket:[]",		  "socket:[12",
	    "pipe:[1]", "socket:[-1]",	"socket:[4294967296]",	  "socket:[01]",
	    "/dev/null", "socket:[1]x", "socket:[111111111111111111]",
	};
	uint32_t inode = 7;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		assert_int_equal(holders_parse_link(texts[i], &inode), -EINVAL);
	assert_int_equal(inode, 7);
}

static void units_are_read(void **state)
{
	static const struct {
		const char *text, *unit;
	} cases[] = {
	    {"0::/system.slice/tor@default.service\n", "tor@default.service"},
	    {"12:cpu:/x.service\n0::/user.slice/app-x.scope\n", "app-x.scope"},
	    {"0::/user.slice/user@1000.service/app.slice/app-y.scope\n", "app-y.scope"},
	    {"0::/system.slice/x.service/inner\n", "x.service"},
	    {"0::/\n", ""},
	    {"10::/x.service\n", ""},
	    {"", ""},
	    {"0::/\033.service", "?.service"},
	};
	char unit[HOLDER_UNIT_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		holders_parse_unit(cases[i].text, unit);
		assert_string_equal(unit, cases[i].unit);
	}
}

/* This very process holds its own socket, and no other's. */
static void our_own_is_found(void **state)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct holder holders[2] = {{.inode = 0}};
	struct stat status;
	char self[HOLDER_PATH_MAX] = "";

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &status), 0);
	assert_true(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
	holders[1].inode = (uint32_t)status.st_ino;
	assert_int_equal(holders_find("/proc", holders, 2), 0);
	assert_int_equal(holders[1].processes, 1);
	assert_int_equal(holders[1].pid, getpid());
	assert_string_equal(holders[1].path, self);
	assert_int_equal(holders[0].processes, 0);
	close(fd);
	holders[1] = (struct holder){.inode = (uint32_t)status.st_ino};
	assert_int_equal(holders_find("/proc", holders, 2), 0);
	assert_int_equal(holders[1].processes, 0);
}

static void no_processes_is_an_error(void **state)
{
	assert_int_equal(holders_find("/no-such-place", NULL, 0), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(links_are_read),	 cmocka_unit_test(other_links_are_refused),
	    cmocka_unit_test(units_are_read),	 cmocka_unit_test(our_own_is_found),
	    cmocka_unit_test(no_processes_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is said over a lease, and what a terminal gets to see. */
#include "door.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "show.h"

struct pair {
	int here, there;
};

static int make_pair(void **state)
{
	static struct pair pair;
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	pair = (struct pair){ends[0], ends[1]};
	*state = &pair;
	return 0;
}

static int close_pair(void **state)
{
	struct pair *pair = *state;

	closep(&pair->here);
	closep(&pair->there);
	return 0;
}

static void test_request(void **state)
{
	struct pair *pair = *state;
	char name[DOOR_TEXT_MAX] = "";
	int output = -EBADF, null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	assert_int_equal(door_send(pair->here, "browser", null), 0);
	assert_int_equal(door_receive(pair->there, name, &output), 0);
	assert_string_equal(name, "browser");
	assert_true(output >= 0 && output != null);
	close(output);

	/* Without a descriptor, with a NUL, and none at all. */
	output = -EBADF;
	assert_int_equal(send(pair->here, "browser", 7, 0), 7);
	assert_int_equal(door_receive(pair->there, name, &output), -EPROTO);
	assert_int_equal(output, -EBADF);
	close(pair->here);
	pair->here = -EBADF;
	assert_int_equal(door_receive(pair->there, name, &output), -ECONNRESET);
	close(null);
}

static void test_events(void **state)
{
	struct pair *pair = *state;
	struct door door = {.lease = pair->here, .name = "browser", .exit = DOOR_NO_EXIT};

	assert_int_equal(door_take(&door), DOOR_NOTHING);
	assert_int_equal(send(pair->there, "exit 7", 6, 0), 6); /* before it was started */
	assert_int_equal(send(pair->there, "started", 7, 0), 7);
	assert_int_equal(send(pair->there, "started", 7, 0), 7);
	assert_int_equal(door_take(&door), DOOR_STARTED);
	assert_int_equal(door_take(&door), DOOR_NOTHING);
	assert_int_equal(door.exit, DOOR_NO_EXIT);
	assert_int_equal(send(pair->there, "exit 256", 8, 0), 8);
	assert_int_equal(send(pair->there, "exit 3", 6, 0), 6);
	close(pair->there);
	assert_int_equal(door_take(&door), DOOR_ENDED);
	assert_int_equal(door.exit, 3);
	assert_int_equal(door.lease, -EBADF);
	assert_string_equal(door.name, "");
	assert_string_equal(door.why, "");
	assert_int_equal(door_take(&door), DOOR_NOTHING);
	pair->here = pair->there = -EBADF;
}

static void test_failure(void **state)
{
	struct pair *pair = *state;
	struct door door = {.lease = pair->here, .name = "browser", .exit = DOOR_NO_EXIT};

	assert_int_equal(send(pair->there, "failed no\x1b[2J such", 18, 0), 18);
	close(pair->there);
	assert_int_equal(door_take(&door), DOOR_ENDED);
	assert_string_equal(door.why, "no?[2J such");
	assert_int_equal(door.exit, DOOR_NO_EXIT);
	pair->here = pair->there = -EBADF;
}

static void test_silence(void **state)
{
	struct pair *pair = *state;
	struct door door = {.lease = pair->here, .name = "browser", .exit = DOOR_NO_EXIT};

	close(pair->there);
	assert_int_equal(door_take(&door), DOOR_ENDED);
	assert_string_not_equal(door.why, "");
	pair->here = pair->there = -EBADF;
}

static void test_stop(void **state)
{
	struct pair *pair = *state;
	struct door door = {.lease = pair->here, .name = "browser", .started = true};
	char byte;

	door_stop(&door);
	assert_int_equal(recv(pair->there, &byte, 1, 0), 0);
	assert_int_equal(send(pair->there, "exit 143", 8, 0), 8); /* it is still heard */
	assert_int_equal(door_take(&door), DOOR_NOTHING);
	assert_int_equal(door.exit, 143);
}

static void test_refusals(void **state)
{
	struct door door = {.programs = "/nonexistent", .sockets = "/nonexistent", .lease = -EBADF};
	struct diag diag = {0};
	int output = -EBADF;

	assert_int_equal(door_start(&door, "browser", &output, &diag), -EPERM);
	assert_string_not_equal(diag.message, "");
	door.enabled = true;
	assert_int_equal(door_start(&door, "browser", &output, &diag), -ENOENT);
	assert_int_equal(door_start(&door, "../browser", &output, &diag), -ENOENT);
	door.lease = 0;
	assert_int_equal(door_start(&door, "browser", &output, &diag), -EBUSY);
	assert_int_equal(output, -EBADF);
}

static void test_tame(void **state)
{
	char text[] = "a\tb\n\x1b]0;x\x07\x7f\r\xc3\xa4\xc2\x9b"
		      "2J\xc2",
	     rest[] = "\x9d\xc2\xa0";
	struct show_state show = {0};

	show_tame(&show, text, sizeof(text) - 1);
	assert_string_equal(text, "a\tb\n?]0;x???\xc3\xa4\xc2?2J\xc2");
	show_tame(&show, rest, sizeof(rest) - 1);
	assert_string_equal(rest, "?\xc2\xa0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_request, make_pair, close_pair),
	    cmocka_unit_test_setup_teardown(test_events, make_pair, close_pair),
	    cmocka_unit_test_setup_teardown(test_failure, make_pair, close_pair),
	    cmocka_unit_test_setup_teardown(test_silence, make_pair, close_pair),
	    cmocka_unit_test_setup_teardown(test_stop, make_pair, close_pair),
	    cmocka_unit_test(test_refusals),
	    cmocka_unit_test(test_tame),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

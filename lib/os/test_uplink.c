/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the kernel says of routes, read; the kernel itself is asked in tests/lab/test_connect.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "uplink.h"

struct message {
	struct nlmsghdr header;
	struct rtmsg route;
};

static struct message route(unsigned char length, unsigned char type, unsigned flags)
{
	return (struct message){
	    .header = {.nlmsg_len = sizeof(struct message), .nlmsg_type = RTM_NEWROUTE, .nlmsg_seq = 7},
	    .route = {.rtm_family = AF_INET,
		      .rtm_dst_len = length,
		      .rtm_type = type,
		      .rtm_table = RT_TABLE_MAIN,
		      .rtm_flags = flags},
	};
}

static bool is_up(const struct message *messages, size_t count)
{
	bool up = false;

	assert_int_equal(uplink_read((const uint8_t *)messages, count * sizeof(*messages), 7, &up), 0);
	return up;
}

static void test_routes(void **state)
{
	const struct message good = route(0, RTN_UNICAST, 0);
	struct message bad[] = {
	    route(24, RTN_UNICAST, 0),
	    route(0, RTN_UNREACHABLE, 0),
	    route(0, RTN_UNICAST, RTNH_F_LINKDOWN),
	    route(0, RTN_UNICAST, RTNH_F_DEAD),
	    route(0, RTN_UNICAST, 0), /* of another table */
	    route(0, RTN_UNICAST, 0), /* of IPv6 */
	    route(0, RTN_UNICAST, 0), /* to another question */
	};

	bad[4].route.rtm_table = RT_TABLE_LOCAL;
	bad[5].route.rtm_family = AF_INET6;
	bad[6].header.nlmsg_seq = 6;
	assert_true(is_up(&good, 1));
	assert_false(is_up(bad, sizeof(bad) / sizeof(bad[0])));
	bad[3] = good;
	assert_true(is_up(bad, sizeof(bad) / sizeof(bad[0])));
}

static void test_ends_and_errors(void **state)
{
	struct message end = route(0, RTN_UNICAST, 0);
	bool up = false;

	end.header.nlmsg_type = NLMSG_DONE;
	assert_int_equal(uplink_read((const uint8_t *)&end, sizeof(end), 7, &up), 1);
	end.header.nlmsg_type = NLMSG_ERROR;
	assert_int_equal(uplink_read((const uint8_t *)&end, sizeof(end), 7, &up), -EIO);
	end = route(0, RTN_UNICAST, 0);
	end.header.nlmsg_len = 4;
	assert_int_equal(uplink_read((const uint8_t *)&end, sizeof(end), 7, &up), -EBADMSG);
	end.header.nlmsg_len = sizeof(end) + 1;
	assert_int_equal(uplink_read((const uint8_t *)&end, sizeof(end), 7, &up), -EBADMSG);
	assert_int_equal(uplink_read((const uint8_t *)&end, 5, 7, &up), -EBADMSG);
	/* A route that is cut short is none. */
	end.header.nlmsg_len = sizeof(end.header) + 4;
	assert_int_equal(uplink_read((const uint8_t *)&end, end.header.nlmsg_len, 7, &up), 0);
	assert_false(up);
}

/* Whatever this computer's routes are, they can be asked for, twice, and nothing has changed since. */
static void test_asks_this_kernel(void **state)
{
	AUTO_CLOSE int changes = -EBADF, questions = -EBADF;
	bool first, second;

	assert_int_equal(uplink_open(&changes, &questions), 0);
	assert_int_equal(uplink_ask(questions, &first), 0);
	assert_int_equal(uplink_ask(questions, &second), 0);
	assert_int_equal(first, second);
	assert_int_equal(uplink_drain(changes), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_routes),
	    cmocka_unit_test(test_ends_and_errors),
	    cmocka_unit_test(test_asks_this_kernel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

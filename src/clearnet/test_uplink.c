/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "uplink.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define HEADING                                                                                    \
	"Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT   \n"
#define LAN "eth0\t0001A8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0    \n"

static void expect_device(const char *routes, const char *expected)
{
	char device[UPLINK_DEVICE_MAX];

	assert_int_equal(uplink_device(routes, device), 0);
	assert_string_equal(device, expected);
}

static void test_device(void **state)
{
	char device[UPLINK_DEVICE_MAX] = "as it was";

	expect_device(HEADING LAN "eth0\t00000000\t0101A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0 \n",
		      "eth0");
	/* The least metric, whatever the order. */
	expect_device(HEADING
		      "wlan0\t00000000\t0101A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0\n"
		      "eth0\t00000000\t0101A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n"
		      "usb0\t00000000\t0101A8C0\t0003\t0\t0\t4294967295\t00000000\t0\t0\t0\n",
		      "eth0");
	expect_device(HEADING "ppp0\t00000000\t00000000\t0001\t0\t0\t4294967295\t00000000\t0\t0\t0",
		      "ppp0");
	assert_int_equal(uplink_device(HEADING LAN, device), -ENOENT);
	assert_int_equal(uplink_device(HEADING, device), -ENOENT);
	assert_int_equal(uplink_device("", device), -ENOENT);
	/* Unreachable by default (RTF_REJECT), or not up. */
	assert_int_equal(uplink_device(HEADING
				       "*\t00000000\t00000000\t0201\t0\t0\t0\t00000000\t0\t0\t0\n",
				       device),
			 -ENOENT);
	assert_int_equal(
	    uplink_device(HEADING "eth0\t00000000\t0101A8C0\t0002\t0\t0\t0\t00000000\t0\t0\t0\n",
			  device),
	    -ENOENT);
	/* Half of the Internet is no default route. */
	assert_int_equal(
	    uplink_device(HEADING "eth0\t00000000\t0101A8C0\t0003\t0\t0\t0\t00000080\t0\t0\t0\n",
			  device),
	    -ENOENT);
	assert_string_equal(device, "as it was");
}

static void test_what_is_no_table(void **state)
{
	static const char *const wrong[] = {
	    HEADING "eth0\n",
	    HEADING "eth0\t00000000\t0101A8C0\t0003\t0\t0\t100\n",
	    HEADING "eth0\t0000000G\t0101A8C0\t0003\t0\t0\t100\t00000000\n",
	    HEADING "eth0\t00000000\t0101A8C0\t0003\t0\t0\t-1\t00000000\n",
	    HEADING "eth0\t00000000\t0101A8C0\t0003\t0\t0\t4294967296\t00000000\n",
	    HEADING "eth0\t000000000000\t0101A8C0\t0003\t0\t0\t0\t00000000\n",
	    HEADING "aaaaaaaaaaaaaaaa\t00000000\t0101A8C0\t0003\t0\t0\t0\t00000000\n",
	    HEADING "\n" LAN,
	};
	char device[UPLINK_DEVICE_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		assert_int_equal(uplink_device(wrong[i], device), -EBADMSG);
}

static void test_difference(void **state)
{
	const struct uplink_addresses all = {.list = {1, 3, 5, 7}, .count = 4};
	const struct uplink_addresses some = {.list = {3, 4, 7}, .count = 3}, none = {.count = 0};
	struct uplink_addresses rest;

	uplink_difference(&all, &some, &rest);
	assert_int_equal(rest.count, 2);
	assert_int_equal(rest.list[0], 1);
	assert_int_equal(rest.list[1], 5);
	uplink_difference(&some, &all, &rest);
	assert_int_equal(rest.count, 1);
	assert_int_equal(rest.list[0], 4);
	uplink_difference(&all, &none, &rest);
	assert_int_equal(rest.count, 4);
	uplink_difference(&none, &all, &rest);
	assert_int_equal(rest.count, 0);
	uplink_difference(&all, &all, &rest);
	assert_int_equal(rest.count, 0);
}

static bool has_pair(const char *const *arguments, const char *option, const char *value)
{
	for (; *arguments; arguments++)
		if (strcmp(arguments[0], option) == 0)
			return !value || (arguments[1] && strcmp(arguments[1], value) == 0);
	return false;
}

static void test_arguments(void **state)
{
	static const char *const nothing[] = {"--tcp-ports", "--udp-ports", "--tcp-ns", "--udp-ns"};
	struct uplink_join join = {
	    .program = "/usr/bin/pasta", .device = "wlan0", .net = "/n", .user = "/u", .udp = true};
	const char *arguments[UPLINK_ARGUMENTS_MAX];
	size_t count = uplink_arguments(&join, arguments);

	assert_null(arguments[count]);
	assert_string_equal(arguments[0], "/usr/bin/pasta");
	for (size_t i = 0; i < ARRAY_SIZE(nothing); i++)
		assert_true(has_pair(arguments, nothing[i], "none"));
	assert_true(has_pair(arguments, "--no-map-gw", NULL));
	assert_true(has_pair(arguments, "--no-icmp", NULL));
	assert_true(has_pair(arguments, "--ipv4-only", NULL));
	assert_true(has_pair(arguments, "--interface", "wlan0"));
	assert_true(has_pair(arguments, "--netns", "/n"));
	assert_true(has_pair(arguments, "--userns", "/u"));
	assert_false(has_pair(arguments, "--no-udp", NULL));
	assert_false(has_pair(arguments, "--dns-forward", NULL));
	join.udp = false;
	assert_int_equal(uplink_arguments(&join, arguments), count + 1);
	assert_true(has_pair(arguments, "--no-udp", NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_device),
	    cmocka_unit_test(test_what_is_no_table),
	    cmocka_unit_test(test_difference),
	    cmocka_unit_test(test_arguments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

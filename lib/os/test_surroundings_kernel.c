/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Each thing is planted in a namespace of its own, and exactly that is found. */
#include "test_surroundings_help.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <linux/mroute.h>
#include <linux/xfrm.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "sysctl.h"

/* ---- settings ---- */

static void test_empty(void **state)
{
	plant_need(state);
	REQUIRE_NOTHING();
	plant("ip link set lo up");
	plant("ip link add one type veth peer name two");
	plant("ip link set one up");
	plant("ip link set two up");
	REQUIRE_NOTHING();
}

static void test_ip_forward(void **state)
{
	plant_need(state);
	assert_int_equal(sysctl_write("net/ipv4/ip_forward", "1"), 0);
	REQUIRE_FOUND({SURROUNDINGS_FORWARDING, "net/ipv4/conf/all/forwarding"},
		      {SURROUNDINGS_FORWARDING, "net/ipv4/conf/default/forwarding"},
		      {SURROUNDINGS_FORWARDING, "net/ipv4/conf/lo/forwarding"},
		      {SURROUNDINGS_FORWARDING, "net/ipv4/ip_forward"});
}

static void test_settings_one_by_one(void **state)
{
	static const struct {
		const char *path;
		enum surroundings_kind kind;
	} settings[] = {
	    {"net/ipv4/conf/lo/forwarding", SURROUNDINGS_FORWARDING},
	    {"net/ipv4/conf/default/forwarding", SURROUNDINGS_FORWARDING},
	    {"net/ipv4/conf/lo/bc_forwarding", SURROUNDINGS_FORWARDING},
	    {"net/ipv4/conf/all/route_localnet", SURROUNDINGS_ROUTE_LOCALNET},
	    {"net/ipv4/conf/default/route_localnet", SURROUNDINGS_ROUTE_LOCALNET},
	    {"net/ipv4/conf/lo/route_localnet", SURROUNDINGS_ROUTE_LOCALNET},
	    {"net/ipv6/conf/lo/forwarding", SURROUNDINGS_FORWARDING},
	    {"net/ipv6/conf/default/forwarding", SURROUNDINGS_FORWARDING},
	    {"net/ipv6/conf/lo/force_forwarding", SURROUNDINGS_FORWARDING},
	};

	plant_need(state);
	for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
		int r = sysctl_write(settings[i].path, "1");

		if (r == -ENOENT) {
			print_message("# no %s\n", settings[i].path);
			continue;
		}
		assert_int_equal(r, 0);
		REQUIRE_FOUND({settings[i].kind, settings[i].path});
		assert_int_equal(sysctl_write(settings[i].path, "0"), 0);
	}
	REQUIRE_NOTHING();
}

/* Names with dots, which a path through another notation would take apart. */
static void test_setting_of_odd_device(void **state)
{
	AUTO_CLOSE int fd = -EBADF;

	plant_need(state);
	plant("ip link add a..b type veth peer name two");
	fd = open("/proc/sys/net/ipv4/conf/a..b/route_localnet", O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "1", 1), 1);
	REQUIRE_FOUND({SURROUNDINGS_ROUTE_LOCALNET, "net/ipv4/conf/a..b/route_localnet"});
}

/* ---- namespaces ---- */

static void *read_elsewhere(void *result)
{
	struct surroundings found = {0};

	*(size_t *)result = SIZE_MAX;
	if (unshare(CLONE_NEWNET) == 0 && surroundings_read(&found) == 0)
		*(size_t *)result = found.finding_count;
	surroundings_done(&found);
	return NULL;
}

static void test_follows_the_thread(void **state)
{
	AUTO_CLOSE int first = -EBADF, second = -EBADF;
	uint64_t one = 0, two = 0, again = 0;
	size_t elsewhere = 0;
	pthread_t thread;

	plant_need(state);
	assert_int_equal(netns_open_own(&first), 0);
	assert_int_equal(sysctl_write("net/ipv4/conf/lo/route_localnet", "1"), 0);
	plant("ip rule add fwmark 1 table 100 pref 77");
	REQUIRE_FOUND({SURROUNDINGS_ROUTE_LOCALNET, "net/ipv4/conf/lo/route_localnet"},
		      {SURROUNDINGS_RULE_MARK, "ipv4 77"});
	assert_int_equal(pthread_create(&thread, NULL, read_elsewhere, &elsewhere), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(elsewhere, 0);
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	REQUIRE_NOTHING();
	assert_int_equal(netns_open_own(&second), 0);
	assert_int_equal(netns_enter(first), 0);
	REQUIRE_FOUND({SURROUNDINGS_ROUTE_LOCALNET, "net/ipv4/conf/lo/route_localnet"},
		      {SURROUNDINGS_RULE_MARK, "ipv4 77"});
	assert_int_equal(netns_identity(first, &one), 0);
	assert_int_equal(netns_identity(second, &two), 0);
	assert_true(one != two);
	assert_int_equal(netns_open_own(&second), 0);
	assert_int_equal(netns_identity(second, &again), 0);
	assert_int_equal(one, again);
}

static void own_run(void)
{
	assert_int_equal(unshare(CLONE_NEWNS), 0);
	assert_int_equal(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	assert_int_equal(mount("tmpfs", "/run", "tmpfs", 0, NULL), 0);
}

static void test_names(void **state)
{
	AUTO_FREE char(*names)[NETNS_NAME_MAX] = NULL;
	AUTO_CLOSE int one = -EBADF, alias = -EBADF, other = -EBADF;
	uint64_t numbers[3] = {0};
	size_t count = 99;
	int fd = -EBADF;

	plant_need(state);
	own_run();
	assert_int_equal(netns_names(&names, &count), 0);
	assert_int_equal(count, 0);
	assert_int_equal(netns_open("one", &fd), -ENOENT);
	plant("ip netns add two");
	plant("ip netns add one");
	assert_int_equal(symlink("one", "/run/netns/link"), 0);
	assert_int_equal(mkfifo("/run/netns/pipe", 0600), 0);
	fd = open("/run/netns/alias", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(netns_open("alias", &fd), -EPROTO);
	assert_int_equal(mount("/run/netns/one", "/run/netns/alias", NULL, MS_BIND, NULL), 0);
	assert_int_equal(netns_names(&names, &count), 0);
	assert_int_equal(count, 5);
	assert_string_equal(names[0], "alias");
	assert_string_equal(names[1], "link");
	assert_string_equal(names[2], "one");
	assert_string_equal(names[3], "pipe");
	assert_string_equal(names[4], "two");
	assert_int_equal(netns_open("one", &one), 0);
	assert_int_equal(netns_open("alias", &alias), 0);
	assert_int_equal(netns_open("two", &other), 0);
	assert_int_equal(netns_identity(one, &numbers[0]), 0);
	assert_int_equal(netns_identity(alias, &numbers[1]), 0);
	assert_int_equal(netns_identity(other, &numbers[2]), 0);
	assert_int_equal(numbers[0], numbers[1]);
	assert_true(numbers[0] != numbers[2]);
	assert_int_equal(netns_open("link", &fd), -ELOOP);
	assert_int_equal(netns_open("pipe", &fd), -EPROTO);
	assert_int_equal(netns_open("three", &fd), -ENOENT);
	assert_int_equal(netns_open("", &fd), -EINVAL);
	assert_int_equal(netns_open("..", &fd), -EINVAL);
	assert_int_equal(netns_open("../netns/one", &fd), -EINVAL);
	assert_int_equal(netns_open("on\033e", &fd), -EINVAL);
	assert_int_equal(symlink("one", "/run/netns/o\033c"), 0);
	free(TAKE_PTR(names));
	assert_int_equal(netns_names(&names, &count), -EBADMSG);
}

/* Another kind of namespace is not taken for one, and nothing else is. */
static void test_identity_of_others(void **state)
{
	AUTO_CLOSE int mounts = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	AUTO_CLOSE int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	uint64_t number;

	assert_int_equal(netns_identity(mounts, &number), -EPROTO);
	assert_int_equal(netns_identity(null, &number), -EPROTO);
	assert_int_equal(netns_enter(mounts), -EPROTO);
	assert_int_equal(netns_identity(-1, &number), -EBADF);
}

/* ---- devices ---- */

static const struct surroundings_device *device_find(const struct surroundings *in,
						     const char *name)
{
	for (size_t i = 0; i < in->device_count; i++)
		if (strcmp(in->devices[i].name, name) == 0)
			return &in->devices[i];
	fail_msg("no device %s", name);
	return NULL;
}

static void test_devices(void **state)
{
	AUTO_SURROUNDINGS struct surroundings found = {0};
	const struct surroundings_device *bridge, *one, *two, *far, *lo;

	plant_need(state);
	own_run();
	plant("ip netns add elsewhere");
	plant("ip link add bridge type bridge");
	plant("ip link add one type veth peer name two");
	plant("ip link set one master bridge");
	plant("ip link set two up");
	plant("ip link add far type veth peer name near netns elsewhere");
	REQUIRE_FOUND({SURROUNDINGS_SWITCH, "bridge"});
	assert_int_equal(surroundings_read(&found), 0);
	assert_int_equal(found.device_count, 5);
	for (size_t i = 1; i < found.device_count; i++)
		assert_true(found.devices[i - 1].index < found.devices[i].index);
	lo = device_find(&found, "lo");
	bridge = device_find(&found, "bridge");
	one = device_find(&found, "one");
	two = device_find(&found, "two");
	far = device_find(&found, "far");
	assert_int_equal(lo->type, 772);
	assert_string_equal(lo->kind, "");
	assert_true(!lo->up && two->up && !one->up);
	assert_string_equal(bridge->kind, "bridge");
	assert_int_equal(bridge->master, 0);
	assert_string_equal(one->kind, "veth");
	assert_string_equal(one->port_kind, "bridge");
	assert_string_equal(two->port_kind, "");
	assert_int_equal(one->master, bridge->index);
	assert_int_equal(one->lower, two->index);
	assert_int_equal(two->lower, one->index);
	assert_true(far->lower_elsewhere && !one->lower_elsewhere);
	assert_true(far->lower_namespace >= 0);
	assert_int_equal(one->lower_namespace, -1);
	assert_int_equal(one->type, 1);
}

/* ---- routing ---- */

static void test_rules(void **state)
{
	plant_need(state);
	plant("ip rule add fwmark 1 table 100");
	REQUIRE_FOUND({SURROUNDINGS_RULE_MARK, "ipv4 32765"});
	plant("ip rule del fwmark 1 table 100");
	REQUIRE_NOTHING();
	plant("ip rule add uidrange 1-2 table 100 pref 500");
	plant("ip rule add iif lo table 100 pref 501");
	plant("ip rule add oif lo table main pref 502");
	plant("ip rule add fwmark 0x10/0xf0 iif lo table 100 pref 503");
	plant("ip rule add to 10.0.0.0/8 table main pref 504");
	plant("ip rule add pref 505 table main suppress_prefixlength 0");
	plant("ip rule add pref 506 blackhole");
	plant("ip rule add pref 507 ipproto tcp dport 80 table main");
	plant("ip -6 rule add fwmark 2 table 100 pref 600");
	plant("ip -6 rule add not from ::1 table main pref 601");
	plant("ip -6 rule add table default pref 32767");
	REQUIRE_FOUND({SURROUNDINGS_RULE_MARK, "ipv4 503"}, {SURROUNDINGS_RULE_MARK, "ipv6 600"},
		      {SURROUNDINGS_RULE, "ipv4 500"}, {SURROUNDINGS_RULE, "ipv4 501"},
		      {SURROUNDINGS_RULE, "ipv4 502"}, {SURROUNDINGS_RULE, "ipv4 504"},
		      {SURROUNDINGS_RULE, "ipv4 505"}, {SURROUNDINGS_RULE, "ipv4 506"},
		      {SURROUNDINGS_RULE, "ipv4 507"}, {SURROUNDINGS_RULE, "ipv6 601"});
}

/* A rule in the place of the kernel's own that does another thing is not taken for it. */
static void test_own_rules_replaced(void **state)
{
	plant_need(state);
	plant("ip rule del pref 32767");
	REQUIRE_NOTHING();
	plant("ip rule del pref 32766");
	REQUIRE_FOUND({SURROUNDINGS_RULE_MISSING, "ipv4 32766"});
	plant("ip rule add pref 32766 table 100");
	plant("ip -6 rule del pref 0");
	REQUIRE_FOUND({SURROUNDINGS_RULE, "ipv4 32766"}, {SURROUNDINGS_RULE_MISSING, "ipv4 32766"},
		      {SURROUNDINGS_RULE_MISSING, "ipv6 0"});
	plant("ip -6 rule add pref 0 table local");
	plant("ip rule del pref 32766");
	plant("ip rule add pref 32766 table main");
	REQUIRE_NOTHING();
}

static void test_routes(void **state)
{
	static const char wrap[] = "encap seg6 mode encap segs fc00::1 dev one";
	char command[256];

	plant_need(state);
	plant("ip link add one type veth peer name two");
	plant("ip link set one up");
	plant("ip link set two up");
	plant("ip -6 route add fc02::/64 dev one");
	REQUIRE_NOTHING();
	snprintf(command, sizeof(command), "ip -6 route add fc01::/64 table 7 %s", wrap);
	if (plant_run(command) != 0)
		plant_cannot("segment routing");
	REQUIRE_FOUND({SURROUNDINGS_ROUTE_ENCAP, "ipv6 seg6"});
	plant("ip -6 route flush table 7");
	REQUIRE_NOTHING();
	snprintf(command, sizeof(command),
		 "ip -6 route add fc01::/64 nexthop via fe80::1 dev two nexthop via fe80::2 %s",
		 wrap);
	plant(command);
	REQUIRE_FOUND({SURROUNDINGS_ROUTE_ENCAP, "ipv6 seg6"});
	plant("ip -6 route del fc01::/64");
	REQUIRE_NOTHING();
	snprintf(command, sizeof(command), "ip -6 nexthop add id 5 %s", wrap);
	plant(command);
	REQUIRE_FOUND({SURROUNDINGS_ROUTE_ENCAP, "ipv6 seg6"});
}

static void test_multicast(void **state)
{
	AUTO_CLOSE int fd = -EBADF;
	struct vifctl device = {.vifc_flags = VIFF_USE_IFINDEX, .vifc_threshold = 1};
	int on = 1;

	plant_need(state);
	plant("ip link set lo up");
	fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_IGMP);
	assert_true(fd >= 0);
	if (setsockopt(fd, IPPROTO_IP, MRT_INIT, &on, sizeof(on)) < 0)
		plant_cannot("multicast routing");
	REQUIRE_FOUND({SURROUNDINGS_MULTICAST, "net/ipv4/conf/all/mc_forwarding"});
	device.vifc_lcl_ifindex = (int)if_nametoindex("lo");
	assert_int_equal(setsockopt(fd, IPPROTO_IP, MRT_ADD_VIF, &device, sizeof(device)), 0);
	REQUIRE_FOUND({SURROUNDINGS_MULTICAST, "ip_mr_vif"},
		      {SURROUNDINGS_MULTICAST, "net/ipv4/conf/all/mc_forwarding"},
		      {SURROUNDINGS_MULTICAST, "net/ipv4/conf/lo/mc_forwarding"});
}

/* ---- the rest ---- */

static void test_ipsec(void **state)
{
	struct xfrm_userpolicy_info policy = {.sel.family = AF_INET,
					      .dir = XFRM_POLICY_OUT,
					      .action = XFRM_POLICY_ALLOW,
					      .lft = {.soft_byte_limit = XFRM_INF,
						      .hard_byte_limit = XFRM_INF,
						      .soft_packet_limit = XFRM_INF,
						      .hard_packet_limit = XFRM_INF}};
	AUTO_SURROUNDINGS struct surroundings found = {0};
	AUTO_CLOSE int fd = -EBADF;

	plant_need(state);
	if (plant_run("ip xfrm policy add src 10.0.0.0/8 dst 11.0.0.0/8 dir out index 1001") != 0)
		plant_cannot("IPsec");
	REQUIRE_FOUND({SURROUNDINGS_IPSEC, "out 1001"});
	plant("ip xfrm policy deleteall");
	REQUIRE_NOTHING();
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, IPPROTO_IP, IP_XFRM_POLICY, &policy, sizeof(policy)), 0);
	assert_int_equal(surroundings_read(&found), 0);
	assert_int_equal(found.finding_count, 1);
	assert_int_equal(found.findings[0].kind, SURROUNDINGS_IPSEC);
	assert_non_null(strstr(found.findings[0].words, "that leave by one socket"));
}

#define IP_INFO  84 /* the size of struct ipt_getinfo and ip6t_getinfo */
#define ARP_INFO 68 /* of struct arpt_getinfo */

/* Asking one of the older filters for its table makes it. Without the code there is none, and none
 * is found. */
static bool table_made(int family, int level, int option, socklen_t len, const char *table)
{
	AUTO_CLOSE int fd = socket(family, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
	char info[128] = {0};

	assert_true(fd >= 0);
	snprintf(info, 32, "%s", table);
	if (getsockopt(fd, level, option, info, &len) == 0)
		return true;
	print_message("# no older table: %s\n", strerror(errno));
	return false;
}

static void require_table(bool made, const char *name)
{
	if (made)
		REQUIRE_FOUND({SURROUNDINGS_LEGACY_TABLE, name});
	else
		REQUIRE_NOTHING();
}

static void test_table_ip(void **state)
{
	size_t elsewhere = 0;
	pthread_t thread;

	plant_need(state);
	require_table(table_made(AF_INET, IPPROTO_IP, 64, IP_INFO, "filter"), "ip filter");
	/* The process has it; a thread that is elsewhere has not. */
	assert_int_equal(pthread_create(&thread, NULL, read_elsewhere, &elsewhere), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(elsewhere, 0);
}

static void test_table_nat(void **state)
{
	plant_need(state);
	require_table(table_made(AF_INET, IPPROTO_IP, 64, IP_INFO, "nat"), "ip nat");
}

static void test_table_ip6(void **state)
{
	plant_need(state);
	require_table(table_made(AF_INET6, IPPROTO_IPV6, 64, IP_INFO, "filter"), "ip6 filter");
}

static void test_table_arp(void **state)
{
	plant_need(state);
	require_table(table_made(AF_INET, IPPROTO_IP, 96, ARP_INFO, "filter"), "arp filter");
}

/* Who may not ask is told so, and what can be read is told beside it. */
static void test_without_rights(void **state)
{
	int status;
	pid_t child;

	plant_need(state);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		struct surroundings found = {0};
		bool told;

		if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
			_exit(2);
		told = surroundings_read(&found) == 0 && found.finding_count > 0 &&
		       found.findings[0].kind == SURROUNDINGS_CANNOT_TELL;
		_exit(told && found.device_count == 1 ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 2)
		plant_cannot("user namespaces for us");
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* More than is kept: the rest is not silence. */
static void test_more(void **state)
{
	AUTO_SURROUNDINGS struct surroundings found = {0};
	char command[64];

	plant_need(state);
	for (unsigned i = 0; i <= SURROUNDINGS_FINDINGS_MAX; i++) {
		snprintf(command, sizeof(command), "ip rule add pref %u table 9", i + 100);
		plant(command);
	}
	assert_int_equal(surroundings_read(&found), 0);
	assert_int_equal(found.finding_count, SURROUNDINGS_FINDINGS_MAX);
	assert_true(found.more);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    PLANT_TEST(test_empty),
	    PLANT_TEST(test_ip_forward),
	    PLANT_TEST(test_settings_one_by_one),
	    PLANT_TEST(test_setting_of_odd_device),
	    PLANT_TEST(test_follows_the_thread),
	    PLANT_TEST(test_names),
	    PLANT_TEST(test_identity_of_others),
	    PLANT_TEST(test_devices),
	    PLANT_TEST(test_rules),
	    PLANT_TEST(test_own_rules_replaced),
	    PLANT_TEST(test_routes),
	    PLANT_TEST(test_multicast),
	    PLANT_TEST(test_ipsec),
	    PLANT_TEST(test_table_ip),
	    PLANT_TEST(test_table_nat),
	    PLANT_TEST(test_table_ip6),
	    PLANT_TEST(test_table_arp),
	    PLANT_TEST(test_without_rights),
	    PLANT_TEST(test_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

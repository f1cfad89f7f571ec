/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What statements mean as a model, and what is refused. */
#include "policy.h"

#include <sys/stat.h>
#include <string.h>

#include "test_util.h"

#define CLEAN CLEANUP(policy_freep)

#define ADDRESS(a, b, c, d) ((uint32_t)(a) << 24 | (b) << 16 | (c) << 8 | (d))

static void assert_range(const struct policy_range *range, uint32_t low, uint32_t high)
{
	assert_int_equal(range->low, low);
	assert_int_equal(range->high, high);
}

static void assert_ports(const struct policy_ports *ports, unsigned low, unsigned high)
{
	assert_int_equal(ports->low, low);
	assert_int_equal(ports->high, high);
}

/* @count uids follow. */
static void assert_uids(const struct policy_uids *uids, int count, ...)
{
	va_list args;

	assert_int_equal(uids->count, count);
	va_start(args, count);
	for (int i = 0; i < count; i++)
		assert_int_equal(uids->uids[i], va_arg(args, unsigned));
	va_end(args);
}

static void smallest(void **state)
{
	CLEAN struct policy *policy = test_parse(TEST_HEAD);

	assert_int_equal(policy->file_count, 1);
	assert_string_equal(policy->files[0], "test.conf");
	assert_int_equal(policy->default_place.line, 2);
	assert_int_equal(policy->ipv6_place.line, 3);
	assert_ptr_equal(policy->ipv6_place.file, policy->files[0]);
	assert_int_equal(policy->user_count + policy->network_count + policy->grant_count +
			     policy->service_count + policy->local_count + policy->namespace_count,
			 0);
	assert_false(policy->lan.stated || policy->automap.stated);
}

static void networks(void **state)
{
	CLEAN struct policy *policy =
	    test_parse_statements("network a = 192.0.2.7, 10.0.0.0/8\n"
				  "network b = a, 11.0.0.0/8 except 10.128.0.0/9, 192.0.2.7\n"
				  "network c = 0.0.0.0/0\n"
				  "network d = 0.0.0.0/0 except 0.0.0.0/32, 255.255.255.255\n"
				  "network e = 10.0.0.0/24, 10.0.1.0/24, 10.0.3.0/24\n");
	const struct policy_network *n = policy->networks;

	assert_int_equal(policy->network_count, 5);
	assert_string_equal(n[0].name, "a");
	assert_int_equal(n[0].place.line, 4);
	assert_false(n[0].literal);
	assert_int_equal(n[0].range_count, 2);
	assert_range(&n[0].ranges[0], ADDRESS(10, 0, 0, 0), ADDRESS(10, 255, 255, 255));
	assert_range(&n[0].ranges[1], ADDRESS(192, 0, 2, 7), ADDRESS(192, 0, 2, 7));
	/* 10.0.0.0/9 and 11.0.0.0/8 do not touch. */
	assert_int_equal(n[1].range_count, 2);
	assert_range(&n[1].ranges[0], ADDRESS(10, 0, 0, 0), ADDRESS(10, 127, 255, 255));
	assert_range(&n[1].ranges[1], ADDRESS(11, 0, 0, 0), ADDRESS(11, 255, 255, 255));
	assert_int_equal(n[2].range_count, 1);
	assert_range(&n[2].ranges[0], 0, UINT32_MAX);
	assert_int_equal(n[3].range_count, 1);
	assert_range(&n[3].ranges[0], 1, UINT32_MAX - 1);
	/* Neighbours are joined. */
	assert_int_equal(n[4].range_count, 2);
	assert_range(&n[4].ranges[0], ADDRESS(10, 0, 0, 0), ADDRESS(10, 0, 1, 255));
	assert_range(&n[4].ranges[1], ADDRESS(10, 0, 3, 0), ADDRESS(10, 0, 3, 255));
}

static void grants(void **state)
{
	CLEAN struct policy *policy =
	    test_parse_statements("network a = 10.0.0.0/8\n"
				  "allow root, 1234 to a over tcp 443 80 81-90, icmp\n"
				  "allow nobody to 192.0.2.0/24 over udp\n"
				  "allow nobody to 192.0.2.1/32 over tcp\n"
				  "allow root to 192.0.2.1 over \\\n"
				  "\ttcp,\n"
				  "\tudp\n");
	const struct policy_grant *g = policy->grants;

	assert_int_equal(policy->grant_count, 8);
	assert_int_equal(g[0].uid, 0);
	assert_int_equal(g[0].network, 0);
	assert_int_equal(g[0].place.line, 5);
	assert_int_equal(g[0].traffic.protocol, POLICY_TCP);
	assert_int_equal(g[0].traffic.port_count, 2);
	assert_ports(&g[0].traffic.ports[0], 80, 90);
	assert_ports(&g[0].traffic.ports[1], 443, 443);
	assert_int_equal(g[1].traffic.protocol, POLICY_ICMP);
	assert_int_equal(g[1].traffic.port_count, 0);
	assert_int_equal(g[2].uid, 1234);
	assert_int_equal(g[4].uid, 65534);
	assert_int_equal(g[4].traffic.protocol, POLICY_UDP);
	assert_int_equal(g[4].traffic.port_count, 0);
	assert_string_equal(policy->networks[g[4].network].name, "192.0.2.0/24");
	assert_true(policy->networks[g[4].network].literal);
	/* A whole address is one network, however it is written. */
	assert_string_equal(policy->networks[g[5].network].name, "192.0.2.1");
	assert_int_equal(g[5].network, g[6].network);
	assert_int_equal(g[6].place.line, 8);
	assert_int_equal(policy->network_count, 3);
}

static void services(void **state)
{
	CLEAN struct policy *policy =
	    test_parse_statements("allow _apt to service web, dns\n"
				  "service web tcp 8080-8090 for nobody\n"
				  "service socks tcp 80 for nobody, root\n"
				  "service dns udp 53 by root, debian-tor for amnesia, root\n");
	const struct policy_service *s = policy->services;

	assert_int_equal(policy->service_count, 3);
	assert_string_equal(s[0].name, "socks");
	assert_int_equal(s[0].protocol, POLICY_TCP);
	assert_uids(&s[0].clients, 2, 0u, 65534u);
	assert_int_equal(s[0].servers.count, 0);
	assert_string_equal(s[1].name, "web");
	assert_ports(&s[1].ports, 8080, 8090);
	assert_uids(&s[1].clients, 2, 42u, 65534u);
	assert_int_equal(s[1].place.line, 5);
	assert_string_equal(s[2].name, "dns");
	assert_int_equal(s[2].protocol, POLICY_UDP);
	assert_uids(&s[2].servers, 2, 0u, 64000u);
	assert_uids(&s[2].clients, 3, 0u, 42u, 64001u);
	/* Who granted it: by service, then by user. */
	assert_int_equal(policy->service_grant_count, 7);
	assert_int_equal(policy->service_grants[2].service, 1);
	assert_int_equal(policy->service_grants[2].uid, 42);
	assert_int_equal(policy->service_grants[2].place.line, 4);
	assert_int_equal(policy->service_grants[3].uid, 65534);
	assert_int_equal(policy->service_grants[3].place.line, 5);
}

static void loopback(void **state)
{
	CLEAN struct policy *policy =
	    test_parse_statements("allow amnesia, _apt to loopback over tcp except 9063 9062 1-9\n"
				  "allow nobody to loopback over tcp\n"
				  "service a tcp 9062 for amnesia\n"
				  "forbid clearnet, 7 to loopback\n");

	assert_int_equal(policy->local_count, 3);
	assert_int_equal(policy->locals[0].uid, 42);
	assert_int_equal(policy->locals[0].except_count, 2);
	assert_ports(&policy->locals[0].except[0], 1, 9);
	assert_ports(&policy->locals[0].except[1], 9062, 9063);
	assert_int_equal(policy->locals[1].uid, 64001);
	assert_int_equal(policy->locals[2].uid, 65534);
	assert_int_equal(policy->locals[2].except_count, 0);
	assert_int_equal(policy->locals[2].place.line, 5);
	assert_true(policy_find_user(policy, 7)->loopback_forbidden);
	assert_int_equal(policy_find_user(policy, 7)->forbidden_place.line, 7);
	assert_true(policy_find_user_by_name(policy, "clearnet")->loopback_forbidden);
	assert_false(policy_find_user_by_name(policy, "amnesia")->loopback_forbidden);
}

static void lan(void **state)
{
	CLEAN struct policy *open =
	    test_parse_statements("network private = 10.0.0.0/8\n"
				  "lan private open except tcp 53, udp 53 5353\n");
	CLEAN struct policy *closed =
	    test_parse_statements("network private = 10.0.0.0/8\n"
				  "lan private closed except tcp 53, udp 53 5353\n"
				  "allow root to private over tcp\n");

	assert_true(open->lan.stated && open->lan.open);
	assert_int_equal(open->lan.except_count, 2);
	assert_int_equal(open->lan.except[1].port_count, 2);
	assert_int_equal(open->lan.place.line, 5);
	assert_true(closed->lan.stated);
	assert_false(closed->lan.open);
	assert_int_equal(closed->lan.except_count, 2);
}

/* Inside an open LAN a grant for an excepted port means something, one for another port does not;
 * so does a grant that reaches further than the LAN. */
static void grants_on_open_lan(void **state)
{
	CLEAN struct policy *policy =
	    test_parse_statements("lan 10.0.0.0/8 open except udp 53\n"
				  "allow root to 10.0.0.1 over udp 50-60\n"
				  "allow root to 10.0.0.2 over udp\n"
				  "network both = 10.0.0.0/8, 192.168.0.0/16\n"
				  "allow nobody to both over tcp\n");

	assert_int_equal(policy->grant_count, 3);
}

static void automap_namespace_link(void **state)
{
	CLEAN struct policy *policy =
	    test_parse_statements("automap 127.192.0.0/10 to 9040 for amnesia, root\n"
				  "namespace clearnet as clearnet-net\n"
				  "namespace other as clearnet-net\n"
				  "link arp for kernel, root\n"
				  "link eapol for root, nobody\n");

	assert_true(policy->automap.stated);
	assert_range(&policy->automap.range, ADDRESS(127, 192, 0, 0), ADDRESS(127, 255, 255, 255));
	assert_int_equal(policy->automap.prefix_length, 10);
	assert_int_equal(policy->automap.port, 9040);
	assert_uids(&policy->automap.users, 2, 0u, 64001u);
	assert_int_equal(policy_find_namespace(policy, "clearnet")->uid, 64003);
	assert_int_equal(policy_find_namespace(policy, "other")->place.line, 6);
	assert_null(policy_find_namespace(policy, "amnesia"));
	assert_true(policy->links[POLICY_LINK_ARP].stated);
	assert_true(policy->links[POLICY_LINK_ARP].kernel);
	assert_uids(&policy->links[POLICY_LINK_ARP].users, 1, 0u);
	assert_false(policy->links[POLICY_LINK_DHCP].stated);
	assert_false(policy->links[POLICY_LINK_EAPOL].kernel);
	assert_uids(&policy->links[POLICY_LINK_EAPOL].users, 2, 0u, 65534u);
}

static void link_for_kernel_alone(void **state)
{
	CLEAN struct policy *policy = test_parse_statements("link arp for kernel\n");

	assert_true(policy->links[POLICY_LINK_ARP].kernel);
	assert_int_equal(policy->links[POLICY_LINK_ARP].users.count, 0);
}

static void users(void **state)
{
	CLEAN struct policy *policy =
	    test_parse_statements("forbid nobody, root, 4294967294, amnesia to loopback\n");

	assert_int_equal(policy->user_count, 4);
	for (size_t i = 1; i < policy->user_count; i++)
		assert_true(policy->users[i - 1].uid < policy->users[i].uid);
	assert_string_equal(policy_find_user(policy, 64001)->name, "amnesia");
	assert_string_equal(policy_find_user(policy, 4294967294u)->name, "4294967294");
	assert_int_equal(policy_find_user(policy, 65534)->place.column, 8);
	assert_null(policy_find_user(policy, 1));
	assert_null(policy_find_user_by_name(policy, "65534"));
}

/* Without a file of users, the system is asked. It has root, and the number goes unasked. */
static void users_of_the_system(void **state)
{
	static const char text[] = TEST_HEAD "allow root, 123456789 to 10.0.0.1 over tcp\n";
	static const char bad[] = TEST_HEAD "allow no-such-user-here to 10.0.0.1 over tcp\n";
	const struct policy_options none = {0};
	CLEAN struct policy *policy = NULL;
	struct diag diag;

	assert_int_equal(policy_parse("t", text, strlen(text), NULL, &diag, &policy), 0);
	assert_int_equal(policy_find_user_by_name(policy, "root")->uid, 0);
	policy = policy_free(policy);
	assert_int_equal(policy_parse("t", bad, strlen(bad), &none, &diag, &policy), -EBADMSG);
	assert_string_equal(diag.message, "there is no user \"no-such-user-here\"");
	assert_null(policy);
}

static void no_file_of_users(void **state)
{
	static const char text[] = TEST_HEAD "allow root to 10.0.0.1 over tcp\n";
	const struct policy_options options = {.passwd = "/nonexistent/passwd"};
	struct policy *policy = NULL;
	struct diag diag;

	assert_int_equal(policy_parse("t", text, strlen(text), &options, &diag, &policy), -ENOENT);
	assert_string_equal(diag.file, "/nonexistent/passwd");
	assert_null(policy);
}

static void no_diag(void **state)
{
	struct policy *policy = NULL;

	assert_int_equal(policy_parse("t", "x\n", 2, NULL, NULL, &policy), -EBADMSG);
	assert_int_equal(policy_load("/nonexistent/policy", NULL, NULL, &policy), -ENOENT);
	assert_null(policy);
}

static void include_from_memory(void **state)
{
	static const char text[] = TEST_HEAD "include /etc/lethe/policy.d\n";
	struct policy *policy = NULL;
	struct diag diag;

	assert_int_equal(policy_parse("t", text, strlen(text), NULL, &diag, &policy), -EBADMSG);
	assert_int_equal(diag.line, 4);
	assert_non_null(strstr(diag.message, "not read from a file"));
}

/* A policy built of @head, then @line printed with 0, 1, ... @count - 1; must fail with @message,
 * and must not with one less. */
static void check_limit(const char *head, const char *line, unsigned count, const char *message)
{
	for (unsigned n = count - 1; n <= count; n++) {
		struct buf text = {.cap = 64u << 20};
		struct policy *policy = NULL;
		struct diag diag = {0};
		int r;

		buf_printf(&text, "%s%s", TEST_HEAD, head);
		for (unsigned i = 0; i < n; i++) {
			const char *at = line;

			for (const char *hash; (hash = strchr(at, '#')); at = hash + 1)
				buf_printf(&text, "%.*s%u", (int)(hash - at), at, i);
			buf_puts(&text, at);
		}
		assert_int_equal(buf_finish(&text), 0);
		r = policy_parse("t", buf_text(&text), text.len, &test_options, &diag, &policy);
		if (n < count) {
			assert_string_equal(diag.message, "");
			assert_int_equal(r, 0);
		} else {
			assert_int_equal(r, -EBADMSG);
			assert_string_equal(diag.message, message);
			assert_int_equal(diag.file[0], 't');
		}
		policy_free(policy);
		buf_done(&text);
	}
}

static void limits(void **state)
{
	check_limit("", "forbid # to loopback\n", POLICY_USERS_MAX + 1, "more than 1024 users");
	check_limit("network a = 10.0.0.0/8\n", "namespace a# as root\n", POLICY_USERS_MAX + 1,
		    "more than 1024 namespaces");
	check_limit("", "network n# = 10.0.0.0/8\n", 4097,
		    "too many networks: at most 4096, with 1048576 ranges together");
}

/* Sixteen statements of a grant for each of 1,024 users fill the list. */
static void too_many_grants(void **state)
{
	struct buf line = {.cap = 65536};

	buf_puts(&line, "allow 0");
	for (unsigned i = 1; i < POLICY_USERS_MAX; i++)
		buf_printf(&line, ",%s%u", i % 64 ? "" : "\n", i);
	buf_puts(&line, " to 10.0.0.1 over tcp 1#\n");
	check_limit("", buf_text(&line), 17, "more than 16384 grants to networks");
	buf_done(&line);
}

static void too_many_services(void **state)
{
	struct buf text = {.cap = 64u << 20};
	struct policy *policy = NULL;
	struct diag diag = {0};

	/* All of TCP's ports are taken by one service each, and one more for UDP. */
	buf_puts(&text, TEST_HEAD);
	for (unsigned i = 1; i <= POLICY_SERVICES_MAX; i++)
		buf_printf(&text, "service a%u tcp %u for 0\n", i, i);
	assert_int_equal(
	    policy_parse("t", buf_text(&text), text.len, &test_options, &diag, &policy), 0);
	assert_int_equal(policy->service_count, POLICY_SERVICES_MAX);
	policy = policy_free(policy);
	buf_puts(&text, "service b udp 1 by 0 for 0\n");
	assert_int_equal(
	    policy_parse("t", buf_text(&text), text.len, &test_options, &diag, &policy), -EBADMSG);
	assert_string_equal(diag.message, "more than 65535 services");
	buf_done(&text);
}

static void too_long(void **state)
{
	size_t size = POLICY_FILE_MAX + 1;
	char *text = malloc(size);
	struct policy *policy = NULL;
	struct diag diag;

	assert_non_null(text);
	memset(text, '\n', size);
	memcpy(text, TEST_HEAD, strlen(TEST_HEAD));
	assert_int_equal(policy_parse("t", text, size - 1, &test_options, &diag, &policy), 0);
	policy = policy_free(policy);
	assert_int_equal(policy_parse("t", text, size, &test_options, &diag, &policy), -EBADMSG);
	assert_non_null(strstr(diag.message, "more than 4194304"));
	free(text);
}

/* Every bad policy beside what must be said of it: the first line is how the diagnostic begins, a
 * second one how the hint does. */
static bool check_bad(const char *path, const char *name)
{
	char expected[2048] = "", shown[1200] = "", file[512];
	struct policy *policy = NULL;
	struct diag diag = {0};
	AUTO_FILE FILE *f = NULL;
	char *hint = NULL, *line;
	int r;

	snprintf(file, sizeof(file), "%s/%.*s.expected", path, (int)strlen(name) - 5, name);
	f = fopen(file, "re");
	if (!f || fread(expected, 1, sizeof(expected) - 1, f) == 0)
		fail_msg("%s is missing or empty", file);
	line = strchr(expected, '\n');
	assert_non_null(line);
	*line = '\0';
	if (line[1]) {
		hint = line + 1;
		assert_memory_equal(hint, "hint: ", 6);
		hint += 6;
		hint[strcspn(hint, "\n")] = '\0';
	}
	snprintf(file, sizeof(file), "%s/%s", path, name);
	r = policy_load(file, &test_options, &diag, &policy);
	diag_format(&diag, shown, sizeof(shown));
	if (r == -EBADMSG && !policy && strncmp(shown, path, strlen(path)) == 0 &&
	    strncmp(shown + strlen(path) + 1, expected, strlen(expected)) == 0 &&
	    (!hint || strncmp(diag.hint, hint, strlen(hint)) == 0))
		return true;
	print_message("# %s: expected \"%s\" (%s), result %d: %s\n", name, expected,
		      hint ? hint : "any hint", r, shown);
	policy_free(policy);
	return false;
}

static void bad_policies(void **state)
{
	static const char path[] = TEST_SOURCE_ROOT "/tests/bad/policy";
	AUTO_DIR DIR *dir = opendir(path);
	unsigned count = 0, wrong = 0;
	struct dirent *entry;

	assert_non_null(dir);
	while ((entry = readdir(dir))) {
		size_t len = strlen(entry->d_name);

		if (len <= 5 || strcmp(entry->d_name + len - 5, ".conf") != 0)
			continue;
		wrong += !check_bad(path, entry->d_name);
		count++;
	}
	print_message("# %u bad policies\n", count);
	assert_true(count >= 130);
	assert_int_equal(wrong, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(smallest),
	    cmocka_unit_test(networks),
	    cmocka_unit_test(grants),
	    cmocka_unit_test(services),
	    cmocka_unit_test(loopback),
	    cmocka_unit_test(lan),
	    cmocka_unit_test(grants_on_open_lan),
	    cmocka_unit_test(automap_namespace_link),
	    cmocka_unit_test(link_for_kernel_alone),
	    cmocka_unit_test(users),
	    cmocka_unit_test(users_of_the_system),
	    cmocka_unit_test(no_file_of_users),
	    cmocka_unit_test(no_diag),
	    cmocka_unit_test(include_from_memory),
	    cmocka_unit_test(limits),
	    cmocka_unit_test(too_many_grants),
	    cmocka_unit_test(too_many_services),
	    cmocka_unit_test(too_long),
	    cmocka_unit_test(bad_policies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

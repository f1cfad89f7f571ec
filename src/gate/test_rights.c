/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "test_help.h"

static const char *set(const struct rights *rights, const char *option, const char *value)
{
	AUTO_BUF struct buf written = { .cap = SESSION_LINE_MAX };

	return rights_refuse_value(rights, option_find(option), value, &written);
}

static const struct {
	const char *option, *value;
	bool right;
} values[] = {
	{ "UseBridges", "1", true },
	{ "UseBridges", "0", true },
	{ "UseBridges", "", false },
	{ "UseBridges", "auto", false },
	{ "UseBridges", NULL, true },
	{ "DisableNetwork", "0", false },
	{ "DisableNetwork", NULL, false },
	{ "Nickname", "x", false },
	{ "Bridge", "192.0.2.1:443", true },
	{ "Bridge", "192.0.2.1:443 0123456789ABCDEF0123456789ABCDEF01234567", true },
	{ "Bridge",
	  "obfs4 192.0.2.1:443 0123456789ABCDEF0123456789ABCDEF01234567 cert=a+b/c iat-mode=0",
	  true },
	{ "Bridge", "meek_lite 192.0.2.1:443 url=https://a.example/?x=1 front=b.example", true },
	{ "Bridge", "", false },
	{ "Bridge", "obfs4", false },
	{ "Bridge", "obfs4 example.com:443", false },
	{ "Bridge", "obfs4 192.0.2.1", false },
	{ "Bridge", "obfs4 192.0.2.1:0", false },
	{ "Bridge", "obfs4 [2001:db8::1]:443", false },
	{ "Bridge", "obfs4  192.0.2.1:443", false },
	{ "Bridge", "obfs4 192.0.2.1:443 ", false },
	{ "Bridge", "obfs4 192.0.2.1:443 stray", false },
	{ "Bridge", "obfs4 192.0.2.1:443 cert=a\"b", false },
	{ "Bridge", "obfs4 192.0.2.1:443 cert=a#b", false },
	{ "Bridge", "../x 192.0.2.1:443", false },
	/* What every reader of bridge lines here says no to. */
	{ "Bridge", "obfs4 192.0.2.1:443", false },
	{ "Bridge", "obfs4 192.0.2.1:443 cert=a'b", false },
	{ "Bridge", "meek_lite 192.0.2.1:443", false },
	{ "Bridge", "webtunnel 192.0.2.1:443 url=https://a.example/", false },
	{ "Bridge", "other 192.0.2.1:443 cert=a", false },
	{ "Bridge", "192.0.2.1:443 cert=a", false },
	{ "Bridge", "0.0.0.0:443", false },
	{ "Bridge", "# 192.0.2.1:443", false },
	{ "ClientTransportPlugin", "obfs4 socks5 127.0.0.1:9055", true },
	{ "ClientTransportPlugin", "meek_lite socks5 127.0.0.1:9056", true },
	{ "ClientTransportPlugin", "obfs4 socks5 127.0.0.1:9056", false },
	{ "ClientTransportPlugin", "obfs4 socks5 127.0.0.1:9051", false },
	{ "ClientTransportPlugin", "obfs4 socks5 192.0.2.1:9055", false },
	{ "ClientTransportPlugin", "obfs4 socks4 127.0.0.1:9055", false },
	{ "ClientTransportPlugin", "obfs4 exec /usr/bin/obfs4proxy", false },
	{ "ClientTransportPlugin", "obfs4,x socks5 127.0.0.1:9055", false },
	{ "ClientTransportPlugin", "obfs4 socks5 127.0.0.1:9055 exec /bin/sh", false },
	{ "ClientTransportPlugin", "obfs4 socks5 127.0.0.1:9055 ", false },
	{ "ClientTransportPlugin", "obfs4 socks5", false },
	{ "ClientTransportPlugin", "", false },
	{ "Socks5Proxy", "192.168.1.9:1080", true },
	{ "Socks5Proxy", "example.com:1080", false },
	{ "Socks5Proxy", "192.168.1.9", false },
	{ "Socks5Proxy", "192.168.1.9:1080 x", false },
	{ "Socks5ProxyUsername", "bob", true },
	{ "Socks5ProxyUsername", "", false },
};

static void test_values(void **state)
{
	const struct rights rights = rights_by("setconf Bridge, UseBridges, ClientTransportPlugin, "
					       "Socks5Proxy, Socks5ProxyUsername\n"
					       "transport obfs4 9055\ntransport meek_lite 9056");

	for (size_t i = 0; i < ARRAY_SIZE(values); i++)
		if ((set(&rights, values[i].option, values[i].value) == NULL) != values[i].right)
			fail_msg("%s=%s", values[i].option, values[i].value);
	assert_non_null(set(&rights, "no option", "1"));
}

/* Tor gets one spelling of a bridge's line, whatever came. */
static void test_bridges_are_written_anew(void **state)
{
	static const char line[] = "obfs4 192.0.2.1:443 0123456789ABCDEF0123456789ABCDEF01234567 "
				   "cert=a iat-mode=0";
	static const char *const spellings[] = {
		line,
		"OBFS4  192.0.2.1:443   $0123456789abcdef0123456789ABCDEF01234567 cert=a iat-mode=0 ",
		"Bridge obfs4 192.0.2.1:443 0123456789abcdef0123456789abcdef01234567 cert=a  iat-mode=0",
	};
	const struct rights rights = rights_by("setconf Bridge");

	for (size_t i = 0; i < ARRAY_SIZE(spellings); i++) {
		AUTO_BUF struct buf written = { .cap = SESSION_LINE_MAX };

		assert_null(rights_refuse_value(&rights, option_find("Bridge"), spellings[i],
						&written));
		assert_string_equal(buf_text(&written), line);
	}
}

static void test_keys(void **state)
{
	static const struct {
		const char *text, *name, *rest;
	} rows[] = {
		{ "version", "version", "" },
		{ "version/x", NULL, NULL },
		{ "versions", NULL, NULL },
		{ "Version", NULL, NULL },
		{ "ip-to-country/192.0.2.1", "ip-to-country", "192.0.2.1" },
		{ "ip-to-country/2001:db8::1", "ip-to-country", "2001:db8::1" },
		{ "ip-to-country/", NULL, NULL },
		{ "ip-to-country", NULL, NULL },
		{ "ns/id/0123456789abcdef0123456789ABCDEF01234567", "ns/id",
		  "0123456789abcdef0123456789ABCDEF01234567" },
		{ "ns/id/0123456789abcdef0123456789ABCDEF0123456", NULL, NULL },
		{ "ns/id/0123456789abcdef0123456789ABCDEF012345678", NULL, NULL },
		{ "ns/id/0123456789abcdef0123456789ABCDEF0123456g", NULL, NULL },
		{ "status/bootstrap-phase", "status/bootstrap-phase", "" },
		{ "status", NULL, NULL },
		{ "", NULL, NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *rest = NULL;
		int index = info_find(rows[i].text, &rest);

		if ((index >= 0) != (rows[i].name != NULL))
			fail_msg("%s", rows[i].text);
		if (index < 0)
			continue;
		assert_string_equal(info_words[index].name, rows[i].name);
		assert_string_equal(rest, rows[i].rest);
	}
}

/* One user, several clients: the sum, and nothing of others'. */
static void test_sums(void **state)
{
	static const char text[] = "lethe-gate 1\n"
				   "client one\nusers 7\ngetinfo version\nsee 9050\n"
				   "client two\nusers 7, 8\ngetinfo uptime\nonions to 1-2\nsee 9150\n"
				   "client three\nusers 8\ngetinfo dormant\nonion-clients\n"
				   "client all\nusers everyone\nsignals ACTIVE\n";
	static struct grants grants;
	struct rights seven, eight, nine;
	struct diag diag;

	assert_int_equal(grants_read(&grants, "x", text, strlen(text), NO_PASSWD, &diag), 0);
	assert_int_equal(grants_of(&grants, 7, &seven), 0);
	assert_int_equal(grants_of(&grants, 8, &eight), 0);
	assert_int_equal(grants_of(&grants, 9, &nine), 0);
	assert_true(rights_has(seven.infos, info_find_name("version")));
	assert_true(rights_has(seven.infos, info_find_name("uptime")));
	assert_false(rights_has(seven.infos, info_find_name("dormant")));
	assert_int_equal(seven.seen_count, 2);
	assert_int_equal(seven.target_count, 1);
	assert_false(seven.onion_clients);
	assert_true(eight.onion_clients);
	assert_false(rights_has(eight.infos, info_find_name("version")));
	assert_int_equal(nine.infos, 0);
	assert_true(rights_has(nine.signals, signal_find("ACTIVE")));
}

/* What cannot be held is refused, and not cut off. */
static void test_too_much(void **state)
{
	struct rights rights = { 0 }, more = { .seen_count = RIGHTS_PORTS_MAX };
	const char *limit = NULL;

	for (size_t i = 0; i < RIGHTS_PORTS_MAX; i++)
		more.seen_ports[i] = (uint16_t)(9000 + i);
	assert_int_equal(rights_join(&rights, &more, &limit), 0);
	more.seen_count = 1;
	more.seen_ports[0] = 8999;
	assert_int_equal(rights_join(&rights, &more, &limit), -E2BIG);
	assert_string_equal(limit, "8 ports whose streams are seen");
}

/* What two clients have alike is there once, however many there are. */
static void test_the_same_again(void **state)
{
	const struct rights one = rights_by("see 9050, 9150, 9050\nonions to 1, 17600-17650, "
					    "unix:/run/share\ntransport obfs4 9055\n"
					    "transport snowflake 9057");
	struct rights rights = { 0 };
	const char *limit = NULL;

	for (size_t i = 0; i < 20; i++)
		assert_int_equal(rights_join(&rights, &one, &limit), 0);
	assert_int_equal(rights.seen_count, 2);
	assert_int_equal(rights.target_count, 2);
	assert_int_equal(rights.folder_count, 1);
	assert_int_equal(rights.transport_count, 2);
	assert_null(set(&(struct rights){ .sets = UINT64_C(1) << option_find("ClientTransportPlugin"),
					  .transports = { rights.transports[1] },
					  .transport_count = 1 },
			"ClientTransportPlugin", "snowflake socks5 127.0.0.1:9057"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_bridges_are_written_anew),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_sums),
		cmocka_unit_test(test_too_much),
		cmocka_unit_test(test_the_same_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

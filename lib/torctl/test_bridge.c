/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "settings.h"

#define FP   "0123456789ABCDEF0123456789ABCDEF01234567"
#define CERT "cert=AbC/123+xyz iat-mode=0"

static int parse(const char *line, struct torctl_bridge *ret_bridge, struct diag *diag)
{
	return torctl_bridge_parse(line, strlen(line), ret_bridge, diag);
}

/* What is read, and what is told to Tor of it. */
static void test_lines(void **state)
{
	static const struct {
		const char *line, *written;
		enum torctl_transport transport;
	} rows[] = {
	    {"192.0.2.1:9001", "192.0.2.1:9001", TORCTL_TRANSPORT_NONE},
	    {"Bridge 192.0.2.1:9001 " FP, "192.0.2.1:9001 " FP, TORCTL_TRANSPORT_NONE},
	    {"192.0.2.1:9001 $0123456789abcdef0123456789abcdef01234567", "192.0.2.1:9001 " FP,
	     TORCTL_TRANSPORT_NONE},
	    {"obfs4 192.0.2.1:443 " FP " " CERT, "obfs4 192.0.2.1:443 " FP " " CERT,
	     TORCTL_TRANSPORT_OBFS4},
	    {"  bridge\tOBFS4   192.0.2.1:443\t" FP "  " CERT " \r",
	     "obfs4 192.0.2.1:443 " FP " " CERT, TORCTL_TRANSPORT_OBFS4},
	    {"meek_lite 192.0.2.20:80 url=https://meek.example/ front=www.example.com",
	     "meek_lite 192.0.2.20:80 url=https://meek.example/ front=www.example.com",
	     TORCTL_TRANSPORT_MEEK},
	    {"snowflake 192.0.2.3:80 " FP " fingerprint=" FP
	     " url=https://broker.example/ ice=stun:stun.example:3478,stun:other.example:3478",
	     "snowflake 192.0.2.3:80 " FP " fingerprint=" FP
	     " url=https://broker.example/ ice=stun:stun.example:3478,stun:other.example:3478",
	     TORCTL_TRANSPORT_SNOWFLAKE},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO_BUF struct buf out = {.cap = 2048};
		struct torctl_bridge bridge;

		assert_int_equal(parse(rows[i].line, &bridge, NULL), 0);
		assert_int_equal(bridge.transport, rows[i].transport);
		torctl_bridge_write(&bridge, &out);
		assert_string_equal(buf_text(&out), rows[i].written);
	}
}

/* Each is refused, in a sentence of its own kind, and the value is left alone. */
static void test_refused_lines(void **state)
{
	static const struct {
		const char *line;
		int error;
		const char *says;
	} rows[] = {
	    {"obfs4", -EINVAL, "no address"},
	    {"obfs4 192.0.2.1", -EINVAL, "no address and port"},
	    {"obfs4 192.0.2.1:443 " FP, -EINVAL, "key"},
	    {"obfs4 192.0.2.1:443 " FP " cert", -EINVAL, "NAME=VALUE"},
	    {"obfs4 192.0.2.1:443 " FP " =x " CERT, -EINVAL, "NAME=VALUE"},
	    {"obfs4 192.0.2.1:443 " FP " cert=a\"b", -EINVAL, "NAME=VALUE"},
	    {"obfs4 192.0.2.1:443 " FP " cert=a\\b", -EINVAL, "NAME=VALUE"},
	    {"obfs4 192.0.2.1:443 " FP " cert=a\x7f", -EINVAL, "NAME=VALUE"},
	    {"obfs4 192.0.2.1:443 " FP " cert=\xc3\xa4", -EINVAL, "NAME=VALUE"},
	    {"obfs4 192.0.2.1:443 " FP " cert=a\rSETCONF", -EINVAL, "NAME=VALUE"},
	    {"192.0.2.1:443 " FP " " CERT, -EINVAL, "without a transport"},
	    {"meek_lite 192.0.2.20:80 front=x", -EINVAL, "url="},
	    {"192.0.2.1:0", -EINVAL, "port"},
	    {"192.0.2.1:65536", -EINVAL, "port"},
	    {"192.0.2.1:", -EINVAL, "port"},
	    {"192.0.2.1:+80", -EINVAL, "port"},
	    {"192.0.2.1:080", -EINVAL, "port"},
	    {"192.0.2.256:80", -EINVAL, "IPv4"},
	    {"0.0.0.0:80", -EINVAL, "IPv4"},
	    {"192.0.2:80", -EINVAL, "IPv4"},
	    {":80", -EINVAL, "IPv4"},
	    {"2001:db8::1", -EINVAL, "IPv4"},
	    {"[2001:db8::1]:443", -EAFNOSUPPORT, "IPv6 is blocked"},
	    {"obfs4 [2001:db8::1]:443 " FP " " CERT, -EAFNOSUPPORT, "IPv6 is blocked"},
	    {"webtunnel 192.0.2.3:1 " FP " url=https://x/", -EPROTONOSUPPORT,
	     "not available in this version"},
	    {"scramblesuit 192.0.2.3:1 password=X", -EPROTONOSUPPORT, "not available"},
	    {"exec /bin/sh", -EINVAL, "not a bridge line"},
	    {"www.example.com:443", -EINVAL, "not a bridge line"},
	    {"", -ENODATA, NULL},
	    {" \t \r", -ENODATA, NULL},
	    {"# obfs4 192.0.2.1:443", -ENODATA, NULL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct torctl_bridge bridge = {.port = 7};
		struct diag diag = {0};

		print_message("# %s\n", rows[i].line);
		assert_int_equal(parse(rows[i].line, &bridge, &diag), rows[i].error);
		assert_int_equal(bridge.port, 7);
		if (rows[i].says)
			assert_non_null(strstr(diag.message, rows[i].says));
	}
}

/* A NUL is no end of a line, and no way past one. */
static void test_bytes(void **state)
{
	static const char line[] = "192.0.2.1:80\0 x=y";
	struct torctl_bridge bridge;

	assert_int_equal(torctl_bridge_parse(line, sizeof(line) - 1, &bridge, NULL), -EINVAL);
}

static void test_limits(void **state)
{
	AUTO_BUF struct buf line = {.cap = 4096}, many = {.cap = 1 << 20};
	AUTO_FREE struct torctl_bridges *bridges = calloc(1, sizeof(*bridges));
	struct torctl_bridge bridge;
	struct diag diag = {0};

	buf_puts(&line, "obfs4 192.0.2.1:443 cert=");
	for (size_t i = 0; i < TORCTL_BRIDGE_ARGUMENTS_MAX - strlen("cert="); i++)
		buf_puts(&line, "a");
	assert_int_equal(parse(buf_text(&line), &bridge, NULL), 0);
	buf_puts(&line, "a");
	assert_int_equal(parse(buf_text(&line), &bridge, &diag), -E2BIG);
	while (line.len <= TORCTL_BRIDGE_LINE_MAX)
		buf_puts(&line, " ");
	buf_puts(&line, "a=b");
	assert_int_equal(parse(buf_text(&line), &bridge, &diag), -E2BIG);

	for (unsigned i = 1; i <= TORCTL_BRIDGES_MAX; i++)
		buf_printf(&many, "192.0.2.1:%u\n# and a word\n\n", i);
	assert_int_equal(torctl_bridges_parse(buf_text(&many), many.len, bridges, &diag), 0);
	assert_int_equal(bridges->count, TORCTL_BRIDGES_MAX);
	/* The same once more change nothing. */
	assert_int_equal(torctl_bridges_parse(buf_text(&many), many.len, bridges, &diag), 0);
	assert_int_equal(bridges->count, TORCTL_BRIDGES_MAX);
	assert_int_equal(torctl_bridges_parse("192.0.2.1:99", 12, bridges, &diag), -ENOSPC);
	assert_int_equal(bridges->count, TORCTL_BRIDGES_MAX);
}

/* One bad line: none of the lines counts, and its number is told. */
static void test_all_or_none(void **state)
{
	static const char text[] = "192.0.2.1:1\n\n192.0.2.1:2 nonsense\n192.0.2.1:3\n";
	AUTO_FREE struct torctl_bridges *bridges = calloc(1, sizeof(*bridges));
	struct diag diag = {0};

	assert_int_equal(torctl_bridges_parse("192.0.2.9:9", 11, bridges, &diag), 0);
	assert_int_equal(torctl_bridges_parse(text, strlen(text), bridges, &diag), -EINVAL);
	assert_int_equal(bridges->count, 1);
	assert_int_equal(diag.line, 3);
}

static void expect(const struct torctl_settings *settings, const char *expected)
{
	AUTO_BUF struct buf out = {.cap = TORCTL_COMMAND_MAX};

	torctl_settings_write(settings, &out);
	assert_string_equal(buf_text(&out), expected);
}

static void test_settings(void **state)
{
	static const char text[] = "obfs4 192.0.2.1:443 " FP " " CERT "\n192.0.2.9:9\n"
				   "snowflake 192.0.2.3:80 url=https://b/\n";
	AUTO_FREE struct torctl_bridges *bridges = calloc(1, sizeof(*bridges));

	expect(&(struct torctl_settings){0},
	       "SETCONF DisableNetwork=1 UseBridges=0 Bridge ClientTransportPlugin");
	expect(&(struct torctl_settings){.network = true, .bridges = bridges},
	       "SETCONF DisableNetwork=0 UseBridges=0 Bridge ClientTransportPlugin");
	assert_int_equal(torctl_bridges_parse("192.0.2.9:9", 11, bridges, NULL), 0);
	expect(&(struct torctl_settings){.bridges = bridges},
	       "SETCONF DisableNetwork=1 UseBridges=1 Bridge=\"192.0.2.9:9\" ClientTransportPlugin");
	bridges->count = 0;
	assert_int_equal(torctl_bridges_parse(text, strlen(text), bridges, NULL), 0);
	expect(&(struct torctl_settings){.network = true, .bridges = bridges},
	       "SETCONF DisableNetwork=0 UseBridges=1 Bridge=\"obfs4 192.0.2.1:443 " FP " " CERT
	       "\" Bridge=\"192.0.2.9:9\" Bridge=\"snowflake 192.0.2.3:80 url=https://b/\" "
	       "ClientTransportPlugin=\"obfs4 socks5 127.0.0.1:9055\" "
	       "ClientTransportPlugin=\"snowflake socks5 127.0.0.1:9057\"");
}

/* Of the most and the longest bridges, those that fit make a command that can be sent. */
static void test_largest_command(void **state)
{
	AUTO_FREE struct torctl_bridges *bridges = calloc(1, sizeof(*bridges));
	AUTO_BUF struct buf out = {.cap = TORCTL_COMMAND_MAX};
	const struct torctl_settings settings = {.bridges = bridges};
	struct torctl_bridge bridge;

	assert_int_equal(parse("obfs4 100.100.100.100:10000 " FP " " CERT, &bridge, NULL), 0);
	memset(bridge.arguments, 'a', TORCTL_BRIDGE_ARGUMENTS_MAX);
	bridge.arguments[TORCTL_BRIDGE_ARGUMENTS_MAX] = '\0';
	for (size_t i = 0; i < TORCTL_BRIDGES_MAX; i++) {
		bridge.port++;
		assert_int_equal(torctl_bridges_add(bridges, &bridge), 1);
	}
	torctl_settings_fit(bridges);
	assert_true(bridges->count >= 12 && bridges->count < TORCTL_BRIDGES_MAX);
	torctl_settings_write(&settings, &out);
	assert_int_equal(buf_finish(&out), 0);
	/* One more would have been too much; and what fits is left alone. */
	assert_true(out.len + 600 > TORCTL_COMMAND_MAX);
	bridges->count = 1;
	torctl_settings_fit(bridges);
	assert_int_equal(bridges->count, 1);
	bridges->count = 0;
	torctl_settings_fit(bridges);
	assert_int_equal(bridges->count, 0);
}

static void test_transports(void **state)
{
	enum torctl_transport transport;

	for (int i = TORCTL_TRANSPORT_OBFS4; i < TORCTL_TRANSPORT_END; i++) {
		const char *name = torctl_transport_name((enum torctl_transport)i);

		assert_int_equal(torctl_transport_parse(name, strlen(name), &transport), 0);
		assert_int_equal(transport, i);
		assert_int_not_equal(torctl_transport_port(transport), 0);
	}
	assert_int_equal(torctl_transport_parse("", 0, &transport), -ENOENT);
	assert_int_equal(torctl_transport_parse("obfs4x", 6, &transport), -ENOENT);
	assert_int_equal(torctl_transport_port(TORCTL_TRANSPORT_NONE), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_lines),	  cmocka_unit_test(test_refused_lines),
	    cmocka_unit_test(test_bytes),	  cmocka_unit_test(test_limits),
	    cmocka_unit_test(test_all_or_none),	  cmocka_unit_test(test_settings),
	    cmocka_unit_test(test_largest_command), cmocka_unit_test(test_transports),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

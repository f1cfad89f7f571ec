/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <fcntl.h>
#include <sys/stat.h>

#include "test_help.h"

#define SHIPPED TEST_SOURCE_ROOT "/data/gate"
#define PASSWD	TEST_SOURCE_ROOT "/tests/support/passwd"
#define HEAD	"lethe-gate 1\nclient a\nusers everyone\n"

static void test_errors(void **state)
{
	static const struct {
		const char *text;
		unsigned line, column;
		const char *message, *hint;
	} rows[] = {
		{ "client a\n", 1, 1, "the first line is not 'lethe-gate 1'", "" },
		{ "lethe-gate 2\n", 1, 12, "this is version 2", "" },
		{ "lethe-gate 1\ngetinfo version\n", 2, 1, "'getinfo' belongs to no client",
		  "begin with 'client NAME'" },
		{ HEAD "getinfos version\n", 4, 1, "'getinfos' is no statement",
		  "did you mean 'getinfo'?" },
		{ HEAD "getinfo\n", 4, 8, "a key of GETINFO is wanted here", "" },
		{ HEAD "getinfo version version\n", 4, 17, "nothing more is wanted in this line", "" },
		{ HEAD "getinfo version, version\n", 4, 18, "'version' stands here twice", "" },
		{ HEAD "getinfo versoin\n", 4, 9, "GETINFO versoin cannot be granted",
		  "did you mean 'version'?" },
		{ HEAD "getinfo config-text\n", 4, 9, "GETINFO config-text cannot be granted",
		  "lethe-gate.conf(5)" },
		{ HEAD "getinfo address\n", 4, 9, "GETINFO address cannot be granted", "" },
		{ HEAD "getconf Log\n", 4, 9, "GETCONF Log cannot be granted", "" },
		{ HEAD "setconf Nickname\n", 4, 9, "SETCONF Nickname cannot be granted",
		  "can only be read" },
		{ HEAD "setconf SocksPort\n", 4, 9, "SETCONF SocksPort cannot be granted", "" },
		{ HEAD "events NOTICE\n", 4, 8, "the event NOTICE cannot be granted", "" },
		{ HEAD "signals HALT\n", 4, 9, "SIGNAL HALT cannot be granted", "" },
		{ HEAD "reveal REASON\n", 4, 8, "'REASON' is nothing that can be revealed", "" },
		{ HEAD "see 0\n", 4, 5, "'0' is neither a port nor 'all'", "" },
		{ HEAD "onions to 5-4\n", 4, 11, "'5-4' is not PORT", "" },
		{ HEAD "onions 80\n", 4, 8, "'to' is wanted here", "" },
		{ HEAD "onions to unix:/a/../b\n", 4, 11, "'/a/../b' is no plain path", "" },
		{ HEAD "transport obfs4\n", 4, 16, "a port is wanted here", "" },
		{ HEAD "transport obfs4 x\n", 4, 17, "'x' is no port", "" },
		{ HEAD "client a\n", 4, 8, "the client 'a' is there already", "/etc/lethe/gate.d" },
		{ HEAD "see 9150", 4, 9, "the last line has no newline at its end", "" },
		{ "lethe-gate 1\r\n", 1, 13, "a carriage return", "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		static struct grants grants;
		struct diag diag = { 0 };

		grants = (struct grants){ 0 };
		assert_int_equal(grants_read(&grants, "f", rows[i].text, strlen(rows[i].text),
					     NO_PASSWD, &diag),
				 -EBADMSG);
		if (diag.line != rows[i].line || diag.column != rows[i].column ||
		    !strstr(diag.message, rows[i].message) || !strstr(diag.hint, rows[i].hint))
			fail_msg("%s: %u:%u: %s (%s)", rows[i].text, diag.line, diag.column,
				 diag.message, diag.hint);
		assert_string_equal(diag.file, "f");
	}
}

static void test_users(void **state)
{
	static const char text[] = "lethe-gate 1\nclient a\nusers amnesia, nobody-such, 12\n";
	static struct grants grants;
	struct rights rights;
	struct diag diag = { 0 };

	assert_int_equal(grants_read(&grants, "f", text, strlen(text), PASSWD, &diag), 0);
	assert_int_equal(grants_of(&grants, 64001, &rights), 0);
	assert_int_equal(grants_of(&grants, 12, &rights), 0);
	assert_int_equal(grants_of(&grants, 0, &rights), -ENOENT);
	assert_int_equal(grants_of(&grants, UINT32_MAX, &rights), -ENOENT);
	/* Whom this system does not have, nobody can be. */
	assert_int_equal(grants.missing_count, 1);
	assert_string_equal(grants.missing[0].user, "nobody-such");
	assert_string_equal(grants.missing[0].client, "a");
	/* Where users cannot be looked up, nothing is granted at all. */
	assert_int_equal(grants_read(&grants, "f", text, strlen(text), "/nonexistent", &diag),
			 -EBADMSG);
}

static void write_file(const char *folder, const char *name, const char *text)
{
	char path[512];
	AUTO_CLOSE int fd = -EBADF;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static void test_folders(void **state)
{
	char shipped[] = "/tmp/lethe-gate-XXXXXX", local[] = "/tmp/lethe-gate-XXXXXX";
	static struct grants grants;
	struct diag diag = { 0 };
	char path[64];

	assert_non_null(mkdtemp(shipped));
	assert_non_null(mkdtemp(local));
	write_file(shipped, "b.conf", "lethe-gate 1\nclient b\nusers 2\n");
	write_file(shipped, "a.conf", "lethe-gate 1\nclient a\nusers 1\n");
	write_file(shipped, "c.conf", "lethe-gate 1\nclient c\nusers 1\n");
	write_file(shipped, "d.conf~", "nonsense");
	write_file(shipped, ".e.conf", "nonsense");
	write_file(local, "b.conf", "lethe-gate 1\nclient replaced\nusers 3\n");
	write_file(local, "c.conf", "");
	assert_int_equal(grants_load(&grants, shipped, local, NO_PASSWD, &diag), 0);
	assert_int_equal(grants.count, 2);
	assert_string_equal(grants.clients[0].name, "a");
	assert_string_equal(grants.clients[1].name, "replaced");

	/* One bad file is no grant at all. */
	write_file(local, "z.conf", "lethe-gate 1\nnonsense\n");
	grants = (struct grants){ 0 };
	assert_int_equal(grants_load(&grants, shipped, local, NO_PASSWD, &diag), -EBADMSG);
	snprintf(path, sizeof(path), "%s/z.conf", local);
	assert_string_equal(diag.file, path);

	grants = (struct grants){ 0 };
	assert_int_equal(grants_load(&grants, "/nonexistent", NULL, NO_PASSWD, &diag), 0);
	assert_int_equal(grants.count, 0);
	assert_int_equal(grants_load(&grants, PASSWD, NULL, NO_PASSWD, &diag), -ENOTDIR);

	for (size_t i = 0; i < 2; i++) {
		static const char *const names[] = { "a.conf", "b.conf", "c.conf", "d.conf~",
						     ".e.conf", "z.conf" };

		for (size_t j = 0; j < ARRAY_SIZE(names); j++) {
			snprintf(path, sizeof(path), "%s/%s", i ? local : shipped, names[j]);
			unlink(path);
		}
		assert_int_equal(rmdir(i ? local : shipped), 0);
	}
}

/* No user may have more than one can have, whichever clients that is from; that is told before anybody
 * comes. */
static void test_sums_that_are_too_much(void **state)
{
	static const struct {
		const char *text, *message;
		unsigned line;
	} rows[] = {
		{ "lethe-gate 1\nclient a\nusers 7\nsee 1, 2, 3, 4, 5, 6, 7, 8\n"
		  "client b\nusers 7\nsee 8, 1\nclient c\nusers 8\nsee 9\n",
		  NULL, 0 },
		{ "lethe-gate 1\nclient a\nusers 7\nsee 1, 2, 3, 4, 5, 6, 7, 8\n"
		  "client b\nusers 6, 7\nsee 8, 9\n",
		  "with the client 'b' the user 7 has more than 8 ports whose streams are seen", 5 },
		{ "lethe-gate 1\nclient a\nusers 7\nsee 1, 2, 3, 4, 5, 6, 7, 8\n"
		  "client b\nusers everyone\nsee 9\n",
		  "with the client 'b' the user 7 has more than 8 ports whose streams are seen", 5 },
		{ "lethe-gate 1\nclient a\nusers everyone\ntransport a 1\ntransport a 2\n"
		  "transport a 3\ntransport a 4\ntransport a 5\ntransport a 6\ntransport a 7\n"
		  "client b\nusers everyone\ntransport b 1\ntransport b 2\n",
		  "with the client 'b' every user has more than 8 transports", 11 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		static struct grants grants;
		struct diag diag = { 0 };

		grants = (struct grants){ 0 };
		assert_int_equal(grants_read(&grants, "x", rows[i].text, strlen(rows[i].text),
					     NO_PASSWD, &diag), 0);
		assert_int_equal(grants_check(&grants, &diag), rows[i].message ? -EBADMSG : 0);
		assert_string_equal(diag.message, rows[i].message ? rows[i].message : "");
		assert_int_equal(diag.line, rows[i].line);
	}
}

/* The shipped grants are right, and give what they should and to nobody else. */
static void test_shipped(void **state)
{
	static struct grants grants;
	struct rights amnesia, stranger;
	struct diag diag = { 0 };

	if (grants_load(&grants, SHIPPED, NULL, PASSWD, &diag) < 0)
		fail_msg("%s:%u:%u: %s", diag.file, diag.line, diag.column, diag.message);
	assert_int_equal(grants_of(&grants, 64001, &amnesia), 0);
	assert_int_equal(grants_of(&grants, 12345, &stranger), 0);
	/* What is set is for the connection assistant alone. */
	assert_int_equal(amnesia.sets | stranger.sets, 0);
	assert_false(amnesia.drops_guards || stranger.drops_guards);
	assert_int_equal(amnesia.transport_count, 0);
	/* A stranger may ask how Tor is, and see nobody. */
	assert_false(stranger.sees_all || stranger.seen_count || stranger.onion_clients);
	assert_int_equal(stranger.events | stranger.signals | stranger.fields, 0);
	assert_int_equal(stranger.target_count + stranger.folder_count, 0);
	assert_false(rights_has(stranger.infos, info_find_name("circuit-status")));
	assert_true(rights_has(stranger.infos, info_find_name("status/bootstrap-phase")));
	assert_int_equal(stranger.reads, UINT64_C(1) << option_find("DisableNetwork"));
	/* Whoever sits at the computer sees the streams of the ports that are this user's. */
	assert_false(amnesia.sees_all);
	assert_true(amnesia.seen_count > 0);
	for (size_t i = 0; i < amnesia.seen_count; i++)
		assert_true(amnesia.seen_ports[i] != 9062 && amnesia.seen_ports[i] != 9063);
	assert_true(rights_has(amnesia.signals, signal_find("NEWNYM")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_users),
		cmocka_unit_test(test_folders),
		cmocka_unit_test(test_sums_that_are_too_much),
		cmocka_unit_test(test_shipped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

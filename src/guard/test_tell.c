/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the status file and the service manager are told. */
#include "resident.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cmocka.h>

static char folder[] = "/tmp/lethe-tell-XXXXXX";
static char status_path[sizeof(folder) + 16];
static struct resident_options options = {.folder = folder, .status = status_path};
static int manager[2];

static int make_all(void **state)
{
	if (!mkdtemp(folder))
		return -1;
	snprintf(status_path, sizeof(status_path), "%s/guard.json", folder);
	return socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, manager);
}

static int remove_all(void **state)
{
	close(manager[0]);
	close(manager[1]);
	unlink(status_path);
	return rmdir(folder);
}

/* @before and @after the number of this process. */
static void file_is(const char *before, const char *after)
{
	AUTO_FILE FILE *file = fopen(status_path, "re");
	char content[4096] = "", whole[4096];

	assert_non_null(file);
	content[fread(content, 1, sizeof(content) - 1, file)] = '\0';
	snprintf(whole, sizeof(whole), "%s%d%s", before, getpid(), after);
	assert_string_equal(content, whole);
}

static void manager_hears(const char *wanted)
{
	char lines[512] = "";

	assert_true(recv(manager[1], lines, sizeof(lines) - 1, 0) > 0);
	assert_string_equal(lines, wanted);
}

static void test_idle(void **state)
{
	struct resident resident = {.options = &options, .notify = manager[0]};
	struct stat status;

	tell_ready(&resident);
	file_is("{\"version\":1,\"state\":\"idle\",\"pid\":",
		",\"since\":0,\"owned\":false,"
		"\"persists\":false,\"binding\":\"none\",\"shut\":\"\",\"changes\":0,\"healed\":0,"
		"\"lost\":0,\"devices\":0,\"namespaces\":0,\"judgement\":\"none\",\"outside\":\"\","
		"\"last\":null}\n");
	assert_int_equal(stat(status_path, &status), 0);
	assert_int_equal(status.st_mode, S_IFREG | 0644);
	manager_hears("READY=1\nSTATUS=Nothing is enforced in this network namespace.");
}

/* The name of a process is what that process says: it cannot make another file of it. */
static void test_a_change(void **state)
{
	struct resident resident = {
	    .options = &options,
	    .notify = manager[0],
	    .state = RESIDENT_HOLDING,
	    .since = 1700000000,
	    .owned = true,
	    .persists = true,
	    .binding = NF_BY_PREFIX,
	    .changes = 3,
	    .healed = 2,
	    .lost = 1,
	    .devices = 4,
	    .namespaces = 5,
	    .judgement = JUDGEMENT_STRICTER,
	    .outside = "packets are forwarded",
	    .last = {.time = 1700000001,
		     .pid = 77,
		     .comm = "a\",\"b\":\n",
		     .what = "the table ip other rewrites packets",
		     .healed_us = 1234},
	};

	tell_status(&resident);
	file_is("{\"version\":1,\"state\":\"holding\",\"pid\":",
		",\"since\":1700000000,"
		"\"owned\":true,\"persists\":true,\"binding\":\"prefix\",\"shut\":\"\","
		"\"changes\":3,\"healed\":2,\"lost\":1,\"devices\":4,\"namespaces\":5,"
		"\"judgement\":\"stricter\",\"outside\":\"packets are forwarded\",\"last\":{"
		"\"time\":1700000001,\"pid\":77,\"comm\":\"a\\\",\\\"b\\\":\\u000a\","
		"\"what\":\"the table ip other rewrites packets\",\"harmless\":false,"
		"\"healed_us\":1234}}\n");
	manager_hears("STATUS=Holding the filter; nobody else can change it.");
}

static void test_sentences(void **state)
{
	struct resident resident = {
	    .options = &options, .notify = manager[0], .state = RESIDENT_HOLDING};

	tell_status(&resident);
	manager_hears("STATUS=Watching the filter; this kernel (before 6.9) cannot keep others off "
		      "it.");
	resident.persists = true;
	tell_status(&resident);
	manager_hears("STATUS=Watching the filter; changes are put right.");
	resident.state = RESIDENT_SHUT;
	resident.owned = true;
	tell_status(&resident);
	manager_hears("STATUS=SHUT: all links are down until 'lethe-wall apply'.");
	tell_end(&resident);
	manager_hears("STOPPING=1\nSTATUS=SHUT: all links are down until 'lethe-wall apply'.");
}

/* Nobody listens, or nobody can write: it goes on. */
static void test_nobody_is_told(void **state)
{
	struct resident_options nowhere = {.folder = folder, .status = "/no/such/folder/file"};
	struct resident resident = {.options = &nowhere, .notify = -EBADF};
	char byte;

	tell_status(&resident);
	tell_end(&resident);
	assert_int_equal(recv(manager[1], &byte, 1, 0), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_idle),
	    cmocka_unit_test(test_a_change),
	    cmocka_unit_test(test_sentences),
	    cmocka_unit_test(test_nobody_is_told),
	};

	return cmocka_run_group_tests(tests, make_all, remove_all);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where a policy is read from: drop-ins, links, devices, permissions, sizes. */
#include "policy.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "test_util.h"

#define CLEAN CLEANUP(policy_freep)

/* A directory of its own for each test, removed afterwards with everything in it. */
static char home[64];

static char *path(const char *name)
{
	static char paths[4][256];
	static unsigned turn;
	char *text = paths[turn++ % 4];

	snprintf(text, sizeof(paths[0]), "%s/%s", home, name);
	return text;
}

static void write_file(const char *name, const char *text)
{
	FILE *file = fopen(path(name), "we");

	assert_non_null(file);
	assert_int_equal(fputs(text, file) < 0, 0);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(chmod(path(name), 0644), 0);
}

static void make_dir(const char *name)
{
	assert_int_equal(mkdir(path(name), 0755), 0);
	assert_int_equal(chmod(path(name), 0755), 0);
}

static int set_up(void **state)
{
	snprintf(home, sizeof(home), "/tmp/lethe-policy-XXXXXX");
	return mkdtemp(home) ? 0 : -1;
}

/* Two floors are all that a test makes. */
static void empty_dir(const char *name)
{
	AUTO_DIR DIR *dir = opendir(name);
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		char child[600];

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		snprintf(child, sizeof(child), "%s/%s", name, entry->d_name);
		if (unlink(child) < 0 && errno == EISDIR && strlen(name) == strlen(home)) {
			empty_dir(child);
			rmdir(child);
		}
	}
}

static int tear_down(void **state)
{
	empty_dir(home);
	return rmdir(home);
}

/* Load the main file; it must fail with @error, and say @message about @file (a name in the
 * directory) and nothing may come out. */
static void check_refused(const char *name, int error, const char *file, const char *message)
{
	struct policy *policy = NULL;
	struct diag diag = {0};
	char shown[1200];
	int r;

	r = policy_load(path(name), &test_options, &diag, &policy);
	diag_format(&diag, shown, sizeof(shown));
	if (!strstr(diag.message, message))
		fail_msg("\"%s\" is not in: %s", message, shown);
	assert_int_equal(r, error);
	assert_null(policy);
	assert_string_equal(diag.file, path(file));
}

static struct policy *load(const char *name)
{
	struct policy *policy = NULL;
	struct diag diag = {0};
	char shown[1200];

	if (policy_load(path(name), &test_options, &diag, &policy) < 0) {
		diag_format(&diag, shown, sizeof(shown));
		fail_msg("%s", shown);
	}
	return policy;
}

/* A stranger lets one user reach one port of a program by three lines in a file of their own. */
static void three_line_dropin(void **state)
{
	CLEAN struct policy *policy = NULL;

	make_dir("policy.d");
	write_file("policy.d/50-notes.conf", "# The notes program answers on port 8765.\n"
					     "service notes tcp 8765 for amnesia\n"
					     "allow nobody to service socks\n");
	write_file("policy.conf", TEST_HEAD "service socks tcp 9050 for _apt\ninclude policy.d\n");
	policy = load("policy.conf");
	assert_int_equal(policy->service_count, 2);
	assert_string_equal(policy->services[0].name, "notes");
	assert_string_equal(policy->services[0].place.file, path("policy.d/50-notes.conf"));
	assert_int_equal(policy->services[0].place.line, 2);
	assert_int_equal(policy->services[1].clients.count, 2);
	assert_int_equal(policy->file_count, 2);
}

/* Byte order, and where the statement stands; other names are left alone, and so is a second
 * directory that is not there. */
static void order(void **state)
{
	static const char *const names[] = {"10-b", "10-a", "Z", "z", "9"};
	CLEAN struct policy *policy = NULL;

	make_dir("d");
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char name[32], text[64];

		snprintf(name, sizeof(name), "d/%s.conf", names[i]);
		snprintf(text, sizeof(text), "network n%s = 10.0.0.0/8\n", names[i]);
		write_file(name, text);
	}
	write_file("d/.hidden.conf", "wrong\n");
	write_file("d/.conf", "wrong\n");
	write_file("d/readme", "wrong\n");
	write_file("d/x.conf~", "wrong\n");
	write_file("d/x.conf.dpkg-new", "wrong\n");
	write_file("policy.conf", TEST_HEAD "network first = 10.0.0.0/8\ninclude d\n"
					    "include missing.d\nnetwork last = nz, 11.0.0.0/8\n");
	policy = load("policy.conf");
	assert_int_equal(policy->network_count, 7);
	assert_string_equal(policy->networks[0].name, "first");
	assert_string_equal(policy->networks[1].name, "n10-a");
	assert_string_equal(policy->networks[2].name, "n10-b");
	assert_string_equal(policy->networks[3].name, "n9");
	assert_string_equal(policy->networks[4].name, "nZ");
	assert_string_equal(policy->networks[5].name, "nz");
	assert_string_equal(policy->networks[6].name, "last");
	/* The one that is not there, too: it may come. */
	assert_int_equal(policy->folder_count, 2);
	assert_string_equal(policy->folders[0], path("d"));
	assert_string_equal(policy->folders[1], path("missing.d"));
}

static void absolute_include(void **state)
{
	CLEAN struct policy *policy = NULL;
	char text[256];

	make_dir("d");
	write_file("d/a.conf", "network a = 10.0.0.0/8\n");
	snprintf(text, sizeof(text), "%sinclude %s/\n", TEST_HEAD, path("d"));
	write_file("policy.conf", text);
	policy = load("policy.conf");
	assert_int_equal(policy->network_count, 1);
	assert_string_equal(policy->networks[0].place.file, path("d/a.conf"));
}

/* Two drop-ins that want the same port: the second learns of the first. */
static void dropins_meet(void **state)
{
	make_dir("d");
	write_file("d/a.conf", "service a tcp 8000 for root\n");
	write_file("d/b.conf", "service b tcp 7990-8010 for root\n");
	write_file("policy.conf", TEST_HEAD "include d\n");
	check_refused("policy.conf", -EBADMSG, "d/b.conf", "shares port 8000 with \"a\" at ");
}

static void empty_dropin(void **state)
{
	CLEAN struct policy *policy = NULL;

	make_dir("d");
	write_file("d/a.conf", "");
	write_file("d/b.conf", "# nothing\n");
	write_file("policy.conf", TEST_HEAD "include d\n");
	policy = load("policy.conf");
	assert_int_equal(policy->file_count, 3);
}

static void links(void **state)
{
	CLEAN struct policy *policy = NULL;

	/* The administrator may name the main file by a link. */
	write_file("real.conf", TEST_HEAD);
	assert_int_equal(symlink("real.conf", path("link.conf")), 0);
	policy = load("link.conf");
	/* But one that leads to itself is an error, not a wait. */
	assert_int_equal(symlink("loop.conf", path("loop.conf")), 0);
	check_refused("loop.conf", -ELOOP, "loop.conf", "cannot open");
	/* No link is followed to a drop-in, wherever it leads. */
	make_dir("d");
	assert_int_equal(symlink("../real.conf", path("d/a.conf")), 0);
	write_file("policy.conf", TEST_HEAD "include d\n");
	check_refused("policy.conf", -ELOOP, "d/a.conf", "a symbolic link");
	assert_int_equal(unlink(path("d/a.conf")), 0);
	assert_int_equal(symlink("a.conf", path("d/a.conf")), 0);
	check_refused("policy.conf", -ELOOP, "d/a.conf", "a symbolic link");
	/* Nor to their directory. */
	assert_int_equal(symlink("d", path("e")), 0);
	write_file("policy.conf", TEST_HEAD "include e\n");
	check_refused("policy.conf", -EBADMSG, "policy.conf", "cannot open e: ");
}

/* Files that would block for ever, or never end, are refused before they are opened. */
static void no_regular_files(void **state)
{
	struct policy *policy = NULL;
	struct diag diag;

	assert_int_equal(mkfifo(path("fifo.conf"), 0644), 0);
	check_refused("fifo.conf", -EBADMSG, "fifo.conf", "no regular file");
	make_dir("d");
	check_refused("d", -EBADMSG, "d", "no regular file");
	assert_int_equal(mkfifo(path("d/a.conf"), 0644), 0);
	write_file("policy.conf", TEST_HEAD "include d\n");
	check_refused("policy.conf", -EBADMSG, "d/a.conf", "no regular file");
	assert_int_equal(unlink(path("d/a.conf")), 0);
	make_dir("d/a.conf");
	check_refused("policy.conf", -EBADMSG, "d/a.conf", "no regular file");
	assert_int_equal(rmdir(path("d/a.conf")), 0);
	assert_int_equal(policy_load("/dev/zero", NULL, &diag, &policy), -EBADMSG);
	assert_string_equal(diag.message, "this is no regular file");
	assert_int_equal(policy_load("/dev/full", NULL, &diag, &policy), -EBADMSG);
	assert_null(policy);
}

static void writable_by_all(void **state)
{
	CLEAN struct policy *policy = NULL;

	write_file("policy.conf", TEST_HEAD "include d\n");
	assert_int_equal(chmod(path("policy.conf"), 0646), 0);
	check_refused("policy.conf", -EBADMSG, "policy.conf", "everybody may write this file");
	assert_int_equal(chmod(path("policy.conf"), 0664), 0);
	make_dir("d");
	write_file("d/a.conf", "network a = 10.0.0.0/8\n");
	assert_int_equal(chmod(path("d/a.conf"), 0666), 0);
	check_refused("policy.conf", -EBADMSG, "d/a.conf", "everybody may write this file");
	assert_int_equal(chmod(path("d/a.conf"), 0644), 0);
	assert_int_equal(chmod(path("d"), 01777), 0);
	check_refused("policy.conf", -EBADMSG, "policy.conf",
		      "everybody may write to this directory");
	assert_int_equal(chmod(path("d"), 0775), 0);
	policy = load("policy.conf");
	assert_int_equal(policy->network_count, 1);
}

static void missing(void **state)
{
	check_refused("none.conf", -ENOENT, "none.conf", "cannot open");
	write_file("file", "");
	write_file("policy.conf", TEST_HEAD "include file\n");
	check_refused("policy.conf", -EBADMSG, "policy.conf", "cannot open file: ");
}

static void set_size(const char *name, off_t size)
{
	write_file(name, "");
	assert_int_equal(truncate(path(name), size), 0);
}

/* 100 MB, which take no room on the disk, and none in memory because nothing is read. */
static void too_large(void **state)
{
	set_size("policy.conf", 100 << 20);
	check_refused("policy.conf", -EBADMSG, "policy.conf", "this file has 104857600 bytes");
	set_size("policy.conf", POLICY_FILE_MAX + 1);
	check_refused("policy.conf", -EBADMSG, "policy.conf", "this file has 4194305 bytes");
	/* At the limit it is read, and its first byte is no text. */
	set_size("policy.conf", POLICY_FILE_MAX);
	check_refused("policy.conf", -EBADMSG, "policy.conf", "a NUL byte");
}

static void too_large_together(void **state)
{
	size_t size = POLICY_FILE_MAX - 1024;
	char *text = malloc(size + 1);

	assert_non_null(text);
	memset(text, '\n', size);
	text[size] = '\0';
	make_dir("d");
	write_file("d/1.conf", text);
	write_file("d/2.conf", text);
	write_file("d/3.conf", text);
	write_file("d/4.conf", text);
	write_file("policy.conf", TEST_HEAD "include d\n");
	policy_free(load("policy.conf"));
	write_file("d/5.conf", text);
	check_refused("policy.conf", -EBADMSG, "d/5.conf", "more than 16777216 bytes together");
	free(text);
}

static void too_many_files(void **state)
{
	make_dir("d");
	for (unsigned i = 0; i < POLICY_FILES_MAX - 1; i++) {
		char name[32];

		snprintf(name, sizeof(name), "d/%u.conf", i);
		write_file(name, "");
	}
	write_file("policy.conf", TEST_HEAD "include d\n");
	policy_free(load("policy.conf"));
	write_file("d/one-more.conf", "");
	check_refused("policy.conf", -EBADMSG, "policy.conf", "more than 256 files");
}

static void odd_names(void **state)
{
	make_dir("d");
	write_file("d/\033[31m.conf", "");
	write_file("policy.conf", TEST_HEAD "include d\n");
	check_refused("policy.conf", -EBADMSG, "policy.conf",
		      "a file's name holds a control character");
}

/* The shipped policy includes what packages add, then what the administrator adds, and nothing. */
static void shipped_includes(void **state)
{
	static const char both[] = "\ninclude /usr/lib/lethe/policy.d\n"
				   "include /etc/lethe/policy.d\n";
	AUTO_FREE char *text = test_read_source("data/policy.conf");
	const char *first = strstr(text, "\ninclude ");

	assert_non_null(first);
	assert_int_equal(strncmp(first, both, strlen(both)), 0);
	assert_null(strstr(first + strlen(both), "\ninclude "));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(three_line_dropin),
	    TEST(order),
	    TEST(absolute_include),
	    TEST(dropins_meet),
	    TEST(empty_dropin),
	    TEST(links),
	    TEST(no_regular_files),
	    TEST(writable_by_all),
	    TEST(missing),
	    TEST(too_large),
	    TEST(too_large_together),
	    TEST(too_many_files),
	    TEST(odd_names),
	    cmocka_unit_test(shipped_includes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What one guard leaves for the next, and what is not believed. */
#include "resident.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

static char folder[] = "/tmp/lethe-kept-XXXXXX";
static char batch_path[GUARD_PATH_MAX], shut_path[GUARD_PATH_MAX];
static struct resident_options options = {.folder = folder};
static struct resident resident = {.options = &options, .notify = -EBADF};

static int make_all(void **state)
{
	AUTO_FILE FILE *file = fopen(TEST_SOURCE_ROOT "/tests/corpus/guard/default", "re");
	static char bytes[1 << 20];
	size_t len = file ? fread(bytes, 1, sizeof(bytes), file) : 0;

	if (!mkdtemp(folder) || guard_path(folder, "batch", batch_path) < 0 ||
	    guard_path(folder, "shut", shut_path) < 0)
		return -1;
	return nf_batch_read(bytes, len, &resident.wanted);
}

static int remove_all(void **state)
{
	ruleset_free(resident.wanted);
	return rmdir(folder);
}

static void test_it_is_read_as_it_was(void **state)
{
	CLEANUP(ruleset_freep) struct ruleset *again = NULL;
	AUTO_BUF struct buf difference = {.cap = 4096};
	struct stat status;

	assert_int_equal(kept_save(&resident), 0);
	assert_int_equal(stat(batch_path, &status), 0);
	assert_int_equal(status.st_mode, S_IFREG | 0600);
	assert_int_equal(kept_load(&resident, &again), 0);
	assert_int_equal(again->table_count, 2);
	for (size_t i = 0; i < again->table_count; i++)
		assert_true(ruleset_table_equal(&again->tables[i], &resident.wanted->tables[i],
						&difference));
	kept_forget(&resident, "batch");
	assert_int_equal(access(batch_path, F_OK), -1);
	kept_forget(&resident, "batch");
}

static void not_believed(void)
{
	struct ruleset *again = resident.wanted;

	assert_int_equal(kept_load(&resident, &again), -ENOENT);
	assert_ptr_equal(again, resident.wanted);
	unlink(batch_path);
}

static void test_what_is_not_believed(void **state)
{
	not_believed(); /* there is none */
	assert_int_equal(kept_save(&resident), 0);
	assert_int_equal(chmod(batch_path, 0620), 0);
	not_believed();
	assert_int_equal(kept_save(&resident), 0);
	assert_int_equal(truncate(batch_path, 1000), 0);
	not_believed();
	assert_int_equal(kept_save(&resident), 0);
	assert_int_equal(truncate(batch_path, 0), 0);
	not_believed();
	assert_int_equal(kept_save(&resident), 0);
	assert_int_equal(truncate(batch_path, (off_t)NF_BATCH_MAX + 1), 0);
	not_believed();
	assert_int_equal(mkdir(batch_path, 0700), 0);
	{
		struct ruleset *again = NULL;

		assert_int_equal(kept_load(&resident, &again), -ENOENT);
	}
	assert_int_equal(rmdir(batch_path), 0);
	/* Opening one would wait for a writer. */
	assert_int_equal(mkfifo(batch_path, 0600), 0);
	not_believed();
	assert_int_equal(symlink(TEST_SOURCE_ROOT "/tests/corpus/guard/default", batch_path), 0);
	not_believed();
	assert_int_equal(kept_write(batch_path, "no batch", 8, 0600), 0);
	not_believed();
}

static void test_of_another_user(void **state)
{
	if (geteuid() != 0)
		skip(); /* files cannot be given away; ./test runs this as root */
	assert_int_equal(kept_save(&resident), 0);
	assert_int_equal(chown(batch_path, 65534, 65534), 0);
	not_believed();
}

/* What was put where the fresh file will be is neither written into nor followed. */
static void test_writing_follows_nothing(void **state)
{
	char fresh[GUARD_PATH_MAX + 8], victim[GUARD_PATH_MAX + 8], content[8] = "";
	AUTO_FILE FILE *file = NULL;
	struct stat status;

	snprintf(fresh, sizeof(fresh), "%s.new", batch_path);
	snprintf(victim, sizeof(victim), "%s/victim", folder);
	assert_int_equal(kept_write(victim, "mine", 4, 0600), 0);
	assert_int_equal(symlink(victim, fresh), 0);
	assert_int_equal(kept_write(batch_path, "other", 5, 0640), 0);
	assert_int_equal(lstat(fresh, &status), -1);
	assert_int_equal(stat(batch_path, &status), 0);
	assert_int_equal(status.st_size, 5);
	file = fopen(victim, "re");
	assert_non_null(file);
	assert_int_equal(fread(content, 1, sizeof(content), file), 4);
	assert_string_equal(content, "mine");
	unlink(victim);
	unlink(batch_path);
}

static void test_places_where_nothing_can_be_kept(void **state)
{
	char long_path[GUARD_PATH_MAX + 8];

	memset(long_path, 'x', sizeof(long_path));
	long_path[sizeof(long_path) - 1] = '\0';
	assert_int_equal(kept_write(long_path, "a", 1, 0600), -E2BIG);
	assert_int_equal(kept_write("/no/such/folder/file", "a", 1, 0600), -ENOENT);
	/* A folder cannot be replaced by a file, and nothing half done is left. */
	assert_int_equal(mkdir(batch_path, 0700), 0);
	assert_true(kept_write(batch_path, "a", 1, 0600) < 0);
	assert_int_equal(rmdir(batch_path), 0);
}

static void test_shut(void **state)
{
	struct resident_options elsewhere = {.folder = "/proc/self/exe"};
	struct resident unsure = {.options = &elsewhere};

	assert_false(kept_is_shut(&resident));
	assert_int_equal(kept_mark_shut(&resident), 0);
	assert_true(kept_is_shut(&resident));
	kept_forget(&resident, "shut");
	assert_false(kept_is_shut(&resident));
	/* Whoever cannot tell takes it for so. */
	assert_true(kept_is_shut(&unsure));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_it_is_read_as_it_was),
	    cmocka_unit_test(test_what_is_not_believed),
	    cmocka_unit_test(test_of_another_user),
	    cmocka_unit_test(test_writing_follows_nothing),
	    cmocka_unit_test(test_places_where_nothing_can_be_kept),
	    cmocka_unit_test(test_shut),
	};

	return cmocka_run_group_tests(tests, make_all, remove_all);
}

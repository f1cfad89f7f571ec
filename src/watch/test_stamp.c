/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A stamp changes with each way in which a policy's files can, and with nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "stamp.h"

#define NEVER UINT64_MAX /* read long after all changes */

static char root[] = "/tmp/lethe-stamp-XXXXXX", main_file[64], passwd[64], folder[64], dropin[96],
	    replacement[64];
static char *files[2] = {main_file, dropin}, *folders[1] = {folder};

static void write_to(const char *path, const char *text)
{
	AUTO_FILE FILE *file = fopen(path, "we");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
}

static struct stamp take(uint64_t before_ns)
{
	const struct policy policy = {
	    .files = files, .file_count = 2, .folders = folders, .folder_count = 1};

	return stamp_take(&policy, main_file, passwd, before_ns, NEVER - (1u << 30));
}

static uint64_t hash_now(void)
{
	return take(NEVER - (1u << 30)).hash;
}

static int begin(void **state)
{
	if (!mkdtemp(root))
		return -1;
	snprintf(main_file, sizeof(main_file), "%s/policy.conf", root);
	snprintf(passwd, sizeof(passwd), "%s/passwd", root);
	snprintf(folder, sizeof(folder), "%s/d", root);
	snprintf(dropin, sizeof(dropin), "%s/d/a.conf", root);
	snprintf(replacement, sizeof(replacement), "%s/new", root);
	return 0;
}

static int end(void **state)
{
	unlink(dropin);
	rmdir(folder);
	unlink(main_file);
	unlink(passwd);
	return rmdir(root);
}

static void each_change_is_seen(void **state)
{
	uint64_t before, after;

	write_to(main_file, "one\n");
	write_to(passwd, "root\n");
	before = hash_now();
	assert_int_equal(hash_now(), before);

#define CHANGED()                                                                                  \
	do {                                                                                       \
		after = hash_now();                                                                \
		assert_int_not_equal(after, before);                                               \
		assert_int_equal(hash_now(), after);                                               \
		before = after;                                                                    \
	} while (0)
	write_to(main_file, "longer\n");
	CHANGED();
	write_to(replacement, "longer\n");
	assert_int_equal(rename(replacement, main_file), 0);
	CHANGED();
	write_to(passwd, "root\nnew\n");
	CHANGED();
	assert_int_equal(mkdir(folder, 0700), 0); /* one that was not there */
	CHANGED();
	write_to(dropin, "x\n");
	CHANGED();
	write_to(dropin, "xy\n"); /* in place: its folder has not changed */
	CHANGED();
	assert_int_equal(unlink(dropin), 0);
	CHANGED();
	assert_int_equal(unlink(main_file), 0);
	CHANGED();
}

static uint64_t now_ns(void)
{
	struct timespec now;

	assert_int_equal(clock_gettime(CLOCK_REALTIME, &now), 0);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* What changed while it was read may have been read before. */
static void a_change_meanwhile_is_not_settled(void **state)
{
	const uint64_t second = 1000000000u;
	uint64_t before = now_ns(), after;
	struct stamp stamp;

	write_to(main_file, "now\n");
	after = now_ns();
	stamp = stamp_take(NULL, main_file, passwd, after + second, after + 2 * second);
	assert_false(stamp.settled); /* there is no policy at all */
	assert_false(stamp_take(&(struct policy){0}, main_file, passwd, before, after).settled);
	assert_true(
	    stamp_take(&(struct policy){0}, main_file, passwd, after + second, after + 2 * second)
		.settled);
	/* The clock was put back since. */
	assert_true(stamp_take(&(struct policy){0}, main_file, passwd, before - 99 * second,
			       before - 98 * second)
			.settled);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_change_is_seen),
	    cmocka_unit_test(a_change_meanwhile_is_not_settled),
	};

	return cmocka_run_group_tests(tests, begin, end);
}

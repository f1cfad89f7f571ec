/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "attempt.h"

#define FIXED (sizeof(struct watch_record) - WATCH_TEXT_MAX)

struct made {
	struct watch_record record;
	size_t size;
};

/* A record with these components, each with its NUL. */
static struct made make(const char *path, size_t path_size, const char *group, size_t group_size)
{
	struct made made = {.size = FIXED + path_size + group_size};

	made.record.kind = WATCH_TASK;
	made.record.path_size = (__u16)path_size;
	made.record.group_size = (__u16)group_size;
	memcpy(made.record.text, path, path_size);
	memcpy(made.record.text + path_size, group, group_size);
	return made;
}

static void a_record_is_read(void **state)
{
	struct made made = make("curl\0bin\0usr", 13, "x.service\0system.slice", 23);
	struct attempt attempt;

	made.record.number = 7;
	made.record.flags = WATCH_OWNED | WATCH_ADDRESSED;
	made.record.owner_uid = 1000;
	made.record.destination_port = 443;
	made.record.destination[0] = 93;
	made.record.sender.pid = 12;
	memcpy(made.record.sender.comm, "curl", 5);
	assert_int_equal(attempt_read(&made.record, made.size, &attempt), 0);
	assert_int_equal(attempt.number, 7);
	assert_int_equal(attempt.owner_uid, 1000);
	assert_int_equal(attempt.destination_port, 443);
	assert_int_equal(attempt.destination.bytes[0], 93);
	assert_int_equal(attempt.sender.pid, 12);
	assert_string_equal(attempt.sender.comm, "curl");
	assert_string_equal(attempt.path, "/usr/bin/curl");
	assert_string_equal(attempt.group, "/system.slice/x.service");
}

static void the_root_of_groups_is_a_group(void **state)
{
	struct made made = make("a", 2, "", 0);
	struct attempt attempt;

	assert_int_equal(attempt_read(&made.record, made.size, &attempt), 0);
	assert_string_equal(attempt.group, "/");
	made.record.kind = WATCH_SOCKET;
	assert_int_equal(attempt_read(&made.record, made.size, &attempt), 0);
	assert_string_equal(attempt.group, "");
}

static void what_was_cut_says_so(void **state)
{
	struct made made = make("c\0b", 4, "u", 2);
	struct attempt attempt;

	made.record.flags = WATCH_PATH_CUT | WATCH_UNIT_CUT;
	assert_int_equal(attempt_read(&made.record, made.size, &attempt), 0);
	assert_string_equal(attempt.path, ".../b/c");
	assert_string_equal(attempt.group, ".../u");
}

static void names_cannot_steer_a_terminal(void **state)
{
	struct made made = make("\033[2J\xc3\xa4", 7, "\n", 2);
	struct attempt attempt;

	memset(made.record.sender.comm, '\a', sizeof(made.record.sender.comm));
	memset(made.record.creator.name, 'x', sizeof(made.record.creator.name));
	assert_int_equal(attempt_read(&made.record, made.size, &attempt), 0);
	assert_string_equal(attempt.path, "/?[2J??");
	assert_string_equal(attempt.group, "/?");
	assert_string_equal(attempt.sender.comm, "???????????????");
	assert_int_equal(strlen(attempt.creator.name), WATCH_NAME_MAX - 1);
}

/* Each way in which a record can be wrong is refused, and leaves the answer as it was. */
static void wrong_records_are_refused(void **state)
{
	struct made good = make("a\0b", 4, "c", 2), bad;
	struct attempt attempt = {.number = 99};

	assert_int_equal(attempt_read(&good.record, good.size - 1, &attempt), -EBADMSG);
	assert_int_equal(attempt_read(&good.record, good.size + 1, &attempt), -EBADMSG);
	assert_int_equal(attempt_read(&good.record, FIXED - 1, &attempt), -EBADMSG);
	assert_int_equal(attempt_read(&good.record, 0, &attempt), -EBADMSG);
	assert_int_equal(attempt_read(&good.record, sizeof(good.record) + 1, &attempt), -EBADMSG);
	bad = good;
	bad.record.kind = WATCH_KERNEL + 1;
	assert_int_equal(attempt_read(&bad.record, bad.size, &attempt), -EBADMSG);
	bad = good;
	bad.record.text[3] = 'x'; /* the path's last NUL: it would go on into the group's */
	assert_int_equal(attempt_read(&bad.record, bad.size, &attempt), -EBADMSG);
	bad = good;
	bad.record.path_size = UINT16_MAX;
	assert_int_equal(attempt_read(&bad.record, bad.size, &attempt), -EBADMSG);
	bad = make("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
		   "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 65, "", 0);
	assert_int_equal(attempt_read(&bad.record, bad.size, &attempt), -EBADMSG);
	assert_int_equal(attempt.number, 99);
}

/* As much text as the kernel's side can put. */
static void the_longest_texts_fit(void **state)
{
	char text[WATCH_TEXT_MAX];
	struct made made;
	struct attempt attempt;

	memset(text, 'x', sizeof(text));
	for (size_t i = WATCH_PART_MAX - 1; i < sizeof(text); i += WATCH_PART_MAX)
		text[i] = '\0';
	made = make(text, sizeof(text), "", 0);
	made.record.flags = WATCH_PATH_CUT;
	assert_int_equal(attempt_read(&made.record, made.size, &attempt), 0);
	assert_int_equal(strlen(attempt.path), WATCH_TEXT_MAX + 3);
}

static void units_are_found(void **state)
{
	static const struct {
		const char *group, *unit;
	} cases[] = {
	    {"/system.slice/tor@default.service", "tor@default.service"},
	    {"/user.slice/user-1000.slice/user@1000.service/app.slice/app-x.scope", "app-x.scope"},
	    {"/user.slice/user-1000.slice/user@1000.service/init.scope/below", "init.scope"},
	    {"/system.slice/x.service/", "x.service"},
	    {"/user.slice", ""},
	    {"/.service", ""},
	    {"/x.servicex", ""},
	    {"/", ""},
	    {"", ""},
	    {".../cut.scope", "cut.scope"},
	};
	char unit[32];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		attempt_unit(cases[i].group, unit, sizeof(unit));
		assert_string_equal(unit, cases[i].unit);
	}
	/* One that does not fit is none, not another one. */
	attempt_unit("/long-name-of-a-unit.service", unit, 8);
	assert_string_equal(unit, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_record_is_read),
	    cmocka_unit_test(the_root_of_groups_is_a_group),
	    cmocka_unit_test(what_was_cut_says_so),
	    cmocka_unit_test(names_cannot_steer_a_terminal),
	    cmocka_unit_test(wrong_records_are_refused),
	    cmocka_unit_test(the_longest_texts_fit),
	    cmocka_unit_test(units_are_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

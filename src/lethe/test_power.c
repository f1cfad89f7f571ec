/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lethe.h"
#include "power.h"

static void test_outcomes(void **state)
{
	static const struct {
		enum power power;
		int error, status;
		const char *answer, *text;
	} rows[] = {
	    {POWER_OFF, -ENODATA, LETHE_OK, "", ""},
	    {POWER_RESTART, -ENODATA, LETHE_OK, "", ""},
	    {POWER_OFF, -ENOENT, LETHE_USAGE, "", "systemctl poweroff"},
	    {POWER_RESTART, -ENOTDIR, LETHE_USAGE, "", "systemctl reboot"},
	    {POWER_OFF, -ECONNREFUSED, LETHE_USAGE, "", "power button"},
	    {POWER_OFF, -EACCES, LETHE_USAGE, "", "only the user of the console may"},
	    {POWER_RESTART, -EPERM, LETHE_USAGE, "", "cannot restart the computer: only the user"},
	    {POWER_OFF, -ETIMEDOUT, LETHE_BAD, "", "no answer in time. Press the power button"},
	    {POWER_OFF, -EAGAIN, LETHE_BAD, "", "power button"},
	    {POWER_OFF, 0, LETHE_BAD, "Refused\n", "the computer off: Refused. Press the power"},
	    /* Nothing of what was said can steer a terminal, and only its first line is shown. */
	    {POWER_OFF, 0, LETHE_BAD, "\033[2Jno\nmore", "off: ?[2Jno. Press"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CLEANUP(door_close)
		struct door door = {.fd = -EBADF, .error = rows[i].error, .answer = {.cap = 4096}};
		AUTO_BUF struct buf text = {.cap = 4096};

		print_message("# %zu\n", i);
		buf_puts(&door.answer, rows[i].answer);
		assert_int_equal(power_outcome(rows[i].power, &door, &text), rows[i].status);
		assert_int_equal(buf_finish(&text), 0);
		assert_non_null(strstr(buf_text(&text), rows[i].text));
		assert_int_equal(text.len == 0, rows[i].status == LETHE_OK);
	}
}

static void test_long_answer_is_cut(void **state)
{
	CLEANUP(door_close) struct door door = {.fd = -EBADF, .answer = {.cap = 1u << 20}};
	AUTO_BUF struct buf text = {.cap = 4096};

	for (int i = 0; i < 100000; i++)
		buf_puts(&door.answer, "x");
	assert_int_equal(power_outcome(POWER_OFF, &door, &text), LETHE_BAD);
	assert_int_equal(buf_finish(&text), 0);
	assert_true(text.len < 400);
}

/* Each of the two has its own door and its own words. */
static void test_names(void **state)
{
	assert_string_equal(power_door(POWER_OFF), "off");
	assert_string_equal(power_door(POWER_RESTART), "restart");
	assert_non_null(strstr(power_sentence(POWER_OFF), "turns off"));
	assert_non_null(strstr(power_sentence(POWER_RESTART), "restarts"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_outcomes),
	    cmocka_unit_test(test_long_answer_is_cut),
	    cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

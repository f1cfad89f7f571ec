/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <base/cleanup.h>

#include "absence.h"

static void test_absences(void **state)
{
	static const struct {
		int error;
		bool listens, met;
		uint64_t age_ms;
		enum torctl_absence absence;
	} rows[] = {
		{ -ENOENT, false, false, 0, TORCTL_STARTING },
		{ -ECONNREFUSED, false, false, 1000, TORCTL_STARTING },
		{ -ENOENT, false, false, ABSENCE_PATIENCE_MS - 1, TORCTL_STARTING },
		/* It cannot be starting for ever. */
		{ -ENOENT, false, false, ABSENCE_PATIENCE_MS, TORCTL_STOPPED },
		/* What was there has ended. */
		{ -ENOENT, false, true, 0, TORCTL_STOPPED },
		{ -ECONNREFUSED, false, true, 0, TORCTL_STOPPED },
		{ -EAGAIN, false, false, 0, TORCTL_SILENT },
		{ -EACCES, false, false, 0, TORCTL_UNUSABLE },
		/* Tor is there: its cookie is missing, or half written. */
		{ -ENOENT, true, true, ABSENCE_PATIENCE_MS, TORCTL_STARTING },
		{ -EINVAL, true, false, 0, TORCTL_STARTING },
		{ -EKEYREJECTED, true, false, 0, TORCTL_SHUT_OUT },
		{ -EPERM, true, false, 0, TORCTL_SHUT_OUT },
		{ -EACCES, true, false, 0, TORCTL_SHUT_OUT },
		{ -EOPNOTSUPP, true, false, 0, TORCTL_SHUT_OUT },
		{ -ETIMEDOUT, true, false, 0, TORCTL_SILENT },
		{ -ECONNRESET, true, false, 0, TORCTL_SILENT },
		{ -ENOMEM, true, false, 0, TORCTL_UNUSABLE },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (absence_of(rows[i].error, rows[i].listens, rows[i].met, rows[i].age_ms) !=
		    rows[i].absence)
			fail_msg("row %zu", i);
}

/* Who has to understand the words tells one from the other by them. */
static void test_words(void **state)
{
	for (int i = TORCTL_ABSENCE_OTHER + 1; i < TORCTL_ABSENCE_END; i++)
		assert_int_equal(torctl_absence_find(torctl_absence_words((enum torctl_absence)i)), i);
	assert_int_equal(torctl_absence_find("Too many connections"), TORCTL_ABSENCE_OTHER);
	assert_int_equal(torctl_absence_find(""), TORCTL_ABSENCE_OTHER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_absences),
		cmocka_unit_test(test_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

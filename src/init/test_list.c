/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <base/buf.h>

static struct list *parse(const char *text)
{
	struct list *list = NULL;
	struct diag diag = {0};

	if (list_parse(text, strlen(text), &diag, &list) != 0)
		fail_msg("line %u: %s", diag.line, diag.message);
	return list;
}

static void expect_bad(const char *text, unsigned line, const char *reason)
{
	struct list *list = NULL;
	struct diag diag = {0};

	assert_int_equal(list_parse(text, strlen(text), &diag, &list), -EBADMSG);
	assert_null(list);
	if (diag.line != line || !strstr(diag.message, reason))
		fail_msg("refused as line %u '%s', not line %u '%s'", diag.line, diag.message, line,
			 reason);
}

static void test_good(void **state)
{
	CLEANUP(list_freep)
	struct list *list = parse("dm-bufio.ko\tdep\t-\n"
				  "dm-mod.ko\talways\t-\n"
				  "dm-verity.ko\talways\tdm-mod.ko,dm-bufio.ko\n"
				  "sd_mod.ko\talias\tdm-mod.ko\tscsi:t-0x00*\tscsi:t-0x07*\n");

	assert_int_equal(list->count, 4);
	assert_int_equal(list->modules[0].when, LIST_DEP);
	assert_int_equal(list->modules[1].when, LIST_ALWAYS);
	assert_int_equal(list->modules[2].dep_count, 2);
	assert_int_equal(list->deps[list->modules[2].deps], 1);
	assert_int_equal(list->deps[list->modules[2].deps + 1], 0);
	assert_string_equal(list->modules[3].file, "sd_mod.ko");
	assert_int_equal(list->modules[3].alias_count, 2);
}

static void test_bad(void **state)
{
	expect_bad("", 0, "empty");
	expect_bad("a.ko\tdep\t-", 0, "whole line");
	expect_bad("\n", 1, "fewer than three fields");
	expect_bad("a.ko\tdep\n", 1, "fewer than three fields");
	expect_bad("a.ko\tdep\t-\n\n", 2, "fewer than three fields");
	expect_bad("a.ko\tsometimes\t-\n", 1, "second field");
	expect_bad("a.ko\tdep\t\n", 1, "on no earlier line");
	expect_bad("a.ko\tdep\tb.ko\nb.ko\tdep\t-\n", 1, "on no earlier line");
	expect_bad("a.ko\tdep\ta.ko\n", 1, "on no earlier line");
	expect_bad("b.ko\tdep\t-\na.ko\tdep\tb.ko,\n", 2, "on no earlier line");
	expect_bad("a.ko\tdep\t-\na.ko\tdep\t-\n", 2, "listed twice");
	expect_bad("a.ko\talias\t-\n", 1, "no alias");
	expect_bad("a.ko\talias\t-\t\n", 1, "an empty alias");
	expect_bad("a.ko\talias\t-\tx\t\ty\n", 1, "an empty alias");
	expect_bad("../a.ko\tdep\t-\n", 1, "not the file name");
	expect_bad(".ko\tdep\t-\n", 1, "not the file name");
	expect_bad("a.ko.xz\tdep\t-\n", 1, "not the file name");
	expect_bad("a b.ko\tdep\t-\n", 1, "not the file name");
	expect_bad("a012345678901234567890123456789012345678901234567890123456789.ko\tdep\t-\n", 1,
		   "not the file name");
}

static void test_byte_zero(void **state)
{
	static const char text[] = "a.ko\tdep\t-\n\0b.ko\tdep\t-\n";
	struct list *list = NULL;
	struct diag diag = {0};

	assert_int_equal(list_parse(text, sizeof(text) - 1, &diag, &list), -EBADMSG);
}

static void test_caps(void **state)
{
	AUTO_BUF struct buf text = {.cap = LIST_FILE_MAX};

	for (unsigned i = 0; i < LIST_MODULES_MAX; i++)
		buf_printf(&text, "m%u.ko\tdep\t-\n", i);
	list_free(parse(buf_text(&text)));
	buf_puts(&text, "more.ko\tdep\t-\n");
	expect_bad(buf_text(&text), LIST_MODULES_MAX + 1, "too many modules");
	buf_done(&text);
	buf_puts(&text, "a.ko\talias\t-");
	for (unsigned i = 0; i <= LIST_ALIASES_MAX; i++)
		buf_puts(&text, "\tx");
	buf_puts(&text, "\n");
	expect_bad(buf_text(&text), 1, "too many aliases");
}

static void test_matches(void **state)
{
	CLEANUP(list_freep)
	struct list *list =
	    parse("a.ko\talias\t-\tpci:v00008086d*sv*bc01sc06i01*\tusb:v*ic08isc0[1-6]ip50*\n"
		  "b.ko\talias\t-\tplatform:sdhci-acpi\n");
	char name[] = "platform:sdhci-acpi";

	assert_true(list_matches(list, &list->modules[0], "pci:v00008086d00002922sv1bc01sc06i01"));
	assert_true(list_matches(list, &list->modules[0], "usb:v1234p5678ic08isc06ip50in00"));
	assert_false(list_matches(list, &list->modules[0], "usb:v1234p5678ic08isc07ip50in00"));
	assert_false(list_matches(list, &list->modules[0], "pci:v00001AF4d1sv1bc01sc06i01"));
	assert_false(list_matches(list, &list->modules[0], ""));
	/* '-' and '_' are one letter, but not in a bracket, where it is a range. */
	list_normalise(name);
	assert_string_equal(name, "platform:sdhci_acpi");
	assert_true(list_matches(list, &list->modules[1], name));
}

static void test_want(void **state)
{
	CLEANUP(list_freep)
	struct list *list = parse("a.ko\tdep\t-\n"
				  "b.ko\tdep\ta.ko\n"
				  "c.ko\tdep\t-\n"
				  "d.ko\talways\tb.ko\n"
				  "e.ko\talways\td.ko\n");
	bool wanted[5] = {false};

	list_want(list, 3, wanted);
	assert_true(wanted[0] && wanted[1] && wanted[3]);
	assert_false(wanted[2] || wanted[4]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_good),      cmocka_unit_test(test_bad),
	    cmocka_unit_test(test_byte_zero), cmocka_unit_test(test_caps),
	    cmocka_unit_test(test_matches),   cmocka_unit_test(test_want),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

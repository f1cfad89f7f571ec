/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "report.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define HASH "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static struct report sample(void)
{
	return (struct report){
	    .image = {.root_hash = HASH, .data_blocks = 37814},
	    .medium = {.name = "sda",
		       .bus = "usb",
		       .model = "A \"stick\"\\",
		       .removable = true,
		       .sequence = 9},
	    .checked = true,
	    .sealed_ms = 100,
	    .found_ms = 200,
	    .switched_ms = 300,
	};
}

static void test_json(void **state)
{
	AUTO_BUF struct buf out = {.cap = 4096};
	struct report report = sample();

	report_print(&report, &out);
	assert_string_equal(
	    buf_text(&out),
	    "{\"version\":1,\"root_hash\":\"" HASH "\",\"data_blocks\":37814,"
	    "\"medium\":{\"device\":\"sda\",\"bus\":\"usb\",\"removable\":true,"
	    "\"model\":\"A \\\"stick\\\"\\\\\"},\"mode\":\"medium\",\"checked\":true,"
	    "\"laboratory\":false,\"sealed_ms\":100,\"found_ms\":200,\"switched_ms\":300}\n");
}

static void test_json_of_other_starts(void **state)
{
	AUTO_BUF struct buf out = {.cap = 4096};
	struct report report = sample();

	report.to_ram = true;
	report.laboratory = true;
	report.checked = false;
	report_print(&report, &out);
	assert_non_null(strstr(buf_text(&out), "\"mode\":\"ram\",\"checked\":false,"
					       "\"laboratory\":true,"));
}

static void test_medium(void **state)
{
	AUTO_BUF struct buf out = {.cap = 4096};
	struct report report = sample();

	report_print_medium(&report.medium, &out);
	assert_string_equal(buf_text(&out),
			    "device=sda\nbus=usb\nmodel=A \"stick\"\\\nsequence=9\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_json),
	    cmocka_unit_test(test_json_of_other_starts),
	    cmocka_unit_test(test_medium),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define HASH   "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define ROOT   "lethe.roothash=" HASH
#define BLOCKS "lethe.blocks=37814"
#define OFFSET "lethe.offset=2048"
#define LONGER "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff0"
#define GOOD   ROOT " " BLOCKS " " OFFSET

static void expect_bad(const char *text, const char *reason)
{
	struct options options = {.offset = 77};
	struct diag diag = {0};

	assert_int_equal(options_parse(text, &diag, &options), -EINVAL);
	assert_int_equal(options.offset, 77);
	if (!strstr(diag.message, reason))
		fail_msg("'%s' is refused as '%s', not '%s'", text, diag.message, reason);
	assert_true(diag.hint[0]);
}

static struct options expect_good(const char *text)
{
	struct options options = {0};
	struct diag diag = {0};

	if (options_parse(text, &diag, &options) != 0)
		fail_msg("'%s' is refused: %s", text, diag.message);
	return options;
}

static void test_good(void **state)
{
	struct options options =
	    expect_good("BOOT_IMAGE=/lethe/vmlinuz quiet " GOOD " console=ttyS0\n");

	assert_string_equal(options.image.root_hash, HASH);
	assert_int_equal(options.image.data_blocks, 37814);
	assert_int_equal(options.offset, 2048);
	assert_false(options.to_ram || options.check || options.verbose);
	options = expect_good("lethe.verbose " GOOD "\tlethe.mode=ram lethe.check");
	assert_true(options.to_ram && options.check && options.verbose);
	/* Words of others, whatever they hold, are theirs. */
	expect_good(GOOD " lethe=1 xlethe.mode=z dm=\"a lethe.mode=x b\" =");
	expect_good("lethe.offset=0 " ROOT " " BLOCKS);
}

static void test_missing(void **state)
{
	expect_bad("", "lethe.roothash is missing");
	expect_bad("quiet", "lethe.roothash is missing");
	expect_bad(ROOT " " OFFSET, "lethe.blocks is missing");
	expect_bad(ROOT " " BLOCKS, "lethe.offset is missing");
}

static void test_twice(void **state)
{
	expect_bad(GOOD " " ROOT, "lethe.roothash is there twice");
	expect_bad(GOOD " " BLOCKS, "lethe.blocks is there twice");
	expect_bad(GOOD " lethe.check lethe.check", "lethe.check is there twice");
	expect_bad(GOOD " -- " OFFSET, "lethe.offset is there twice");
}

static void test_malformed(void **state)
{
	static const char *const words[] = {
	    "lethe.mode",         "lethe.mode=",   "lethe.mode=disk", "lethe.mode=ram2",
	    "lethe.mode=\"ram\"", "lethe.check=1", "lethe.check=",    "lethe.verbose=0",
	};
	static const char *const offsets[] = {"",
					      "1",
					      "2047",
					      "2049",
					      "-2048",
					      "+2048",
					      "02048",
					      "0x800",
					      "2048k",
					      "18446744073709551616",
					      "1125899906844672"};
	static const char *const blocks[] = {"", "0", "-1", "1.5", "4294967297", " 5"};
	static const char *const hashes[] = {
	    "",
	    "00",
	    LONGER,
	    "00112233445566778899aabbccddeeff00112233445566778899aabbccddeefF",
	    "00112233445566778899aabbccddeeff00112233445566778899aabbccddeefg",
	};
	char text[1024];

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		snprintf(text, sizeof(text), GOOD " %s", words[i]);
		expect_bad(text, "must have");
	}
	for (size_t i = 0; i < ARRAY_SIZE(offsets); i++) {
		snprintf(text, sizeof(text), ROOT " " BLOCKS " lethe.offset=%s", offsets[i]);
		expect_bad(text, "lethe.offset must have");
	}
	for (size_t i = 0; i < ARRAY_SIZE(blocks); i++) {
		snprintf(text, sizeof(text), ROOT " " OFFSET " lethe.blocks=%s", blocks[i]);
		expect_bad(text, "lethe.blocks must have");
	}
	for (size_t i = 0; i < ARRAY_SIZE(hashes); i++) {
		snprintf(text, sizeof(text), BLOCKS " " OFFSET " lethe.roothash=%s", hashes[i]);
		expect_bad(text, "lethe.roothash must have");
	}
}

static void test_unknown(void **state)
{
	expect_bad(GOOD " lethe.", "lethe. is no parameter");
	expect_bad(GOOD " lethe.debug", "lethe.debug is no parameter");
	expect_bad(GOOD " lethe.\033[2J", "lethe.?[2J is no parameter");
}

static void test_long(void **state)
{
	char text[4096];

	snprintf(text, sizeof(text), GOOD " lethe.%01000d", 0);
	expect_bad(text, "is no parameter");
	snprintf(text, sizeof(text), ROOT " " BLOCKS " lethe.offset=%01000d", 0);
	expect_bad(text, "must have");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_good),    cmocka_unit_test(test_missing),
	    cmocka_unit_test(test_twice),   cmocka_unit_test(test_malformed),
	    cmocka_unit_test(test_unknown), cmocka_unit_test(test_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

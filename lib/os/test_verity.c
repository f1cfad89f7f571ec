/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "verity.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/sysmacros.h>

#include <cmocka.h>

#define HASH "00112233445566778899aabbccddeeff0f1e2d3c4b5a69788796a5b4c3d2e1f0"
#define SALT "0000000000000000000000000000000000000000000000000000000000000000"

static const struct verity_image image = {.root_hash = HASH, .data_blocks = 6220};

static void test_hash_is(void **state)
{
	assert_true(verity_hash_is(HASH));
	assert_false(verity_hash_is(""));
	assert_false(verity_hash_is(HASH "0"));
	assert_false(verity_hash_is("0123"));
	assert_false(verity_hash_is("00112233445566778899AABBCCDDEEFF"
				    "0f1e2d3c4b5a69788796a5b4c3d2e1f0"));
}

/* The sizes of images that veritysetup 2.6.1 made. */
static void test_sizes(void **state)
{
	static const uint64_t known[][2] = {
	    {1, 0}, {2, 1}, {128, 1}, {129, 3}, {16384, 129}, {16385, 132},
	};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		assert_int_equal(verity_tree_blocks(known[i][0]), known[i][1]);
		assert_int_equal(verity_image_blocks(known[i][0]), known[i][0] + 1 + known[i][1]);
	}
	/* No sum wraps at the limit. */
	assert_true(verity_image_blocks(VERITY_BLOCKS_MAX) < UINT64_MAX / VERITY_BLOCK);
}

static void test_table(void **state)
{
	AUTO_BUF struct buf out = {.cap = 1024};
	enum verity_on_corruption how;
	dev_t below;

	verity_print_table(&image, makedev(254, 0), VERITY_EIO, &out);
	assert_string_equal(buf_text(&out),
			    "1 254:0 254:0 4096 4096 6220 6221 sha256 " HASH " " SALT);
	assert_true(verity_table_enforces(buf_text(&out), &image, &below, &how));
	assert_int_equal(below, makedev(254, 0));
	assert_int_equal(how, VERITY_EIO);
	buf_done(&out);
	verity_print_table(&image, makedev(8, 16), VERITY_PANIC, &out);
	assert_true(verity_table_enforces(buf_text(&out), &image, &below, &how));
	assert_int_equal(below, makedev(8, 16));
	assert_int_equal(how, VERITY_PANIC);
}

/* Every single character of a table line counts. */
static void test_table_changed(void **state)
{
	AUTO_BUF struct buf out = {.cap = 1024};
	enum verity_on_corruption how;
	char text[512];
	dev_t below;

	verity_print_table(&image, makedev(254, 0), VERITY_PANIC, &out);
	for (size_t i = 0; i < out.len; i++) {
		memcpy(text, buf_text(&out), out.len + 1);
		text[i] ^= 1;
		assert_false(verity_table_enforces(text, &image, &below, &how));
		/* Cut before the options it is the table without them. */
		memcpy(text, buf_text(&out), i);
		text[i] = '\0';
		if (i != out.len - strlen(" 1 panic_on_corruption"))
			assert_false(verity_table_enforces(text, &image, &below, &how));
	}
}

static void test_parse_device(void **state)
{
	dev_t dev;

	assert_true(verity_parse_device("254:17", '\0', &dev));
	assert_int_equal(dev, makedev(254, 17));
	assert_true(verity_parse_device("8:0 2048", ' ', &dev));
	assert_true(verity_parse_device("0:20 ", ' ', &dev));
	assert_false(verity_parse_device("8:0", ' ', &dev));
	assert_false(verity_parse_device("8:", '\0', &dev));
	assert_false(verity_parse_device(":0", '\0', &dev));
	assert_false(verity_parse_device("8", '\0', &dev));
	assert_false(verity_parse_device("/dev/sda", '\0', &dev));
	assert_false(verity_parse_device("08:0", '\0', &dev));
	assert_false(verity_parse_device("4096:0", '\0', &dev));
	assert_false(verity_parse_device("8:1048576", '\0', &dev));
	assert_false(verity_parse_device("8:00000000000000000001", '\0', &dev));
}

/* Where the fields are, by the documentation of the format and not by the code's structure. */
enum {
	AT_SIGNATURE = 0,
	AT_VERSION = 8,
	AT_TYPE = 12,
	AT_UUID = 16,
	AT_ALGORITHM = 32,
	AT_DATA_SIZE = 64,
	AT_HASH_SIZE = 68,
	AT_BLOCKS = 72,
	AT_SALT_SIZE = 80,
	AT_SALT = 88,
};

static void make_superblock(uint8_t block[static 512])
{
	static const uint8_t uuid[16] = {0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77,
					 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff};

	memset(block, 0, 512);
	memcpy(block + AT_SIGNATURE, "verity\0", 8);
	block[AT_VERSION] = 1;
	block[AT_TYPE] = 1;
	memcpy(block + AT_UUID, uuid, sizeof(uuid));
	memcpy(block + AT_ALGORITHM, "sha256", 6);
	block[AT_DATA_SIZE + 1] = 0x10;
	block[AT_HASH_SIZE + 1] = 0x10;
	block[AT_BLOCKS] = 6220 & 0xff;
	block[AT_BLOCKS + 1] = 6220 >> 8;
	block[AT_SALT_SIZE] = 32;
}

static void test_superblock(void **state)
{
	static const size_t unfit[] = {AT_VERSION,   AT_VERSION + 3,   AT_TYPE,
				       AT_ALGORITHM, AT_ALGORITHM + 6, AT_DATA_SIZE,
				       AT_HASH_SIZE, AT_BLOCKS,        AT_BLOCKS + 7,
				       AT_SALT_SIZE, AT_SALT,          AT_SALT + 31};
	uint8_t block[512];

	make_superblock(block);
	assert_int_equal(verity_judge_superblock(block, sizeof(block), &image),
			 VERITY_SUPERBLOCK_SAME);
	assert_int_equal(verity_judge_superblock(block, 343, &image), VERITY_SUPERBLOCK_NONE);
	assert_int_equal(verity_judge_superblock(block, 0, &image), VERITY_SUPERBLOCK_NONE);
	for (size_t i = 0; i < 8; i++) {
		make_superblock(block);
		block[i] ^= 0x20;
		assert_int_equal(verity_judge_superblock(block, sizeof(block), &image),
				 VERITY_SUPERBLOCK_NONE);
	}
	for (size_t i = AT_UUID; i < AT_ALGORITHM; i++) {
		make_superblock(block);
		block[i] ^= 1;
		assert_int_equal(verity_judge_superblock(block, sizeof(block), &image),
				 VERITY_SUPERBLOCK_OTHER);
	}
	for (size_t i = 0; i < ARRAY_SIZE(unfit); i++) {
		make_superblock(block);
		block[unfit[i]] ^= 1;
		assert_int_equal(verity_judge_superblock(block, sizeof(block), &image),
				 VERITY_SUPERBLOCK_UNFIT);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_hash_is),      cmocka_unit_test(test_sizes),
	    cmocka_unit_test(test_table),        cmocka_unit_test(test_table_changed),
	    cmocka_unit_test(test_parse_device), cmocka_unit_test(test_superblock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the start of the system needs of this room: command line, small files, disks' buses. */
#include "block.h"
#include "cmdline.h"
#include "dm.h"
#include "file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void test_words(void **state)
{
	const char *at = "  a=1 b  \tc=\"x y\"=z \"d e\"=1 =f\n";
	struct cmdline_word word;

	assert_true(cmdline_next(&at, &word));
	assert_string_equal(word.name, "a");
	assert_string_equal(word.value, "1");
	assert_false(word.quoted);
	assert_true(cmdline_next(&at, &word));
	assert_string_equal(word.name, "b");
	assert_false(word.has_value);
	assert_true(cmdline_next(&at, &word));
	assert_string_equal(word.name, "c");
	assert_string_equal(word.value, "\"x y\"=z");
	assert_true(word.quoted);
	assert_true(cmdline_next(&at, &word));
	assert_string_equal(word.name, "\"d e\"");
	assert_true(cmdline_next(&at, &word));
	assert_string_equal(word.name, "");
	assert_string_equal(word.value, "f");
	assert_false(cmdline_next(&at, &word));
	assert_false(cmdline_next(&at, &word));
}

static void test_long_word(void **state)
{
	char text[2 * CMDLINE_WORD_MAX + 16];
	struct cmdline_word word;
	const char *at = text;

	snprintf(text, sizeof(text), "a=%0*d b", CMDLINE_WORD_MAX - 1, 0);
	assert_true(cmdline_next(&at, &word));
	assert_false(word.cut);
	assert_int_equal(strlen(word.value), CMDLINE_WORD_MAX - 1);
	snprintf(text, sizeof(text), "a=%0*d b", CMDLINE_WORD_MAX, 0);
	at = text;
	assert_true(cmdline_next(&at, &word));
	assert_true(word.cut);
	assert_true(cmdline_next(&at, &word));
	assert_string_equal(word.name, "b");
}

static void test_find(void **state)
{
	char value[CMDLINE_WORD_MAX] = "before";

	assert_int_equal(cmdline_find("a=1 b=2", "b", value), 0);
	assert_string_equal(value, "2");
	assert_int_equal(cmdline_find("a=1 b=2", "c", value), -ENOENT);
	assert_int_equal(cmdline_find("aa=1 a.b=2", "a", value), -ENOENT);
	assert_int_equal(cmdline_find("a=1 a=1", "a", value), -EEXIST);
	assert_int_equal(cmdline_find("a=1 a", "a", value), -EEXIST);
	assert_int_equal(cmdline_find("a", "a", value), -EINVAL);
	assert_int_equal(cmdline_find("a=\"1\"", "a", value), -EINVAL);
	assert_string_equal(value, "2");
}

static void expect_parameters(const char *cmdline, const char *module, const char *expected)
{
	AUTO_BUF struct buf out = {.cap = 1024};

	cmdline_module_parameters(cmdline, module, &out);
	assert_string_equal(buf_text(&out), expected);
}

static void test_module_parameters(void **state)
{
	static const char line[] =
	    "quiet usb-storage.delay_use=0 usb_storage.quirks=1,2 usbcore.x=1 "
	    "usb_storage. loop.max_part";

	expect_parameters(line, "usb-storage", "delay_use=0 quirks=1,2");
	expect_parameters(line, "usb_storage", "delay_use=0 quirks=1,2");
	expect_parameters(line, "loop", "max_part");
	expect_parameters(line, "usb", "");
	expect_parameters(line, "storage", "");
}

static void test_bus(void **state)
{
	assert_string_equal(block_bus("/sys/devices/pci0000:00/0000:00:04.0/usb1/1-1/1-1:1.0/host6/"
				      "target6:0:0/6:0:0:0/block/sda"),
			    "usb");
	assert_string_equal(block_bus("/sys/devices/pci0000:00/0000:00:1f.2/ata1/host0/target0:0:0/"
				      "0:0:0:0/block/sda"),
			    "ata");
	assert_string_equal(block_bus("/sys/devices/pci0000:00/0000:00:03.0/nvme/nvme0/nvme0n1"),
			    "nvme");
	assert_string_equal(
	    block_bus("/sys/devices/pci0000:00/0000:00:03.0/mmc_host/mmc0/mmc0:4567/"
		      "block/mmcblk0"),
	    "mmc");
	assert_string_equal(block_bus("/sys/devices/pci0000:00/0000:00:03.0/virtio0/block/vda"),
			    "virtio");
	assert_string_equal(block_bus("/sys/devices/pci0000:00/0000:00:03.0/virtio1/host6/"
				      "target6:0:0/6:0:0:0/block/sda"),
			    "scsi");
	assert_string_equal(block_bus("/sys/devices/virtual/block/loop0"), "other");
	assert_string_equal(block_bus(""), "other");
}

static void test_block_read(void **state)
{
	struct block_disk disk;

	assert_int_equal(block_read("no-such-disk", &disk), -ENOENT);
	assert_int_equal(block_read("../../kernel", &disk), -ENOENT);
	assert_int_equal(block_read("a-name-that-is-longer-than-any-disk-has", &disk), -ENOENT);
}

static void test_file(void **state)
{
	AUTO_BUF struct buf out = {.cap = 16};
	char line[8] = "before";
	uint64_t number = 7;

	assert_int_equal(file_read("/proc/self/no-such-file", &out), -ENOENT);
	assert_int_equal(file_read("/proc/self/mountinfo", &out), -E2BIG);
	assert_int_equal(file_read_line("/proc/version", line, sizeof(line)), -E2BIG);
	assert_string_equal(line, "before");
	assert_int_equal(file_read_line("/proc/sys/kernel/ostype", line, sizeof(line)), 0);
	assert_string_equal(line, "Linux");
	assert_int_equal(file_read_number("/proc/sys/kernel/ostype", &number), -EINVAL);
	assert_int_equal(file_read_number("/proc/version", &number), -EINVAL);
	assert_int_equal(number, 7);
	assert_int_equal(file_read_number("/proc/sys/kernel/pid_max", &number), 0);
	assert_true(number > 7);
}

/* What is refused before the kernel is asked. */
static void test_mapper_limits(void **state)
{
	char params[DM_PARAMS_MAX + 1], name[200];

	memset(params, 'x', sizeof(params) - 1);
	params[sizeof(params) - 1] = '\0';
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(dm_load(-1, "a", "linear", 8, params), -E2BIG);
	assert_int_equal(dm_load(-1, "a", "a-type-that-is-too-long", 8, ""), -E2BIG);
	assert_int_equal(dm_remove(-1, name), -ENAMETOOLONG);
	assert_int_equal(dm_remove(-1, "a"), -EBADF);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_words), cmocka_unit_test(test_long_word),
	    cmocka_unit_test(test_find),  cmocka_unit_test(test_module_parameters),
	    cmocka_unit_test(test_bus),   cmocka_unit_test(test_block_read),
	    cmocka_unit_test(test_file),  cmocka_unit_test(test_mapper_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

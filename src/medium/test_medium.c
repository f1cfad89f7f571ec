/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "medium.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/sysmacros.h>

#include <cmocka.h>

#define HASH  "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define OTHER "ff112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define SALT  "0000000000000000000000000000000000000000000000000000000000000000"
#define TABLE "1 253:0 253:0 4096 4096 100 101 sha256 " HASH " " SALT " 1 panic_on_corruption"

#define LINE_PROC "21 1 0:20 / /proc rw,nosuid - proc proc rw\n"
#define LINE_IMAGE                                                                                 \
	"30 29 253:1 / /run/lethe/root ro,nosuid,nodev - squashfs /dev/dm-1 ro,errors=continue\n"
#define LINE_ROOT_OF(layers)                                                                       \
	"29 1 0:30 / / rw,relatime shared:1 - overlay overlay rw,lowerdir=" layers                 \
	",upperdir=/run/lethe/overlay/upper,workdir=/run/lethe/overlay/work,uuid=on\n"
#define LINE_ROOT LINE_ROOT_OF("/run/lethe/root")

/* Everything as it must be; a test then changes one thing. */
static int setup(void **state)
{
	struct facts *facts = calloc(1, sizeof(*facts));

	assert_non_null(facts);
	facts->cmdline.cap = facts->mounts.cap = facts->started_from.cap = 65536;
	buf_puts(&facts->cmdline, "quiet lethe.roothash=" HASH " lethe.blocks=100\n");
	buf_puts(&facts->mounts, LINE_PROC LINE_ROOT LINE_IMAGE);
	buf_puts(&facts->started_from, "device=sda\nbus=usb\nmodel=A stick\nsequence=7\n");
	facts->table = (struct dm_state){.dev = makedev(253, 1),
					 .readonly = true,
					 .targets = 1,
					 .length = 800,
					 .type = "verity",
					 .params = TABLE};
	facts->status = facts->table;
	snprintf(facts->status.params, sizeof(facts->status.params), "V");
	facts->has_disk = true;
	facts->disk = (struct block_disk){
	    .name = "sda", .bus = "usb", .model = "A stick", .sectors = 1000, .sequence = 7};
	facts->has_origin = true;
	facts->origin = facts->disk;
	*state = facts;
	return 0;
}

static int teardown(void **state)
{
	facts_done(*state);
	free(*state);
	return 0;
}

static void set(struct buf *buf, const char *text)
{
	buf_done(buf);
	buf_puts(buf, text);
}

static void expect_denied(const struct facts *facts, const char *reason)
{
	struct verdict verdict;

	judge(facts, &verdict);
	assert_false(verdict.verified);
	if (!strstr(verdict.reason, reason))
		fail_msg("the reason is '%s', not '%s'", verdict.reason, reason);
}

static void test_good(void **state)
{
	AUTO_BUF struct buf out = {.cap = 4096};
	struct verdict verdict;

	judge(*state, &verdict);
	assert_true(verdict.verified);
	assert_string_equal(verdict.reason, "");
	assert_true(verdict.present && verdict.stops_at_corruption);
	assert_false(verdict.laboratory || verdict.in_ram);
	print_json(&verdict, &out);
	assert_string_equal(buf_text(&out),
			    "{\"medium\":{\"device\":\"sda\",\"bus\":\"usb\",\"model\":\"A stick\","
			    "\"present\":true},\"mode\":\"medium\",\"verified\":true,"
			    "\"stops_at_corruption\":true,\"laboratory\":false,"
			    "\"root_hash\":\"" HASH "\",\"reason\":\"\"}\n");
}

static void test_laboratory(void **state)
{
	struct facts *facts = *state;
	struct verdict verdict;

	set(&facts->mounts, LINE_ROOT_OF("/run/lethe/laboratory:/run/lethe/root") LINE_IMAGE);
	judge(facts, &verdict);
	assert_true(verdict.verified && verdict.laboratory);
}

static void test_layers(void **state)
{
	struct facts *facts = *state;

	set(&facts->mounts, LINE_ROOT_OF("/tmp/mine:/run/lethe/root") LINE_IMAGE);
	expect_denied(facts, "other layers");
	set(&facts->mounts, LINE_ROOT_OF("/run/lethe/root:/run/lethe/laboratory") LINE_IMAGE);
	expect_denied(facts, "other layers");
	set(&facts->mounts, LINE_ROOT_OF("/run/lethe/root2") LINE_IMAGE);
	expect_denied(facts, "other layers");
	set(&facts->mounts, "29 1 8:1 / / rw - ext4 /dev/sda1 rw\n" LINE_IMAGE);
	expect_denied(facts, "not the overlay");
	/* The mount on top counts. */
	set(&facts->mounts, LINE_ROOT LINE_IMAGE "50 29 8:1 / / rw - ext4 /dev/sda1 rw\n");
	expect_denied(facts, "not the overlay");
	set(&facts->mounts, "29 1 0:30 / / rw - overlay overlay rw\n" LINE_IMAGE);
	expect_denied(facts, "not told");
	set(&facts->mounts, "");
	expect_denied(facts, "not the overlay");
}

static void test_image(void **state)
{
	struct facts *facts = *state;

	set(&facts->mounts, LINE_ROOT);
	expect_denied(facts, "no squashfs");
	set(&facts->mounts, LINE_ROOT "30 29 253:1 / /run/lethe/root ro - ext4 /dev/dm-1 ro\n");
	expect_denied(facts, "no squashfs");
	set(&facts->mounts, LINE_ROOT "30 29 7:0 / /run/lethe/root ro - squashfs /dev/loop0 ro\n");
	expect_denied(facts, "not read through lethe-root");
	set(&facts->mounts, LINE_ROOT "30 29 253:1 /sub /run/lethe/root ro - squashfs /dev/x ro\n");
	expect_denied(facts, "no squashfs");
	set(&facts->mounts, LINE_ROOT LINE_IMAGE);
	facts->root_error = -ENXIO;
	expect_denied(facts, "does not tell of lethe-root");
	facts->mapper_error = -ENOENT;
	expect_denied(facts, "no device-mapper");
}

static void set_params(struct facts *facts, const char *params)
{
	snprintf(facts->table.params, sizeof(facts->table.params), "%s", params);
}

static void test_table(void **state)
{
	struct facts *facts = *state;
	const struct dm_state good = facts->table;
	static const char *const wrong[] = {
	    "1 253:0 253:0 4096 4096 100 101 sha256 " OTHER " " SALT " 1 panic_on_corruption",
	    "1 253:0 253:0 4096 4096 100 101 sha256 " HASH " " SALT " 1 ignore_corruption",
	    "1 253:0 253:0 4096 4096 100 101 sha256 " HASH " " SALT
	    " 2 panic_on_corruption ignore_zero_blocks",
	    "1 253:0 253:0 4096 4096 99 101 sha256 " HASH " " SALT,
	    "1 253:0 253:0 4096 4096 100 101 sha1 " HASH " " SALT,
	    "1 253:0 253:9 4096 4096 100 101 sha256 " HASH " " SALT,
	    "0 253:0 253:0 4096 4096 100 101 sha256 " HASH " " SALT,
	    "1 253:0 253:0 4096 4096 100 101 sha256 " HASH " -",
	    "",
	};

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		set_params(facts, wrong[i]);
		expect_denied(facts, "does not enforce");
	}
	facts->table = good;
	facts->table.length = 792;
	expect_denied(facts, "does not enforce");
	facts->table.length = 801;
	expect_denied(facts, "does not enforce");
	facts->table = good;
	facts->table.readonly = false;
	expect_denied(facts, "does not enforce");
	facts->table = good;
	facts->table.targets = 2;
	expect_denied(facts, "not one live dm-verity target");
	facts->table = good;
	snprintf(facts->table.type, sizeof(facts->table.type), "linear");
	expect_denied(facts, "not one live dm-verity target");
	facts->table = good;
	facts->table.suspended = true;
	expect_denied(facts, "not one live dm-verity target");
	facts->table = good;
	facts->table.start = 8;
	expect_denied(facts, "not one live dm-verity target");
}

/* The table as it is before init has it stop at corruption: verified all the same. */
static void test_table_without_panic(void **state)
{
	struct facts *facts = *state;
	struct verdict verdict;

	set_params(facts, "1 253:0 253:0 4096 4096 100 101 sha256 " HASH " " SALT);
	judge(facts, &verdict);
	assert_true(verdict.verified);
	assert_false(verdict.stops_at_corruption);
}

static void test_status(void **state)
{
	struct facts *facts = *state;

	snprintf(facts->status.params, sizeof(facts->status.params), "C");
	expect_denied(facts, "not as they were made");
	snprintf(facts->status.params, sizeof(facts->status.params), "VC");
	expect_denied(facts, "does not say");
	facts->status.targets = 0;
	expect_denied(facts, "does not tell how");
}

static void test_cmdline(void **state)
{
	struct facts *facts = *state;

	set(&facts->cmdline, "quiet");
	expect_denied(facts, "no root hash");
	set(&facts->cmdline, "lethe.roothash=" HASH " lethe.roothash=" HASH);
	expect_denied(facts, "no root hash");
	set(&facts->cmdline, "lethe.roothash=\"" HASH "\"");
	expect_denied(facts, "no root hash");
	set(&facts->cmdline, "lethe.roothash=" OTHER);
	expect_denied(facts, "does not enforce");
}

static void test_medium_gone(void **state)
{
	struct facts *facts = *state;
	struct verdict verdict;

	/* The disk is gone: device-mapper still has its number, sysfs does not. */
	facts->has_disk = facts->has_origin = false;
	judge(facts, &verdict);
	assert_true(verdict.verified);
	assert_false(verdict.present || verdict.in_ram);
	assert_string_equal(verdict.medium.device, "sda");
}

static void test_in_ram(void **state)
{
	struct facts *facts = *state;
	struct verdict verdict;

	facts->disk = (struct block_disk){.name = "loop0", .bus = "other", .sectors = 900};
	judge(facts, &verdict);
	assert_true(verdict.verified && verdict.in_ram && verdict.present);
	assert_string_equal(verdict.medium.device, "sda");
	assert_string_equal(verdict.medium.bus, "usb");
	/* Another stick in the same place is not the one it was started from. */
	facts->origin.sequence = 8;
	judge(facts, &verdict);
	assert_false(verdict.present);
	set(&facts->started_from, "device=sda\n");
	judge(facts, &verdict);
	assert_true(verdict.verified && verdict.in_ram);
	assert_string_equal(verdict.medium.device, "");
}

static void test_origin(void **state)
{
	static const char *const wrong[] = {
	    "",
	    "device=sda\n",
	    "device=sda\nbus=usb\nmodel=\nsequence=x\n",
	    "device=sda\nbus=usb\nmodel=\nsequence=1",
	    "device=sda\nbus=usb\nmodel=\nsequence=1\n\n",
	    "device=0123456789012345678901234567890123456789\nbus=usb\nmodel=\nsequence=1\n",
	    "bus=usb\ndevice=sda\nmodel=\nsequence=1\n",
	};
	struct origin origin;

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		assert_int_equal(origin_parse(wrong[i], &origin), -EINVAL);
	assert_int_equal(origin_parse("device=sda\nbus=usb\nmodel=\nsequence=1\n", &origin), 0);
	assert_int_equal(origin.sequence, 1);
}

static void test_mounts(void **state)
{
	struct mount_entry entry;
	char value[16];

	/* As many tags as there are, or none; cut lines are no entries. */
	assert_int_equal(mounts_find("1 0 8:1 / /a rw - ext4 /dev/x ro\n", "/a", &entry), 0);
	assert_int_equal(
	    mounts_find("1 0 8:1 / /a rw shared:1 master:2 - ext4 /dev/x ro\n", "/a", &entry), 0);
	assert_string_equal(entry.type, "ext4");
	assert_string_equal(entry.super, "ro");
	assert_int_equal(entry.dev, makedev(8, 1));
	assert_int_equal(mounts_find("1 0 8:1 / /a rw shared:1 - ext4\n", "/a", &entry), -ENOENT);
	assert_int_equal(mounts_find("1 0 x / /a rw - ext4 /dev/x ro\n", "/a", &entry), -ENOENT);
	assert_int_equal(mounts_option("rw,ab=1,a=2", "a", value, sizeof(value)), 0);
	assert_string_equal(value, "2");
	assert_int_equal(mounts_option("rw,ab=1", "a", value, sizeof(value)), -ENOENT);
	assert_int_equal(mounts_option("rw,a=0123456789abcdef", "a", value, sizeof(value)), -E2BIG);
	assert_int_equal(mounts_option("rw", "rw", value, sizeof(value)), 0);
	assert_string_equal(value, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_good, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_laboratory, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_layers, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_image, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_table, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_table_without_panic, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_status, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_cmdline, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_medium_gone, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_in_ram, setup, teardown),
	    cmocka_unit_test(test_origin),
	    cmocka_unit_test(test_mounts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

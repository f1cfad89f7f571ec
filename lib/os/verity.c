/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "verity.h"

#include <endian.h>
#include <inttypes.h>
#include <string.h>
#include <sys/sysmacros.h>

#include <base/num.h>

#define HASHES_PER_BLOCK (VERITY_BLOCK / VERITY_HASH)

#define PANIC_OPTION " 1 panic_on_corruption"

/* As veritysetup writes it, little-endian. */
struct superblock {
	uint8_t signature[8];
	uint32_t version;
	uint32_t hash_type;
	uint8_t uuid[16];
	char algorithm[32];
	uint32_t data_block_size;
	uint32_t hash_block_size;
	uint64_t data_blocks;
	uint16_t salt_size;
	uint8_t pad[6];
	uint8_t salt[256];
};
_Static_assert(sizeof(struct superblock) == 344, "no holes in the format of the superblock");

bool verity_hash_is(const char *text)
{
	return strlen(text) == VERITY_HASH_TEXT - 1 &&
	       strspn(text, "0123456789abcdef") == VERITY_HASH_TEXT - 1;
}

uint64_t verity_tree_blocks(uint64_t data_blocks)
{
	uint64_t level = data_blocks, total = 0;

	while (level > 1) {
		level = (level + HASHES_PER_BLOCK - 1) / HASHES_PER_BLOCK;
		total += level;
	}
	return total;
}

uint64_t verity_image_blocks(uint64_t data_blocks)
{
	return data_blocks + 1 + verity_tree_blocks(data_blocks);
}

static void print_table(const struct verity_image *image, const char *below, struct buf *out)
{
	buf_printf(out, "1 %s %s %d %d %" PRIu64 " %" PRIu64 " sha256 %s ", below, below,
		   VERITY_BLOCK, VERITY_BLOCK, image->data_blocks, image->data_blocks + 1,
		   image->root_hash);
	for (unsigned i = 0; i < VERITY_HASH; i++)
		buf_puts(out, "00");
}

void verity_print_table(const struct verity_image *image, dev_t below,
			enum verity_on_corruption how, struct buf *out)
{
	char text[32];

	snprintf(text, sizeof(text), "%u:%u", major(below), minor(below));
	print_table(image, text, out);
	if (how == VERITY_PANIC)
		buf_puts(out, PANIC_OPTION);
}

/* The digits from *@at up to @end, which is passed. */
static bool parse_part(const char **at, char end, uint64_t max, unsigned *ret_value)
{
	char digits[16];
	size_t len = strspn(*at, "0123456789");
	uint64_t value;

	if (len >= sizeof(digits) || (*at)[len] != end)
		return false;
	memcpy(digits, *at, len);
	digits[len] = '\0';
	if (num_parse_u64(digits, max, &value) < 0)
		return false;
	*at += len;
	*ret_value = (unsigned)value;
	return true;
}

bool verity_parse_device(const char *text, char end, dev_t *ret_dev)
{
	unsigned major_number, minor_number;

	if (!parse_part(&text, ':', 4095, &major_number))
		return false;
	text++;
	if (!parse_part(&text, end, 1048575, &minor_number))
		return false;
	*ret_dev = makedev(major_number, minor_number);
	return true;
}

bool verity_table_enforces(const char *params, const struct verity_image *image, dev_t *ret_below,
			   enum verity_on_corruption *ret_how)
{
	AUTO_BUF struct buf expected = {.cap = 1024};
	const char *rest;
	char below[32];
	dev_t dev;

	/* Make the one line that would do, with the device that it names, and compare. */
	if (strncmp(params, "1 ", 2) != 0 || !verity_parse_device(params + 2, ' ', &dev))
		return false;
	snprintf(below, sizeof(below), "%u:%u", major(dev), minor(dev));
	print_table(image, below, &expected);
	if (buf_finish(&expected) < 0 || strncmp(params, buf_text(&expected), expected.len) != 0)
		return false;
	rest = params + expected.len;
	if (rest[0] && strcmp(rest, PANIC_OPTION) != 0)
		return false;
	*ret_below = dev;
	*ret_how = strcmp(rest, PANIC_OPTION) == 0 ? VERITY_PANIC : VERITY_EIO;
	return true;
}

static bool uuid_is(const uint8_t uuid[16], const char *root_hash)
{
	char text[33];

	for (unsigned i = 0; i < 16; i++)
		snprintf(text + (size_t)2 * i, 3, "%02x", uuid[i]);
	return memcmp(text, root_hash, 32) == 0;
}

enum verity_superblock verity_judge_superblock(const uint8_t *data, size_t size,
					       const struct verity_image *image)
{
	static const uint8_t signature[8] = "verity\0";
	static const uint8_t salt[VERITY_HASH];
	struct superblock block;

	if (size < sizeof(block))
		return VERITY_SUPERBLOCK_NONE;
	memcpy(&block, data, sizeof(block));
	if (memcmp(block.signature, signature, sizeof(signature)) != 0)
		return VERITY_SUPERBLOCK_NONE;
	if (!uuid_is(block.uuid, image->root_hash))
		return VERITY_SUPERBLOCK_OTHER;
	if (le32toh(block.version) != 1 || le32toh(block.hash_type) != 1 ||
	    strncmp(block.algorithm, "sha256", sizeof(block.algorithm)) != 0 ||
	    le32toh(block.data_block_size) != VERITY_BLOCK ||
	    le32toh(block.hash_block_size) != VERITY_BLOCK ||
	    le64toh(block.data_blocks) != image->data_blocks ||
	    le16toh(block.salt_size) != sizeof(salt) || memcmp(block.salt, salt, sizeof(salt)) != 0)
		return VERITY_SUPERBLOCK_UNFIT;
	return VERITY_SUPERBLOCK_SAME;
}

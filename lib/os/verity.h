/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * dm-verity images as Lethe makes them: version 1, sha256, blocks of 4096 bytes, a salt of 32 zero
 * bytes; the data, then one block with the superblock, then the hash tree. All of this is pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <base/buf.h>
#include <base/cleanup.h>

#define VERITY_BLOCK      4096
#define VERITY_SECTORS    (VERITY_BLOCK / 512) /* of a block */
#define VERITY_HASH       32
#define VERITY_HASH_TEXT  65                  /* 64 hexadecimal digits and the NUL */
#define VERITY_BLOCKS_MAX (UINT64_C(1) << 32) /* so that no sum of bytes can wrap */

/* Which image: what it must hash to, and how long its data are. */
struct verity_image {
	char root_hash[VERITY_HASH_TEXT]; /* lower-case hexadecimal */
	uint64_t data_blocks;             /* 1 to VERITY_BLOCKS_MAX */
};

/* Are these the 64 lower-case hexadecimal digits of a root hash, and nothing else? */
bool verity_hash_is(const char *text);

/* Blocks of the hash tree over @data_blocks, and of the whole image. */
uint64_t verity_tree_blocks(uint64_t data_blocks);
uint64_t verity_image_blocks(uint64_t data_blocks);

enum verity_on_corruption { VERITY_EIO, VERITY_PANIC };

/* The table line for the image on the device @below. */
void verity_print_table(const struct verity_image *image, dev_t below,
			enum verity_on_corruption how, struct buf *out);

/* A live table line that enforces @image on one device below, whichever it is, with no option but
 * panic_on_corruption? Returns true and whether it has that one; or false. */
bool verity_table_enforces(const char *params, const struct verity_image *image, dev_t *ret_below,
			   enum verity_on_corruption *ret_how);

/* "MAJOR:MINOR" as the kernel prints it, and then the character @end ('\\0' for the text's end). */
bool verity_parse_device(const char *text, char end, dev_t *ret_dev);

enum verity_superblock {
	VERITY_SUPERBLOCK_NONE,  /* no superblock of veritysetup's */
	VERITY_SUPERBLOCK_OTHER, /* one of another image */
	VERITY_SUPERBLOCK_UNFIT, /* this image's identity, but not its form */
	VERITY_SUPERBLOCK_SAME,  /* this image's: a candidate, nothing is proved yet */
};

/* Judge the bytes where @image has its superblock. Its UUID is the root hash's first 16 bytes. */
enum verity_superblock verity_judge_superblock(const uint8_t *data, size_t size,
					       const struct verity_image *image);

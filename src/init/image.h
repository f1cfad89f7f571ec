/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A dm-verity image on a disk, made into a block device that gives verified bytes or none. Nothing
 * is ever read from a disk but through one, save the image's own superblock, which proves nothing.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <base/cleanup.h>
#include <base/diag.h>
#include <os/verity.h>

struct image {
	struct verity_image verity;
	const char *below; /* the linear device's name in device-mapper */
	const char *name;  /* the verity device's */
	dev_t below_dev;
	dev_t dev;
};

/* "/dev/dm-N" of a device-mapper device. */
#define IMAGE_PATH_MAX 32
void image_path(dev_t dev, char path[static IMAGE_PATH_MAX]);

/*
 * Map @image from byte @offset of the disk @disk (read-only, as everything here), put dm-verity
 * over it and let it verify the first and the last block of data. On failure nothing stays mapped.
 * Returns 0, -EIO (the bytes there are not this image's), or -errno: with what failed in @diag.
 */
MUST_CHECK int image_open(int control, struct image *image, dev_t disk, uint64_t offset,
			  struct diag *diag);

/* Remove both devices, as far as they are there. */
void image_close(int control, struct image *image);

/* Read and verify every block of data, saying how far it is. Returns 0, -EIO, or -errno, with the
 * first block that failed in @diag. */
MUST_CHECK int image_check(const struct image *image, struct diag *diag);

/* From here on a block that does not verify stops the kernel instead of giving an error: a program
 * that was refused one block of itself would go on in a way nobody has thought of.
 * Returns 0 or -errno with @diag. */
MUST_CHECK int image_panic_on_corruption(int control, const struct image *image, struct diag *diag);

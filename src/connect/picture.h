/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A picture as grey values, out of a file in memory. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <base/buf.h>

#define PICTURE_SIDE_MAX   8192
#define PICTURE_PIXELS_MAX (24u << 20)

struct picture {
	unsigned width, height;
	uint8_t *grey; /* width * height, by rows */
};

/* Read PNG or JPEG, whichever its first bytes say. Returns 0 and the picture, to picture_done();
 * -EINVAL (neither, or broken), -E2BIG (more pixels than the limits), or -ENOMEM. */
MUST_CHECK int picture_read(const uint8_t *bytes, size_t length, struct picture *ret_picture);
void picture_done(struct picture *picture);

/* Append the text of each QR code, and the end of a line. 0; -ENODATA, there is none; or -ENOMEM. */
MUST_CHECK int picture_codes(const struct picture *picture, struct buf *out);

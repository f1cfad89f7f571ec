/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Any bytes as a picture: refused, or a picture within its limits in which a code is looked for. */
#include "picture.h"

#include <string.h>

#include <base/fuzz.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(picture_done) struct picture picture = {0};
	AUTO_BUF struct buf text = {.cap = 65536};
	int r = picture_read(data, size, &picture);

	REQUIRE(r == 0 || r == -EINVAL || r == -E2BIG || r == -ENOMEM);
	REQUIRE((r == 0) == (picture.grey != NULL));
	if (r < 0)
		return 0;
	REQUIRE(picture.width <= PICTURE_SIDE_MAX && picture.height <= PICTURE_SIDE_MAX);
	/* Looking through a large one takes long, and is the same code. */
	if ((size_t)picture.width * picture.height <= 1 << 18)
		r = picture_codes(&picture, &text);
	REQUIRE(r == 0 || r == -ENODATA || r == -ENOMEM);
	return 0;
}

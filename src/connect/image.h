/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The text in a picture's QR code, read by lethe-connect-qr, a process that has nothing else. */
#pragma once

#include <base/buf.h>

#define IMAGE_TEXT_MAX (16u << 10)

/* Append the codes' texts, a line each, to @out. Returns 0; -ENODATA (there is no code), -EINVAL (it is
 * no picture that is understood), -E2BIG (too large), -ECHILD (it could not be read), or -errno. */
MUST_CHECK int image_text(const char *path, struct buf *out);

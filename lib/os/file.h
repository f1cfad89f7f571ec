/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Small files, and what the kernel shows as such (/proc, /sys). */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <base/buf.h>
#include <base/cleanup.h>

/* Append all of the file to @out. Returns 0, -E2BIG (more than the buffer's cap), or -errno. */
MUST_CHECK int file_read(const char *path, struct buf *out);

/* The first line, without its newline, at most @size - 1 bytes, always terminated on success.
 * Returns 0, -E2BIG (a longer line), or -errno; @text is untouched on failure. */
MUST_CHECK int file_read_line(const char *path, char *text, size_t size);

/* A file that holds one decimal number. Returns 0, -EINVAL (it holds something else), or -errno. */
MUST_CHECK int file_read_number(const char *path, uint64_t *ret_value);

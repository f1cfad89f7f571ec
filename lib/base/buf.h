/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A byte buffer that grows up to a cap and no further. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cleanup.h"

/*
 * Zero-initialised with a cap is a valid empty buffer: struct buf b = { .cap = 4096 }.
 * A cap of 0 means that nothing may be written at all (unset denies).
 */
struct buf {
	char *data;    /* always NUL-terminated once anything was written; owned by the buffer */
	size_t len;    /* bytes written, without the NUL */
	size_t cap;    /* most bytes that may ever be written */
	size_t room;   /* bytes allocated */
	int error;     /* 0, or the first failure: -ENOMEM, -E2BIG (cap reached); sticky */
};

/* Append. After a failure (see `error`) further calls do nothing, so that a printer can write all
 * of its output and check once, with buf_finish(). */
void buf_add(struct buf *buf, const void *data, size_t len);
void buf_puts(struct buf *buf, const char *text);
void buf_printf(struct buf *buf, const char *format, ...) PRINTF(2, 3);

/* 0, or the first failure since the buffer was made. */
MUST_CHECK int buf_finish(const struct buf *buf);

/* The text, never NULL. Borrowed until the next write or buf_done(). */
const char *buf_text(const struct buf *buf);

/* Free the contents; the buffer is empty and usable again with the same cap. */
void buf_done(struct buf *buf);

#define AUTO_BUF CLEANUP(buf_done)

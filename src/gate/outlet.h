/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What waits to be written to somebody, in order. */
#pragma once

#include <base/buf.h>

/* Zero-initialise but for the buffer's cap: that much may wait at most. */
struct outlet {
	struct buf buf;
	size_t taken; /* bytes of it that were written */
};

static inline const char *outlet_bytes(const struct outlet *outlet)
{
	return buf_text(&outlet->buf) + outlet->taken;
}

static inline size_t outlet_length(const struct outlet *outlet)
{
	return outlet->buf.len - outlet->taken;
}

/* @length bytes were written. */
void outlet_take(struct outlet *outlet, size_t length);

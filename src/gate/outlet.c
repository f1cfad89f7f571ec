/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "outlet.h"

#include <assert.h>
#include <string.h>

#define LOOSE (16u << 10) /* bytes that are written may stay in the buffer */

void outlet_take(struct outlet *outlet, size_t length)
{
	assert(length <= outlet_length(outlet));
	outlet->taken += length;
	if (outlet->taken == outlet->buf.len) {
		int error = outlet->buf.error;

		buf_done(&outlet->buf);
		outlet->buf.error = error;
		outlet->taken = 0;
	} else if (outlet->taken >= LOOSE) {
		outlet->buf.len -= outlet->taken;
		memmove(outlet->buf.data, outlet->buf.data + outlet->taken, outlet->buf.len + 1);
		outlet->taken = 0;
	}
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "buf.h"

#include <stdarg.h>
#include <string.h>

/* Make room for @more bytes and the NUL. Returns false, with the error kept, if that cannot be. */
static bool buf_reserve(struct buf *buf, size_t more)
{
	/* So that neither the NUL nor the doubling below can wrap, whatever cap was asked for. */
	size_t cap = buf->cap < SIZE_MAX / 4 ? buf->cap : SIZE_MAX / 4;
	size_t need, room;
	char *data;

	if (buf->error)
		return false;
	if (more > cap - buf->len) {
		buf->error = -E2BIG;
		return false;
	}
	need = buf->len + more + 1;
	if (need <= buf->room)
		return true;
	room = buf->room ? buf->room * 2 : 256;
	if (room < need)
		room = need;
	data = realloc(buf->data, room);
	if (!data) {
		buf->error = -ENOMEM;
		return false;
	}
	buf->data = data;
	buf->room = room;
	return true;
}

void buf_add(struct buf *buf, const void *data, size_t len)
{
	if (len == 0 || !buf_reserve(buf, len))
		return;
	memcpy(buf->data + buf->len, data, len);
	buf->len += len;
	buf->data[buf->len] = '\0';
}

void buf_puts(struct buf *buf, const char *text)
{
	buf_add(buf, text, strlen(text));
}

void buf_printf(struct buf *buf, const char *format, ...)
{
	va_list args, again;
	int len;

	va_start(args, format);
	va_copy(again, args);
	len = vsnprintf(NULL, 0, format, again);
	va_end(again);
	if (len < 0)
		buf->error = buf->error ? buf->error : -EINVAL;
	else if (buf_reserve(buf, (size_t)len)) {
		vsnprintf(buf->data + buf->len, (size_t)len + 1, format, args);
		buf->len += (size_t)len;
	}
	va_end(args);
}

int buf_finish(const struct buf *buf)
{
	return buf->error;
}

const char *buf_text(const struct buf *buf)
{
	return buf->data ? buf->data : "";
}

void buf_done(struct buf *buf)
{
	free(buf->data);
	*buf = (struct buf){ .cap = buf->cap };
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "file.h"

#include <fcntl.h>
#include <string.h>

#include <base/num.h>

int file_read(const char *path, struct buf *out)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	char chunk[4096];
	ssize_t len;

	if (fd < 0)
		return neg_errno();
	while ((len = read(fd, chunk, sizeof(chunk))) != 0) {
		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0)
			return neg_errno();
		buf_add(out, chunk, (size_t)len);
		if (buf_finish(out) < 0)
			return buf_finish(out);
	}
	return 0;
}

int file_read_line(const char *path, char *text, size_t size)
{
	AUTO_BUF struct buf content = {.cap = 65536};
	int r = file_read(path, &content);
	size_t len;

	if (r < 0)
		return r;
	len = strcspn(buf_text(&content), "\n");
	if (len >= size)
		return -E2BIG;
	memcpy(text, buf_text(&content), len);
	text[len] = '\0';
	return 0;
}

int file_read_number(const char *path, uint64_t *ret_value)
{
	char line[32];
	int r = file_read_line(path, line, sizeof(line));

	if (r == -E2BIG)
		return -EINVAL;
	return r < 0 ? r : num_parse_u64(line, UINT64_MAX, ret_value);
}

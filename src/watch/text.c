/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "text.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define PARTS_MAX 64

void text_clean(char *text, size_t size)
{
	text[size - 1] = '\0';
	for (char *c = text; *c; c++)
		if (*c < 0x20 || *c > 0x7e)
			*c = '?';
}

void text_clean_identity(struct watch_identity *identity)
{
	text_clean(identity->comm, sizeof(identity->comm));
	text_clean(identity->name, sizeof(identity->name));
}

/* Components, the last first, become a path of at most TEXT_MAX bytes. Returns 0 or -EBADMSG. */
static int join(const char *text, size_t size, bool cut, char *path)
{
	const char *parts[PARTS_MAX] = {0};
	size_t count = 0, used = 0;

	for (size_t at = 0; at < size; at += strlen(text + at) + 1) {
		if (count == PARTS_MAX || !memchr(text + at, '\0', size - at))
			return -EBADMSG;
		parts[count++] = text + at;
	}
	if (cut)
		used = (size_t)snprintf(path, TEXT_MAX, "...");
	while (count-- > 0) {
		size_t length = strlen(parts[count]);

		if (length + 2 > TEXT_MAX - used)
			return -EBADMSG;
		path[used++] = '/';
		memcpy(path + used, parts[count], length + 1);
		used += length;
	}
	path[used] = '\0';
	if (used > 0)
		text_clean(path, used + 1);
	return 0;
}

int text_read(const char *text, size_t path_size, size_t group_size, uint32_t flags,
	      char ret_path[TEXT_MAX], char ret_group[TEXT_MAX])
{
	int r = join(text, path_size, flags & WATCH_PATH_CUT, ret_path);

	if (r == 0)
		r = join(text + path_size, group_size, flags & WATCH_UNIT_CUT, ret_group);
	/* Nothing was read at all: that is no path that was cut. */
	if (r == 0 && path_size == 0)
		ret_path[0] = '\0';
	return r;
}

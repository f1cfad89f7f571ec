/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "defaults.h"

#include <glob.h>
#include <string.h>

#include <os/file.h>

#define FILE_MAX (64u << 10)

int defaults_read(const char *path, struct torctl_bridges *bridges)
{
	AUTO_BUF struct buf text = {.cap = FILE_MAX};
	int unknown = 0, r = file_read(path, &text);
	const char *at, *end;

	if (r < 0)
		return r;
	at = buf_text(&text);
	for (end = at + text.len; at < end;) {
		const char *stop = memchr(at, '\n', (size_t)(end - at)) ?: end;
		struct torctl_bridge bridge;

		r = torctl_bridge_parse(at, (size_t)(stop - at), &bridge, NULL);
		if (r == 0)
			r = torctl_bridges_add(bridges, &bridge);
		unknown += r < 0 && r != -ENODATA;
		at = stop < end ? stop + 1 : end;
	}
	return unknown;
}

int defaults_read_folder(const char *path, struct torctl_bridges *bridges)
{
	char pattern[256];
	glob_t files = {0};
	int unknown = 0, r;

	if ((size_t)snprintf(pattern, sizeof(pattern), "%s/*.conf", path) >= sizeof(pattern))
		return -ENAMETOOLONG;
	r = glob(pattern, 0, NULL, &files);
	if (r != 0)
		return r == GLOB_NOMATCH ? 0 : -EIO;
	for (size_t i = 0; i < files.gl_pathc && r >= 0; i++) {
		r = defaults_read(files.gl_pathv[i], bridges);
		unknown += r > 0 ? r : 0;
	}
	globfree(&files);
	return r < 0 ? r : unknown;
}

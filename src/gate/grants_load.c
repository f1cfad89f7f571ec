/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The files of grants. */
#include "grants.h"

#include <string.h>

#include <os/file.h>

#define SUFFIX ".conf"

struct listing {
	char names[GRANTS_FILES_MAX][256];
	const char *folders[GRANTS_FILES_MAX];
	size_t count;
};

static int fail(struct diag *diag, const char *path, int error)
{
	diag_set(diag, path, 0, 0, "cannot be read: %s", strerror(-error));
	return error;
}

/* What ends in .conf and is not hidden. */
static bool is_grant(const char *name)
{
	size_t length = strlen(name), suffix = strlen(SUFFIX);

	return name[0] != '.' && length > suffix && strcmp(name + length - suffix, SUFFIX) == 0;
}

static int note(struct listing *listing, const char *folder, const char *name)
{
	for (size_t i = 0; i < listing->count; i++) {
		if (strcmp(listing->names[i], name) == 0) {
			listing->folders[i] = folder;
			return 0;
		}
	}
	if (listing->count == GRANTS_FILES_MAX)
		return -E2BIG;
	snprintf(listing->names[listing->count], sizeof(listing->names[0]), "%s", name);
	listing->folders[listing->count++] = folder;
	return 0;
}

static int list_folder(struct listing *listing, const char *folder, struct diag *diag)
{
	AUTO_DIR DIR *dir = opendir(folder);
	const struct dirent *entry;
	int r = 0;

	if (!dir)
		return errno == ENOENT ? 0 : fail(diag, folder, neg_errno());
	while (r == 0 && (errno = 0, entry = readdir(dir)))
		if (is_grant(entry->d_name))
			r = note(listing, folder, entry->d_name);
	if (r == 0 && errno)
		r = -errno;
	return r < 0 ? fail(diag, folder, r) : 0;
}

/* The next one by name after @last (NULL: the first); -1 at the end. */
static int next(const struct listing *listing, const char *last)
{
	int best = -1;

	for (size_t i = 0; i < listing->count; i++)
		if ((!last || strcmp(listing->names[i], last) > 0) &&
		    (best < 0 || strcmp(listing->names[i], listing->names[best]) < 0))
			best = (int)i;
	return best;
}

static int read_file(struct grants *grants, const char *path, const char *passwd, struct diag *diag)
{
	AUTO_BUF struct buf text = { .cap = GRANTS_FILE_MAX };
	int r = file_read(path, &text);

	if (r < 0)
		return fail(diag, path, r);
	/* A link to /dev/null in the place of a shipped file takes its grants away. */
	return text.len == 0 ? 0
			     : grants_read(grants, path, buf_text(&text), text.len, passwd, diag);
}

int grants_load(struct grants *grants, const char *shipped, const char *local, const char *passwd,
		struct diag *diag)
{
	AUTO_FREE struct listing *listing = calloc(1, sizeof(*listing));
	const char *last = NULL;
	int at, r;

	if (!listing)
		return fail(diag, shipped, -ENOMEM);
	r = list_folder(listing, shipped, diag);
	if (r == 0 && local)
		r = list_folder(listing, local, diag);
	while (r == 0 && (at = next(listing, last)) >= 0) {
		char path[1024];

		last = listing->names[at];
		if ((size_t)snprintf(path, sizeof(path), "%s/%s", listing->folders[at], last) >=
		    sizeof(path))
			return fail(diag, last, -ENAMETOOLONG);
		r = read_file(grants, path, passwd, diag);
	}
	return r < 0 ? r : grants_check(grants, diag);
}

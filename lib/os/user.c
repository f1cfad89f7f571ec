/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "user.h"

#include <pwd.h>
#include <stdio.h>
#include <string.h>

#define LINE_MAX_BYTES 1024

const char *user_name(const char *passwd, uint32_t uid, char ret_name[static USER_NAME_MAX])
{
	AUTO_FILE FILE *file = fopen(passwd, "re");
	char line[LINE_MAX_BYTES];
	struct passwd entry, *found;

	while (file && fgetpwent_r(file, &entry, line, sizeof(line), &found) == 0) {
		if (entry.pw_uid != uid)
			continue;
		snprintf(ret_name, USER_NAME_MAX, "%s", entry.pw_name);
		return ret_name;
	}
	return NULL;
}

int user_numbers(const char *passwd, const char *name, uint32_t *ret_uid, uint32_t *ret_gid)
{
	AUTO_FILE FILE *file = fopen(passwd, "re");
	char line[LINE_MAX_BYTES];
	struct passwd entry, *found;
	int r;

	if (!file)
		return neg_errno();
	while ((r = fgetpwent_r(file, &entry, line, sizeof(line), &found)) == 0) {
		if (strcmp(entry.pw_name, name) != 0)
			continue;
		*ret_uid = entry.pw_uid;
		*ret_gid = entry.pw_gid;
		return 0;
	}
	return -r;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "unit.h"

#include <string.h>

#include <base/buf.h>
#include <os/file.h>

#include "attempt.h"
#include "table.h"

#define FILE_BYTES_MAX 65536
#define PATH_BYTES_MAX 512

/* systemd.unit(5), the first that has the file decides; of those for whom the computer is set up.
 */
static const char *const system_places[] = {
    "/etc/systemd/system",     "/run/systemd/system", "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system", "/lib/systemd/system",
};
static const char *const user_places[] = {
    "/etc/systemd/user",     "/run/systemd/user", "/usr/local/lib/systemd/user",
    "/usr/lib/systemd/user", "/lib/systemd/user",
};

/* A well-known name: two or more parts of these characters, none of which is empty. */
static bool is_bus_name(const char *name, size_t length)
{
	bool dot = false, begins = true;

	if (length == 0 || length >= UNIT_BUS_NAME_MAX)
		return false;
	for (size_t i = 0; i < length; i++) {
		char c = name[i];
		bool letter =
		    (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '-';

		if (c == '.' && begins)
			return false;
		if (c != '.' && !letter && !(c >= '0' && c <= '9' && !begins))
			return false;
		dot = dot || c == '.';
		begins = c == '.';
	}
	return dot && !begins;
}

static int take_name(const char *name, size_t length, char ret_name[static UNIT_BUS_NAME_MAX])
{
	if (!is_bus_name(name, length))
		return -ENOENT;
	memcpy(ret_name, name, length);
	ret_name[length] = '\0';
	return 0;
}

int unit_parse_bus_name(const char *text, char ret_name[static UNIT_BUS_NAME_MAX])
{
	static const char section[] = "[Service]", key[] = "BusName";
	const char *found = NULL;
	size_t found_length = 0;
	bool inside = false;

	while (*text) {
		size_t length = strcspn(text, "\n"), at = strspn(text, " \t");

		if (text[0] == '[')
			inside = strncmp(text, section, sizeof(section) - 1) == 0;
		if (inside && strncmp(text + at, key, sizeof(key) - 1) == 0) {
			at += sizeof(key) - 1;
			at += strspn(text + at, " \t");
			if (text[at] == '=') {
				at += 1 + strspn(text + at + 1, " \t");
				found = text + at;
				found_length = strcspn(found, " \t\r\n");
			}
		}
		text += length + (text[length] == '\n');
	}
	return found ? take_name(found, found_length, ret_name) : -ENOENT;
}

/* systemd writes '-' and other characters of a name as \x and two digits. */
static size_t unescape(const char *text, size_t length, char *to)
{
	size_t used = 0;

	for (size_t i = 0; i < length; i++) {
		if (text[i] == '\\' && i + 3 < length && strncmp(text + i, "\\x2d", 4) == 0) {
			to[used++] = '-';
			i += 3;
		} else {
			to[used++] = text[i];
		}
	}
	return used;
}

int unit_name_in_name(const char *unit, char ret_name[static UNIT_BUS_NAME_MAX])
{
	static const char prefix[] = "dbus-", suffix[] = ".service";
	size_t length = strlen(unit), name_length;
	char name[ROW_UNIT_MAX];
	const char *at;

	if (length >= sizeof(name) || length < sizeof(prefix) + sizeof(suffix) ||
	    strncmp(unit, prefix, sizeof(prefix) - 1) != 0 ||
	    strcmp(unit + length - (sizeof(suffix) - 1), suffix) != 0)
		return -ENOENT;
	at = unit + sizeof(prefix) - 1;
	if (*at == ':') { /* of whom the bus was asked, then the name, then a number */
		at += strcspn(at, "-");
		if (*at != '-')
			return -ENOENT;
		at++;
		name_length = strcspn(at, "@");
	} else {
		name_length = (size_t)(unit + length - at) - (sizeof(suffix) - 1);
	}
	name_length = unescape(at, name_length, name);
	return take_name(name, name_length, ret_name);
}

/* "tor@default.service" has the file "tor@.service", unless it has its own. */
static size_t template_of(const char *unit, char *file, size_t size)
{
	const char *at = strchr(unit, '@'), *suffix = strrchr(unit, '.');
	int length;

	if (!at || !suffix || suffix < at)
		return 0;
	length = snprintf(file, size, "%.*s%s", (int)(at - unit) + 1, unit, suffix);
	return length > 0 && (size_t)length < size ? (size_t)length : 0;
}

/* Returns 0; -ENOENT: there is such a file, and it names none; -EAGAIN: there is no such file. */
static int look_in(const char *root, const char *const *places, size_t count, const char *file,
		   char ret_name[static UNIT_BUS_NAME_MAX])
{
	for (size_t i = 0; i < count; i++) {
		AUTO_BUF struct buf text = {.cap = FILE_BYTES_MAX};
		char path[PATH_BYTES_MAX];
		int length = snprintf(path, sizeof(path), "%s%s/%s", root, places[i], file);

		if (length < 0 || (size_t)length >= sizeof(path))
			return -ENOENT;
		if (file_read(path, &text) == 0)
			return unit_parse_bus_name(buf_text(&text), ret_name);
	}
	return -EAGAIN;
}

int unit_bus_name(const char *root, const char *group, char ret_name[static UNIT_BUS_NAME_MAX])
{
	char unit[ROW_UNIT_MAX], template[ROW_UNIT_MAX];
	const char *const *places = system_places;
	size_t count = ARRAY_SIZE(system_places), length;
	int r;

	attempt_unit(group, unit, sizeof(unit));
	length = strlen(unit);
	if (length < sizeof(".service") || strcmp(unit + length - 8, ".service") != 0)
		return -ENOENT;
	if (unit_name_in_name(unit, ret_name) == 0)
		return 0;
	/* What a user's manager runs can have any name, that of a system's service as well. Of a
	 * path that was cut it is not known whose it is. */
	if (group[0] != '/')
		return -ENOENT;
	if (strstr(group, "/user@") || strncmp(group, "/user.slice/", 12) == 0) {
		places = user_places;
		count = ARRAY_SIZE(user_places);
	}
	r = look_in(root, places, count, unit, ret_name);
	if (r == -EAGAIN && template_of(unit, template, sizeof(template)) > 0)
		r = look_in(root, places, count, template, ret_name);
	return r == -EAGAIN ? -ENOENT : r;
}

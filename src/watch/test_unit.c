/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which name on the bus a unit has: from its file, or from its own name; and none that is guessed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "unit.h"

#define SENTINEL "untouched"

static void assert_parsed(const char *text, const char *expected)
{
	char name[UNIT_BUS_NAME_MAX] = SENTINEL;
	int r = unit_parse_bus_name(text, name);

	assert_int_equal(r, expected ? 0 : -ENOENT);
	assert_string_equal(name, expected ? expected : SENTINEL);
}

static void names_in_files(void **state)
{
	assert_parsed("[Unit]\nDescription=x\n[Service]\nType=dbus\nBusName=org.freedesktop.x1\n"
		      "ExecStart=/x\n",
		      "org.freedesktop.x1");
	assert_parsed("[Service]\n  BusName = org.a-b._c \r\n", "org.a-b._c");
	assert_parsed("[Service]\nBusName=org.first.a\nBusName=org.second.b", "org.second.b");
	assert_parsed("[Service]\nBusName=org.first.a\nBusName=\n", NULL); /* taken back */
	assert_parsed("[Unit]\nBusName=org.elsewhere.a\n[Service]\nType=simple\n", NULL);
	assert_parsed("[Service]\n#BusName=org.not.this\n;BusName=org.not.that\n", NULL);
	assert_parsed("[Service]\nBusNames=org.other.key\n", NULL);
	assert_parsed("[Service]\nBusName\n", NULL);
	assert_parsed("", NULL);
}

/* What comes to a terminal and to other programs is a name or nothing. */
static void only_names_of_the_bus(void **state)
{
	static const char *const bad[] = {"x",       ".org.a", "org..a",  "org.a.",     "org.1a",
					  "org/a.b", ":1.2",   "org.a;b", "org.\033[2J"};
	char text[400], letters[UNIT_BUS_NAME_MAX + 1];

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		snprintf(text, sizeof(text), "[Service]\nBusName=%s\n", bad[i]);
		assert_parsed(text, NULL);
	}
	memset(letters, 'a', sizeof(letters));
	letters[1] = '.';
	letters[UNIT_BUS_NAME_MAX - 1] = '\0';
	snprintf(text, sizeof(text), "[Service]\nBusName=%s\n", letters);
	assert_parsed(text, letters);
	letters[UNIT_BUS_NAME_MAX - 1] = 'a';
	letters[UNIT_BUS_NAME_MAX] = '\0';
	snprintf(text, sizeof(text), "[Service]\nBusName=%s\n", letters);
	assert_parsed(text, NULL);
}

static void names_in_names(void **state)
{
	static const struct {
		const char *unit, *name;
	} units[] = {
	    {"dbus-:1.2-org.example.Name@0.service", "org.example.Name"},
	    {"dbus-:1.2-org.example.My\\x2dName@12.service", "org.example.My-Name"},
	    {"dbus-org.freedesktop.login1.service", "org.freedesktop.login1"},
	    {"dbus.service", NULL},
	    {"dbus-broker.service", NULL},
	    {"dbus-:1.2.service", NULL},
	    {"dbus-:1.2-@0.service", NULL},
	    {"dbus-org.example.Name.scope", NULL},
	    {"xdbus-org.example.Name.service", NULL},
	    {"", NULL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		char name[UNIT_BUS_NAME_MAX] = SENTINEL;
		int r = unit_name_in_name(units[i].unit, name);

		assert_int_equal(r, units[i].name ? 0 : -ENOENT);
		assert_string_equal(name, units[i].name ? units[i].name : SENTINEL);
	}
}

/* ---- where the files are ---- */

static void put(const char *root, const char *folder, const char *file, const char *bus_name)
{
	char path[512], *slash = path + strlen(root);
	AUTO_FILE FILE *out = NULL;

	snprintf(path, sizeof(path), "%s%s/", root, folder);
	while ((slash = strchr(slash + 1, '/'))) {
		*slash = '\0';
		mkdir(path, 0755);
		*slash = '/';
	}
	snprintf(path, sizeof(path), "%s%s/%s", root, folder, file);
	out = fopen(path, "we");
	assert_non_null(out);
	fprintf(out, "[Service]\n%s%s\n", bus_name ? "BusName=" : "Type=simple",
		bus_name ? bus_name : "");
}

static void assert_found(const char *root, const char *group, const char *expected)
{
	char name[UNIT_BUS_NAME_MAX] = SENTINEL;
	int r = unit_bus_name(root, group, name);

	assert_int_equal(r, expected ? 0 : -ENOENT);
	assert_string_equal(name, expected ? expected : SENTINEL);
}

static int make_root(void **state)
{
	static char root[] = "/tmp/lethe-unit-XXXXXX";

	*state = mkdtemp(root);
	return *state ? 0 : -1;
}

static int drop_root(void **state)
{
	static const char *const files[] = {
	    "/usr/lib/systemd/system/asked.service",  "/usr/lib/systemd/system/each@.service",
	    "/usr/lib/systemd/system/hidden.service", "/etc/systemd/system/hidden.service",
	    "/usr/lib/systemd/user/asked.service",
	};
	static const char *const folders[] = {
	    "/usr/lib/systemd/system",
	    "/usr/lib/systemd/user",
	    "/usr/lib/systemd",
	    "/usr/lib",
	    "/usr",
	    "/etc/systemd/system",
	    "/etc/systemd",
	    "/etc",
	};
	char path[512];

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		snprintf(path, sizeof(path), "%s%s", (const char *)*state, files[i]);
		unlink(path);
	}
	for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
		snprintf(path, sizeof(path), "%s%s", (const char *)*state, folders[i]);
		rmdir(path);
	}
	return rmdir(*state);
}

static void files_are_found_as_systemd_finds_them(void **state)
{
	const char *root = *state;

	put(root, "/usr/lib/systemd/system", "asked.service", "org.example.Asked");
	put(root, "/usr/lib/systemd/system", "each@.service", "org.example.Each");
	put(root, "/usr/lib/systemd/system", "hidden.service", "org.example.Hidden");
	put(root, "/etc/systemd/system", "hidden.service", NULL);
	put(root, "/usr/lib/systemd/user", "asked.service", "org.example.AskedByUser");
	assert_found(root, "/system.slice/asked.service", "org.example.Asked");
	assert_found(root, "/system.slice/asked.service/inside", "org.example.Asked");
	assert_found(root, "/system.slice/system-each.slice/each@one.service", "org.example.Each");
	assert_found(root, "/system.slice/hidden.service", NULL);
	assert_found(root, "/system.slice/absent.service", NULL);
	assert_found(root, "/system.slice/asked.scope", NULL);
	assert_found(root, "/", NULL);
	assert_found(root, "", NULL);
}

/* A user's manager lets a user name units at will: none of them is taken for the system's. */
static void a_users_unit_is_not_the_systems(void **state)
{
	const char *root = *state;

	assert_found(root, "/user.slice/user-1000.slice/user@1000.service/app.slice/asked.service",
		     "org.example.AskedByUser");
	assert_found(root, "/user.slice/user-1000.slice/user@1000.service/app.slice/hidden.service",
		     NULL);
	assert_found(root, ".../app.slice/asked.service", NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(names_in_files),
	    cmocka_unit_test(only_names_of_the_bus),
	    cmocka_unit_test(names_in_names),
	    cmocka_unit_test(files_are_found_as_systemd_finds_them),
	    cmocka_unit_test(a_users_unit_is_not_the_systems),
	};

	return cmocka_run_group_tests(tests, make_root, drop_root);
}

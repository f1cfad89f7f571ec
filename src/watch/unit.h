/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which name on the message bus a unit of systemd's offers, by the unit's file. */
#pragma once

#include <stdbool.h>

#include <base/cleanup.h>

#define UNIT_BUS_NAME_MAX 256 /* with its NUL; the bus allows 255 (D-Bus specification) */

/*
 * The bus name of the unit whose control group is @group, from where systemd looks for files of
 * units, below the folder @root ("" for the system's own). Drop-ins and units in people's homes are
 * not read. Returns 0, or -ENOENT: it has none, or that could not be learned; @ret_name is
 * untouched then.
 */
MUST_CHECK int unit_bus_name(const char *root, const char *group,
			     char ret_name[static UNIT_BUS_NAME_MAX]);

/* ---- for tests ---- */

/* The last BusName= of the section [Service] in a unit file's text. 0, or -ENOENT: none that could
 * be one. */
MUST_CHECK int unit_parse_bus_name(const char *text, char ret_name[static UNIT_BUS_NAME_MAX]);

/* The name in "dbus-:1.2-org.example.Name@0.service", a unit that the bus itself started, or in
 * "dbus-org.example.Name.service". 0 or -ENOENT. */
MUST_CHECK int unit_name_in_name(const char *unit, char ret_name[static UNIT_BUS_NAME_MAX]);

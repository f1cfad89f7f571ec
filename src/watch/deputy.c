/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "deputy.h"

#include <string.h>

/*
 * systemd names what the bus activates in a session "dbus-:1.2-org.example.Name@0.service", and
 * dbus-daemon without systemd leaves its services in its own group. System services are named in
 * many ways: there the unit's file says which name on the bus is its own (unit.h).
 */
static bool is_bus_unit(const char *unit)
{
	return strncmp(unit, "dbus-:", 6) == 0 || strncmp(unit, "dbus-org.", 9) == 0 ||
	       strcmp(unit, "dbus.service") == 0 || strcmp(unit, "dbus-broker.service") == 0;
}

const char *deputy_of(const struct row *row)
{
	char unit[ROW_UNIT_MAX];

	if ((row->key.flags & WATCH_CREATOR) && row->creator.pid != row->sender.pid &&
	    (row->creator.exe_inode != row->sender.exe_inode ||
	     row->creator.exe_device != row->sender.exe_device))
		return "socket";
	attempt_unit(row->group, unit, sizeof(unit));
	return row->bus_name[0] || is_bus_unit(unit) ? "dbus" : NULL;
}

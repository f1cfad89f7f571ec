/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A row as named values: the one form in which it leaves the daemon, to the bus and to tests. */
#pragma once

#include "table.h"

/* Takes the values one by one. Names are static; texts are borrowed for the call. */
struct describe_to {
	void (*text)(void *data, const char *name, const char *value);
	void (*number)(void *data, const char *name, uint64_t value);
	void (*truth)(void *data, const char *name, bool value);
	void *data;
};

/*
 * All values of @row, whose grant was asked for, in a fixed order; those that are not known are left
 * out. @own_netns tells packets of other network namespaces, @now_ns how long ago something was.
 * docs/watch.md has the list.
 */
void describe_row(const struct row *row, uint32_t own_netns, uint64_t now_ns,
		  const struct describe_to *to);

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The system's own bridges: files of bridge lines, and comments. */
#pragma once

#include <torctl/bridge.h>

/*
 * Add the bridges of one file. Lines that are not understood are passed over and counted: a file may
 * be meant for a later version, too. Returns how many those were; -E2BIG (the file), or -errno.
 */
MUST_CHECK int defaults_read(const char *path, struct torctl_bridges *bridges);

/* The same of all files "*.conf" in a folder, by their names. A folder that is not there has none. */
MUST_CHECK int defaults_read_folder(const char *path, struct torctl_bridges *bridges);

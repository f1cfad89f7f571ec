/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Loading a kernel module from a file. Needs CAP_SYS_MODULE. */
#pragma once

#include <base/cleanup.h>

/* Load it, with @parameters as "name=value name=value". One that is loaded already is a success.
 * Returns 0, -ENODEV (it serves nothing in this machine), -EKEYREJECTED or -EPERM (signature or
 * lockdown), -ENOENT, or -errno. */
MUST_CHECK int module_load(const char *path, const char *parameters);

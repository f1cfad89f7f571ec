/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Kernel settings under /proc/sys. */
#pragma once

#include <stddef.h>

#include <base/cleanup.h>

#define SYSCTL_VALUE_MAX 64

/* @name in path form, as "net/ipv4/ip_forward". Reads the value without its newline into @value.
 * Returns 0, -ENOENT (the kernel has no such setting), -E2BIG, or -errno. */
MUST_CHECK int sysctl_read(const char *name, char value[static SYSCTL_VALUE_MAX]);

/* Write, then read back: some settings take a value without keeping it. Returns 0, -ENOENT, -EPROTO
 * (the kernel kept something else), or -errno. */
MUST_CHECK int sysctl_write(const char *name, const char *value);

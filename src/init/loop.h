/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A file in memory as a block device. */
#pragma once

#include <sys/types.h>

#include <base/cleanup.h>

#define LOOP_PATH_MAX 32

/* Attach @file to a free loop device, read-only; it stays attached. Returns 0 or -errno. */
MUST_CHECK int loop_attach(const char *file, char ret_path[static LOOP_PATH_MAX], dev_t *ret_dev);

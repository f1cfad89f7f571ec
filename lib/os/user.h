/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Names and numbers of users, by a file of theirs alone. */
#pragma once

#include <base/cleanup.h>
#include <stdint.h>

#define USER_NAME_MAX 64 /* with the NUL; what is longer is cut */

/* Write the name of @uid by the file @passwd alone: other sources of names would be asked over sockets
 * (getpwuid(3)). Returns @ret_name; NULL if the file does not know the user or cannot be read. */
const char *user_name(const char *passwd, uint32_t uid, char ret_name[static USER_NAME_MAX]);

/* The numbers of the user @name and of its group, by the file @passwd alone. Returns 0, -ENOENT (the file
 * does not know it), or -errno. */
MUST_CHECK int user_numbers(const char *passwd, const char *name, uint32_t *ret_uid,
			    uint32_t *ret_gid);

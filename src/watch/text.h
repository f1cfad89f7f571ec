/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Names that the kernel's side read: of programs, files and control groups. Pure. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <base/cleanup.h>

#include "record.h"

#define TEXT_MAX (WATCH_TEXT_MAX + 8)

/* What a program may name itself must not steer a terminal or pretend to be other text: all but
 * printable ASCII becomes '?', and the last of the @size bytes NUL. */
void text_clean(char *text, size_t size);
void text_clean_identity(struct watch_identity *identity);

/* The path of an executable and that of a control group, of a record's components: @path_size and
 * then @group_size bytes at @text. @flags: WATCH_PATH_CUT, WATCH_UNIT_CUT; what was cut begins with
 * "...". "" if nothing is known. Returns 0, or -EBADMSG with anything in the two. */
MUST_CHECK int text_read(const char *text, size_t path_size, size_t group_size, uint32_t flags,
			 char ret_path[TEXT_MAX], char ret_group[TEXT_MAX]);

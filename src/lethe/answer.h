/* SPDX-License-Identifier: GPL-3.0-or-later */
/* JSON that a status door or the initramfs wrote, read as if by a stranger. */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include <base/cleanup.h>

/* lib/base/json.h has functions of these names, and the linker would take those. */
#pragma GCC poison json_null json_string

#define ANSWER_DEPTH_MAX 16

struct answer {
	/* 0; -ENOENT (there is no such door or file); -EBADMSG (not one JSON object, or nested
	 * deeper than ANSWER_DEPTH_MAX); or why it could not be read. */
	int error;
	json_t *object; /* if error is 0 */
};

/* Parse @length bytes, unless @error says that there are none. To be released by answer_done(). */
struct answer answer_parse(int error, const char *bytes, size_t length);
void answer_done(struct answer *answer);

/* The member @key if it is of that type, else NULL or false. Borrowed. @object may be NULL. */
const char *answer_text(const json_t *object, const char *key);
const json_t *answer_object(const json_t *object, const char *key);
MUST_CHECK bool answer_flag(const json_t *object, const char *key, bool *ret_flag);
MUST_CHECK bool answer_number(const json_t *object, const char *key, json_int_t max,
			      json_int_t *ret_number);

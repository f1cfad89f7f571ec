/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Writes JSON (RFC 8259) into a buffer. Writing only: what is read, src/lethe reads with jansson. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "buf.h"

#define JSON_DEPTH_MAX 16

/* Zero-initialised but for the buffer: struct json j = { .out = &buf }. */
struct json {
	struct buf *out;
	unsigned depth;
	bool filled[JSON_DEPTH_MAX]; /* does the object or array at this depth need a comma? */
};

/* @key is NULL for an array's element and for the outermost value. Text is escaped; bytes that are
 * not UTF-8 become U+FFFD, so that the output always parses. Errors stay in the buffer. */
void json_object_begin(struct json *json, const char *key);
void json_object_end(struct json *json);
void json_array_begin(struct json *json, const char *key);
void json_array_end(struct json *json);
void json_string(struct json *json, const char *key, const char *text);
void json_number(struct json *json, const char *key, int64_t value);
void json_bool(struct json *json, const char *key, bool value);
void json_null(struct json *json, const char *key);

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "json.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

/* Bytes of the UTF-8 sequence that starts at @text, or 0 if it is not one (RFC 3629). */
static size_t utf8_len(const unsigned char *text)
{
	static const struct {
		unsigned char lo, hi, len, second_lo, second_hi;
	} forms[] = {
		{ 0xc2, 0xdf, 2, 0x80, 0xbf }, { 0xe0, 0xe0, 3, 0xa0, 0xbf },
		{ 0xe1, 0xec, 3, 0x80, 0xbf }, { 0xed, 0xed, 3, 0x80, 0x9f },
		{ 0xee, 0xef, 3, 0x80, 0xbf }, { 0xf0, 0xf0, 4, 0x90, 0xbf },
		{ 0xf1, 0xf3, 4, 0x80, 0xbf }, { 0xf4, 0xf4, 4, 0x80, 0x8f },
	};

	if (text[0] < 0x80)
		return 1;
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		if (text[0] < forms[i].lo || text[0] > forms[i].hi)
			continue;
		if (text[1] < forms[i].second_lo || text[1] > forms[i].second_hi)
			return 0;
		for (size_t j = 2; j < forms[i].len; j++)
			if ((text[j] & 0xc0) != 0x80)
				return 0;
		return forms[i].len;
	}
	return 0;
}

static void json_quoted(struct buf *out, const char *text)
{
	const unsigned char *at = (const unsigned char *)text;

	buf_puts(out, "\"");
	while (*at) {
		size_t len = utf8_len(at);

		if (len == 0) {
			buf_puts(out, "\\ufffd");
			len = 1;
		} else if (*at == '"' || *at == '\\') {
			buf_printf(out, "\\%c", *at);
		} else if (*at < 0x20 || *at == 0x7f) {
			buf_printf(out, "\\u%04x", (unsigned)*at);
		} else {
			buf_add(out, at, len);
		}
		at += len;
	}
	buf_puts(out, "\"");
}

static void json_prefix(struct json *json, const char *key)
{
	if (json->depth > 0) {
		if (json->filled[json->depth - 1])
			buf_puts(json->out, ",");
		json->filled[json->depth - 1] = true;
	}
	if (key) {
		json_quoted(json->out, key);
		buf_puts(json->out, ":");
	}
}

static void json_begin(struct json *json, const char *key, const char *bracket)
{
	json_prefix(json, key);
	assert(json->depth < JSON_DEPTH_MAX);
	json->filled[json->depth++] = false;
	buf_puts(json->out, bracket);
}

static void json_end(struct json *json, const char *bracket)
{
	assert(json->depth > 0);
	json->depth--;
	buf_puts(json->out, bracket);
}

void json_object_begin(struct json *json, const char *key)
{
	json_begin(json, key, "{");
}

void json_object_end(struct json *json)
{
	json_end(json, "}");
}

void json_array_begin(struct json *json, const char *key)
{
	json_begin(json, key, "[");
}

void json_array_end(struct json *json)
{
	json_end(json, "]");
}

void json_string(struct json *json, const char *key, const char *text)
{
	json_prefix(json, key);
	json_quoted(json->out, text);
}

void json_number(struct json *json, const char *key, int64_t value)
{
	json_prefix(json, key);
	buf_printf(json->out, "%" PRId64, value);
}

void json_bool(struct json *json, const char *key, bool value)
{
	json_prefix(json, key);
	buf_puts(json->out, value ? "true" : "false");
}

void json_null(struct json *json, const char *key)
{
	json_prefix(json, key);
	buf_puts(json->out, "null");
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "moat.h"

#include <ctype.h>
#include <string.h>

#include <jansson.h>

#define SETTINGS_MAX 32	 /* of one answer */
#define LINES_MAX    256 /* bridge lines of one of them */

/* ---- where it is ---- */

static bool is_value(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (text[i] < ' ' || text[i] > '~' || strchr("\"\\'`", text[i]))
			return false;
	return length > 0 && length < MOAT_VALUE_MAX;
}

static size_t trimmed(const char *text, size_t length)
{
	while (length > 0 && isspace((unsigned char)text[length - 1]))
		length--;
	return length;
}

static int refuse(struct diag *diag, unsigned line, const char *message)
{
	diag_set(diag, NULL, line, 1, "%s", message);
	return -EINVAL;
}

static int take_place_line(const char *line, size_t length, unsigned number,
			   struct moat_place *place, struct diag *diag)
{
	const struct {
		const char *name;
		char *to;
	} known[] = {{"service", place->service}, {"meek_lite", place->transport}, {"ca", place->ca}};
	size_t name = 0;

	length = trimmed(line, length);
	if (length == 0 || line[0] == '#')
		return 0;
	while (name < length && line[name] != ' ')
		name++;
	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		if (strlen(known[i].name) != name || memcmp(known[i].name, line, name) != 0)
			continue;
		if (known[i].to[0])
			return refuse(diag, number, "this is said twice");
		if (name + 1 >= length || !is_value(line + name + 1, length - name - 1))
			return refuse(diag, number, "the value is missing, or cannot be one");
		memcpy(known[i].to, line + name + 1, length - name - 1);
		return 0;
	}
	return refuse(diag, number, "this name is not known: service, meek_lite or ca");
}

int moat_place_read(const char *text, size_t length, struct moat_place *ret_place, struct diag *diag)
{
	struct moat_place place = {0};
	const char *end = text + length;

	for (unsigned number = 1; text < end; number++) {
		const char *stop = memchr(text, '\n', (size_t)(end - text)) ?: end;
		int r = take_place_line(text, (size_t)(stop - text), number, &place, diag);

		if (r < 0)
			return r;
		text = stop < end ? stop + 1 : end;
	}
	if (!place.service[0] || !place.transport[0])
		return -ENOENT;
	/* What is asked for and answered is for nobody on the way. */
	if (strncmp(place.service, "https://", strlen("https://")) != 0)
		return refuse(diag, 0, "the service must be https://");
	*ret_place = place;
	return 0;
}

/* ---- what is answered ---- */

static void json_freep(json_t **value)
{
	json_decref(*value);
}

static void take_lines(const json_t *lines, struct moat_answer *answer)
{
	for (size_t i = 0; i < json_array_size(lines) && i < LINES_MAX; i++) {
		const json_t *line = json_array_get(lines, i);
		struct torctl_bridge bridge;
		int r = -EINVAL;

		if (json_is_string(line))
			r = torctl_bridge_parse(json_string_value(line), json_string_length(line),
						&bridge, NULL);
		if (r == 0)
			r = torctl_bridges_add(&answer->bridges, &bridge);
		if (r == -ENOSPC)
			return;
	}
}

/* {"bridges": {"type": "obfs4", "source": "bridgedb", "bridge_strings": [...]}} */
static void take_setting(const json_t *setting, struct moat_answer *answer)
{
	const json_t *bridges = json_object_get(setting, "bridges");
	const char *type = json_string_value(json_object_get(bridges, "type"));
	const char *source = json_string_value(json_object_get(bridges, "source")) ?: "";
	const json_t *lines = json_object_get(bridges, "bridge_strings");
	enum torctl_transport transport;

	if (!type || torctl_transport_parse(type, strlen(type), &transport) < 0)
		return;
	if (json_array_size(lines) > 0)
		take_lines(lines, answer);
	else if (strcmp(source, "builtin") == 0)
		answer->builtin |= 1u << transport;
}

/* {"errors": [{"code": 404, ...}]}: that it has nothing for this country. */
static bool says_nothing(const json_t *object)
{
	const json_t *first = json_array_get(json_object_get(object, "errors"), 0);

	return json_integer_value(json_object_get(first, "code")) == 404;
}

int moat_answer_read(const char *text, size_t length, struct moat_answer *ret_answer)
{
	json_error_t error;
	CLEANUP(json_freep) json_t *object = length > MOAT_ANSWER_MAX
						 ? NULL
						 : json_loadb(text, length, 0, &error);
	const json_t *settings = json_object_get(object, "settings");

	if (!json_is_object(object))
		return -EBADMSG;
	memset(ret_answer, 0, sizeof(*ret_answer));
	if (json_is_array(settings)) {
		for (size_t i = 0; i < json_array_size(settings) && i < SETTINGS_MAX; i++)
			take_setting(json_array_get(settings, i), ret_answer);
	} else if (!json_is_null(settings) && !says_nothing(object)) {
		return -EBADMSG;
	}
	ret_answer->none = ret_answer->bridges.count == 0 && ret_answer->builtin == 0;
	return 0;
}

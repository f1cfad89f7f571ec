/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "answer.h"

/* The library recurses; so what it gets is measured before. Broken text may be measured wrongly,
 * but never as less deep than the library takes it: brackets outside of strings are all counted. */
static bool too_deep(const char *bytes, size_t length)
{
	bool in_string = false;
	size_t depth = 0;

	for (size_t i = 0; i < length; i++) {
		if (in_string && bytes[i] == '\\')
			i++;
		else if (bytes[i] == '"')
			in_string = !in_string;
		else if (!in_string && (bytes[i] == '{' || bytes[i] == '['))
			depth++;
		else if (!in_string && (bytes[i] == '}' || bytes[i] == ']') && depth > 0)
			depth--;
		if (depth > ANSWER_DEPTH_MAX)
			return true;
	}
	return false;
}

struct answer answer_parse(int error, const char *bytes, size_t length)
{
	struct answer answer = {.error = error};
	json_t *value;

	if (error)
		return answer;
	answer.error = -EBADMSG;
	if (too_deep(bytes, length))
		return answer;
	value = json_loadb(bytes, length, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(value)) {
		json_decref(value);
		return answer;
	}
	return (struct answer){.object = value};
}

void answer_done(struct answer *answer)
{
	json_decref(answer->object);
	*answer = (struct answer){.error = -ENOENT};
}

const char *answer_text(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

const json_t *answer_object(const json_t *object, const char *key)
{
	const json_t *member = json_object_get(object, key);

	return json_is_object(member) ? member : NULL;
}

bool answer_flag(const json_t *object, const char *key, bool *ret_flag)
{
	const json_t *member = json_object_get(object, key);

	if (!json_is_boolean(member))
		return false;
	*ret_flag = json_is_true(member);
	return true;
}

bool answer_number(const json_t *object, const char *key, json_int_t max, json_int_t *ret_number)
{
	const json_t *member = json_object_get(object, key);
	json_int_t value = json_integer_value(member);

	if (!json_is_integer(member) || value < 0 || value > max)
		return false;
	*ret_number = value;
	return true;
}

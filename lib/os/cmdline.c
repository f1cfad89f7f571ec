/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cmdline.h"

#include <string.h>

static bool blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\v' || c == '\f';
}

static void put(char *text, size_t *len, char c, bool *cut)
{
	if (*len + 1 >= CMDLINE_WORD_MAX)
		*cut = true;
	else
		text[(*len)++] = c;
}

bool cmdline_next(const char **at, struct cmdline_word *ret_word)
{
	struct cmdline_word word = {0};
	size_t name_len = 0, value_len = 0;
	const char *c = *at;
	bool inside = false;

	while (blank(*c))
		c++;
	if (!*c) {
		*at = c;
		return false;
	}
	for (; *c && (inside || !blank(*c)); c++) {
		if (*c == '"') {
			inside = !inside;
			word.quoted = true;
		}
		if (word.has_value)
			put(word.value, &value_len, *c, &word.cut);
		else if (*c == '=')
			word.has_value = true;
		else
			put(word.name, &name_len, *c, &word.cut);
	}
	*at = c;
	*ret_word = word;
	return true;
}

int cmdline_find(const char *text, const char *name, char ret_value[static CMDLINE_WORD_MAX])
{
	struct cmdline_word word, found;
	bool any = false;

	while (cmdline_next(&text, &word)) {
		if (strcmp(word.name, name) != 0)
			continue;
		if (any)
			return -EEXIST;
		any = true;
		found = word;
	}
	if (!any)
		return -ENOENT;
	if (!found.has_value || found.quoted || found.cut)
		return -EINVAL;
	memcpy(ret_value, found.value, sizeof(found.value));
	return 0;
}

/* Is @text the module's name and a dot? Then how many bytes that is, else 0. */
static size_t module_prefix(const char *text, const char *name)
{
	size_t i;

	for (i = 0; name[i]; i++) {
		char a = text[i] == '-' ? '_' : text[i];
		char b = name[i] == '-' ? '_' : name[i];

		if (a != b)
			return 0;
	}
	return text[i] == '.' && text[i + 1] ? i + 1 : 0;
}

void cmdline_module_parameters(const char *text, const char *name, struct buf *out)
{
	struct cmdline_word word;
	size_t prefix;

	while (cmdline_next(&text, &word)) {
		prefix = module_prefix(word.name, name);
		if (prefix == 0 || word.cut)
			continue;
		buf_printf(out, "%s%s%s%s", out->len ? " " : "", word.name + prefix,
			   word.has_value ? "=" : "", word.value);
	}
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "list.h"

#include <assert.h>
#include <fnmatch.h>
#include <stdint.h>
#include <string.h>

/* Where the parser is. */
struct reader {
	struct list *list;
	struct diag *diag;
	unsigned line;
};

static int bad(const struct reader *reader, const char *what)
{
	diag_set(reader->diag, "modules.list", reader->line, 1, "%s", what);
	diag_hint(reader->diag,
		  "The start files of this medium are damaged or badly made; write the "
		  "medium anew.");
	return -EBADMSG;
}

struct list *list_free(struct list *list)
{
	if (list) {
		free(list->modules);
		free(list->deps);
		free(list->aliases);
		free(list->text);
		free(list);
	}
	return NULL;
}

/* The text up to the next @end, which becomes a NUL; *@at moves behind it, to NULL at the last. */
static char *cut(char **at, char end)
{
	char *word = *at, *stop = strchr(word, end);

	if (stop)
		*stop = '\0';
	*at = stop ? stop + 1 : NULL;
	return word;
}

static bool name_is_good(const char *name)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789_-.";
	size_t len = strlen(name);

	return len > 3 && len < LIST_NAME_MAX && strspn(name, letters) == len && name[0] != '.' &&
	       strcmp(name + len - 3, ".ko") == 0;
}

void list_normalise(char *alias)
{
	bool inside = false;

	for (; *alias; alias++) {
		inside = *alias == '[' || (inside && *alias != ']');
		if (*alias == '-' && !inside)
			*alias = '_';
	}
}

static size_t find_module(const struct list *list, const char *file)
{
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->modules[i].file, file) == 0)
			return i;
	return SIZE_MAX;
}

static int read_deps(const struct reader *reader, struct list_module *module, char *field)
{
	struct list *list = reader->list;
	size_t index;

	module->deps = list->dep_count;
	if (strcmp(field, "-") == 0)
		return 0;
	while (field) {
		index = find_module(list, cut(&field, ','));
		if (index == SIZE_MAX)
			return bad(reader, "a dependency is on no earlier line");
		if (list->dep_count == LIST_DEPS_MAX)
			return bad(reader, "too many dependencies");
		list->deps[list->dep_count++] = index;
		module->dep_count++;
	}
	return 0;
}

static int read_aliases(const struct reader *reader, struct list_module *module, char *field)
{
	struct list *list = reader->list;

	module->aliases = list->alias_count;
	while (field) {
		char *alias = cut(&field, '\t');

		if (!alias[0])
			return bad(reader, "an empty alias");
		if (list->alias_count == LIST_ALIASES_MAX)
			return bad(reader, "too many aliases");
		list_normalise(alias);
		list->aliases[list->alias_count++] = alias;
		module->alias_count++;
	}
	if (module->when == LIST_ALIAS && module->alias_count == 0)
		return bad(reader, "nothing would ever load this module: it has no alias");
	return 0;
}

static int read_when(const struct reader *reader, const char *field, enum list_when *ret_when)
{
	static const char *const names[] = {
	    [LIST_ALWAYS] = "always", [LIST_DEP] = "dep", [LIST_ALIAS] = "alias"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (strcmp(field, names[i]) == 0) {
			*ret_when = (enum list_when)i;
			return 0;
		}
	}
	return bad(reader, "the second field is none of always, dep and alias");
}

static int read_line(const struct reader *reader, char *line)
{
	struct list *list = reader->list;
	struct list_module module = {0};
	char *file = cut(&line, '\t'), *when = line ? cut(&line, '\t') : NULL;
	char *deps = line ? cut(&line, '\t') : NULL;
	int r;

	if (!deps)
		return bad(reader, "fewer than three fields");
	if (!name_is_good(file))
		return bad(reader, "the first field is not the file name of a module");
	if (find_module(list, file) != SIZE_MAX)
		return bad(reader, "this module is listed twice");
	if (list->count == LIST_MODULES_MAX)
		return bad(reader, "too many modules");
	memcpy(module.file, file, strlen(file) + 1);
	r = read_when(reader, when, &module.when);
	if (r == 0)
		r = read_deps(reader, &module, deps);
	if (r == 0)
		r = read_aliases(reader, &module, line);
	if (r == 0)
		list->modules[list->count++] = module;
	return r;
}

static size_t count_of(const char *text, const char *characters)
{
	size_t count = 0;

	for (; *text; text++)
		count += strchr(characters, *text) != NULL;
	return count;
}

static size_t at_most(size_t count, size_t limit)
{
	return count < limit ? count : limit;
}

/* As large as the text can ever need, so that nothing grows while it is read. */
static int list_alloc(const char *text, size_t len, struct list **ret_list)
{
	CLEANUP(list_freep) struct list *list = calloc(1, sizeof(*list));

	if (!list)
		return -ENOMEM;
	list->text = malloc(len + 1);
	if (!list->text)
		return -ENOMEM;
	memcpy(list->text, text, len);
	list->text[len] = '\0';
	list->modules = calloc(at_most(count_of(list->text, "\n") + 1, LIST_MODULES_MAX),
			       sizeof(*list->modules));
	list->deps =
	    calloc(at_most(count_of(list->text, "\t,") + 1, LIST_DEPS_MAX), sizeof(*list->deps));
	list->aliases = calloc(at_most(count_of(list->text, "\t") + 1, LIST_ALIASES_MAX),
			       sizeof(*list->aliases));
	if (!list->modules || !list->deps || !list->aliases)
		return -ENOMEM;
	*ret_list = TAKE_PTR(list);
	return 0;
}

int list_parse(const char *text, size_t len, struct diag *diag, struct list **ret_list)
{
	CLEANUP(list_freep) struct list *list = NULL;
	struct reader reader = {.diag = diag};
	char *at;
	int r;

	if (len == 0 || len > LIST_FILE_MAX)
		return bad(&reader, "the list is empty or too long");
	if (memchr(text, '\0', len))
		return bad(&reader, "the list holds a byte 0");
	if (text[len - 1] != '\n')
		return bad(&reader, "the list does not end with a whole line");
	r = list_alloc(text, len - 1, &list);
	if (r < 0)
		return r;
	reader.list = list;
	at = list->text;
	while (at) {
		reader.line++;
		r = read_line(&reader, cut(&at, '\n'));
		if (r < 0)
			return r;
	}
	*ret_list = TAKE_PTR(list);
	return 0;
}

bool list_matches(const struct list *list, const struct list_module *module, const char *modalias)
{
	for (size_t i = 0; i < module->alias_count; i++) {
		const char *alias = list->aliases[module->aliases + i];

		/* Nearly all differ before their first wildcard; fnmatch() is slow. */
		if (strncmp(alias, modalias, strcspn(alias, "*?[\\")) == 0 &&
		    fnmatch(alias, modalias, 0) == 0)
			return true;
	}
	return false;
}

void list_want(const struct list *list, size_t index, bool *wanted)
{
	assert(index < list->count);
	wanted[index] = true;
	/* Dependencies are on earlier lines: one pass upwards finds those of dependencies too. */
	for (size_t i = index + 1; i-- > 0;) {
		const struct list_module *module = &list->modules[i];

		for (size_t j = 0; wanted[i] && j < module->dep_count; j++)
			wanted[list->deps[module->deps + j]] = true;
	}
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The initramfs's list of kernel modules. Pure.
 *
 * A line is FILE, WHEN, DEPENDENCIES and any number of aliases, parted by one tab each. WHEN is
 * `always`, `dep` or `alias`. DEPENDENCIES are FILEs of earlier lines, parted by commas, or `-`; so
 * the order of the lines is one in which all can be loaded, and there are no circles.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <base/cleanup.h>
#include <base/diag.h>

#define LIST_FILE_MAX    (1u << 20) /* bytes of the list */
#define LIST_NAME_MAX    64         /* bytes of a FILE, with the NUL */
#define LIST_MODULES_MAX 1024
#define LIST_DEPS_MAX    16384 /* over all lines */
#define LIST_ALIASES_MAX 32768

enum list_when { LIST_ALWAYS, LIST_DEP, LIST_ALIAS };

struct list_module {
	char file[LIST_NAME_MAX];
	enum list_when when;
	size_t deps, dep_count;      /* in list->deps */
	size_t aliases, alias_count; /* in list->aliases */
};

struct list {
	struct list_module *modules;
	size_t count;
	size_t *deps; /* indices of modules, all of earlier ones */
	size_t dep_count;
	char **aliases; /* fnmatch(3) patterns */
	size_t alias_count;
	char *text; /* what the aliases point into */
};

/* Read a list. Returns 0, -EBADMSG with line and reason in @diag, or -ENOMEM. list_free() frees. */
MUST_CHECK int list_parse(const char *text, size_t len, struct diag *diag, struct list **ret_list);

/* Returns NULL. @list may be NULL. */
struct list *list_free(struct list *list);
DEFINE_CLEANUP(struct list *, list_free)

/* Make '-' to '_', as depmod(8) does with aliases, but not inside brackets. */
void list_normalise(char *alias);

/* Does the modalias, normalised, match one of the module's aliases? */
bool list_matches(const struct list *list, const struct list_module *module, const char *modalias);

/* Mark in @wanted, of list->count, all that the module @index needs, and itself. */
void list_want(const struct list *list, size_t index, bool *wanted);

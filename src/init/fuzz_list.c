/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Any bytes as a list of modules. What is taken is in an order in which it can be loaded, within
 * its limits, and names no file outside its folder; what is refused is refused with a message.
 */
#include "list.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <base/fuzz.h>

static void require(bool condition)
{
	if (!condition)
		abort();
}

static void check_module(const struct list *list, size_t index)
{
	const struct list_module *module = &list->modules[index];

	require(!strchr(module->file, '/') && module->file[0] != '.');
	require(module->deps + module->dep_count <= list->dep_count);
	require(module->aliases + module->alias_count <= list->alias_count);
	for (size_t i = 0; i < module->dep_count; i++)
		require(list->deps[module->deps + i] < index);
	for (size_t i = 0; i < module->alias_count; i++)
		require(list->aliases[module->aliases + i][0] != '\0');
	(void)list_matches(list, module, "pci:v00008086d00002922sv00001AF4sd00001100bc01sc06i01");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(list_freep) struct list *list = NULL;
	bool wanted[LIST_MODULES_MAX] = {false};
	struct diag diag = {0};
	int r = list_parse((const char *)data, size, &diag, &list);

	if (r < 0) {
		require(r == -EBADMSG && !list && diag.message[0] && diag.hint[0]);
		return 0;
	}
	require(list->count > 0 && list->count <= LIST_MODULES_MAX);
	for (size_t i = 0; i < list->count; i++)
		check_module(list, i);
	list_want(list, list->count - 1, wanted);
	require(wanted[list->count - 1]);
	return 0;
}

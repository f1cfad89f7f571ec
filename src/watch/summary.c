/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "summary.h"

static bool is_same(const struct row *a, const struct row *b)
{
	return a->key.kind == b->key.kind && a->key.exe_inode == b->key.exe_inode &&
	       a->key.exe_device == b->key.exe_device && a->key.uid == b->key.uid;
}

int summary_make(const struct table *table, struct summary **ret_list, size_t *ret_count)
{
	size_t room = table_count(table), count = 0;
	struct summary *list = calloc(room ? room : 1, sizeof(*list));

	if (!list)
		return -ENOMEM;
	for (const struct row *row = table_next(table, NULL); row; row = table_next(table, row)) {
		size_t i = 0;

		while (i < count && !is_same(list[i].row, row))
			i++;
		if (i == count)
			list[count++].row = row;
		list[i].attempts += row->attempts;
		list[i].repeats += row->repeats;
		list[i].rows++;
	}
	*ret_list = list;
	*ret_count = count;
	return 0;
}

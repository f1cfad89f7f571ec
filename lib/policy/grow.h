/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Arrays that grow by one. */
#pragma once

#include <stddef.h>

#include <base/cleanup.h>

/*
 * Make room behind @count entries of @size bytes for one more. The room is always the next power
 * of two, so it needs no field of its own: an array may only be grown here. Returns the array,
 * perhaps moved, or NULL when memory is short (the old one is then still good).
 */
static inline void *grow(void *array, size_t count, size_t size)
{
	if (count & (count - 1))
		return array;
	return reallocarray(array, count ? count * 2 : 1, size);
}

/* Append *@item to @array, whose length is @count. 0 or -ENOMEM. */
#define APPEND(array, count, item)                                                                 \
	({                                                                                         \
		__typeof__(array) append_ = grow((array), (count), sizeof(*(array)));              \
		int append_r_ = append_ ? 0 : -ENOMEM;                                             \
		if (append_) {                                                                     \
			(array) = append_;                                                         \
			(array)[(count)++] = *(item);                                              \
		}                                                                                  \
		append_r_;                                                                         \
	})

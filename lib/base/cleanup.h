/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Release by scope: a resource is freed when its variable goes out of scope, so that no error path
 * can forget it. Undoing what was done to the *world* (kernel state, links) is something else and
 * is always written out as an explicit step.
 */
#pragma once

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Every function that can fail is marked, so that no caller can overlook the failure. */
#define MUST_CHECK		__attribute__((__warn_unused_result__))
#define PRINTF(fmt, first)	__attribute__((__format__(__printf__, fmt, first)))
#define CLEANUP(fn)		__attribute__((__cleanup__(fn)))

/* For a type with `T *x_free(T *)` returning NULL: defines x_freep() for CLEANUP(x_freep). */
/* NOLINTBEGIN(bugprone-macro-parentheses): a type cannot stand in parentheses here */
#define DEFINE_CLEANUP(type, fn)                                                                   \
	static inline void fn##p(type *object)                                                     \
	{                                                                                          \
		*object = fn(*object);                                                             \
	}
/* NOLINTEND(bugprone-macro-parentheses) */

/* Move a value out of a variable that would otherwise release it at the end of its scope. */
#define TAKE(variable, empty)                                                                      \
	({                                                                                         \
		__typeof__(variable) *take_from_ = &(variable);                                    \
		__typeof__(variable) take_value_ = *take_from_;                                    \
		*take_from_ = (empty);                                                             \
		take_value_;                                                                       \
	})
#define TAKE_PTR(variable) TAKE(variable, NULL)
#define TAKE_FD(variable)  TAKE(variable, -EBADF)

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/* The last error as a negative number; never 0, so that a failure cannot be read as success. */
static inline int neg_errno(void)
{
	return errno > 0 ? -errno : -EIO;
}

static inline void freep(void *pointer)
{
	free(*(void **)pointer);
}

static inline void closep(const int *fd)
{
	if (*fd >= 0) {
		int saved = errno;

		close(*fd);
		errno = saved;
	}
}

static inline void fclosep(FILE **file)
{
	if (*file)
		fclose(*file);
}

static inline void closedirp(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

#define AUTO_FREE  CLEANUP(freep)
#define AUTO_CLOSE CLEANUP(closep)
#define AUTO_FILE  CLEANUP(fclosep)
#define AUTO_DIR   CLEANUP(closedirp)

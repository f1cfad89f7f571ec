/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A program that may be started in the namespace `clearnet`, as its file in CLEARNET_PROGRAMS says:
 *
 *	# what follows a '#' at a line's start is for people
 *	title = A browser for logging in to a network
 *	program = /usr/bin/name
 *	argument = --one-word-a-line
 *
 * `program` must be there, once; `argument` as often as wanted. Pure, but for program_load().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <base/buf.h>
#include <base/cleanup.h>
#include <base/diag.h>

#define PROGRAM_NAME_MAX      28 /* bytes with the NUL, as in the file's name before ".conf" */
#define PROGRAM_TEXT_MAX      256
#define PROGRAM_ARGUMENTS_MAX 32
#define PROGRAM_FILE_MAX      16384

struct program {
	char title[PROGRAM_TEXT_MAX]; /* "" if it has none */
	char path[PROGRAM_TEXT_MAX];
	char arguments[PROGRAM_ARGUMENTS_MAX][PROGRAM_TEXT_MAX]; /* without the program itself */
	size_t argument_count;
};

/* Small letters, digits and '-', a letter first: nothing that could be a path. */
bool program_name_is_valid(const char *name);

/* @text, of @len bytes, is the content of @file, which is only named in @diag. Returns 0 or
 * -EINVAL, with the reason in @diag. */
MUST_CHECK int program_parse(const char *file, const char *text, size_t len,
			     struct program *ret_program, struct diag *diag);

/* Read NAME.conf in @folder. Returns 0, -ENOENT (no such name is allowed), -EINVAL (the file is
 * wrong), or -errno, with the reason in @diag. */
MUST_CHECK int program_load(const char *folder, const char *name, struct program *ret_program,
			    struct diag *diag);

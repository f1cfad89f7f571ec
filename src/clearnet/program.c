/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "program.h"

#include <string.h>

#include <os/file.h>

#define PATH_BYTES 512

bool program_name_is_valid(const char *name)
{
	size_t len = strlen(name);

	if (len == 0 || len >= PROGRAM_NAME_MAX || name[0] < 'a' || name[0] > 'z')
		return false;
	return strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == len;
}

struct reader {
	const char *file;
	unsigned line;
	struct program *program;
	struct diag *diag;
	bool has_title, has_path;
};

static int wrong(const struct reader *reader, const char *message)
{
	diag_set(reader->diag, reader->file, reader->line, 1, "%s", message);
	return -EINVAL;
}

static int once(const struct reader *reader, bool *has)
{
	if (*has)
		return wrong(reader, "this is said already");
	*has = true;
	return 0;
}

static int take_title(struct reader *reader, const char *value)
{
	int r = once(reader, &reader->has_title);

	if (r == 0)
		snprintf(reader->program->title, PROGRAM_TEXT_MAX, "%s", value);
	return r;
}

/* From the verified image, and exactly this file. */
static bool path_is_plain(const char *path)
{
	return strncmp(path, "/usr/", 5) == 0 && path[5] && !strstr(path, "//") &&
	       !strstr(path, "/./") && !strstr(path, "/../") && path[strlen(path) - 1] != '/' &&
	       path[strlen(path) - 1] != '.';
}

static int take_path(struct reader *reader, const char *value)
{
	int r = once(reader, &reader->has_path);

	if (r == 0 && !path_is_plain(value))
		r = wrong(reader, "a program is a plain path below /usr");
	if (r == 0)
		snprintf(reader->program->path, PROGRAM_TEXT_MAX, "%s", value);
	return r;
}

static int take_argument(struct reader *reader, const char *value)
{
	struct program *program = reader->program;

	if (program->argument_count == PROGRAM_ARGUMENTS_MAX)
		return wrong(reader, "too many arguments");
	snprintf(program->arguments[program->argument_count++], PROGRAM_TEXT_MAX, "%s", value);
	return 0;
}

static int take_line(struct reader *reader, char *line)
{
	static const struct {
		const char *key;
		int (*take)(struct reader *reader, const char *value);
	} keys[] = {{"title", take_title}, {"program", take_path}, {"argument", take_argument}};
	char *mark = strstr(line, " = ");

	if (line[0] == '\0' || line[0] == '#')
		return 0;
	for (const char *c = line; *c; c++)
		if (*c < ' ' || *c > '~')
			return wrong(reader, "only printable ASCII is allowed here");
	if (!mark || mark[3] == '\0')
		return wrong(reader, "a line is 'KEY = VALUE'");
	if (strlen(mark + 3) >= PROGRAM_TEXT_MAX)
		return wrong(reader, "this value is too long");
	*mark = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (strcmp(line, keys[i].key) == 0)
			return keys[i].take(reader, mark + 3);
	return wrong(reader, "keys are title, program and argument");
}

int program_parse(const char *file, const char *text, size_t len, struct program *ret_program,
		  struct diag *diag)
{
	AUTO_FREE char *copy = NULL;
	struct program program = {0};
	struct reader reader = {.file = file, .program = &program, .diag = diag};
	char *line, *next;
	int r;

	if (len > PROGRAM_FILE_MAX)
		return wrong(&reader, "the file is too long");
	if (len > 0 && memchr(text, '\0', len))
		return wrong(&reader, "the file holds a NUL");
	copy = malloc(len + 1);
	if (!copy)
		return -ENOMEM;
	if (len > 0)
		memcpy(copy, text, len);
	copy[len] = '\0';
	for (line = copy; line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		reader.line++;
		r = take_line(&reader, line);
		if (r < 0)
			return r;
	}
	if (!reader.has_path)
		return wrong(&reader, "program must be said");
	*ret_program = program;
	return 0;
}

int program_load(const char *folder, const char *name, struct program *ret_program,
		 struct diag *diag)
{
	AUTO_BUF struct buf text = {.cap = PROGRAM_FILE_MAX};
	char path[PATH_BYTES];
	int r;

	if (!program_name_is_valid(name)) {
		diag_set(diag, "", 0, 0, "no program can have this name");
		return -ENOENT;
	}
	if (snprintf(path, sizeof(path), "%s/%s.conf", folder, name) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	r = file_read(path, &text);
	if (r < 0) {
		diag_set(diag, path, 0, 0, "%s", strerror(-r));
		return r == -E2BIG ? -EINVAL : r;
	}
	return program_parse(path, buf_text(&text), text.len, ret_program, diag);
}

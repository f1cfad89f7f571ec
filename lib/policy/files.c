/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Finds and reads the files of a policy. Each is judged before a byte of it is read: what is no
 * regular file could block for ever, what is too large is refused at once, what anybody may write
 * is nobody's policy.
 */
#include "policy.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "grow.h"
#include "parse.h"
#include "resolve.h"

/* O_NONBLOCK: opening a FIFO must not wait for its other end. */
#define OPEN_FLAGS (O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)

struct directory_id {
	dev_t device;
	ino_t inode;
	struct policy_place place;
};

struct loader {
	struct policy *policy;
	struct diag *diag;
	struct ast ast;
	char **texts; /* of the files; the tree points into them */
	size_t text_count;
	size_t total; /* bytes */
	struct directory_id *directories;
	size_t directory_count;
	bool memory; /* the policy is no file: there is nothing beside it to include */
};

static void loader_done(struct loader *loader)
{
	ast_done(&loader->ast);
	for (size_t i = 0; i < loader->text_count; i++)
		free(loader->texts[i]);
	free(loader->texts);
	free(loader->directories);
}

static int file_error(const struct loader *loader, const char *file, int error, const char *what)
{
	diag_set(loader->diag, file, 0, 0, "%s: %s", what, strerror(-error));
	return error;
}

/* Remember a file's name for places. The copy at *ret_name lives as long as the policy. */
static int add_name(struct loader *loader, const char *name, const char **ret_name)
{
	char *copy = strdup(name);
	int r;

	if (!copy)
		return -ENOMEM;
	r = APPEND(loader->policy->files, loader->policy->file_count, &copy);
	if (r < 0)
		free(copy);
	else
		*ret_name = copy;
	return r;
}

static int check_status(struct loader *loader, const char *file, const struct stat *status)
{
	if (!S_ISREG(status->st_mode)) {
		diag_set(loader->diag, file, 0, 0, "this is no regular file");
		return -EBADMSG;
	}
	if (status->st_mode & S_IWOTH) {
		diag_set(loader->diag, file, 0, 0, "everybody may write this file");
		diag_hint(loader->diag, "chmod o-w, and read what stands in it");
		return -EBADMSG;
	}
	if (status->st_size > POLICY_FILE_MAX) {
		diag_set(loader->diag, file, 0, 0, "this file has %lld bytes, more than %u",
			 (long long)status->st_size, POLICY_FILE_MAX);
		return -EBADMSG;
	}
	if ((size_t)status->st_size > POLICY_TOTAL_MAX - loader->total) {
		diag_set(loader->diag, file, 0, 0,
			 "the files of the policy have more than %u bytes together",
			 POLICY_TOTAL_MAX);
		return -EBADMSG;
	}
	return 0;
}

static int changed(const struct loader *loader, const char *file)
{
	diag_set(loader->diag, file, 0, 0, "the file changed while it was read");
	diag_hint(loader->diag, "write policies to a new file and rename it");
	return -EBADMSG;
}

/* Read all of @fd, whose size is @size. The text belongs to the loader. */
static int read_text(struct loader *loader, const char *file, int fd, size_t size,
		     const char **ret_text)
{
	AUTO_FREE char *text = malloc(size + 1);
	size_t len = 0;
	int r;

	if (!text)
		return -ENOMEM;
	while (len <= size) {
		/* One byte more than there should be, to see the end. */
		ssize_t n = read(fd, text + len, size + 1 - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return file_error(loader, file, neg_errno(), "cannot read");
		if (n == 0)
			break;
		len += (size_t)n;
	}
	if (len != size)
		return changed(loader, file);
	r = APPEND(loader->texts, loader->text_count, &text);
	if (r < 0)
		return r;
	loader->total += size;
	*ret_text = text;
	text = NULL;
	return 0;
}

/* openat2(2) has no wrapper in every C library that Lethe is built with. Where it is not to be had (a
 * sandbox cannot look at what it is asked for) the plain call does as well: the name is one that was
 * read from the directory, so it has no more than one part. */
static int open_beneath(int directory, const char *name)
{
	struct open_how how = {
	    .flags = OPEN_FLAGS,
	    .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	long fd = syscall(SYS_openat2, directory, name, &how, sizeof(how));

	if (fd < 0 && errno == ENOSYS && !strchr(name, '/'))
		fd = openat(directory, name, OPEN_FLAGS | O_NOFOLLOW);
	return fd < 0 ? neg_errno() : (int)fd;
}

/* @directory is AT_FDCWD for the main file, which the administrator names by any path; what lies
 * in a drop-in directory is opened beneath it, through no link. */
static int read_file(struct loader *loader, int directory, const char *name, const char *file,
		     const char **ret_text, size_t *ret_len)
{
	bool beneath = directory != AT_FDCWD;
	AUTO_CLOSE int fd = -EBADF;
	struct stat status;
	int r;

	/* Merely opening a device can do something; so look first, and again once it is open. */
	if (fstatat(directory, name, &status, beneath ? AT_SYMLINK_NOFOLLOW : 0) < 0)
		return file_error(loader, file, neg_errno(), "cannot open");
	if (S_ISLNK(status.st_mode)) {
		diag_set(loader->diag, file, 0, 0, "a symbolic link; links are not followed here");
		diag_hint(loader->diag, "put the file itself in the directory");
		return -ELOOP;
	}
	r = check_status(loader, file, &status);
	if (r < 0)
		return r;
	fd = beneath ? open_beneath(directory, name) : open(name, OPEN_FLAGS);
	if (fd < 0)
		return file_error(loader, file, beneath ? fd : neg_errno(), "cannot open");
	if (fstat(fd, &status) < 0)
		return file_error(loader, file, neg_errno(), "cannot read");
	r = check_status(loader, file, &status);
	if (r < 0)
		return r;
	*ret_len = (size_t)status.st_size;
	return read_text(loader, file, fd, *ret_len, ret_text);
}

static int parse_dropin(struct loader *loader, int directory, const char *name, const char *path)
{
	const char *file = NULL, *text = NULL;
	struct parser parser;
	bool more = true;
	size_t len = 0;
	int r;

	r = add_name(loader, path, &file);
	if (r == 0)
		r = read_file(loader, directory, name, file, &text, &len);
	if (r == 0)
		r = parser_begin(&parser, &loader->ast, file, text, len, true, loader->diag);
	while (r == 0 && more)
		r = parser_next(&parser, &more);
	return r;
}

static int include_error(const struct loader *loader, const struct statement *statement,
			 const char *what, const char *why)
{
	const struct policy_place *place = &statement->place;

	diag_set(loader->diag, place->file, place->line, place->column, "%s %.*s: %s", what,
		 (int)statement->name.len, statement->name.text, why);
	return -EBADMSG;
}

/* The directory's path: relative ones begin where the including file lies. */
static int include_path(const struct loader *loader, const struct statement *statement,
			char path[static PATH_MAX])
{
	const char *file = statement->place.file, *slash = strrchr(file, '/');
	int before = slash && statement->name.text[0] != '/' ? (int)(slash - file) + 1 : 0;
	int len;

	len = snprintf(path, PATH_MAX, "%.*s%.*s", before, file, (int)statement->name.len,
		       statement->name.text);
	if (len >= PATH_MAX)
		return include_error(loader, statement, "cannot include", "the path is too long");
	return 0;
}

static int check_directory(struct loader *loader, const struct statement *statement, int fd)
{
	struct directory_id id = {.place = statement->place};
	struct stat status;

	if (fstat(fd, &status) < 0)
		return include_error(loader, statement, "cannot include", strerror(errno));
	if (status.st_mode & S_IWOTH)
		return include_error(loader, statement, "cannot include",
				     "everybody may write to this directory");
	id.device = status.st_dev;
	id.inode = status.st_ino;
	for (size_t i = 0; i < loader->directory_count; i++) {
		const struct directory_id *other = &loader->directories[i];

		if (other->device == id.device && other->inode == id.inode) {
			include_error(loader, statement, "cannot include",
				      "the directory is included already");
			diag_hint(loader->diag, "see %s", place_text(&other->place).text);
			return -EBADMSG;
		}
	}
	return APPEND(loader->directories, loader->directory_count, &id);
}

/* Hidden files are left out: editors keep their own there. */
static bool is_dropin(const char *name)
{
	size_t len = strlen(name);

	return name[0] != '.' && len > strlen(".conf") &&
	       strcmp(name + len - strlen(".conf"), ".conf") == 0;
}

static bool is_plain(const char *name)
{
	for (; *name; name++)
		if ((unsigned char)*name < 0x20 || *name == 0x7f)
			return false;
	return true;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void free_names(char **names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(names[i]);
	free(names);
}

/* The names of the drop-ins, in byte order. */
static int list_dropins(struct loader *loader, const struct statement *statement, DIR *directory,
			char ***names, size_t *count)
{
	struct dirent *entry;
	int r;

	while (errno = 0, (entry = readdir(directory))) {
		char *name;

		if (!is_dropin(entry->d_name))
			continue;
		if (!is_plain(entry->d_name))
			return include_error(loader, statement, "cannot include",
					     "a file's name holds a control character");
		if (*count + loader->policy->file_count >= POLICY_FILES_MAX)
			return include_error(loader, statement, "cannot include",
					     "more than 256 files");
		name = strdup(entry->d_name);
		if (!name)
			return -ENOMEM;
		r = APPEND(*names, *count, &name);
		if (r < 0) {
			free(name);
			return r;
		}
	}
	if (errno)
		return include_error(loader, statement, "cannot read", strerror(errno));
	if (*count)
		qsort(*names, *count, sizeof(**names), compare_names);
	return 0;
}

static int add_folder(struct loader *loader, const char *path)
{
	char *copy = strdup(path);
	int r = copy ? APPEND(loader->policy->folders, loader->policy->folder_count, &copy) : -ENOMEM;

	if (r < 0)
		free(copy);
	return r;
}

static int include(struct loader *loader, const struct statement *statement)
{
	AUTO_DIR DIR *directory = NULL;
	AUTO_CLOSE int fd = -EBADF;
	char path[PATH_MAX];
	char **names = NULL;
	size_t count = 0;
	int r;

	if (loader->memory)
		return include_error(loader, statement, "cannot include",
				     "this policy is not read from a file");
	r = include_path(loader, statement, path);
	if (r < 0)
		return r;
	r = add_folder(loader, path);
	if (r < 0)
		return r;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return 0; /* nothing is installed there */
	if (fd < 0)
		return include_error(loader, statement, "cannot open",
				     errno == ELOOP ? "a symbolic link" : strerror(errno));
	r = check_directory(loader, statement, fd);
	if (r < 0)
		return r;
	directory = fdopendir(fd);
	if (!directory)
		return neg_errno();
	fd = -EBADF; /* the stream's now */
	r = list_dropins(loader, statement, directory, &names, &count);
	for (size_t i = 0; r == 0 && i < count; i++) {
		char file[PATH_MAX + NAME_MAX + 2];

		snprintf(file, sizeof(file), "%s%s%s", path,
			 path[strlen(path) - 1] == '/' ? "" : "/", names[i]);
		r = parse_dropin(loader, dirfd(directory), names[i], file);
	}
	free_names(names, count);
	return r;
}

/* The main file, and what it includes at the place where it does. */
static int parse_main(struct loader *loader, const char *file, const char *text, size_t len)
{
	struct parser parser;
	bool more = true;
	int r;

	r = parser_begin(&parser, &loader->ast, file, text, len, false, loader->diag);
	while (r == 0) {
		struct statement last;

		r = parser_next(&parser, &more);
		if (r < 0 || !more)
			return r;
		last = loader->ast.statements[loader->ast.statement_count - 1];
		if (last.kind == STATEMENT_INCLUDE)
			r = include(loader, &last);
	}
	return r;
}

static int load(struct loader *loader, const char *name, const char *text, size_t len,
		const struct policy_options *options)
{
	const char *file = NULL;
	int r;

	r = add_name(loader, name, &file);
	if (r == 0 && !loader->memory)
		r = read_file(loader, AT_FDCWD, name, file, &text, &len);
	if (r == 0)
		r = parse_main(loader, file, text, len);
	if (r == 0)
		r = resolve(&loader->ast, options, loader->policy, loader->diag);
	return r;
}

static int load_new(struct loader *loader, const char *name, const char *text, size_t len,
		    const struct policy_options *options, struct policy **ret_policy)
{
	CLEANUP(policy_freep) struct policy *policy = calloc(1, sizeof(*policy));
	int r = policy ? 0 : -ENOMEM;

	loader->policy = policy;
	if (r == 0)
		r = load(loader, name, text, len, options);
	loader_done(loader);
	if (r == 0)
		*ret_policy = TAKE_PTR(policy);
	else if (r == -ENOMEM)
		diag_set(loader->diag, name, 0, 0, "not enough memory to read the policy");
	return r;
}

int policy_load(const char *path, const struct policy_options *options, struct diag *diag,
		struct policy **ret_policy)
{
	struct loader loader = {.diag = diag};

	return load_new(&loader, path, NULL, 0, options, ret_policy);
}

int policy_parse(const char *name, const char *text, size_t len,
		 const struct policy_options *options, struct diag *diag,
		 struct policy **ret_policy)
{
	struct loader loader = {.diag = diag, .memory = true};

	if (len > POLICY_FILE_MAX) {
		diag_set(diag, name, 0, 0, "this policy has %zu bytes, more than %u", len,
			 POLICY_FILE_MAX);
		return -EBADMSG;
	}
	return load_new(&loader, name, text, len, options, ret_policy);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "medium.h"

#include <string.h>

#define WORDS_MAX 32

/* A word of a line, borrowed. */
struct word {
	const char *text;
	size_t len;
};

static size_t split(const char *line, size_t len, struct word words[static WORDS_MAX])
{
	size_t count = 0;

	while (len > 0 && count < WORDS_MAX) {
		const char *blank = memchr(line, ' ', len);
		size_t word_len = blank ? (size_t)(blank - line) : len;

		words[count++] = (struct word){line, word_len};
		line += word_len + (blank != NULL);
		len -= word_len + (blank != NULL);
	}
	return count;
}

static bool word_is(const struct word *word, const char *text)
{
	return word->len == strlen(text) && memcmp(word->text, text, word->len) == 0;
}

static int copy_word(const struct word *word, char *text, size_t size)
{
	if (word->len >= size)
		return -E2BIG;
	memcpy(text, word->text, word->len);
	text[word->len] = '\0';
	return 0;
}

/* ID PARENT MAJOR:MINOR ROOT WHERE OPTIONS [TAG]... - TYPE SOURCE SUPER; see proc_pid_mountinfo(5)
 */
static int read_entry(const struct word *words, size_t count, struct mount_entry *ret_entry)
{
	struct mount_entry entry = {0};
	size_t dash = 6;
	int r;

	while (dash < count && !word_is(&words[dash], "-"))
		dash++;
	if (dash + 3 >= count)
		return -ENOENT;
	if (!verity_parse_device(words[2].text, ' ', &entry.dev))
		return -ENOENT;
	r = copy_word(&words[3], entry.root, sizeof(entry.root));
	if (r == 0)
		r = copy_word(&words[5], entry.options, sizeof(entry.options));
	if (r == 0)
		r = copy_word(&words[dash + 1], entry.type, sizeof(entry.type));
	if (r == 0)
		r = copy_word(&words[dash + 3], entry.super, sizeof(entry.super));
	if (r == 0)
		*ret_entry = entry;
	return r;
}

int mounts_find(const char *mountinfo, const char *where, struct mount_entry *ret_entry)
{
	struct word words[WORDS_MAX];
	int result = -ENOENT;

	while (*mountinfo) {
		size_t len = strcspn(mountinfo, "\n"), count = split(mountinfo, len, words);

		/* The last one is the one on top. */
		if (count > 9 && word_is(&words[4], where))
			result = read_entry(words, count, ret_entry);
		mountinfo += len + (mountinfo[len] == '\n');
	}
	return result;
}

int mounts_option(const char *options, const char *name, char *value, size_t size)
{
	size_t name_len = strlen(name);

	while (*options) {
		size_t len = strcspn(options, ",");

		if (len >= name_len && memcmp(options, name, name_len) == 0 &&
		    (len == name_len || options[name_len] == '=')) {
			struct word word = {options + name_len, len - name_len};

			if (word.len > 0) {
				word.text++;
				word.len--;
			}
			return copy_word(&word, value, size);
		}
		options += len + (options[len] == ',');
	}
	return -ENOENT;
}

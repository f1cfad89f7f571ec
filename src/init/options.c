/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "options.h"

#include <string.h>

#include <base/num.h>
#include <os/cmdline.h>

#define OFFSET_UNIT 2048 /* a sector of a DVD */

static bool parse_hash(const char *value, struct options *options)
{
	if (!verity_hash_is(value))
		return false;
	memcpy(options->image.root_hash, value, VERITY_HASH_TEXT);
	return true;
}

static bool parse_blocks(const char *value, struct options *options)
{
	return num_parse_u64(value, VERITY_BLOCKS_MAX, &options->image.data_blocks) == 0 &&
	       options->image.data_blocks > 0;
}

static bool parse_offset(const char *value, struct options *options)
{
	return num_parse_u64(value, OPTIONS_OFFSET_MAX, &options->offset) == 0 &&
	       options->offset % OFFSET_UNIT == 0;
}

static bool parse_mode(const char *value, struct options *options)
{
	options->to_ram = strcmp(value, "ram") == 0;
	return options->to_ram;
}

static bool parse_check(const char *value, struct options *options)
{
	options->check = true;
	return true;
}

static bool parse_verbose(const char *value, struct options *options)
{
	options->verbose = true;
	return true;
}

static const struct {
	const char *name;
	bool has_value, required;
	bool (*parse)(const char *value, struct options *options);
	const char *form;
} known[] = {
    {"lethe.roothash", true, true, parse_hash, "64 hexadecimal digits in lower case"},
    {"lethe.blocks", true, true, parse_blocks, "a number of blocks"},
    {"lethe.offset", true, true, parse_offset, "a number of bytes, a multiple of 2048"},
    {"lethe.mode", true, false, parse_mode, "'ram'"},
    {"lethe.check", false, false, parse_check, "nothing"},
    {"lethe.verbose", false, false, parse_verbose, "nothing"},
};

static int refuse(struct diag *diag, const char *name, const char *why)
{
	char shown[64];
	size_t len = 0;

	/* The name comes from the line: show only what cannot steer a terminal. */
	for (const char *c = name; *c && len < sizeof(shown) - 1; c++)
		shown[len++] = *c > ' ' && *c < 0x7f ? *c : '?';
	shown[len] = '\0';
	diag_set(diag, "", 0, 0, "the kernel's command line is not one of Lethe's: %s %s", shown,
		 why);
	diag_hint(diag, "Choose a line of the start menu without changing it.");
	return -EINVAL;
}

static int take_word(const struct cmdline_word *word, bool seen[static ARRAY_SIZE(known)],
		     struct options *options, struct diag *diag)
{
	char why[128];

	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		if (strcmp(word->name, known[i].name) != 0)
			continue;
		if (seen[i])
			return refuse(diag, word->name, "is there twice");
		seen[i] = true;
		if (word->quoted || word->cut || word->has_value != known[i].has_value ||
		    !known[i].parse(word->value, options)) {
			snprintf(why, sizeof(why), "must have %s as its value", known[i].form);
			return refuse(diag, word->name, why);
		}
		return 0;
	}
	return refuse(diag, word->name, "is no parameter of this version");
}

int options_parse(const char *text, struct diag *diag, struct options *ret_options)
{
	struct options options = {0};
	bool seen[ARRAY_SIZE(known)] = {false};
	struct cmdline_word word;
	int r;

	while (cmdline_next(&text, &word)) {
		if (strncmp(word.name, "lethe.", strlen("lethe.")) != 0)
			continue;
		r = take_word(&word, seen, &options, diag);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (known[i].required && !seen[i])
			return refuse(diag, known[i].name, "is missing");
	*ret_options = options;
	return 0;
}

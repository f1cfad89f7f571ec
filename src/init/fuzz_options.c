/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Any bytes as a kernel command line. What is refused is refused with a message that is fit to be
 * shown; what is taken is within its limits, and is refused once one of its words is there twice.
 */
#include "options.h"

#include <stdlib.h>
#include <string.h>

#include <base/fuzz.h>

#include <os/cmdline.h>

static void require(bool condition)
{
	if (!condition)
		abort();
}

static void check_words(const char *text)
{
	struct cmdline_word word;
	const char *at = text;

	while (cmdline_next(&at, &word))
		require(at > text && at <= text + strlen(text) &&
			strlen(word.name) < CMDLINE_WORD_MAX &&
			strlen(word.value) < CMDLINE_WORD_MAX &&
			(word.has_value || !word.value[0]));
}

static void check_parameters(const char *text)
{
	AUTO_BUF struct buf parameters = {.cap = CMDLINE_MAX};

	cmdline_module_parameters(text, "usb-storage", &parameters);
	require(buf_finish(&parameters) == 0 || buf_finish(&parameters) == -E2BIG);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_BUF struct buf text = {.cap = CMDLINE_MAX};
	struct options options = {0};
	struct diag diag = {0};

	for (size_t i = 0; i < size && i < CMDLINE_MAX / 2; i++)
		buf_add(&text, data[i] ? (const char *)data + i : " ", 1);
	check_words(buf_text(&text));
	check_parameters(buf_text(&text));
	if (options_parse(buf_text(&text), &diag, &options) < 0) {
		require(diag.message[0] && diag.hint[0]);
		for (const char *c = diag.message; *c; c++)
			require(*c >= ' ' && *c < 0x7f);
		return 0;
	}
	require(verity_hash_is(options.image.root_hash) && options.image.data_blocks > 0 &&
		options.image.data_blocks <= VERITY_BLOCKS_MAX && options.offset % 2048 == 0 &&
		options.offset <= OPTIONS_OFFSET_MAX);
	/* A quotation mark that was left open would swallow what follows. */
	buf_puts(&text, " lethe.offset=0");
	if (!strchr(buf_text(&text), '"'))
		require(options_parse(buf_text(&text), &diag, &options) == -EINVAL);
	return 0;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the kernel's command line says to init. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <base/diag.h>
#include <os/verity.h>

#define OPTIONS_OFFSET_MAX (UINT64_C(1) << 50)

struct options {
	struct verity_image image;
	uint64_t offset; /* bytes from the start of the disk, a multiple of 2048 */
	bool to_ram;
	bool check;
	bool verbose;
};

/*
 * Read the lethe.* words of a command line and nothing else. Every one is known, complete and there
 * once at most, or the whole line is refused: a line that was meant otherwise must not start.
 * Returns 0, or -EINVAL with the reason in @diag.
 */
MUST_CHECK int options_parse(const char *text, struct diag *diag, struct options *ret_options);

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the started system learns of its start: /run/lethe/boot.json and /run/lethe/medium. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <base/buf.h>
#include <base/cleanup.h>
#include <os/block.h>
#include <os/verity.h>

struct report {
	struct verity_image image;
	struct block_disk medium;
	bool to_ram, checked, laboratory;
	uint64_t sealed_ms, found_ms, switched_ms; /* CLOCK_BOOTTIME */
};

/* One JSON object and a newline. Pure. */
void report_print(const struct report *report, struct buf *out);

/* The medium alone, as lines NAME=VALUE, for programs that read no JSON. Pure. */
void report_print_medium(const struct block_disk *medium, struct buf *out);

/* Write both where the system reads them. Returns 0 or -errno. */
MUST_CHECK int report_write(const struct report *report);

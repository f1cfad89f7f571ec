/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "progress.h"

#include "console.h"

#include <inttypes.h>

void progress_show(struct progress *progress, uint64_t done)
{
	unsigned tenths = (unsigned)(done * 10 / progress->total);

	if (tenths <= progress->tenths)
		return;
	progress->tenths = tenths;
	console_say("%s: %u %% of %" PRIu64 " MB", progress->doing, tenths * 10,
		    progress->total / 1000000);
}

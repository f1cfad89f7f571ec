/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "medium.h"

#include <stdio.h>
#include <string.h>

#include <os/file.h>

/* "MAJOR:MINOR SECTOR": the table of lethe-medium. */
static int linear_disk(int control, struct block_disk *ret_disk)
{
	struct dm_state state;
	dev_t dev;
	int r = dm_read(control, "lethe-medium", DM_QUESTION_TABLE, &state);

	if (r < 0)
		return r;
	if (state.targets != 1 || strcmp(state.type, "linear") != 0 ||
	    !verity_parse_device(state.params, ' ', &dev))
		return -ENODATA;
	return block_read_dev(dev, ret_disk);
}

static void ask_mapper(struct facts *facts)
{
	AUTO_CLOSE int control = -EBADF;

	facts->mapper_error = dm_open(&control);
	if (facts->mapper_error < 0)
		return;
	facts->root_error = dm_read(control, "lethe-root", DM_QUESTION_TABLE, &facts->table);
	if (facts->root_error == 0)
		facts->root_error =
		    dm_read(control, "lethe-root", DM_QUESTION_STATUS, &facts->status);
	facts->has_disk = linear_disk(control, &facts->disk) == 0;
}

static int read_named(const char *path, struct buf *out, const char **ret_what)
{
	int r = file_read(path, out);

	if (r < 0)
		*ret_what = path;
	return r;
}

int facts_collect(struct facts *facts, const char **ret_what)
{
	struct origin origin;
	int r = read_named("/proc/cmdline", &facts->cmdline, ret_what);

	if (r == 0)
		r = read_named("/proc/self/mountinfo", &facts->mounts, ret_what);
	if (r < 0)
		return r;
	/* Without it, only where the copy in memory came from is not known. */
	(void)!file_read("/run/lethe/medium", &facts->started_from);
	if (origin_parse(buf_text(&facts->started_from), &origin) == 0)
		facts->has_origin = block_read(origin.device, &facts->origin) == 0;
	ask_mapper(facts);
	if (facts->mapper_error == -EACCES || facts->mapper_error == -EPERM ||
	    facts->root_error == -EACCES || facts->root_error == -EPERM) {
		*ret_what = "device-mapper";
		return -EPERM;
	}
	return 0;
}

void facts_done(struct facts *facts)
{
	buf_done(&facts->cmdline);
	buf_done(&facts->mounts);
	buf_done(&facts->started_from);
}

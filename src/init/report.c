/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "report.h"

#include <fcntl.h>
#include <inttypes.h>

#include <base/json.h>

#define REPORT_MAX 4096

void report_print(const struct report *report, struct buf *out)
{
	struct json json = {.out = out};

	json_object_begin(&json, NULL);
	json_number(&json, "version", 1);
	json_string(&json, "root_hash", report->image.root_hash);
	json_number(&json, "data_blocks", (int64_t)report->image.data_blocks);
	json_object_begin(&json, "medium");
	json_string(&json, "device", report->medium.name);
	json_string(&json, "bus", report->medium.bus);
	json_bool(&json, "removable", report->medium.removable);
	json_string(&json, "model", report->medium.model);
	json_object_end(&json);
	json_string(&json, "mode", report->to_ram ? "ram" : "medium");
	json_bool(&json, "checked", report->checked);
	json_bool(&json, "laboratory", report->laboratory);
	json_number(&json, "sealed_ms", (int64_t)report->sealed_ms);
	json_number(&json, "found_ms", (int64_t)report->found_ms);
	json_number(&json, "switched_ms", (int64_t)report->switched_ms);
	json_object_end(&json);
	buf_puts(out, "\n");
}

void report_print_medium(const struct block_disk *medium, struct buf *out)
{
	buf_printf(out, "device=%s\nbus=%s\nmodel=%s\nsequence=%" PRIu64 "\n", medium->name,
		   medium->bus, medium->model, medium->sequence);
}

static int write_file(const char *path, const struct buf *text)
{
	AUTO_CLOSE int fd = -EBADF;
	int r = buf_finish(text);

	if (r < 0)
		return r;
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return neg_errno();
	return write(fd, buf_text(text), text->len) == (ssize_t)text->len ? 0 : -EIO;
}

int report_write(const struct report *report)
{
	AUTO_BUF struct buf text = {.cap = REPORT_MAX}, medium = {.cap = REPORT_MAX};
	int r;

	report_print(report, &text);
	report_print_medium(&report->medium, &medium);
	r = write_file("/run/lethe/boot.json", &text);
	return r < 0 ? r : write_file("/run/lethe/medium", &medium);
}

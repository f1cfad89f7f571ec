/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "medium.h"

#include <base/json.h>

static void print_disk(const struct verdict *verdict, struct buf *out)
{
	const struct origin *medium = &verdict->medium;

	if (!medium->device[0]) {
		buf_puts(out, "an unknown medium");
		return;
	}
	buf_printf(out, "%s (%s%s%s)", medium->device, medium->bus, medium->model[0] ? ", " : "",
		   medium->model);
}

void print_text(const struct verdict *verdict, struct buf *out)
{
	if (verdict->laboratory)
		buf_puts(out, "LABORATORY: a laboratory layer changes this system.\n");
	if (verdict->verified) {
		buf_puts(out, "Verified: every block is verified when it is read");
		buf_printf(out, "%s.\n",
			   verdict->stops_at_corruption
			       ? "; at one that is wrong the computer stops"
			       : "");
		buf_printf(out, "Root hash: %s.\n", verdict->root_hash);
	} else {
		buf_printf(out, "Not verified: %s.\n", verdict->reason);
	}
	buf_puts(out, verdict->in_ram ? "Copied to memory from " : "Started from ");
	print_disk(verdict, out);
	buf_printf(out, ", which is %s.\n", verdict->present ? "present" : "not there now");
}

void print_json(const struct verdict *verdict, struct buf *out)
{
	struct json json = {.out = out};

	json_object_begin(&json, NULL);
	json_object_begin(&json, "medium");
	json_string(&json, "device", verdict->medium.device);
	json_string(&json, "bus", verdict->medium.bus);
	json_string(&json, "model", verdict->medium.model);
	json_bool(&json, "present", verdict->present);
	json_object_end(&json);
	json_string(&json, "mode", verdict->in_ram ? "ram" : "medium");
	json_bool(&json, "verified", verdict->verified);
	json_bool(&json, "stops_at_corruption", verdict->stops_at_corruption);
	json_bool(&json, "laboratory", verdict->laboratory);
	json_string(&json, "root_hash", verdict->root_hash);
	json_string(&json, "reason", verdict->reason);
	json_object_end(&json);
	buf_puts(out, "\n");
}

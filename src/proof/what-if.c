/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a new policy would change. */
#include "program.h"

#include <base/json.h>
#include <string.h>

struct telling {
	const struct program_options *options;
	const struct policy *new;
	struct buf *out;
	struct json *json;
	bool not_known;
};

static const char *change_name(enum proof_change change)
{
	switch (change) {
	case PROOF_NEWLY_ALLOWED:
		return "allowed";
	case PROOF_NEWLY_DENIED:
		return "denied";
	case PROOF_OTHER_PROXY:
		return "other proxy";
	case PROOF_NOT_KNOWN:
	case PROOF_CHANGES:
		break;
	}
	return "not known";
}

static int tell(const struct proof_region *region, void *data)
{
	struct telling *telling = data;
	AUTO_BUF struct buf packet = {.cap = 1024};

	telling->not_known |= region->change == PROOF_NOT_KNOWN;
	if (telling->options->json) {
		json_object_begin(telling->json, NULL);
		json_string(telling->json, "change", change_name(region->change));
		json_string(telling->json, "text", region->text);
		json_string(telling->json, "where", region->where);
		json_bool(telling->json, "only_some", region->some);
		show_example_json(&region->example, telling->new, telling->json);
		json_object_end(telling->json);
		return 0;
	}
	packet_print(&region->example.packet, &packet);
	buf_printf(telling->out, "%s%s\n      (%s)  for example: %s\n", region->text,
		   region->some ? ", some of it" : "", region->where, buf_text(&packet));
	return 0;
}

static void print_end(const struct telling *telling, const struct proof_what_if_result *result)
{
	if (result->regions == 0 && !result->unknown && !result->too_large)
		buf_puts(telling->out, "Nothing changes.\n");
	if (result->more)
		buf_puts(telling->out, "... and more.\n");
}

int program_what_if(const struct program_options *options, const struct gathered *gathered,
		    char **words)
{
	CLEANUP(policy_freep) struct policy *new = program_load(options, words[0]);
	CLEANUP(policy_freep) struct policy *old = words[1] ? program_load(options, words[1]) : NULL;
	const struct held *held = gathered->count ? &gathered->held[0] : NULL;
	struct proof_options how = {
	    .devices = held ? held->devices : NULL,
	    .device_count = held ? held->device_count : 0,
	};
	struct proof_what_if what = {
	    .old = old, .kernel = old || !held ? NULL : held->ruleset, .new = new};
	struct proof_what_if_result result = {0};
	AUTO_BUF struct buf out = {.cap = PROGRAM_OUTPUT_MAX};
	struct json json = {.out = &out};
	struct telling telling = {.options = options, .new = new, .out = &out, .json = &json};
	int r;

	if (!new || (words[1] && !old))
		return PROGRAM_UNKNOWN;
	if (options->json) {
		json_object_begin(&json, NULL);
		json_number(&json, "version", 1);
		json_array_begin(&json, "regions");
	}
	r = program_close();
	if (r == 0)
		r = proof_what_if(&what, &how, tell, &telling, &result);
	if (r < 0) {
		program_complain(r, "cannot compare");
		return PROGRAM_UNKNOWN;
	}
	if (options->json) {
		json_array_end(&json);
		json_bool(&json, "more", result.more);
		json_object_end(&json);
		buf_puts(&out, "\n");
	} else {
		print_end(&telling, &result);
	}
	if (result.unknown || result.too_large)
		program_complain(0, result.unknown
					? "the kernel holds what this model cannot"
					: "the rules are too large for the memory they were given");
	if (result.unknown || result.too_large || telling.not_known)
		return program_write(&out, PROGRAM_UNKNOWN);
	return program_write(&out, result.regions ? PROGRAM_REFUTED : PROGRAM_PROVED);
}

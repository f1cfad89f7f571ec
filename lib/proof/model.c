/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "model.h"

#include <string.h>

static int judge_path(struct model *model, enum packet_path path)
{
	struct run *run = calloc(1, sizeof(*run));

	if (!run)
		return -ENOMEM;
	model->runs[path] = run;
	run_begin(run, model->space, model->ruleset, path, SPACE_FREE);
	if (path == PACKET_INPUT) {
		run->is_expected = answers_expected;
		run->expected_data = model;
	}
	return run_all(run, &model->judgements[path]);
}

static int present_devices(struct model *model, const struct proof_options *options)
{
	AUTO_FREE struct space_device *devices =
	    calloc(options->device_count + 1, sizeof(*devices));
	diagram any = DIAGRAM_FALSE;

	if (!devices)
		return -ENOMEM;
	for (size_t i = 0; i < options->device_count; i++) {
		memcpy(devices[i].name, options->devices[i].name, sizeof(devices[i].name));
		devices[i].index = options->devices[i].index;
		devices[i].type = options->devices[i].type;
	}
	for (int path = PACKET_OUTPUT; path < MODEL_PATHS; path++) {
		model->universes[path] =
		    space_universe(model->space, (enum packet_path)path, NULL, 0);
		any = diagram_or(model->space, any,
				 space_universe(model->space, (enum packet_path)path, devices,
						options->device_count));
	}
	model->present = any;
	return 0;
}

int model_make(struct diagram_space *space, const struct ruleset *ruleset,
	       const struct proof_options *options, struct model *ret_model)
{
	CLEANUP(model_done) struct model model = {.space = space, .ruleset = ruleset};
	int r = present_devices(&model, options);

	/* Output first: what it remembers says what input may expect. */
	for (int path = PACKET_OUTPUT; r == 0 && path < MODEL_PATHS; path++)
		r = judge_path(&model, (enum packet_path)path);
	if (r < 0)
		return r;
	for (int path = PACKET_OUTPUT; path < MODEL_PATHS; path++)
		model.universes[path] =
		    diagram_and(space, model.universes[path], model.runs[path]->assume);
	track_narrow(&model);
	r = diagram_error(space);
	if (r < 0)
		return r;
	*ret_model = model;
	model = (struct model){0};
	/* Examples are followed through the rules later, when this function's own is gone. */
	ret_model->runs[PACKET_INPUT]->expected_data = ret_model;
	return 0;
}

void model_done(struct model *model)
{
	for (int path = PACKET_OUTPUT; path < MODEL_PATHS; path++) {
		if (model->runs[path])
			run_done(model->runs[path]);
		free(model->runs[path]);
		model->runs[path] = NULL;
	}
}

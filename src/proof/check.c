/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Is what the kernel holds what the policy says? */
#include "program.h"

#include <base/json.h>
#include <string.h>
#include <time.h>

/* What was found of one namespace. */
struct found {
	struct proof_result result;
	bool made; /* a proof was made: of this namespace always, of others where rules are */
	double seconds;
};

struct answer {
	const struct program_options *options;
	const char *path;
	const struct policy *policy;
	const struct gathered *gathered;
	struct found *found; /* as many as gathered */
	struct buf outside;  /* what lies outside the model, a line each */
	int status;
};

static double seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int prove(struct answer *answer, size_t i)
{
	const struct held *held = &answer->gathered->held[i];
	struct proof_options how = {
	    .devices = held->devices,
	    .device_count = held->device_count,
	};
	double began = seconds_now();
	int r = proof_compare(answer->policy, held->ruleset, &how, &answer->found[i].result);

	answer->found[i].made = r == 0;
	answer->found[i].seconds = seconds_now() - began;
	return r;
}

/* This namespace is proved. Of others only this matters: can packets leave by a device of theirs
 * without having been judged? Where they are judged by the same policy, they cannot. */
static int prove_all(struct answer *answer)
{
	for (size_t i = 0; i < answer->gathered->count; i++) {
		const struct held *held = &answer->gathered->held[i];
		bool enforced = false;

		if (!held->name[0] || held->ruleset->table_count > 0) {
			int r = prove(answer, i);

			if (r < 0)
				return r;
			enforced = answer->found[i].result.answer == PROOF_PROVED;
		}
		outside_tell(held, answer->policy, enforced, &answer->outside);
	}
	return buf_finish(&answer->outside);
}

static int judge(const struct answer *answer)
{
	switch (answer->found[0].result.answer) {
	case PROOF_PROVED:
		return answer->outside.len ? PROGRAM_UNKNOWN : PROGRAM_PROVED;
	case PROOF_REFUTED:
		return PROGRAM_REFUTED;
	case PROOF_UNKNOWN:
		break;
	}
	return PROGRAM_UNKNOWN;
}

/* ---- for people ---- */

static void print_lines(const char *lines, const char *before, struct buf *out)
{
	while (*lines) {
		size_t len = strcspn(lines, "\n");

		buf_printf(out, "%s%.*s\n", before, (int)len, lines);
		lines += len + (lines[len] == '\n');
	}
}

static void print_devices(const struct answer *answer, struct buf *out)
{
	const struct held *held = &answer->gathered->held[0];

	if (answer->found[0].result.future_devices) {
		buf_puts(out, "  for:     every device, those to come included\n");
		return;
	}
	buf_puts(out, "  for:     the devices that are there");
	for (size_t i = 0; i < held->device_count; i++)
		buf_printf(out, "%s %s", i ? "," : ":", held->devices[i].name);
	buf_puts(out, "; another is not judged until 'lethe-wall cover'\n");
}

static void print_figures(const struct answer *answer, struct buf *out)
{
	const struct found *found = &answer->found[0];

	buf_printf(out, "  by:      %.0f classes of packets, %.0f ms; read back in %.0f ms",
		   found->result.classes, found->seconds * 1e3,
		   answer->gathered->held[0].seconds * 1e3);
	if (answer->gathered->count > 1)
		buf_printf(out, "; %zu other network namespaces", answer->gathered->count - 1);
	buf_puts(out, "\n");
}

static void print_text(const struct answer *answer, struct buf *out)
{
	const struct proof_result *result = &answer->found[0].result;

	switch (answer->status) {
	case PROGRAM_PROVED:
		buf_printf(out, "Proved: to every packet the kernel does what %s says.\n",
			   answer->path);
		print_devices(answer, out);
		print_figures(answer, out);
		break;
	case PROGRAM_REFUTED:
		buf_printf(out, "Refuted: %s.\n", show_fault(result->fault));
		show_example(&result->example, result->fault, answer->policy, out);
		break;
	default:
		buf_puts(out, "Not proved:\n");
		if (result->answer == PROOF_UNKNOWN)
			print_lines(buf_text(&result->reason), "  ", out);
		break;
	}
	print_lines(buf_text(&answer->outside),
		    answer->status == PROGRAM_REFUTED ? "  and outside the rules: "
						      : "  outside the rules: ",
		    out);
}

/* ---- for programs ---- */

static const char *const status_names[] = {
    [PROGRAM_PROVED] = "proved",
    [PROGRAM_REFUTED] = "refuted",
    [PROGRAM_UNKNOWN] = "not proved",
};

static const char *fault_name(enum proof_fault fault)
{
	static const char *const names[] = {
	    [PROOF_NO_FAULT] = "",	   [PROOF_LEAK] = "leak",     [PROOF_REWRITES] = "rewrites",
	    [PROOF_BLOCKS] = "blocks", [PROOF_MANNER] = "manner", [PROOF_PROXIES] = "proxies",
	};

	return names[fault];
}

static void json_lines(struct json *json, const char *key, const char *lines)
{
	json_array_begin(json, key);
	while (*lines) {
		size_t len = strcspn(lines, "\n");
		char line[SURROUNDINGS_WORDS_MAX + NETNS_NAME_MAX + 64];

		snprintf(line, sizeof(line), "%.*s", (int)len, lines);
		json_string(json, NULL, line);
		lines += len + (lines[len] == '\n');
	}
	json_array_end(json);
}

static void print_json(const struct answer *answer, struct buf *out)
{
	const struct found *found = &answer->found[0];
	const struct proof_result *result = &found->result;
	struct json json = {.out = out};

	json_object_begin(&json, NULL);
	json_number(&json, "version", 1);
	json_string(&json, "answer", status_names[answer->status]);
	json_string(&json, "policy", answer->path);
	json_string(&json, "fault", fault_name(result->fault));
	json_string(&json, "reason", buf_text(&result->reason));
	json_lines(&json, "outside", buf_text(&answer->outside));
	if (result->answer == PROOF_REFUTED)
		show_example_json(&result->example, answer->policy, &json);
	json_bool(&json, "future_devices", result->future_devices);
	json_number(&json, "classes",
		    result->classes < 9e15 ? (int64_t)result->classes : INT64_C(9000000000000000));
	json_number(&json, "nodes", (int64_t)result->nodes);
	json_number(&json, "namespaces", (int64_t)answer->gathered->count);
	json_number(&json, "proof_us", (int64_t)(found->seconds * 1e6));
	json_number(&json, "read_us", (int64_t)(answer->gathered->held[0].seconds * 1e6));
	json_object_end(&json);
	buf_puts(out, "\n");
}

static void found_done(struct answer *answer)
{
	for (size_t i = 0; answer->found && i < answer->gathered->count; i++)
		proof_result_done(&answer->found[i].result);
	free(answer->found);
	buf_done(&answer->outside);
}

int program_check(const struct program_options *options, const struct gathered *gathered,
		  char **words)
{
	const char *path = words[0] ? words[0] : options->policy;
	CLEANUP(policy_freep) struct policy *policy = program_load(options, path);
	CLEANUP(found_done) struct answer answer = {
	    .options = options,
	    .path = path,
	    .policy = policy,
	    .gathered = gathered,
	    .found = calloc(gathered->count, sizeof(struct found)),
	    .outside = {.cap = (size_t)1 << 20},
	};
	AUTO_BUF struct buf out = {.cap = PROGRAM_OUTPUT_MAX};
	int r;

	if (!policy)
		return PROGRAM_UNKNOWN;
	r = answer.found ? program_close() : -ENOMEM;
	if (r == 0)
		r = prove_all(&answer);
	if (r < 0) {
		program_complain(r, "cannot prove anything");
		return PROGRAM_UNKNOWN;
	}
	answer.status = judge(&answer);
	if (options->json)
		print_json(&answer, &out);
	else if (!options->quiet || answer.status != PROGRAM_PROVED)
		print_text(&answer, &out);
	return program_write(&out, answer.status);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The specification's own sentences, proved of what the kernel holds, whatever the policy says. */
#include "program.h"

#include <base/json.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>

struct telling {
	const struct program_options *options;
	struct buf *out;
	struct json *json;
	size_t proved, refuted, unknown, stricter;
};

static const char *mark_of(const struct proof_claim *claim)
{
	switch (claim->result.answer) {
	case PROOF_PROVED:
		return "  ok  ";
	case PROOF_REFUTED:
		return claim->kind == PROOF_USE ? " less " : "  NO  ";
	case PROOF_UNKNOWN:
		break;
	}
	return "  ??  ";
}

static const char *answer_name(const struct proof_claim *claim)
{
	switch (claim->result.answer) {
	case PROOF_PROVED:
		return "proved";
	case PROOF_REFUTED:
		return "refuted";
	case PROOF_UNKNOWN:
		break;
	}
	return "not proved";
}

static void count(const struct proof_claim *claim, struct telling *telling)
{
	if (claim->result.answer == PROOF_PROVED)
		telling->proved++;
	else if (claim->result.answer == PROOF_UNKNOWN)
		telling->unknown++;
	else if (claim->kind == PROOF_USE)
		telling->stricter++;
	else
		telling->refuted++;
}

static int tell_text(const struct proof_claim *claim, struct telling *telling)
{
	const struct proof_result *result = &claim->result;

	if (telling->options->quiet && result->answer == PROOF_PROVED)
		return 0;
	buf_printf(telling->out, "%s%-5s %s\n", mark_of(claim), claim->id, claim->statement);
	if (result->reason.len)
		buf_printf(telling->out, "  why:     %s\n", buf_text(&result->reason));
	if (result->answer == PROOF_REFUTED && result->example.packet.path)
		show_example(&result->example, result->fault, NULL, telling->out);
	return 0;
}

static int tell_json(const struct proof_claim *claim, struct telling *telling)
{
	struct json *json = telling->json;

	json_object_begin(json, NULL);
	json_string(json, "id", claim->id);
	json_string(json, "kind", claim->kind == PROOF_USE ? "use" : "safety");
	json_string(json, "statement", claim->statement);
	json_string(json, "answer", answer_name(claim));
	json_string(json, "reason", buf_text(&claim->result.reason));
	if (claim->result.answer == PROOF_REFUTED && claim->result.example.packet.path)
		show_example_json(&claim->result.example, NULL, json);
	json_object_end(json);
	return 0;
}

static int tell(const struct proof_claim *claim, void *data)
{
	struct telling *telling = data;

	count(claim, telling);
	return telling->options->json ? tell_json(claim, telling) : tell_text(claim, telling);
}

/* ---- who is who ---- */

struct people {
	struct proof_people people;
	uint32_t root;
};

static int find_in(FILE *file, const char *name, struct proof_user *user)
{
	struct passwd *entry;

	rewind(file);
	while ((entry = fgetpwent(file)))
		if (strcmp(entry->pw_name, name) == 0)
			*user = (struct proof_user){.exists = true, .uid = entry->pw_uid};
	return ferror(file) ? -EIO : 0;
}

static int find_people(const struct program_options *options, struct people *people)
{
	AUTO_FILE FILE *file = fopen(options->passwd, "re");
	int r = 0;

	if (!file)
		return neg_errno();
	r = r < 0 ? r : find_in(file, "debian-tor", &people->people.tor);
	r = r < 0 ? r : find_in(file, "bridges-net", &people->people.bridges_net);
	r = r < 0 ? r : find_in(file, "fronts-net", &people->people.fronts_net);
	r = r < 0 ? r : find_in(file, "clearnet", &people->people.clearnet);
	r = r < 0 ? r : find_in(file, "clearnet-net", &people->people.clearnet_net);
	r = r < 0 ? r : find_in(file, "amnesia", &people->people.amnesia);
	/* Root brings links up. */
	people->people.arp = (struct policy_uids){&people->root, 1};
	people->people.dhcp = people->people.arp;
	people->people.eapol = people->people.arp;
	return r;
}

static int status_of(const struct telling *telling)
{
	if (telling->refuted)
		return PROGRAM_REFUTED;
	return telling->unknown ? PROGRAM_UNKNOWN : PROGRAM_PROVED;
}

static void summarise(const struct telling *telling, struct buf *out)
{
	buf_printf(out, "%zu sentences proved, %zu refuted, %zu not proved", telling->proved,
		   telling->refuted, telling->unknown);
	if (telling->stricter)
		buf_printf(out, "; %zu grants of the specification are withheld here",
			   telling->stricter);
	buf_puts(out, ".\n");
}

int program_claims(const struct program_options *options, const struct gathered *gathered,
		   char **words)
{
	const struct held *held = &gathered->held[0];
	struct proof_options how = {
	    .devices = held->devices,
	    .device_count = held->device_count,
	};
	AUTO_BUF struct buf out = {.cap = PROGRAM_OUTPUT_MAX};
	struct json json = {.out = &out};
	struct telling telling = {.options = options, .out = &out, .json = &json};
	struct people people = {0};
	int r = find_people(options, &people);

	(void)words;
	if (r < 0) {
		program_complain(r, "cannot look users up in %s", options->passwd);
		return PROGRAM_UNKNOWN;
	}
	r = program_close();
	if (options->json) {
		json_object_begin(&json, NULL);
		json_number(&json, "version", 1);
		json_array_begin(&json, "sentences");
	}
	if (r == 0)
		r = proof_claims(held->ruleset, &people.people, &how, tell, &telling);
	if (r < 0) {
		program_complain(r, "cannot prove anything");
		return PROGRAM_UNKNOWN;
	}
	if (options->json) {
		json_array_end(&json);
		json_object_end(&json);
		buf_puts(&out, "\n");
	} else if (!options->quiet || status_of(&telling) != PROGRAM_PROVED) {
		summarise(&telling, &out);
	}
	return program_write(&out, status_of(&telling));
}

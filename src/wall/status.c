/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is enforced now, as the kernel tells it; never what was meant to be. */
#include "wall.h"

#include "compile.h"

#include <base/json.h>
#include <string.h>

enum state {
	STATE_OPEN, /* no table of Lethe's */
	STATE_SEALED,
	STATE_ENFORCED,  /* exactly the policy */
	STATE_UNCOVERED, /* one of these two, but not on every device */
	STATE_OTHER,     /* Lethe's tables, but neither the seal nor this policy */
};

enum rules { RULES_NONE, RULES_SEAL, RULES_POLICY, RULES_OTHER };

static const char *const state_names[] = { "open", "sealed", "enforced", "uncovered", "different" };
static const char *const rules_names[] = { "none", "seal", "policy", "other" };
static const char *const binding_names[] = { "none", "names", "prefix" };

struct status {
	enum rules rules; /* what the kernel's are, whatever they are bound to */
	struct nf_held held;
	struct buf difference, foreign, settings;
	size_t wrong_settings;
	bool policy_bad;
};

static enum state state_of(const struct status *status)
{
	switch (status->rules) {
	case RULES_NONE:
		return STATE_OPEN;
	case RULES_SEAL:
		return status->held.uncovered.count ? STATE_UNCOVERED : STATE_SEALED;
	case RULES_POLICY:
		return status->held.uncovered.count ? STATE_UNCOVERED : STATE_ENFORCED;
	case RULES_OTHER:
		break;
	}
	return STATE_OTHER;
}

/* Tables of others can only drop more, unless they rewrite packets: name those. */
static void list_foreign(const struct ruleset *held, struct buf *foreign)
{
	for (size_t i = 0; i < held->table_count; i++) {
		const struct ruleset_table *table = &held->tables[i];
		bool rewrites = false;

		if (strcmp(table->name, NF_TABLE) == 0 &&
		    (table->family == RULESET_INET || table->family == RULESET_NETDEV))
			continue;
		for (size_t j = 0; j < table->chain_count; j++)
			rewrites |=
			    table->chains[j].base && table->chains[j].type != RULESET_FILTER;
		buf_printf(foreign, "%s%s%s", foreign->len ? ", " : "", table->name,
			   rewrites ? " (rewrites packets)" : "");
	}
}

static int find_rules(const struct policy *policy, struct status *status)
{
	CLEANUP(ruleset_freep) struct ruleset *seal = NULL;
	CLEANUP(ruleset_freep) struct ruleset *wanted = NULL;
	AUTO_BUF struct buf ignored = { .cap = 4096 };
	int r;

	status->rules = RULES_NONE;
	if (!status->held.host && !status->held.frames)
		return 0;
	status->rules = RULES_OTHER;
	r = compile_seal(&seal);
	if (r < 0)
		return r;
	if (nf_held_compare(seal, &status->held, &ignored) == 0) {
		status->rules = RULES_SEAL;
		return 0;
	}
	if (!policy)
		return 0;
	r = compile_policy(policy, &wanted);
	if (r == 0 && nf_held_compare(wanted, &status->held, &status->difference) == 0)
		status->rules = RULES_POLICY;
	return r;
}

static int find_state(struct nf_socket *nf, const struct policy *policy, struct status *status)
{
	CLEANUP(ruleset_freep) struct ruleset *all = NULL;
	int r = nf_read(nf, 16, NULL, &all);

	if (r == 0)
		r = nf_held_read(nf, &status->held);
	if (r < 0)
		return r;
	list_foreign(all, &status->foreign);
	status->wrong_settings = wall_settings_check(&status->settings);
	return find_rules(policy, status);
}

static void print_uncovered(const struct status *status, struct buf *out)
{
	const struct nf_devices *devices = &status->held.uncovered;

	if (devices->count == 0 || state_of(status) == STATE_OPEN)
		return;
	buf_puts(out, "Devices without an egress chain:");
	for (size_t i = 0; i < devices->count; i++)
		buf_printf(out, "%s %s", i ? "," : "", devices->names[i]);
	buf_puts(out, ". Run 'lethe-wall cover'.\n");
}

static void print_text(const struct status *status, const char *path, struct buf *out)
{
	switch (state_of(status)) {
	case STATE_OPEN:
		buf_puts(out, "Open: Lethe enforces nothing in this network namespace.\n");
		break;
	case STATE_SEALED:
		buf_puts(out, "Sealed: nothing passes, loopback included.\n");
		break;
	case STATE_ENFORCED:
		buf_printf(out, "Enforced: the kernel holds exactly what %s says.\n", path);
		break;
	case STATE_UNCOVERED:
		if (status->rules == RULES_SEAL)
			buf_puts(out, "Uncovered: sealed, but not on every device.\n");
		else
			buf_printf(out, "Uncovered: the kernel holds exactly what %s says, but not for "
					"every device.\n", path);
		break;
	case STATE_OTHER:
		buf_printf(out,
			   "Different: rules of Lethe's are in force, but not those of %s%s%s.\n",
			   path, status->difference.len ? ": " : "", buf_text(&status->difference));
		break;
	}
	print_uncovered(status, out);
	if (status->settings.len > 0 && state_of(status) != STATE_OPEN)
		buf_printf(out, "Kernel settings otherwise than the claims need: %s.\n",
			   buf_text(&status->settings));
	if (status->foreign.len > 0)
		buf_printf(out, "Tables of others: %s.\n", buf_text(&status->foreign));
}

static void print_json(const struct status *status, const char *path, struct buf *out)
{
	struct json json = { .out = out };

	json_object_begin(&json, NULL);
	json_number(&json, "version", 1);
	json_string(&json, "state", state_names[state_of(status)]);
	json_string(&json, "rules", rules_names[status->rules]);
	json_string(&json, "policy", path);
	json_bool(&json, "policy_good", !status->policy_bad);
	json_string(&json, "difference", buf_text(&status->difference));
	json_string(&json, "binding", binding_names[status->held.binding]);
	json_array_begin(&json, "uncovered");
	for (size_t i = 0; i < status->held.uncovered.count; i++)
		json_string(&json, NULL, status->held.uncovered.names[i]);
	json_array_end(&json);
	json_bool(&json, "settings_good", status->wrong_settings == 0);
	json_string(&json, "settings", buf_text(&status->settings));
	json_string(&json, "other_tables", buf_text(&status->foreign));
	json_object_end(&json);
	buf_puts(out, "\n");
}

int wall_status(const struct wall_options *options, char **words)
{
	const char *path = words[0] ? words[0] : options->policy;
	struct policy_options how = { .passwd = options->passwd };
	CLEANUP(policy_freep) struct policy *policy = NULL;
	CLEANUP(nf_closep) struct nf_socket *nf = NULL;
	AUTO_BUF struct buf out = { .cap = WALL_OUTPUT_MAX };
	struct status status = { .difference = { .cap = 4096 },
				 .foreign = { .cap = 65536 },
				 .settings = { .cap = 65536 } };
	struct diag diag = { 0 };
	bool good;
	int r = nf_open(&nf);

	/* A policy that cannot be read does not hide what the kernel holds. */
	if (policy_load(path, &how, &diag, &policy) < 0) {
		status.policy_bad = true;
		wall_complain_diag(&(struct wall_options){ 0 }, &diag);
	}
	if (r == 0)
		r = find_state(nf, policy, &status);
	if (r < 0)
		wall_complain(r, "cannot read what the kernel holds");
	else if (options->json)
		print_json(&status, path, &out);
	else
		print_text(&status, path, &out);
	good = state_of(&status) == STATE_ENFORCED && status.wrong_settings == 0;
	nf_held_done(&status.held);
	buf_done(&status.difference);
	buf_done(&status.foreign);
	buf_done(&status.settings);
	if (r < 0)
		return WALL_FAILED;
	return wall_write(&out, good ? WALL_OK : WALL_NO);
}

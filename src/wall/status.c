/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is enforced now, as the kernel tells it; never what was meant to be. */
#include "wall.h"

#include "compile.h"

#include <base/json.h>
#include <string.h>

enum state {
	STATE_OPEN,	/* no table of Lethe's */
	STATE_SEALED,
	STATE_ENFORCED, /* exactly the policy */
	STATE_OTHER,	/* Lethe's tables, but neither the seal nor this policy */
};

static const char *const state_names[] = { "open", "sealed", "enforced", "different" };

struct status {
	enum state state;
	struct buf difference, foreign, settings;
	size_t wrong_settings;
	bool policy_bad;
};

/* Tables of others can only drop more, unless they rewrite packets: name those. */
static void list_foreign(const struct ruleset *held, struct buf *foreign)
{
	for (size_t i = 0; i < held->table_count; i++) {
		const struct ruleset_table *table = &held->tables[i];
		bool rewrites = false;

		if (strcmp(table->name, WALL_TABLE) == 0 &&
		    (table->family == RULESET_INET || table->family == RULESET_NETDEV))
			continue;
		for (size_t j = 0; j < table->chain_count; j++)
			rewrites |= table->chains[j].base && table->chains[j].type != RULESET_FILTER;
		buf_printf(foreign, "%s%s%s", foreign->len ? ", " : "", table->name,
			   rewrites ? " (rewrites packets)" : "");
	}
}

static int compare_with(struct nf_socket *nf, struct ruleset *ruleset, struct buf *difference)
{
	int r = wall_expect_devices(nf, ruleset);

	return r < 0 ? r : wall_compare(nf, ruleset, difference);
}

static int find_state(struct nf_socket *nf, const struct policy *policy, struct status *status)
{
	CLEANUP(ruleset_freep) struct ruleset *seal = NULL;
	CLEANUP(ruleset_freep) struct ruleset *wanted = NULL;
	CLEANUP(ruleset_freep) struct ruleset *held = NULL;
	AUTO_BUF struct buf ignored = { .cap = 4096 };
	int r = nf_read(nf, 16, NULL, &held);

	if (r < 0)
		return r;
	list_foreign(held, &status->foreign);
	status->wrong_settings = wall_settings_check(&status->settings);
	status->state = STATE_OTHER;
	if (!ruleset_find_table(held, RULESET_INET, WALL_TABLE) &&
	    !ruleset_find_table(held, RULESET_NETDEV, WALL_TABLE)) {
		status->state = STATE_OPEN;
		return 0;
	}
	r = compile_seal(&seal);
	if (r == 0)
		r = compare_with(nf, seal, &ignored);
	if (r == 0)
		status->state = STATE_SEALED;
	if (r != -ESTALE && r != -ENOENT)
		return r;
	if (!policy)
		return 0;
	r = compile_policy(policy, &wanted);
	if (r == 0)
		r = compare_with(nf, wanted, &status->difference);
	if (r == 0)
		status->state = STATE_ENFORCED;
	else if (r == -ENOENT)
		buf_puts(&status->difference, "one of its two tables is missing");
	return r == -ESTALE || r == -ENOENT ? 0 : r;
}

static void print_text(const struct status *status, const char *path, struct buf *out)
{
	switch (status->state) {
	case STATE_OPEN:
		buf_puts(out, "Open: Lethe enforces nothing in this network namespace.\n");
		break;
	case STATE_SEALED:
		buf_puts(out, "Sealed: nothing passes, loopback included.\n");
		break;
	case STATE_ENFORCED:
		buf_printf(out, "Enforced: the kernel holds exactly what %s says.\n", path);
		break;
	case STATE_OTHER:
		buf_printf(out, "Different: rules of Lethe's are in force, but not those of %s%s%s.\n",
			   path, status->difference.len ? ": " : "", buf_text(&status->difference));
		break;
	}
	if (status->settings.len > 0 && status->state != STATE_OPEN)
		buf_printf(out, "Kernel settings otherwise than the claims need: %s.\n",
			   buf_text(&status->settings));
	if (status->foreign.len > 0)
		buf_printf(out, "Tables of others: %s.\n", buf_text(&status->foreign));
}

static void print_json(const struct status *status, const char *path, struct buf *out)
{
	struct json json = { .out = out };

	json_object_begin(&json, NULL);
	json_string(&json, "state", state_names[status->state]);
	json_string(&json, "policy", path);
	json_bool(&json, "policy_good", !status->policy_bad);
	json_string(&json, "difference", buf_text(&status->difference));
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
	buf_done(&status.difference);
	buf_done(&status.foreign);
	buf_done(&status.settings);
	if (r < 0)
		return WALL_FAILED;
	return wall_write(&out, status.state == STATE_ENFORCED && status.wrong_settings == 0
					? WALL_OK
					: WALL_NO);
}

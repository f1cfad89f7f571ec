/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The verbs that change what is enforced: apply, seal, open. */
#include "wall.h"

#include "compile.h"

#include <fcntl.h>
#include <base/json.h>
#include <string.h>
#include <sys/stat.h>

int wall_seal_now(const struct wall_options *options, struct nf_socket *nf, struct diag *diag)
{
	CLEANUP(ruleset_freep) struct ruleset *ruleset = NULL;
	AUTO_BUF struct buf difference = { .cap = 4096 };
	int r = compile_seal(&ruleset);

	if (r < 0) {
		diag_set(diag, NULL, 0, 0, "cannot make the rules that seal: %s", strerror(-r));
		return r;
	}
	r = wall_enforce(options, nf, ruleset, diag, &difference);
	if (r == -ESTALE)
		diag_set(diag, NULL, 0, 0, "the kernel holds something else than the seal: %s",
			 buf_text(&difference));
	return r;
}

static int complain_failed(const struct wall_options *options, struct diag *diag, int error)
{
	if (!diag->message[0])
		diag_set(diag, NULL, 0, 0, "the system refused: %s", strerror(-error));
	wall_complain_diag(options, diag);
	return WALL_FAILED;
}

/* What was loaded is not what was meant. Nobody can say what it lets out: close everything. */
static int after_mismatch(const struct wall_options *options, struct nf_socket *nf,
			  const char *difference)
{
	struct diag diag = { 0 }, seal_diag = { 0 };
	int r = wall_seal_now(options, nf, &seal_diag);

	diag_set(&diag, NULL, 0, 0, "what the kernel holds is not what was sent: %s", difference);
	if (r == 0)
		diag_hint(&diag, "the network is sealed; is another program changing the table '%s'?",
			  NF_TABLE);
	else
		diag_hint(&diag, "sealing failed too: %.200s", seal_diag.message);
	wall_complain_diag(options, &diag);
	return WALL_FAILED;
}

static int lock_and_open(const struct wall_options *options, int *ret_lock,
			 struct nf_socket **ret_nf)
{
	int r = wall_lock(options, 0, ret_lock);

	if (r < 0) {
		wall_complain(r, "cannot lock this network namespace");
		return WALL_FAILED;
	}
	r = nf_open(ret_nf);
	if (r < 0) {
		wall_complain(r, "cannot open the kernel's nftables socket");
		return WALL_FAILED;
	}
	return WALL_OK;
}

/* Settings and flows: the filter holds already, so a failure is told, not undone. */
static int after_install(const struct wall_options *options, const struct policy *policy,
			 size_t *ret_ended)
{
	struct diag diag = { 0 };
	int status = WALL_OK;
	int r = wall_settings_apply(&diag);

	if (r < 0) {
		wall_warn(0, "%s; the filter is in force all the same", diag.message);
		status = WALL_FAILED;
	}
	r = wall_end_flows(policy, ret_ended);
	if (r < 0) {
		wall_warn(r, "the filter is in force, but connections that the policy does not "
			     "allow could not all be ended");
		status = WALL_FAILED;
	}
	return status;
}

/* @complete: settings and connections, too, are as the policy wants them. */
static int report_applied(const struct wall_options *options, const char *path, bool complete,
			  size_t ended)
{
	AUTO_BUF struct buf out = { .cap = WALL_OUTPUT_MAX };
	struct json json = { .out = &out };

	if (options->quiet && !options->json)
		return WALL_OK;
	if (options->json) {
		json_object_begin(&json, NULL);
		json_string(&json, "state", "enforced");
		json_string(&json, "policy", path);
		json_bool(&json, "complete", complete);
		json_number(&json, "flows_ended", (int64_t)ended);
		json_object_end(&json);
		buf_puts(&out, "\n");
	} else {
		buf_printf(&out, "%s is enforced; what the kernel holds was read back and compared.\n",
			   path);
		if (ended > 0)
			buf_printf(&out, "%zu connection%s that it does not allow %s ended.\n", ended,
				   ended == 1 ? "" : "s", ended == 1 ? "was" : "were");
	}
	return wall_write(&out, WALL_OK);
}

static int report_sent(const struct wall_options *options)
{
	AUTO_BUF struct buf out = { .cap = WALL_OUTPUT_MAX };
	struct json json = { .out = &out };

	if (options->json) {
		json_object_begin(&json, NULL);
		json_string(&json, "state", "sent");
		json_string(&json, "batch", options->batch);
		json_object_end(&json);
		buf_puts(&out, "\n");
	} else if (!options->quiet) {
		buf_printf(&out, "The batch %s is in force.\n", options->batch);
	}
	return wall_write(&out, WALL_OK);
}

/* It is sent as it is where that works: what it would replace may have outlived its owner, and then it
 * is sent anew. */
static int send_batch(const struct wall_options *options, struct nf_socket *nf,
		      const struct buf *batch, struct diag *diag)
{
	CLEANUP(ruleset_freep) struct ruleset *ruleset = NULL;
	AUTO_BUF struct buf difference = { .cap = 4096 };
	int r;

	if (wall_has_guard(options))
		return wall_ask(options, GUARD_INSTALL, batch, diag);
	r = nf_batch_send(nf, batch->data, batch->len, diag);
	if (r != -EOPNOTSUPP || nf_batch_read(batch->data, batch->len, &ruleset) < 0)
		return r;
	r = nf_install(nf, ruleset, 0, diag, &difference, NULL);
	if (r == -ESTALE)
		diag_set(diag, NULL, 0, 0, "what the kernel holds is not what was sent: %s",
			 buf_text(&difference));
	return r;
}

/* A stored batch: checked to touch Lethe's own tables only, then sent as it is. */
static int apply_batch(const struct wall_options *options)
{
	CLEANUP(nf_closep) struct nf_socket *nf = NULL;
	AUTO_CLOSE int lock = -EBADF;
	AUTO_CLOSE int fd = open(options->batch, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	AUTO_FREE char *data = NULL;
	struct diag diag = { 0 };
	struct stat status;
	ssize_t len;
	int r;

	if (fd < 0 || fstat(fd, &status) < 0) {
		wall_complain(neg_errno(), "cannot read the batch '%s'", options->batch);
		return WALL_BAD;
	}
	if (!S_ISREG(status.st_mode) || status.st_size <= 0 || status.st_size > NF_BATCH_MAX) {
		wall_complain(0, "the batch '%s' is not a regular file of a sensible size",
			      options->batch);
		return WALL_BAD;
	}
	data = malloc((size_t)status.st_size);
	if (!data) {
		wall_complain(-ENOMEM, "cannot read the batch '%s'", options->batch);
		return WALL_FAILED;
	}
	len = read(fd, data, (size_t)status.st_size);
	if (len != status.st_size || nf_batch_check(data, (size_t)len, NF_TABLE) < 0) {
		wall_complain(0, "the batch '%s' is damaged, or is not one of 'lethe-wall compile'",
			      options->batch);
		return WALL_BAD;
	}
	r = lock_and_open(options, &lock, &nf);
	if (r != WALL_OK)
		return r;
	r = send_batch(options, nf, &(struct buf){ .data = data, .len = (size_t)len }, &diag);
	return r < 0 ? complain_failed(options, &diag, r) : report_sent(options);
}

int wall_apply(const struct wall_options *options, char **words)
{
	const char *path = words[0] ? words[0] : options->policy;
	CLEANUP(policy_freep) struct policy *policy = NULL;
	CLEANUP(ruleset_freep) struct ruleset *ruleset = NULL;
	CLEANUP(nf_closep) struct nf_socket *nf = NULL;
	AUTO_BUF struct buf difference = { .cap = 4096 };
	AUTO_CLOSE int lock = -EBADF;
	struct diag diag = { 0 };
	size_t ended = 0;
	int r, status;

	if (options->batch)
		return apply_batch(options);
	status = wall_load(options, path, &policy);
	if (status != WALL_OK)
		return status;
	r = compile_policy(policy, &ruleset);
	if (r < 0) {
		wall_complain(r, "cannot compile %s", path);
		return WALL_FAILED;
	}
	status = lock_and_open(options, &lock, &nf);
	if (status != WALL_OK)
		return status;
	r = wall_enforce(options, nf, ruleset, &diag, &difference);
	if (r == -ESTALE)
		return after_mismatch(options, nf, buf_text(&difference));
	if (r < 0)
		return complain_failed(options, &diag, r);
	status = after_install(options, policy, &ended);
	r = report_applied(options, path, status == WALL_OK, ended);
	return status != WALL_OK ? status : r;
}

int wall_seal(const struct wall_options *options, char **words)
{
	CLEANUP(nf_closep) struct nf_socket *nf = NULL;
	AUTO_CLOSE int lock = -EBADF;
	struct diag diag = { 0 };
	int r = lock_and_open(options, &lock, &nf);

	(void)words;
	if (r != WALL_OK)
		return r;
	r = wall_seal_now(options, nf, &diag);
	if (r < 0)
		return complain_failed(options, &diag, r);
	if (options->json)
		puts("{\"state\":\"sealed\"}");
	else if (!options->quiet)
		puts("Sealed: nothing passes, loopback included.");
	return WALL_OK;
}

static bool confirmed(void)
{
	char answer[16] = "";

	if (!isatty(STDIN_FILENO)) {
		wall_complain(0, "open removes all protection; without a terminal to ask at, say --yes");
		return false;
	}
	fputs("This removes all enforcement: every program may reach the Internet directly.\n"
	      "Type 'open' to do that: ",
	      stderr);
	if (!fgets(answer, sizeof(answer), stdin))
		return false;
	if (strcmp(answer, "open\n") == 0)
		return true;
	wall_complain(0, "nothing was changed");
	return false;
}

int wall_open(const struct wall_options *options, char **words)
{
	CLEANUP(ruleset_freep) struct ruleset *ruleset = NULL;
	CLEANUP(nf_closep) struct nf_socket *nf = NULL;
	AUTO_CLOSE int lock = -EBADF;
	struct diag diag = { 0 };
	int r;

	(void)words;
	if (!options->yes && !confirmed())
		return WALL_BAD;
	r = compile_seal(&ruleset); /* for the names of its tables */
	if (r < 0) {
		wall_complain(r, "cannot build the batch");
		return WALL_FAILED;
	}
	r = lock_and_open(options, &lock, &nf);
	if (r != WALL_OK)
		return r;
	r = wall_has_guard(options) ? wall_ask(options, GUARD_OPEN, NULL, &diag)
				    : nf_uninstall(nf, ruleset, &diag);
	if (r < 0)
		return complain_failed(options, &diag, r);
	if (options->json)
		puts("{\"state\":\"open\"}");
	else if (!options->quiet)
		puts("Open: Lethe enforces nothing in this network namespace.");
	return WALL_OK;
}

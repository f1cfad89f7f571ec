/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The verbs that only read: check and compile. */
#include "wall.h"

#include "compile.h"

#include <fcntl.h>
#include <base/json.h>
#include <string.h>
#include <sys/stat.h>

int wall_check(const struct wall_options *options, char **words)
{
	const char *path = words[0] ? words[0] : options->policy;
	CLEANUP(policy_freep) struct policy *policy = NULL;
	AUTO_BUF struct buf out = { .cap = WALL_OUTPUT_MAX };
	struct json json = { .out = &out };
	int status = wall_load(options, path, &policy);

	if (status != WALL_OK || (options->quiet && !options->json))
		return status;
	if (options->json) {
		json_object_begin(&json, NULL);
		json_string(&json, "policy", path);
		json_bool(&json, "good", true);
		json_number(&json, "users", (int64_t)policy->user_count);
		json_number(&json, "networks", (int64_t)policy->network_count);
		json_number(&json, "grants", (int64_t)policy->grant_count);
		json_number(&json, "services", (int64_t)policy->service_count);
		json_object_end(&json);
		buf_puts(&out, "\n");
	} else {
		buf_printf(&out, "%s: good: %zu users, %zu grants, %zu local services.\n", path,
			   policy->user_count, policy->grant_count, policy->service_count);
	}
	return wall_write(&out, WALL_OK);
}

/* The file is written anew, never through a link that somebody left there. */
static int write_batch(const char *path, const struct buf *batch)
{
	AUTO_CLOSE int fd = -EBADF;
	size_t at = 0;

	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return neg_errno();
	while (at < batch->len) {
		ssize_t len = write(fd, batch->data + at, batch->len - at);

		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0)
			return neg_errno();
		at += (size_t)len;
	}
	return 0;
}

/* For the kernel it is compiled on, or any with binding by prefix (>= 6.18). */
static int compile_batch(const struct wall_options *options, const struct ruleset *ruleset)
{
	struct nf_batch_options how = { .device_prefix = true };
	AUTO_BUF struct buf batch = { .cap = NF_BATCH_MAX };
	AUTO_BUF struct buf out = { .cap = WALL_OUTPUT_MAX };
	struct json json = { .out = &out };
	int r = nf_batch_build(ruleset, &how, &batch);

	if (r == 0)
		r = write_batch(options->batch, &batch);
	if (r < 0) {
		wall_complain(r, "cannot write the batch to '%s'", options->batch);
		return WALL_FAILED;
	}
	if (options->json) {
		json_object_begin(&json, NULL);
		json_string(&json, "batch", options->batch);
		json_number(&json, "bytes", (int64_t)batch.len);
		json_object_end(&json);
		buf_puts(&out, "\n");
	} else if (!options->quiet) {
		buf_printf(&out, "%zu bytes in %s.\n", batch.len, options->batch);
	}
	return wall_write(&out, WALL_OK);
}

int wall_compile(const struct wall_options *options, char **words)
{
	const char *path = words[0] ? words[0] : options->policy;
	CLEANUP(policy_freep) struct policy *policy = NULL;
	CLEANUP(ruleset_freep) struct ruleset *ruleset = NULL;
	AUTO_BUF struct buf out = { .cap = WALL_OUTPUT_MAX };
	AUTO_BUF struct buf listing = { .cap = WALL_OUTPUT_MAX };
	struct json json = { .out = &out };
	int status = wall_load(options, path, &policy);
	int r;

	if (status != WALL_OK)
		return status;
	r = compile_policy(policy, &ruleset);
	if (r < 0) {
		wall_complain(r, "cannot compile %s", path);
		return WALL_FAILED;
	}
	if (options->batch)
		return compile_batch(options, ruleset);
	ruleset_print(ruleset, &listing);
	if (buf_finish(&listing) < 0)
		return wall_write(&listing, WALL_OK);
	if (!options->json)
		return wall_write(&listing, WALL_OK);
	json_object_begin(&json, NULL);
	json_string(&json, "policy", path);
	json_string(&json, "listing", buf_text(&listing));
	json_object_end(&json);
	buf_puts(&out, "\n");
	return wall_write(&out, WALL_OK);
}

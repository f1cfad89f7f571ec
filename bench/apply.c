/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * How long it takes until a policy is in force, part by part, in this network namespace.
 *
 *   bench-apply RUNS POLICY PASSWD [NAME COMMAND]...
 *
 * In process: each step of `lethe-wall apply`, as its own file takes it. As a command: from before
 * the process starts until it has ended with success; COMMAND is split at blanks, no shell is
 * involved. All are taken in turns. Prints "NAME RUN NANOSECONDS" of the clock on the wall.
 */
#include "measure.h"

#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>

#include <nf/nf.h>
#include <policy/policy.h>
#include <wall/compile.h>
#include <wall/wall.h>

#define WORDS_MAX 32

struct inside {
	const char *policy_path;
	struct policy_options how;
	struct policy *policy;
	struct ruleset *ruleset;
	struct nf_socket *nf;
	struct nf_batch_options options;
	struct buf batch;
};

static void sample(const char *name, uint64_t run, uint64_t start)
{
	printf("%s %llu %llu\n", name, (unsigned long long)run,
	       (unsigned long long)(wall_now() - start));
}

static void load_and_compile(struct inside *inside, uint64_t run)
{
	CLEANUP(policy_freep) struct policy *policy = NULL;
	CLEANUP(ruleset_freep) struct ruleset *ruleset = NULL;
	struct diag diag = { 0 };
	uint64_t start = wall_now();
	int r = policy_load(inside->policy_path, &inside->how, &diag, &policy);

	if (r < 0)
		fail(r, "%s:%u: %s", diag.file, diag.line, diag.message);
	sample("load", run, start);
	start = wall_now();
	r = compile_policy(policy, &ruleset);
	if (r < 0)
		fail(r, "compile_policy");
	sample("compile", run, start);
	ruleset_free(inside->ruleset);
	policy_free(inside->policy);
	inside->ruleset = TAKE_PTR(ruleset);
	inside->policy = TAKE_PTR(policy);
}

static void probe(struct inside *inside, uint64_t run)
{
	uint64_t start = wall_now();
	int r = nf_probe_device_prefix(inside->nf, &inside->options.device_prefix);

	sample("probe", run, start);
	if (r < 0)
		fail(r, "nf_probe_device_prefix");
}

static void build_and_send(struct inside *inside, uint64_t run)
{
	struct diag diag = { 0 };
	uint64_t start = wall_now(), built;
	int r;

	buf_done(&inside->batch);
	r = nf_batch_build(inside->ruleset, &inside->options, &inside->batch);
	if (r < 0)
		fail(r, "nf_batch_build");
	built = wall_now();
	r = nf_batch_send(inside->nf, inside->batch.data, inside->batch.len, &diag);
	if (r < 0)
		fail(r, "%s", diag.message);
	sample("send", run, built);
	sample("build+send", run, start);
}

static void read_back(struct inside *inside, uint64_t run)
{
	AUTO_BUF struct buf difference = { .cap = 4096 };
	uint64_t start = wall_now();
	int r = wall_compare(inside->nf, inside->ruleset, &difference);

	sample("read-back", run, start);
	if (r < 0)
		fail(r, "the kernel holds something else: %s", buf_text(&difference));
}

/* Everything between the compiled ruleset and certainty: probe, build, send, read back, compare. */
static void install(struct inside *inside, uint64_t run)
{
	AUTO_BUF struct buf difference = { .cap = 4096 };
	struct diag diag = { 0 };
	uint64_t start = wall_now();
	int r = wall_install(inside->nf, inside->ruleset, &diag, &difference);

	sample("install", run, start);
	if (r < 0)
		fail(r, "wall_install: %s%s", diag.message, buf_text(&difference));
}

static void settings_and_flows(struct inside *inside, uint64_t run)
{
	struct diag diag = { 0 };
	size_t ended = 0;
	uint64_t start = wall_now();
	int r = wall_settings_apply(&diag);

	if (r < 0)
		fail(r, "%s", diag.message);
	sample("settings", run, start);
	start = wall_now();
	r = wall_end_flows(inside->policy, &ended);
	if (r < 0)
		fail(r, "wall_end_flows");
	sample("flows", run, start);
}

static void command(const char *name, const char *text, uint64_t run)
{
	AUTO_FREE char *copy = strdup(text);
	char *words[WORDS_MAX + 1] = { 0 }, *rest = copy;
	posix_spawn_file_actions_t actions;
	size_t count = 0;
	uint64_t start;
	int status, r;
	pid_t child;

	while (rest && count < WORDS_MAX)
		words[count++] = strsep(&rest, " ");
	if (!copy || rest || posix_spawn_file_actions_init(&actions) ||
	    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0))
		fail(0, "%s: cannot prepare '%s'", name, text);
	start = wall_now();
	r = posix_spawnp(&child, words[0], &actions, NULL, words, environ);
	if (r)
		fail(-r, "%s: %s", name, words[0]);
	if (waitpid(child, &status, 0) != child)
		fail(neg_errno(), "waitpid");
	sample(name, run, start);
	posix_spawn_file_actions_destroy(&actions);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		fail(0, "%s: '%s' ended with status %d", name, text, status);
}

int main(int argc, char **argv)
{
	struct inside inside = { .batch = { .cap = NF_BATCH_MAX } };
	uint64_t runs;
	int r;

	if (argc < 4 || argc % 2 != 0)
		fail(0, "RUNS POLICY PASSWD [NAME COMMAND]...");
	runs = number_of(argv[1], 1000000);
	inside.policy_path = argv[2];
	inside.how.passwd = argv[3];
	r = nf_open(&inside.nf);
	if (r < 0)
		fail(r, "nf_open");
	for (uint64_t run = 0; run < runs; run++) {
		load_and_compile(&inside, run);
		probe(&inside, run);
		build_and_send(&inside, run);
		read_back(&inside, run);
		install(&inside, run);
		settings_and_flows(&inside, run);
		for (int i = 4; i < argc; i += 2)
			command(argv[i], argv[i + 1], run);
	}
	buf_done(&inside.batch);
	ruleset_free(inside.ruleset);
	policy_free(inside.policy);
	nf_close(inside.nf);
	return 0;
}

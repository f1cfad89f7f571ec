/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * How long it takes until a policy is in force, part by part, in this network namespace.
 *
 *   bench-apply RUNS POLICY PASSWD [NAME COMMAND]...
 *
 * In process: each step of `lethe-wall apply`, as its own file takes it. As a command: from before
 * the process starts until it has ended with success; COMMAND is split at blanks, no shell is
 * involved. Each kind is taken in turns. Prints "NAME RUN NANOSECONDS-OF-CLOCK NANOSECONDS-OF-PROCESSOR",
 * and for a command that says something, as NAME-said, when it began to.
 */
#include "measure.h"

#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/resource.h>
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

struct start {
	uint64_t wall, cpu;
};

static struct start start_now(void)
{
	return (struct start){ wall_now(), cpu_now() };
}

static void print(const char *name, uint64_t run, uint64_t wall, uint64_t cpu)
{
	printf("%s %llu %llu %llu\n", name, (unsigned long long)run, (unsigned long long)wall,
	       (unsigned long long)cpu);
}

static void sample(const char *name, uint64_t run, struct start start)
{
	print(name, run, wall_now() - start.wall, cpu_now() - start.cpu);
}

static void load_and_compile(struct inside *inside, uint64_t run)
{
	CLEANUP(policy_freep) struct policy *policy = NULL;
	CLEANUP(ruleset_freep) struct ruleset *ruleset = NULL;
	struct diag diag = { 0 };
	struct start start = start_now();
	int r = policy_load(inside->policy_path, &inside->how, &diag, &policy);

	if (r < 0)
		fail(r, "%s:%u: %s", diag.file, diag.line, diag.message);
	sample("load", run, start);
	start = start_now();
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
	struct start start = start_now();
	int r = nf_probe_device_prefix(inside->nf, &inside->options.device_prefix);

	sample("probe", run, start);
	if (r < 0)
		fail(r, "nf_probe_device_prefix");
}

static void build_and_send(struct inside *inside, uint64_t run)
{
	struct diag diag = { 0 };
	struct start start = start_now(), built;
	int r;

	buf_done(&inside->batch);
	r = nf_batch_build(inside->ruleset, &inside->options, &inside->batch);
	if (r < 0)
		fail(r, "nf_batch_build");
	built = start_now();
	r = nf_batch_send(inside->nf, inside->batch.data, inside->batch.len, &diag);
	if (r < 0)
		fail(r, "%s", diag.message);
	sample("send", run, built);
	sample("build+send", run, start);
}

static void read_back(struct inside *inside, uint64_t run)
{
	AUTO_BUF struct buf difference = { .cap = 4096 };
	struct start start = start_now();
	int r = nf_held_verify(inside->nf, inside->ruleset, &difference);

	sample("read-back", run, start);
	if (r < 0)
		fail(r, "the kernel holds something else: %s", buf_text(&difference));
}

/* Everything between the compiled ruleset and certainty: probe, build, send, read back, compare. */
static void install(struct inside *inside, uint64_t run)
{
	AUTO_BUF struct buf difference = { .cap = 4096 };
	struct diag diag = { 0 };
	struct start start = start_now();
	int r = nf_install(inside->nf, inside->ruleset, 0, &diag, &difference, NULL);

	sample("install", run, start);
	if (r < 0)
		fail(r, "nf_install: %s%s", diag.message, buf_text(&difference));
}

static void settings_and_flows(struct inside *inside, uint64_t run)
{
	struct diag diag = { 0 };
	size_t ended = 0;
	struct start start = start_now();
	int r = wall_settings_apply(&diag);

	if (r < 0)
		fail(r, "%s", diag.message);
	sample("settings", run, start);
	start = start_now();
	r = wall_end_flows(inside->policy, &ended);
	if (r < 0)
		fail(r, "wall_end_flows");
	sample("flows", run, start);
}

static uint64_t nanoseconds(const struct timeval *time)
{
	return (uint64_t)time->tv_sec * 1000000000u + (uint64_t)time->tv_usec * 1000u;
}

/* Read all that is said. Returns when the first of it came, or 0. */
static uint64_t listen_to(int fd)
{
	uint64_t first = 0;
	char text[4096];
	ssize_t len;

	while ((len = read(fd, text, sizeof(text))) > 0)
		if (first == 0)
			first = wall_now();
	if (len < 0)
		fail(neg_errno(), "read");
	return first;
}

/* Starts @words with standard output into a pipe, whose other end is returned. */
static int start_command(char **words, pid_t *ret_child)
{
	posix_spawn_file_actions_t actions;
	int ends[2], r;

	if (pipe2(ends, O_CLOEXEC) < 0)
		fail(neg_errno(), "pipe2");
	if (posix_spawn_file_actions_init(&actions) ||
	    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO))
		fail(0, "cannot prepare a command");
	r = posix_spawnp(ret_child, words[0], &actions, NULL, words, environ);
	if (r)
		fail(-r, "%s", words[0]);
	posix_spawn_file_actions_destroy(&actions);
	close(ends[1]);
	return ends[0];
}

static void command(const char *name, const char *text, uint64_t run)
{
	AUTO_FREE char *copy = strdup(text);
	char *words[WORDS_MAX + 1] = { 0 }, *rest = copy, said[64];
	AUTO_CLOSE int fd = -EBADF;
	struct rusage usage;
	uint64_t start, first;
	size_t count = 0;
	pid_t child;
	int status;

	while (rest && count < WORDS_MAX)
		words[count++] = strsep(&rest, " ");
	if (!copy || rest)
		fail(0, "%s: too many words in '%s'", name, text);
	start = wall_now();
	fd = start_command(words, &child);
	first = listen_to(fd);
	if (wait4(child, &status, 0, &usage) != child)
		fail(neg_errno(), "wait4");
	print(name, run, wall_now() - start,
	      nanoseconds(&usage.ru_utime) + nanoseconds(&usage.ru_stime));
	snprintf(said, sizeof(said), "%s-said", name);
	if (first)
		print(said, run, first - start, 0);
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
	}
	/* Afterwards: the end of a process waits for what the kernel has left to clear away. */
	for (uint64_t run = 0; run < runs; run++)
		for (int i = 4; i < argc; i += 2)
			command(argv[i], argv[i + 1], run);
	buf_done(&inside.batch);
	ruleset_free(inside.ruleset);
	policy_free(inside.policy);
	nf_close(inside.nf);
	return 0;
}

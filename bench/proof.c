/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * How long the proof of a policy takes, and what memory: of rules that this namespace's kernel holds.
 *
 *   bench-proof RUNS POLICY PASSWD
 *
 * Puts the policy in force, then takes in turns: reading everything back, and proving it. Prints "NAME
 * RUN NANOSECONDS-OF-CLOCK NANOSECONDS-OF-PROCESSOR"; "nodes" with the number of nodes of decision
 * diagrams, "rules" with the number of rules and elements, "memory" with the process's peak in KiB.
 */
#include "measure.h"

#include <string.h>
#include <sys/resource.h>

#include <nf/nf.h>
#include <policy/policy.h>
#include <proof/proof.h>
#include <wall/compile.h>
#include <wall/wall.h>

static const struct proof_device devices[] = {{"lo", 1, 772}, {"eth0", 2, 1}};

static void print(const char *name, uint64_t run, uint64_t wall, uint64_t cpu)
{
	printf("%s %llu %llu %llu\n", name, (unsigned long long)run, (unsigned long long)wall,
	       (unsigned long long)cpu);
}

static void install(struct nf_socket *nf, const struct policy *policy)
{
	CLEANUP(ruleset_freep) struct ruleset *ruleset = NULL;
	AUTO_BUF struct buf difference = {.cap = 4096};
	struct diag diag = {0};
	int r = compile_policy(policy, &ruleset);

	if (r == 0)
		r = nf_install(nf, ruleset, 0, &diag, &difference, NULL);
	if (r < 0)
		fail(r, "cannot install the rules: %s%s", diag.message, buf_text(&difference));
}

static size_t parts_of(const struct ruleset *ruleset)
{
	size_t parts = 0;

	for (size_t t = 0; t < ruleset->table_count; t++) {
		for (size_t c = 0; c < ruleset->tables[t].chain_count; c++)
			parts += ruleset->tables[t].chains[c].rule_count;
		for (size_t s = 0; s < ruleset->tables[t].set_count; s++)
			parts += ruleset->tables[t].sets[s].element_count;
	}
	return parts;
}

static void once(struct nf_socket *nf, const struct policy *policy, uint64_t run)
{
	const struct proof_options how = {.devices = devices, .device_count = ARRAY_SIZE(devices)};
	CLEANUP(proof_result_done) struct proof_result result = {0};
	CLEANUP(ruleset_freep) struct ruleset *held = NULL;
	uint64_t wall = wall_now(), cpu = cpu_now();
	int r = nf_read(nf, 16, NULL, &held);

	if (r < 0)
		fail(r, "nf_read");
	print("read", run, wall_now() - wall, cpu_now() - cpu);
	wall = wall_now();
	cpu = cpu_now();
	r = proof_compare(policy, held, &how, &result);
	if (r < 0)
		fail(r, "proof_compare");
	print("prove", run, wall_now() - wall, cpu_now() - cpu);
	if (result.answer != PROOF_PROVED)
		fail(-EINVAL, "it is not proved: %s", buf_text(&result.reason));
	print("nodes", run, result.nodes, 0);
	print("rules", run, parts_of(held), 0);
}

int main(int argc, char **argv)
{
	CLEANUP(policy_freep) struct policy *policy = NULL;
	CLEANUP(nf_closep) struct nf_socket *nf = NULL;
	struct rusage usage;
	struct diag diag = {0};
	uint64_t runs;
	int r;

	if (argc != 4)
		fail(-EINVAL, "usage: bench-proof RUNS POLICY PASSWD");
	runs = number_of(argv[1], 1000000);
	r = policy_load(argv[2], &(struct policy_options){.passwd = argv[3]}, &diag, &policy);
	if (r < 0)
		fail(r, "%s:%u: %s", diag.file, diag.line, diag.message);
	r = nf_open(&nf);
	if (r < 0)
		fail(r, "nf_open");
	install(nf, policy);
	for (uint64_t run = 0; run < runs; run++)
		once(nf, policy, run);
	if (getrusage(RUSAGE_SELF, &usage) == 0)
		print("memory", 0, (uint64_t)usage.ru_maxrss, 0);
	return 0;
}

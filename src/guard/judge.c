/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Does what the kernel holds, tables of others included, let out more than the policy? A proof
 * takes longer than an eye may be closed, and more memory than a resident process should have, so a
 * process is split off for it. It reads the rules over a socket of its own, answers with one
 * record, and ends; should the guard die, it dies with it, or its copies of the sockets would keep
 * the tables owned.
 */
#include "resident.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <os/sandbox.h>
#include <os/surroundings.h>
#include <policy/policy.h>
#include <proof/proof.h>

#define READ_TRIES 8
#define OOM_FIRST  "1000" /* of oom_score_adj, see proc_pid_oom_score_adj(5) */

struct answer {
	enum resident_judgement judgement;
	bool basis;
	char outside[RESIDENT_WHAT_MAX];
};

/* ---- in the process that was split off ---- */

static bool is_named(const struct ruleset *ruleset, const char *device)
{
	for (size_t t = 0; t < ruleset->table_count; t++)
		for (size_t c = 0; c < ruleset->tables[t].chain_count; c++) {
			const struct ruleset_chain *chain = &ruleset->tables[t].chains[c];

			for (size_t i = 0; i < chain->device_count; i++)
				if (strcmp(chain->devices[i], device) == 0)
					return true;
		}
	return false;
}

/* Nothing leaves by a device that is down, unless it is judged already. */
static struct proof_device *devices_of(const struct surroundings *surroundings,
				       const struct ruleset *ruleset, size_t *ret_count)
{
	struct proof_device *devices = calloc(surroundings->device_count + 1, sizeof(*devices));

	*ret_count = 0;
	for (size_t i = 0; devices && i < surroundings->device_count; i++) {
		const struct surroundings_device *from = &surroundings->devices[i];
		struct proof_device *to = &devices[*ret_count];

		if (!from->up && !is_named(ruleset, from->name))
			continue;
		to->index = from->index;
		to->type = from->type;
		snprintf(to->name, sizeof(to->name), "%s", from->name);
		++*ret_count;
	}
	return devices;
}

enum resident_judgement judge_result(const struct proof_result *result)
{
	if (result->answer == PROOF_PROVED)
		return JUDGEMENT_PROVED;
	if (result->answer == PROOF_UNKNOWN)
		return JUDGEMENT_UNKNOWN;
	switch (result->fault) {
	case PROOF_BLOCKS:
	case PROOF_MANNER:
		return JUDGEMENT_STRICTER;
	case PROOF_NO_FAULT:
	case PROOF_LEAK:
	case PROOF_REWRITES:
	case PROOF_PROXIES:
		break;
	}
	return JUDGEMENT_WEAKER;
}

static enum resident_judgement prove(const struct policy *policy, const struct ruleset *ruleset,
				     const struct surroundings *surroundings)
{
	CLEANUP(proof_result_done) struct proof_result result = {0};
	struct proof_options how = {0};
	AUTO_FREE struct proof_device *devices =
	    devices_of(surroundings, ruleset, &how.device_count);

	how.devices = devices;
	if (!devices || proof_compare(policy, ruleset, &how, &result) < 0)
		return JUDGEMENT_UNKNOWN;
	return judge_result(&result);
}

/* That something cannot be told, for want of rights that this process shall not have, is
 * lethe-proof's to say. */
void judge_outside(const struct surroundings *surroundings, char ret_text[RESIDENT_WHAT_MAX])
{
	for (size_t i = 0; i < surroundings->finding_count; i++) {
		const struct surroundings_finding *finding = &surroundings->findings[i];

		if (finding->kind == SURROUNDINGS_CANNOT_TELL)
			continue;
		snprintf(ret_text, RESIDENT_WHAT_MAX, "%s%s", finding->words,
			 i + 1 < surroundings->finding_count ? ", and more" : "");
		return;
	}
}

static void judge(const struct resident *resident, struct answer *answer)
{
	const struct policy_options how = {.passwd = resident->options->passwd};
	AUTO_SURROUNDINGS struct surroundings surroundings = {0};
	CLEANUP(ruleset_freep) struct ruleset *all = NULL;
	CLEANUP(policy_freep) struct policy *policy = NULL;
	CLEANUP(nf_closep) struct nf_socket *nf = NULL;
	struct diag diag = {0};

	if (nf_open(&nf) < 0 || surroundings_read(&surroundings) < 0)
		return;
	judge_outside(&surroundings, answer->outside);
	if (nf_read(nf, READ_TRIES, NULL, &all) < 0 ||
	    policy_load(resident->options->policy, &how, &diag, &policy) < 0)
		return;
	/* Everything is read. */
	if (sandbox_keep_no_capability() < 0)
		return;
	/* A policy that was edited and not applied says nothing of what is enforced: then there is
	 * nothing to judge by. */
	answer->basis =
	    answer->basis || prove(policy, resident->wanted, &surroundings) == JUDGEMENT_PROVED;
	if (answer->basis)
		answer->judgement = prove(policy, all, &surroundings);
}

/* Where memory is short this process goes first: without a proof the tables are guarded all the
 * same. */
static void give_way(void)
{
	AUTO_CLOSE int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, OOM_FIRST, strlen(OOM_FIRST)) < 0)
		tell("the proof keeps its place when memory is short: %s", strerror(errno));
}

static void child_run(struct resident *resident, int out, pid_t parent)
{
	struct answer answer = {.basis = resident->judge_basis};
	int own[] = {resident->route,   resident->listener, resident->client,
		     resident->signals, resident->names,    resident->notify};

	nf_close(resident->nf);
	nf_close(resident->events);
	for (size_t i = 0; i < ARRAY_SIZE(own); i++)
		closep(&own[i]);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || getppid() != parent)
		_exit(1);
	give_way();
	judge(resident, &answer);
	_exit(write(out, &answer, sizeof(answer)) == sizeof(answer) ? 0 : 1);
}

/* ---- in the guard ---- */

void judge_start(struct resident *resident)
{
	int ends[2];
	pid_t parent = getpid(), pid;

	if (!resident->wanted)
		return;
	if (resident->judge > 0) {
		resident->judge_again = true;
		return;
	}
	resident->judge_again = false;
	if (pipe2(ends, O_CLOEXEC) < 0) {
		tell("cannot have it proved: %s", strerror(errno));
		return;
	}
	pid = fork();
	if (pid == 0) {
		close(ends[0]);
		child_run(resident, ends[1], parent);
	}
	close(ends[1]);
	if (pid < 0) {
		close(ends[0]);
		tell("cannot have it proved: %s", strerror(errno));
		return;
	}
	resident->judge = pid;
	resident->judged = ends[0];
}

/* What the proof found, and the form did not show. */
static void act_on(struct resident *resident, const struct answer *answer)
{
	if (answer->judgement != JUDGEMENT_WEAKER && answer->judgement != JUDGEMENT_UNKNOWN)
		return;
	if (heal_remove_others(resident) > 0) {
		tell("with the tables of others the rules were not the policy");
		resident->judge_again = true;
		return;
	}
	shut_all(resident, "what the kernel holds is proved not to be the policy");
}

void judge_finish(struct resident *resident)
{
	struct answer answer = {0};
	ssize_t got = read(resident->judged, &answer, sizeof(answer));

	if (got < 0 && errno == EINTR)
		return;
	closep(&resident->judged);
	resident->judged = -EBADF;
	(void)waitpid(resident->judge, NULL, 0);
	resident->judge = 0;
	if (got != sizeof(answer)) {
		tell("the proof ended without an answer");
		answer = (struct answer){0};
	}
	/* Of something that has changed since it says nothing. */
	if (!resident->judge_again && resident->wanted) {
		answer.outside[sizeof(answer.outside) - 1] = '\0';
		if (strcmp(resident->outside, answer.outside) != 0 && answer.outside[0])
			tell("outside the rules: %s", answer.outside);
		memcpy(resident->outside, answer.outside, sizeof(resident->outside));
		resident->judgement = answer.judgement;
		resident->judge_basis = answer.basis;
		act_on(resident, &answer);
	}
	if (resident->judge_again)
		judge_start(resident);
	tell_status(resident);
}

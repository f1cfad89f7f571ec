/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the verbs of lethe-wall share. */
#pragma once

#include <stdbool.h>

#include <base/buf.h>
#include <base/diag.h>
#include <guard/guard.h>
#include <nf/held.h>
#include <nf/nf.h>
#include <policy/policy.h>
#include <ruleset/ruleset.h>

#define WALL_DEFAULT_POLICY "/etc/lethe/policy.conf"
#define WALL_DEFAULT_PASSWD "/etc/passwd"
#define WALL_OUTPUT_MAX	    (256u << 20) /* bytes of one verb's output */

/* Exit statuses, as in lethe-wall(8). */
enum wall_exit {
	WALL_OK = 0,
	WALL_NO = 1,	 /* the answer is no: denied, different, not enforced */
	WALL_BAD = 2,	 /* the policy or the command line is wrong; nothing was changed */
	WALL_FAILED = 3, /* the kernel or the system refused */
};

struct wall_options {
	const char *policy; /* never NULL */
	const char *passwd; /* never NULL */
	const char *batch;  /* file of a precompiled batch, or NULL */
	const char *protocol; /* for explain, or NULL */
	bool json, yes, quiet;
	unsigned source_port; /* for explain; 0: any */
	struct guard_client *guard; /* borrowed; for verbs that change what is enforced */
};

/* A verb gets the words after it, NULL-terminated and counted, and answers an exit status. */
struct wall_verb {
	const char *name;
	int least, most; /* words after it */
	bool changes; /* what is enforced: the guard is asked, if there is one */
	int (*run)(const struct wall_options *options, char **words);
};

int wall_check(const struct wall_options *options, char **words);
int wall_compile(const struct wall_options *options, char **words);
int wall_apply(const struct wall_options *options, char **words);
int wall_seal(const struct wall_options *options, char **words);
int wall_cover(const struct wall_options *options, char **words);
int wall_open(const struct wall_options *options, char **words);
int wall_status(const struct wall_options *options, char **words);
int wall_explain(const struct wall_options *options, char **words);
int wall_diff(const struct wall_options *options, char **words);

/* Print "lethe-wall: what: why" to standard error; @error is a negative errno, or 0 for none.
 * wall_complain() is for what ends a verb: after wall_errors_as_json() it prints an object on standard
 * output too. wall_warn() is for what the verb's own output tells of. */
void wall_complain(int error, const char *format, ...) PRINTF(2, 3);
void wall_warn(int error, const char *format, ...) PRINTF(2, 3);
void wall_errors_as_json(void);
/* Print a diagnostic to standard error and, with --json, as an object on standard output. */
void wall_complain_diag(const struct wall_options *options, const struct diag *diag);
/* Write the buffer to standard output. Returns @status, or WALL_FAILED if it cannot be written. */
int wall_write(struct buf *out, int status);

/* Load the policy at @path. Returns WALL_OK and the policy (to policy_free()), or complains and
 * returns WALL_BAD or WALL_FAILED. */
int wall_load(const struct wall_options *options, const char *path, struct policy **ret_policy);

/* The place of a statement, "policy.conf:12", or "built in". */
void wall_place(const struct policy_place *place, struct buf *out);

/* Connect to lethe-guard, if it lives in this network namespace. Before the sandbox. WALL_OK, also
 * without one; else it complains and returns WALL_FAILED. */
int wall_connect(struct guard_client *ret_guard);
bool wall_has_guard(const struct wall_options *options);

/* Ask it. @batch may be NULL. 0, or -errno with @diag. */
MUST_CHECK int wall_ask(const struct wall_options *options, enum guard_verb verb,
			const struct buf *batch, struct diag *diag);

/* The lock on changing the filter, where no guard does that. @seconds 0: wait as long as it takes. 0 or
 * -errno. */
MUST_CHECK int wall_lock(const struct wall_options *options, unsigned seconds, int *ret_lock);

/* Replace what is enforced by @ruleset: by the guard if there is one, and read back in either case. As
 * nf_install(). */
MUST_CHECK int wall_enforce(const struct wall_options *options, struct nf_socket *nf,
			    const struct ruleset *ruleset, struct diag *diag,
			    struct buf *difference);

/* Replace what is enforced by the seal. As wall_enforce(), with the reason always in @diag. */
MUST_CHECK int wall_seal_now(const struct wall_options *options, struct nf_socket *nf,
			     struct diag *diag);

/* End the TCP flows that @policy does not allow. *ret_ended counts them. 0 or -errno; the filter
 * itself holds in either case. */
MUST_CHECK int wall_end_flows(const struct policy *policy, size_t *ret_ended);

/* Kernel settings that the claims need. wall_settings_apply() writes and reads back each of them;
 * wall_settings_check() counts those that are otherwise and names them in @wrong. Returns 0, or
 * -errno with the setting's name in @diag. */
MUST_CHECK int wall_settings_apply(struct diag *diag);
size_t wall_settings_check(struct buf *wrong);

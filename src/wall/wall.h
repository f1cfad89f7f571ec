/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the verbs of lethe-wall share. */
#pragma once

#include <stdbool.h>

#include <base/buf.h>
#include <base/diag.h>
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
};

/* A verb gets the words after it, NULL-terminated and counted, and answers an exit status. */
struct wall_verb {
	const char *name;
	int least, most; /* words after it */
	int (*run)(const struct wall_options *options, char **words);
};

int wall_check(const struct wall_options *options, char **words);
int wall_compile(const struct wall_options *options, char **words);
int wall_apply(const struct wall_options *options, char **words);
int wall_seal(const struct wall_options *options, char **words);
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

/* Build and send: replace the two tables by @ruleset in one transaction and read them back.
 * Returns 0; -ESTALE when what was read back differs (@difference says how); or -errno with
 * @diag. Takes no lock. Where the kernel binds chains by device names only, those of @ruleset get
 * the names they were bound by. */
MUST_CHECK int wall_install(struct nf_socket *nf, struct ruleset *ruleset, struct diag *diag,
			    struct buf *difference);

/* Give chains for every device the names of those present: what a kernel without binding by prefix
 * is expected to hold. Does nothing where the kernel has it. 0 or -errno. */
MUST_CHECK int wall_expect_devices(struct nf_socket *nf, struct ruleset *ruleset);

/* Compare what the kernel holds with @ruleset. 0 equal, -ENOENT a table is missing, -ESTALE they
 * differ (@difference says how), or -errno. */
MUST_CHECK int wall_compare(struct nf_socket *nf, const struct ruleset *ruleset,
			    struct buf *difference);

/* End the TCP flows that @policy does not allow. *ret_ended counts them. 0 or -errno; the filter
 * itself holds in either case. */
MUST_CHECK int wall_end_flows(const struct policy *policy, size_t *ret_ended);

/* Kernel settings that the claims need. wall_settings_apply() writes and reads back each of them;
 * wall_settings_check() counts those that are otherwise and names them in @wrong. Returns 0, or
 * -errno with the setting's name in @diag. */
MUST_CHECK int wall_settings_apply(struct diag *diag);
size_t wall_settings_check(struct buf *wrong);

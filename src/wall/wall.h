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

/* The names of devices, sorted. Release with wall_devices_done(). */
struct wall_devices {
	char (*names)[RULESET_DEVICE_MAX];
	size_t count;
};

/* The devices of this network namespace. 0 or -errno. */
MUST_CHECK int wall_devices_list(struct wall_devices *ret_devices);
bool wall_devices_same(const struct wall_devices *a, const struct wall_devices *b);
void wall_devices_done(struct wall_devices *devices);

/* What the kernel binds the egress chain to. */
enum wall_binding {
	WALL_UNBOUND = 0, /* there is no egress chain */
	WALL_BY_NAMES,    /* the devices that were there (kernels before 6.18) */
	WALL_BY_PREFIX,   /* every device, those to come too */
};

/* Lethe's two tables as the kernel holds them. */
struct wall_held {
	struct ruleset *host;   /* inet; one table, or NULL if it is missing */
	struct ruleset *frames; /* netdev; likewise. Its egress chain is said to be for every
				 * device, whatever it is bound to. */
	enum wall_binding binding;
	struct wall_devices uncovered; /* devices present that the egress chain does not judge */
};

/* Read them. 0 and the caller's *ret_held, to release with wall_held_done(); or -errno. */
MUST_CHECK int wall_read_held(struct nf_socket *nf, struct wall_held *ret_held);
void wall_held_done(struct wall_held *held);

/* Compare the rules, leaving aside what they are bound to. 0 equal, or -ESTALE: a table is missing
 * or differs (@difference says how). */
MUST_CHECK int wall_compare_held(const struct ruleset *ruleset, const struct wall_held *held,
				 struct buf *difference);

/* Does the kernel hold @ruleset, for each device that is present? 0, -ESTALE (@difference says why
 * not), or -errno. */
MUST_CHECK int wall_compare(struct nf_socket *nf, const struct ruleset *ruleset,
			    struct buf *difference);

/* Build and send: replace the two tables by @ruleset in one transaction, read them back, and see
 * that each device has its egress chain. Returns 0; -ESTALE when what was read back differs
 * (@difference says how); -EAGAIN when devices came faster than they could be covered; or -errno
 * with @diag, and nothing was changed. Takes no lock. */
MUST_CHECK int wall_install(struct nf_socket *nf, const struct ruleset *ruleset, struct diag *diag,
			    struct buf *difference);

/* Replace what is enforced by the seal. As wall_install(), with the reason always in @diag. */
MUST_CHECK int wall_seal_now(struct nf_socket *nf, struct diag *diag);

/* End the TCP flows that @policy does not allow. *ret_ended counts them. 0 or -errno; the filter
 * itself holds in either case. */
MUST_CHECK int wall_end_flows(const struct policy *policy, size_t *ret_ended);

/* Kernel settings that the claims need. wall_settings_apply() writes and reads back each of them;
 * wall_settings_check() counts those that are otherwise and names them in @wrong. Returns 0, or
 * -errno with the setting's name in @diag. */
MUST_CHECK int wall_settings_apply(struct diag *diag);
size_t wall_settings_check(struct buf *wrong);

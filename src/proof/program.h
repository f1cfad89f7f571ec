/* SPDX-License-Identifier: GPL-3.0-or-later */
/* lethe-proof: reads what the kernel holds, proves, shows. Private to this room. */
#pragma once

#include <base/buf.h>
#include <base/cleanup.h>
#include <nf/nf.h>
#include <os/surroundings.h>
#include <policy/policy.h>
#include <proof/proof.h>

#define PROGRAM_DEFAULT_POLICY "/etc/lethe/policy.conf"
#define PROGRAM_DEFAULT_PASSWD "/etc/passwd"
#define PROGRAM_OUTPUT_MAX     ((size_t)16 << 20)

/* Exit statuses. What could not be read or understood is not proved, and so is a policy that is
 * wrong. */
enum {
	PROGRAM_PROVED = 0,
	PROGRAM_REFUTED = 1,
	PROGRAM_UNKNOWN = 2,
	PROGRAM_USAGE = 2, /* nothing was proved */
};

struct program_options {
	const char *policy, *passwd;
	bool json, quiet;
	bool only_here; /* this network namespace alone */
};

/* ---- gather.c: everything that is read of the system ---- */

/* A network namespace as it was at one moment. */
struct held {
	char name[NETNS_NAME_MAX]; /* "" for the one that the program runs in */
	struct ruleset *ruleset;
	struct surroundings surroundings;
	struct proof_device *devices; /* by which packets can leave: up, or judged by name */
	size_t device_count;
	double seconds; /* that reading took */
};

struct gathered {
	struct held *held; /* this namespace first, then those with a name */
	size_t count;
};

/*
 * Read this namespace and, unless @only_here, each that has a name. Returns 0, or -errno with what
 * was tried in @diag: -EAGAIN, it changed whenever it was read; -EPERM, no right to.
 */
MUST_CHECK int gather(bool only_here, struct diag *diag, struct gathered *ret_gathered);
void gathered_done(struct gathered *gathered);

/* ---- check.c, claims.c, what-if.c: a verb each. They return an exit status. ---- */
int program_check(const struct program_options *options, const struct gathered *gathered,
		  char **words);
int program_claims(const struct program_options *options, const struct gathered *gathered,
		   char **words);
int program_what_if(const struct program_options *options, const struct gathered *gathered,
		    char **words);

/* ---- outside.c: what no rule decides ---- */

/* What lies outside the model of @held, in words, a line each; nothing if nothing does. @enforced: the
 * policy is enforced there, by a proof of its own. */
void outside_tell(const struct held *held, const struct policy *policy, bool enforced,
		  struct buf *out);

/* main.c: from here on nothing can be opened. 0 or -errno. */
MUST_CHECK int program_close(void);

/* ---- show.c ---- */
void program_complain(int error, const char *format, ...) PRINTF(2, 3);
/* Print @out. Returns @status, or PROGRAM_UNKNOWN if that failed. */
int program_write(struct buf *out, int status);
/* The policy, or NULL after a complaint. */
struct policy *program_load(const struct program_options *options, const char *path);
void show_example(const struct proof_example *example, enum proof_fault fault,
		  const struct policy *policy, struct buf *out);
struct json;
void show_example_json(const struct proof_example *example, const struct policy *policy,
		       struct json *json);
const char *show_fault(enum proof_fault fault); /* "lets out what is not granted" */

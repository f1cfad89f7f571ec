/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the files of lethe-guard share. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <base/buf.h>
#include <base/diag.h>
#include <guard/guard.h>
#include <nf/events.h>
#include <nf/held.h>
#include <ruleset/ruleset.h>

#define RESIDENT_STATUS   "/run/lethe/guard.json"
#define RESIDENT_POLICY   "/etc/lethe/policy.conf"
#define RESIDENT_PASSWD   "/etc/passwd"
#define RESIDENT_WHAT_MAX 256

struct resident_options {
	const char *folder;          /* of the socket, and of what outlives this process */
	const char *status;          /* the status file */
	const char *policy, *passwd; /* for the proof */
	bool own;                    /* the tables; else they are watched and put right only */
};

enum resident_state {
	RESIDENT_IDLE = 0, /* nothing is enforced, so nothing is guarded */
	RESIDENT_HOLDING,
	RESIDENT_SHUT, /* something could not be put right: all links are down until a person acts
			*/
};

/* A change that was not ours. No address is ever in it. */
struct resident_change {
	int64_t time; /* seconds since 1970; 0: there was none */
	uint32_t pid; /* 0: not known */
	char comm[NF_COMM_MAX];
	char what[RESIDENT_WHAT_MAX];
	int64_t healed_us; /* from the notice until the rules that put it right were in force (they
			    * are read back afterwards); -1: they are not */
	bool harmless;     /* there was nothing to put right */
};

/* What the last proof said of what the kernel holds together with the tables of others. */
enum resident_judgement {
	JUDGEMENT_NONE = 0, /* none was made, or it had nothing to stand on */
	JUDGEMENT_PROVED,
	JUDGEMENT_STRICTER, /* something else than the policy, but nothing that lets out more */
	JUDGEMENT_WEAKER,   /* lets out, or rewrites */
	JUDGEMENT_UNKNOWN,  /* something is not understood */
};

struct resident {
	const struct resident_options *options;
	struct nf_socket *nf;     /* owns the tables: nothing else does */
	struct nf_socket *events; /* hears of changes */
	int route, listener, client, signals, names, notify; /* -EBADF: there is none */
	int names_watch; /* of inotify(7); 0: there is no folder yet */

	enum resident_state state;
	char shut_why[RESIDENT_WHAT_MAX];
	struct ruleset *wanted; /* what shall be there; NULL when idle */
	enum nf_binding binding;
	bool owned;    /* the kernel lets nobody else touch the tables */
	bool unsure;   /* an installation failed: who owns them says nothing of what they hold */
	bool persists; /* this kernel can do that; not known before the first installation */
	int64_t since; /* seconds since 1970: holding */

	uint64_t changes, healed,
	    lost;                     /* foreign transactions; put right; times notices were lost */
	uint64_t devices, namespaces; /* that were covered; that appeared */
	struct resident_change last;

	unsigned again; /* times in a row that the kernel's rules could not be read for changes */
	pid_t judge;    /* of the process that proves, or 0 */
	int judged;     /* what it says will be read here */
	bool judge_again;
	bool judge_basis; /* our tables alone were proved to be the policy */
	enum resident_judgement judgement;
	char outside[RESIDENT_WHAT_MAX]; /* what decides about packets and is no rule: the first; or
					    "" */
};

/* ---- hold.c: our own tables ---- */

/* Take over what is in the kernel, or what a guard before had in mind. Takes the lock. 0, or -errno
 * with @diag: then nothing was changed and the state is RESIDENT_SHUT's to set. */
MUST_CHECK int hold_adopt(struct resident *resident, bool *ret_changed, struct diag *diag);

/* Replace what is enforced. On success @ruleset is taken. 0, or -errno with @diag: then what was
 * enforced before is, or was put back. */
MUST_CHECK int hold_install(struct resident *resident, struct ruleset **ruleset, struct diag *diag);

/* Enforce nothing. */
MUST_CHECK int hold_release(struct resident *resident, struct diag *diag);

/* Are the tables what they shall be, for each device? 0; -ESTALE with the first difference in
 * @what; -EAGAIN, they change faster than they can be read; or -errno. */
MUST_CHECK int hold_check(struct resident *resident, struct buf *what);

/* Make them that. 0 or -errno with @diag. */
MUST_CHECK int hold_again(struct resident *resident, struct diag *diag);

/* ---- kept.c: what outlives this process ---- */
MUST_CHECK int kept_save(const struct resident *resident);
/* 0 and the caller's *ret_ruleset; -ENOENT, there is none that can be used; -ENOMEM. */
MUST_CHECK int kept_load(const struct resident *resident, struct ruleset **ret_ruleset);
void kept_forget(const struct resident *resident, const char *suffix);
/* That all is shut, for the next guard. */
MUST_CHECK int kept_mark_shut(const struct resident *resident);
bool kept_is_shut(const struct resident *resident);
/* Replace the file @path in one step. 0 or -errno. */
MUST_CHECK int kept_write(const char *path, const void *data, size_t len, mode_t mode);

/* ---- foreign.c: tables of others; pure ---- */

/* Could the table do more than drop packets? Then why, in static words; else NULL. */
const char *foreign_weakens(const struct ruleset_table *table);

/* ---- heal.c ---- */

/* Something has changed that this process did not do, or may have. Looks, and puts right. @since_us
 * is of heal_clock(); @culprit may be NULL. */
void heal_look(struct resident *resident, int64_t since_us, const struct nf_change *culprit);
/* Devices have come or were renamed. */
void heal_cover(struct resident *resident);
int64_t heal_clock(void);
/* Remove all tables that are not ours. Returns how many went. */
size_t heal_remove_others(struct resident *resident);

/* ---- shut.c ---- */
void shut_all(struct resident *resident, const char *why);
/* A device was set up while all is shut. */
void shut_device(const struct resident *resident, unsigned index);
void shut_end(struct resident *resident);

/* ---- judge.c: the proof, in a process of its own ---- */
void judge_start(struct resident *resident);
/* It has said something, or ended. */
void judge_finish(struct resident *resident);
/* What an answer of the proof means here. Pure. */
struct proof_result;
enum resident_judgement judge_result(const struct proof_result *result);
/* The first of what decides about packets and is no rule; untouched if there is none. Pure. */
struct surroundings;
void judge_outside(const struct surroundings *surroundings, char ret_text[RESIDENT_WHAT_MAX]);

/* ---- names.c: network namespaces with a name ---- */
MUST_CHECK int names_open(struct resident *resident);
/* How many have appeared, or may have. */
unsigned names_read(struct resident *resident);

/* ---- request.c ---- */
void request_accept(struct resident *resident);
void request_serve(struct resident *resident);

/* ---- loop.c ---- */
/* Until SIGTERM or SIGINT. 0, or -errno: it cannot listen any more. */
MUST_CHECK int loop_run(struct resident *resident);

/* ---- tell.c: the journal, the service manager, the status file ---- */
void tell(const char *format, ...) PRINTF(1, 2);
void tell_status(const struct resident *resident);
void tell_ready(const struct resident *resident);
void tell_end(const struct resident *resident);

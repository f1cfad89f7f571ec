/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The grants: who may say and hear what at the gate. Text files, lethe-gate.conf(5) is their language:
 *
 *   lethe-gate 1
 *   client onionshare
 *   users amnesia
 *   getinfo version, onions/current
 *   onions to 17600-17650
 *
 * What no statement grants is refused.
 */
#pragma once

#include <base/diag.h>

#include "rights.h"

#define GRANTS_CLIENTS_MAX 32
#define GRANTS_USERS_MAX   16
#define GRANTS_FILE_MAX	   (64u << 10) /* bytes */
#define GRANTS_FILES_MAX   64
#define GRANTS_WORD_MAX	   128
#define GRANTS_USER_MAX	   32 /* bytes of a user's name, with its NUL */
#define GRANTS_EVERYONE	   "everyone"

struct grants_client {
	char name[32];
	char file[DIAG_FILE_MAX]; /* where it is written */
	unsigned line, column;
	bool everyone;
	uint32_t uids[GRANTS_USERS_MAX];
	char users[GRANTS_USERS_MAX][GRANTS_USER_MAX]; /* as they are written */
	size_t uid_count;
	struct rights rights;
};

struct grants_missing {
	char client[32], user[GRANTS_USER_MAX];
};

/* Zero-initialised it grants nothing to anybody. */
struct grants {
	struct grants_client clients[GRANTS_CLIENTS_MAX];
	size_t count;
	/* Users that are named and that this system does not have: nobody can come as one of them. */
	struct grants_missing missing[GRANTS_USERS_MAX];
	size_t missing_count;
};

/*
 * Add what one file says. @file is its name, for messages; @passwd is where users are looked up.
 * Returns 0, -EBADMSG with @diag filled, or -ENOMEM; @grants is then not to be used.
 */
MUST_CHECK int grants_read(struct grants *grants, const char *file, const char *text, size_t length,
			   const char *passwd, struct diag *diag);

/* Is there no user who would have more than a user can have? 0, or -EBADMSG with @diag filled. */
MUST_CHECK int grants_check(const struct grants *grants, struct diag *diag);

/*
 * Add all files *.conf of two folders, in the order of their names; a file in @local takes the place of
 * one with its name in @shipped. A folder that is not there holds none. @local may be NULL. Then check the
 * whole. Returns as grants_read() and grants_check(), or -errno with @diag filled.
 */
MUST_CHECK int grants_load(struct grants *grants, const char *shipped, const char *local,
			   const char *passwd, struct diag *diag);

/* What that user may do: 0; -ENOENT (no client is for that user); or -E2BIG, as rights_join(): never after
 * grants_check(). */
MUST_CHECK int grants_of(const struct grants *grants, uint32_t uid, struct rights *ret_rights);

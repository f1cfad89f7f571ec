/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Whom *fetch* may ask: the file clock-pools.conf, read and checked. Pure.
 *
 *   pool NAME                 begins a pool: hosts that are run independently of other pools' hosts
 *   host NAME                 one host of it, asked by HTTPS
 *   portal HOST PATH TEXT     a page that is always the same, asked by HTTP when HTTPS fails; it must
 *                             begin with TEXT
 *
 * A line is a statement; '#' begins a comment. Every error is told with its line.
 */
#pragma once

#include <stddef.h>

#include <base/diag.h>

#include "record.h"

#define POOLS_FILE	  "/usr/share/lethe/clock-pools.conf"
#define POOLS_BYTES_MAX	  65536
#define POOLS_NAME_MAX	  254 /* of a host: 253 bytes and the NUL */
#define POOLS_PATH_MAX	  128
#define POOLS_TEXT_MAX	  128
#define POOLS_PORTALS_MAX 16
#define POOLS_MIN	  3 /* pools; with fewer no majority outlives a liar */
#define POOLS_HOSTS_MIN	  2 /* in each, so that one that is down ends nothing */

struct pool {
	char name[32];
	char hosts[RECORD_HOSTS_MAX][POOLS_NAME_MAX];
	unsigned count;
};

struct pools_portal {
	char host[POOLS_NAME_MAX], path[POOLS_PATH_MAX], text[POOLS_TEXT_MAX];
};

struct pools {
	struct pool pools[RECORD_POOLS_MAX];
	unsigned count;
	struct pools_portal portals[POOLS_PORTALS_MAX];
	unsigned portal_count;
};

/* @file names the text in diagnostics. Returns 0 and the pools, to free(); -EINVAL with what is wrong
 * in @diag; or -ENOMEM. */
MUST_CHECK int pools_parse(const char *file, const char *text, struct diag *diag,
			   struct pools **ret_pools);

/* How many hosts of a pool may be asked before it counts as silent: half of it, rounded up. */
unsigned pools_share(unsigned hosts);

/* A random number from 0 to @below - 1. */
typedef unsigned pools_random(void *data, unsigned below);

/* A host of a pool of @count that is not among @asked (a bit for each), any with the same chance.
 * At least one must be left. */
unsigned pools_choose(unsigned count, uint64_t asked, pools_random *random, void *data);

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * From statements to a policy: names become numbers, prefixes become ranges, and what contradicts
 * itself or can never matter is refused.
 */
#pragma once

#include <base/cleanup.h>
#include <base/diag.h>

#include "ast.h"
#include "names.h"
#include "policy.h"

#define RESOLVE_GRANTS_MAX         16384
#define RESOLVE_NETWORKS_MAX       4096
#define RESOLVE_TOTAL_RANGES_MAX   (1u << 20) /* of all networks together */
#define RESOLVE_SERVICE_GRANTS_MAX (1u << 20)

/*
 * Fill @policy, which is empty but for its files, from @ast, whose first statement is the main
 * file's header. On failure the policy is half filled and only fit to be freed.
 * Returns 0, -EBADMSG (see @diag), -ENOMEM, or -errno from looking up users (in @diag).
 */
MUST_CHECK int resolve(const struct ast *ast, const struct policy_options *options,
		       struct policy *policy, struct diag *diag);

/* ---- Between the files of this room. ---- */

struct resolver {
	const struct ast *ast;
	const struct policy_options *options;
	struct policy *policy;
	struct diag *diag;

	struct names users;  /* name -> index in policy->users */
	struct names passwd; /* name -> uid, of options->passwd; filled at first use */
	bool passwd_read;
	struct names networks; /* name or text -> index in policy->networks */
	size_t total_ranges;
	struct names services; /* name -> index in `drafts` */
	struct service_draft *drafts;
	size_t draft_count;
	struct service_grant_draft *grant_drafts;
	size_t grant_draft_count;
};

/* "policy.conf:12:3", for messages. */
struct place_text {
	char text[DIAG_FILE_MAX + 32];
};
struct place_text place_text(const struct policy_place *place);

int resolve_fail(const struct resolver *resolver, const struct policy_place *place,
		 const char *format, ...) PRINTF(3, 4);
void resolve_hint(const struct resolver *resolver, const char *format, ...) PRINTF(2, 3);

/* A word as a name. Returns -EBADMSG if it is longer than POLICY_NAME_MAX; @what names it. */
MUST_CHECK int resolve_name(const struct resolver *resolver, const struct ast_word *word,
			    const char *what, char ret_name[static POLICY_NAME_MAX + 1]);

/* resolve_users.c */
MUST_CHECK int resolve_user(struct resolver *resolver, const struct ast_word *word,
			    uint32_t *ret_uid);
/* Each word a user; sorted; a user listed twice is an error. */
MUST_CHECK int resolve_users(struct resolver *resolver, struct span words,
			     struct policy_uids *ret_uids);
/* What the policy calls the user. */
const char *resolve_user_name(const struct resolver *resolver, uint32_t uid);
MUST_CHECK int resolve_forbid(struct resolver *resolver, const struct statement *statement);
void resolve_sort_users(struct resolver *resolver);

/* resolve_networks.c */
MUST_CHECK int resolve_network_statement(struct resolver *resolver,
					 const struct statement *statement);
/* A network's name, a prefix or an address, as the index of a network. */
MUST_CHECK int resolve_network(struct resolver *resolver, const struct ast_word *word,
			       size_t *ret_network);

/* resolve_traffic.c */
MUST_CHECK int resolve_ports(struct resolver *resolver, struct span span,
			     struct policy_ports **ret_ports, size_t *ret_count);
MUST_CHECK int resolve_traffic(struct resolver *resolver, struct span span,
			       struct policy_traffic **ret_traffic, size_t *ret_count);
void resolve_traffic_free(struct policy_traffic *traffic, size_t count);
MUST_CHECK int resolve_grants(struct resolver *resolver, const struct statement *statement);
MUST_CHECK int resolve_lan(struct resolver *resolver, const struct statement *statement);
/* Grants that an earlier grant or the open LAN holds already. */
MUST_CHECK int resolve_check_grants(const struct resolver *resolver);

/* resolve_local.c: what happens on loopback */
MUST_CHECK int resolve_service(struct resolver *resolver, const struct statement *statement);
MUST_CHECK int resolve_allow_service(struct resolver *resolver, const struct statement *statement);
MUST_CHECK int resolve_allow_loopback(struct resolver *resolver, const struct statement *statement);
MUST_CHECK int resolve_automap(struct resolver *resolver, const struct statement *statement);
/* Order services and their clients; overlaps, duplicates, contradictions. */
MUST_CHECK int resolve_finish_local(struct resolver *resolver);
void resolve_local_done(struct resolver *resolver);

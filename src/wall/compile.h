/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * From a policy to the ruleset that enforces it: two tables, `inet lethe` and `netdev lethe`,
 * without connection tracking, address translation or forwarding (docs/decisions/0001).
 */
#pragma once

#include <nf/held.h>
#include <policy/policy.h>
#include <ruleset/ruleset.h>


/* Compile @policy. Deterministic. On success *ret_ruleset is sorted and the caller's, to release
 * with ruleset_free(). Returns 0 or -ENOMEM; on failure *ret_ruleset is untouched. */
MUST_CHECK int compile_policy(const struct policy *policy, struct ruleset **ret_ruleset);

/* The ruleset of `seal`: drop everything, on every device, loopback included. Same contract. */
MUST_CHECK int compile_seal(struct ruleset **ret_ruleset);

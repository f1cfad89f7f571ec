/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Sets and maps on the wire. The kernel keeps intervals of a plain key as points on a line: one
 * where an interval starts, one, flagged, behind its last key; none if that key is the highest.
 * Intervals of a concatenation have both ends in one element.
 */
#pragma once

#include <linux/netfilter/nf_tables.h>

#include "codec.h"

/* Are the set's intervals points on a line? */
static inline bool nf_set_is_line(const struct ruleset_set *set)
{
	return set->interval && set->field_count < 2;
}

/* Which member of the struct is which NFT_SET_* flag. */
static const struct {
	uint32_t flag;
	size_t offset;
} nf_set_flags[] = {
    {NFT_SET_ANONYMOUS, offsetof(struct ruleset_set, anonymous)},
    {NFT_SET_CONSTANT, offsetof(struct ruleset_set, constant)},
    {NFT_SET_INTERVAL, offsetof(struct ruleset_set, interval)},
    {NFT_SET_MAP, offsetof(struct ruleset_set, map)},
    {NFT_SET_TIMEOUT, offsetof(struct ruleset_set, timeout)},
    {NFT_SET_EVAL, offsetof(struct ruleset_set, dynamic)},
};

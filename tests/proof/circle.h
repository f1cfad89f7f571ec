/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Rules that lead in a circle. The kernel refuses them, and to run them takes very long. */
#pragma once

#include <ruleset/ruleset.h>

/* Can jumps and gotos, also those of maps, lead to a chain again? @ruleset must be sorted. Returns
 * 0 or -ENOMEM. */
MUST_CHECK int circle_find(const struct ruleset *ruleset, bool *ret_circle);

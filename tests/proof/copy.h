/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A ruleset like another, to be changed. */
#pragma once

#include <ruleset/ruleset.h>

/* A copy that shares nothing with @ruleset, to release with ruleset_free(). NULL when memory is
 * short. It may be added to by the functions of ruleset.h. */
struct ruleset *ruleset_copy(const struct ruleset *ruleset);

/* Additions without the checks of ruleset.h, which a mutation may well break. Each copies what it
 * is given, and returns false when memory is short. */
bool copy_push_expression(struct ruleset_rule *rule, const struct ruleset_expression *expression);
bool copy_push_element(struct ruleset_set *set, const struct ruleset_element *element);

/* A new rule at @at of the chain, empty, for copy_push_expression(); NULL when memory is short. */
struct ruleset_rule *copy_insert_rule(struct ruleset_chain *chain, size_t at);
/* The rule at @at once more, behind itself. */
bool copy_duplicate_rule(struct ruleset_chain *chain, size_t at);

void copy_delete_table(struct ruleset *ruleset, size_t at);
void copy_delete_chain(struct ruleset_table *table, size_t at);
void copy_delete_set(struct ruleset_table *table, size_t at);
void copy_delete_rule(struct ruleset_chain *chain, size_t at);
void copy_delete_expression(struct ruleset_rule *rule, size_t at);
void copy_delete_element(struct ruleset_set *set, size_t at);

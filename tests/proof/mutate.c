/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The walk: tables, chains, rules. */
#include "circle.h"
#include "mutate-internal.h"

#include <limits.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <stdarg.h>
#include <string.h>

bool mutate_equal(const struct ruleset *a, const struct ruleset *b)
{
	if (a->table_count != b->table_count)
		return false;
	for (size_t i = 0; i < a->table_count; i++)
		if (!ruleset_table_equal(&a->tables[i], &b->tables[i], NULL))
			return false;
	return true;
}

struct ruleset *mutate_begin(struct mutate *m)
{
	struct ruleset *copy;

	if (m->end)
		return NULL;
	copy = ruleset_copy(m->original);
	if (!copy)
		m->end = -ENOMEM;
	return copy;
}

void mutate_fail(struct mutate *m, struct ruleset *copy)
{
	ruleset_free(copy);
	m->end = -ENOMEM;
}

void mutate_end(struct mutate *m, struct ruleset *copy, const char *kind, const char *format, ...)
{
	char what[256], text[600];
	bool circle = false;
	va_list args;
	int r;

	ruleset_sort(copy);
	r = circle_find(copy, &circle);
	if (r < 0) {
		m->end = r;
	} else if (!circle && !mutate_equal(m->original, copy)) {
		va_start(args, format);
		vsnprintf(what, sizeof(what), format, args);
		va_end(args);
		snprintf(text, sizeof(text), "%s: %s", m->at, what);
		m->end = m->visit(
		    &(struct mutant){
			.ruleset = copy,
			.text = text,
			.kind = kind,
			.number = ++m->number,
			.table = m->table,
			.chain = m->chain,
			.rule = m->rule,
			.set = m->set,
			.foreign = m->foreign,
		    },
		    m->data);
	}
	ruleset_free(copy);
}

struct ruleset_table *mutate_table(const struct mutate *m, struct ruleset *copy)
{
	return &copy->tables[m->t];
}

struct ruleset_chain *mutate_chain(const struct mutate *m, struct ruleset *copy)
{
	return &copy->tables[m->t].chains[m->c];
}

struct ruleset_rule *mutate_rule(const struct mutate *m, struct ruleset *copy)
{
	return &copy->tables[m->t].chains[m->c].rules[m->r];
}

struct ruleset_set *mutate_set(const struct mutate *m, struct ruleset *copy)
{
	return &copy->tables[m->t].sets[m->s];
}

/* ---- base chains ---- */

static void change_hooks(struct mutate *m)
{
	unsigned hooks = m->table->family == RULESET_NETDEV ? 2 : 6;
	struct ruleset *copy;

	for (unsigned hook = 0; hook < hooks; hook++) {
		if (hook == m->chain->hook || !(copy = mutate_begin(m)))
			continue;
		mutate_chain(m, copy)->hook = hook;
		/* Ingress is bound to devices. */
		mutate_chain(m, copy)->every_device |= hook == NF_INET_INGRESS;
		mutate_end(m, copy, "hook changed", "hook %u, not %u", hook, m->chain->hook);
	}
}

static void change_priorities(struct mutate *m)
{
	const int32_t was = m->chain->priority;
	const int32_t priorities[] = {was - 1, was + 1, -400, -300, -200,      -150,     0,
				      100,     300,     500,  1000, INT32_MIN, INT32_MAX};
	struct ruleset *copy;

	for (size_t i = 0; i < ARRAY_SIZE(priorities); i++) {
		copy = mutate_begin(m);
		if (!copy)
			return;
		mutate_chain(m, copy)->priority = priorities[i];
		mutate_end(m, copy, "priority changed", "priority %d, not %d", priorities[i], was);
	}
}

static void change_type(struct mutate *m, enum ruleset_chain_type type, const char *name)
{
	struct ruleset *copy = type == m->chain->type ? NULL : mutate_begin(m);

	if (!copy)
		return;
	mutate_chain(m, copy)->type = type;
	mutate_end(m, copy, "chain's type changed", "type %s", name);
}

/* Bound to these devices only. */
static void change_devices(struct mutate *m, const char *first, const char *second)
{
	struct ruleset *copy = mutate_begin(m);
	struct ruleset_chain *chain;

	if (!copy)
		return;
	chain = mutate_chain(m, copy);
	chain->every_device = false;
	chain->device_count = 0;
	if ((*first && ruleset_add_device(chain, first) < 0) ||
	    (*second && ruleset_add_device(chain, second) < 0)) {
		mutate_fail(m, copy);
		return;
	}
	mutate_end(m, copy, "devices changed", "bound to the devices \"%s\", \"%s\" only", first,
		   second);
}

static void change_base(struct mutate *m)
{
	bool drops = m->chain->policy == RULESET_DROP;
	struct ruleset *copy;

	change_hooks(m);
	change_priorities(m);
	change_type(m, RULESET_FILTER, "filter");
	change_type(m, RULESET_NAT, "nat");
	change_type(m, RULESET_ROUTE, "route");
	copy = mutate_begin(m);
	if (copy) {
		mutate_chain(m, copy)->policy = drops ? RULESET_ACCEPT : RULESET_DROP;
		mutate_end(m, copy, "chain's policy flipped", "policy %s",
			   drops ? "accept" : "drop");
	}
	copy = mutate_begin(m);
	if (copy) {
		mutate_chain(m, copy)->base = false;
		mutate_end(m, copy, "base chain unhooked", "no base chain any more");
	}
	if (m->table->family == RULESET_NETDEV) {
		change_devices(m, "", "");
		change_devices(m, "lo", "");
		change_devices(m, RULESET_OTHER_DEVICE, "");
		change_devices(m, RULESET_OTHER_DEVICE, "lo");
	}
}

/* ---- chains and rules ---- */

static bool refers(const struct ruleset_verdict *verdict, const char *chain)
{
	return (verdict->code == RULESET_JUMP || verdict->code == RULESET_GOTO) &&
	       strcmp(verdict->chain, chain) == 0;
}

static bool is_referred(const struct ruleset_table *table, const char *name)
{
	for (size_t i = 0; i < table->set_count; i++)
		for (size_t j = 0; j < table->sets[i].element_count; j++)
			if (refers(&table->sets[i].elements[j].verdict, name))
				return true;
	for (size_t i = 0; i < table->chain_count; i++) {
		const struct ruleset_chain *chain = &table->chains[i];

		for (size_t j = 0; j < chain->rule_count; j++) {
			const struct ruleset_rule *rule = &chain->rules[j];

			for (size_t k = 0; k < rule->count; k++)
				if (rule->expressions[k].kind == RULESET_IMMEDIATE &&
				    refers(&rule->expressions[k].immediate.verdict, name))
					return true;
		}
	}
	return false;
}

/* A rule in front that ends the chain for every packet. */
static void add_in_front(struct mutate *m, enum ruleset_code code)
{
	struct ruleset_expression end = {.kind = RULESET_IMMEDIATE,
					 .immediate = {.verdict = {.code = code}}};
	struct ruleset *copy = mutate_begin(m);
	struct ruleset_rule *rule;
	char text[96];

	if (!copy)
		return;
	rule = copy_insert_rule(mutate_chain(m, copy), 0);
	if (!rule || !copy_push_expression(rule, &end)) {
		mutate_fail(m, copy);
		return;
	}
	mutate_end(m, copy, "rule added in front", "%s in front",
		   mutate_verdict_text(&end.immediate.verdict, text));
}

static void change_rule(struct mutate *m)
{
	struct ruleset_chain *chain;
	struct ruleset *copy;

	copy = mutate_begin(m);
	if (copy) {
		copy_delete_rule(mutate_chain(m, copy), m->r);
		mutate_end(m, copy, "rule deleted", "deleted");
	}
	copy = mutate_begin(m);
	if (copy && copy_duplicate_rule(mutate_chain(m, copy), m->r))
		mutate_end(m, copy, "rule duplicated", "duplicated");
	else if (copy)
		mutate_fail(m, copy);
	copy = m->r + 1 < m->chain->rule_count ? mutate_begin(m) : NULL;
	if (copy) {
		struct ruleset_rule rule;

		chain = mutate_chain(m, copy);
		rule = chain->rules[m->r];
		chain->rules[m->r] = chain->rules[m->r + 1];
		chain->rules[m->r + 1] = rule;
		mutate_end(m, copy, "rules swapped", "swapped with the next");
	}
	mutate_expressions(m);
}

static void change_chain(struct mutate *m)
{
	struct ruleset *copy;

	if (m->chain->base)
		change_base(m);
	copy = is_referred(m->table, m->chain->name) ? NULL : mutate_begin(m);
	if (copy) {
		copy_delete_chain(mutate_table(m, copy), m->c);
		mutate_end(m, copy, "chain deleted", "deleted");
	}
	add_in_front(m, RULESET_ACCEPT);
	add_in_front(m, RULESET_DROP);
	add_in_front(m, RULESET_RETURN);
	for (m->r = 0; m->r < m->chain->rule_count; m->r++) {
		m->rule = &m->chain->rules[m->r];
		snprintf(m->at, sizeof(m->at), "table %s %s chain %s rule %zu",
			 ruleset_family_name(m->table->family), m->table->name, m->chain->name, m->r + 1);
		change_rule(m);
	}
	m->rule = NULL;
}

/* ---- tables ---- */

static void change_family(struct mutate *m)
{
	static const enum ruleset_family families[] = {RULESET_INET, RULESET_IPV4, RULESET_IPV6,
						       RULESET_BRIDGE};
	struct ruleset *copy;

	/* Hooks and devices of netdev are not those of others. */
	if (m->table->family == RULESET_NETDEV || m->table->family == RULESET_ARP)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		copy = mutate_begin(m);
		if (!copy)
			return;
		mutate_table(m, copy)->family = families[i];
		mutate_end(m, copy, "table's family changed", "family %s",
			   ruleset_family_name(families[i]));
	}
}

static void change_table(struct mutate *m)
{
	struct ruleset *copy = mutate_begin(m);

	if (copy) {
		copy_delete_table(copy, m->t);
		mutate_end(m, copy, "table deleted", "deleted");
	}
	copy = mutate_begin(m);
	if (copy) {
		mutate_table(m, copy)->flags ^= NFT_TABLE_F_DORMANT;
		mutate_end(m, copy, "table's flags changed", "dormant or not");
	}
	change_family(m);
	for (m->c = 0; m->c < m->table->chain_count; m->c++) {
		m->chain = &m->table->chains[m->c];
		snprintf(m->at, sizeof(m->at), "table %s %s chain %s",
			 ruleset_family_name(m->table->family), m->table->name, m->chain->name);
		change_chain(m);
	}
	m->chain = NULL;
	for (m->s = 0; m->s < m->table->set_count; m->s++) {
		m->set = &m->table->sets[m->s];
		snprintf(m->at, sizeof(m->at), "table %s %s set %s",
			 ruleset_family_name(m->table->family), m->table->name, m->set->name);
		mutate_elements(m);
	}
	m->set = NULL;
}

int mutate_each(const struct ruleset *ruleset, mutate_visit *visit, void *data)
{
	struct mutate m = {.original = ruleset, .visit = visit, .data = data};

	for (m.t = 0; m.t < ruleset->table_count && !m.end; m.t++) {
		m.table = &ruleset->tables[m.t];
		snprintf(m.at, sizeof(m.at), "table %s %s", ruleset_family_name(m.table->family),
			 m.table->name);
		change_table(&m);
	}
	m.table = NULL;
	m.foreign = true;
	mutate_foreign(&m);
	return m.end;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Making a ruleset, and giving it back.
 *
 * Arrays grow by doubling. Their room is not stored: it is the count rounded up to a power of two,
 * so an array is full exactly when its count is zero or a power of two.
 */
#include "ruleset.h"

#include <string.h>

/* Far above what a policy needs, far below what exhausts the machine. A ruleset read from the
 * kernel may come from a stranger. */
#define TABLES_MAX      4096
#define CHAINS_MAX      (1u << 18)
#define SETS_MAX        (1u << 18)
#define RULES_MAX       (1u << 20)
#define EXPRESSIONS_MAX 128 /* the kernel's own limit */
#define ELEMENTS_MAX    (1u << 20)
#define DEVICES_MAX     4096

/* The array with room for one more than @count, that place zeroed; NULL if that cannot be, and then
 * the array is as it was. */
static void *grown(void *array, size_t count, size_t size, size_t max)
{
	if (count >= max)
		return NULL;
	if ((count & (count - 1)) == 0 || count == 0) {
		array = reallocarray(array, count ? count * 2 : 1, size);
		if (!array)
			return NULL;
	}
	memset((char *)array + count * size, 0, size);
	return array;
}

static bool copy_text(char *to, size_t size, const char *text)
{
	size_t len = strnlen(text, size);

	if (len == size)
		return false;
	memcpy(to, text, len + 1);
	return true;
}

static bool name_fits(const char *name)
{
	return *name && strnlen(name, RULESET_NAME_MAX + 1) <= RULESET_NAME_MAX;
}

struct ruleset *ruleset_new(void)
{
	return calloc(1, sizeof(struct ruleset));
}

static void free_chain(struct ruleset_chain *chain)
{
	for (size_t i = 0; i < chain->rule_count; i++)
		free(chain->rules[i].expressions);
	free(chain->rules);
	free(chain->devices);
}

static void free_table(struct ruleset_table *table)
{
	for (size_t i = 0; i < table->chain_count; i++)
		free_chain(&table->chains[i]);
	for (size_t i = 0; i < table->set_count; i++)
		free(table->sets[i].elements);
	free(table->chains);
	free(table->sets);
}

struct ruleset *ruleset_free(struct ruleset *ruleset)
{
	if (!ruleset)
		return NULL;
	for (size_t i = 0; i < ruleset->table_count; i++)
		free_table(&ruleset->tables[i]);
	free(ruleset->tables);
	free(ruleset);
	return NULL;
}

const char *ruleset_family_name(enum ruleset_family family)
{
	switch (family) {
	case RULESET_INET:
		return "inet";
	case RULESET_IPV4:
		return "ip";
	case RULESET_IPV6:
		return "ip6";
	case RULESET_ARP:
		return "arp";
	case RULESET_NETDEV:
		return "netdev";
	case RULESET_BRIDGE:
		return "bridge";
	}
	return "unknown";
}

struct ruleset_table *ruleset_add_table(struct ruleset *ruleset, enum ruleset_family family,
					const char *name)
{
	struct ruleset_table *tables, *table;

	if (!name_fits(name))
		return NULL;
	tables = grown(ruleset->tables, ruleset->table_count, sizeof(*tables), TABLES_MAX);
	if (!tables)
		return NULL;
	ruleset->tables = tables;
	table = &tables[ruleset->table_count++];
	table->family = family;
	copy_text(table->name, sizeof(table->name), name);
	return table;
}

struct ruleset_chain *ruleset_add_chain(struct ruleset_table *table, const char *name)
{
	struct ruleset_chain *chains, *chain;

	if (!name_fits(name))
		return NULL;
	chains = grown(table->chains, table->chain_count, sizeof(*chains), CHAINS_MAX);
	if (!chains)
		return NULL;
	table->chains = chains;
	chain = &chains[table->chain_count++];
	copy_text(chain->name, sizeof(chain->name), name);
	return chain;
}

struct ruleset_set *ruleset_add_set(struct ruleset_table *table, const char *name)
{
	struct ruleset_set *sets, *set;

	if (!name_fits(name))
		return NULL;
	sets = grown(table->sets, table->set_count, sizeof(*sets), SETS_MAX);
	if (!sets)
		return NULL;
	table->sets = sets;
	set = &sets[table->set_count++];
	copy_text(set->name, sizeof(set->name), name);
	return set;
}

struct ruleset_rule *ruleset_add_rule(struct ruleset_chain *chain, const char *comment)
{
	struct ruleset_rule *rules, *rule;

	if (comment && strnlen(comment, RULESET_COMMENT_MAX + 1) > RULESET_COMMENT_MAX)
		return NULL;
	rules = grown(chain->rules, chain->rule_count, sizeof(*rules), RULES_MAX);
	if (!rules)
		return NULL;
	chain->rules = rules;
	rule = &rules[chain->rule_count++];
	copy_text(rule->comment, sizeof(rule->comment), comment ? comment : "");
	return rule;
}

static bool terminated(const char *text, size_t size)
{
	return strnlen(text, size) < size;
}

static bool value_fits(const struct ruleset_value *value)
{
	return value->len <= RULESET_DATA_MAX;
}

/* Do @len bytes from register @reg on lie within the register file? */
static bool registers_fit(uint8_t reg, size_t len)
{
	return reg < RULESET_REGISTERS && len <= RULESET_DATA_MAX - reg * 4u;
}

static bool verdict_fits(const struct ruleset_verdict *verdict)
{
	return terminated(verdict->chain, sizeof(verdict->chain));
}

/* One of registers that may be left unused. */
static bool register_or_none(int8_t reg)
{
	return reg >= -1 && reg < RULESET_REGISTERS;
}

/* What only the rules of others contain. */
static bool foreign_fits(const struct ruleset_expression *e)
{
	switch ((int)e->kind) {
	case RULESET_META_SET:
		return registers_fit(e->meta_set.reg, 1);
	case RULESET_PAYLOAD_SET:
		return registers_fit(e->payload_set.reg, e->payload_set.len);
	case RULESET_SHIFT:
		return registers_fit(e->shift.source, e->shift.len) &&
		       registers_fit(e->shift.reg, e->shift.len) && e->shift.bits < 32;
	case RULESET_BYTEORDER:
		return registers_fit(e->byteorder.source, e->byteorder.len) &&
		       registers_fit(e->byteorder.reg, e->byteorder.len);
	case RULESET_CONNECTION:
		return registers_fit(e->connection.reg, 1);
	case RULESET_CONNECTION_SET:
		return registers_fit(e->connection_set.reg, 1);
	case RULESET_TRANSLATE:
		return register_or_none(e->translate.address_reg) &&
		       register_or_none(e->translate.address_end_reg) &&
		       register_or_none(e->translate.port_reg) &&
		       register_or_none(e->translate.port_end_reg);
	case RULESET_REDIRECT:
	case RULESET_MASQUERADE:
		return register_or_none(e->redirect.port_reg) &&
		       register_or_none(e->redirect.port_end_reg);
	case RULESET_ROUTE_LOOKUP:
		return registers_fit(e->route_lookup.reg, 1);
	case RULESET_ROUTE_FIELD:
		return registers_fit(e->route_field.reg, 1);
	case RULESET_LIMIT:
		return terminated(e->limit.name, sizeof(e->limit.name));
	case RULESET_NUMBER:
		return registers_fit(e->number.reg, 4);
	case RULESET_NO_EFFECT:
		return terminated(e->no_effect.name, sizeof(e->no_effect.name));
	case RULESET_OBJECT:
		return terminated(e->object.object, sizeof(e->object.object));
	case RULESET_NOTRACK:
		return true;
	default:
		return false;
	}
}

static bool expression_fits(const struct ruleset_expression *e)
{
	switch (e->kind) {
	case RULESET_UNKNOWN:
		return terminated(e->unknown.name, sizeof(e->unknown.name));
	case RULESET_META:
		return registers_fit(e->meta.reg, 1);
	case RULESET_PAYLOAD:
		return registers_fit(e->payload.reg, e->payload.len);
	case RULESET_COMPARE:
		return value_fits(&e->compare.value) &&
		       registers_fit(e->compare.reg, e->compare.value.len);
	case RULESET_BITWISE:
		return value_fits(&e->bitwise.mask) && value_fits(&e->bitwise.xor) &&
		       registers_fit(e->bitwise.source, e->bitwise.len) &&
		       registers_fit(e->bitwise.reg, e->bitwise.len);
	case RULESET_RANGE:
		return value_fits(&e->range.from) && value_fits(&e->range.to) &&
		       registers_fit(e->range.reg, e->range.from.len);
	case RULESET_LOOKUP:
		return terminated(e->lookup.set, sizeof(e->lookup.set)) &&
		       registers_fit(e->lookup.reg, 1) && registers_fit(e->lookup.destination, 1);
	case RULESET_DYNSET:
		return terminated(e->dynset.set, sizeof(e->dynset.set)) &&
		       registers_fit(e->dynset.reg, 1);
	case RULESET_IMMEDIATE:
		return verdict_fits(&e->immediate.verdict) && value_fits(&e->immediate.value) &&
		       registers_fit(e->immediate.reg, e->immediate.value.len);
	case RULESET_SOCKET:
		return registers_fit(e->socket.reg, 1);
	case RULESET_TPROXY:
		return e->tproxy.address_reg >= -1 && e->tproxy.address_reg < RULESET_REGISTERS &&
		       e->tproxy.port_reg >= -1 && e->tproxy.port_reg < RULESET_REGISTERS;
	case RULESET_REJECT:
	case RULESET_COUNTER:
		return true;
	case RULESET_META_SET:
	case RULESET_PAYLOAD_SET:
	case RULESET_SHIFT:
	case RULESET_BYTEORDER:
	case RULESET_CONNECTION:
	case RULESET_CONNECTION_SET:
	case RULESET_TRANSLATE:
	case RULESET_REDIRECT:
	case RULESET_MASQUERADE:
	case RULESET_NOTRACK:
	case RULESET_ROUTE_LOOKUP:
	case RULESET_ROUTE_FIELD:
	case RULESET_LIMIT:
	case RULESET_NUMBER:
	case RULESET_NO_EFFECT:
	case RULESET_OBJECT:
		return foreign_fits(e);
	}
	return false;
}

struct ruleset_expression *ruleset_add_expression(struct ruleset_rule *rule,
						  const struct ruleset_expression *expression)
{
	struct ruleset_expression *expressions;

	if (!expression_fits(expression))
		return NULL;
	expressions = grown(rule->expressions, rule->count, sizeof(*expressions), EXPRESSIONS_MAX);
	if (!expressions)
		return NULL;
	rule->expressions = expressions;
	expressions[rule->count] = *expression;
	return &expressions[rule->count++];
}

struct ruleset_element *ruleset_add_element(struct ruleset_set *set,
					    const struct ruleset_element *element)
{
	if (!value_fits(&element->key) || !value_fits(&element->key_end) ||
	    !value_fits(&element->data) || !verdict_fits(&element->verdict))
		return NULL;
	if (set->element_count >= ELEMENTS_MAX)
		return NULL;
	if (set->element_count >= set->element_room) {
		size_t room = set->element_room ? set->element_room * 2 : 4;
		struct ruleset_element *elements;

		elements = reallocarray(set->elements, room, sizeof(*elements));
		if (!elements)
			return NULL;
		set->elements = elements;
		set->element_room = room;
	}
	set->elements[set->element_count] = *element;
	return &set->elements[set->element_count++];
}

int ruleset_add_device(struct ruleset_chain *chain, const char *device)
{
	char(*devices)[RULESET_DEVICE_MAX];

	if (!*device || strnlen(device, RULESET_DEVICE_MAX) == RULESET_DEVICE_MAX)
		return -EINVAL;
	if (chain->device_count >= DEVICES_MAX)
		return -E2BIG;
	devices = grown(chain->devices, chain->device_count, sizeof(*devices), DEVICES_MAX);
	if (!devices)
		return -ENOMEM;
	chain->devices = devices;
	copy_text(devices[chain->device_count++], RULESET_DEVICE_MAX, device);
	return 0;
}

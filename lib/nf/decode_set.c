/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sets and their elements. */
#include "decode.h"

#include <string.h>

#include <linux/netfilter/nf_tables.h>

static struct ruleset_set *set_find(struct nf_decoder *decoder, struct ruleset_table *table,
				    const char *name)
{
	for (size_t i = 0; i < table->set_count; i++) {
		size_t k = (decoder->set + i) % table->set_count;

		if (strcmp(table->sets[k].name, name) == 0) {
			decoder->set = k;
			return &table->sets[k];
		}
	}
	return NULL;
}

static void set_missing(struct nf_decoder *decoder, const struct ruleset_table *table,
			const struct ruleset_set *set, const char *what)
{
	nf_missing(decoder->ruleset, "%s in %s %s of table %s %s", what, set->map ? "map" : "set",
		   set->name, ruleset_family_name(table->family), table->name);
}

int nf_decode_set(struct nf_decoder *decoder, uint8_t family,
		  const struct nf_attributes *attributes)
{
	char name[RULESET_NAME_MAX + 1];
	const char *missing = NULL;
	struct ruleset_table *table;
	struct ruleset_set *set;
	int r;

	r = nf_decode_table(decoder, family, attributes->at[NFTA_SET_TABLE], &table);
	if (r > 0)
		r = nf_decode_name(decoder, table, "set", attributes->at[NFTA_SET_NAME], name);
	if (r <= 0)
		return r;
	set = ruleset_add_set(table, name);
	if (!set)
		return -ENOMEM;
	r = nf_set_read(attributes, set, &missing);
	if (missing)
		set_missing(decoder, table, set, missing);
	return r;
}

int nf_decode_elements(struct nf_decoder *decoder, uint8_t family,
		       const struct nf_attributes *attributes)
{
	char name[RULESET_NAME_MAX + 1];
	const char *missing = NULL;
	struct ruleset_table *table;
	struct ruleset_set *set;
	int r;

	r = nf_decode_table(decoder, family, attributes->at[NFTA_SET_ELEM_LIST_TABLE], &table);
	if (r > 0)
		r = nf_decode_name(decoder, table, "set", attributes->at[NFTA_SET_ELEM_LIST_SET],
				   name);
	if (r <= 0)
		return r;
	set = set_find(decoder, table, name);
	if (!set)
		return -EBADMSG;
	if (nf_attributes_beyond(
		attributes, BIT(NFTA_SET_ELEM_LIST_TABLE) | BIT(NFTA_SET_ELEM_LIST_SET) |
				BIT(NFTA_SET_ELEM_LIST_ELEMENTS) | BIT(NFTA_SET_ELEM_LIST_SET_ID)))
		missing = "an unknown property of elements";
	r = nf_elements_read(attributes->at[NFTA_SET_ELEM_LIST_ELEMENTS], set, &missing);
	if (missing)
		set_missing(decoder, table, set, missing);
	return r;
}

void nf_tallies_enter(const struct nf_tallies *tallies, struct ruleset *ruleset)
{
	struct nf_decoder decoder = {.ruleset = ruleset};

	for (size_t i = 0; i < tallies->count; i++) {
		const struct nf_tally *tally = &tallies->sets[i];
		struct ruleset_table *table = NULL;
		struct ruleset_set *set;

		for (size_t t = 0; t < ruleset->table_count && !table; t++)
			if (ruleset->tables[t].family == tally->family &&
			    strcmp(ruleset->tables[t].name, tally->table) == 0)
				table = &ruleset->tables[t];
		set = table ? set_find(&decoder, table, tally->set.name) : NULL;
		if (!set)
			continue;
		set->held = tally->set.held;
		set->longest_ms = tally->set.longest_ms;
		if (tally->missing)
			set_missing(&decoder, table, set, tally->missing);
	}
}

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

int nf_decode_set(struct nf_decoder *decoder, uint8_t family,
		  const struct nf_attributes *attributes)
{
	char name[RULESET_NAME_MAX + 1];
	struct ruleset_table *table;
	struct ruleset_set *set;
	int r;

	r = nf_decode_table(decoder, family, attributes->at[NFTA_SET_TABLE], &table);
	if (r > 0)
		r = nf_decode_name(decoder, attributes->at[NFTA_SET_NAME], name);
	if (r <= 0)
		return r;
	set = ruleset_add_set(table, name);
	if (!set)
		return -ENOMEM;
	return nf_set_read(attributes, set, &decoder->ruleset->incomplete);
}

int nf_decode_elements(struct nf_decoder *decoder, uint8_t family,
		       const struct nf_attributes *attributes)
{
	char name[RULESET_NAME_MAX + 1];
	struct ruleset_table *table;
	struct ruleset_set *set;
	int r;

	r = nf_decode_table(decoder, family, attributes->at[NFTA_SET_ELEM_LIST_TABLE], &table);
	if (r > 0)
		r = nf_decode_name(decoder, attributes->at[NFTA_SET_ELEM_LIST_SET], name);
	if (r <= 0)
		return r;
	set = set_find(decoder, table, name);
	if (!set)
		return -EBADMSG;
	if (nf_attributes_beyond(
		attributes, BIT(NFTA_SET_ELEM_LIST_TABLE) | BIT(NFTA_SET_ELEM_LIST_SET) |
				BIT(NFTA_SET_ELEM_LIST_ELEMENTS) | BIT(NFTA_SET_ELEM_LIST_SET_ID)))
		decoder->ruleset->incomplete = true;
	/* What packets put there comes and goes, and is not part of the ruleset. */
	if (set->dynamic)
		return 0;
	return nf_elements_read(attributes->at[NFTA_SET_ELEM_LIST_ELEMENTS], set,
				&decoder->ruleset->incomplete);
}

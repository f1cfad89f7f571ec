/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The reader of messages, for the files that are parts of it. */
#pragma once

#include "codec.h"

#define BIT(attribute) (UINT32_C(1) << (attribute))

/* Where the last message belonged: messages of one chain or set follow each other, so looking there
 * first keeps large rulesets from being searched again and again. */
struct nf_decoder {
	struct ruleset *ruleset;
	enum ruleset_family family;
	const char *only;
	size_t table, chain, set;
};

/* The table that a message names, which must be there. 1; 0 to pass over the message, because
 * another table is asked for or this one has no place in the model; -errno. */
MUST_CHECK int nf_decode_table(struct nf_decoder *decoder, uint8_t family, struct nf_span value,
			       struct ruleset_table **ret_table);

/* The own name of a thing in @table that is a @kind ("chain"). 1, 0 for one that we have no place
 * for and so leave out, -EBADMSG. */
MUST_CHECK int nf_decode_name(struct nf_decoder *decoder, const struct ruleset_table *table,
			      const char *kind, struct nf_span value, char *ret_name);

/* One message of the kind. 0, -EBADMSG, -ENOMEM. */
MUST_CHECK int nf_decode_chain(struct nf_decoder *decoder, uint8_t family,
			       const struct nf_attributes *attributes);
MUST_CHECK int nf_decode_rule(struct nf_decoder *decoder, uint8_t family,
			      const struct nf_attributes *attributes);
MUST_CHECK int nf_decode_set(struct nf_decoder *decoder, uint8_t family,
			     const struct nf_attributes *attributes);
MUST_CHECK int nf_decode_elements(struct nf_decoder *decoder, uint8_t family,
				  const struct nf_attributes *attributes);

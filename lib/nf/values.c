/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Names, values and verdicts on the wire. */
#include "codec.h"

#include <string.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

static const struct {
	enum ruleset_code code;
	int32_t number;
} verdicts[] = {
    {RULESET_ACCEPT, NF_ACCEPT},      {RULESET_DROP, NF_DROP},      {RULESET_QUEUE, NF_QUEUE},
    {RULESET_CONTINUE, NFT_CONTINUE}, {RULESET_BREAK, NFT_BREAK},   {RULESET_JUMP, NFT_JUMP},
    {RULESET_GOTO, NFT_GOTO},         {RULESET_RETURN, NFT_RETURN},
};

static bool verdict_has_chain(enum ruleset_code code)
{
	return code == RULESET_JUMP || code == RULESET_GOTO;
}

void nf_verdict_write(struct nf_writer *writer, uint16_t type,
		      const struct ruleset_verdict *verdict)
{
	size_t i = 0;

	while (i < ARRAY_SIZE(verdicts) && verdicts[i].code != verdict->code)
		i++;
	if (i == ARRAY_SIZE(verdicts) || (verdict_has_chain(verdict->code) &&
					  !nf_name_valid(verdict->chain, sizeof(verdict->chain)))) {
		nf_writer_fail(writer, -EINVAL);
		return;
	}
	nf_nest_begin(writer, type);
	nf_nest_begin(writer, NFTA_DATA_VERDICT);
	nf_put_u32(writer, NFTA_VERDICT_CODE, (uint32_t)verdicts[i].number);
	if (verdict_has_chain(verdict->code))
		nf_put_text(writer, NFTA_VERDICT_CHAIN, verdict->chain);
	nf_nest_end(writer);
	nf_nest_end(writer);
}

int nf_verdict_read(struct nf_span bytes, struct ruleset_verdict *ret_verdict)
{
	struct ruleset_verdict verdict = {0};
	struct nf_attributes attributes;
	uint32_t number;
	int r;

	r = nf_attributes_read(bytes, &attributes);
	if (r < 0)
		return r;
	r = nf_read_u32(attributes.at[NFTA_VERDICT_CODE], &number);
	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(verdicts); i++)
		if ((uint32_t)verdicts[i].number == number)
			verdict.code = verdicts[i].code;
	if (verdict.code == RULESET_NONE ||
	    nf_attributes_beyond(&attributes, 1u << NFTA_VERDICT_CODE | 1u << NFTA_VERDICT_CHAIN))
		return -EOPNOTSUPP;
	if (verdict_has_chain(verdict.code)) {
		r = nf_name_read(attributes.at[NFTA_VERDICT_CHAIN], verdict.chain);
		if (r < 0)
			return r;
	}
	*ret_verdict = verdict;
	return 0;
}

void nf_value_write(struct nf_writer *writer, uint16_t type, const struct ruleset_value *value)
{
	if (value->len == 0 || value->len > RULESET_DATA_MAX) {
		nf_writer_fail(writer, -EINVAL);
		return;
	}
	nf_nest_begin(writer, type);
	nf_put(writer, NFTA_DATA_VALUE, value->bytes, value->len);
	nf_nest_end(writer);
}

int nf_value_read(struct nf_span bytes, struct ruleset_value *ret_value)
{
	struct ruleset_value value = {0};
	struct nf_attributes attributes;
	struct nf_span data;
	int r;

	r = nf_attributes_read(bytes, &attributes);
	if (r < 0)
		return r;
	data = attributes.at[NFTA_DATA_VALUE];
	if (nf_attributes_beyond(&attributes, 1u << NFTA_DATA_VALUE))
		return -EOPNOTSUPP;
	if (!data.data || data.len == 0)
		return -EBADMSG;
	if (data.len > RULESET_DATA_MAX)
		return -EOPNOTSUPP;
	memcpy(value.bytes, data.data, data.len);
	value.len = (uint8_t)data.len;
	*ret_value = value;
	return 0;
}

bool nf_name_valid(const char *name, size_t size)
{
	return name[0] && memchr(name, '\0', size) && !strchr(name, '%');
}

int nf_name_read(struct nf_span value, char *ret_name)
{
	int r;

	if (value.data && value.len == 1 && value.data[0] == '\0')
		return -EOPNOTSUPP;
	r = nf_read_text(value, ret_name, RULESET_NAME_MAX + 1);
	return r == -E2BIG ? -EOPNOTSUPP : r;
}

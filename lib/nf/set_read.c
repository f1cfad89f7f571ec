/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "set.h"

#include <string.h>

/* Keys are counted as the kernel does it: as big-endian numbers. */
static void key_take_one(struct ruleset_value *key)
{
	for (size_t i = key->len; i-- > 0;)
		if (key->bytes[i]-- != 0)
			return;
}

static int optional_u32(struct nf_span value, uint32_t *ret_number)
{
	return value.data ? nf_read_u32(value, ret_number) : 0;
}

/* What is told first is kept. */
static void missing(const char **ret_missing, const char *what)
{
	if (!*ret_missing)
		*ret_missing = what;
}

static int concat_read(struct nf_span list, struct ruleset_set *set, const char **ret_missing)
{
	struct nf_attributes field;
	struct nf_span value;
	uint16_t type;
	uint32_t len;
	int r;

	while ((r = nf_attribute_next(&list, &type, &value)) > 0) {
		r = nf_attributes_read(value, &field);
		if (r < 0)
			return r;
		r = nf_read_u32(field.at[NFTA_SET_FIELD_LEN], &len);
		if (r < 0)
			return r;
		if (set->field_count == ARRAY_SIZE(set->fields) || len > RULESET_DATA_MAX) {
			missing(ret_missing, "keys of many parts");
			return 0;
		}
		set->fields[set->field_count++] = (uint8_t)len;
	}
	/* One part alone is no concatenation; the kernel has none of that kind. */
	if (set->field_count == 1)
		missing(ret_missing, "keys of one part");
	return r;
}

static int description_read(struct nf_span bytes, struct ruleset_set *set, const char **ret_missing)
{
	struct nf_attributes attributes;
	int r;

	r = nf_attributes_read(bytes, &attributes);
	if (r < 0)
		return r;
	r = optional_u32(attributes.at[NFTA_SET_DESC_SIZE], &set->size);
	if (r < 0)
		return r;
	if (nf_attributes_beyond(&attributes,
				 1u << NFTA_SET_DESC_SIZE | 1u << NFTA_SET_DESC_CONCAT))
		missing(ret_missing, "an unknown property");
	return concat_read(attributes.at[NFTA_SET_DESC_CONCAT], set, ret_missing);
}

static int types_read(const struct nf_attributes *attributes, struct ruleset_set *set,
		      const char **ret_missing)
{
	int r = 0;

	r = r < 0 ? r : optional_u32(attributes->at[NFTA_SET_KEY_TYPE], &set->key_type);
	r = r < 0 ? r : nf_read_u32(attributes->at[NFTA_SET_KEY_LEN], &set->key_len);
	r = r < 0 ? r : optional_u32(attributes->at[NFTA_SET_DATA_TYPE], &set->data_type);
	r = r < 0 ? r : optional_u32(attributes->at[NFTA_SET_DATA_LEN], &set->data_len);
	if (r < 0)
		return r;
	if (set->key_len == 0 || set->key_len > RULESET_DATA_MAX)
		return -EBADMSG;
	set->verdict_map = set->map && set->data_type == NF_DATA_VERDICT_TYPE;
	/* The kernel reports the size of its own struct there. */
	if (set->verdict_map)
		set->data_len = 0;
	if (!set->map && (set->data_type || set->data_len))
		missing(ret_missing, "data beside the keys");
	if (set->map && !set->verdict_map &&
	    (set->data_len == 0 || set->data_len > RULESET_DATA_MAX))
		return -EBADMSG;
	return 0;
}

static const uint32_t set_known =
    1u << NFTA_SET_TABLE | 1u << NFTA_SET_NAME | 1u << NFTA_SET_FLAGS | 1u << NFTA_SET_KEY_TYPE |
    1u << NFTA_SET_KEY_LEN | 1u << NFTA_SET_DATA_TYPE | 1u << NFTA_SET_DATA_LEN |
    1u << NFTA_SET_POLICY | 1u << NFTA_SET_DESC | 1u << NFTA_SET_ID | 1u << NFTA_SET_TIMEOUT |
    1u << NFTA_SET_GC_INTERVAL | 1u << NFTA_SET_USERDATA | 1u << NFTA_SET_PAD |
    1u << NFTA_SET_HANDLE | 1u << NF_SET_TYPE | 1u << NF_SET_COUNT;

int nf_set_read(const struct nf_attributes *attributes, struct ruleset_set *ret_set,
		const char **ret_missing)
{
	uint32_t flags = 0, known = NFT_SET_CONCAT;
	int r;

	r = optional_u32(attributes->at[NFTA_SET_FLAGS], &flags);
	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(nf_set_flags); i++) {
		bool *member = (bool *)((char *)ret_set + nf_set_flags[i].offset);

		*member = flags & nf_set_flags[i].flag;
		known |= nf_set_flags[i].flag;
	}
	if (flags & NFT_SET_OBJECT)
		missing(ret_missing, "objects");
	if (attributes->at[NFTA_SET_EXPR].data || attributes->at[NFTA_SET_EXPRESSIONS].data)
		missing(ret_missing, "elements with a statement");
	if ((flags & ~known) || nf_attributes_beyond(attributes, set_known))
		missing(ret_missing, "an unknown property");
	r = types_read(attributes, ret_set, ret_missing);
	if (r < 0)
		return r;
	if (attributes->at[NFTA_SET_TIMEOUT].data) {
		r = nf_read_u64(attributes->at[NFTA_SET_TIMEOUT], &ret_set->timeout_ms);
		if (r < 0)
			return r;
	}
	return description_read(attributes->at[NFTA_SET_DESC], ret_set, ret_missing);
}

/* Until all elements are read, the end of an interval is an entry whose key_end has this length,
 * which no other entry of a line has. */
#define END_MARK 1

static int element_data_read(struct nf_span bytes, const struct ruleset_set *set,
			     struct ruleset_element *element)
{
	struct nf_attributes attributes;
	int r;

	if (!set->verdict_map) {
		r = nf_value_read(bytes, &element->data);
		return r < 0 ? r : element->data.len == set->data_len ? 0 : -EBADMSG;
	}
	r = nf_attributes_read(bytes, &attributes);
	if (r < 0)
		return r;
	if (nf_attributes_beyond(&attributes, 1u << NFTA_DATA_VERDICT))
		return -EOPNOTSUPP;
	return nf_verdict_read(attributes.at[NFTA_DATA_VERDICT], &element->verdict);
}

static int element_keys_read(const struct nf_attributes *attributes, const struct ruleset_set *set,
			     bool end, struct ruleset_element *element)
{
	struct nf_span key_end = attributes->at[NFTA_SET_ELEM_KEY_END];
	int r;

	r = nf_value_read(attributes->at[NFTA_SET_ELEM_KEY], &element->key);
	if (r < 0)
		return r;
	if (element->key.len != set->key_len)
		return -EBADMSG;
	if (nf_set_is_line(set)) {
		element->key_end.len = end ? END_MARK : 0;
		return key_end.data ? -EOPNOTSUPP : 0;
	}
	if (end || (key_end.data && !set->interval))
		return -EOPNOTSUPP;
	if (set->interval)
		element->key_end = element->key;
	if (key_end.data)
		r = nf_value_read(key_end, &element->key_end);
	return r < 0 ? r : key_end.data && element->key_end.len != set->key_len ? -EBADMSG : 0;
}

/* Why an element with these attributes and flags has no place in a set of @set's kind; or NULL. */
static const char *element_missing(const struct nf_attributes *attributes, uint32_t flags,
				   const struct ruleset_set *set)
{
	uint32_t known = 1u << NFTA_SET_ELEM_KEY | 1u << NFTA_SET_ELEM_KEY_END |
			 1u << NFTA_SET_ELEM_DATA | 1u << NFTA_SET_ELEM_FLAGS |
			 1u << NFTA_SET_ELEM_PAD | 1u << NFTA_SET_ELEM_USERDATA;

	if (set->dynamic)
		known |= 1u << NFTA_SET_ELEM_TIMEOUT | 1u << NFTA_SET_ELEM_EXPIRATION;
	if (flags & NFT_SET_ELEM_CATCHALL)
		return "an element for every key";
	if (attributes->at[NFTA_SET_ELEM_EXPR].data ||
	    attributes->at[NFTA_SET_ELEM_EXPRESSIONS].data)
		return "an element with a statement";
	if (attributes->at[NFTA_SET_ELEM_OBJREF].data)
		return "an element with an object";
	if (!set->dynamic && (attributes->at[NFTA_SET_ELEM_TIMEOUT].data ||
			      attributes->at[NFTA_SET_ELEM_EXPIRATION].data))
		return "an element with a time-out";
	if ((flags & ~(uint32_t)NFT_SET_ELEM_INTERVAL_END) ||
	    nf_attributes_beyond(attributes, known))
		return "an element with an unknown property";
	return NULL;
}

/* How long the element of a dynamic set may stay: its own time-out or the set's. None, and since
 * Linux 6.12 one of 0, is for ever. */
static int element_count(const struct nf_attributes *attributes, struct ruleset_set *set)
{
	uint64_t timeout = set->timeout_ms, rest = 0;
	int r = 0;

	if (attributes->at[NFTA_SET_ELEM_TIMEOUT].data)
		r = nf_read_u64(attributes->at[NFTA_SET_ELEM_TIMEOUT], &timeout);
	if (r == 0 && attributes->at[NFTA_SET_ELEM_EXPIRATION].data)
		r = nf_read_u64(attributes->at[NFTA_SET_ELEM_EXPIRATION], &rest);
	if (r < 0)
		return r;
	if (!set->timeout || timeout == 0)
		timeout = UINT64_MAX;
	/* Kernels let programs set what is left apart from the time-out. */
	if (timeout < rest)
		timeout = rest;
	if (set->longest_ms < timeout)
		set->longest_ms = timeout;
	set->held++;
	return 0;
}

/* 0, if need be with words; -EBADMSG, -ENOMEM. */
static int element_read(struct nf_span bytes, struct ruleset_set *set, const char **ret_missing)
{
	struct ruleset_element element = {0};
	struct nf_attributes attributes;
	const char *words;
	uint32_t flags = 0;
	bool end;
	int r;

	r = nf_attributes_read(bytes, &attributes);
	if (r < 0)
		return r;
	r = optional_u32(attributes.at[NFTA_SET_ELEM_FLAGS], &flags);
	if (r < 0)
		return r;
	words = element_missing(&attributes, flags, set);
	if (words)
		missing(ret_missing, words);
	if (set->dynamic)
		return element_count(&attributes, set);
	if (words)
		return 0;
	end = flags & NFT_SET_ELEM_INTERVAL_END;
	r = element_keys_read(&attributes, set, end, &element);
	if (r == 0 && !end && set->map)
		r = element_data_read(attributes.at[NFTA_SET_ELEM_DATA], set, &element);
	else if (r == 0 && !end && attributes.at[NFTA_SET_ELEM_DATA].data)
		r = -EOPNOTSUPP;
	if (r == -EOPNOTSUPP) {
		missing(ret_missing, "an element of another form");
		return 0;
	}
	return r < 0 ? r : ruleset_add_element(set, &element) ? 0 : -ENOMEM;
}

int nf_elements_read(struct nf_span bytes, struct ruleset_set *set, const char **ret_missing)
{
	struct nf_span value;
	uint16_t type;
	int r;

	while ((r = nf_attribute_next(&bytes, &type, &value)) > 0) {
		r = element_read(value, set, ret_missing);
		if (r < 0)
			return r;
	}
	return r;
}

/* By key; at one key the end of an interval before the start of the next. */
static int point_compare(const void *left, const void *right)
{
	const struct ruleset_element *a = left, *b = right;
	int r = memcmp(a->key.bytes, b->key.bytes, a->key.len);

	return r ? r : (b->key_end.len == END_MARK) - (a->key_end.len == END_MARK);
}

int nf_elements_fold(struct ruleset_set *set)
{
	size_t kept = 0;

	if (!nf_set_is_line(set) || set->element_count == 0)
		return 0;
	qsort(set->elements, set->element_count, sizeof(set->elements[0]), point_compare);
	for (size_t i = 0; i < set->element_count; i++) {
		struct ruleset_element element = set->elements[i];

		if (element.key_end.len == END_MARK)
			continue;
		/* Up to the next point, whatever it is; as the kernel looks keys up. */
		if (i + 1 < set->element_count) {
			element.key_end = set->elements[i + 1].key;
			if (memcmp(element.key.bytes, element.key_end.bytes, element.key.len) == 0)
				return -EBADMSG;
			key_take_one(&element.key_end);
		} else {
			element.key_end.len = element.key.len;
			memset(element.key_end.bytes, 0xff, element.key.len);
		}
		set->elements[kept++] = element;
	}
	set->element_count = kept;
	return 0;
}

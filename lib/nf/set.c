/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Sets and maps on the wire. The kernel keeps intervals of a plain key as points on a line: one
 * where an interval starts, one, flagged, behind its last key; none if that key is the highest.
 * Intervals of a concatenation have both ends in one element.
 */
#include "codec.h"

#include <string.h>

#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

/* An attribute holds 64 KiB. Elements are at most a few hundred bytes: stop well before. */
#define ELEMENTS_BYTES 64000u

/* nft's notes to itself, so that its listing is readable: type, length, value in host order. */
#define NOTE_KEY_BYTEORDER     0
#define NOTE_DATA_BYTEORDER    1
#define NOTE_ELEMENT_FLAGS     1
#define NOTE_ELEMENT_OPEN      1 /* the interval has no end */
#define NOTE_BYTEORDER_NONE    0 /* concatenations, verdicts */
#define NOTE_BYTEORDER_HOST    1
#define NOTE_BYTEORDER_NETWORK 2
#define NOTE_PLAIN_TYPES       64 /* data types from here on are concatenations */

/* nft's data types whose values are in host order: nfproto, string, time, mark, device numbers and
 * types, realm, class, user, group, conntrack state and status, packet type, device group, route
 * type, device name, times, control group. */
static const uint64_t host_order_types = UINT64_C(1) << 2 | UINT64_C(1) << 5 | UINT64_C(1) << 18 |
					 UINT64_C(1) << 19 | UINT64_C(1) << 20 | UINT64_C(1) << 21 |
					 UINT64_C(1) << 22 | UINT64_C(1) << 23 | UINT64_C(1) << 24 |
					 UINT64_C(1) << 25 | UINT64_C(1) << 26 | UINT64_C(1) << 28 |
					 UINT64_C(1) << 30 | UINT64_C(1) << 31 | UINT64_C(1) << 35 |
					 UINT64_C(1) << 38 | UINT64_C(1) << 41 | UINT64_C(1) << 43 |
					 UINT64_C(1) << 44 | UINT64_C(1) << 45 | UINT64_C(1) << 46;

struct note {
	uint8_t type, len;
	uint8_t value[4];
};

static struct note note_make(uint8_t type, uint32_t value)
{
	struct note note = {.type = type, .len = sizeof(note.value)};

	memcpy(note.value, &value, sizeof(note.value));
	return note;
}

static uint32_t byteorder_of(uint32_t type)
{
	if (type >= NOTE_PLAIN_TYPES)
		return NOTE_BYTEORDER_NONE;
	return host_order_types >> type & 1 ? NOTE_BYTEORDER_HOST : NOTE_BYTEORDER_NETWORK;
}

/* Are the set's intervals points on a line? */
static bool is_line(const struct ruleset_set *set)
{
	return set->interval && set->field_count < 2;
}

/* Keys are compared and counted as the kernel does it: as big-endian numbers. */
static bool key_add_one(struct ruleset_value *key)
{
	for (size_t i = key->len; i-- > 0;)
		if (++key->bytes[i] != 0)
			return true;
	return false;
}

static void key_take_one(struct ruleset_value *key)
{
	for (size_t i = key->len; i-- > 0;)
		if (key->bytes[i]-- != 0)
			return;
}

static const struct {
	uint32_t flag;
	size_t offset;
} flag_members[] = {
    {NFT_SET_ANONYMOUS, offsetof(struct ruleset_set, anonymous)},
    {NFT_SET_CONSTANT, offsetof(struct ruleset_set, constant)},
    {NFT_SET_INTERVAL, offsetof(struct ruleset_set, interval)},
    {NFT_SET_MAP, offsetof(struct ruleset_set, map)},
    {NFT_SET_TIMEOUT, offsetof(struct ruleset_set, timeout)},
    {NFT_SET_EVAL, offsetof(struct ruleset_set, dynamic)},
};

/* ---- writing ---- */

static bool set_sound(const struct ruleset_set *set)
{
	if (!nf_name_valid(set->name, sizeof(set->name)) || set->key_len == 0 ||
	    set->key_len > RULESET_DATA_MAX || set->field_count > ARRAY_SIZE(set->fields) ||
	    (set->verdict_map && !set->map) || (set->dynamic && set->element_count > 0))
		return false;
	return !set->map || set->verdict_map ||
	       (set->data_len > 0 && set->data_len <= RULESET_DATA_MAX);
}

static void description_write(struct nf_writer *writer, const struct ruleset_set *set)
{
	if (set->size == 0 && set->field_count < 2)
		return;
	nf_nest_begin(writer, NFTA_SET_DESC);
	if (set->size)
		nf_put_u32(writer, NFTA_SET_DESC_SIZE, set->size);
	if (set->field_count > 1) {
		nf_nest_begin(writer, NFTA_SET_DESC_CONCAT);
		for (size_t i = 0; i < set->field_count; i++) {
			nf_nest_begin(writer, NFTA_LIST_ELEM);
			nf_put_u32(writer, NFTA_SET_FIELD_LEN, set->fields[i]);
			nf_nest_end(writer);
		}
		nf_nest_end(writer);
	}
	nf_nest_end(writer);
}

static void head_write(struct nf_writer *writer, const struct ruleset_table *table,
		       const struct ruleset_set *set, uint32_t id)
{
	uint32_t flags = set->field_count > 1 ? NFT_SET_CONCAT : 0;
	struct note notes[2] = {note_make(NOTE_KEY_BYTEORDER, byteorder_of(set->key_type))};
	size_t note_count = 1;

	for (size_t i = 0; i < ARRAY_SIZE(flag_members); i++)
		if (*(const bool *)((const char *)set + flag_members[i].offset))
			flags |= flag_members[i].flag;
	nf_message_begin(writer, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWSET, NLM_F_CREATE,
			 (uint8_t)table->family, 0);
	nf_put_text(writer, NFTA_SET_TABLE, table->name);
	nf_put_text(writer, NFTA_SET_NAME, set->name);
	nf_put_u32(writer, NFTA_SET_FLAGS, flags);
	nf_put_u32(writer, NFTA_SET_KEY_TYPE, set->key_type);
	nf_put_u32(writer, NFTA_SET_KEY_LEN, set->key_len);
	if (set->map) {
		uint32_t type = set->verdict_map ? NF_DATA_VERDICT_TYPE : set->data_type;

		nf_put_u32(writer, NFTA_SET_DATA_TYPE, type);
		nf_put_u32(writer, NFTA_SET_DATA_LEN, set->verdict_map ? 0 : set->data_len);
		notes[note_count++] = note_make(NOTE_DATA_BYTEORDER, byteorder_of(type));
	}
	nf_put_u32(writer, NFTA_SET_ID, id);
	if (set->timeout_ms)
		nf_put_u64(writer, NFTA_SET_TIMEOUT, set->timeout_ms);
	description_write(writer, set);
	nf_put(writer, NFTA_SET_USERDATA, notes, note_count * sizeof(notes[0]));
	nf_message_end(writer);
}

static void interval_end_write(struct nf_writer *writer, const struct ruleset_value *end)
{
	nf_nest_begin(writer, NFTA_LIST_ELEM);
	nf_put_u32(writer, NFTA_SET_ELEM_FLAGS, NFT_SET_ELEM_INTERVAL_END);
	nf_value_write(writer, NFTA_SET_ELEM_KEY, end);
	nf_nest_end(writer);
}

static void element_write(struct nf_writer *writer, const struct ruleset_set *set,
			  const struct ruleset_element *element)
{
	struct ruleset_value end = element->key_end.len ? element->key_end : element->key;
	bool closed = is_line(set);

	if (element->key.len != set->key_len || end.len != set->key_len ||
	    (set->map && !set->verdict_map && element->data.len != set->data_len) ||
	    (is_line(set) && memcmp(element->key.bytes, end.bytes, end.len) > 0)) {
		nf_writer_fail(writer, -EINVAL);
		return;
	}
	nf_nest_begin(writer, NFTA_LIST_ELEM);
	nf_value_write(writer, NFTA_SET_ELEM_KEY, &element->key);
	if (set->interval && !is_line(set))
		nf_value_write(writer, NFTA_SET_ELEM_KEY_END, &end);
	if (set->verdict_map)
		nf_verdict_write(writer, NFTA_SET_ELEM_DATA, &element->verdict);
	else if (set->map)
		nf_value_write(writer, NFTA_SET_ELEM_DATA, &element->data);
	if (is_line(set) && !key_add_one(&end)) {
		struct note note = note_make(NOTE_ELEMENT_FLAGS, NOTE_ELEMENT_OPEN);

		nf_put(writer, NFTA_SET_ELEM_USERDATA, &note, sizeof(note));
		closed = false;
	}
	nf_nest_end(writer);
	if (closed)
		interval_end_write(writer, &end);
}

void nf_set_write(struct nf_writer *writer, const struct ruleset_table *table,
		  const struct ruleset_set *set, uint32_t id)
{
	size_t i = 0;

	if (!set_sound(set)) {
		nf_writer_fail(writer, -EINVAL);
		return;
	}
	head_write(writer, table, set, id);
	while (i < set->element_count && nf_writer_finish(writer) == 0) {
		size_t start;

		nf_message_begin(writer, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWSETELEM,
				 NLM_F_CREATE, (uint8_t)table->family, 0);
		nf_put_text(writer, NFTA_SET_ELEM_LIST_TABLE, table->name);
		nf_put_text(writer, NFTA_SET_ELEM_LIST_SET, set->name);
		nf_put_u32(writer, NFTA_SET_ELEM_LIST_SET_ID, id);
		nf_nest_begin(writer, NFTA_SET_ELEM_LIST_ELEMENTS);
		start = writer->out->len;
		while (i < set->element_count && writer->out->len - start < ELEMENTS_BYTES &&
		       nf_writer_finish(writer) == 0)
			element_write(writer, set, &set->elements[i++]);
		nf_nest_end(writer);
		nf_message_end(writer);
	}
}

/* ---- reading ---- */

static int optional_u32(struct nf_span value, uint32_t *ret_number)
{
	return value.data ? nf_read_u32(value, ret_number) : 0;
}

static int concat_read(struct nf_span list, struct ruleset_set *set, bool *ret_incomplete)
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
			*ret_incomplete = true;
			return 0;
		}
		set->fields[set->field_count++] = (uint8_t)len;
	}
	/* One part alone is no concatenation; the kernel has none of that kind. */
	if (set->field_count == 1)
		*ret_incomplete = true;
	return r;
}

static int description_read(struct nf_span bytes, struct ruleset_set *set, bool *ret_incomplete)
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
		*ret_incomplete = true;
	return concat_read(attributes.at[NFTA_SET_DESC_CONCAT], set, ret_incomplete);
}

static int types_read(const struct nf_attributes *attributes, struct ruleset_set *set,
		      bool *ret_incomplete)
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
		*ret_incomplete = true;
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
		bool *ret_incomplete)
{
	uint32_t flags = 0, known = NFT_SET_CONCAT;
	int r;

	r = optional_u32(attributes->at[NFTA_SET_FLAGS], &flags);
	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(flag_members); i++) {
		bool *member = (bool *)((char *)ret_set + flag_members[i].offset);

		*member = flags & flag_members[i].flag;
		known |= flag_members[i].flag;
	}
	if ((flags & ~known) || nf_attributes_beyond(attributes, set_known))
		*ret_incomplete = true;
	r = types_read(attributes, ret_set, ret_incomplete);
	if (r < 0)
		return r;
	if (attributes->at[NFTA_SET_TIMEOUT].data) {
		r = nf_read_u64(attributes->at[NFTA_SET_TIMEOUT], &ret_set->timeout_ms);
		if (r < 0)
			return r;
	}
	return description_read(attributes->at[NFTA_SET_DESC], ret_set, ret_incomplete);
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
	if (is_line(set)) {
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

/* 0, -EOPNOTSUPP if the struct cannot say it, -EBADMSG. */
static int element_read(struct nf_span bytes, const struct ruleset_set *set,
			struct ruleset_element *element)
{
	struct nf_attributes attributes;
	uint32_t flags = 0;
	bool end;
	int r;

	r = nf_attributes_read(bytes, &attributes);
	if (r < 0)
		return r;
	r = optional_u32(attributes.at[NFTA_SET_ELEM_FLAGS], &flags);
	if (r < 0)
		return r;
	if ((flags & ~(uint32_t)NFT_SET_ELEM_INTERVAL_END) ||
	    nf_attributes_beyond(&attributes,
				 1u << NFTA_SET_ELEM_KEY | 1u << NFTA_SET_ELEM_KEY_END |
				     1u << NFTA_SET_ELEM_DATA | 1u << NFTA_SET_ELEM_FLAGS |
				     1u << NFTA_SET_ELEM_PAD | 1u << NFTA_SET_ELEM_USERDATA))
		return -EOPNOTSUPP;
	end = flags & NFT_SET_ELEM_INTERVAL_END;
	r = element_keys_read(&attributes, set, end, element);
	if (r < 0 || end)
		return r;
	if (set->map)
		return element_data_read(attributes.at[NFTA_SET_ELEM_DATA], set, element);
	return attributes.at[NFTA_SET_ELEM_DATA].data ? -EOPNOTSUPP : 0;
}

int nf_elements_read(struct nf_span bytes, struct ruleset_set *set, bool *ret_incomplete)
{
	struct nf_span value;
	uint16_t type;
	int r;

	while ((r = nf_attribute_next(&bytes, &type, &value)) > 0) {
		struct ruleset_element element = {0};

		r = element_read(value, set, &element);
		if (r == -EOPNOTSUPP) {
			*ret_incomplete = true;
			continue;
		}
		if (r < 0)
			return r;
		if (!ruleset_add_element(set, &element))
			return -ENOMEM;
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

	if (!is_line(set) || set->element_count == 0)
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

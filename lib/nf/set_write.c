/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "set.h"

#include <string.h>

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

/* Keys are counted as the kernel does it: as big-endian numbers. */
static bool key_add_one(struct ruleset_value *key)
{
	for (size_t i = key->len; i-- > 0;)
		if (++key->bytes[i] != 0)
			return true;
	return false;
}

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

	for (size_t i = 0; i < ARRAY_SIZE(nf_set_flags); i++)
		if (*(const bool *)((const char *)set + nf_set_flags[i].offset))
			flags |= nf_set_flags[i].flag;
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
	bool closed = nf_set_is_line(set);

	if (element->key.len != set->key_len || end.len != set->key_len ||
	    (set->map && !set->verdict_map && element->data.len != set->data_len) ||
	    (nf_set_is_line(set) && memcmp(element->key.bytes, end.bytes, end.len) > 0)) {
		nf_writer_fail(writer, -EINVAL);
		return;
	}
	nf_nest_begin(writer, NFTA_LIST_ELEM);
	nf_value_write(writer, NFTA_SET_ELEM_KEY, &element->key);
	if (set->interval && !nf_set_is_line(set))
		nf_value_write(writer, NFTA_SET_ELEM_KEY_END, &end);
	if (set->verdict_map)
		nf_verdict_write(writer, NFTA_SET_ELEM_DATA, &element->verdict);
	else if (set->map)
		nf_value_write(writer, NFTA_SET_ELEM_DATA, &element->data);
	if (nf_set_is_line(set) && !key_add_one(&end)) {
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

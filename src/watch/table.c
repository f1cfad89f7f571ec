/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "table.h"

#include <assert.h>
#include <string.h>

#include <netinet/in.h>

#define NOBODY	      UINT32_MAX
#define ANY_HIGH_PORT 40000 /* of a source port no grant depends, but a DHCP client's */

static_assert(sizeof(struct row_key) == 72, "a key has no hole that could differ");

struct slot {
	struct row row;
	uint32_t newer, older; /* by when they were heard of; NOBODY ends */
	uint32_t next;	       /* in the same bucket, or the next free one */
};

struct table {
	struct slot *slots;
	uint32_t *buckets;
	size_t rows, bucket_count, count;
	uint32_t newest, oldest, free;
	uint64_t evicted;
};

struct table *table_free(struct table *table)
{
	if (table) {
		if (table->slots)
			explicit_bzero(table->slots, table->rows * sizeof(*table->slots));
		free(table->slots);
		free(table->buckets);
		free(table);
	}
	return NULL;
}

void table_forget(struct table *table)
{
	explicit_bzero(table->slots, table->rows * sizeof(*table->slots));
	for (size_t i = 0; i < table->bucket_count; i++)
		table->buckets[i] = NOBODY;
	for (size_t i = 0; i < table->rows; i++)
		table->slots[i].next = i + 1 < table->rows ? (uint32_t)(i + 1) : NOBODY;
	table->free = 0;
	table->newest = table->oldest = NOBODY;
	table->count = 0;
	table->evicted = 0;
}

int table_new(size_t rows, struct table **ret_table)
{
	CLEANUP(table_freep) struct table *table = NULL;

	if (rows == 0 || rows > TABLE_ROWS_MAX)
		return -EINVAL;
	table = calloc(1, sizeof(*table));
	if (!table)
		return -ENOMEM;
	table->rows = rows;
	table->bucket_count = 1;
	while (table->bucket_count < rows)
		table->bucket_count *= 2;
	table->slots = calloc(rows, sizeof(*table->slots));
	table->buckets = calloc(table->bucket_count, sizeof(*table->buckets));
	if (!table->slots || !table->buckets)
		return -ENOMEM;
	table_forget(table);
	*ret_table = TAKE_PTR(table);
	return 0;
}

static struct row_key key_of(const struct attempt *attempt)
{
	const uint32_t how = WATCH_OWNED | WATCH_FRAME | WATCH_PACKET | WATCH_LOOPBACK |
			     WATCH_ADDRESSED | WATCH_CREATOR;
	struct row_key key = {0};

	key.exe_inode = attempt->sender.exe_inode;
	key.exe_device = attempt->sender.exe_device;
	key.group = attempt->sender.group;
	key.uid = attempt->sender.uid;
	key.owner_uid = attempt->owner_uid;
	key.netns = attempt->netns;
	key.flags = attempt->flags & how;
	if (attempt->flags & WATCH_CREATOR) {
		key.creator_inode = attempt->creator.exe_inode;
		key.creator_device = attempt->creator.exe_device;
	}
	key.kind = (uint8_t)(attempt->kind == WATCH_SOCKET ? WATCH_TASK : attempt->kind);
	key.protocol = attempt->protocol;
	key.ethertype = attempt->ethertype;
	if (attempt_has_ports(attempt))
		key.detail = attempt->destination_port;
	else if (attempt->protocol == IPPROTO_ICMP || attempt->protocol == IPPROTO_ICMPV6)
		key.detail = attempt->icmp_type;
	key.destination = attempt->destination;
	return key;
}

/* FNV-1a. Who fills one bucket on purpose costs time that the table's size bounds. */
static size_t bucket_of(const struct table *table, const struct row_key *key)
{
	const uint8_t *bytes = (const uint8_t *)key;
	uint64_t hash = 14695981039346656037u;

	for (size_t i = 0; i < sizeof(*key); i++)
		hash = (hash ^ bytes[i]) * 1099511628211u;
	return (size_t)(hash ^ hash >> 32) & (table->bucket_count - 1);
}

static void unlink_age(struct table *table, uint32_t index)
{
	struct slot *slot = &table->slots[index];

	if (slot->newer != NOBODY)
		table->slots[slot->newer].older = slot->older;
	else
		table->newest = slot->older;
	if (slot->older != NOBODY)
		table->slots[slot->older].newer = slot->newer;
	else
		table->oldest = slot->newer;
}

static void link_newest(struct table *table, uint32_t index)
{
	struct slot *slot = &table->slots[index];

	slot->newer = NOBODY;
	slot->older = table->newest;
	if (table->newest != NOBODY)
		table->slots[table->newest].newer = index;
	else
		table->oldest = index;
	table->newest = index;
}

static void evict_oldest(struct table *table)
{
	uint32_t index = table->oldest, *at;
	struct slot *slot = &table->slots[index];

	at = &table->buckets[bucket_of(table, &slot->row.key)];
	while (*at != index)
		at = &table->slots[*at].next;
	*at = slot->next;
	unlink_age(table, index);
	explicit_bzero(&slot->row, sizeof(slot->row));
	slot->next = table->free;
	table->free = index;
	table->count--;
	table->evicted++;
}

static uint32_t find(const struct table *table, const struct row_key *key)
{
	uint32_t index = table->buckets[bucket_of(table, key)];

	while (index != NOBODY && memcmp(&table->slots[index].row.key, key, sizeof(*key)) != 0)
		index = table->slots[index].next;
	return index;
}

/* Keep the end of @text, which tells more than its beginning. */
static void copy_end(char *to, size_t size, const char *text)
{
	size_t length = strlen(text);

	if (length < size)
		memcpy(to, text, length + 1);
	else
		snprintf(to, size, "...%s", text + length - (size - 4));
}

/* Packets that leave from an interrupt bring no path; the same file's earlier ones may have. */
static void remember_path(const struct table *table, struct row *row)
{
	if (row->key.exe_inode == 0)
		return;
	for (uint32_t i = table->newest; i != NOBODY; i = table->slots[i].older) {
		const struct row *other = &table->slots[i].row;

		if (other != row && other->path[0] && other->key.exe_inode == row->key.exe_inode &&
		    other->key.exe_device == row->key.exe_device) {
			memcpy(row->path, other->path, sizeof(row->path));
			row->path_remembered = true;
			return;
		}
	}
}

static void count(const struct table *table, const struct attempt *attempt, struct row *row)
{
	/* Where only users are known, repetitions are not told apart. */
	if (attempt->kind == WATCH_TASK || attempt->kind == WATCH_USER)
		row->attempts++;
	else
		row->repeats++;
	row->last_ns = attempt->time_ns;
	row->last_number = attempt->number;
	row->sender = attempt->sender;
	row->creator = attempt->creator;
	row->flags = attempt->flags;
	row->mntns = attempt->mntns ? attempt->mntns : row->mntns;
	row->tcp_flags = attempt->tcp_flags;
	row->icmp_type = attempt->icmp_type;
	row->icmp_code = attempt->icmp_code;
	if (attempt->path[0]) {
		copy_end(row->path, sizeof(row->path), attempt->path);
		row->path_remembered = false;
	} else if (!row->path[0]) {
		remember_path(table, row);
	}
	if (attempt->group[0])
		copy_end(row->group, sizeof(row->group), attempt->group);
}

const struct row *table_add(struct table *table, const struct attempt *attempt, bool *ret_new)
{
	struct row_key key = key_of(attempt);
	uint32_t index = find(table, &key);

	*ret_new = index == NOBODY;
	if (index == NOBODY) {
		size_t bucket = bucket_of(table, &key);

		if (table->free == NOBODY)
			evict_oldest(table);
		index = table->free;
		table->free = table->slots[index].next;
		table->slots[index].next = table->buckets[bucket];
		table->buckets[bucket] = index;
		table->slots[index].row.key = key;
		table->slots[index].row.first_ns = attempt->time_ns;
		table->count++;
	} else {
		unlink_age(table, index);
	}
	link_newest(table, index);
	count(table, attempt, &table->slots[index].row);
	return &table->slots[index].row;
}

size_t table_count(const struct table *table)
{
	return table->count;
}

uint64_t table_evicted(const struct table *table)
{
	return table->evicted;
}

const struct row *table_next(const struct table *table, const struct row *row)
{
	uint32_t index = table->newest;

	if (row) {
		/* A row is the first member of its slot. */
		const struct slot *slot = (const struct slot *)(const void *)row;

		index = slot->older;
	}
	return index == NOBODY ? NULL : &table->slots[index].row;
}

struct packet row_packet(const struct row *row)
{
	const struct row_key *key = &row->key;
	struct packet packet = {0};

	packet.path = key->flags & WATCH_FRAME ? PACKET_FRAME : PACKET_OUTPUT;
	packet.loopback = key->flags & WATCH_LOOPBACK;
	packet.ethertype = key->ethertype;
	packet.owned = key->flags & WATCH_OWNED;
	packet.uid = key->owner_uid;
	packet.routed = !(key->flags & WATCH_PACKET);
	packet.protocol = key->protocol;
	packet.fragment = row->flags & WATCH_FRAGMENT;
	packet.destination = key->destination;
	packet.source_port = ANY_HIGH_PORT;
	if (packet_has_ports(key->protocol))
		packet.destination_port = key->detail;
	packet.tcp_flags = row->tcp_flags;
	packet.icmp_type = row->icmp_type;
	packet.icmp_code = row->icmp_code;
	return packet;
}

void table_set_grant(struct table *table, const struct row *row, const struct grant *grant)
{
	const struct slot *slot = (const struct slot *)(const void *)row;

	table->slots[slot - table->slots].row.grant = *grant;
}

void table_set_bus_name(struct table *table, const struct row *row, const char *name)
{
	const struct slot *slot = (const struct slot *)(const void *)row;

	snprintf(table->slots[slot - table->slots].row.bus_name, UNIT_BUS_NAME_MAX, "%s", name);
}

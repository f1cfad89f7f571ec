/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tamper.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <string.h>

#include <base/buf.h>

#include "attempt.h"

#define HEADER     (sizeof(struct nlmsghdr) + sizeof(struct nfgenmsg))
#define TABLE_NAME 1 /* as in tampering.bpf.c */
#define TABLE_MAX  64

/* NFT_MSG_DESTROYTABLE and those behind it, since 6.3. */
enum { DESTROY_FIRST = 26, DESTROY_LAST = 32 };

/* ---- one message to nf_tables ---- */

struct message {
	uint8_t kind, family;
	bool named, numbered;  /* has the table's name, or any other attribute */
	char table[TABLE_MAX]; /* printable */
};

static void read_name(const uint8_t *value, size_t len, struct message *message)
{
	size_t used = strnlen((const char *)value, len);

	if (used >= sizeof(message->table))
		used = sizeof(message->table) - 1;
	memcpy(message->table, value, used);
	message->table[used] = '\0';
	text_clean(message->table, used + 1);
	message->named = true;
}

/* Of what was cut, what is there is read. */
static int message_read(const uint8_t *bytes, size_t len, struct message *ret_message)
{
	struct message message = {0};
	struct nlmsghdr header;
	struct nfgenmsg general;
	struct nlattr attribute;
	size_t at = HEADER;

	if (len < HEADER)
		return -EBADMSG;
	memcpy(&header, bytes, sizeof(header));
	memcpy(&general, bytes + sizeof(header), sizeof(general));
	if (header.nlmsg_type >> 8 != NFNL_SUBSYS_NFTABLES)
		return -EBADMSG;
	message.kind = (uint8_t)header.nlmsg_type;
	message.family = general.nfgen_family;
	while (len - at >= sizeof(attribute)) {
		size_t step;

		memcpy(&attribute, bytes + at, sizeof(attribute));
		if (attribute.nla_len < sizeof(attribute) || attribute.nla_len > len - at)
			break;
		step = ((size_t)attribute.nla_len + 3) & ~(size_t)3;
		if ((attribute.nla_type & NLA_TYPE_MASK) == TABLE_NAME)
			read_name(bytes + at + sizeof(attribute),
				  attribute.nla_len - sizeof(attribute), &message);
		else
			message.numbered = true;
		if (step > len - at)
			break;
		at += step;
	}
	*ret_message = message;
	return 0;
}

static const char *family_name(uint8_t family)
{
	switch (family) {
	case NFPROTO_INET:
		return "inet";
	case NFPROTO_IPV4:
		return "ip";
	case NFPROTO_IPV6:
		return "ip6";
	case NFPROTO_ARP:
		return "arp";
	case NFPROTO_NETDEV:
		return "netdev";
	case NFPROTO_BRIDGE:
		return "bridge";
	default:
		return NULL;
	}
}

/* What is done, and to what. */
static const char *deed_of(uint8_t kind, bool *ret_removes)
{
	static const struct {
		uint8_t kind;
		bool removes;
		const char *noun;
	} deeds[] = {
	    {NFT_MSG_NEWTABLE, false, "table"},
	    {NFT_MSG_DELTABLE, true, "table"},
	    {NFT_MSG_NEWCHAIN, false, "chain"},
	    {NFT_MSG_DELCHAIN, true, "chain"},
	    {NFT_MSG_NEWRULE, false, "rule"},
	    {NFT_MSG_DELRULE, true, "rule"},
	    {NFT_MSG_NEWSET, false, "set"},
	    {NFT_MSG_DELSET, true, "set"},
	    {NFT_MSG_NEWSETELEM, false, "element"},
	    {NFT_MSG_DELSETELEM, true, "element"},
	    {NFT_MSG_NEWOBJ, false, "object"},
	    {NFT_MSG_DELOBJ, true, "object"},
	    {NFT_MSG_NEWFLOWTABLE, false, "flowtable"},
	    {NFT_MSG_DELFLOWTABLE, true, "flowtable"},
	};
	static const char *const destroyed[] = {"table",   "chain",  "rule",     "set",
						"element", "object", "flowtable"};

	if (kind >= DESTROY_FIRST && kind <= DESTROY_LAST) {
		*ret_removes = true;
		return destroyed[kind - DESTROY_FIRST];
	}
	for (size_t i = 0; i < ARRAY_SIZE(deeds); i++)
		if (deeds[i].kind == kind) {
			*ret_removes = deeds[i].removes;
			return deeds[i].noun;
		}
	return NULL;
}

static void say_what(const struct message *message, enum watch_concern concern, uint32_t changes,
		     struct buf *out)
{
	const char *family = family_name(message->family);
	bool removes = false;
	const char *noun = deed_of(message->kind, &removes);

	if (concern == WATCH_ALL) {
		buf_printf(out, "flush of all %s%stables", family ? family : "", family ? " " : "");
	} else if (!noun) {
		buf_printf(out, "a change of kind %u", message->kind);
	} else {
		buf_printf(out, "%s %s", removes ? "delete" : "add", noun);
		if (strcmp(noun, "table") != 0)
			buf_puts(out, " of table");
		buf_printf(out, "%s%s%s%s", family ? " " : "", family ? family : "",
			   message->named ? " " : "",
			   message->named ? message->table : " that is not named");
	}
	if (changes > 1)
		buf_printf(out, ", and %u more %s", changes - 1,
			   changes == 2 ? "change" : "changes");
}

/* ---- a record ---- */

static int read_what(const struct watch_tamper *record, struct tamper *tamper)
{
	AUTO_BUF struct buf out = {.cap = TAMPER_WHAT_MAX - 1};
	struct message message;
	int r = message_read(record->message, record->message_size, &message);

	if (r < 0)
		return r;
	say_what(&message, tamper->concern, record->changes, &out);
	r = buf_finish(&out);
	if (r == 0)
		memcpy(tamper->what, out.data, out.len + 1);
	return r;
}

/* What is too long loses its beginning. */
static void copy_end(const char *from, char *to, size_t size)
{
	size_t length = strlen(from);

	if (length < size)
		memcpy(to, from, length + 1);
	else
		snprintf(to, size, "...%s", from + length - (size - 4));
}

int tamper_read(const void *data, size_t len, struct tamper *ret_tamper)
{
	const size_t fixed = sizeof(struct watch_tamper) - WATCH_TEXT_MAX;
	struct watch_tamper record = {0};
	struct tamper tamper = {0};
	char path[TEXT_MAX], group[TEXT_MAX];
	int r;

	if (len < fixed || len > sizeof(record))
		return -EBADMSG;
	memcpy(&record, data, len);
	if ((size_t)record.path_size + record.group_size != len - fixed ||
	    record.message_size > WATCH_MESSAGE_MAX || record.changes == 0 ||
	    record.concern == WATCH_NOTHING || record.concern > WATCH_ALL)
		return -EBADMSG;
	r = text_read(record.text, record.path_size, record.group_size, record.flags, path, group);
	if (r < 0)
		return r;
	text_clean_identity(&record.sender);
	tamper.time_ns = record.time_ns;
	tamper.times = 1;
	tamper.concern = (enum watch_concern)record.concern;
	tamper.netns = record.netns;
	tamper.pid = record.sender.pid;
	tamper.uid = record.sender.uid;
	tamper.exe_inode = record.sender.exe_inode;
	memcpy(tamper.comm, record.sender.comm, sizeof(tamper.comm));
	copy_end(path[0] ? path : record.sender.name, tamper.exe, sizeof(tamper.exe));
	attempt_unit(group, tamper.unit, sizeof(tamper.unit));
	r = read_what(&record, &tamper);
	if (r < 0)
		return r;
	*ret_tamper = tamper;
	return 0;
}

/* ---- the latest ---- */

void tampers_add(struct tampers *tampers, const struct tamper *tamper)
{
	struct tamper *first = &tampers->latest[0];

	tampers->count++;
	if (tampers->kept > 0 && first->pid == tamper->pid && first->netns == tamper->netns &&
	    strcmp(first->exe, tamper->exe) == 0 && strcmp(first->what, tamper->what) == 0) {
		first->times++;
		first->time_ns = tamper->time_ns;
		return;
	}
	if (tampers->kept < TAMPERS_MAX)
		tampers->kept++;
	memmove(first + 1, first, (tampers->kept - 1) * sizeof(*first));
	*first = *tamper;
}

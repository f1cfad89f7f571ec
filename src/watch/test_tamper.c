/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <string.h>

#include <base/cleanup.h>

#include "tamper.h"

#define FIXED (sizeof(struct watch_tamper) - WATCH_TEXT_MAX)

struct made {
	struct watch_tamper record;
	size_t size;
};

/* One message of @kind; with the table's name if there is one, and an attribute 4 if @numbered. */
static size_t put_message(uint8_t *at, uint16_t kind, uint8_t family, const char *table,
			  bool numbered)
{
	struct nlmsghdr header = {.nlmsg_type = (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | kind)};
	struct nfgenmsg general = {.nfgen_family = family};
	size_t used = sizeof(header) + sizeof(general);

	if (numbered) {
		const struct nlattr attribute = {.nla_len = 12, .nla_type = NFTA_TABLE_HANDLE};

		memcpy(at + used, &attribute, sizeof(attribute));
		used += 12;
	}
	if (table) {
		const size_t length = strlen(table) + 1;
		const struct nlattr attribute = {.nla_len = (uint16_t)(4 + length),
						 .nla_type = NFTA_TABLE_NAME};

		memcpy(at + used, &attribute, sizeof(attribute));
		memcpy(at + used + 4, table, length);
		used += 4 + ((length + 3) & ~(size_t)3);
	}
	header.nlmsg_len = (uint32_t)used;
	memcpy(at, &header, sizeof(header));
	memcpy(at + sizeof(header), &general, sizeof(general));
	return used;
}

static struct made make(enum watch_concern concern, uint32_t changes, uint16_t kind, uint8_t family,
			const char *table, bool numbered)
{
	static const char text[] = "nft\0sbin\0usr\0x.service\0system.slice";
	struct made made = {.size = FIXED + sizeof(text)};

	made.record.concern = concern;
	made.record.changes = changes;
	made.record.path_size = 13;
	made.record.group_size = sizeof(text) - 13;
	made.record.sender =
	    (struct watch_identity){.pid = 7, .uid = 1, .comm = "n\x1b", .exe_inode = 9};
	made.record.message_size =
	    (__u16)put_message(made.record.message, kind, family, table, numbered);
	memcpy(made.record.text, text, sizeof(text));
	return made;
}

static void who_and_what_is_read(void **state)
{
	struct made made = make(WATCH_OURS, 1, NFT_MSG_DELTABLE, NFPROTO_INET, "lethe", false);
	struct tamper tamper;

	made.record.netns = 5;
	made.record.time_ns = 11;
	assert_int_equal(tamper_read(&made.record, made.size, &tamper), 0);
	assert_string_equal(tamper.exe, "/usr/sbin/nft");
	assert_string_equal(tamper.unit, "x.service");
	assert_string_equal(tamper.comm, "n?");
	assert_string_equal(tamper.what, "delete table inet lethe");
	assert_int_equal(tamper.pid, 7);
	assert_int_equal(tamper.uid, 1);
	assert_int_equal(tamper.exe_inode, 9);
	assert_int_equal(tamper.netns, 5);
	assert_int_equal(tamper.time_ns, 11);
	assert_int_equal(tamper.times, 1);
	assert_int_equal(tamper.concern, WATCH_OURS);
}

static void each_deed_has_words(void **state)
{
	static const struct {
		enum watch_concern concern;
		uint32_t changes;
		uint16_t kind;
		uint8_t family;
		const char *table;
		bool numbered;
		const char *what;
	} cases[] = {
	    {WATCH_ALL, 1, NFT_MSG_DELTABLE, 0, NULL, false, "flush of all tables"},
	    {WATCH_ALL, 1, NFT_MSG_DELTABLE, NFPROTO_INET, NULL, false, "flush of all inet tables"},
	    {WATCH_OURS, 1, 26, NFPROTO_NETDEV, "lethe", false, "delete table netdev lethe"},
	    {WATCH_OURS, 1, NFT_MSG_DELTABLE, NFPROTO_IPV6, NULL, true,
	     "delete table ip6 that is not named"},
	    {WATCH_OURS, 1, NFT_MSG_DELTABLE, 0, "lethe", false, "delete table lethe"},
	    {WATCH_OURS, 2, NFT_MSG_DELRULE, NFPROTO_INET, "lethe", false,
	     "delete rule of table inet lethe, and 1 more change"},
	    {WATCH_OTHERS, 9, NFT_MSG_NEWTABLE, NFPROTO_IPV4, "a\nb", false,
	     "add table ip a?b, and 8 more changes"},
	    {WATCH_OURS, 1, NFT_MSG_DELSETELEM, NFPROTO_INET, "lethe", true,
	     "delete element of table inet lethe"},
	    {WATCH_OURS, 1, NFT_MSG_NEWFLOWTABLE, NFPROTO_ARP, "lethe", true,
	     "add flowtable of table arp lethe"},
	    {WATCH_OURS, 1, 32, NFPROTO_BRIDGE, "lethe", true,
	     "delete flowtable of table bridge lethe"},
	    {WATCH_OURS, 1, 200, NFPROTO_INET, "lethe", false, "a change of kind 200"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct made made = make(cases[i].concern, cases[i].changes, cases[i].kind,
					cases[i].family, cases[i].table, cases[i].numbered);
		struct tamper tamper;

		assert_int_equal(tamper_read(&made.record, made.size, &tamper), 0);
		assert_string_equal(tamper.what, cases[i].what);
	}
}

/* The kernel allows names of 255 bytes; a message that is cut has less than it says. */
static void what_is_long_is_cut(void **state)
{
	char name[200];
	struct made made;
	struct tamper tamper;

	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	made = make(WATCH_OTHERS, UINT32_MAX, NFT_MSG_NEWSETELEM, NFPROTO_BRIDGE, name, false);
	assert_int_equal(tamper_read(&made.record, made.size, &tamper), 0);
	assert_non_null(strstr(tamper.what, "add element of table bridge xxx"));
	made.record.message_size = 30;
	assert_int_equal(tamper_read(&made.record, made.size, &tamper), 0);
	assert_non_null(strstr(tamper.what, "that is not named"));
}

static void what_is_no_record_is_refused(void **state)
{
	const struct made good = make(WATCH_ALL, 1, NFT_MSG_DELTABLE, 0, NULL, false);
	struct tamper tamper = {.pid = 1};
	struct made made = good;

	for (size_t size = 0; size < good.size; size++)
		assert_int_equal(tamper_read(&good.record, size, &tamper), -EBADMSG);
	made.record.concern = WATCH_NOTHING;
	assert_int_equal(tamper_read(&made.record, made.size, &tamper), -EBADMSG);
	made.record.concern = WATCH_ALL + 1;
	assert_int_equal(tamper_read(&made.record, made.size, &tamper), -EBADMSG);
	made = good;
	made.record.message_size = WATCH_MESSAGE_MAX + 1;
	assert_int_equal(tamper_read(&made.record, made.size, &tamper), -EBADMSG);
	made.record.message_size = 3;
	assert_int_equal(tamper_read(&made.record, made.size, &tamper), -EBADMSG);
	made = good;
	made.record.changes = 0;
	assert_int_equal(tamper_read(&made.record, made.size, &tamper), -EBADMSG);
	made = good;
	made.record.message[5] = NFNL_SUBSYS_IPSET;
	assert_int_equal(tamper_read(&made.record, made.size, &tamper), -EBADMSG);
	assert_int_equal(tamper.pid, 1);
}

/* Whatever bytes stand in the message: read or refused, in bounds (sanitizers watch). */
static void any_message_is_survived(void **state)
{
	struct made made = make(WATCH_OURS, 1, NFT_MSG_DELTABLE, NFPROTO_INET, "lethe", true);
	uint32_t random = 12345;
	struct tamper tamper;

	for (int i = 0; i < 20000; i++) {
		random = random * 1664525u + 1013904223u;
		made.record.message[random >> 8 & 0x3f] = (uint8_t)(random >> 24);
		made.record.message_size = (__u16)(random >> 16 & 0x7f);
		if (tamper_read(&made.record, made.size, &tamper) == 0)
			assert_true(strlen(tamper.what) < TAMPER_WHAT_MAX);
	}
}

static void the_latest_are_kept(void **state)
{
	struct made made = make(WATCH_ALL, 1, NFT_MSG_DELTABLE, 0, NULL, false);
	struct tampers tampers = {0};
	struct tamper tamper;

	assert_int_equal(tamper_read(&made.record, made.size, &tamper), 0);
	for (uint32_t i = 0; i < 3 * TAMPERS_MAX; i++) {
		tamper.pid = i / 2;
		tamper.time_ns = i;
		tampers_add(&tampers, &tamper);
	}
	assert_int_equal(tampers.count, 3 * TAMPERS_MAX);
	assert_int_equal(tampers.kept, TAMPERS_MAX);
	for (uint32_t i = 0; i < TAMPERS_MAX; i++) {
		assert_int_equal(tampers.latest[i].pid, 3 * TAMPERS_MAX / 2 - 1 - i);
		assert_int_equal(tampers.latest[i].times, 2);
		assert_int_equal(tampers.latest[i].time_ns, 3 * TAMPERS_MAX - 1 - 2 * i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(who_and_what_is_read),
	    cmocka_unit_test(each_deed_has_words),
	    cmocka_unit_test(what_is_long_is_cut),
	    cmocka_unit_test(any_message_is_survived),
	    cmocka_unit_test(what_is_no_record_is_refused),
	    cmocka_unit_test(the_latest_are_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

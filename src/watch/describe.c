/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "describe.h"

#include <string.h>

#include <linux/if_ether.h>
#include <netinet/in.h>

#include "deputy.h"
#include "notice.h"

static const char *attribution_name(const struct row *row)
{
	switch ((enum watch_kind)row->key.kind) {
	case WATCH_TASK:
	case WATCH_SOCKET:
		return row->attempts > 0 ? "certain" : "by-socket";
	case WATCH_KERNEL:
		return "kernel";
	case WATCH_USER:
		return "user";
	case WATCH_UNKNOWN:
		break;
	}
	return "unknown";
}

/* The names are given, because whoever takes the values may keep them. */
static void describe_file(const struct watch_identity *who, const char *inode_name,
			  const char *device_name, const struct describe_to *to)
{
	char device[32];

	if (who->exe_inode == 0)
		return;
	to->number(to->data, inode_name, who->exe_inode);
	snprintf(device, sizeof(device), "%u:%u", who->exe_device >> 20,
		 who->exe_device & 0xfffff);
	to->text(to->data, device_name, device);
}

static void describe_program(const struct row *row, const struct describe_to *to)
{
	const struct watch_identity *who = &row->sender;
	char unit[ROW_UNIT_MAX];

	if (who->pid == 0)
		return;
	to->text(to->data, "program", row->path[0] ? row->path : who->name);
	/* Only what came with the packets themselves: a name that was remembered may have moved. */
	to->truth(to->data, "path-known", row->path[0] && !row->path_remembered);
	to->truth(to->data, "deleted", row->flags & WATCH_DELETED);
	describe_file(who, "inode", "device", to);
	to->text(to->data, "comm", who->comm);
	to->number(to->data, "pid", who->pid);
	to->number(to->data, "tid", who->tid);
	to->number(to->data, "uid", who->uid);
	if (row->group[0])
		to->text(to->data, "group", row->group);
	attempt_unit(row->group, unit, sizeof(unit));
	if (unit[0])
		to->text(to->data, "unit", unit);
	if (row->mntns)
		to->number(to->data, "mount-namespace", row->mntns);
}

/* Who made the socket, where that was another program than who sent. */
static void describe_creator(const struct row *row, const struct describe_to *to)
{
	const struct watch_identity *maker = &row->creator;

	if (!(row->key.flags & WATCH_CREATOR) ||
	    (maker->exe_inode == row->sender.exe_inode &&
	     maker->exe_device == row->sender.exe_device && maker->pid == row->sender.pid))
		return;
	to->text(to->data, "socket-made-by", maker->name);
	describe_file(maker, "socket-made-by-inode", "socket-made-by-device", to);
	to->number(to->data, "socket-made-by-pid", maker->pid);
	to->number(to->data, "socket-made-by-uid", maker->uid);
}

static const char *way_name(const struct row *row)
{
	if (row->key.flags & WATCH_PACKET)
		return "packet-socket";
	return row->key.flags & WATCH_FRAME ? "device" : "ip";
}

static void describe_packet(const struct row *row, const struct describe_to *to)
{
	const struct row_key *key = &row->key;
	bool ipv6 = key->ethertype == ETH_P_IPV6;
	AUTO_BUF struct buf address = {.cap = 64};
	const char *name = packet_protocol_name(key->protocol);
	char number[16];

	to->text(to->data, "way", way_name(row));
	to->truth(to->data, "loopback", key->flags & WATCH_LOOPBACK);
	to->number(to->data, "ethertype", key->ethertype);
	if (key->flags & WATCH_OWNED)
		to->number(to->data, "owner-uid", key->owner_uid);
	if (!(key->flags & WATCH_ADDRESSED))
		return;
	snprintf(number, sizeof(number), "%u", key->protocol);
	to->text(to->data, "protocol", name ? name : number);
	packet_address_print(&key->destination, ipv6, &address);
	to->text(to->data, "destination", buf_text(&address));
	if (packet_has_ports(key->protocol) && !(row->flags & WATCH_FRAGMENT))
		to->number(to->data, "port", key->detail);
	if (key->protocol == IPPROTO_ICMP || key->protocol == IPPROTO_ICMPV6)
		to->number(to->data, "icmp-type", key->detail);
}

static void describe_grant(const struct row *row, const struct describe_to *to)
{
	static const char *const answers[] = {
	    [GRANT_UNASKED] = "unknown", [GRANT_UNKNOWN] = "unknown", [GRANT_LINE] = "missing",
	    [GRANT_NONE] = "impossible", [GRANT_ALLOWED] = "allowed",
	};

	to->text(to->data, "grant", answers[row->grant.answer]);
	if (row->grant.reason && row->grant.reason[0])
		to->text(to->data, "reason", row->grant.reason);
	if (row->grant.line[0])
		to->text(to->data, "line", row->grant.line);
}

static uint64_t milliseconds_ago(uint64_t now_ns, uint64_t then_ns)
{
	return now_ns > then_ns ? (now_ns - then_ns) / 1000000 : 0;
}

void describe_row(const struct row *row, uint32_t own_netns, uint64_t now_ns,
		  const struct describe_to *to)
{
	const char *deputy = deputy_of(row);

	to->text(to->data, "attribution", attribution_name(row));
	describe_program(row, to);
	describe_creator(row, to);
	if (deputy)
		to->text(to->data, "on-behalf", deputy);
	if (row->bus_name[0])
		to->text(to->data, "bus-name", row->bus_name);
	describe_packet(row, to);
	if (row->key.netns) {
		to->number(to->data, "network-namespace", row->key.netns);
		to->truth(to->data, "own-namespace", row->key.netns == own_netns);
	}
	describe_grant(row, to);
	to->text(to->data, "advice", notice_advice_word(row));
	to->number(to->data, "attempts", row->attempts);
	to->number(to->data, "repeats", row->repeats);
	to->number(to->data, "number", row->last_number);
	to->number(to->data, "first-ms-ago", milliseconds_ago(now_ns, row->first_ns));
	to->number(to->data, "last-ms-ago", milliseconds_ago(now_ns, row->last_ns));
}

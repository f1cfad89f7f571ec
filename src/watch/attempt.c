/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "attempt.h"

#include <string.h>

#include <linux/if_ether.h>

#define PARTS_MAX 64

/* What a program may name itself must not steer a terminal or pretend to be other text. */
static void make_printable(char *text, size_t size)
{
	text[size - 1] = '\0';
	for (char *c = text; *c; c++)
		if (*c < 0x20 || *c > 0x7e)
			*c = '?';
}

static void clean_identity(struct watch_identity *identity)
{
	make_printable(identity->comm, sizeof(identity->comm));
	make_printable(identity->name, sizeof(identity->name));
}

/* Components, the last first, become a path. Returns 0 or -EBADMSG. */
static int join(const char *text, size_t size, bool cut, char *path, size_t room)
{
	const char *parts[PARTS_MAX] = {0};
	size_t count = 0, used = 0;

	for (size_t at = 0; at < size; at += strlen(text + at) + 1) {
		if (count == PARTS_MAX || !memchr(text + at, '\0', size - at))
			return -EBADMSG;
		parts[count++] = text + at;
	}
	if (cut)
		used = (size_t)snprintf(path, room, "...");
	while (count-- > 0) {
		size_t length = strlen(parts[count]);

		if (length + 2 > room - used)
			return -EBADMSG;
		path[used++] = '/';
		memcpy(path + used, parts[count], length + 1);
		used += length;
	}
	path[used] = '\0';
	if (used > 0)
		make_printable(path, used + 1);
	return 0;
}

static int read_texts(const struct watch_record *record, struct attempt *attempt)
{
	int r = join(record->text, record->path_size, record->flags & WATCH_PATH_CUT, attempt->path,
		     sizeof(attempt->path));

	if (r < 0)
		return r;
	r = join(record->text + record->path_size, record->group_size,
		 record->flags & WATCH_UNIT_CUT, attempt->group, sizeof(attempt->group));
	if (r == 0 && record->kind == WATCH_TASK && !attempt->group[0])
		memcpy(attempt->group, "/", 2);
	/* Nothing was read at all: that is no path that was cut. */
	if (record->path_size == 0)
		attempt->path[0] = '\0';
	return r;
}

int attempt_read(const void *data, size_t len, struct attempt *ret_attempt)
{
	const size_t fixed = sizeof(struct watch_record) - WATCH_TEXT_MAX;
	struct watch_record record = {0};
	struct attempt attempt = {0};
	int r;

	if (len < fixed || len > sizeof(record))
		return -EBADMSG;
	memcpy(&record, data, len);
	if ((size_t)record.path_size + record.group_size != len - fixed ||
	    record.kind > WATCH_KERNEL)
		return -EBADMSG;
	attempt.number = record.number;
	attempt.time_ns = record.time_ns;
	attempt.kind = (enum watch_kind)record.kind;
	attempt.flags = record.flags;
	attempt.owner_uid = record.owner_uid;
	attempt.netns = record.netns;
	attempt.mntns = record.mntns;
	attempt.ethertype = record.ethertype;
	attempt.source_port = record.source_port;
	attempt.destination_port = record.destination_port;
	attempt.protocol = record.protocol;
	attempt.tcp_flags = record.tcp_flags;
	attempt.icmp_type = record.icmp_type;
	attempt.icmp_code = record.icmp_code;
	memcpy(attempt.source.bytes, record.source, sizeof(record.source));
	memcpy(attempt.destination.bytes, record.destination, sizeof(record.destination));
	attempt.sender = record.sender;
	attempt.creator = record.creator;
	clean_identity(&attempt.sender);
	clean_identity(&attempt.creator);
	r = read_texts(&record, &attempt);
	if (r < 0)
		return r;
	*ret_attempt = attempt;
	return 0;
}

bool attempt_has_ports(const struct attempt *attempt)
{
	return (attempt->flags & WATCH_ADDRESSED) && !(attempt->flags & WATCH_FRAGMENT) &&
	       packet_has_ports(attempt->protocol);
}

static bool is_unit(const char *name, size_t length)
{
	static const char *const kinds[] = {".service", ".scope", ".socket", ".mount", ".swap"};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		size_t tail = strlen(kinds[i]);

		if (length > tail && memcmp(name + length - tail, kinds[i], tail) == 0)
			return true;
	}
	return false;
}

void attempt_unit(const char *group, char *unit, size_t size)
{
	size_t end = strlen(group);

	unit[0] = '\0';
	while (end > 0) {
		size_t start = end;

		while (start > 0 && group[start - 1] != '/')
			start--;
		if (is_unit(group + start, end - start) && end - start < size) {
			memcpy(unit, group + start, end - start);
			unit[end - start] = '\0';
			return;
		}
		end = start > 0 ? start - 1 : 0;
	}
}

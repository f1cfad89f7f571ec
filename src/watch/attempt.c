/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "attempt.h"

#include <string.h>

static int read_texts(const struct watch_record *record, struct attempt *attempt)
{
	int r = text_read(record->text, record->path_size, record->group_size, record->flags,
			  attempt->path, attempt->group);

	if (r == 0 && record->kind == WATCH_TASK && !attempt->group[0])
		memcpy(attempt->group, "/", 2);
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
	text_clean_identity(&attempt.sender);
	text_clean_identity(&attempt.creator);
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

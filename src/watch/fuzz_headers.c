/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Any bytes as a packet that the filter tells of: a program chooses them, and they become a row,
 * its values, and a notice. The first byte says whose and where, two more the kernel's label. */
#include <string.h>

#include <netinet/in.h>

#include <linux/netfilter.h>

#include <base/fuzz.h>

#include "describe.h"
#include "headers.h"
#include "notice.h"

static void take_text(void *data, const char *name, const char *value)
{
	for (; *value; value++)
		REQUIRE(*value >= 0x20 && *value <= 0x7e);
	(*(size_t *)data)++;
}

static void take_number(void *data, const char *name, uint64_t value)
{
	(*(size_t *)data)++;
}

static void take_truth(void *data, const char *name, bool value)
{
	(*(size_t *)data)++;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(table_freep) struct table *table = NULL;
	size_t values = 0;
	const struct describe_to to = {take_text, take_number, take_truth, &values};
	struct nf_logged logged = {0};
	struct attempt attempt;
	const struct row *row;
	struct packet packet;
	struct notice notice;
	bool new;

	if (size < 3 || table_new(1, &table) < 0)
		return 0;
	logged.family = data[0] & 1 ? NFPROTO_NETDEV : NFPROTO_IPV4;
	logged.owned = data[0] & 2;
	logged.device = data[0] & 4 ? 1 : 2;
	logged.ethertype = (uint16_t)(data[1] << 8 | data[2]);
	logged.data = data + 3;
	logged.len = size - 3;
	attempt = headers_read(&logged);
	REQUIRE(attempt.kind == (logged.owned ? WATCH_USER : WATCH_KERNEL));
	row = table_add(table, &attempt, &new);
	REQUIRE(new);
	packet = row_packet(row);
	REQUIRE(packet.owned == logged.owned);
	describe_row(row, 0, 1, &to);
	REQUIRE(values > 5);
	notice = notice_make(row);
	REQUIRE(notice.title[0] && notice.advice[0]);
	return 0;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mark.h"

#include <net/ethernet.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <string.h>

#include <base/json.h>

const char *const mark_kind_names[MARK_KINDS] = {
    [MARK_UDP] = "udp",     [MARK_UDP6] = "udp6",     [MARK_TCP] = "tcp",   [MARK_RAW] = "raw",
    [MARK_FRAME] = "frame", [MARK_BYPASS] = "bypass", [MARK_PLUG] = "plug",
};

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int mark_parse(const char *text, struct mark *ret_mark)
{
	struct mark mark = {
	    .address = {198, 18},
	    .address6 = {0x20, 0x01, 0x0d, 0xb8, 0x00, 0x80},
	};

	if (strlen(text) != 2 * (size_t)MARK_LEN)
		return -EINVAL;
	for (size_t i = 0; i < MARK_LEN; i++) {
		int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return -EINVAL;
		mark.nonce[i] = (uint8_t)(high << 4 | low);
		/* Not the nonce itself, which is looked for in the whole frame. */
		mark.address6[8 + i] = (uint8_t)~mark.nonce[i];
	}
	mark.address[2] = mark.nonce[0];
	mark.address[3] = mark.nonce[1];
	*ret_mark = mark;
	return 0;
}

int mark_find(const struct mark *mark, const uint8_t *frame, size_t len)
{
	const uint8_t *found = memmem(frame, len, mark->nonce, MARK_LEN);
	size_t destination = sizeof(struct ether_header) + offsetof(struct iphdr, daddr);
	uint16_t type;

	if (found && found + MARK_LEN < frame + len && found[MARK_LEN] < MARK_KINDS)
		return found[MARK_LEN];
	if (len < destination + sizeof(mark->address))
		return -1;
	memcpy(&type, frame + offsetof(struct ether_header, ether_type), sizeof(type));
	if (type != htons(ETHERTYPE_IP) ||
	    memcmp(frame + destination, mark->address, sizeof(mark->address)) != 0)
		return -1;
	return MARK_TCP;
}

void mark_report(struct json *json, const uint64_t counts[static MARK_KINDS])
{
	for (size_t i = 0; i < MARK_KINDS; i++)
		json_number(json, mark_kind_names[i], (int64_t)counts[i]);
}

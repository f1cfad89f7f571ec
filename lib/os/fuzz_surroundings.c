/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Any bytes as a datagram of a dump, or as one of the kernel's lists; the first byte says which.
 * What is found must be fit to print and to count on.
 */
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_hook.h>
#include <linux/rtnetlink.h>
#include <linux/xfrm.h>
#include <stdio.h>
#include <string.h>

#include "surroundings_reading.h"

#include <base/buf.h>
#include <base/fuzz.h>

static const struct {
	unsigned type;
	reading_message *message;
} dumps[] = {
    {RTM_NEWLINK, reading_link},
    {RTM_NEWRULE, reading_rule},
    {RTM_NEWROUTE, reading_route},
    {RTM_NEWNEXTHOP, reading_nexthop},
    {RTM_NEWQDISC, reading_queue},
    {RTM_NEWTCLASS, reading_class},
    {RTM_NEWTFILTER, reading_filter},
    {XFRM_MSG_NEWPOLICY, reading_policy},
    {(NFNL_SUBSYS_HOOK << 8) | NFNL_MSG_HOOK_GET, reading_hook},
};

static void require_text(const char *text, size_t size)
{
	size_t len = strnlen(text, size);

	REQUIRE(len < size);
	for (size_t i = 0; i < len; i++)
		REQUIRE(text[i] >= ' ' && text[i] <= '~');
}

static void require_sound(const struct reading *reading)
{
	const struct surroundings *to = &reading->to;

	REQUIRE(to->finding_count <= SURROUNDINGS_FINDINGS_MAX);
	REQUIRE(reading->place_count <= READING_PLACES_MAX);
	for (size_t i = 0; i < to->finding_count; i++) {
		REQUIRE(to->findings[i].kind >= SURROUNDINGS_CANNOT_TELL &&
			to->findings[i].kind <= SURROUNDINGS_IPVS);
		require_text(to->findings[i].name, sizeof(to->findings[i].name));
		require_text(to->findings[i].words, sizeof(to->findings[i].words));
		REQUIRE(to->findings[i].words[0]);
	}
	for (size_t i = 0; i < to->device_count; i++) {
		const struct surroundings_device *device = &to->devices[i];

		REQUIRE(device->index != 0 && device->name[0]);
		REQUIRE(strnlen(device->name, sizeof(device->name)) < sizeof(device->name));
		REQUIRE(strnlen(device->kind, sizeof(device->kind)) < sizeof(device->kind));
		REQUIRE(strnlen(device->port_kind, sizeof(device->port_kind)) <
			sizeof(device->port_kind));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(reading_done) struct reading reading = {.asked = {1, 0x10001, false}};
	AUTO_BUF struct buf text = {.cap = 1 << 20};

	if (size == 0)
		return 0;
	if (data[0] < ARRAY_SIZE(dumps)) {
		int r = reading_datagram(&reading, (struct reading_bytes){data + 1, size - 1},
					 dumps[data[0]].type, dumps[data[0]].message);

		REQUIRE(r <= 1 && r >= -4095);
	} else {
		buf_add(&text, data + 1, size - 1);
		reading_tables_text(&reading, "ip6", buf_text(&text));
		reading_ipvs_text(&reading, buf_text(&text));
		reading_multicast_text(&reading, "ip_mr_vif", buf_text(&text));
	}
	require_sound(&reading);
	return 0;
}

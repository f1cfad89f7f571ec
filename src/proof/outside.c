/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What decides about packets and is no rule of nftables; and devices that lie where no rules are. The
 * model knows neither, so nothing is proved where they are.
 */
#include "program.h"

#include <string.h>

/*
 * Devices of another namespace by which packets leave only through a place that is judged:
 *  - tun: a program reads them, and what it sends it sends by its own sockets;
 *  - veth: they arrive at the other end, where they are input;
 *  - what stands on a device elsewhere: they leave by that one, past its egress chain;
 *  - dummy: they end there.
 */
static bool is_harmless(const struct surroundings_device *device)
{
	static const char *const kinds[] = {"tun", "veth", "dummy"};

	if (device->index == 1 && strcmp(device->name, "lo") == 0)
		return true;
	if (device->lower_elsewhere && device->kind[0])
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (strcmp(device->kind, kinds[i]) == 0)
			return true;
	return false;
}

/* The namespace for programs that may use the network as it is: nothing but its loopback and the
 * bridge to the sockets of a user of its own (F4). */
static bool is_bridge_only(const struct surroundings_device *device)
{
	return (device->index == 1 && strcmp(device->name, "lo") == 0) ||
	       strcmp(device->kind, "tun") == 0;
}

static void tell(struct buf *out, const struct held *held, const char *text)
{
	if (held->name[0])
		buf_printf(out, "in the network namespace %s: %s\n", held->name, text);
	else
		buf_printf(out, "%s\n", text);
}

static void tell_devices(const struct held *held, const struct policy *policy, bool enforced,
			 struct buf *out)
{
	bool named = policy_find_namespace(policy, held->name) != NULL;

	for (size_t i = 0; i < held->surroundings.device_count; i++) {
		const struct surroundings_device *device = &held->surroundings.devices[i];
		char text[SURROUNDINGS_WORDS_MAX];

		if (named && !is_bridge_only(device)) {
			snprintf(text, sizeof(text),
				 "the device %s is a way past the user that the namespace is bound to",
				 device->name);
			tell(out, held, text);
		} else if (!enforced && !named && !is_harmless(device)) {
			snprintf(text, sizeof(text),
				 "the device %s is where the policy is not enforced", device->name);
			tell(out, held, text);
		}
	}
}

void outside_tell(const struct held *held, const struct policy *policy, bool enforced,
		  struct buf *out)
{
	const struct surroundings *surroundings = &held->surroundings;

	if (held->name[0]) {
		tell_devices(held, policy, enforced, out);
		return;
	}
	for (size_t i = 0; i < surroundings->finding_count; i++)
		tell(out, held, surroundings->findings[i].words);
	if (surroundings->more)
		tell(out, held, "and more of the like");
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Kernel settings that the claims rest on, in this network namespace. The filter does not depend on
 * them to be closed; they take away reasons for packets to be made and ways for the network to steer
 * this host.
 */
#include "wall.h"

#include <os/netns.h>
#include <os/sysctl.h>
#include <string.h>

struct setting {
	const char *name; /* "%s" stands for all, default and each device */
	const char *value;
	bool optional; /* not in every kernel or namespace */
};

static const struct setting settings[] = {
	/* F8: ICMP from outside is dropped, so path MTU must be found by probing (RFC 4821). */
	{ "net/ipv4/tcp_mtu_probing", "1", false },
	/* Nothing is forwarded: the switch first, because setting it resets the others. */
	{ "net/ipv4/ip_forward", "0", false },
	{ "net/ipv6/conf/all/forwarding", "0", true },
	/* 127.0.0.0/8 stays inside; automapping needs no routing of it (docs/decisions/0001). */
	{ "net/ipv4/conf/%s/route_localnet", "0", false },
	/* The network does not change our routes. */
	{ "net/ipv4/conf/%s/accept_redirects", "0", false },
	{ "net/ipv4/conf/%s/secure_redirects", "0", false },
	{ "net/ipv4/conf/%s/send_redirects", "0", false },
	{ "net/ipv4/conf/%s/accept_source_route", "0", false },
	{ "net/ipv6/conf/%s/accept_redirects", "0", true },
	{ "net/ipv6/conf/%s/accept_ra", "0", true },
	/* ARP tells nobody of addresses other than the one that is asked for on this link. */
	{ "net/ipv4/conf/%s/arp_ignore", "1", false },
	{ "net/ipv4/conf/%s/arp_announce", "2", false },
};

static bool is_per_device(const struct setting *setting)
{
	return strstr(setting->name, "%s") != NULL;
}

/* A device's name may hold dots but no slash, so the path form is safe to build. */
static void name_for(const struct setting *setting, const char *device, char *name, size_t size)
{
	const char *at = strstr(setting->name, "%s");

	if (at)
		snprintf(name, size, "%.*s%s%s", (int)(at - setting->name), setting->name, device,
			 at + 2);
	else
		snprintf(name, size, "%s", setting->name);
}

/* 0 also when the setting is optional and missing, or its device has just gone. */
static int apply_one(const struct setting *setting, const char *device, bool device_may_go,
		     struct diag *diag)
{
	char name[128];
	int r;

	name_for(setting, device, name, sizeof(name));
	r = sysctl_write(name, setting->value);
	if (r == -ENOENT && (setting->optional || device_may_go))
		return 0;
	if (r < 0)
		diag_set(diag, NULL, 0, 0, "cannot set %s to %s: %s", name, setting->value,
			 r == -EPROTO ? "the kernel keeps another value" : strerror(-r));
	return r;
}

int wall_settings_apply(struct diag *diag)
{
	AUTO_FREE char(*devices)[NETNS_DEVICE_MAX] = NULL;
	size_t count = 0;
	int r = netns_devices(&devices, &count);

	if (r < 0) {
		diag_set(diag, NULL, 0, 0, "cannot list the network devices: %s", strerror(-r));
		return r;
	}
	for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
		r = apply_one(&settings[i], "all", false, diag);
		if (r == 0 && is_per_device(&settings[i]))
			r = apply_one(&settings[i], "default", false, diag);
		for (size_t j = 0; r == 0 && is_per_device(&settings[i]) && j < count; j++)
			r = apply_one(&settings[i], devices[j], true, diag);
		if (r < 0)
			return r;
	}
	return 0;
}

static size_t check_one(const struct setting *setting, const char *device, struct buf *wrong)
{
	char name[128], value[SYSCTL_VALUE_MAX];
	int r;

	name_for(setting, device, name, sizeof(name));
	r = sysctl_read(name, value);
	if (r == -ENOENT)
		return 0;
	if (r == 0 && strcmp(value, setting->value) == 0)
		return 0;
	buf_printf(wrong, "%s%s is %s, not %s", wrong->len ? "; " : "", name,
		   r < 0 ? "unreadable" : value, setting->value);
	return 1;
}

size_t wall_settings_check(struct buf *wrong)
{
	AUTO_FREE char(*devices)[NETNS_DEVICE_MAX] = NULL;
	size_t count = 0, bad = 0;

	if (netns_devices(&devices, &count) < 0) {
		buf_puts(wrong, "cannot list the network devices");
		return 1;
	}
	for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
		bad += check_one(&settings[i], "all", wrong);
		if (is_per_device(&settings[i])) /* what the next device will have */
			bad += check_one(&settings[i], "default", wrong);
		for (size_t j = 0; is_per_device(&settings[i]) && j < count; j++)
			bad += check_one(&settings[i], devices[j], wrong);
	}
	return bad;
}

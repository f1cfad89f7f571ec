/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Netlink's framing; devices, IPsec policies and hooks out of it. */
#include "surroundings_reading.h"

#include <assert.h>
#include <arpa/inet.h>
#include <linux/if_link.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_hook.h>
#include <linux/rtnetlink.h>
#include <linux/xfrm.h>
#include <net/if.h>
#include <string.h>

/* ---- framing ---- */

int reading_attribute(struct reading_bytes *rest, unsigned *ret_type,
		      struct reading_bytes *ret_value)
{
	struct nlattr header;
	size_t step;

	if (rest->len == 0)
		return 0;
	if (rest->len < sizeof(header))
		return -EBADMSG;
	memcpy(&header, rest->data, sizeof(header));
	if (header.nla_len < sizeof(header) || header.nla_len > rest->len)
		return -EBADMSG;
	step = NLMSG_ALIGN((size_t)header.nla_len); /* the same as NLA_ALIGN() */
	if (step > rest->len)                       /* the last one may lack its padding */
		step = rest->len;
	*ret_type = header.nla_type & (unsigned)NLA_TYPE_MASK;
	*ret_value =
	    (struct reading_bytes){rest->data + sizeof(header), header.nla_len - sizeof(header)};
	rest->data += step;
	rest->len -= step;
	return 1;
}

int reading_u32(struct reading_bytes value, uint32_t *ret_number)
{
	if (value.len != sizeof(*ret_number))
		return -EBADMSG;
	memcpy(ret_number, value.data, sizeof(*ret_number));
	return 0;
}

int reading_text(struct reading_bytes value, char *text, size_t size)
{
	size_t len = value.len ? strnlen((const char *)value.data, value.len) : 0;

	if (len == value.len)
		return -EBADMSG;
	if (len >= size)
		len = size - 1;
	memcpy(text, value.data, len);
	text[len] = '\0';
	return 0;
}

int reading_body(struct reading_bytes body, void *fixed, size_t size,
		 struct reading_bytes *ret_rest)
{
	size_t step = NLMSG_ALIGN(size);

	if (body.len < size)
		return -EBADMSG;
	memcpy(fixed, body.data, size);
	if (step > body.len)
		step = body.len;
	*ret_rest = (struct reading_bytes){body.data + step, body.len - step};
	return 0;
}

/* A refusal, or that the dump is over and how it ended. */
static int end_of_dump(const struct nlmsghdr *header, struct reading_bytes body)
{
	int error = 0;

	if (header->nlmsg_type == NLMSG_DONE && body.len < sizeof(error))
		return 1;
	if (body.len < sizeof(error))
		return -EBADMSG;
	memcpy(&error, body.data, sizeof(error));
	if (header->nlmsg_type == NLMSG_DONE && error == 0)
		return 1;
	return error < 0 && error >= -4095 ? error : -EBADMSG;
}

int reading_datagram(struct reading *reading, struct reading_bytes datagram, unsigned type,
		     reading_message *message)
{
	if (datagram.len == 0)
		return -EBADMSG;
	while (datagram.len > 0) {
		struct nlmsghdr header;
		struct reading_bytes body;
		size_t step;
		int r;

		if (datagram.len < sizeof(header))
			return -EBADMSG;
		memcpy(&header, datagram.data, sizeof(header));
		if (header.nlmsg_len < sizeof(header) || header.nlmsg_len > datagram.len)
			return -EBADMSG;
		body = (struct reading_bytes){datagram.data + sizeof(header),
					      header.nlmsg_len - sizeof(header)};
		if (header.nlmsg_flags & NLM_F_DUMP_INTR)
			return -EINTR;
		if (header.nlmsg_type == NLMSG_DONE || header.nlmsg_type == NLMSG_ERROR)
			return end_of_dump(&header, body);
		/* Nothing else was asked for: another message is not understood. */
		if (header.nlmsg_type != type)
			return -EBADMSG;
		r = message(reading, body);
		if (r < 0)
			return r;
		step = NLMSG_ALIGN((size_t)header.nlmsg_len);
		if (step > datagram.len)
			step = datagram.len;
		datagram.data += step;
		datagram.len -= step;
	}
	return 0;
}

/* ---- devices ---- */

static int link_info(struct surroundings_device *device, struct reading_bytes rest)
{
	struct reading_bytes value;
	unsigned type;
	int r;

	while ((r = reading_attribute(&rest, &type, &value)) > 0) {
		if (type == IFLA_INFO_KIND)
			r = reading_text(value, device->kind, sizeof(device->kind));
		else if (type == IFLA_INFO_SLAVE_KIND)
			r = reading_text(value, device->port_kind, sizeof(device->port_kind));
		if (r < 0)
			return r;
	}
	return r;
}

static int link_xdp(struct surroundings_device *device, struct reading_bytes rest)
{
	struct reading_bytes value;
	unsigned type;
	int r;

	while ((r = reading_attribute(&rest, &type, &value)) > 0) {
		if (type != IFLA_XDP_ATTACHED)
			continue;
		if (value.len != 1)
			return -EBADMSG;
		device->xdp = value.data[0] != XDP_ATTACHED_NONE;
	}
	return r;
}

static int link_attribute(struct surroundings_device *device, unsigned type,
			  struct reading_bytes value)
{
	uint32_t number;
	int r;

	switch (type) {
	case IFLA_IFNAME:
		return reading_text(value, device->name, sizeof(device->name));
	case IFLA_MASTER:
		return reading_u32(value, &device->master);
	case IFLA_LINK:
		return reading_u32(value, &device->lower);
	case IFLA_LINK_NETNSID:
		r = reading_u32(value, &number);
		if (r < 0)
			return r;
		device->lower_elsewhere = true;
		device->lower_namespace = (int32_t)number;
		return 0;
	case IFLA_LINKINFO:
		return link_info(device, value);
	case IFLA_XDP:
		return link_xdp(device, value);
	default:
		return 0;
	}
}

int reading_link(struct reading *reading, struct reading_bytes body)
{
	struct surroundings_device device = {.lower_namespace = -1};
	struct ifinfomsg fixed;
	struct reading_bytes rest, value;
	void *array = reading->to.devices;
	unsigned type;
	int r = reading_body(body, &fixed, sizeof(fixed), &rest);

	if (r < 0)
		return r;
	if (fixed.ifi_index <= 0)
		return -EBADMSG;
	device.index = (uint32_t)fixed.ifi_index;
	device.type = fixed.ifi_type;
	device.up = fixed.ifi_flags & IFF_UP;
	while ((r = reading_attribute(&rest, &type, &value)) > 0) {
		r = link_attribute(&device, type, value);
		if (r < 0)
			return r;
	}
	if (r < 0 || !device.name[0])
		return -EBADMSG;
	if (!reading_room(reading, &array, &reading->device_room, reading->to.device_count,
			  sizeof(device)))
		return 0;
	reading->to.devices = array;
	reading->to.devices[reading->to.device_count++] = device;
	return 0;
}

/* ---- IPsec ---- */

int reading_policy(struct reading *reading, struct reading_bytes body)
{
	/* After these come the directions of policies that programs set on sockets of theirs. */
	static const char *const directions[] = {"in", "out", "fwd", "in", "out", "fwd"};
	static const char *const packets[] = {"that arrive", "that leave", "that are forwarded"};
	char name[SURROUNDINGS_NAME_MAX];
	struct xfrm_userpolicy_info fixed;
	struct reading_bytes rest;
	int r = reading_body(body, &fixed, sizeof(fixed), &rest);

	if (r < 0)
		return r;
	if (fixed.dir >= ARRAY_SIZE(directions))
		return -EBADMSG;
	snprintf(name, sizeof(name), "%s %u", directions[fixed.dir], fixed.index);
	reading_add(reading, SURROUNDINGS_IPSEC, name, "an IPsec policy for packets %s%s",
		    packets[fixed.dir % ARRAY_SIZE(packets)],
		    fixed.dir >= ARRAY_SIZE(packets) ? " by one socket" : "");
	return 0;
}

/* ---- hooks ---- */

struct hook {
	char function[64], module[64];
	uint32_t number, type;
};

static int hook_chain(struct hook *hook, struct reading_bytes rest)
{
	struct reading_bytes value;
	unsigned type;
	int r;

	while ((r = reading_attribute(&rest, &type, &value)) > 0) {
		if (type != NFNLA_HOOK_INFO_TYPE)
			continue;
		r = reading_u32(value, &hook->type);
		if (r < 0)
			return r;
		hook->type = ntohl(hook->type);
	}
	return r;
}

static int hook_attribute(struct hook *hook, unsigned type, struct reading_bytes value)
{
	int r;

	switch (type) {
	case NFNLA_HOOK_FUNCTION_NAME:
		return reading_text(value, hook->function, sizeof(hook->function));
	case NFNLA_HOOK_MODULE_NAME:
		return reading_text(value, hook->module, sizeof(hook->module));
	case NFNLA_HOOK_HOOKNUM:
		r = reading_u32(value, &hook->number);
		if (r == 0)
			hook->number = ntohl(hook->number);
		return r;
	case NFNLA_HOOK_CHAIN_INFO:
		return hook_chain(hook, value);
	default:
		return 0;
	}
}

/*
 * What nftables needs to know and do its work, which its own model holds, and what can only refuse.
 * The older tables of IP and ARP are found by their names; the tables of ebtables have no such
 * list.
 */
static bool hook_is_known(const struct hook *hook)
{
	static const char *const prefixes[] = {
	    "nft_do_chain", "ipv4_conntrack_", "ipv6_conntrack_", "ipv4_confirm",  "ipv6_confirm",
	    "ipv4_helper",  "ipv6_helper",     "nf_confirm",      "nf_ct_bridge_", "ipv6_defrag",
	    "nf_nat_ipv4_", "nf_nat_ipv6_",    "br_nf_",          "selinux_",      "apparmor_",
	    "smack_",       "ipt_do_table",    "ip6t_do_table",   "arpt_do_table",
	};

	if (hook->type == NFNL_HOOK_TYPE_NFTABLES)
		return true;
	if (hook->type != 0)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++)
		if (strncmp(hook->function, prefixes[i], strlen(prefixes[i])) == 0)
			return true;
	return false;
}

static const char *family_name(uint8_t family)
{
	switch (family) {
	case NFPROTO_IPV4:
		return "ip";
	case NFPROTO_IPV6:
		return "ip6";
	case NFPROTO_ARP:
		return "arp";
	case NFPROTO_BRIDGE:
		return "bridge";
	default:
		return "other";
	}
}

int reading_hook(struct reading *reading, struct reading_bytes body)
{
	char name[SURROUNDINGS_NAME_MAX];
	struct hook hook = {0};
	struct nfgenmsg fixed;
	struct reading_bytes rest, value;
	const char *family;
	unsigned type;
	int r = reading_body(body, &fixed, sizeof(fixed), &rest);

	if (r < 0)
		return r;
	while ((r = reading_attribute(&rest, &type, &value)) > 0) {
		r = hook_attribute(&hook, type, value);
		if (r < 0)
			return r;
	}
	if (r < 0 || hook_is_known(&hook))
		return r;
	family = family_name(fixed.nfgen_family);
	if (strncmp(hook.function, "ebt_", 4) == 0) {
		reading_add(reading, SURROUNDINGS_LEGACY_TABLE, "bridge",
			    "tables of ebtables, which judge what bridges forward");
		return 0;
	}
	snprintf(name, sizeof(name), "%s %u %s", family, hook.number, hook.function);
	reading_add(reading, SURROUNDINGS_HOOK, name, "%s %s%s%s on the hook %u of %s packets",
		    hook.type != 0 ? "a program" : "the function", hook.function,
		    hook.module[0] ? " of the module " : "", hook.module, hook.number, family);
	return 0;
}

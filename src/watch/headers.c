/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "headers.h"

#include <string.h>

#include <linux/if_ether.h>
#include <netinet/in.h>

#include <linux/netfilter.h>

#define LOOPBACK_INDEX 1u /* the kernel gives it to lo in every network namespace */
#define IPV4_LEN       20
#define IPV6_LEN       40
#define TCP_FLAGS      13

struct bytes {
	const uint8_t *at;
	size_t len;
};

static uint16_t number16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

/* Behind what was told there is nothing. */
static struct bytes behind(struct bytes bytes, size_t skip)
{
	return skip < bytes.len ? (struct bytes){bytes.at + skip, bytes.len - skip}
				: (struct bytes){0};
}

static void read_transport(struct bytes bytes, struct attempt *attempt)
{
	if (packet_has_ports(attempt->protocol) && bytes.len >= 4) {
		attempt->source_port = number16(bytes.at);
		attempt->destination_port = number16(bytes.at + 2);
	}
	if (attempt->protocol == IPPROTO_TCP && bytes.len > TCP_FLAGS)
		attempt->tcp_flags = bytes.at[TCP_FLAGS];
	if ((attempt->protocol == IPPROTO_ICMP || attempt->protocol == IPPROTO_ICMPV6) &&
	    bytes.len >= 2) {
		attempt->icmp_type = bytes.at[0];
		attempt->icmp_code = bytes.at[1];
	}
}

static void read_ipv4(struct bytes bytes, struct attempt *attempt)
{
	if (bytes.len < IPV4_LEN || bytes.at[0] >> 4 != 4)
		return;
	attempt->flags |= WATCH_ADDRESSED;
	attempt->protocol = bytes.at[9];
	memcpy(attempt->source.bytes, bytes.at + 12, 4);
	memcpy(attempt->destination.bytes, bytes.at + 16, 4);
	if (number16(bytes.at + 6) & 0x1fff)
		attempt->flags |= WATCH_FRAGMENT;
	else
		read_transport(behind(bytes, (size_t)(bytes.at[0] & 15) * 4), attempt);
}

/* What is behind extension headers is not looked for, as in the other way of watching. */
static void read_ipv6(struct bytes bytes, struct attempt *attempt)
{
	if (bytes.len < IPV6_LEN || bytes.at[0] >> 4 != 6)
		return;
	attempt->flags |= WATCH_ADDRESSED;
	attempt->protocol = bytes.at[6];
	memcpy(attempt->source.bytes, bytes.at + 8, 16);
	memcpy(attempt->destination.bytes, bytes.at + 24, 16);
	read_transport(behind(bytes, IPV6_LEN), attempt);
}

struct attempt headers_read(const struct nf_logged *logged)
{
	struct attempt attempt = {.kind = WATCH_KERNEL, .ethertype = logged->ethertype};
	struct bytes bytes = {logged->data, logged->data ? logged->len : 0};

	if (logged->owned) {
		attempt.kind = WATCH_USER;
		attempt.flags |= WATCH_OWNED;
		attempt.owner_uid = logged->uid;
		attempt.sender.uid = logged->uid; /* so that rows are apart by user */
	}
	if (logged->device == LOOPBACK_INDEX)
		attempt.flags |= WATCH_LOOPBACK;
	if (logged->family == NFPROTO_NETDEV) {
		attempt.flags |= WATCH_FRAME;
		/* On links with another header, or with none, it is not known where the packet is.
		 */
		if (bytes.len < ETH_HLEN || number16(bytes.at + ETH_HLEN - 2) != logged->ethertype)
			return attempt;
		bytes = behind(bytes, ETH_HLEN);
	}
	if (logged->ethertype == ETH_P_IP)
		read_ipv4(bytes, &attempt);
	else if (logged->ethertype == ETH_P_IPV6)
		read_ipv6(bytes, &attempt);
	return attempt;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A packet as a value: what a filter can look at, and nothing else.
 *
 * The policy's reference evaluator, the ruleset's evaluator, the proof and the laboratory all speak
 * of packets in this form, so that their verdicts can be compared. A packet here stands for a
 * class: every real packet with these fields gets the same verdict.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <base/buf.h>
#include <base/cleanup.h>

/* Where the packet is seen. A program's packet to a remote host is first OUTPUT, then FRAME on the
 * same device. A local one is OUTPUT, FRAME (device lo), then INPUT (device lo). */
enum packet_path {
	PACKET_OUTPUT = 1, /* leaves the IP stack: nftables hook output */
	PACKET_FRAME,	   /* handed to a device, from the IP stack or by AF_PACKET: netdev egress */
	PACKET_INPUT,	   /* for this host: nftables hooks prerouting, then input */
	PACKET_FORWARD,	   /* through this host: nftables hook forward */
};

/* What the kernel finds when it looks for the local socket of an arriving packet. */
enum packet_socket {
	PACKET_SOCKET_NONE = 0,
	PACKET_SOCKET_WILDCARD,	   /* bound to every address */
	PACKET_SOCKET_BOUND,	   /* bound to one address; every connected socket is */
	PACKET_SOCKET_TRANSPARENT, /* a transparent proxy's, assigned by tproxy */
};

#define PACKET_TCP_FIN 0x01
#define PACKET_TCP_SYN 0x02
#define PACKET_TCP_RST 0x04
#define PACKET_TCP_ACK 0x10
/* The flags that tell an opening segment: of these, SYN alone. */
#define PACKET_TCP_OPENING_MASK (PACKET_TCP_FIN | PACKET_TCP_SYN | PACKET_TCP_RST | PACKET_TCP_ACK)

/* 16 bytes in network order; an IPv4 address occupies the first four, the rest is zero. */
struct packet_address {
	uint8_t bytes[16];
};

struct packet {
	enum packet_path path;
	bool loopback;	    /* the device is lo */
	uint16_t ethertype; /* ETH_P_IP, ETH_P_IPV6, ETH_P_ARP, ETH_P_PAE or any other: the kernel's
			     * label (skb->protocol), by which the headers are read */
	uint16_t link_ethertype; /* FRAME: what the Ethernet header says; 0: the same. AF_PACKET
				  * senders choose label and header apart. */

	bool owned;   /* has a full local socket (never on INPUT) */
	uint32_t uid; /* whose socket: the user who called socket(); only if owned */
	bool routed;  /* came through the IP stack (has a route); false for AF_PACKET frames */

	/* The rest only where ethertype is ETH_P_IP or ETH_P_IPV6. */
	uint8_t protocol; /* IPPROTO_* */
	bool fragment;	  /* not the first fragment: it has no ports, flags or types, and what the
			   * kernel reads in their place is the payload */
	uint8_t options;  /* IPv4: 4-byte words of options in the header, 0 to 10; IPv6: 1 if an
			   * extension header comes first, for which destination options stand */
	struct packet_address source, destination;
	uint16_t source_port, destination_port; /* TCP, UDP, UDP-Lite, SCTP, DCCP; host order */
	uint8_t tcp_flags;			/* PACKET_TCP_* */
	uint8_t icmp_type, icmp_code;		/* ICMP and ICMPv6 */
	uint16_t icmp_id;			/* echo; host order */

	/* ARP (RFC 826): 1 request, 2 reply. Whether it has the one shape that IPv4 over Ethernet
	 * uses: types 1 and 0x0800, lengths 6 and 4. */
	uint16_t arp_operation;
	bool arp_plain;

	/* INPUT only. */
	enum packet_socket socket;
	bool expected; /* UDP or echo reply: answers a packet that this host sent to its sender from
			* the same port (or echo identifier) within the last while */
};

/* True for TCP segments that open a connection: SYN, without ACK, RST or FIN. */
bool packet_is_opening(const struct packet *packet);

/* Does @protocol have ports where UDP has them? */
bool packet_has_ports(uint8_t protocol);

/* An IPv4 address in host order, from or to the address form. */
struct packet_address packet_address4(uint32_t host_order);
uint32_t packet_address_to4(const struct packet_address *address);

/* "192.0.2.1" or "2001:db8::1". Returns 0 and fills *ret_address and *ret_ipv6, or -EINVAL. */
MUST_CHECK int packet_address_parse(const char *text, struct packet_address *ret_address,
				    bool *ret_ipv6);
void packet_address_print(const struct packet_address *address, bool ipv6, struct buf *out);

/* "tcp", "udp", "icmp", "icmpv6", "sctp", "gre"... in static storage; NULL for a protocol that has no
 * name here. */
const char *packet_protocol_name(uint8_t protocol);

/* One line for people: "tcp syn 192.168.1.2:40000 -> 203.0.113.5:443 by uid 1000, output". */
void packet_print(const struct packet *packet, struct buf *out);

/* The bytes a filter reads from an IPv4, IPv6 or ARP packet. */
struct packet_bytes {
	uint8_t link[14];  /* Ethernet header, zero addresses, the ethertype */
	uint8_t data[128]; /* from the network header on */
	uint16_t len;	   /* bytes used of @data */
	uint16_t transport_offset; /* of the transport header in @data; 0 if there is none */
};

/* Write the packet's headers as they are on the wire (checksums zero). A non-first fragment gets a
 * fragment offset and no transport header. Never fails. */
void packet_encode(const struct packet *packet, struct packet_bytes *ret_bytes);

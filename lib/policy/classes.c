/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Walks over the classes of packets that policies can tell apart.
 *
 * Exactness. A packet's verdict depends on its path, device, owner, family, protocol, address,
 * ports, flags and socket only through questions such as "is this port in that range?". Every
 * constant in such a question is an atom (see atoms.h), and one atom of each kind is a sample. The
 * walk visits
 *   - every combination of samples with every owner, so every combination of answers that any
 *     question can give (kinds are told apart by a hash of 64 bits: two kinds could be taken for
 *     one with a chance of about 1 in 10^19 for each pair), and
 *   - every other atom, in each of its roles, with every combination of the samples of the other
 *     roles, so every edge of every range in what is made of the policy.
 * What it does not visit is two atoms at once that are both no samples: no policy can tell these
 * from a combination that was visited.
 *
 * Left out, because no rule can depend on it:
 *   - source ports of anything but UDP: they are asked for in DHCP and in a service's answers only;
 *   - source addresses: no statement names one (each packet has one that fits);
 *   - addresses on loopback, but for being automapped or not;
 *   - paths other than FRAME for what is not IP: their hooks see IP only;
 *   - owners of packets that arrive or are forwarded: they have none;
 *   - codes of ICMP.
 */
#include "policy.h"

#include <linux/if_ether.h>
#include <netinet/in.h>

#include "atoms.h"

#ifndef IPPROTO_DCCP
#define IPPROTO_DCCP 33
#endif

#define SOURCE_PORT 40000
#define OWN_IPV4    0xc0a80102 /* on a LAN */
#define ECHO_ID     7

struct walk {
	struct atoms atoms;
	int (*visit)(const struct packet *packet, void *data);
	void *data;
};

/* One end of a list: its samples, or the rest. */
struct part {
	size_t from, to;
};

static struct part part(size_t count, size_t samples, bool rest)
{
	return rest ? (struct part){samples, count} : (struct part){0, samples};
}

/* A source that fits: on loopback the same address, else this host's own. */
static struct packet_address fitting_source(const struct packet *packet)
{
	struct packet_address own = {.bytes = {0xfd, 0, 0, 1, [15] = 2}};

	if (packet->path == PACKET_INPUT && !packet->loopback)
		return packet->ethertype == ETH_P_IPV6 ? own : packet_address4(0xc6336450);
	if (packet->loopback)
		return packet->destination;
	if (packet->ethertype == ETH_P_IPV6)
		return own;
	if (packet->protocol == IPPROTO_UDP && packet->source_port == 68)
		return packet_address4(0);
	return packet_address4(OWN_IPV4);
}

static int emit(const struct walk *walk, struct packet packet)
{
	if (packet.ethertype == ETH_P_IP || packet.ethertype == ETH_P_IPV6)
		packet.source = fitting_source(&packet);
	return walk->visit(&packet, walk->data);
}

/* All sixteen combinations of the flags that are looked at, and two with others set that are not
 * (congestion negotiation, push). Of these, SYN alone and SYN with the others open. */
static const uint8_t every_flags[] = {
    0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x10,
    0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0xc2, 0x18,
};

/* One that opens, one that does not. */
static const uint8_t two_flags[] = {PACKET_TCP_SYN, PACKET_TCP_ACK};

static int walk_flags(const struct walk *walk, struct packet packet, bool every)
{
	const uint8_t *flags = every ? every_flags : two_flags;
	size_t count = every ? ARRAY_SIZE(every_flags) : ARRAY_SIZE(two_flags);
	int r = 0;

	for (size_t i = 0; r == 0 && i < count; i++) {
		packet.tcp_flags = flags[i];
		r = emit(walk, packet);
	}
	return r;
}

static int walk_tcp(const struct walk *walk, struct packet packet,
		    const struct address_atoms *addresses, const struct port_atoms *ports)
{
	int r = 0;

	packet.protocol = IPPROTO_TCP;
	packet.source_port = SOURCE_PORT;
	/* 0: samples only; 1: the other addresses; 2: the other ports. */
	for (int round = 0; round < 3; round++) {
		struct part a = part(addresses->count, addresses->samples, round == 1);
		struct part p = part(ports->count, ports->samples, round == 2);

		for (size_t i = a.from; i < a.to; i++) {
			packet.destination = addresses->addresses[i];
			for (size_t j = p.from; r == 0 && j < p.to; j++) {
				packet.destination_port = ports->ports[j];
				r = walk_flags(walk, packet, round == 0);
			}
		}
	}
	return r;
}

static int walk_udp_ports(const struct walk *walk, struct packet packet,
			  const struct port_atoms *ports, const struct port_atoms *sources,
			  int round)
{
	struct part p = part(ports->count, ports->samples, round == 2);
	struct part s = part(sources->count, sources->samples, round == 3);
	int r = 0;

	for (size_t i = p.from; i < p.to; i++) {
		packet.destination_port = ports->ports[i];
		for (size_t j = s.from; r == 0 && j < s.to; j++) {
			packet.source_port = sources->ports[j];
			r = emit(walk, packet);
		}
	}
	return r;
}

static int walk_udp(const struct walk *walk, struct packet packet,
		    const struct address_atoms *addresses, const struct port_atoms *ports,
		    const struct port_atoms *sources)
{
	int r = 0;

	packet.protocol = IPPROTO_UDP;
	/* 0: samples only; 1: the other addresses; 2: the other ports; 3: the other sources. */
	for (int round = 0; round < 4; round++) {
		struct part a = part(addresses->count, addresses->samples, round == 1);

		for (size_t i = a.from; r == 0 && i < a.to; i++) {
			packet.destination = addresses->addresses[i];
			r = walk_udp_ports(walk, packet, ports, sources, round);
		}
	}
	return r;
}

/* Errors, echo, redirects, and what an IPv6 link needs. */
static int walk_icmp(const struct walk *walk, struct packet packet)
{
	static const uint8_t ipv4_types[] = {0, 3, 4, 5, 8, 9, 10, 11, 12, 13, 17, 255};
	static const uint8_t ipv6_types[] = {0,   1,   2,   3,   4,   5,   127, 128, 129,
					     130, 131, 133, 134, 135, 136, 137, 143, 255};
	bool ipv6 = packet.ethertype == ETH_P_IPV6;
	const uint8_t *types = ipv6 ? ipv6_types : ipv4_types;
	size_t count = ipv6 ? ARRAY_SIZE(ipv6_types) : ARRAY_SIZE(ipv4_types);
	bool expected = packet.expected;
	int r = 0;

	packet.protocol = ipv6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
	for (size_t i = 0; r == 0 && i < count; i++) {
		uint8_t reply = ipv6 ? 129 : 0, request = ipv6 ? 128 : 8;

		/* Only a reply can be one that is expected. */
		if (expected && types[i] != reply)
			continue;
		packet.icmp_type = types[i];
		packet.icmp_id = types[i] == reply || types[i] == request ? ECHO_ID : 0;
		r = emit(walk, packet);
	}
	return r;
}

/* Later fragments, protocols without ports, protocols with ports that are neither TCP nor UDP, and
 * each family's ICMP in the other one. */
static int walk_others(const struct walk *walk, struct packet packet)
{
	static const uint8_t fragmented[] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP, IPPROTO_ICMPV6,
					     IPPROTO_GRE};
	static const uint8_t plain[] = {0,           IPPROTO_IGMP, IPPROTO_IPIP, IPPROTO_IPV6,
					IPPROTO_GRE, IPPROTO_ESP,  IPPROTO_AH,   253,
					255};
	static const uint8_t with_ports[] = {IPPROTO_SCTP, IPPROTO_UDPLITE, IPPROTO_DCCP};
	bool ipv6 = packet.ethertype == ETH_P_IPV6;
	int r = 0;

	/* The kernel puts IPv4 fragments together before its input hook. */
	packet.fragment = true;
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(fragmented); i++) {
		if (packet.path == PACKET_INPUT && !ipv6)
			break;
		packet.protocol = fragmented[i];
		r = emit(walk, packet);
	}
	packet.fragment = false;
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(plain); i++) {
		packet.protocol = plain[i];
		r = emit(walk, packet);
	}
	if (r == 0) {
		packet.protocol = ipv6 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
		packet.icmp_type = ipv6 ? 3 : 1; /* would be an error in its own family */
		r = emit(walk, packet);
		packet.icmp_type = 0;
	}
	packet.source_port = SOURCE_PORT;
	packet.destination_port = 443;
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(with_ports); i++) {
		packet.protocol = with_ports[i];
		r = emit(walk, packet);
	}
	return r;
}

/* Headers with options, of each length, before TCP, UDP and a later fragment. */
static int walk_options(const struct walk *walk, struct packet packet)
{
	static const uint8_t protocols[] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_UDP};
	uint8_t most = packet.ethertype == ETH_P_IPV6 ? 1 : 10;
	int r = 0;

	packet.source_port = SOURCE_PORT;
	packet.destination_port = 443;
	packet.tcp_flags = PACKET_TCP_SYN;
	for (packet.options = 1; packet.options <= most; packet.options++) {
		for (size_t i = 0; r == 0 && i < ARRAY_SIZE(protocols); i++) {
			packet.protocol = protocols[i];
			packet.fragment = i == 2;
			if (packet.fragment && packet.path == PACKET_INPUT)
				continue;
			r = emit(walk, packet);
		}
	}
	return r;
}

/* Every packet of @packet's path, device, owner and family. */
static int walk_family(const struct walk *walk, struct packet packet,
		       const struct address_atoms *addresses, const struct scene_atoms *scene)
{
	int r;

	packet.ethertype = addresses->ipv6 ? ETH_P_IPV6 : ETH_P_IP;
	r = walk_tcp(walk, packet, addresses, &scene->tcp);
	if (r == 0)
		r = walk_udp(walk, packet, addresses, &scene->udp, &scene->source);
	for (size_t i = 0; r == 0 && i < addresses->count; i++) {
		packet.destination = addresses->addresses[i];
		r = walk_icmp(walk, packet);
		if (r == 0)
			r = walk_others(walk, packet);
		if (r == 0)
			r = walk_options(walk, packet);
	}
	return r;
}

/* The scene with its samples only, for where few questions are asked. */
static struct scene_atoms samples_of(const struct scene_atoms *scene)
{
	struct scene_atoms few = *scene;

	few.ipv4.count = few.ipv4.samples;
	few.ipv6.count = few.ipv6.samples;
	few.tcp.count = few.tcp.samples;
	few.udp.count = few.udp.samples;
	few.source.count = few.source.samples;
	return few;
}

static int walk_scene(const struct walk *walk, const struct packet *packet,
		      const struct scene_atoms *scene)
{
	int r;

	r = walk_family(walk, *packet, &scene->ipv4, scene);
	if (r == 0)
		r = walk_family(walk, *packet, &scene->ipv6, scene);
	return r;
}

/* No statement grants any IPv6 to another host: there the samples of the ports are enough. */
static int walk_remote(const struct walk *walk, const struct packet *packet,
		       const struct scene_atoms *scene)
{
	struct scene_atoms few = samples_of(scene);
	int r;

	r = walk_family(walk, *packet, &scene->ipv4, scene);
	if (r == 0)
		r = walk_family(walk, *packet, &scene->ipv6, &few);
	return r;
}

/* Frames that are not IP: ARP in its plain shape and others, EAPOL, and what else there is (length
 * fields, LLDP, VLAN tags, PPPoE, MACsec). */
static int walk_frames(const struct walk *walk, struct packet packet)
{
	static const uint16_t ethertypes[] = {0x0000, 0x0004, 0x8100, 0x8863,   0x8864,
					      0x88a8, 0x88cc, 0x88e5, ETH_P_PAE};
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(ethertypes); i++) {
		packet.ethertype = ethertypes[i];
		r = emit(walk, packet);
	}
	/* Labelled as what may pass, but another thing by their Ethernet header. */
	packet.link_ethertype = ETH_P_8021Q;
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(ethertypes); i++) {
		packet.ethertype = ethertypes[i];
		r = emit(walk, packet);
	}
	packet.link_ethertype = ETH_P_IP;
	packet.ethertype = ETH_P_PAE;
	if (r == 0)
		r = emit(walk, packet);
	packet.link_ethertype = 0;
	packet.ethertype = ETH_P_ARP;
	for (unsigned i = 0; r == 0 && i < 10; i++) {
		packet.arp_plain = i & 1;
		packet.arp_operation = (uint16_t)(i >> 1);
		r = emit(walk, packet);
	}
	return r;
}

/* What @owner's packets, or nobody's, meet on their way out. */
static int walk_outgoing(const struct walk *walk, struct packet packet)
{
	struct scene_atoms few_local = samples_of(&walk->atoms.local);
	const struct scene_atoms *remote = &walk->atoms.remote;
	int r;

	packet.path = PACKET_OUTPUT;
	packet.routed = true;
	packet.loopback = false;
	r = walk_remote(walk, &packet, remote);
	packet.loopback = true;
	if (r == 0)
		r = walk_scene(walk, &packet, &walk->atoms.local);
	packet.path = PACKET_FRAME;
	for (int i = 0; r == 0 && i < 2; i++) {
		packet.routed = i == 0;
		packet.loopback = false;
		r = walk_remote(walk, &packet, remote);
		packet.loopback = true;
		/* On lo only this counts: was it judged by OUTPUT already? */
		if (r == 0)
			r = walk_scene(walk, &packet, &few_local);
	}
	packet.routed = false;
	for (int i = 0; r == 0 && i < 2; i++) {
		packet.loopback = i == 1;
		r = walk_frames(walk, packet);
	}
	return r;
}

static int walk_incoming(const struct walk *walk)
{
	static const enum packet_socket sockets[] = {
	    PACKET_SOCKET_NONE,
	    PACKET_SOCKET_WILDCARD,
	    PACKET_SOCKET_BOUND,
	    PACKET_SOCKET_TRANSPARENT,
	};
	struct scene_atoms few = samples_of(&walk->atoms.remote);
	struct packet packet = {.path = PACKET_INPUT};
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(sockets); i++) {
		packet.socket = sockets[i];
		packet.loopback = true;
		r = walk_scene(walk, &packet, &walk->atoms.local);
		packet.loopback = false;
		if (r == 0)
			r = walk_scene(walk, &packet, &few);
	}
	packet.expected = true;
	for (int i = 0; r == 0 && i < 2; i++) {
		const struct address_atoms *addresses = i ? &few.ipv6 : &few.ipv4;

		packet.ethertype = i ? ETH_P_IPV6 : ETH_P_IP;
		packet.socket = PACKET_SOCKET_WILDCARD;
		r = walk_udp(walk, packet, addresses, &few.udp, &few.source);
		for (size_t j = 0; r == 0 && j < addresses->count; j++) {
			packet.destination = addresses->addresses[j];
			r = walk_icmp(walk, packet);
		}
	}
	return r;
}

static int walk_all(const struct walk *walk)
{
	struct scene_atoms few = samples_of(&walk->atoms.remote);
	struct packet packet = {0};
	int r;

	r = walk_outgoing(walk, packet);
	packet.owned = true;
	for (size_t i = 0; r == 0 && i < walk->atoms.uid_count; i++) {
		packet.uid = walk->atoms.uids[i];
		r = walk_outgoing(walk, packet);
	}
	if (r == 0)
		r = walk_incoming(walk);
	packet = (struct packet){.path = PACKET_FORWARD};
	if (r == 0)
		r = walk_scene(walk, &packet, &few);
	return r;
}

int policy_each_class(const struct policy *const *policies, size_t count,
		      int (*visit)(const struct packet *packet, void *data), void *data)
{
	struct walk walk = {.visit = visit, .data = data};
	int r;

	r = atoms_collect(&walk.atoms, policies, count);
	if (r == 0)
		r = walk_all(&walk);
	atoms_done(&walk.atoms);
	return r;
}

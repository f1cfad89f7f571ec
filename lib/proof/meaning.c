/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What judges a packet, in the order of docs/architecture.md: the first that fits decides. Each
 * function below is one of its sections; it takes what is not decided yet and leaves nothing.
 */
#include "meaning.h"

#include <linux/if_ether.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define DHCP_CLIENT_PORT 68
#define DHCP_SERVER_PORT 67

#define ICMP_ECHO_REPLY    0
#define ICMP_UNREACHABLE   3
#define ICMP_TIME_EXCEEDED 11
#define ICMP_BAD_PARAMETER 12

/* ---- deciding. ---- */

/* Of what is left, this is done with what fits. */
static void decide(struct meaning *meaning, enum judgement_outcome outcome, diagram fits)
{
	struct diagram_space *space = meaning->space;
	diagram *outcomes = meaning->judgement->outcomes;

	outcomes[outcome] =
	    diagram_or(space, outcomes[outcome], diagram_and(space, meaning->rest, fits));
	meaning->rest = diagram_minus(space, meaning->rest, fits);
}

static diagram is_protocol(struct meaning *meaning, uint8_t protocol)
{
	return space_is(meaning->space, SPACE_PROTOCOL, protocol);
}

/* On loopback a program is told at once. */
static void refuse_local(struct meaning *meaning, diagram fits)
{
	diagram tcp = diagram_and(meaning->space, fits, is_protocol(meaning, IPPROTO_TCP));

	decide(meaning, JUDGEMENT_RESET, tcp);
	decide(meaning, JUDGEMENT_UNREACHABLE, fits);
}

/* Elsewhere only TCP can be told; nobody answers a later fragment. */
static void refuse_remote(struct meaning *meaning, diagram fits)
{
	struct diagram_space *space = meaning->space;
	diagram tcp =
	    diagram_minus(space, is_protocol(meaning, IPPROTO_TCP), space_later_fragment(space));

	if (!meaning->silent)
		decide(meaning, JUDGEMENT_RESET, diagram_and(space, fits, tcp));
	decide(meaning, JUDGEMENT_DROP, fits);
}

/* ---- what packets are. ---- */

static diagram both(struct meaning *meaning, diagram a, diagram b)
{
	return diagram_and(meaning->space, a, b);
}

static diagram either(struct meaning *meaning, diagram a, diagram b)
{
	return diagram_or(meaning->space, a, b);
}

static diagram flag(struct meaning *meaning, enum space_field field)
{
	return space_flag(meaning->space, field);
}

/* Of the TCP flags in @mask, those of @value are set and no others. */
static diagram flags_are(struct meaning *meaning, uint8_t mask, uint8_t value)
{
	struct diagram_space *space = meaning->space;
	unsigned bits[SPACE_BITS_MAX], width = space_bits(SPACE_FLAGS, bits);
	diagram are = DIAGRAM_TRUE;

	for (unsigned i = width; i-- > 0;) {
		unsigned bit = 1u << (width - 1 - i);
		diagram set = diagram_variable(space, bits[i]);

		if (mask & bit)
			are = value & bit ? diagram_and(space, are, set)
					  : diagram_minus(space, are, set);
	}
	return are;
}

static diagram first_tcp(struct meaning *meaning)
{
	return diagram_minus(meaning->space, is_protocol(meaning, IPPROTO_TCP),
			     space_later_fragment(meaning->space));
}

static diagram opening(struct meaning *meaning)
{
	return both(meaning, first_tcp(meaning),
		    flags_are(meaning, PACKET_TCP_OPENING_MASK, PACKET_TCP_SYN));
}

static diagram opens_nothing(struct meaning *meaning)
{
	return diagram_minus(meaning->space, first_tcp(meaning), opening(meaning));
}

static diagram icmp_type(struct meaning *meaning, uint8_t low, uint8_t high)
{
	/* The source port's place holds type and code. */
	return space_between(meaning->space, SPACE_SOURCE_PORT, (uint64_t)low << 8,
			     (uint64_t)high << 8 | 0xff);
}

static diagram icmp_error(struct meaning *meaning)
{
	struct diagram_space *space = meaning->space;
	diagram v4 = icmp_type(meaning, ICMP_UNREACHABLE, ICMP_UNREACHABLE);
	diagram v6 = icmp_type(meaning, 1, 4);

	v4 = either(meaning, v4, icmp_type(meaning, ICMP_TIME_EXCEEDED, ICMP_BAD_PARAMETER));
	v4 = both(meaning, v4, is_protocol(meaning, IPPROTO_ICMP));
	v6 = both(meaning, v6, is_protocol(meaning, IPPROTO_ICMPV6));
	return diagram_minus(space,
			     either(meaning, both(meaning, space_ipv4(space), v4),
				    both(meaning, space_ipv6(space), v6)),
			     space_later_fragment(space));
}

/* IPv6 whose headers are not all known is no better than one with extension headers. */
static diagram odd6(struct meaning *meaning)
{
	struct diagram_space *space = meaning->space;
	diagram unknown = diagram_minus(space, space_ipv6(space), flag(meaning, SPACE_VALID));
	diagram later = both(meaning, space_ipv6(space), space_later_fragment(space));

	return either(meaning, either(meaning, unknown, later), space_extended6(space));
}

static diagram odd(struct meaning *meaning)
{
	struct diagram_space *space = meaning->space;

	return either(meaning, odd6(meaning),
		      either(meaning, space_later_fragment(space), space_options4(space)));
}

/* TCP over IPv4, to an address that Tor has mapped a name to. */
static diagram automapped(struct meaning *meaning)
{
	const struct policy_automap *automap = &meaning->policy->automap;
	diagram range;

	if (!automap->stated)
		return DIAGRAM_FALSE;
	range = space_between(meaning->space, SPACE_DESTINATION4, automap->range.low,
			      automap->range.high);
	return both(meaning, both(meaning, space_ipv4(meaning->space), first_tcp(meaning)), range);
}

/* ---- output, to this host itself. ---- */

static void output_local_tcp(struct meaning *meaning)
{
	diagram tcp = is_protocol(meaning, IPPROTO_TCP), mapped = automapped(meaning);
	diagram service =
	    meaning_services(meaning, POLICY_TCP, SPACE_DESTINATION_PORT, MEANING_CLIENTS);

	decide(meaning, JUDGEMENT_ACCEPT,
	       both(meaning, mapped, meaning_users(meaning, &meaning->policy->automap.users)));
	refuse_local(meaning, mapped);
	decide(meaning, JUDGEMENT_ACCEPT, both(meaning, tcp, service));
	decide(meaning, JUDGEMENT_ACCEPT,
	       both(meaning, tcp, meaning_open_loopback(meaning, false)));
	refuse_local(meaning, tcp);
}

static void output_local(struct meaning *meaning)
{
	diagram udp = is_protocol(meaning, IPPROTO_UDP);

	decide(meaning, JUDGEMENT_DROP, odd(meaning));
	decide(meaning, JUDGEMENT_ACCEPT, opens_nothing(meaning));
	decide(meaning, JUDGEMENT_ACCEPT, icmp_error(meaning));
	refuse_local(meaning, diagram_not(meaning->space, flag(meaning, SPACE_OWNED)));
	output_local_tcp(meaning);
	decide(
	    meaning, JUDGEMENT_ACCEPT,
	    both(meaning, udp,
		 meaning_services(meaning, POLICY_UDP, SPACE_DESTINATION_PORT, MEANING_CLIENTS)));
	decide(meaning, JUDGEMENT_ACCEPT,
	       both(meaning, udp,
		    meaning_services(meaning, POLICY_UDP, SPACE_SOURCE_PORT, MEANING_SERVERS)));
	refuse_local(meaning, DIAGRAM_TRUE);
}

/* ---- to other hosts: output, and once more on the way to a device. ---- */

static diagram dhcp_broadcast(struct meaning *meaning)
{
	struct diagram_space *space = meaning->space;
	diagram is = space_is(space, SPACE_DESTINATION4, INADDR_BROADCAST);

	is = both(meaning, is, space_is(space, SPACE_DESTINATION_PORT, DHCP_SERVER_PORT));
	is = both(meaning, is, space_is(space, SPACE_SOURCE_PORT, DHCP_CLIENT_PORT));
	is = both(meaning, is, is_protocol(meaning, IPPROTO_UDP));
	return both(meaning, is,
		    meaning_users(meaning, &meaning->policy->links[POLICY_LINK_DHCP].users));
}

static void to_lan(struct meaning *meaning, diagram owned)
{
	const struct policy_lan *lan = &meaning->policy->lan;
	diagram there, common;

	if (!lan->stated || !lan->open)
		return;
	there = both(meaning, owned, meaning_network(meaning, lan->network));
	for (size_t i = 0; i < lan->except_count; i++)
		refuse_remote(meaning,
			      both(meaning, there, meaning_traffic(meaning, &lan->except[i])));
	common =
	    either(meaning, is_protocol(meaning, IPPROTO_TCP), is_protocol(meaning, IPPROTO_UDP));
	common = either(meaning, common, is_protocol(meaning, IPPROTO_ICMP));
	decide(meaning, JUDGEMENT_ACCEPT, both(meaning, there, common));
}

/* Without an owner, but sent by a socket that is closed: what opens, resets or is no answer is not
 * among it. */
static diagram rest_of_connection(struct meaning *meaning)
{
	const uint8_t mask = PACKET_TCP_SYN | PACKET_TCP_RST | PACKET_TCP_ACK;
	diagram tcp = both(meaning, is_protocol(meaning, IPPROTO_TCP),
			   flags_are(meaning, mask, PACKET_TCP_ACK));

	return both(meaning, both(meaning, tcp, flag(meaning, SPACE_ROUTED)),
		    meaning_reachable(meaning, true));
}

static void to_other_hosts(struct meaning *meaning, bool frame)
{
	struct diagram_space *space = meaning->space;
	diagram owned = flag(meaning, SPACE_OWNED);

	meaning->silent = frame;
	refuse_remote(meaning, space_ipv6(space));
	decide(meaning, JUDGEMENT_DROP, odd(meaning));
	decide(meaning, JUDGEMENT_ACCEPT, both(meaning, owned, meaning_granted(meaning)));
	decide(meaning, JUDGEMENT_ACCEPT, both(meaning, owned, dhcp_broadcast(meaning)));
	to_lan(meaning, owned);
	refuse_remote(meaning, owned);
	decide(meaning, JUDGEMENT_ACCEPT, rest_of_connection(meaning));
	refuse_remote(meaning, DIAGRAM_TRUE);
}

/* ---- egress, on each device. ---- */

/* The kernel's own pieces of what the output hook has judged whole: whatever version a raw socket's
 * owner wrote into the header, which only the piece's receiver minds. */
static void pieces(struct meaning *meaning)
{
	struct diagram_space *space = meaning->space;
	diagram piece = both(meaning, space_ipv4(space), space_later_fragment(space));

	piece = diagram_minus(space, piece, space_options4(space));
	piece = both(meaning, piece, flag(meaning, SPACE_OWNED));
	piece = both(meaning, piece, flag(meaning, SPACE_ROUTED));
	decide(meaning, JUDGEMENT_ACCEPT, both(meaning, piece, meaning_reachable(meaning, false)));
}

static diagram link_users(struct meaning *meaning, enum policy_link_kind kind)
{
	const struct policy_link *link = &meaning->policy->links[kind];

	return diagram_choose(meaning->space, flag(meaning, SPACE_OWNED),
			      meaning_users(meaning, &link->users),
			      link->kernel ? DIAGRAM_TRUE : DIAGRAM_FALSE);
}

/* Ethernet and IPv4 by their types and lengths; a request or a reply. */
static diagram plain_arp(struct meaning *meaning)
{
	static const uint8_t shape[] = {0, 1, ETH_P_IP >> 8, ETH_P_IP & 0xff, 6, 4, 0};
	struct diagram_space *space = meaning->space;
	unsigned last = ARRAY_SIZE(shape);
	diagram plain =
	    either(meaning, space_network_is(space, last, 1), space_network_is(space, last, 2));

	for (unsigned i = last; i-- > 0;)
		plain = both(meaning, plain, space_network_is(space, i, shape[i]));
	return both(meaning, plain, space_is(space, SPACE_ETHERTYPE, ETH_P_ARP));
}

static void to_device(struct meaning *meaning)
{
	struct diagram_space *space = meaning->space;
	diagram same = space_equal(space, SPACE_ETHERTYPE, SPACE_LINK_ETHERTYPE);
	diagram ip = either(meaning, space_ipv4(space), space_ipv6(space)), others;

	/* Where there is no Ethernet header, there is no ethertype to compare the label with. */
	same = either(meaning, same, space_bare(space));
	decide(meaning, JUDGEMENT_DROP, diagram_not(space, same));
	decide(meaning, JUDGEMENT_ACCEPT,
	       both(meaning, flag(meaning, SPACE_LOOPBACK), flag(meaning, SPACE_ROUTED)));
	decide(meaning, JUDGEMENT_DROP, flag(meaning, SPACE_LOOPBACK));
	pieces(meaning);
	/* Labelled as IP, and no IP header. */
	decide(meaning, JUDGEMENT_DROP, diagram_minus(space, ip, flag(meaning, SPACE_VALID)));
	others = diagram_minus(space, meaning->rest, ip);
	meaning->rest = both(meaning, meaning->rest, ip);
	to_other_hosts(meaning, true);
	meaning->rest = others;
	/* What an Ethernet needs has no place on a link of another kind. */
	decide(meaning, JUDGEMENT_DROP, space_bare(space));
	decide(meaning, JUDGEMENT_ACCEPT,
	       both(meaning, plain_arp(meaning), link_users(meaning, POLICY_LINK_ARP)));
	decide(meaning, JUDGEMENT_ACCEPT,
	       both(meaning, space_is(space, SPACE_ETHERTYPE, ETH_P_PAE),
		    link_users(meaning, POLICY_LINK_EAPOL)));
	decide(meaning, JUDGEMENT_DROP, DIAGRAM_TRUE);
}

/* ---- input. ---- */

static diagram socket_is(struct meaning *meaning, enum packet_socket socket)
{
	return space_is(meaning->space, SPACE_SOCKET, socket);
}

/* Who may have sent it, output has judged: here counts what anybody may send. */
static void input_local(struct meaning *meaning)
{
	struct diagram_space *space = meaning->space;
	diagram open = opening(meaning), mapped = automapped(meaning);
	diagram udp =
	    diagram_minus(space, is_protocol(meaning, IPPROTO_UDP), space_later_fragment(space));

	decide(meaning, JUDGEMENT_DROP, odd6(meaning));
	decide(meaning, JUDGEMENT_PROXY,
	       both(meaning, mapped, socket_is(meaning, PACKET_SOCKET_TRANSPARENT)));
	decide(meaning, JUDGEMENT_ACCEPT, opens_nothing(meaning));
	decide(meaning, JUDGEMENT_ACCEPT, icmp_error(meaning));
	decide(meaning, JUDGEMENT_RESET, mapped); /* no proxy listens */
	decide(meaning, JUDGEMENT_ACCEPT,
	       both(meaning, open,
		    meaning_services(meaning, POLICY_TCP, SPACE_DESTINATION_PORT, MEANING_USED)));
	decide(meaning, JUDGEMENT_ACCEPT,
	       both(meaning, open, meaning_open_loopback(meaning, true)));
	decide(meaning, JUDGEMENT_ACCEPT,
	       both(meaning, udp,
		    meaning_services(meaning, POLICY_UDP, SPACE_DESTINATION_PORT, MEANING_USED)));
	decide(meaning, JUDGEMENT_ACCEPT,
	       both(meaning, udp,
		    meaning_services(meaning, POLICY_UDP, SPACE_SOURCE_PORT, MEANING_ANY)));
	decide(meaning, JUDGEMENT_DROP, DIAGRAM_TRUE);
}

static void input_remote(struct meaning *meaning)
{
	struct diagram_space *space = meaning->space;
	/* Every connected socket is bound to one address. */
	diagram connected = either(meaning, socket_is(meaning, PACKET_SOCKET_BOUND),
				   socket_is(meaning, PACKET_SOCKET_TRANSPARENT));
	diagram reply = both(meaning, is_protocol(meaning, IPPROTO_ICMP),
			     icmp_type(meaning, ICMP_ECHO_REPLY, ICMP_ECHO_REPLY));
	diagram answer = either(meaning, is_protocol(meaning, IPPROTO_UDP), reply);

	decide(meaning, JUDGEMENT_DROP, diagram_not(space, space_ipv4(space)));
	decide(meaning, JUDGEMENT_DROP, space_later_fragment(space));
	decide(meaning, JUDGEMENT_ACCEPT, both(meaning, opens_nothing(meaning), connected));
	decide(meaning, JUDGEMENT_ACCEPT, both(meaning, answer, flag(meaning, SPACE_EXPECTED)));
	decide(meaning, JUDGEMENT_DROP, DIAGRAM_TRUE);
}

/* ---- all of it. ---- */

static void judge(struct meaning *meaning, enum packet_path path)
{
	diagram loopback = flag(meaning, SPACE_LOOPBACK);

	switch (path) {
	case PACKET_OUTPUT:
		meaning->rest = loopback;
		output_local(meaning);
		meaning->rest = diagram_not(meaning->space, loopback);
		to_other_hosts(meaning, false);
		break;
	case PACKET_FRAME:
		meaning->rest = DIAGRAM_TRUE;
		to_device(meaning);
		break;
	case PACKET_INPUT:
		meaning->rest = loopback;
		input_local(meaning);
		meaning->rest = diagram_not(meaning->space, loopback);
		input_remote(meaning);
		break;
	case PACKET_FORWARD:
		meaning->rest = DIAGRAM_TRUE;
		decide(meaning, JUDGEMENT_DROP, DIAGRAM_TRUE);
		break;
	}
}

int meaning_of(struct diagram_space *space, const struct policy *policy, enum packet_path path,
	       struct judgement *ret_judgement)
{
	AUTO_FREE diagram *networks = calloc(policy->network_count + 1, sizeof(*networks));
	struct meaning meaning = {
	    .space = space, .policy = policy, .networks = networks, .judgement = ret_judgement};
	int r;

	memset(ret_judgement, 0, sizeof(*ret_judgement));
	if (!networks)
		return -ENOMEM;
	judge(&meaning, path);
	r = meaning.error < 0 ? meaning.error : diagram_error(space);
	if (r < 0) {
		/* What was made until then would be half of the truth. */
		memset(ret_judgement, 0, sizeof(*ret_judgement));
		return r;
	}
	if (ret_judgement->outcomes[JUDGEMENT_PROXY] != DIAGRAM_FALSE)
		ret_judgement->proxy_port = policy->automap.port;
	return 0;
}

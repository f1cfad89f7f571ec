/* SPDX-License-Identifier: GPL-3.0-or-later */
/* F1 to F5 and F8: what leaves this computer, and what comes in from others. */
#include "claims.h"

#include <linux/if_ether.h>
#include <netinet/in.h>

/* @what must not leave for another host. A fragment that the IP stack has cut was judged whole, by
 * the output hook, where no fragment passes (F1.4): on a device it tells nothing of its ports. */
static void never_leaves(struct claims *c, struct claims_sets *sets, diagram what)
{
	sets->never[PACKET_OUTPUT] = ALL(what, NO(c->loopback));
	sets->never[PACKET_FRAME] = ALL(what, NO(c->loopback), NO(c->piece));
}

/* @what must be able to leave, as a program sends it. */
static void always_leaves(struct claims *c, struct claims_sets *sets, diagram what)
{
	diagram sent = ALL(what, c->ordinary, c->owned, NO(c->loopback));

	sets->always[PACKET_OUTPUT] = sent;
	sets->always[PACKET_FRAME] = ALL(sent, c->labelled);
}

static void only_granted_leave_the_lan(struct claims *c, struct claims_sets *sets)
{
	never_leaves(
	    c, sets,
	    ALL(c->ip, c->owned, NO(ANY(c->tor, c->bridges_net, c->open_users)), NO(c->lan),
		NO(c->broadcast)));
}

static void nobodys_packets(struct claims *c, struct claims_sets *sets)
{
	never_leaves(c, sets, ALL(c->ip, NO(c->owned), NO(ALL(c->ipv4, c->rest))));
}

static void nowhere(struct claims *c, struct claims_sets *sets)
{
	static const struct claims_range ranges[] = {
	    {0x00000000, 0x00ffffff}, {0x7f000000, 0x7fffffff}, {0xe0000000, 0xffffffff}};
	diagram what = claims_destinations(c, ranges, ARRAY_SIZE(ranges));

	sets->never[PACKET_OUTPUT] = ALL(what, NO(c->loopback), NO(c->broadcast));
	sets->never[PACKET_FRAME] = sets->never[PACKET_OUTPUT];
}

static void whole_and_plain(struct claims *c, struct claims_sets *sets)
{
	never_leaves(c, sets, c->odd);
}

static diagram plain_arp(struct claims *c)
{
	static const uint8_t shape[] = {0, 1, 8, 0, 6, 4}; /* Ethernet, IPv4, and their lengths */
	diagram plain = space_is(c->space, SPACE_ETHERTYPE, ETH_P_ARP);

	for (unsigned i = 0; i < ARRAY_SIZE(shape); i++)
		plain = ALL(plain, space_network_is(c->space, i, shape[i]));
	return ALL(plain,
		   space_between(c->space, SPACE_FRAGMENT4, 1, 2)); /* the operation's bytes */
}

static diagram eapol(struct claims *c)
{
	return ALL(space_is(c->space, SPACE_ETHERTYPE, ETH_P_PAE),
		   claims_users(c, &c->people->eapol));
}

static void frames_not_ip(struct claims *c, struct claims_sets *sets)
{
	diagram arp = ALL(plain_arp(c), ANY(NO(c->owned), claims_users(c, &c->people->arp)));

	sets->never[PACKET_FRAME] = ALL(NO(c->ip), NO(c->loopback), NO(arp), NO(eapol(c)));
}

static void labels(struct claims *c, struct claims_sets *sets)
{
	diagram same = space_equal(c->space, SPACE_ETHERTYPE, SPACE_LINK_ETHERTYPE);

	sets->never[PACKET_FRAME] = ALL(NO(same), NO(space_bare(c->space)), NO(c->loopback));
}

static void frames_on_loopback(struct claims *c, struct claims_sets *sets)
{
	sets->never[PACKET_FRAME] = ALL(c->loopback, NO(c->routed));
}

static void forwarding(struct claims *c, struct claims_sets *sets)
{
	(void)c;
	sets->never[PACKET_FORWARD] = DIAGRAM_TRUE;
}

static diagram connected(struct claims *c)
{
	return ANY(space_is(c->space, SPACE_SOCKET, PACKET_SOCKET_BOUND),
		   space_is(c->space, SPACE_SOCKET, PACKET_SOCKET_TRANSPARENT));
}

/* What arrives and was asked for. */
static diagram answers(struct claims *c)
{
	diagram segment = ALL(c->tcp, NO(c->opening), connected(c));
	diagram reply =
	    ALL(ANY(c->udp, claims_echo_reply(c)), space_flag(c->space, SPACE_EXPECTED));

	return ALL(c->ipv4, NO(c->later), ANY(segment, reply));
}

static void from_outside(struct claims *c, struct claims_sets *sets)
{
	sets->never[PACKET_INPUT] = ALL(NO(c->loopback), NO(answers(c)));
	/* And is not handed to somebody else than whom it is for. */
	sets->violations[PACKET_INPUT] =
	    ALL(NO(c->loopback), c->model->judgements[PACKET_INPUT].outcomes[JUDGEMENT_PROXY]);
	sets->doubts[PACKET_INPUT] = c->foreign;
}

/* Some question of this kind is let out. */
static bool is_asked(struct claims *c, enum answers_kind kind)
{
	return ALL(answers_questions(c->space, kind), c->passes[PACKET_OUTPUT],
		   c->model->universes[PACKET_OUTPUT]) != DIAGRAM_FALSE;
}

static void answers_come_in(struct claims *c, struct claims_sets *sets)
{
	diagram wanted = ALL(NO(c->loopback), c->ordinary, answers(c));

	if (!is_asked(c, ANSWERS_UDP))
		wanted = ALL(wanted, NO(c->udp));
	if (!is_asked(c, ANSWERS_ECHO))
		wanted = ALL(wanted, NO(c->icmp));
	sets->always[PACKET_INPUT] = wanted;
	sets->doubts[PACKET_INPUT] = c->foreign;
}

/* The kernel's memory of what was asked is what "expected" rests on. */
static void only_sent_is_expected(struct claims *c, struct claims_sets *sets)
{
	struct run *input = c->model->runs[PACKET_INPUT], *output = c->model->runs[PACKET_OUTPUT];

	for (size_t i = 0; i < input->question_count; i++) {
		const struct run_memory *question = &input->questions[i];
		diagram written, packets;
		enum answers_kind kind;

		if (!answers_expected(input, question, &packets, c->model))
			continue;
		kind = answers_kind_of(output, c->model->universes[PACKET_OUTPUT], question->set,
				       &written);
		written = ALL(written, answers_questions(c->space, kind));
		sets->concerns[PACKET_OUTPUT] = ANY(sets->concerns[PACKET_OUTPUT], written);
		written = ALL(written, NO(c->passes[PACKET_OUTPUT]));
		sets->violations[PACKET_OUTPUT] = ANY(sets->violations[PACKET_OUTPUT], written);
	}
	sets->doubts[PACKET_INPUT] = c->foreign;
}

static void rewriting(struct claims *c, struct claims_sets *sets)
{
	for (int path = PACKET_OUTPUT; path < MODEL_PATHS; path++) {
		sets->violations[path] = c->model->judgements[path].outcomes[JUDGEMENT_REWRITTEN];
		sets->concerns[path] = DIAGRAM_TRUE;
	}
}

static bool translating(const struct ruleset *ruleset, bool *ret_unsure, struct buf *where)
{
	return claims_rule_tracks(ruleset, true, ret_unsure, where);
}

static void link_comes_up(struct claims *c, struct claims_sets *sets)
{
	diagram arp = ALL(plain_arp(c), ANY(NO(c->owned), claims_users(c, &c->people->arp)));
	diagram same = space_equal(c->space, SPACE_ETHERTYPE, SPACE_LINK_ETHERTYPE);

	always_leaves(c, sets, c->broadcast);
	sets->always[PACKET_FRAME] =
	    ANY(sets->always[PACKET_FRAME], ALL(ANY(arp, eapol(c)), same, NO(space_bare(c->space)),
						NO(c->loopback), space_complete(c->space)));
}

/* ---- F2 to F4: those who send for a namespace. ---- */

static void no_loopback(struct claims *c, struct claims_sets *sets, diagram user)
{
	sets->never[PACKET_OUTPUT] = ALL(c->loopback, user, NO(c->quiet));
}

static void whole_network(struct claims *c, struct claims_sets *sets, diagram user)
{
	/* A network's resolver may lie in its provider's addresses, or in the link's own. */
	static const struct claims_range providers[] = {{0x64400000, 0x647fffff},
							{0xa9fe0000, 0xa9feffff}};
	diagram network =
	    ANY(c->internet, c->lan, claims_destinations(c, providers, ARRAY_SIZE(providers)));

	always_leaves(c, sets, ALL(user, network, ANY(c->tcp, c->udp)));
}

/* ---- F2. ---- */

static void tor_sends_tcp(struct claims *c, struct claims_sets *sets)
{
	never_leaves(c, sets, ALL(c->ip, c->tor, NO(c->lan), NO(c->tcp), NO(c->broadcast)));
}

static void tor_connects(struct claims *c, struct claims_sets *sets)
{
	always_leaves(c, sets, ALL(c->tor, c->internet, c->tcp));
}

static void bridges_send_tcp(struct claims *c, struct claims_sets *sets)
{
	never_leaves(c, sets, ALL(c->ip, c->bridges_net, NO(c->lan), NO(c->tcp), NO(c->broadcast)));
}

static void transports_on_loopback(struct claims *c, struct claims_sets *sets)
{
	no_loopback(c, sets, ANY(c->bridges_net, c->fronts_net));
}

static void bridges_connect(struct claims *c, struct claims_sets *sets)
{
	always_leaves(c, sets, ALL(c->bridges_net, c->internet, c->tcp));
}

static void fronts_have_the_network(struct claims *c, struct claims_sets *sets)
{
	whole_network(c, sets, c->fronts_net);
}

/* ---- F3 and F4. ---- */

static void clearnet_on_loopback(struct claims *c, struct claims_sets *sets)
{
	no_loopback(c, sets, c->clearnet);
}

static void clearnet_has_the_network(struct claims *c, struct claims_sets *sets)
{
	whole_network(c, sets, c->clearnet);
}

static void namespace_on_loopback(struct claims *c, struct claims_sets *sets)
{
	no_loopback(c, sets, c->clearnet_net);
}

static void namespace_has_the_network(struct claims *c, struct claims_sets *sets)
{
	whole_network(c, sets, c->clearnet_net);
}

static diagram lan_traffic(struct claims *c)
{
	return ALL(c->lan, ANY(c->tcp, c->udp, c->icmp));
}

static void amnesia_outside(struct claims *c, struct claims_sets *sets)
{
	never_leaves(c, sets, ALL(c->ip, c->amnesia, NO(lan_traffic(c))));
}

/* ---- F5. ---- */

static void lookups_on_the_lan(struct claims *c, struct claims_sets *sets)
{
	never_leaves(c, sets, ALL(c->lan, c->lookup, c->owned, NO(c->open_users)));
}

static void lan_is_open(struct claims *c, struct claims_sets *sets)
{
	always_leaves(c, sets, ALL(lan_traffic(c), NO(c->lookup)));
}

/* ---- F8. ---- */

static void no_ipv6(struct claims *c, struct claims_sets *sets)
{
	sets->never[PACKET_OUTPUT] = ALL(c->ipv6, NO(c->loopback));
	for (int path = PACKET_FRAME; path < MODEL_PATHS; path++)
		sets->never[path] = sets->never[PACKET_OUTPUT];
}

static void datagrams_outside(struct claims *c, struct claims_sets *sets)
{
	never_leaves(c, sets,
		     ALL(ANY(c->udp, c->icmp), NO(c->lan), NO(c->open_users), NO(c->broadcast)));
}

static void other_protocols(struct claims *c, struct claims_sets *sets)
{
	never_leaves(c, sets, ALL(c->ip, NO(ANY(c->tcp, c->udp, c->icmp))));
}

#define SAFETY(id, text, user, tell)                                                               \
	{                                                                                          \
		id, PROOF_SAFETY, text, user, tell, NULL, PROOF_LEAK                               \
	}
#define USE(id, text, user, tell)                                                                  \
	{                                                                                          \
		id, PROOF_USE, text, user, tell, NULL, PROOF_BLOCKS                                \
	}

const struct claims_sentence claims_remote[] = {
    SAFETY("F1.1",
	   "Only packets of debian-tor, bridges-net, fronts-net, clearnet and clearnet-net leave for "
	   "addresses outside the LAN; of others, only a DHCP client's broadcast does.",
	   NULL, only_granted_leave_the_lan),
    SAFETY(
	"F1.2",
	"A packet that belongs to nobody leaves only as the rest of a connection: IPv4, TCP with "
	"ACK, without SYN and RST.",
	NULL, nobodys_packets),
    SAFETY(
	"F1.3",
	"Nothing leaves for groups, for everybody, or for addresses that no other host can have, "
	"but a DHCP client's broadcast.",
	NULL, nowhere),
    SAFETY("F1.4",
	   "No later fragment, no header with options and no broken one leaves, but for the "
	   "pieces that the IP stack cuts from a whole packet of its own.",
	   NULL, whole_and_plain),
    SAFETY(
	"F1.5",
	"Of frames that are not IP, only ARP in its plain shape and EAPOL leave, from the kernel "
	"(ARP) and from those who bring links up.",
	NULL, frames_not_ip),
    SAFETY("F1.6",
	   "No frame leaves whose label is not its ethertype, so that what is judged is what is "
	   "sent.",
	   NULL, labels),
    SAFETY("F1.7", "No frame is written to loopback past the IP stack.", NULL, frames_on_loopback),
    SAFETY("F1.8", "Nothing is forwarded.", NULL, forwarding),
    SAFETY(
	"F1.9",
	"Nobody outside opens a connection: what arrives belongs to one that there is, or answers "
	"what this computer asked.",
	NULL, from_outside),
    SAFETY("F1.10", "Nothing is expected as an answer but to what was sent.", NULL,
	   only_sent_is_expected),
    {"F1.11", PROOF_SAFETY, "No packet is changed on its way.", NULL, rewriting, NULL,
     PROOF_REWRITES},
    {"F1.12", PROOF_SAFETY, "No rule translates addresses.", NULL, NULL, translating, PROOF_LEAK},
    USE("F1.13",
	"Answers come in: TCP segments of connections, UDP packets and echo replies that were "
	"asked "
	"for.",
	NULL, answers_come_in),
    USE("F1.14",
	"A link comes up: ARP, DHCP broadcasts and EAPOL leave, from those who bring links up.",
	NULL, link_comes_up),
    SAFETY("F2.1", "debian-tor sends nothing but TCP to addresses outside the LAN.", "debian-tor",
	   tor_sends_tcp),
    USE("F2.2", "debian-tor has TCP to every address of the Internet.", "debian-tor", tor_connects),
    SAFETY("F2.3",
	   "bridges-net, which sends what comes out of the namespace bridges, sends nothing but TCP "
	   "to addresses outside the LAN.",
	   "bridges-net", bridges_send_tcp),
    SAFETY("F2.4",
	   "bridges-net and fronts-net, which send what comes out of the namespaces of Tor's "
	   "transports, reach no local service.",
	   NULL, transports_on_loopback),
    USE("F2.5", "bridges-net has TCP to every address of the Internet.", "bridges-net",
	bridges_connect),
    USE("F2.6", "fronts-net has TCP and UDP to the Internet, the LAN and the provider's resolvers.",
	"fronts-net", fronts_have_the_network),
    SAFETY("F3.1", "clearnet reaches no local service.", "clearnet", clearnet_on_loopback),
    USE("F3.2", "clearnet has TCP and UDP to the Internet, the LAN and the provider's resolvers.",
	"clearnet", clearnet_has_the_network),
    SAFETY("F4.1",
	   "clearnet-net, which sends what comes out of the namespace clearnet, reaches no "
	   "local service.",
	   "clearnet-net", namespace_on_loopback),
    USE("F4.2",
	"clearnet-net has TCP and UDP to the Internet, the LAN and the provider's resolvers.",
	"clearnet-net", namespace_has_the_network),
    SAFETY(
	"F4.3",
	"amnesia, outside the namespace clearnet, sends to no other host but to the LAN, by TCP, "
	"UDP and ICMP.",
	"amnesia", amnesia_outside),
    SAFETY("F5.1",
	   "Nobody but clearnet, clearnet-net and fronts-net looks up names in the LAN or asks its "
	   "router for the public address.",
	   NULL, lookups_on_the_lan),
    USE("F5.2",
	"The LAN is open to every user by TCP, UDP and ICMP, but for name lookups and "
	"questions to the router.",
	NULL, lan_is_open),
    SAFETY("F8.1", "No IPv6 packet leaves, comes in from outside or is forwarded.", NULL, no_ipv6),
    SAFETY("F8.2",
	   "UDP and ICMP leave for addresses outside the LAN only from clearnet, clearnet-net and "
	   "fronts-net, but for a DHCP client's broadcast.",
	   NULL, datagrams_outside),
    SAFETY("F8.3", "No other protocol over IP than TCP, UDP and ICMP leaves, whoever sends it.",
	   NULL, other_protocols),
};
const size_t claims_remote_count = ARRAY_SIZE(claims_remote);

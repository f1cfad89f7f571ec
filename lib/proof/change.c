/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What rules do to packets: refuse them, hand them to a proxy, mark, rewrite, untrack them. */
#include "run.h"

#include <netinet/in.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter_ipv4.h>
#include <string.h>

#define ICMP4_PORT_UNREACHABLE 3
#define ICMP6_PORT_UNREACHABLE 4

static void end(struct run *run, struct run_ends *ends, enum run_end which, diagram packets)
{
	ends->sets[which] = diagram_or(run->space, ends->sets[which], packets);
}

/* Packets that an ICMP error of this kind tells "port unreachable". */
static diagram told_port(struct run *run, const struct ruleset_expression *e)
{
	diagram four, six;

	if (e->reject.type == NFT_REJECT_ICMPX_UNREACH)
		return e->reject.code == NFT_REJECT_ICMPX_PORT_UNREACH ? DIAGRAM_TRUE
								       : DIAGRAM_FALSE;
	four = e->reject.code == ICMP4_PORT_UNREACHABLE ? space_ipv4(run->space) : DIAGRAM_FALSE;
	six = e->reject.code == ICMP6_PORT_UNREACHABLE ? space_ipv6(run->space) : DIAGRAM_FALSE;
	return diagram_or(run->space, four, six);
}

/* A reset answers segments only, and nothing answers a later fragment: those are dropped in silence.
 * So are resets, ICMP errors and broadcasts, but there the outcome is what the rule asks for. */
void run_reject(struct run *run, const struct ruleset_expression *e, diagram packets,
		struct run_ends *ends)
{
	struct diagram_space *space = run->space;
	diagram answered = diagram_minus(space, packets, space_later_fragment(space));
	struct run_step doubt;

	if (run->table->family != RULESET_INET && run->table->family != RULESET_IPV4 &&
	    run->table->family != RULESET_IPV6) {
		doubt = run_doubtful(run, packets, "a rejection outside the IP stack");
		end(run, ends, RUN_UNDECIDED, doubt.undecided);
		return;
	}
	switch (e->reject.type) {
	case NFT_REJECT_TCP_RST:
		answered = diagram_and(space, answered, run_segment(run));
		end(run, ends, RUN_RESET, answered);
		break;
	case NFT_REJECT_ICMP_UNREACH:
	case NFT_REJECT_ICMPX_UNREACH:
		end(run, ends, RUN_UNREACHABLE, diagram_and(space, answered, told_port(run, e)));
		end(run, ends, RUN_OTHER_ERROR, diagram_minus(space, answered, told_port(run, e)));
		break;
	default:
		doubt = run_doubtful(run, packets, "an unknown kind of rejection");
		end(run, ends, RUN_UNDECIDED, doubt.undecided);
		return;
	}
	end(run, ends, RUN_DROP, diagram_minus(space, packets, answered));
}

/* The constant in @len bytes of a register; false if it is none. */
static bool constant_of(struct run *run, int8_t reg, size_t len, uint8_t *ret_bytes)
{
	const diagram *bits = reg < 0 ? NULL : run_view(run, (uint8_t)reg, len);

	if (!bits)
		return false;
	memset(ret_bytes, 0, len);
	for (size_t i = 0; i < len * 8; i++) {
		if (bits[i] != DIAGRAM_FALSE && bits[i] != DIAGRAM_TRUE)
			return false;
		if (bits[i] == DIAGRAM_TRUE)
			ret_bytes[i / 8] |= (uint8_t)(0x80 >> i % 8);
	}
	return true;
}

static struct run_proxy *proxy_of(struct run *run, const struct run_proxy *like)
{
	for (size_t i = 0; i < run->proxy_count; i++)
		if (run->proxies[i].address == like->address && run->proxies[i].port == like->port &&
		    run->proxies[i].ipv6 == like->ipv6)
			return &run->proxies[i];
	if (run->proxy_count == RUN_PROXIES_MAX)
		return NULL;
	run->proxies[run->proxy_count] = *like;
	return &run->proxies[run->proxy_count++];
}

/* As nft_tproxy: only if the packet finds a socket that is a transparent proxy's. */
struct run_step run_tproxy(struct run *run, const struct ruleset_expression *e, diagram live)
{
	struct diagram_space *space = run->space;
	bool four = e->tproxy.family == RULESET_IPV4, six = e->tproxy.family == RULESET_IPV6;
	struct run_proxy proxy = {.ipv6 = six}, *entry;
	uint8_t address[4], port[2];
	diagram applies;

	if (run->hook != RUN_PREROUTING)
		return run_doubtful(run, live, "tproxy where the kernel has none");
	if (!four && !six && e->tproxy.address_reg >= 0)
		return run_doubtful(run, live, "tproxy to an address of no family");
	applies = diagram_or(space, space_is(space, SPACE_PROTOCOL, IPPROTO_TCP),
			     space_is(space, SPACE_PROTOCOL, IPPROTO_UDP));
	applies = diagram_and(space, applies, space_flag(space, SPACE_VALID));
	if (four)
		applies = diagram_and(space, applies, space_ipv4(space));
	if (six)
		applies = diagram_and(space, applies, space_ipv6(space));
	applies = diagram_and(space, applies,
			      space_is(space, SPACE_SOCKET, PACKET_SOCKET_TRANSPARENT));
	if (four && e->tproxy.address_reg >= 0 &&
	    !constant_of(run, e->tproxy.address_reg, 4, address))
		return run_doubtful(run, live, "tproxy to an address that is not certain");
	if (four && e->tproxy.address_reg >= 0)
		proxy.address = (uint32_t)address[0] << 24 | (uint32_t)address[1] << 16 |
				(uint32_t)address[2] << 8 | address[3];
	if (e->tproxy.port_reg >= 0 && !constant_of(run, e->tproxy.port_reg, 2, port))
		return run_doubtful(run, live, "tproxy to a port that is not certain");
	if (e->tproxy.port_reg >= 0)
		proxy.port = (uint16_t)(port[0] << 8 | port[1]);
	entry = proxy_of(run, &proxy);
	if (!entry)
		return run_doubtful(run, live, "more proxies than this model follows");
	/* A later rule may give the packet to another one. */
	for (size_t i = 0; i < run->proxy_count; i++)
		run->proxies[i].packets = diagram_minus(space, run->proxies[i].packets,
							diagram_and(space, live, applies));
	entry->packets = diagram_or(space, entry->packets, diagram_and(space, live, applies));
	return run_go(applies);
}

struct run_step run_meta_set(struct run *run, const struct ruleset_expression *e, diagram live)
{
	const diagram *bits = run_view(run, e->meta_set.reg, 4);

	switch (e->meta_set.key) {
	case NFT_META_NFTRACE:
	case NFT_META_PRIORITY: /* orders the queue; who asks for it later meets any value */
		return run_go(DIAGRAM_TRUE);
	case NFT_META_MARK:
		break;
	default:
		return run_doubtful(run, live, "a property of the packet is set that this model "
					       "does not know");
	}
	if (!bits)
		return run_doubtful(run, live, "registers are used that the rule has not loaded");
	for (size_t i = 0; i < 32; i++) {
		size_t byte = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? 3 - i / 8 : i / 8;

		run->mark[i] = diagram_choose(run->space, live, bits[byte * 8 + i % 8],
					      run->mark[i]);
	}
	return run_go(DIAGRAM_TRUE);
}

/* What connection tracking has met already it does not forget. */
struct run_step run_notrack(struct run *run, diagram live)
{
	bool before = (run->hook == RUN_PREROUTING || run->hook == RUN_OUTPUT) &&
		      run->base->priority < NF_IP_PRI_CONNTRACK;

	if (before)
		run->untracked = diagram_or(run->space, run->untracked, live);
	return run_go(DIAGRAM_TRUE);
}

static void readdress(struct run *run, size_t at, const diagram *bits, size_t len, diagram *header,
		      diagram live)
{
	for (size_t i = 0; i < len * 8; i++)
		header[at * 8 + i] =
		    diagram_choose(run->space, live, bits[i], header[at * 8 + i]);
}

/* A range of addresses or ports leaves open which it will be. */
static bool is_single(struct run *run, int8_t reg, int8_t end_reg, size_t len)
{
	const diagram *from, *to;

	if (end_reg < 0 || end_reg == reg)
		return true;
	from = reg < 0 ? NULL : run_view(run, (uint8_t)reg, len);
	to = run_view(run, (uint8_t)end_reg, len);
	return from && to && memcmp(from, to, len * 8 * sizeof(*from)) == 0;
}

static struct run_step set_destination(struct run *run, const struct ruleset_expression *e,
				       diagram live)
{
	bool six = e->translate.family == RULESET_IPV6;
	size_t len = six ? 16 : 4;
	const diagram *address = NULL, *port = NULL;

	if (!is_single(run, e->translate.address_reg, e->translate.address_end_reg, len) ||
	    !is_single(run, e->translate.port_reg, e->translate.port_end_reg, 2))
		return run_doubtful(run, live, "a destination that is one of several");
	if (e->translate.address_reg >= 0)
		address = run_view(run, (uint8_t)e->translate.address_reg, len);
	if (e->translate.port_reg >= 0)
		port = run_view(run, (uint8_t)e->translate.port_reg, 2);
	if ((e->translate.address_reg >= 0 && !address) || (e->translate.port_reg >= 0 && !port))
		return run_doubtful(run, live, "registers are used that the rule has not loaded");
	if (address)
		readdress(run, six ? 24 : 16, address, len, run->network, live);
	if (port)
		readdress(run, 2, port, 2, run->transport, live);
	run->readdressed = diagram_or(run->space, run->readdressed, live);
	return run_go(DIAGRAM_TRUE);
}

/* On output a redirection leads to 127.0.0.1 or ::1, elsewhere to an address of the device. */
static struct run_step redirect(struct run *run, const struct ruleset_expression *e, diagram live)
{
	const diagram *port = NULL;
	diagram here[128] = {0};
	static const uint8_t loopback4[] = {127, 0, 0, 1};
	diagram four[32];

	if (!is_single(run, e->redirect.port_reg, e->redirect.port_end_reg, 2))
		return run_doubtful(run, live, "a port that is one of several");
	if (run->hook != RUN_OUTPUT)
		return run_doubtful(run, live, "a redirection of packets that arrive");
	if (e->redirect.port_reg >= 0) {
		port = run_view(run, (uint8_t)e->redirect.port_reg, 2);
		if (!port)
			return run_doubtful(run, live,
					    "registers are used that the rule has not loaded");
		readdress(run, 2, port, 2, run->transport, live);
	}
	here[127] = DIAGRAM_TRUE;
	for (size_t i = 0; i < 32; i++)
		four[i] = loopback4[i / 8] >> (7 - i % 8) & 1 ? DIAGRAM_TRUE : DIAGRAM_FALSE;
	readdress(run, 16, four, 4, run->network,
		  diagram_and(run->space, live, space_ipv4(run->space)));
	readdress(run, 24, here, 16, run->network,
		  diagram_and(run->space, live, space_ipv6(run->space)));
	run->readdressed = diagram_or(run->space, run->readdressed, live);
	return run_go(DIAGRAM_TRUE);
}

/* Translation ends the chain's say with "accept", as the kernel's expressions do. The caller has it
 * that only packets that open a connection come here. */
struct run_step run_translate(struct run *run, const struct ruleset_expression *e, diagram live)
{
	struct run_step step = run_go(DIAGRAM_TRUE);

	if (e->kind == RULESET_REDIRECT)
		step = redirect(run, e, live);
	else if (e->kind == RULESET_TRANSLATE && e->translate.destination)
		step = set_destination(run, e, live);
	live = diagram_minus(run->space, live, step.undecided);
	run->rewritten = diagram_or(run->space, run->rewritten, live);
	return step;
}

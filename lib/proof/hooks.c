/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Base chains in the order in which the kernel calls them, and what comes of it. */
#include "run_chain.h"

#include <linux/if_ether.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter_ipv4.h>
#include <string.h>

#define TURNS_MAX 256 /* base chains that packets of one path meet */

#define HOOK_NETDEV_INGRESS 0
#define HOOK_NETDEV_EGRESS  1

struct turn {
	const struct ruleset_table *table;
	const struct ruleset_chain *chain;
	enum run_hook hook;
	int32_t priority; /* as the kernel calls it: chains for translation all at the same time */
	diagram called;	  /* for which packets */
};

static const enum run_hook paths[][4] = {
    [PACKET_OUTPUT] = {RUN_OUTPUT, RUN_POSTROUTING},
    [PACKET_FRAME] = {RUN_EGRESS},
    [PACKET_INPUT] = {RUN_INGRESS, RUN_PREROUTING, RUN_INPUT},
    [PACKET_FORWARD] = {RUN_FORWARD, RUN_POSTROUTING},
};

static bool is_inet_hook(uint32_t number, enum run_hook hook)
{
	switch (hook) {
	case RUN_PREROUTING:
		return number == NF_INET_PRE_ROUTING;
	case RUN_INPUT:
		return number == NF_INET_LOCAL_IN;
	case RUN_FORWARD:
		return number == NF_INET_FORWARD;
	case RUN_OUTPUT:
		return number == NF_INET_LOCAL_OUT;
	case RUN_POSTROUTING:
		return number == NF_INET_POST_ROUTING;
	case RUN_INGRESS:
	case RUN_EGRESS:
		break;
	}
	return false;
}

/* Packets on one of the chain's devices. */
static diagram on_devices(struct run *run, const struct ruleset_chain *chain)
{
	diagram any = DIAGRAM_FALSE;
	unsigned bits[SPACE_BITS_MAX];

	if (chain->every_device)
		return DIAGRAM_TRUE;
	space_bits(SPACE_DEVICE_NAME, bits);
	for (size_t i = 0; i < chain->device_count; i++) {
		uint8_t name[16] = {0};

		memcpy(name, chain->devices[i], strnlen(chain->devices[i], sizeof(name)));
		any = diagram_or(run->space, any,
				 diagram_range(run->space, bits, 128, name, name));
	}
	return any;
}

/* For which packets does the kernel call this base chain at this hook? */
static diagram called_for(struct run *run, const struct ruleset_table *table,
			  const struct ruleset_chain *chain, enum run_hook hook)
{
	struct diagram_space *space = run->space;
	diagram ip = diagram_or(space, space_ipv4(space), space_ipv6(space));

	if (!chain->base || (table->flags & NFT_TABLE_F_DORMANT))
		return DIAGRAM_FALSE;
	switch (table->family) {
	case RULESET_INET:
		if (hook == RUN_INGRESS)
			return chain->hook == NF_INET_INGRESS
				   ? diagram_and(space, ip, on_devices(run, chain))
				   : DIAGRAM_FALSE;
		return is_inet_hook(chain->hook, hook) ? ip : DIAGRAM_FALSE;
	case RULESET_IPV4:
		return is_inet_hook(chain->hook, hook) ? space_ipv4(space) : DIAGRAM_FALSE;
	case RULESET_IPV6:
		return is_inet_hook(chain->hook, hook) ? space_ipv6(space) : DIAGRAM_FALSE;
	case RULESET_NETDEV:
		if ((hook == RUN_INGRESS && chain->hook == HOOK_NETDEV_INGRESS) ||
		    (hook == RUN_EGRESS && chain->hook == HOOK_NETDEV_EGRESS))
			return on_devices(run, chain);
		return DIAGRAM_FALSE;
	case RULESET_ARP: /* see doubt_others() */
	case RULESET_BRIDGE:
		break;
	}
	return DIAGRAM_FALSE;
}

/* Chains for translation are called by one function at a fixed priority; their own only orders
 * them among themselves. (nf_nat_register_fn) */
static int32_t priority_of(const struct ruleset_chain *chain, enum run_hook hook)
{
	if (chain->type != RULESET_NAT)
		return chain->priority;
	return hook == RUN_PREROUTING || hook == RUN_OUTPUT ? NF_IP_PRI_NAT_DST
							    : NF_IP_PRI_NAT_SRC;
}

static bool goes_before(const struct turn *a, const struct turn *b)
{
	if (a->hook != b->hook)
		return false; /* collected hook by hook */
	if (a->priority != b->priority)
		return a->priority < b->priority;
	return a->chain->type == RULESET_NAT && b->chain->type == RULESET_NAT &&
	       a->chain->priority < b->chain->priority;
}

static size_t collect(struct run *run, struct turn turns[TURNS_MAX])
{
	size_t count = 0;

	for (size_t h = 0; h < ARRAY_SIZE(paths[0]) && paths[run->path][h]; h++) {
		enum run_hook hook = paths[run->path][h];
		size_t first = count;

		for (size_t t = 0; t < run->ruleset->table_count; t++) {
			const struct ruleset_table *table = &run->ruleset->tables[t];

			for (size_t c = 0; c < table->chain_count; c++) {
				struct turn turn = {table, &table->chains[c], hook};
				size_t at = count;

				turn.called = called_for(run, table, turn.chain, hook);
				if (turn.called == DIAGRAM_FALSE)
					continue;
				if (count == TURNS_MAX)
					return TURNS_MAX + 1;
				turn.priority = priority_of(turn.chain, hook);
				for (; at > first && goes_before(&turn, &turns[at - 1]); at--)
					turns[at] = turns[at - 1];
				turns[at] = turn;
				count++;
			}
		}
	}
	return count;
}

static void turn_begin(struct run *run, const struct turn *turn)
{
	run->table = turn->table;
	run->base = turn->chain;
	run->chain = turn->chain;
	run->rule = NULL;
	run->hook = turn->hook;
	run->table_pure = !run_table_changes(turn->table);
}

static void policy_ends(struct run *run, const struct turn *turn, struct run_ends *ends)
{
	enum run_end which = turn->chain->policy == RULESET_ACCEPT ? RUN_ACCEPT : RUN_DROP;

	if (run->point != DIAGRAM_FALSE &&
	    diagram_and(run->space, run->point, ends->left) != DIAGRAM_FALSE) {
		run->last_table = turn->table;
		run->last_chain = turn->chain;
		run->last_rule = NULL;
	}
	ends->sets[which] = diagram_or(run->space, ends->sets[which], ends->left);
	ends->left = DIAGRAM_FALSE;
}

/* Only the packet that opens a connection is shown to the rules; what follows in it is rewritten as
 * that one was. Which that was this model does not remember, so where rules translate at all, nothing
 * is said about what follows. */
static diagram nat_part(struct run *run, const struct turn *turn, diagram live,
			struct run_ends *ends)
{
	struct diagram_space *space = run->space;
	diagram opens, follows;
	struct run_step doubt;

	if (turn->chain->rule_count == 0 && turn->chain->policy == RULESET_ACCEPT)
		return DIAGRAM_FALSE;
	run->asks_connections = true;
	opens = diagram_and(space, live, space_is(space, SPACE_CONNECTION, SPACE_NEW));
	opens = diagram_minus(space, opens, run->untracked);
	opens = diagram_minus(space, opens, run->translated);
	follows = diagram_and(space, live,
			      space_between(space, SPACE_CONNECTION, SPACE_ESTABLISHED, SPACE_RELATED));
	follows = diagram_minus(space, follows, run->untracked);
	doubt = run_doubtful(run, follows, "how a connection was translated when it was opened");
	ends->sets[RUN_UNDECIDED] = diagram_or(space, ends->sets[RUN_UNDECIDED], doubt.undecided);
	return opens;
}

/* Run a base chain on @live. */
static void turn_run(struct run *run, const struct turn *turn, diagram live, struct run_ends *ends)
{
	struct diagram_space *space = run->space;
	struct run_ends inner = {0};
	diagram shown = diagram_and(space, live, turn->called), before = run->rewritten;

	turn_begin(run, turn);
	*ends = (struct run_ends){0};
	if (turn->chain->type == RULESET_NAT)
		shown = nat_part(run, turn, shown, ends);
	run_chain(run, turn->chain, shown, &inner);
	turn_begin(run, turn);
	policy_ends(run, turn, &inner);
	for (size_t i = 0; i < RUN_ENDS; i++)
		ends->sets[i] = diagram_or(space, ends->sets[i], inner.sets[i]);
	/* Packets that were not shown to it pass. */
	ends->sets[RUN_ACCEPT] = diagram_or(
	    space, ends->sets[RUN_ACCEPT],
	    diagram_minus(space, diagram_minus(space, live, shown), ends->sets[RUN_UNDECIDED]));
	if (turn->chain->type == RULESET_NAT)
		run->translated = diagram_or(space, run->translated,
					     diagram_minus(space, run->rewritten, before));
}

/* What a chain can have changed that another could see. */
struct packets {
	diagram mark[32], rewritten, untracked, proxied;
};

static struct packets packets_now(struct run *run)
{
	struct packets now = {.rewritten = run->rewritten, .untracked = run->untracked};

	memcpy(now.mark, run->mark, sizeof(now.mark));
	for (size_t i = 0; i < run->proxy_count; i++)
		now.proxied = diagram_or(run->space, now.proxied, run->proxies[i].packets);
	return now;
}

static bool same_packets(struct run *run, const struct packets *before)
{
	struct packets now = packets_now(run);

	return memcmp(&now, before, sizeof(now)) == 0;
}

/* Chains of one priority are called in the order in which they were registered, which nobody can
 * read back. Nothing must rest on it: all accept, or all refuse in the same manner. */
static void group_run(struct run *run, const struct turn *turns, size_t count, diagram live,
		      struct run_ends *ends)
{
	struct diagram_space *space = run->space;
	struct packets before = packets_now(run);

	turn_run(run, &turns[0], live, ends);
	for (size_t i = 1; i < count; i++) {
		struct run_ends other, both = {0};
		diagram clear = DIAGRAM_FALSE;

		turn_run(run, &turns[i], live, &other);
		both.sets[RUN_ACCEPT] =
		    diagram_and(space, ends->sets[RUN_ACCEPT], other.sets[RUN_ACCEPT]);
		for (size_t k = 0; k < RUN_ENDS; k++) {
			diagram alone = diagram_and(space, ends->sets[k], other.sets[RUN_ACCEPT]);

			if (k != RUN_ACCEPT) {
				alone = diagram_or(space, alone,
						   diagram_and(space, ends->sets[RUN_ACCEPT],
							       other.sets[k]));
				alone = diagram_or(space, alone,
						   diagram_and(space, ends->sets[k], other.sets[k]));
				both.sets[k] = alone;
			}
			clear = diagram_or(space, clear, both.sets[k]);
		}
		clear = diagram_minus(space, live, clear);
		if (clear != DIAGRAM_FALSE) {
			run_doubtful(run, clear, "chains of one priority refuse in different manners");
			both.sets[RUN_UNDECIDED] =
			    diagram_or(space, both.sets[RUN_UNDECIDED], clear);
		}
		*ends = both;
	}
	/* One that changes packets would be seen by the others, or not. */
	if (count > 1 && turns[0].chain->type != RULESET_NAT && !same_packets(run, &before)) {
		struct run_step doubt =
		    run_doubtful(run, ends->sets[RUN_ACCEPT],
				 "chains of one priority, of which one changes packets");

		ends->sets[RUN_UNDECIDED] =
		    diagram_or(space, ends->sets[RUN_UNDECIDED], doubt.undecided);
		ends->sets[RUN_ACCEPT] =
		    diagram_minus(space, ends->sets[RUN_ACCEPT], doubt.undecided);
	}
}

/* Rules of other families: ARP's can drop or rewrite what the kernel asks, a bridge's what crosses it.
 * Neither is modelled; without rules they do nothing. */
static void doubt_others(struct run *run, struct judgement *judgement)
{
	struct diagram_space *space = run->space;

	for (size_t t = 0; run->path == PACKET_FRAME && t < run->ruleset->table_count; t++) {
		const struct ruleset_table *table = &run->ruleset->tables[t];
		diagram packets = space_is(space, SPACE_ETHERTYPE, ETH_P_ARP);

		if ((table->family != RULESET_ARP && table->family != RULESET_BRIDGE) ||
		    (table->flags & NFT_TABLE_F_DORMANT))
			continue;
		if (table->family == RULESET_BRIDGE)
			packets = DIAGRAM_TRUE;
		for (size_t c = 0; c < table->chain_count; c++) {
			const struct ruleset_chain *chain = &table->chains[c];
			struct run_step doubt;

			if (!chain->base ||
			    (chain->rule_count == 0 && chain->policy == RULESET_ACCEPT))
				continue;
			run->table = table;
			run->chain = chain;
			run->rule = NULL;
			doubt = run_doubtful(run, packets,
					     table->family == RULESET_ARP
						 ? "rules for ARP"
						 : "rules for bridges");
			for (size_t i = 0; i < JUDGEMENT_OUTCOMES; i++)
				judgement->outcomes[i] = diagram_minus(
				    space, judgement->outcomes[i], doubt.undecided);
			judgement->outcomes[JUDGEMENT_UNDECIDED] =
			    diagram_or(space, judgement->outcomes[JUDGEMENT_UNDECIDED],
				       doubt.undecided);
		}
	}
}

static void judge(struct run *run, const diagram sets[RUN_ENDS], diagram accepted,
		  struct judgement *ret_judgement)
{
	struct diagram_space *space = run->space;
	struct judgement judgement = {
	    .outcomes =
		{
		    [JUDGEMENT_DROP] = sets[RUN_DROP],
		    [JUDGEMENT_RESET] = sets[RUN_RESET],
		    [JUDGEMENT_UNREACHABLE] = sets[RUN_UNREACHABLE],
		    [JUDGEMENT_OTHER_ERROR] = sets[RUN_OTHER_ERROR],
		    [JUDGEMENT_UNDECIDED] = sets[RUN_UNDECIDED],
		},
	};
	diagram rewritten = diagram_and(space, accepted, run->rewritten);

	/* The first proxy is the one that may be the policy's; whichever it is, proxy_port tells. Others,
	 * and proxies elsewhere than at 127.0.0.1, are something that no policy asks for. */
	for (size_t i = 0; i < run->proxy_count; i++) {
		const struct run_proxy *proxy = &run->proxies[i];
		diagram packets =
		    diagram_minus(space, diagram_and(space, accepted, proxy->packets), rewritten);

		if (judgement.proxy_port == 0 && !proxy->ipv6 && proxy->address == 0x7f000001 &&
		    packets != DIAGRAM_FALSE) {
			judgement.proxy_port = proxy->port;
			judgement.outcomes[JUDGEMENT_PROXY] = packets;
		} else {
			rewritten = diagram_or(space, rewritten, packets);
		}
	}
	judgement.outcomes[JUDGEMENT_REWRITTEN] = rewritten;
	judgement.outcomes[JUDGEMENT_ACCEPT] = diagram_minus(
	    space, diagram_minus(space, accepted, rewritten), judgement.outcomes[JUDGEMENT_PROXY]);
	doubt_others(run, &judgement);
	*ret_judgement = judgement;
}

int run_all(struct run *run, struct judgement *ret_judgement)
{
	AUTO_FREE struct turn *turns = calloc(TURNS_MAX, sizeof(*turns));
	diagram live = run->point == DIAGRAM_FALSE ? DIAGRAM_TRUE : run->point;
	diagram sets[RUN_ENDS] = {0};
	size_t count;
	int r;

	if (!turns)
		return -ENOMEM;
	count = collect(run, turns);
	if (count > TURNS_MAX) {
		struct run_step doubt =
		    run_doubtful(run, live, "more base chains than this model follows");

		sets[RUN_UNDECIDED] = doubt.undecided;
		live = DIAGRAM_FALSE;
		count = 0;
	}
	for (size_t i = 0, next; i < count; i = next) {
		struct run_ends ends;

		for (next = i + 1; next < count && turns[next].hook == turns[i].hook &&
				   turns[next].priority == turns[i].priority &&
				   !goes_before(&turns[i], &turns[next]);)
			next++;
		group_run(run, &turns[i], next - i, live, &ends);
		for (size_t k = 0; k < RUN_ENDS; k++)
			if (k != RUN_ACCEPT)
				sets[k] = diagram_or(run->space, sets[k], ends.sets[k]);
		live = ends.sets[RUN_ACCEPT];
	}
	judge(run, sets, live, ret_judgement);
	r = run->error;
	return r < 0 ? r : diagram_error(run->space);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A packet's way: hook by hook, base chain by base chain, rule by rule. */
#include "evaluation.h"

#include <linux/if_ether.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter_arp.h>
#include <string.h>

#define JUMPS_MAX       16         /* the kernel's NFT_JUMP_STACK_SIZE */
#define STEPS_MAX       (1u << 21) /* rules tried for one packet; only circles and mazes need more */
#define BASE_CHAINS_MAX 128        /* that one packet meets */

/* A base chain, and when it is its turn. */
struct turn {
	const struct ruleset_table *table;
	const struct ruleset_chain *chain;
	enum evaluation_hook hook;
};

static const enum evaluation_hook paths[][4] = {
    [PACKET_OUTPUT] = {EVALUATION_OUTPUT, EVALUATION_POSTROUTING},
    [PACKET_FRAME] = {EVALUATION_EGRESS},
    [PACKET_INPUT] = {EVALUATION_INGRESS, EVALUATION_PREROUTING, EVALUATION_INPUT},
    [PACKET_FORWARD] = {EVALUATION_FORWARD, EVALUATION_POSTROUTING},
};

static bool on_device(const struct ruleset_chain *chain, const struct packet *packet)
{
	const char *device = packet->loopback ? "lo" : RULESET_OTHER_DEVICE;

	if (chain->every_device)
		return true;
	for (size_t i = 0; i < chain->device_count; i++)
		if (strcmp(chain->devices[i], device) == 0)
			return true;
	return false;
}

static bool is_inet_hook(uint32_t number, enum evaluation_hook hook)
{
	switch (hook) {
	case EVALUATION_PREROUTING:
		return number == NF_INET_PRE_ROUTING;
	case EVALUATION_INPUT:
		return number == NF_INET_LOCAL_IN;
	case EVALUATION_FORWARD:
		return number == NF_INET_FORWARD;
	case EVALUATION_OUTPUT:
		return number == NF_INET_LOCAL_OUT;
	case EVALUATION_POSTROUTING:
		return number == NF_INET_POST_ROUTING;
	case EVALUATION_INGRESS:
	case EVALUATION_EGRESS:
		break;
	}
	return false;
}

/* Does the kernel call this base chain for the packet at this hook? */
static bool is_called(const struct ruleset_table *table, const struct ruleset_chain *chain,
		      enum evaluation_hook hook, const struct packet *packet)
{
	bool ip4 = packet->ethertype == ETH_P_IP, ip6 = packet->ethertype == ETH_P_IPV6;

	if (!chain->base || (table->flags & NFT_TABLE_F_DORMANT))
		return false;
	switch (table->family) {
	case RULESET_INET:
		if (hook == EVALUATION_INGRESS)
			return (ip4 || ip6) && chain->hook == NF_INET_INGRESS &&
			       on_device(chain, packet);
		return (ip4 || ip6) && is_inet_hook(chain->hook, hook);
	case RULESET_IPV4:
		return ip4 && is_inet_hook(chain->hook, hook);
	case RULESET_IPV6:
		return ip6 && is_inet_hook(chain->hook, hook);
	case RULESET_ARP:
		return packet->ethertype == ETH_P_ARP &&
		       ((hook == EVALUATION_INPUT && chain->hook == NF_ARP_IN) ||
			(hook == EVALUATION_OUTPUT && chain->hook == NF_ARP_OUT));
	case RULESET_NETDEV:
		return ((hook == EVALUATION_INGRESS && chain->hook == NF_NETDEV_INGRESS) ||
			(hook == EVALUATION_EGRESS && chain->hook == NF_NETDEV_EGRESS)) &&
		       on_device(chain, packet);
	case RULESET_BRIDGE: /* the model's devices are not bridges */
		break;
	}
	return false;
}

/* Insert @turn into @count others at the same hook, from @first on, by priority. */
static void insert(struct turn *turns, size_t first, size_t count, struct turn turn)
{
	size_t at = count;

	while (at > first && turns[at - 1].chain->priority > turn.chain->priority) {
		turns[at] = turns[at - 1];
		at--;
	}
	turns[at] = turn;
}

/* The base chains that the packet meets, in order. Returns how many, or BASE_CHAINS_MAX + 1. */
static size_t collect(const struct ruleset *ruleset, const struct packet *packet,
		      struct turn turns[BASE_CHAINS_MAX])
{
	size_t count = 0;

	for (size_t h = 0; h < ARRAY_SIZE(paths[0]) && paths[packet->path][h]; h++) {
		enum evaluation_hook hook = paths[packet->path][h];
		size_t first = count;

		for (size_t t = 0; t < ruleset->table_count; t++) {
			const struct ruleset_table *table = &ruleset->tables[t];

			for (size_t c = 0; c < table->chain_count; c++) {
				const struct ruleset_chain *chain = &table->chains[c];

				if (!is_called(table, chain, hook, packet))
					continue;
				if (count == BASE_CHAINS_MAX)
					return BASE_CHAINS_MAX + 1;
				insert(turns, first, count++, (struct turn){table, chain, hook});
			}
		}
	}
	return count;
}

static enum evaluation_step run_rule(struct evaluation *evaluation)
{
	const struct ruleset_rule *rule = evaluation->rule;

	if (evaluation->steps++ >= STEPS_MAX)
		return evaluation_undecided(evaluation, "the rules lead in a circle, or too far");
	registers_forget(&evaluation->registers);
	for (size_t i = 0; i < rule->count; i++) {
		enum evaluation_step step = expression_run(evaluation, &rule->expressions[i]);

		/* To the kernel `continue` is no verdict: the rule's next expression follows. */
		if (step == EVALUATION_VERDICT && evaluation->verdict.code == RULESET_CONTINUE)
			continue;
		if (step != EVALUATION_NEXT)
			return step;
	}
	return EVALUATION_BREAK;
}

/* Where the walk through a base chain stands. */
struct walk {
	const struct ruleset_chain *chain;
	size_t next; /* rule of @chain */
	struct {
		const struct ruleset_chain *chain;
		size_t next;
	} callers[JUMPS_MAX];
	size_t depth;
};

/* Jump, or go for good. False, with a reason, if that leads nowhere. */
static bool enter(struct evaluation *evaluation, struct walk *walk)
{
	const struct ruleset_chain *next;

	next = ruleset_find_chain(evaluation->table, evaluation->verdict.chain);
	if (!next || next->base) {
		evaluation->reason = "a jump to a chain that does not exist";
		return false;
	}
	if (evaluation->verdict.code == RULESET_JUMP) {
		if (walk->depth == JUMPS_MAX) {
			evaluation->reason = "jumps that nest deeper than the kernel's";
			return false;
		}
		walk->callers[walk->depth].chain = walk->chain;
		walk->callers[walk->depth++].next = walk->next;
	}
	walk->chain = next;
	walk->next = 0;
	return true;
}

/* Go on behind the rule that jumped here. False if none did. */
static bool leave(struct walk *walk)
{
	if (walk->depth == 0)
		return false;
	walk->depth--;
	walk->chain = walk->callers[walk->depth].chain;
	walk->next = walk->callers[walk->depth].next;
	return true;
}

/* Run one base chain. Returns RULESET_ACCEPT, RULESET_DROP or, with a reason, RULESET_NONE. */
static enum ruleset_code run_chain(struct evaluation *evaluation, const struct ruleset_chain *base)
{
	struct walk walk = {.chain = base};

	while (walk.next < walk.chain->rule_count || leave(&walk)) {
		enum evaluation_step step;

		if (walk.next >= walk.chain->rule_count)
			continue;
		evaluation->chain = walk.chain;
		evaluation->rule = &walk.chain->rules[walk.next++];
		step = run_rule(evaluation);
		if (step == EVALUATION_UNDECIDED)
			return RULESET_NONE;
		if (step == EVALUATION_BREAK)
			continue;
		switch (evaluation->verdict.code) {
		case RULESET_ACCEPT:
		case RULESET_DROP:
			return evaluation->verdict.code;
		case RULESET_JUMP:
		case RULESET_GOTO:
			if (!enter(evaluation, &walk))
				return RULESET_NONE;
			break;
		case RULESET_RETURN:
			walk.next = walk.chain->rule_count;
			break;
		case RULESET_BREAK:
		case RULESET_CONTINUE:
			break;
		case RULESET_QUEUE:
		case RULESET_NONE:
			evaluation->reason = "a verdict that another program gives";
			return RULESET_NONE;
		}
	}
	evaluation->chain = base;
	evaluation->rule = NULL;
	return base->policy == RULESET_ACCEPT ? RULESET_ACCEPT : RULESET_DROP;
}

/* What expressions see of the family: the packet's own, except on the way to a device. */
static enum ruleset_family seen_family(const struct ruleset_table *table,
				       const struct packet *packet)
{
	if (table->family == RULESET_NETDEV || table->family == RULESET_ARP)
		return table->family;
	return packet->ethertype == ETH_P_IP ? RULESET_IPV4 : RULESET_IPV6;
}

/* Chains that rewrite packets or reroute them are beyond this model, unless they are empty. */
static bool is_modelled(const struct ruleset_chain *chain)
{
	if (chain->type == RULESET_FILTER || chain->type == RULESET_ROUTE)
		return true;
	return chain->type == RULESET_NAT && chain->rule_count == 0 &&
	       chain->policy == RULESET_ACCEPT;
}

static enum ruleset_code run_turn(struct evaluation *evaluation, const struct turn *turn)
{
	evaluation->hook = turn->hook;
	evaluation->table = turn->table;
	evaluation->base = turn->chain;
	evaluation->chain = turn->chain;
	evaluation->rule = NULL;
	evaluation->family = seen_family(turn->table, evaluation->packet);
	evaluation->drop = RULESET_DROPPED;
	if (!is_modelled(turn->chain)) {
		evaluation->reason = "a chain that rewrites packets";
		return RULESET_NONE;
	}
	return run_chain(evaluation, turn->chain);
}

static struct ruleset_result result_of(const struct evaluation *evaluation,
				       enum ruleset_outcome outcome)
{
	return (struct ruleset_result){
	    .outcome = outcome,
	    .proxy_port = outcome == RULESET_PROXIED ? evaluation->proxy_port : 0,
	    .table = evaluation->table,
	    .chain = evaluation->chain,
	    .rule = evaluation->rule,
	    .reason = outcome == RULESET_UNDECIDED ? evaluation->reason : NULL,
	};
}

/* The packet's whole way, open questions answered as @evaluation->choices say. */
static struct ruleset_result run_turns(struct evaluation *evaluation, const struct turn *turns,
				       size_t count)
{
	fields_prepare(evaluation);
	for (size_t i = 0; i < count; i++) {
		enum ruleset_code code = run_turn(evaluation, &turns[i]);

		if (code == RULESET_DROP)
			return result_of(evaluation, evaluation->drop);
		if (code != RULESET_ACCEPT)
			return result_of(evaluation, RULESET_UNDECIDED);
	}
	if (evaluation->written) {
		evaluation->reason = "the packet is written to";
		return result_of(evaluation, RULESET_UNDECIDED);
	}
	return result_of(evaluation, evaluation->proxied ? RULESET_PROXIED : RULESET_PASSED);
}

/* The next answers, as one counts: the last question that was answered "no" is answered "yes", and
 * those behind it are open again. False if all were tried. */
static bool choose_next(uint32_t *choices, unsigned count)
{
	while (count > 0 && (*choices >> (count - 1) & 1))
		count--;
	if (count == 0)
		return false;
	*choices &= (UINT32_C(1) << (count - 1)) - 1;
	*choices |= UINT32_C(1) << (count - 1);
	return true;
}

struct ruleset_result ruleset_evaluate(const struct ruleset *ruleset, const struct packet *packet)
{
	struct evaluation evaluation = {.packet = packet};
	struct turn turns[BASE_CHAINS_MAX];
	struct ruleset_result first = {0};
	const char *open_reason = NULL;
	uint32_t choices = 0;
	size_t count;

	if (packet->path < PACKET_OUTPUT || packet->path > PACKET_FORWARD) {
		evaluation.reason = "a packet without a path";
		return result_of(&evaluation, RULESET_UNDECIDED);
	}
	count = collect(ruleset, packet, turns);
	if (count > BASE_CHAINS_MAX) {
		evaluation.reason = "more base chains than this model follows";
		return result_of(&evaluation, RULESET_UNDECIDED);
	}
	do {
		struct ruleset_result result;

		evaluation = (struct evaluation){.packet = packet, .choices = choices};
		result = run_turns(&evaluation, turns, count);
		if (result.outcome == RULESET_UNDECIDED)
			return result;
		if (!open_reason) {
			first = result;
			open_reason = evaluation.open_reason;
		} else if (result.outcome != first.outcome ||
			   result.proxy_port != first.proxy_port) {
			evaluation.reason = open_reason;
			return result_of(&evaluation, RULESET_UNDECIDED);
		}
	} while (choose_next(&choices, evaluation.choice_count));
	return first;
}

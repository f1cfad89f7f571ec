/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What rules can read beside the headers: what the kernel knows of a packet, its socket, its
 * connection. As net/netfilter/nft_meta.c, nft_socket.c and nft_ct.c do it. */
#include "run.h"

#include <netinet/in.h>
#include <linux/if_ether.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter_ipv4.h>
#include <string.h>

bool run_arrives(enum run_hook hook)
{
	return hook == RUN_INGRESS || hook == RUN_PREROUTING || hook == RUN_INPUT ||
	       hook == RUN_FORWARD;
}

bool run_leaves(enum run_hook hook)
{
	return hook == RUN_FORWARD || hook == RUN_OUTPUT || hook == RUN_POSTROUTING ||
	       hook == RUN_EGRESS;
}

static struct run_step unloadable(struct run *run, diagram live)
{
	return run_doubtful(run, live, "a value does not fit into the registers");
}

/* A field as it is, most significant bit first. */
static void field_bits(struct run *run, enum space_field field, diagram *ret_bits)
{
	unsigned bits[SPACE_BITS_MAX], width = space_bits(field, bits);

	for (unsigned i = 0; i < width; i++)
		ret_bits[i] = diagram_variable(run->space, bits[i]);
}

static struct run_step store_field(struct run *run, uint8_t reg, enum space_field field,
				   bool host_order, diagram applies, diagram live)
{
	diagram bits[128];

	field_bits(run, field, bits);
	if (!run_store_number(run, reg, bits, space_width(field), host_order))
		return unloadable(run, live);
	return run_go(applies);
}

static struct run_step store_number(struct run *run, uint8_t reg, uint32_t value, size_t width,
				    diagram live)
{
	diagram bits[32];

	for (size_t i = 0; i < width; i++)
		bits[i] = value >> (width - 1 - i) & 1 ? DIAGRAM_TRUE : DIAGRAM_FALSE;
	if (!run_store_number(run, reg, bits, width, true))
		return unloadable(run, live);
	return run_go(DIAGRAM_TRUE);
}

/* A number that nothing determines, the same wherever it is asked for. */
static struct run_step store_free(struct run *run, uint8_t reg, enum run_free_kind kind,
				  uint32_t key, unsigned width, const char *name, diagram applies,
				  diagram live)
{
	unsigned first = run_free_variables(run, kind, key, width, name);
	diagram bits[64];

	if (first == 0)
		return run_doubtful(run, live, "more unknowns than this model keeps apart");
	for (unsigned i = 0; i < width; i++)
		bits[i] = diagram_variable(run->space, first + i);
	if (!run_store_number(run, reg, bits, width, true))
		return unloadable(run, live);
	return run_go(applies);
}

/* What expressions see of the family: 4 and 6 are told apart by the packet, others by the table. */
static struct run_step load_family(struct run *run, uint8_t reg, diagram live)
{
	enum ruleset_family family = run->table->family;
	diagram bits[8] = {0};

	if (family == RULESET_INET || family == RULESET_IPV4 || family == RULESET_IPV6) {
		diagram ipv6 = space_ipv6(run->space);

		/* 2 is 00000010, 10 is 00001010 */
		bits[4] = ipv6;
		bits[6] = DIAGRAM_TRUE;
		if (!run_store_number(run, reg, bits, 8, true))
			return unloadable(run, live);
		return run_go(DIAGRAM_TRUE);
	}
	return store_number(run, reg, (uint32_t)family, 8, live);
}

/* Where there is no such device, the kernel gives index 0 and an empty name; only the type breaks
 * off the rule. A packet that was given another destination gets another device after the hook. */
static struct run_step load_device(struct run *run, const struct ruleset_expression *e,
				   diagram live)
{
	uint32_t key = e->meta.key;
	bool in = key == NFT_META_IIF || key == NFT_META_IIFNAME || key == NFT_META_IIFTYPE;
	bool exists = in ? run_arrives(run->hook) : run_leaves(run->hook);
	uint8_t nameless[16] = {0};
	diagram moved = DIAGRAM_FALSE;
	struct run_step step;

	if (in && (run->hook == RUN_POSTROUTING || run->hook == RUN_FORWARD))
		return run_doubtful(run, live, "the device by which a packet came that is sent on");
	if (run->hook == RUN_POSTROUTING)
		moved = diagram_and(run->space, live, run->readdressed);
	live = diagram_minus(run->space, live, moved);
	if (key == NFT_META_IIFTYPE || key == NFT_META_OIFTYPE)
		step = store_field(run, e->meta.reg, SPACE_DEVICE_TYPE, true,
				   exists ? DIAGRAM_TRUE : DIAGRAM_FALSE, live);
	else if (!exists && (key == NFT_META_IIF || key == NFT_META_OIF))
		step = store_number(run, e->meta.reg, 0, 32, live);
	else if (!exists)
		step = run_store_constant(run, e->meta.reg, nameless, sizeof(nameless))
			   ? run_go(DIAGRAM_TRUE)
			   : unloadable(run, live);
	else if (key == NFT_META_IIF || key == NFT_META_OIF)
		step = store_field(run, e->meta.reg, SPACE_DEVICE_INDEX, true, DIAGRAM_TRUE, live);
	else
		step = store_field(run, e->meta.reg, SPACE_DEVICE_NAME, false, DIAGRAM_TRUE, live);
	if (moved != DIAGRAM_FALSE) {
		struct run_step doubt = run_doubtful(
		    run, moved, "the device of a packet that got another destination");

		step.undecided = diagram_or(run->space, step.undecided, doubt.undecided);
		step.applies = diagram_minus(run->space, step.applies, moved);
	}
	return step;
}

/* From tproxy on, and after the early lookup between prerouting and input, an arriving packet may
 * belong to a socket; whose that is no packet says. */
static struct run_step owner_guard(struct run *run, diagram live, diagram *ret_owned)
{
	diagram foreign = DIAGRAM_FALSE;

	if (run->hook == RUN_INPUT)
		foreign = diagram_not(run->space,
				      space_is(run->space, SPACE_SOCKET, PACKET_SOCKET_NONE));
	for (size_t i = 0; run_arrives(run->hook) && i < run->proxy_count; i++)
		foreign = diagram_or(run->space, foreign, run->proxies[i].packets);
	*ret_owned = run_arrives(run->hook) ? DIAGRAM_FALSE : space_flag(run->space, SPACE_OWNED);
	foreign = diagram_and(run->space, foreign, live);
	if (foreign == DIAGRAM_FALSE)
		return run_go(DIAGRAM_TRUE);
	return run_doubtful(run, foreign, "a socket's user is asked for an arriving packet");
}

static struct run_step load_owner(struct run *run, const struct ruleset_expression *e,
				  diagram live)
{
	diagram owned;
	struct run_step guard = owner_guard(run, live, &owned), step;

	live = diagram_minus(run->space, live, guard.undecided);
	if (e->meta.key == NFT_META_SKUID)
		step = store_field(run, e->meta.reg, SPACE_UID, true, owned, live);
	else
		step = store_free(run, e->meta.reg, RUN_FREE_META, e->meta.key, 32,
				  e->meta.key == NFT_META_SKGID ? "the socket's group"
								: "the socket's control group",
				  owned, live);
	step.undecided = diagram_or(run->space, step.undecided, guard.undecided);
	return step;
}

/* Has the packet a route? The loopback device hands it on with the packet. */
static diagram has_route(struct run *run)
{
	switch (run->hook) {
	case RUN_EGRESS:
		return space_flag(run->space, SPACE_ROUTED);
	case RUN_INGRESS:
	case RUN_PREROUTING:
		return space_flag(run->space, SPACE_LOOPBACK);
	case RUN_INPUT:
	case RUN_FORWARD:
	case RUN_OUTPUT:
	case RUN_POSTROUTING:
		break;
	}
	return DIAGRAM_TRUE;
}

static struct run_step load_rest(struct run *run, const struct ruleset_expression *e, diagram live)
{
	uint8_t reg = e->meta.reg;

	switch (e->meta.key) {
	case NFT_META_LEN:
		return store_free(run, reg, RUN_FREE_META, e->meta.key, 32, "the packet's length",
				  DIAGRAM_TRUE, live);
	case NFT_META_PRIORITY:
		return store_free(run, reg, RUN_FREE_META, e->meta.key, 32, "the packet's priority",
				  DIAGRAM_TRUE, live);
	case NFT_META_CPU:
		return store_free(run, reg, RUN_FREE_META, e->meta.key, 32, "the processor",
				  DIAGRAM_TRUE, live);
	case NFT_META_IIFGROUP:
		return store_free(run, reg, RUN_FREE_META, e->meta.key, 32, "the device's group",
				  run_arrives(run->hook) ? DIAGRAM_TRUE : DIAGRAM_FALSE, live);
	case NFT_META_OIFGROUP:
		return store_free(run, reg, RUN_FREE_META, e->meta.key, 32, "the device's group",
				  run_leaves(run->hook) ? DIAGRAM_TRUE : DIAGRAM_FALSE, live);
	case NFT_META_PRANDOM:
		return store_free(run, reg, RUN_FREE_NUMBER,
				  (uint32_t)(e - run->rule->expressions), 32, "a random number",
				  DIAGRAM_TRUE, live);
	case NFT_META_TIME_NS:
		return store_free(run, reg, RUN_FREE_META, e->meta.key, 64, "the time",
				  DIAGRAM_TRUE, live);
	case NFT_META_TIME_DAY:
		return store_free(run, reg, RUN_FREE_META, e->meta.key, 8, "the day of the week",
				  DIAGRAM_TRUE, live);
	case NFT_META_TIME_HOUR:
		return store_free(run, reg, RUN_FREE_META, e->meta.key, 32, "the time of day",
				  DIAGRAM_TRUE, live);
	default:
		return run_doubtful(run, live, "a meta key that this model does not know");
	}
}

struct run_step run_load_meta(struct run *run, const struct ruleset_expression *e, diagram live)
{
	uint8_t reg = e->meta.reg;

	switch (e->meta.key) {
	case NFT_META_NFPROTO:
		return load_family(run, reg, live);
	case NFT_META_L4PROTO:
		return store_field(run, reg, SPACE_PROTOCOL, true,
				   space_flag(run->space, SPACE_VALID), live);
	case NFT_META_PROTOCOL:
		return store_field(run, reg, SPACE_ETHERTYPE, false, DIAGRAM_TRUE, live);
	case NFT_META_IIF:
	case NFT_META_OIF:
	case NFT_META_IIFNAME:
	case NFT_META_OIFNAME:
	case NFT_META_IIFTYPE:
	case NFT_META_OIFTYPE:
		return load_device(run, e, live);
	case NFT_META_SKUID:
	case NFT_META_SKGID:
	case NFT_META_CGROUP:
		return load_owner(run, e, live);
	case NFT_META_MARK:
		return run_store_number(run, reg, run->mark, 32, true) ? run_go(DIAGRAM_TRUE)
								       : unloadable(run, live);
	case NFT_META_RTCLASSID: /* the administrator's realm; no route, no number */
		return store_free(run, reg, RUN_FREE_META, e->meta.key, 32, "the route's realm",
				  has_route(run), live);
	default:
		return load_rest(run, e, live);
	}
}

/* Protocols for which the kernel looks for a socket; of ICMP, only errors name one. */
static diagram can_have_socket(struct run *run)
{
	static const uint8_t errors[] = {3, 4, 5, 11, 12};
	struct diagram_space *space = run->space;
	diagram type4 = DIAGRAM_FALSE, type6, result;

	for (size_t i = 0; i < ARRAY_SIZE(errors); i++)
		type4 = diagram_or(space, type4,
				   space_between(space, SPACE_SOURCE_PORT, (uint64_t)errors[i] << 8,
						 (uint64_t)errors[i] << 8 | 0xff));
	type6 = space_between(space, SPACE_SOURCE_PORT, 0, 0x7fff);
	type4 = diagram_and(space, type4, space_is(space, SPACE_PROTOCOL, IPPROTO_ICMP));
	type4 = diagram_and(space, type4, space_ipv4(space));
	type6 = diagram_and(space, type6, space_is(space, SPACE_PROTOCOL, IPPROTO_ICMPV6));
	type6 = diagram_and(space, type6, space_ipv6(space));
	result = diagram_or(space, space_is(space, SPACE_PROTOCOL, IPPROTO_TCP),
			    space_is(space, SPACE_PROTOCOL, IPPROTO_UDP));
	result = diagram_or(space, result, diagram_or(space, type4, type6));
	return diagram_and(space, result, space_flag(space, SPACE_VALID));
}

struct run_step run_load_socket(struct run *run, const struct ruleset_expression *e, diagram live)
{
	diagram found, bits[8] = {0};

	if (run->hook != RUN_PREROUTING && run->hook != RUN_INPUT)
		return run_doubtful(run, live, "a socket is looked for where no packet arrives");
	if (e->socket.key == NFT_SOCKET_TRANSPARENT)
		bits[7] = space_is(run->space, SPACE_SOCKET, PACKET_SOCKET_TRANSPARENT);
	else if (e->socket.key == NFT_SOCKET_WILDCARD)
		bits[7] = space_is(run->space, SPACE_SOCKET, PACKET_SOCKET_WILDCARD);
	else
		return run_doubtful(run, live, "a property of sockets that is not known");
	if (!run_store_number(run, e->socket.reg, bits, 8, true))
		return unloadable(run, live);
	found = diagram_not(run->space, space_is(run->space, SPACE_SOCKET, PACKET_SOCKET_NONE));
	return run_go(diagram_and(run->space, found, can_have_socket(run)));
}

/* ---- connection tracking ---- */

/* Bits of `ct state`: NF_CT_STATE_INVALID_BIT and its like. */
#define STATE_INVALID	  0
#define STATE_ESTABLISHED 1
#define STATE_RELATED	  2
#define STATE_NEW	  3
#define STATE_UNTRACKED	  6

/* Has connection tracking seen the packet when this chain is called? It sits at priority -200. */
static bool is_tracked_here(const struct run *run)
{
	if (run->hook == RUN_PREROUTING || run->hook == RUN_OUTPUT)
		return run->base->priority > NF_IP_PRI_CONNTRACK;
	return run->hook != RUN_INGRESS;
}

static struct run_step load_state(struct run *run, uint8_t reg, diagram live)
{
	static const struct {
		unsigned bit;
		enum space_connection connection;
	} states[] = {
	    {STATE_ESTABLISHED, SPACE_ESTABLISHED},
	    {STATE_RELATED, SPACE_RELATED},
	    {STATE_NEW, SPACE_NEW},
	};
	struct diagram_space *space = run->space;
	diagram bits[32] = {0}, untracked, seen;

	seen = is_tracked_here(run) ? DIAGRAM_TRUE : DIAGRAM_FALSE;
	untracked = diagram_and(space, seen, space_is(space, SPACE_CONNECTION, SPACE_UNTRACKED));
	untracked = diagram_or(space, untracked, run->untracked);
	bits[31 - STATE_UNTRACKED] = untracked;
	bits[31 - STATE_INVALID] = diagram_not(space, untracked);
	for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
		diagram is = space_is(space, SPACE_CONNECTION, states[i].connection);

		is = diagram_minus(space, diagram_and(space, seen, is), untracked);
		bits[31 - states[i].bit] = is;
		bits[31 - STATE_INVALID] = diagram_minus(space, bits[31 - STATE_INVALID], is);
	}
	if (!run_store_number(run, reg, bits, 32, true))
		return unloadable(run, live);
	return run_go(DIAGRAM_TRUE);
}

/* Packets that belong to a connection: only these have its other properties. */
static diagram has_connection(struct run *run)
{
	struct diagram_space *space = run->space;

	if (!is_tracked_here(run))
		return DIAGRAM_FALSE;
	return diagram_minus(space, space_between(space, SPACE_CONNECTION, SPACE_NEW, SPACE_RELATED),
			     run->untracked);
}

struct run_step run_load_connection(struct run *run, const struct ruleset_expression *e,
				    diagram live)
{
	diagram bits[8] = {0};

	run->asks_connections = true;
	if (run->hook == RUN_EGRESS)
		return run_doubtful(run, live, "a connection is asked for on the way to a device");
	/* On loopback a packet that arrives still has what tracking made of it when it left. */
	if (run->hook == RUN_PREROUTING && !is_tracked_here(run))
		return run_doubtful(run, live, "a connection is asked for before it is looked up");
	switch (e->connection.key) {
	case NFT_CT_STATE:
		return load_state(run, e->connection.reg, live);
	case NFT_CT_DIRECTION:
		bits[7] = space_flag(run->space, SPACE_REPLY);
		if (!run_store_number(run, e->connection.reg, bits, 8, true))
			return unloadable(run, live);
		return run_go(has_connection(run));
	case NFT_CT_MARK:
		return store_free(run, e->connection.reg, RUN_FREE_CT, e->connection.key, 32,
				  "the connection's mark", has_connection(run), live);
	case NFT_CT_STATUS:
		return store_free(run, e->connection.reg, RUN_FREE_CT, e->connection.key, 32,
				  "the connection's status", has_connection(run), live);
	default:
		return run_doubtful(run, live, "a property of connections that is not known");
	}
}

struct run_step run_load_number(struct run *run, const struct ruleset_expression *e, diagram live)
{
	unsigned first = run_free_variables(run, RUN_FREE_NUMBER,
					    (uint32_t)(e - run->rule->expressions), 32,
					    "a generated number");
	uint64_t last = (uint64_t)e->number.offset + e->number.modulus;
	unsigned variables[32];
	uint8_t low[4], high[4];
	diagram bits[32];

	if (first == 0 || e->number.modulus == 0 || last - 1 > UINT32_MAX)
		return run_doubtful(run, live, "a generated number");
	for (unsigned i = 0; i < 32; i++) {
		variables[i] = first + i;
		bits[i] = diagram_variable(run->space, first + i);
	}
	for (size_t i = 0; i < 4; i++) {
		low[i] = (uint8_t)(e->number.offset >> (24 - 8 * i));
		high[i] = (uint8_t)((last - 1) >> (24 - 8 * i));
	}
	run->assume = diagram_and(run->space, run->assume,
				  diagram_range(run->space, variables, 32, low, high));
	if (!run_store_number(run, e->number.reg, bits, 32, true))
		return unloadable(run, live);
	return run_go(DIAGRAM_TRUE);
}

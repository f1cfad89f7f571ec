/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What connection tracking can have made of a packet. "Established" is no property that anybody can
 * choose: a packet opened the connection, with the same addresses and ports, and was let pass. So
 * the answer to "who passes as established" comes from the answer to "who passes as new".
 */
#include "model.h"

#include <netinet/in.h>
#include <string.h>

#define FLAG_FIN 0x01
#define FLAG_SYN 0x02
#define FLAG_RST 0x04
#define FLAG_ACK 0x10

static diagram flag(struct diagram_space *space, unsigned mask)
{
	unsigned bit = 0;

	while (mask >> (7 - bit) != 1)
		bit++;
	return diagram_variable(space, space_first(SPACE_FLAGS) + bit);
}

/* TCP segments that tracking takes for an opening: SYN alone, and, because it picks up connections
 * that it finds running, ACK without SYN, FIN or RST (tcp_conntracks, state "none"). */
static diagram opening_segments(struct diagram_space *space)
{
	diagram syn = flag(space, FLAG_SYN), ack = flag(space, FLAG_ACK);
	diagram opens = diagram_minus(space, syn, ack), runs = diagram_minus(space, ack, syn);

	runs = diagram_minus(space, runs, flag(space, FLAG_FIN));
	return diagram_minus(space, diagram_or(space, opens, runs), flag(space, FLAG_RST));
}

static diagram icmp_between(struct diagram_space *space, uint8_t protocol, unsigned low,
			    unsigned high)
{
	diagram is = space_between(space, SPACE_SOURCE_PORT, (uint64_t)low << 8,
				   (uint64_t)high << 8 | 0xff);

	return diagram_and(space, is, space_is(space, SPACE_PROTOCOL, protocol));
}

static diagram icmp_errors(struct diagram_space *space)
{
	static const uint8_t types[] = {3, 4, 5, 11, 12};
	diagram errors = icmp_between(space, IPPROTO_ICMPV6, 0, 127);

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		errors = diagram_or(space, errors,
				    icmp_between(space, IPPROTO_ICMP, types[i], types[i]));
	return errors;
}

static diagram icmp_questions(struct diagram_space *space)
{
	static const uint8_t types[] = {8, 13, 15, 17};
	diagram questions = icmp_between(space, IPPROTO_ICMPV6, 128, 128);

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		questions = diagram_or(space, questions,
				       icmp_between(space, IPPROTO_ICMP, types[i], types[i]));
	return questions;
}

static diagram is_icmp(struct diagram_space *space)
{
	return diagram_or(space, space_is(space, SPACE_PROTOCOL, IPPROTO_ICMP),
			  space_is(space, SPACE_PROTOCOL, IPPROTO_ICMPV6));
}

static diagram connection(struct diagram_space *space, enum space_connection is)
{
	return space_is(space, SPACE_CONNECTION, is);
}

/* Only what does not belong to the tuple is forgotten: who sent it, flags, marks... */
static diagram tuples_of(struct diagram_space *space, diagram packets)
{
	static const enum space_field kept[] = {
	    SPACE_LOOPBACK, SPACE_ETHERTYPE, SPACE_PROTOCOL, SPACE_DESTINATION_PORT,
	    SPACE_DESTINATION4, SPACE_SOURCE_PORT, SPACE_SOURCE4, SPACE_NETWORK_REST,
	};

	for (int field = 0; field < SPACE_FIELDS; field++) {
		bool keep = false;

		for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
			keep |= kept[i] == (enum space_field)field;
		/* The link's ethertype lies between the label's bits; no rule of these paths reads it. */
		if (!keep && field != SPACE_LINK_ETHERTYPE)
			packets = diagram_exists(space, packets, space_first((enum space_field)field),
						 space_first((enum space_field)field) +
						     space_width((enum space_field)field) - 1);
	}
	return diagram_exists(space, packets, SPACE_FREE, DIAGRAM_VARIABLES - 1);
}

static diagram exchange(struct diagram_space *space, diagram a, unsigned one, unsigned other,
			unsigned width)
{
	a = diagram_rename(space, a, one, MODEL_SPARE, width);
	a = diagram_rename(space, a, other, one, width);
	return diagram_rename(space, a, MODEL_SPARE, other, width);
}

/* The two families have their addresses in different, overlapping places. */
static diagram mirrored(struct diagram_space *space, diagram tuples)
{
	diagram four = diagram_and(space, tuples, space_ipv4(space));
	diagram six = diagram_minus(space, tuples, four);

	four = exchange(space, four, space_first(SPACE_SOURCE4), space_first(SPACE_DESTINATION4),
			32);
	for (unsigned i = 0; i < 128; i++)
		six = exchange(space, six, space_network_bit(8 + i / 8, i % 8),
			       space_network_bit(24 + i / 8, i % 8), 1);
	return exchange(space, diagram_or(space, four, six), space_first(SPACE_SOURCE_PORT),
			space_first(SPACE_DESTINATION_PORT), 16);
}

/* Connections of ICMP are told by type and identifier, which do not mirror; their answers are kept
 * possible wherever a question was let pass. */
static diagram flows_of(struct model *model)
{
	struct diagram_space *space = model->space;
	diagram flows = DIAGRAM_FALSE;

	for (int path = PACKET_OUTPUT; path < MODEL_PATHS; path++) {
		const struct judgement *judgement = &model->judgements[path];
		diagram passed;

		if (path == PACKET_FRAME)
			continue;
		passed = diagram_or(space, judgement->outcomes[JUDGEMENT_ACCEPT],
				    judgement->outcomes[JUDGEMENT_PROXY]);
		passed = diagram_or(space, passed, judgement->outcomes[JUDGEMENT_REWRITTEN]);
		passed = diagram_and(space, passed, model->universes[path]);
		passed = diagram_and(space, passed, connection(space, SPACE_NEW));
		flows = diagram_or(space, flows, tuples_of(space, passed));
	}
	return flows;
}

static diagram possible_new(struct diagram_space *space)
{
	diagram possible = diagram_choose(space, space_is(space, SPACE_PROTOCOL, IPPROTO_TCP),
					  opening_segments(space), DIAGRAM_TRUE);

	possible = diagram_choose(space, is_icmp(space), icmp_questions(space), possible);
	return diagram_minus(space, possible, space_flag(space, SPACE_REPLY));
}

void track_narrow(struct model *model)
{
	struct diagram_space *space = model->space;
	diagram possible, flows, sometimes;
	bool asked = false;

	for (int path = PACKET_OUTPUT; path < MODEL_PATHS; path++)
		asked |= model->runs[path]->asks_connections;
	if (!asked)
		return;
	possible = diagram_or(space, connection(space, SPACE_INVALID),
			      diagram_and(space, connection(space, SPACE_NEW), possible_new(space)));
	/* Only TCP and ICMP know a packet that fits nowhere. */
	sometimes = diagram_or(space, is_icmp(space), space_is(space, SPACE_PROTOCOL, IPPROTO_TCP));
	possible = diagram_minus(space, possible,
				 diagram_minus(space, connection(space, SPACE_INVALID), sometimes));
	possible = diagram_or(space, possible,
			      diagram_and(space, connection(space, SPACE_RELATED),
					  icmp_errors(space)));
	/* The kernel leaves the neighbourhood's own messages alone. */
	possible = diagram_or(space, possible,
			      diagram_and(space, connection(space, SPACE_UNTRACKED),
					  icmp_between(space, IPPROTO_ICMPV6, 130, 143)));
	for (int path = PACKET_OUTPUT; path < MODEL_PATHS; path++)
		if (path != PACKET_FRAME)
			model->universes[path] = diagram_and(
			    space, model->universes[path],
			    diagram_or(space, possible, connection(space, SPACE_ESTABLISHED)));
	flows = flows_of(model);
	flows = diagram_choose(space, space_flag(space, SPACE_REPLY), mirrored(space, flows), flows);
	flows = diagram_or(space, flows,
			   diagram_and(space, is_icmp(space), flows != DIAGRAM_FALSE ? DIAGRAM_TRUE
										     : DIAGRAM_FALSE));
	flows = diagram_or(space, flows,
			   diagram_not(space, connection(space, SPACE_ESTABLISHED)));
	for (int path = PACKET_OUTPUT; path < MODEL_PATHS; path++)
		if (path != PACKET_FRAME)
			model->universes[path] =
			    diagram_and(space, model->universes[path], flows);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* When a dynamic set is the memory of what was asked. See model.h. */
#include "model.h"

#include <netinet/in.h>
#include <string.h>

#define ECHO_REQUEST 8
#define ECHO_REPLY   0

#define TIMEOUT_LEAST_MS 1000
#define TIMEOUT_MOST_MS	 (10 * 60 * 1000)

static diagram icmp_type(struct diagram_space *space, uint8_t type)
{
	diagram is = space_between(space, SPACE_SOURCE_PORT, (uint64_t)type << 8,
				   (uint64_t)type << 8 | 0xff);

	return diagram_and(space, is, space_is(space, SPACE_PROTOCOL, IPPROTO_ICMP));
}

diagram answers_questions(struct diagram_space *space, enum answers_kind kind)
{
	diagram questions, nobody;

	questions = kind == ANSWERS_UDP ? space_is(space, SPACE_PROTOCOL, IPPROTO_UDP)
					: icmp_type(space, ECHO_REQUEST);
	questions = diagram_and(space, questions, space_ipv4(space));
	questions = diagram_minus(space, questions, space_flag(space, SPACE_LOOPBACK));
	/* An answer has a sender: one host, not a group, not everybody, not nobody, not this one. */
	nobody = space_between(space, SPACE_DESTINATION4, 0xe0000000, 0xffffffff);
	nobody = diagram_or(space, nobody, space_between(space, SPACE_DESTINATION4, 0, 0x00ffffff));
	nobody = diagram_or(space, nobody,
			    space_between(space, SPACE_DESTINATION4, 0x7f000000, 0x7fffffff));
	return diagram_minus(space, questions, nobody);
}

static bool writes_well(const struct run_memory *write)
{
	const struct ruleset_set *set = write->set;
	uint64_t timeout = write->timeout_ms ? write->timeout_ms : set->timeout_ms;

	if (!set->timeout || timeout < TIMEOUT_LEAST_MS || timeout > TIMEOUT_MOST_MS)
		return false;
	/* What was put there by hand, for longer than the rules would. */
	if (set->longest_ms > timeout)
		return false;
	for (size_t i = 0; i < write->rule->count; i++) {
		const struct ruleset_expression *e = &write->rule->expressions[i];

		/* Without a refresh a lasting exchange would end with its first element. */
		if (e->kind == RULESET_DYNSET && !e->dynset.update)
			return false;
	}
	return true;
}

enum answers_kind answers_kind_of(struct run *output, diagram universe,
				  const struct ruleset_set *set, diagram *ret_written)
{
	struct diagram_space *space = output->space;
	diagram written = DIAGRAM_FALSE;

	for (size_t i = 0; i < output->write_count; i++) {
		if (output->writes[i].set != set)
			continue;
		if (!writes_well(&output->writes[i]))
			return ANSWERS_NONE;
		written = diagram_or(space, written,
				     diagram_and(space, output->writes[i].packets, universe));
	}
	*ret_written = written;
	if (written == DIAGRAM_FALSE)
		return ANSWERS_NONE;
	if (diagram_minus(space, written, space_is(space, SPACE_PROTOCOL, IPPROTO_UDP)) ==
	    DIAGRAM_FALSE)
		return ANSWERS_UDP;
	if (diagram_minus(space, written, icmp_type(space, ECHO_REQUEST)) == DIAGRAM_FALSE)
		return ANSWERS_ECHO;
	return ANSWERS_NONE;
}

/* The variable that has in an answer the place that @variable has in its question; 0: none. */
static unsigned answering(unsigned variable)
{
	static const enum space_field pairs[][2] = {
	    {SPACE_DESTINATION4, SPACE_SOURCE4},
	    {SPACE_SOURCE4, SPACE_DESTINATION4},
	    {SPACE_DESTINATION_PORT, SPACE_SOURCE_PORT},
	    {SPACE_SOURCE_PORT, SPACE_DESTINATION_PORT},
	    {SPACE_ICMP_ID, SPACE_ICMP_ID},
	};

	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		unsigned first = space_first(pairs[i][0]);

		if (variable >= first && variable < first + space_width(pairs[i][0]))
			return space_first(pairs[i][1]) + (variable - first);
	}
	return 0;
}

/* How many of the key's bits are bits of @field. */
static unsigned bits_of(const struct run_memory *write, struct diagram_space *space,
			enum space_field field)
{
	unsigned count = 0, first = space_first(field), width = space_width(field);

	for (size_t i = 0; i < write->key_len * 8; i++)
		for (unsigned k = 0; k < width; k++)
			count += write->key[i] == diagram_variable(space, first + k);
	return count;
}

/* The same key, with source and destination exchanged? */
static bool mirrors(struct diagram_space *space, const struct run_memory *write,
		    const struct run_memory *question)
{
	if (write->key_len != question->key_len)
		return false;
	for (size_t i = 0; i < write->key_len * 8; i++) {
		unsigned mirrored;

		if (write->key[i] <= DIAGRAM_TRUE) {
			if (question->key[i] != write->key[i])
				return false;
			continue;
		}
		mirrored = answering(diagram_top(space, write->key[i]));
		if (write->key[i] != diagram_variable(space, diagram_top(space, write->key[i])) ||
		    mirrored == 0 || question->key[i] != diagram_variable(space, mirrored))
			return false;
	}
	return true;
}

bool answers_expected(const struct run *run, const struct run_memory *question,
		      diagram *ret_packets, void *data)
{
	struct model *model = data;
	struct run *output = model->runs[PACKET_OUTPUT];
	struct diagram_space *space = run->space;
	enum answers_kind kind;
	diagram written, packets;

	kind = answers_kind_of(output, model->universes[PACKET_OUTPUT], question->set, &written);
	if (kind == ANSWERS_NONE)
		return false;
	for (size_t i = 0; i < output->write_count; i++) {
		const struct run_memory *write = &output->writes[i];

		if (write->set != question->set)
			continue;
		if (!mirrors(space, write, question) ||
		    bits_of(write, space, SPACE_DESTINATION4) != 32 ||
		    bits_of(write, space,
			    kind == ANSWERS_UDP ? SPACE_SOURCE_PORT : SPACE_ICMP_ID) != 16)
			return false;
	}
	packets = kind == ANSWERS_UDP ? space_is(space, SPACE_PROTOCOL, IPPROTO_UDP)
				      : icmp_type(space, ECHO_REPLY);
	packets = diagram_and(space, packets, space_ipv4(space));
	*ret_packets = diagram_minus(space, packets, space_flag(space, SPACE_LOOPBACK));
	return true;
}

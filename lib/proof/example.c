/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One packet out of many: the most ordinary there is, and who decides about it. */
#include "difference.h"

#include <netinet/in.h>
#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <string.h>

#define WORDS (DIAGRAM_VARIABLES / 64)

#define ECHO_REQUEST 8

static bool asked(const uint64_t *marks, unsigned variable)
{
	return marks[variable / 64] >> (variable % 64) & 1;
}

static bool asked_field(const uint64_t *marks, enum space_field field)
{
	unsigned first = space_first(field);

	for (unsigned i = 0; i < space_width(field); i++)
		if (asked(marks, first + i))
			return true;
	return false;
}

/* Wishes that are granted one after the other, as long as a packet is left. */
static diagram prefer(struct diagram_space *space, diagram packets, diagram wish)
{
	diagram better = diagram_and(space, packets, wish);

	return better != DIAGRAM_FALSE ? better : packets;
}

/* To 127.0.0.1 if on loopback; an echo if ICMP. */
static diagram familiar(struct diagram_space *space)
{
	diagram home = space_is(space, SPACE_DESTINATION4, INADDR_LOOPBACK);
	diagram icmp = space_is(space, SPACE_PROTOCOL, IPPROTO_ICMP);
	diagram echo = space_is(space, SPACE_SOURCE_PORT, (uint64_t)ECHO_REQUEST << 8);

	home = diagram_or(space, home, diagram_not(space, space_flag(space, SPACE_LOOPBACK)));
	return diagram_and(space, home, diagram_or(space, echo, diagram_not(space, icmp)));
}

/* A raw socket's owner may write a header of any version and length; struct packet has no word for
 * one that is not IPv4's. */
#define IPV4_FIRST_LOW	0x45
#define IPV4_FIRST_HIGH 0x4f
static diagram sayable_header(struct diagram_space *space)
{
	diagram plain = space_between(space, SPACE_VERSION_IHL, IPV4_FIRST_LOW, IPV4_FIRST_HIGH);

	return diagram_or(space, plain, diagram_not(space, space_ipv4(space)));
}

static void number(struct buf *out, const char *name, uint64_t value)
{
	buf_printf(out, "%s%s %llu", out->len ? ", " : "", name, (unsigned long long)value);
}

static const char *const connection_names[] = {
    [SPACE_INVALID] = "of no connection, by connection tracking",
    [SPACE_NEW] = "opening a connection, by connection tracking",
    [SPACE_ESTABLISHED] = "of an established connection",
    [SPACE_RELATED] = "related to a connection",
    [SPACE_UNTRACKED] = "not tracked",
};

static uint64_t free_value(const struct run_free *one, const uint64_t *values)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < one->width && i < 64; i++)
		value = value << 1 | asked(values, one->first + i);
	return value;
}

/* What must hold beside the packet's own fields, for people. */
static void tell_circumstances(const struct run *run, const uint64_t *values,
			       const uint64_t *marks, struct buf *out)
{
	if (asked_field(marks, SPACE_MARK))
		number(out, "mark", space_get(values, SPACE_MARK));
	if (space_get(values, SPACE_VALID) && asked_field(marks, SPACE_TRANSPORT_LEN) &&
	    space_get(values, SPACE_TRANSPORT_LEN) < 20)
		number(out, "bytes after the IP header:", space_get(values, SPACE_TRANSPORT_LEN));
	if (asked_field(marks, SPACE_DEVICE_TYPE) && !space_get(values, SPACE_LOOPBACK) &&
	    space_get(values, SPACE_DEVICE_TYPE) != ARPHRD_ETHER)
		number(out, "device of type", space_get(values, SPACE_DEVICE_TYPE));
	if (run->asks_connections) {
		uint64_t connection = space_get(values, SPACE_CONNECTION);

		if (connection < ARRAY_SIZE(connection_names))
			buf_printf(out, "%s%s", out->len ? ", " : "", connection_names[connection]);
	}
	for (size_t i = 0; i < run->free_count; i++) {
		const struct run_free *one = &run->free[i];
		bool any = false;

		for (unsigned k = 0; k < one->width; k++)
			any |= asked(marks, one->first + k);
		if (!any)
			continue;
		if (one->width > 1) {
			number(out, one->name, free_value(one, values));
			continue;
		}
		buf_printf(out, "%s%s: %s", out->len ? ", " : "", one->name,
			   free_value(one, values) ? "yes" : "no");
	}
}

/* The variables' values as a set of one packet. */
static diagram point_of(struct diagram_space *space, const uint64_t *values)
{
	diagram point = DIAGRAM_TRUE;

	for (unsigned v = DIAGRAM_VARIABLES; v-- > 0;) {
		diagram is = diagram_variable(space, v);

		point = asked(values, v) ? diagram_and(space, is, point)
					 : diagram_minus(space, point, is);
	}
	return point;
}

static bool asked_byte(const uint64_t *marks, unsigned at)
{
	for (unsigned bit = 0; bit < 8; bit++)
		if (asked(marks, space_network_bit(at, bit)))
			return true;
	return false;
}

/* A packet as a value has no room for every byte. Where what it shows is not itself one of @packets,
 * say what it is that it does not show. */
static void tell_unshown(struct diagram_space *space, diagram packets, const uint64_t *values,
			 const uint64_t *marks, const struct packet *packet, struct buf *out)
{
	uint64_t shown[WORDS];

	memcpy(shown, values, sizeof(shown));
	space_from_packet(packet, shown);
	/* The device is told beside the packet. */
	for (unsigned v = space_first(SPACE_DEVICE_TYPE); v < space_first(SPACE_CONNECTION); v++)
		shown[v / 64] ^= (shown[v / 64] ^ values[v / 64]) & (UINT64_C(1) << (v % 64));
	if (diagram_and(space, point_of(space, shown), packets) != DIAGRAM_FALSE)
		return;
	for (unsigned at = 0; at < SPACE_NETWORK_BYTES; at++)
		if (asked_byte(marks, at) &&
		    space_network_byte(shown, at) != space_network_byte(values, at))
			buf_printf(out, "%sbyte %u of the header is 0x%02x", out->len ? ", " : "",
				   at, space_network_byte(values, at));
	if (out->len == 0)
		buf_puts(out, "other bytes are not as usual");
}

static enum ruleset_outcome outcome_of(struct diagram_space *space,
				       const struct judgement *judgement, diagram point)
{
	static const enum ruleset_outcome outcomes[] = {
	    [JUDGEMENT_DROP] = RULESET_DROPPED,	      [JUDGEMENT_RESET] = RULESET_RESET,
	    [JUDGEMENT_UNREACHABLE] = RULESET_UNREACHABLE,
	    [JUDGEMENT_OTHER_ERROR] = RULESET_UNREACHABLE,
	    [JUDGEMENT_ACCEPT] = RULESET_PASSED,      [JUDGEMENT_PROXY] = RULESET_PROXIED,
	    [JUDGEMENT_REWRITTEN] = RULESET_PASSED,   [JUDGEMENT_UNDECIDED] = RULESET_UNDECIDED,
	};

	for (size_t i = 0; i < JUDGEMENT_OUTCOMES; i++)
		if (diagram_and(space, judgement->outcomes[i], point) != DIAGRAM_FALSE)
			return outcomes[i];
	return RULESET_UNDECIDED;
}

/* What the rules ask of their memory about one packet. */
struct asking {
	struct model *model;
	diagram point;
	bool remembered; /* what they sent made them expect it */
};

static bool asks(const struct run *run, const struct run_memory *question, diagram *ret_packets,
		 void *data)
{
	struct asking *asking = data;
	diagram packets;

	if (!answers_expected(run, question, &packets, asking->model))
		return false;
	if (diagram_and(run->space, asking->point, packets) != DIAGRAM_FALSE)
		asking->remembered = true;
	*ret_packets = packets;
	return true;
}

static bool was_asked(const struct run *run, diagram point)
{
	for (size_t i = 0; i < run->question_count; i++)
		if (diagram_and(run->space, run->questions[i].packets, point) != DIAGRAM_FALSE)
			return true;
	return false;
}

/* Run the rules once more, for this packet alone, to see which of them ends it. */
static int follow(struct model *model, enum packet_path path, const uint64_t *values,
		  struct proof_example *example, bool *ret_forgotten)
{
	struct diagram_space *space = model->space;
	struct run *old = model->runs[path], *run = calloc(1, sizeof(*run));
	struct asking asking = {.model = model, .point = point_of(space, values)};
	diagram point = asking.point;
	struct judgement judgement;
	int r;

	if (!run)
		return -ENOMEM;
	run_begin(run, space, model->ruleset, path, old->next_variable);
	/* The same unknowns, so that their values fit. */
	memcpy(run->free, old->free, sizeof(run->free));
	run->free_count = old->free_count;
	run->is_expected = old->is_expected ? asks : NULL;
	run->expected_data = &asking;
	run->point = point;
	r = run_all(run, &judgement);
	example->kernel = (struct ruleset_result){
	    .outcome = outcome_of(space, &model->judgements[path], point),
	    .table = run->last_table,
	    .chain = run->last_chain,
	    .rule = run->last_rule,
	    .proxy_port = model->judgements[path].proxy_port,
	};
	if (example->kernel.outcome != RULESET_PROXIED)
		example->kernel.proxy_port = 0;
	example->rewritten = diagram_and(space, model->judgements[path].outcomes[JUDGEMENT_REWRITTEN],
					 point) != DIAGRAM_FALSE;
	*ret_forgotten = !asking.remembered && was_asked(run, point);
	run_done(run);
	free(run);
	return r;
}

/* Policy and rules may do the same with a packet and still differ: in what is expected as its answer. */
static void tell_memory(const struct proof_example *example, bool forgotten, struct buf *out)
{
	bool passes = example->kernel.outcome == RULESET_PASSED ||
		      example->kernel.outcome == RULESET_PROXIED;
	const char *words = NULL;

	if (example->rewritten || !example->policy.reason)
		return;
	if (example->packet.path == PACKET_OUTPUT && policy_allows(&example->policy) == passes)
		words = passes ? "its answer is not expected by the rules"
			       : "its answer is expected by the rules";
	else if (example->packet.path == PACKET_INPUT && example->packet.expected && forgotten &&
		 !passes)
		words = "no rule remembers what it answers";
	if (words)
		buf_printf(out, "%s%s", out->len ? ", " : "", words);
}

int example_find(struct model *model, const struct policy *policy, enum packet_path path,
		 diagram packets, struct proof_result *result)
{
	struct diagram_space *space = model->space;
	uint64_t values[WORDS] = {0}, marks[WORDS] = {0};
	struct proof_example *example = &result->example;
	bool forgotten = false;
	int r;

	packets = prefer(space, packets, model->present);
	/* What has a route has passed the output hook, if that let it; a frame past the IP stack has
	 * passed nothing, so that it can be sent for sure. */
	if (path == PACKET_FRAME)
		packets = prefer(space, packets,
				 diagram_not(space, space_flag(space, SPACE_ROUTED)));
	packets = prefer(space, packets, space_complete(space));
	packets = prefer(space, packets, space_flag(space, SPACE_VALID));
	packets = prefer(space, packets,
			 diagram_not(space, space_later_fragment(space)));
	packets = prefer(space, packets, sayable_header(space));
	packets = prefer(space, packets,
			 diagram_not(space, diagram_or(space, space_options4(space),
						       space_extended6(space))));
	packets = prefer(space, packets, space_is(space, SPACE_CONNECTION, SPACE_NEW));
	packets = prefer(space, packets, familiar(space));
	space_wishes(path, values);
	if (!diagram_find(space, packets, values, marks))
		return -EINVAL;
	example->packet = space_packet(path, values);
	if (!space_get(values, SPACE_LOOPBACK))
		for (unsigned i = 0; i < sizeof(example->device) - 1; i++) {
			unsigned first = space_first(SPACE_DEVICE_NAME) + i * 8;
			unsigned byte = 0;

			for (unsigned k = 0; k < 8; k++)
				byte = byte << 1 | asked(values, first + k);
			example->device[i] = (char)byte;
		}
	tell_circumstances(model->runs[path], values, marks, &example->circumstances);
	tell_unshown(space, packets, values, marks, &example->packet, &example->circumstances);
	if (policy)
		example->policy = policy_evaluate(policy, &example->packet);
	r = follow(model, path, values, example, &forgotten);
	if (r == 0 && (result->fault == PROOF_LEAK || result->fault == PROOF_BLOCKS))
		tell_memory(example, forgotten, &example->circumstances);
	return r == 0 ? buf_finish(&example->circumstances) : r;
}

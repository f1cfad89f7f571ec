/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What rules read of a packet's bytes, and write. As net/netfilter/nft_payload.c does it: what is not
 * there breaks off the rule.
 */
#include "run.h"

#include <string.h>

/* Bytes of one header, as they are now, and for which packets they can be read at all. */
struct bytes {
	diagram bits[RULESET_DATA_MAX * 8];
	diagram applies, doubtful;
	const char *reason;
};

static void doubt(struct run *run, struct bytes *bytes, diagram packets, const char *reason)
{
	bytes->doubtful = diagram_or(run->space, bytes->doubtful, packets);
	if (packets != DIAGRAM_FALSE)
		bytes->reason = reason;
}

/* Where a device has no link header, some kernels break off the rule, and others read what is there:
 * the packet. Both must come to the same. */
static diagram has_link_header(struct run *run)
{
	unsigned first = run_free_variables(run, RUN_FREE_META, 0xfffffff1u, 1,
					    "bytes are read where the device has no link header");
	diagram bare = space_bare(run->space);

	if (first == 0)
		return diagram_not(run->space, bare);
	return diagram_not(run->space, diagram_minus(run->space, bare,
						     diagram_variable(run->space, first)));
}

static void read_link(struct run *run, uint32_t offset, uint32_t len, struct bytes *bytes)
{
	if (!run_arrives(run->hook) && run->hook != RUN_EGRESS) {
		doubt(run, bytes, DIAGRAM_TRUE, "a link header before there is one");
		return;
	}
	if (offset + len > SPACE_LINK_BYTES) {
		doubt(run, bytes, DIAGRAM_TRUE, "bytes behind the link header");
		return;
	}
	bytes->applies = has_link_header(run);
	for (uint32_t i = 0; i < len * 8; i++)
		bytes->bits[i] = diagram_variable(
		    run->space, space_link_bit(offset + i / 8, i % 8));
}

/* A byte behind the network header: of the transport header, if that follows at once. */
static diagram beyond_network(struct run *run, uint32_t at, uint32_t bit, struct bytes *bytes)
{
	struct diagram_space *space = run->space;
	diagram valid = space_flag(space, SPACE_VALID);
	diagram plain4 = diagram_minus(space, space_ipv4(space), space_options4(space));
	diagram plain6 = diagram_minus(space, space_ipv6(space), space_extended6(space));
	diagram value = DIAGRAM_FALSE, sure = DIAGRAM_FALSE;

	plain4 = diagram_and(space, plain4, valid);
	plain6 = diagram_and(space, plain6, valid);
	if (at < SPACE_NETWORK_BYTES) { /* neither: a raw frame's bytes, or IPv6's header */
		sure = diagram_minus(space, DIAGRAM_TRUE, diagram_and(space, space_ipv4(space), valid));
		value = diagram_and(space, sure, run->network[at * 8 + bit]);
	}
	if (at - 20 < SPACE_TRANSPORT_BYTES) {
		value = diagram_choose(space, plain4, run->transport[(at - 20) * 8 + bit], value);
		sure = diagram_or(space, sure, plain4);
	}
	if (at >= 40 && at - 40 < SPACE_TRANSPORT_BYTES) {
		value = diagram_choose(space, plain6, run->transport[(at - 40) * 8 + bit], value);
		sure = diagram_or(space, sure, plain6);
	}
	doubt(run, bytes, diagram_not(space, sure), "bytes behind the network header");
	return value;
}

/* Packets that have @needed bytes from the network header on. */
static diagram has_network(struct run *run, uint32_t needed)
{
	struct diagram_space *space = run->space;
	diagram valid = space_flag(space, SPACE_VALID), raw, four, six;

	/* Outside the IP stack only a frame that is no valid IP can be shorter than its header. */
	raw = needed > SPACE_LEN_MAX
		  ? DIAGRAM_FALSE
		  : space_between(space, SPACE_NETWORK_LEN, needed, SPACE_LEN_MAX);
	if (run->path != PACKET_FRAME)
		raw = DIAGRAM_TRUE;
	four = needed <= 20 ? DIAGRAM_TRUE
	       : needed - 20 > SPACE_LEN_MAX
		   ? DIAGRAM_FALSE
		   : space_between(space, SPACE_TRANSPORT_LEN, needed - 20, SPACE_LEN_MAX);
	six = needed <= 40 ? DIAGRAM_TRUE
	      : needed - 40 > SPACE_LEN_MAX
		  ? DIAGRAM_FALSE
		  : space_between(space, SPACE_TRANSPORT_LEN, needed - 40, SPACE_LEN_MAX);
	return diagram_choose(space, valid,
			      diagram_choose(space, space_ipv6(space), six, four), raw);
}

static void read_network(struct run *run, uint32_t offset, uint32_t len, struct bytes *bytes)
{
	bytes->applies = has_network(run, offset + len);
	for (uint32_t i = 0; i < len * 8; i++) {
		uint32_t at = offset + i / 8;

		bytes->bits[i] = at < 20 ? run->network[at * 8 + i % 8]
					 : beyond_network(run, at, i % 8, bytes);
	}
}

/* Kernels differ on whether a later fragment's payload is read in place of a transport header: both
 * must come to the same. */
static void read_transport(struct run *run, uint32_t offset, uint32_t len, struct bytes *bytes)
{
	struct diagram_space *space = run->space;
	diagram later = space_later_fragment(space), live;

	live = offset + len > SPACE_LEN_MAX
		   ? DIAGRAM_FALSE
		   : space_between(space, SPACE_TRANSPORT_LEN, offset + len, SPACE_LEN_MAX);
	live = diagram_and(space, live, space_flag(space, SPACE_VALID));
	if (offset + len > SPACE_TRANSPORT_BYTES) {
		doubt(run, bytes, space_is(space, SPACE_TRANSPORT_LEN, SPACE_LEN_MAX),
		      "bytes far behind the transport header");
		bytes->applies = DIAGRAM_FALSE;
		return;
	}
	if (run->path != PACKET_INPUT || run->hook == RUN_INGRESS) {
		unsigned first = run_free_variables(run, RUN_FREE_META, 0xfffffff0u, 1,
						    "a fragment's payload is read for a header");

		if (first == 0)
			doubt(run, bytes, later, "a later fragment is read for a transport header");
		else
			live = diagram_minus(
			    space, live,
			    diagram_minus(space, later, diagram_variable(space, first)));
	} else {
		live = diagram_minus(space, live, later);
	}
	bytes->applies = live;
	for (uint32_t i = 0; i < len * 8; i++)
		bytes->bits[i] = run->transport[(offset + i / 8) * 8 + i % 8];
}

static void bytes_read(struct run *run, enum ruleset_base base, uint32_t offset, uint32_t len,
		       struct bytes *bytes)
{
	*bytes = (struct bytes){.applies = DIAGRAM_TRUE};
	if (len == 0 || len > RULESET_DATA_MAX || offset > 256) {
		doubt(run, bytes, DIAGRAM_TRUE, "bytes too far inside the packet");
		return;
	}
	switch (base) {
	case RULESET_LINK:
		read_link(run, offset, len, bytes);
		return;
	case RULESET_NETWORK:
		read_network(run, offset, len, bytes);
		return;
	case RULESET_TRANSPORT:
		read_transport(run, offset, len, bytes);
		return;
	}
	doubt(run, bytes, DIAGRAM_TRUE, "an unknown part of the packet is read");
}

/* The step for @bytes: doubtful where that is so, the rest goes on. */
static struct run_step step_of(struct run *run, const struct bytes *bytes, diagram live)
{
	diagram doubtful = diagram_and(run->space, bytes->doubtful,
				       diagram_and(run->space, live, bytes->applies));
	struct run_step step = run_go(bytes->applies);

	/* What is asked for but not there breaks off the rule, whatever would have been read. */
	if (bytes->applies == DIAGRAM_FALSE)
		doubtful = diagram_and(run->space, bytes->doubtful, live);
	if (doubtful == DIAGRAM_FALSE)
		return step;
	step = run_doubtful(run, doubtful, bytes->reason);
	step.applies = diagram_minus(run->space, bytes->applies, doubtful);
	return step;
}

struct run_step run_load_payload(struct run *run, const struct ruleset_expression *e, diagram live)
{
	struct bytes bytes;

	bytes_read(run, e->payload.base, e->payload.offset, e->payload.len, &bytes);
	if (!run_store(run, e->payload.reg, bytes.bits, e->payload.len))
		return run_doubtful(run, live, "a value does not fit into the registers");
	return step_of(run, &bytes, live);
}

/* Write into the packet, as far as this model has the bytes; what is written elsewhere makes no
 * difference to a later rule that it would understand. */
struct run_step run_payload_set(struct run *run, const struct ruleset_expression *e, diagram live)
{
	uint32_t offset = e->payload_set.offset, len = e->payload_set.len;
	struct diagram_space *space = run->space;
	const diagram *value = len <= RULESET_DATA_MAX ? run_view(run, e->payload_set.reg, len) : NULL;
	struct bytes bytes;
	struct run_step step;
	diagram *header;
	size_t size;

	if (!value)
		return run_doubtful(run, live, "registers are used that the rule has not loaded");
	bytes_read(run, e->payload_set.base, offset, len, &bytes);
	step = step_of(run, &bytes, live);
	live = diagram_and(space, live, step.applies);
	header = e->payload_set.base == RULESET_NETWORK ? run->network : run->transport;
	size = e->payload_set.base == RULESET_NETWORK ? 20 : SPACE_TRANSPORT_BYTES;
	if (e->payload_set.base == RULESET_LINK)
		size = 0;
	for (uint32_t i = 0; i < len * 8; i++)
		if (offset + i / 8 < size)
			header[offset * 8 + i] =
			    diagram_choose(space, live, value[i], header[offset * 8 + i]);
	run->rewritten = diagram_or(space, run->rewritten, live);
	if (e->payload_set.base == RULESET_NETWORK)
		run->readdressed = diagram_or(space, run->readdressed, live);
	return step;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a new policy would change, as regions that a person can read.
 *
 * What passes before and after are two functions on each path; where they differ is cut into
 * regions (region_cover.c). Most of what output lets through is judged once more on its way to the
 * device, and again when it arrives by lo: a region of output that holds there, too, is told once.
 */
#include "region.h"

#include <netinet/in.h>
#include <string.h>

#include "difference.h"

#define ECHO_REQUEST 8

/* One kind of change on one path. */
struct change {
	diagram packets;          /* that are treated otherwise */
	struct region_task whole; /* the same as they look, where it is so whatever else holds */
	diagram part;             /* where that depends on what does not show */
};

struct path {
	struct region_view view;
	diagram care; /* packets that there can be */
	struct change changes[PROOF_CHANGES];
};

struct what_if {
	const struct proof_what_if *what;
	struct diagram_space *space;
	struct model model; /* of the kernel; empty if a policy is asked */
	struct path paths[MODEL_PATHS];
	size_t most;
	proof_region_fn *visit;
	void *data;
	struct proof_what_if_result result;
};

/* ---- where they differ ---- */

/* The judgement of what is there now. */
static int judge_before(struct what_if *w, enum packet_path path, struct judgement *ret)
{
	if (!w->what->kernel)
		return meaning_of(w->space, w->what->old, path, ret);
	*ret = w->model.judgements[path];
	return 0;
}

/* Something is remembered as asked that was not sent, or the other way round: then nothing is known
 * of the answers. */
static diagram unknown_answers(struct what_if *w)
{
	struct diagram_space *space = w->space;
	struct run *input = w->model.runs[PACKET_INPUT], *output = w->model.runs[PACKET_OUTPUT];
	diagram universe = w->paths[PACKET_OUTPUT].care, unknown = DIAGRAM_FALSE;
	diagram sent = difference_passes(space, &w->model.judgements[PACKET_OUTPUT]);

	sent = diagram_and(space, sent, universe);
	for (size_t i = 0; i < input->question_count; i++) {
		enum answers_kind kind;
		diagram written, packets, asked;

		if (!answers_expected(input, &input->questions[i], &packets, &w->model))
			continue;
		kind = answers_kind_of(output, w->model.universes[PACKET_OUTPUT],
				       input->questions[i].set, &written);
		asked = diagram_and(space, answers_questions(space, kind), universe);
		written = diagram_and(space, written, asked);
		if (written != diagram_and(space, asked, sent))
			unknown =
			    diagram_or(space, unknown,
				       diagram_and(space, packets, input->questions[i].packets));
	}
	return unknown;
}

static diagram other_proxy(struct diagram_space *space, const struct judgement *before,
			   const struct judgement *after)
{
	diagram a = before->outcomes[JUDGEMENT_PROXY], b = after->outcomes[JUDGEMENT_PROXY];

	return before->proxy_port == after->proxy_port ? diagram_xor(space, a, b)
						       : diagram_or(space, a, b);
}

static int differ(struct what_if *w, enum packet_path path)
{
	struct diagram_space *space = w->space;
	struct path *p = &w->paths[path];
	struct judgement before = {0}, after = {0};
	diagram passed, passes, unknown, both;
	int r = judge_before(w, path, &before);

	if (r == 0)
		r = meaning_of(space, w->what->new, path, &after);
	if (r < 0)
		return r;
	passed = difference_passes(space, &before);
	passes = difference_passes(space, &after);
	both = diagram_and(space, passed, passes);
	/* What is sent on changed has passed, too: something left. */
	passed = diagram_or(space, passed, before.outcomes[JUDGEMENT_REWRITTEN]);
	unknown = before.outcomes[JUDGEMENT_UNDECIDED];
	if (w->what->kernel && path == PACKET_INPUT) {
		unknown = diagram_or(space, unknown, difference_foreign_writes(&w->model));
		unknown = diagram_or(space, unknown, unknown_answers(w));
	}
	p->changes[PROOF_NEWLY_ALLOWED].packets = diagram_minus(space, passes, passed);
	p->changes[PROOF_NEWLY_DENIED].packets = diagram_minus(space, passed, passes);
	p->changes[PROOF_OTHER_PROXY].packets =
	    diagram_and(space, both, other_proxy(space, &before, &after));
	p->changes[PROOF_NOT_KNOWN].packets = unknown;
	for (int change = 0; change < PROOF_CHANGES; change++) {
		diagram *packets = &p->changes[change].packets;

		*packets = diagram_and(space, *packets, p->care);
		if (change != PROOF_NOT_KNOWN)
			*packets = diagram_minus(space, *packets, unknown);
	}
	return diagram_error(space);
}

/* The same as they look: whole where all packets that look like this are treated otherwise, in part
 * where some are. */
static void look(struct what_if *w, enum packet_path path)
{
	struct path *p = &w->paths[path];

	for (int i = 0; i < PROOF_CHANGES; i++) {
		struct change *change = &p->changes[i];
		diagram seen, others;

		if (change->packets == DIAGRAM_FALSE)
			continue;
		seen = region_view_of(&p->view, change->packets);
		others =
		    region_view_of(&p->view, diagram_minus(w->space, p->care, change->packets));
		change->whole.care = diagram_or(w->space, seen, others);
		change->whole.wanted = diagram_minus(w->space, seen, others);
		change->part = diagram_and(w->space, seen, others);
	}
}

static diagram possible(struct what_if *w, enum packet_path path,
			const struct proof_options *options)
{
	diagram care = space_complete(w->space);

	if (!w->what->kernel)
		return diagram_and(w->space, care, space_universe(w->space, path, NULL, 0));
	care = diagram_and(w->space, care, w->model.universes[path]);
	return options->device_count ? diagram_and(w->space, care, w->model.present) : care;
}

static int find_changes(struct what_if *w, const struct proof_options *options)
{
	int r = 0;

	for (int path = PACKET_OUTPUT; path < MODEL_PATHS; path++) {
		w->paths[path].care = possible(w, (enum packet_path)path, options);
		region_view_begin(&w->paths[path].view, w->space, (enum packet_path)path);
	}
	for (int path = PACKET_OUTPUT; path < MODEL_PATHS && r == 0; path++)
		r = differ(w, (enum packet_path)path);
	for (int path = PACKET_OUTPUT; path < MODEL_PATHS && r == 0; path++)
		look(w, (enum packet_path)path);
	return r < 0 ? r : diagram_error(w->space);
}

/* ---- telling each once ---- */

/* The region holds on @path as well: there it need not be told again. */
static bool holds_on(struct what_if *w, struct region *region, enum proof_change change,
		     enum packet_path path)
{
	struct region_view *view = &w->paths[path].view;
	struct region_task *task = &w->paths[path].changes[change].whole;
	diagram box = diagram_and(w->space, region_view_box(view, region), task->care);

	if (box == DIAGRAM_FALSE || diagram_minus(w->space, box, task->wanted) != DIAGRAM_FALSE)
		return false;
	task->told = diagram_or(w->space, task->told, box);
	region->paths |= 1u << path;
	return true;
}

static int tell_elsewhere(struct what_if *w, struct region *region, enum proof_change change)
{
	const struct region_view *frame = &w->paths[PACKET_FRAME].view;

	/* Aspects that packets on output do not have: they may say anything there. */
	region->sets[REGION_AGREES].numbers = region_view_is(frame, REGION_AGREES, 1);
	if (!holds_on(w, region, change, PACKET_FRAME)) {
		region->sets[REGION_ROUTED].numbers = region_view_is(frame, REGION_ROUTED, 1);
		if (!holds_on(w, region, change, PACKET_FRAME))
			region->sets[REGION_ROUTED].numbers = DIAGRAM_TRUE;
	}
	if (region->sets[REGION_LOOPBACK].numbers == region_view_is(frame, REGION_LOOPBACK, 1))
		holds_on(w, region, change, PACKET_INPUT);
	return region_list(w->space, region);
}

/* ---- words ---- */

static void print_heading(const struct proof_region *region, struct buf *out)
{
	static const char *const changes[PROOF_CHANGES] = {
	    [PROOF_NEWLY_ALLOWED] = "newly allowed",
	    [PROOF_NEWLY_DENIED] = "newly denied",
	    [PROOF_OTHER_PROXY] = "by another proxy",
	    [PROOF_NOT_KNOWN] = "not known",
	};

	buf_puts(out, changes[region->change]);
	if (region->paths == 1u << PACKET_INPUT)
		buf_puts(out, region->loopback ? ", arriving on loopback" : ", from outside");
	else if (region->loopback)
		buf_puts(out, ", loopback");
	if (region->paths == 1u << PACKET_FRAME)
		buf_puts(out, ", frames");
	if (region->paths == 1u << PACKET_FORWARD)
		buf_puts(out, ", forwarded");
	buf_puts(out, ": ");
}

static void print_where(const struct proof_region *region, struct buf *out)
{
	static const char *const names[MODEL_PATHS] = {
	    [PACKET_OUTPUT] = "output",
	    [PACKET_FRAME] = "egress",
	    [PACKET_INPUT] = "input",
	    [PACKET_FORWARD] = "forward",
	};

	for (int path = PACKET_OUTPUT; path < MODEL_PATHS; path++)
		if (region->paths >> path & 1)
			buf_printf(out, "%s%s",
				   out->len == 0                 ? ""
				   : region->paths >> (path + 1) ? ", "
								 : " and ",
				   names[path]);
}

/* ---- an example of each ---- */

static diagram prefer(struct diagram_space *space, diagram packets, diagram wish)
{
	diagram better = diagram_and(space, packets, wish);

	return better != DIAGRAM_FALSE ? better : packets;
}

/* Someone with a name, who is the same for many regions. */
static diagram prefer_user(struct what_if *w, diagram packets)
{
	const struct policy *policies[] = {w->what->new, w->what->old};

	for (size_t p = 0; p < ARRAY_SIZE(policies); p++) {
		for (size_t i = 0; policies[p] && i < policies[p]->user_count; i++) {
			diagram user = space_is(w->space, SPACE_UID, policies[p]->users[i].uid);

			user = diagram_and(w->space, user, space_flag(w->space, SPACE_OWNED));
			user = diagram_and(w->space, user, packets);
			if (user != DIAGRAM_FALSE)
				return user;
		}
	}
	return packets;
}

/* Both addresses of IPv6 are ::1. */
static diagram home6(struct diagram_space *space)
{
	diagram home = space_network_is(space, 23, 1);

	for (unsigned at = 8; at < SPACE_NETWORK_BYTES; at++)
		home = diagram_and(space, home, space_network_is(space, at, at == 23 || at == 39));
	return home;
}

/* What people know: echoes, and on loopback its addresses. */
static diagram prefer_familiar(struct diagram_space *space, diagram packets)
{
	diagram icmp = space_is(space, SPACE_PROTOCOL, IPPROTO_ICMP);
	diagram echo = space_is(space, SPACE_SOURCE_PORT, ECHO_REQUEST << 8);
	diagram source = space_is(space, SPACE_SOURCE4, INADDR_LOOPBACK);
	diagram destination = space_is(space, SPACE_DESTINATION4, INADDR_LOOPBACK);
	diagram lo = space_flag(space, SPACE_LOOPBACK), ipv4 = space_ipv4(space);
	diagram other = diagram_and(space, space_ipv6(space), home6(space));

	/* What a packet, as a value, can be: with a right header, over a link that has one. */
	packets = prefer(space, packets, diagram_not(space, space_bare(space)));
	packets = prefer(space, packets, space_between(space, SPACE_VERSION_IHL, 0x45, 0x4f));
	packets = prefer(space, packets, diagram_or(space, echo, diagram_not(space, icmp)));
	if (diagram_and(space, packets, lo) != DIAGRAM_FALSE) {
		packets = prefer(space, packets, diagram_and(space, ipv4, destination));
		packets = prefer(space, packets, diagram_and(space, ipv4, source));
	}
	/* Where it can be IPv4, it is: that is what examples begin with. */
	return diagram_and(space, packets, ipv4) == DIAGRAM_FALSE ? prefer(space, packets, other)
								  : packets;
}

static int find_example(struct what_if *w, enum packet_path path, diagram packets,
			struct proof_region *region)
{
	struct proof_result result = {.example = {.circumstances = {.cap = 4096}}};
	uint64_t values[DIAGRAM_VARIABLES / 64];
	int r;

	packets = prefer(w->space, packets, diagram_not(w->space, space_later_fragment(w->space)));
	packets = prefer_user(w, packets);
	packets = prefer_familiar(w->space, packets);
	if (w->what->kernel) {
		r = example_find(&w->model, w->what->new, path, packets, &result);
		region->example = result.example;
		return r;
	}
	space_wishes(path, values);
	if (!diagram_find(w->space, packets, values, NULL))
		return -EINVAL;
	region->example.packet = space_packet(path, values);
	region->example.policy = policy_evaluate(w->what->new, &region->example.packet);
	region->before = policy_evaluate(w->what->old, &region->example.packet);
	return 0;
}

static int tell(struct what_if *w, struct region *shape, enum proof_change change,
		enum packet_path path)
{
	AUTO_BUF struct buf text = {.cap = 1 << 16}, where = {.cap = 256};
	struct path *p = &w->paths[path];
	struct proof_region region = {
	    .change = change,
	    .paths = shape->paths,
	    .some = shape->some,
	    .shape = shape,
	};
	diagram packets;
	int r;

	region.loopback = shape->sets[REGION_LOOPBACK].numbers != DIAGRAM_TRUE &&
			  shape->sets[REGION_LOOPBACK].ranges[0].low == 1;
	print_heading(&region, &text);
	region_print(shape, w->what->old, w->what->new, &text);
	print_where(&region, &where);
	r = buf_finish(&text);
	if (r == 0)
		r = buf_finish(&where);
	if (r < 0)
		return r;
	region.text = buf_text(&text);
	region.where = buf_text(&where);
	packets = diagram_and(w->space, p->changes[change].packets, p->view.ties);
	packets = diagram_and(w->space, packets, region_view_box(&p->view, shape));
	r = find_example(w, path, packets, &region);
	if (r == 0)
		r = w->visit(&region, w->data);
	buf_done(&region.example.circumstances);
	w->result.regions++;
	return r;
}

static int tell_path(struct what_if *w, enum proof_change change, enum packet_path path)
{
	struct path *p = &w->paths[path];
	struct region_task *whole = &p->changes[change].whole;
	struct region_task part = {.care = whole->care, .wanted = p->changes[change].part};
	CLEANUP(regions_done) struct regions regions = {0};
	size_t most = w->most > w->result.regions ? w->most - w->result.regions : 0;
	size_t whole_count;
	int r;

	if (p->changes[change].packets == DIAGRAM_FALSE)
		return 0;
	r = regions_cover(&p->view, whole, most, &regions);
	whole_count = regions.count;
	if (r == 0)
		r = regions_cover(&p->view, &part, most, &regions);
	w->result.more |= regions.more;
	for (size_t i = 0; i < regions.count && r == 0; i++) {
		struct region *region = &regions.list[i];

		region->some = i >= whole_count;
		if (path == PACKET_OUTPUT && !region->some)
			r = tell_elsewhere(w, region, change);
		if (r == 0)
			r = tell(w, region, change, path);
	}
	return r;
}

static int tell_all(struct what_if *w)
{
	int r = 0;

	for (int change = 0; change < PROOF_CHANGES; change++)
		for (int path = PACKET_OUTPUT; path < MODEL_PATHS && r == 0; path++)
			r = tell_path(w, (enum proof_change)change, (enum packet_path)path);
	return r;
}

int proof_what_if(const struct proof_what_if *what, const struct proof_options *options,
		  proof_region_fn *visit, void *data, struct proof_what_if_result *ret_result)
{
	size_t nodes = options->nodes_max ? options->nodes_max : PROOF_NODES_MAX;
	CLEANUP(diagram_space_freep) struct diagram_space *space = diagram_space_new(nodes);
	AUTO_FREE struct what_if *w = calloc(1, sizeof(*w));
	int r = 0;

	if (!space || !w)
		return -ENOMEM;
	if (!what->kernel && !what->old)
		return -EINVAL;
	*w = (struct what_if){
	    .what = what,
	    .space = space,
	    .most = what->most ? what->most : PROOF_REGIONS_MAX,
	    .visit = visit,
	    .data = data,
	};
	if (what->kernel && what->kernel->incomplete) {
		*ret_result = (struct proof_what_if_result){.unknown = true};
		return 0;
	}
	if (what->kernel)
		r = model_make(space, what->kernel, options, &w->model);
	if (r == 0)
		r = find_changes(w, options);
	if (r == 0)
		r = tell_all(w);
	model_done(&w->model);
	if (diagram_error(space) == -E2BIG) {
		w->result.too_large = true;
		r = 0;
	}
	if (r == 0)
		*ret_result = w->result;
	return r;
}

bool proof_region_contains(const struct proof_region *region, const struct packet *packet)
{
	return region_contains(region->shape, packet);
}

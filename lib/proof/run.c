/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Rules and chains: which packets go where. */
#include "run_chain.h"

#include <netinet/in.h>
#include <linux/netfilter/nf_tables.h>
#include <string.h>

#define DEPTH_MAX 64		/* jumps and gotos inside each other; the kernel's jumps end at 16 */
#define STEPS_MAX (1u << 20)	/* rules run, all together; only mazes need more */

/* The result of a chain for every packet, where its rules change none. */
struct run_chain_memo {
	const struct ruleset_chain *chain;
	enum run_hook hook;
	bool pure, running;
	struct run_ends ends;
};

void run_begin(struct run *run, struct diagram_space *space, const struct ruleset *ruleset,
	       enum packet_path path, unsigned first_free)
{
	memset(run, 0, sizeof(*run));
	run->space = space;
	run->ruleset = ruleset;
	run->path = path;
	run->assume = DIAGRAM_TRUE;
	run->next_variable = first_free;
	for (unsigned i = 0; i < SPACE_NETWORK_BYTES * 8; i++)
		run->network[i] = diagram_variable(space, space_network_bit(i / 8, i % 8));
	for (unsigned i = 0; i < SPACE_TRANSPORT_BYTES * 8; i++)
		run->transport[i] = diagram_variable(space, space_transport_bit(i / 8, i % 8));
	for (unsigned i = 0; i < 32; i++)
		run->mark[i] = diagram_variable(space, space_first(SPACE_MARK) + i);
}

void run_done(struct run *run)
{
	free(run->memo);
	run->memo = NULL;
}

struct run_step run_doubtful(struct run *run, diagram packets, const char *reason)
{
	struct run_doubt *doubt;
	AUTO_BUF struct buf text = {.cap = RUN_DOUBT_MAX - 1};
	size_t number = 0;

	if (packets == DIAGRAM_FALSE)
		return (struct run_step){.applies = DIAGRAM_TRUE};
	if (run->chain && run->rule)
		number = (size_t)(run->rule - run->chain->rules) + 1;
	buf_printf(&text, "%s", reason);
	if (run->table)
		buf_printf(&text, ", in table %s", run->table->name);
	if (run->chain)
		buf_printf(&text, ", chain %s", run->chain->name);
	if (number)
		buf_printf(&text, ", rule %zu", number);
	/* The last place takes all that follow. */
	for (size_t i = 0; i < run->doubt_count; i++) {
		doubt = &run->doubts[i];
		if (strcmp(doubt->text, buf_text(&text)) == 0 || i + 1 == RUN_DOUBTS_MAX) {
			doubt->packets = diagram_or(run->space, doubt->packets, packets);
			return (struct run_step){.applies = diagram_not(run->space, packets),
						 .undecided = packets};
		}
	}
	doubt = &run->doubts[run->doubt_count++];
	doubt->packets = packets;
	snprintf(doubt->text, sizeof(doubt->text), "%s", buf_text(&text));
	return (struct run_step){.applies = diagram_not(run->space, packets), .undecided = packets};
}

unsigned run_free_variables(struct run *run, enum run_free_kind kind, uint32_t key, unsigned width,
			    const char *name)
{
	const struct ruleset_rule *rule =
	    kind == RUN_FREE_META || kind == RUN_FREE_CT ? NULL : run->rule;
	struct run_free *free_one;

	/* A rule that is met again, on another way, asks the same question. */
	for (size_t i = 0; i < run->free_count; i++)
		if (run->free[i].kind == kind && run->free[i].key == key && run->free[i].rule == rule)
			return run->free[i].first;
	if (run->free_count == RUN_FREE_MAX || run->next_variable + width > DIAGRAM_VARIABLES)
		return 0;
	free_one = &run->free[run->free_count++];
	*free_one = (struct run_free){
	    .kind = kind,
	    .key = key,
	    .first = run->next_variable,
	    .width = width,
	    .chain = rule ? run->chain : NULL,
	    .rule = rule,
	};
	snprintf(free_one->name, sizeof(free_one->name), "%s", name);
	run->next_variable += width;
	return free_one->first;
}

diagram run_segment(struct run *run)
{
	diagram segment = diagram_and(run->space, space_is(run->space, SPACE_PROTOCOL, IPPROTO_TCP),
				      space_flag(run->space, SPACE_VALID));

	return diagram_minus(run->space, segment, space_later_fragment(run->space));
}

/* ---- one rule ---- */

struct rule_state {
	struct run_ends *ends;
	diagram live;  /* for which the rule has come this far */
	diagram taken; /* ended by this rule */
};

static void end_with(struct run *run, struct run_ends *ends, enum run_end which, diagram packets)
{
	if (packets == DIAGRAM_FALSE)
		return;
	ends->sets[which] = diagram_or(run->space, ends->sets[which], packets);
	if (run->point != DIAGRAM_FALSE &&
	    diagram_and(run->space, run->point, packets) != DIAGRAM_FALSE) {
		run->last_table = run->table;
		run->last_chain = run->chain;
		run->last_rule = run->rule;
	}
}

static void doubt_verdict(struct run *run, struct run_ends *ends, diagram packets,
			  const char *reason)
{
	struct run_step step = run_doubtful(run, packets, reason);

	end_with(run, ends, RUN_UNDECIDED, step.undecided);
}

/* Into another chain, and what comes back from it: goes on here after a jump, leaves this chain
 * after a goto. */
static diagram enter(struct run *run, const struct ruleset_verdict *verdict, diagram packets,
		     struct run_ends *ends)
{
	const struct ruleset_chain *from = run->chain;
	const struct ruleset_rule *rule = run->rule;
	struct run_registers registers = run->registers;
	const struct ruleset_chain *to = ruleset_find_chain(run->table, verdict->chain);
	struct run_ends inner;

	if (!to || to->base) {
		doubt_verdict(run, ends, packets, "a jump to a chain that does not exist");
		return DIAGRAM_FALSE;
	}
	run_chain(run, to, packets, &inner);
	run->chain = from;
	run->rule = rule;
	run->registers = registers;
	for (size_t i = 0; i < RUN_ENDS; i++)
		ends->sets[i] = diagram_or(run->space, ends->sets[i], inner.sets[i]);
	return inner.left;
}

static void on_verdict(struct run *run, const struct ruleset_verdict *verdict, diagram packets,
		       void *data)
{
	struct rule_state *state = data;
	struct run_ends *ends = state->ends;

	if (packets == DIAGRAM_FALSE)
		return;
	/* To the kernel `continue` is no verdict, and `break` only ends the rule. */
	if (verdict->code == RULESET_CONTINUE || verdict->code == RULESET_BREAK)
		return;
	state->taken = diagram_or(run->space, state->taken, packets);
	switch (verdict->code) {
	case RULESET_ACCEPT:
		end_with(run, ends, RUN_ACCEPT, packets);
		return;
	case RULESET_DROP:
		end_with(run, ends, RUN_DROP, packets);
		return;
	case RULESET_RETURN:
		ends->left = diagram_or(run->space, ends->left, packets);
		return;
	case RULESET_GOTO:
		ends->left = diagram_or(run->space, ends->left,
					enter(run, verdict, packets, ends));
		return;
	case RULESET_JUMP:
		state->taken = diagram_minus(run->space, state->taken,
					     enter(run, verdict, packets, ends));
		return;
	case RULESET_NONE:
	case RULESET_QUEUE:
	case RULESET_CONTINUE:
	case RULESET_BREAK:
		break;
	}
	doubt_verdict(run, ends, packets, "a verdict that another program gives");
}

static uint32_t place_in_rule(const struct run *run, const struct ruleset_expression *e)
{
	return (uint32_t)(e - run->rule->expressions);
}

static struct run_step run_oracle(struct run *run, const struct ruleset_expression *e,
				  const char *name, diagram live)
{
	unsigned first =
	    run_free_variables(run, RUN_FREE_ORACLE, place_in_rule(run, e), 1, name);

	if (first == 0)
		return run_doubtful(run, live, "more unknowns than this model keeps apart");
	return run_go(diagram_variable(run->space, first));
}

static struct run_step run_unknown(struct run *run, const struct ruleset_expression *e,
				   diagram live)
{
	char reason[96];

	snprintf(reason, sizeof(reason), "the expression '%.31s' is not known",
		 e->kind == RULESET_UNKNOWN ? e->unknown.name : "?");
	return run_doubtful(run, live, reason);
}

/* Translations happen in chains of their type, to packets that open a connection. */
static struct run_step run_translation(struct run *run, const struct ruleset_expression *e,
				       struct rule_state *state)
{
	struct run_step step;

	if (run->base->type != RULESET_NAT)
		return run_doubtful(run, state->live, "a translation outside a chain for it");
	step = run_translate(run, e, state->live);
	if (step.undecided == DIAGRAM_FALSE) {
		const struct ruleset_verdict accept = {.code = RULESET_ACCEPT};

		on_verdict(run, &accept, state->live, state);
		step.applies = DIAGRAM_FALSE;
	}
	return step;
}

static struct run_step run_object(struct run *run, const struct ruleset_expression *e, diagram live)
{
	if (e->object.type == NFT_OBJECT_COUNTER)
		return run_go(DIAGRAM_TRUE);
	if (e->object.type == NFT_OBJECT_LIMIT || e->object.type == NFT_OBJECT_QUOTA)
		return run_oracle(run, e, "a limit is not reached", live);
	return run_doubtful(run, live, "a named object that this model does not know");
}

static struct run_step run_immediate(struct run *run, const struct ruleset_expression *e,
				     struct rule_state *state)
{
	enum ruleset_code code = e->immediate.verdict.code;

	if (code == RULESET_NONE) {
		if (!run_store_constant(run, e->immediate.reg, e->immediate.value.bytes,
					e->immediate.value.len))
			return run_doubtful(run, state->live,
					    "a value does not fit into the registers");
		return run_go(DIAGRAM_TRUE);
	}
	on_verdict(run, &e->immediate.verdict, state->live, state);
	return run_go(code == RULESET_CONTINUE ? DIAGRAM_TRUE : DIAGRAM_FALSE);
}

/* Expressions that put something into registers, or ask what is in them. */
static bool run_reading(struct run *run, const struct ruleset_expression *e,
			struct rule_state *state, struct run_step *ret_step)
{
	static struct run_step (*const reads[])(struct run *, const struct ruleset_expression *,
						diagram) = {
	    [RULESET_META] = run_load_meta,	     [RULESET_PAYLOAD] = run_load_payload,
	    [RULESET_SOCKET] = run_load_socket,	     [RULESET_CONNECTION] = run_load_connection,
	    [RULESET_NUMBER] = run_load_number,	     [RULESET_COMPARE] = run_compare,
	    [RULESET_RANGE] = run_range,	     [RULESET_BITWISE] = run_bitwise,
	    [RULESET_SHIFT] = run_shift,	     [RULESET_BYTEORDER] = run_byteorder,
	    [RULESET_DYNSET] = run_dynset,	     [RULESET_TPROXY] = run_tproxy,
	    [RULESET_META_SET] = run_meta_set,	     [RULESET_PAYLOAD_SET] = run_payload_set,
	};

	if ((size_t)e->kind >= ARRAY_SIZE(reads) || !reads[e->kind])
		return false;
	*ret_step = reads[e->kind](run, e, state->live);
	return true;
}

static struct run_step run_rejection(struct run *run, const struct ruleset_expression *e,
				     struct rule_state *state)
{
	struct run_ends rejected = {0};

	run_reject(run, e, state->live, &rejected);
	for (size_t i = 0; i < RUN_ENDS; i++)
		end_with(run, state->ends, (enum run_end)i, rejected.sets[i]);
	state->taken = diagram_or(run->space, state->taken, state->live);
	return run_go(DIAGRAM_FALSE);
}

static struct run_step run_expression(struct run *run, const struct ruleset_expression *e,
				      struct rule_state *state)
{
	struct run_step step;

	if (run_reading(run, e, state, &step))
		return step;
	switch ((unsigned)e->kind) {
	case RULESET_LOOKUP:
		return run_lookup(run, e, state->live, on_verdict, state);
	case RULESET_IMMEDIATE:
		return run_immediate(run, e, state);
	case RULESET_REJECT:
		return run_rejection(run, e, state);
	case RULESET_NOTRACK:
		return run_notrack(run, state->live);
	case RULESET_TRANSLATE:
	case RULESET_REDIRECT:
	case RULESET_MASQUERADE:
		return run_translation(run, e, state);
	case RULESET_LIMIT:
		return run_oracle(run, e, "a limit is not reached", state->live);
	case RULESET_OBJECT:
		return run_object(run, e, state->live);
	case RULESET_COUNTER:
	case RULESET_NO_EFFECT:
		return run_go(DIAGRAM_TRUE);
	case RULESET_ROUTE_LOOKUP:
		return run_doubtful(run, state->live, "what a look-up of routes gives ('fib')");
	case RULESET_ROUTE_FIELD:
		return run_doubtful(run, state->live, "a property of routes ('rt')");
	case RULESET_CONNECTION_SET:
		return run_doubtful(run, state->live, "a property of connections is set ('ct')");
	default:
		return run_unknown(run, e, state->live);
	}
}

/* Run one rule on @live. Returns those that it has ended. */
static diagram run_rule(struct run *run, diagram live, struct run_ends *ends)
{
	struct rule_state state = {.ends = ends, .live = live};

	run->registers.written = 0;
	if (run->steps++ >= STEPS_MAX) {
		doubt_verdict(run, ends, live, "the rules lead in a circle, or too far");
		return live;
	}
	for (size_t i = 0; i < run->rule->count && state.live != DIAGRAM_FALSE; i++) {
		struct run_step step = run_expression(run, &run->rule->expressions[i], &state);
		diagram undecided = diagram_and(run->space, step.undecided, state.live);

		if (undecided != DIAGRAM_FALSE) {
			end_with(run, ends, RUN_UNDECIDED, undecided);
			state.taken = diagram_or(run->space, state.taken, undecided);
		}
		state.live = diagram_minus(run->space,
					   diagram_and(run->space, state.live, step.applies),
					   undecided);
	}
	return state.taken;
}

/* ---- one chain ---- */

/* Rules whose effects a later rule, or the outcome, can see. */
static bool changes(const struct ruleset_rule *rule)
{
	for (size_t i = 0; i < rule->count; i++) {
		switch ((unsigned)rule->expressions[i].kind) {
		case RULESET_TPROXY:
		case RULESET_META_SET:
		case RULESET_PAYLOAD_SET:
		case RULESET_NOTRACK:
		case RULESET_TRANSLATE:
		case RULESET_REDIRECT:
		case RULESET_MASQUERADE:
		case RULESET_DYNSET:
			return true;
		default:
			break;
		}
		/* Where it leads may change something; see run_chain(). */
	}
	return false;
}

bool run_table_changes(const struct ruleset_table *table)
{
	for (size_t c = 0; c < table->chain_count; c++)
		for (size_t i = 0; i < table->chains[c].rule_count; i++)
			if (changes(&table->chains[c].rules[i]))
				return true;
	return false;
}

static struct run_chain_memo *memo_of(struct run *run, const struct ruleset_chain *chain)
{
	for (size_t i = 0; i < run->memo_count; i++)
		if (run->memo[i].chain == chain && run->memo[i].hook == run->hook)
			return &run->memo[i];
	if (run->memo_count == run->memo_room) {
		size_t room = run->memo_room ? run->memo_room * 2 : 64;
		struct run_chain_memo *memo = realloc(run->memo, room * sizeof(*memo));

		if (!memo) {
			run->error = -ENOMEM;
			return NULL;
		}
		run->memo = memo;
		run->memo_room = room;
	}
	run->memo[run->memo_count] = (struct run_chain_memo){.chain = chain, .hook = run->hook};
	return &run->memo[run->memo_count++];
}

static void chain_run(struct run *run, const struct ruleset_chain *chain, diagram live,
		      struct run_ends *ends)
{
	*ends = (struct run_ends){0};
	for (size_t i = 0; i < chain->rule_count && live != DIAGRAM_FALSE; i++) {
		run->chain = chain;
		run->rule = &chain->rules[i];
		live = diagram_minus(run->space, live, run_rule(run, live, ends));
	}
	ends->left = diagram_or(run->space, ends->left, live);
}

/* A chain that was run for all packets serves each caller: one run, however many jump there. That
 * holds while the packets are as they came, which is why it is not done where some rule of the
 * table changes them. */
static bool may_remember(struct run *run)
{
	return run->point == DIAGRAM_FALSE && run->table_pure && run->rewritten == DIAGRAM_FALSE;
}

void run_chain(struct run *run, const struct ruleset_chain *chain, diagram live,
	       struct run_ends *ret_ends)
{
	struct run_chain_memo *memo;
	size_t at;

	*ret_ends = (struct run_ends){0};
	if (live == DIAGRAM_FALSE)
		return;
	memo = memo_of(run, chain);
	if (!memo)
		return;
	if (memo->running || run->depth >= DEPTH_MAX) {
		run->chain = chain;
		run->rule = NULL;
		doubt_verdict(run, ret_ends, live, "chains that lead in a circle, or too deep");
		return;
	}
	at = (size_t)(memo - run->memo);
	if (!memo->pure || !may_remember(run)) {
		bool remember = may_remember(run);
		struct run_ends ends;

		memo->running = true;
		run->depth++;
		chain_run(run, chain, remember ? DIAGRAM_TRUE : live, &ends);
		run->depth--;
		memo = &run->memo[at]; /* it may have moved */
		memo->running = false;
		memo->pure = remember;
		memo->ends = ends;
	}
	for (size_t i = 0; i < RUN_ENDS; i++)
		ret_ends->sets[i] = diagram_and(run->space, memo->ends.sets[i], live);
	ret_ends->left = diagram_and(run->space, memo->ends.left, live);
}

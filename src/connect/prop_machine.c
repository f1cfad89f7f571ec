/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Any events in any order, as nobody would send them, and what must hold after each. The seed is
 * printed; LETHE_SEED takes one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include <base/num.h>

#include "test_machine.h"

#define RUNS   400
#define EVENTS 400

static uint64_t random_state;

static uint64_t draw(uint64_t below)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state % below;
}

static bool draw_bool(void)
{
	return draw(2) == 0;
}

/* ---- events ---- */

static const char *const lines[] = {OBFS4, OBFS4_TWO, SNOWFLAKE, MEEK, PLAIN};

static void draw_bridges(struct torctl_bridges *bridges)
{
	bridges->count = 0;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		if (draw(3) == 0)
			assert_int_equal(torctl_bridges_parse(lines[i], strlen(lines[i]), bridges,
							      NULL),
					 0);
}

/* What is refused is not taken to the machine: as the daemon does. */
static bool draw_choice(const struct trial *trial, struct torctl_bridges *bridges,
			struct choice *ret_choice)
{
	struct choice choice = {.mode = (enum mode)draw(3),
				.plain = draw(4) == 0,
				.defaults = draw(4) == 0,
				.ask = draw(4) == 0};

	if (draw_bool()) {
		draw_bridges(bridges);
		choice.bridges = bridges;
	}
	if (choice_check(&choice, &trial->defaults))
		return false;
	*ret_choice = choice;
	return true;
}

/* What would bring it on. */
static enum event_kind wanted(const struct machine *machine)
{
	static const enum event_kind kinds[] = {
	    [STEP_NONE] = EVENT_CHOOSE,	       [STEP_WAIT_TOR] = EVENT_TOR_HERE,
	    [STEP_CLOCK] = EVENT_CLOCK,	       [STEP_SETTINGS_LEASE] = EVENT_LEASE,
	    [STEP_SETTINGS] = EVENT_SETTINGS,  [STEP_TRANSPORT] = EVENT_LEASE,
	    [STEP_TOR] = EVENT_BOOTSTRAP,
	};

	return machine->linked ? kinds[machine->step] : EVENT_LINK;
}

static void draw_answer(struct event *event, struct torctl_bridges *bridges)
{
	if (event->kind == EVENT_LEASE) {
		event->lease.transport = (enum torctl_transport)(TORCTL_TRANSPORT_OBFS4 + draw(3));
		event->lease.state = draw(6) == 0 ? LEASE_LOST : LEASE_READY;
	} else if (event->kind == EVENT_CLOCK) {
		event->clock.outcome = (enum clock_outcome)draw(4);
		event->clock.captive = draw(8) == 0;
	} else {
		event->settings.outcome = (enum settings_outcome)draw(3);
		event->settings.builtin = (unsigned)draw(32);
		draw_bridges(bridges);
		event->settings.bridges = bridges;
	}
}

static void draw_tor(struct event *event, struct torctl_bridges *bridges)
{
	event->tor.network = draw_bool();
	event->tor.progress = draw_bool() ? 100 : 5;
	event->tor.foreign = draw(4) == 0;
	if (draw_bool()) {
		draw_bridges(bridges);
		event->tor.bridges = bridges;
	}
}

static struct event draw_event(const struct trial *trial, struct torctl_bridges *bridges,
			       struct choice *choice)
{
	struct event event = {.kind = (enum event_kind)(1 + draw(EVENT_SETTINGS))};

	if (draw(3) == 0)
		event.kind = wanted(&trial->machine);
	switch (event.kind) {
	case EVENT_CHOOSE:
		if (!draw_choice(trial, bridges, choice)) {
			event.kind = EVENT_TIME;
			break;
		}
		event.choose.choice = choice;
		event.choose.plausible = draw_bool();
		break;
	case EVENT_LINK:
	case EVENT_LIVENESS:
		event.up = draw(4) != 0;
		break;
	case EVENT_TOR_HERE:
		draw_tor(&event, bridges);
		break;
	case EVENT_BOOTSTRAP:
		event.bootstrap.progress = (unsigned)draw(101);
		event.bootstrap.phase = "conn";
		event.bootstrap.trouble = (enum trouble)draw(4);
		event.bootstrap.hopeless = draw(8) == 0;
		break;
	case EVENT_RELAY:
		event.relay = (enum trouble)draw(4);
		break;
	case EVENT_LEASE:
	case EVENT_CLOCK:
	case EVENT_SETTINGS:
		draw_answer(&event, bridges);
		break;
	case EVENT_TIME:
	case EVENT_CANCEL:
	case EVENT_RETRY:
	case EVENT_FORGET:
	case EVENT_TOR_GONE:
	case EVENT_TOR_REFUSED:
	case EVENT_SKEW:
	default:
		break;
	}
	return event;
}

/* ---- what must hold ---- */

struct witness {
	enum mode mode; /* as the person chose, or as it was adopted */
	bool plain, defaults, asked;
	bool linked;
	bool begun; /* Tor was met, or the person has said something: a no is a word as well */
	struct torctl_bridges own; /* typed, given by the service, or adopted */
};

static bool has(const struct torctl_bridges *bridges, const struct torctl_bridge *bridge)
{
	for (size_t i = 0; i < bridges->count; i++)
		if (torctl_bridge_equal(&bridges->list[i], bridge))
			return true;
	return false;
}

/* @last: nothing that was done after it concerns Tor. */
static void check_network(const struct trial *trial, const struct witness *witness,
			  const struct action *action, bool last)
{
	assert_int_not_equal(witness->mode, MODE_NONE);
	if (witness->mode != MODE_HIDE) {
		for (size_t i = 0; action->bridges && i < action->bridges->count; i++)
			assert_true(has(&trial->defaults, &action->bridges->list[i]) &&
				    action->bridges->list[i].transport != TORCTL_TRANSPORT_NONE);
		return;
	}
	assert_true(action->bridges && action->bridges->count > 0);
	for (size_t i = 0; i < action->bridges->count; i++) {
		const struct torctl_bridge *bridge = &action->bridges->list[i];

		assert_true(has(&witness->own, bridge) ||
			    ((witness->defaults || witness->asked) &&
			     has(&trial->defaults, bridge)));
		assert_true(witness->plain || bridge->transport != TORCTL_TRANSPORT_NONE);
		if (bridge->transport != TORCTL_TRANSPORT_NONE && last)
			assert_true(trial->machine.ready & 1u << bridge->transport);
	}
}

static void check_actions(const struct trial *trial, const struct witness *witness)
{
	size_t last = 0;

	for (size_t i = 0; i < trial->actions.count; i++)
		if (trial->actions.list[i].kind == ACTION_TOR)
			last = i;
	for (size_t i = 0; i < trial->actions.count; i++) {
		const struct action *action = &trial->actions.list[i];

		if (action->kind == ACTION_TOR && action->network)
			check_network(trial, witness, action, i == last);
		if (action->kind == ACTION_CLOCK && action->network)
			assert_int_equal(witness->mode, MODE_AUTOMATIC);
		if (action->kind == ACTION_SETTINGS)
			assert_true(witness->mode == MODE_HIDE && witness->asked);
		if (action->kind == ACTION_LEASE_OPEN)
			assert_int_not_equal(witness->mode, MODE_NONE);
	}
}

static void check_state(const struct trial *trial, const struct witness *witness)
{
	const struct machine *machine = &trial->machine;
	const bool wants = machine->state == STATE_CONNECTING || machine->state == STATE_CONNECTED;

	assert_int_equal(machine->mode, witness->mode);
	assert_int_equal(trial->leases, machine->leases);
	assert_int_equal(machine->ready & ~machine->leases, 0);
	assert_true(machine->progress <= 100);
	assert_int_equal(machine->state == STATE_FAILED, machine->reason != REASON_NONE);
	assert_int_equal(machine->mode == MODE_NONE,
			 machine->state == STATE_OFFLINE || machine->state == STATE_ASKED);
	if (machine->state == STATE_FAILED) {
		assert_true(reason_text(machine->reason)[0] && reason_advice(machine->reason)[0]);
		/* Two that pass by something happening, without a timer. */
		assert_int_equal(machine->timer_ms != 0, reason_passes(machine->reason));
	}
	/* No state without a way out: what waits has a timer that ends it. */
	if (machine->state == STATE_CONNECTING)
		assert_true(machine->timer_ms != 0 && machine->step != STEP_NONE);
	if (machine->state == STATE_CONNECTED)
		assert_true(machine->tor_open && machine->tor_here && machine->linked);
	if (!wants) {
		assert_false(trial->tor_network);
		assert_int_equal(machine->leases, 0);
	}
	if (machine->state == STATE_ASKED)
		assert_true(machine->linked);
	assert_int_equal(trial->tor_network, machine->tor_open && machine->tor_here);
}

static void note_choice(struct witness *witness, const struct choice *choice)
{
	static const struct torctl_bridges none;

	witness->mode = choice->mode;
	witness->plain = choice->plain;
	witness->defaults = choice->defaults;
	witness->asked = choice->ask;
	witness->own = choice->bridges ? *choice->bridges : none;
}

/* What the event means for what may be done from now on. */
static void note(struct witness *witness, const struct event *event)
{
	if (event->kind == EVENT_CHOOSE)
		note_choice(witness, event->choose.choice);
	else if (event->kind == EVENT_CANCEL || event->kind == EVENT_FORGET)
		*witness = (struct witness){.linked = witness->linked};
	else if (event->kind == EVENT_LINK)
		witness->linked = event->up;
	else if (event->kind == EVENT_SETTINGS && witness->asked && event->settings.bridges)
		for (size_t i = 0; i < event->settings.bridges->count; i++)
			(void)!torctl_bridges_add(&witness->own, &event->settings.bridges->list[i]);
	else if (event->kind == EVENT_TOR_HERE && witness->mode == MODE_NONE &&
		 !witness->begun && event->tor.network && event->tor.progress == 100 &&
		 !event->tor.foreign && witness->linked &&
		 (!event->tor.bridges || event->tor.bridges->count > 0))
		note_choice(witness,
			    &(struct choice){.mode = event->tor.bridges ? MODE_HIDE : MODE_AUTOMATIC,
					     .plain = event->tor.bridges != NULL,
					     .bridges = event->tor.bridges});
	witness->begun |= event->kind == EVENT_CHOOSE || event->kind == EVENT_CANCEL ||
			  event->kind == EVENT_FORGET || event->kind == EVENT_TOR_HERE;
}

static void send(struct trial *trial, const struct event *event)
{
	/* A connection to Tor comes once, and goes once; and only one that is there can refuse. */
	if (event->kind == EVENT_TOR_HERE && trial->tor_here)
		trial_simple(trial, EVENT_TOR_GONE);
	if (event->kind == EVENT_TOR_HERE) {
		trial->tor_network = event->tor.network;
		trial->tor_bridges.count = 0;
	}
	trial_take(trial, *event);
}

static void run_random(const char *defaults)
{
	static struct trial trial;
	static struct witness witness;
	static struct torctl_bridges bridges;
	struct choice choice;

	trial_begin(&trial, defaults);
	witness = (struct witness){0};
	for (size_t i = 0; i < EVENTS; i++) {
		struct event event = draw_event(&trial, &bridges, &choice);

		if (event.kind == EVENT_TOR_REFUSED && !trial.tor_here)
			continue;
		if (draw(6) == 0 && trial.machine.timer_ms > trial.now)
			trial.now = trial.machine.timer_ms;
		note(&witness, &event);
		send(&trial, &event);
		check_actions(&trial, &witness);
		check_state(&trial, &witness);
	}
}

static void test_random_events(void **state)
{
	static const char *const defaults[] = {NULL, OBFS4, OBFS4_TWO "\n" SNOWFLAKE "\n" PLAIN,
					       MEEK "\n" SNOWFLAKE};

	for (size_t i = 0; i < RUNS; i++)
		run_random(defaults[i % ARRAY_SIZE(defaults)]);
}

/* Wherever it has got to: when all answer well, it connects within a bounded number of steps. */
static void answer_well(struct trial *trial)
{
	struct machine *machine = &trial->machine;

	if (!machine->linked)
		trial_link(trial, true);
	else if (!trial->tor_here)
		trial_tor(trial);
	else if (machine->state == STATE_FAILED)
		trial_simple(trial, EVENT_RETRY);
	else if (machine->step == STEP_CLOCK || machine->bounding)
		trial_clock(trial, CLOCK_SET, false);
	else if (machine->step == STEP_SETTINGS)
		trial_take(trial, (struct event){.kind = EVENT_SETTINGS,
						 .settings = {.outcome = SETTINGS_FOUND,
							      .bridges = &trial->given}});
	else if (machine->leases & ~machine->ready)
		trial_lease(trial,
			    (enum torctl_transport)(__builtin_ffs((int)(machine->leases &
									~machine->ready)) -
						    1),
			    LEASE_READY);
	else
		trial_bootstrap(trial, 100);
}

static void test_it_always_connects_at_last(void **state)
{
	static struct trial trial;
	static struct torctl_bridges bridges;

	for (size_t i = 0; i < RUNS; i++) {
		struct choice choice;
		size_t steps = 0;

		trial_begin(&trial, OBFS4);
		for (size_t j = 0; j < draw(60); j++) {
			struct event event = draw_event(&trial, &bridges, &choice);

			if (event.kind != EVENT_TOR_REFUSED)
				send(&trial, &event);
		}
		trial.given.count = 0;
		assert_int_equal(torctl_bridges_parse(OBFS4, strlen(OBFS4), &trial.given, NULL), 0);
		if (draw_bool())
			trial_automatic(&trial);
		else if (draw_bool())
			trial_hide(&trial, SNOWFLAKE);
		else
			trial_choose(&trial, (struct choice){.mode = MODE_HIDE, .ask = true});
		while (trial.machine.state != STATE_CONNECTED) {
			assert_true(steps++ < 20);
			answer_well(&trial);
		}
	}
}

/* And when nobody answers at all, the timers alone bring it to a reason, again and again. */
static void test_silence_ends_in_a_reason(void **state)
{
	static struct trial trial;
	static struct torctl_bridges bridges;

	for (size_t i = 0; i < RUNS; i++) {
		struct choice choice;
		size_t steps = 0;

		trial_begin(&trial, OBFS4 "\n" SNOWFLAKE "\n" MEEK);
		trial_link(&trial, draw_bool());
		if (draw_bool())
			trial_tor(&trial);
		while (!draw_choice(&trial, &bridges, &choice))
			continue;
		trial_choose(&trial, choice);
		while (trial.machine.state != STATE_FAILED) {
			assert_true(steps++ < 20);
			trial_wait(&trial);
		}
		assert_true(reason_advice(trial.machine.reason)[0]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_random_events),
	    cmocka_unit_test(test_it_always_connects_at_last),
	    cmocka_unit_test(test_silence_ends_in_a_reason),
	};
	const char *given = getenv("LETHE_SEED");

	if (!given || num_parse_u64(given, UINT64_MAX, &random_state) < 0)
		random_state = (uint64_t)time(NULL) * 2654435761u ^ (uint64_t)getpid();
	random_state |= 1;
	printf("# LETHE_SEED=%llu\n", (unsigned long long)random_state);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "turn.h"

#include <string.h>

#include <base/cleanup.h>

#define RELAYS_LOST 3 /* that refuse, before a direct connection is given up early */

const char *state_name(enum state state)
{
	static const char *const names[] = {"offline", "asked", "connecting", "connected",
					    "failed"};

	return (size_t)state < ARRAY_SIZE(names) ? names[state] : "";
}

const char *mode_name(enum mode mode)
{
	static const char *const names[] = {"none", "automatic", "hide"};

	return (size_t)mode < ARRAY_SIZE(names) ? names[mode] : "";
}

void machine_init(struct machine *machine, int64_t stall_ms, const struct torctl_bridges *defaults)
{
	*machine = (struct machine){
	    .patience = {.tor = stall_ms,
			 .stall = stall_ms,
			 .stall_far = stall_ms + stall_ms / 2,
			 .lease = stall_ms,
			 .clock = stall_ms * 2,
			 .settings = stall_ms * 2,
			 .retry = stall_ms / 2,
			 .retry_most = stall_ms * 10},
	    .defaults = defaults,
	};
}

/* ---- timers ---- */

static void on_network_clock(struct turn *turn, enum clock_outcome outcome, bool captive)
{
	struct machine *machine = turn->machine;
	const bool failed = machine->way_failed;

	machine->way_failed = false;
	if (captive) {
		turn_fail(turn, REASON_CAPTIVE_PORTAL);
		return;
	}
	if (outcome == CLOCK_SET || outcome == CLOCK_RIGHT)
		machine->clock_wrong = machine->implausible = false;
	if (machine->clock_wrong)
		turn_fail(turn, REASON_WRONG_CLOCK);
	else if (failed && outcome != CLOCK_SET)
		turn_go_next_way(turn, REASON_CENSORED);
	else /* begun anew: it may have failed for want of the time */
		turn_go_way(turn);
}

/* What is there must do. */
static void go_with_some(struct turn *turn)
{
	struct machine *machine = turn->machine;

	turn_drop_bridges(machine, ~machine->ready);
	if (machine->active.count == 0) {
		turn_leave_way(turn, REASON_TRANSPORT);
		return;
	}
	turn_keep_leases(turn, turn_transports_needed(&machine->active));
	turn_open_tor(turn);
}

static void on_timer(struct turn *turn)
{
	struct machine *machine = turn->machine;

	machine->timer_ms = 0;
	if (machine->state == STATE_FAILED) {
		turn_start(turn);
		return;
	}
	if (machine->state != STATE_CONNECTING)
		return;
	switch (machine->step) {
	case STEP_WAIT_TOR:
		turn_fail(turn, REASON_TOR_MISSING);
		break;
	case STEP_CLOCK:
		on_network_clock(turn, CLOCK_UNKNOWN, false);
		break;
	case STEP_SETTINGS_LEASE:
	case STEP_SETTINGS:
		turn_fail(turn, REASON_SETTINGS_UNREACHABLE);
		break;
	case STEP_TRANSPORT:
		go_with_some(turn);
		break;
	case STEP_TOR:
	case STEP_NONE:
	default:
		turn_give_up_tor(turn);
		break;
	}
}

/* ---- what people do ---- */

static void on_choose(struct turn *turn, const struct event *event)
{
	struct machine *machine = turn->machine;
	const struct choice *choice = event->choose.choice;

	machine->mode = choice->mode;
	machine->plain = choice->plain;
	machine->use_defaults = choice->defaults;
	machine->ask = choice->ask;
	memcpy(machine->country, choice->country, sizeof(machine->country));
	machine->stay = false;
	machine->implausible = !event->choose.plausible;
	machine->chosen.count = 0;
	if (choice->bridges)
		machine->chosen = *choice->bridges;
	machine->tries = 0;
	machine->begun = true;
	turn_start(turn);
}

/* A no is a word as well: a Tor that is met after it is not taken over, however connected it is. */
static void on_no(struct turn *turn, bool stay)
{
	turn->machine->stay = stay;
	turn->machine->begun = true;
	turn_be_idle(turn);
}

static void on_retry(struct turn *turn)
{
	struct machine *machine = turn->machine;

	machine->tries = 0;
	if (machine->mode != MODE_NONE)
		turn_start(turn);
	else if (machine->stay) {
		/* Nothing was chosen that could be tried again: the question is put again. */
		machine->stay = false;
		turn_be_idle(turn);
	}
}

static void on_link(struct turn *turn, bool up)
{
	struct machine *machine = turn->machine;
	const bool changed = machine->linked != up;

	machine->linked = up;
	if (machine->mode == MODE_NONE) {
		if (changed)
			turn_be_idle(turn);
	} else if (!up) {
		if (machine->state != STATE_FAILED || changed)
			turn_fail(turn, REASON_NO_NETWORK);
	} else if (machine->state == STATE_FAILED && changed) {
		machine->tries = 0;
		turn_start(turn);
	}
}

/* ---- Tor ---- */

static bool same_bridges(const struct torctl_bridges *one, const struct torctl_bridges *other)
{
	if (one->count != other->count)
		return false;
	for (size_t i = 0; i < one->count; i++)
		if (!torctl_bridge_equal(&one->list[i], &other->list[i]))
			return false;
	return true;
}

/* Is Tor as it was told to be? */
static bool is_as_set(const struct machine *machine, const struct event *event)
{
	static const struct torctl_bridges none;

	return event->tor.network && !event->tor.foreign &&
	       same_bridges(event->tor.bridges ?: &none, &machine->active) &&
	       (machine->active.count > 0 || !event->tor.bridges);
}

/* A daemon before this one had connected it. Whether it fell back to bridges or was told to hide is not
 * known any more: with bridges it is taken for hiding. */
static void adopt(struct turn *turn, const struct event *event)
{
	struct machine *machine = turn->machine;

	machine->mode = event->tor.bridges ? MODE_HIDE : MODE_AUTOMATIC;
	machine->way = event->tor.bridges ? WAY_CHOSEN : WAY_DIRECT;
	machine->chosen.count = machine->active.count = 0;
	if (event->tor.bridges) {
		machine->chosen = *event->tor.bridges;
		machine->plain = torctl_bridges_use(&machine->chosen, TORCTL_TRANSPORT_NONE);
		machine->active = machine->chosen;
	}
	machine->tor_open = true;
	turn_want_leases(turn, turn_transports_needed(&machine->active));
	turn_be_connected(turn);
}

static bool may_adopt(const struct machine *machine, const struct event *event)
{
	return !machine->begun && !machine->stay && machine->linked && event->tor.network &&
	       event->tor.progress == 100 && !event->tor.foreign &&
	       (!event->tor.bridges || event->tor.bridges->count > 0);
}

/* The same Tor, as it was told to be: it was only out of sight. */
static void find_again(struct turn *turn, unsigned progress)
{
	struct machine *machine = turn->machine;

	machine->tor_open = true;
	machine->state = STATE_CONNECTING;
	turn_wait_in(turn, STEP_TOR, "starting", machine->patience.stall_far);
	turn_want_leases(turn, turn_transports_needed(&machine->active));
	if (progress == 100)
		turn_be_connected(turn);
}

static void on_tor_here(struct turn *turn, const struct event *event)
{
	struct machine *machine = turn->machine;
	const bool adopts = machine->mode == MODE_NONE && may_adopt(machine, event);

	machine->tor_here = true;
	machine->begun = true;
	if (adopts) {
		adopt(turn, event);
	} else if (machine->mode == MODE_NONE) {
		/* Nothing is opened by it having come; whatever somebody else has opened is shut. */
		turn_shut_tor(turn);
	} else if (machine->state == STATE_CONNECTING && machine->step == STEP_WAIT_TOR) {
		if (machine->tor_open && is_as_set(machine, event))
			find_again(turn, event->tor.progress);
		else
			turn_start(turn);
	} else if (machine->state == STATE_FAILED && machine->reason == REASON_TOR_MISSING) {
		turn_start(turn);
	} else {
		turn_shut_tor(turn);
		if (machine->state != STATE_FAILED)
			turn_start(turn);
	}
}

static void on_tor_gone(struct turn *turn)
{
	struct machine *machine = turn->machine;

	if (!machine->tor_here)
		return;
	machine->tor_here = false;
	if (machine->state != STATE_CONNECTING && machine->state != STATE_CONNECTED) {
		machine->tor_open = false;
		return;
	}
	machine->state = STATE_CONNECTING;
	machine->bounding = false;
	/* tor_open stays: it may be the same Tor that comes back. */
	turn_wait_in(turn, STEP_WAIT_TOR, "waiting-tor", machine->patience.tor);
	turn_tell(turn);
}

static void be_patient(struct turn *turn)
{
	const struct machine *machine = turn->machine;

	turn_set_timer(turn, machine->way == WAY_DIRECT ? machine->patience.stall
						   : machine->patience.stall_far);
}

static void on_bootstrap(struct turn *turn, const struct event *event)
{
	struct machine *machine = turn->machine;

	if (!machine->tor_open || machine->step != STEP_TOR)
		return;
	if (event->bootstrap.trouble > machine->trouble)
		machine->trouble = event->bootstrap.trouble;
	if (event->bootstrap.progress == 100) {
		turn_be_connected(turn);
		return;
	}
	if (event->bootstrap.progress > machine->progress && !machine->bounding)
		be_patient(turn);
	turn_set_phase(turn, event->bootstrap.progress, event->bootstrap.phase);
	/* Of bridges, Tor says so when there is none left; of relays, for the first that is lost. */
	if (event->bootstrap.hopeless && !machine->heard && !machine->bounding &&
	    (machine->way != WAY_DIRECT || machine->troubles >= RELAYS_LOST))
		turn_leave_way(turn, turn_blame_bridges(machine));
}

static void on_relay(struct turn *turn, enum trouble trouble)
{
	struct machine *machine = turn->machine;

	if (!machine->tor_open)
		return;
	if (trouble != TROUBLE_NONE) {
		machine->troubles++;
	} else if (!machine->heard) {
		machine->heard = machine->heard_any = true;
		/* A Tor that was connected before has no other progress to tell. */
		if (machine->step == STEP_TOR && !machine->bounding)
			be_patient(turn);
	}
	if (trouble > machine->trouble)
		machine->trouble = trouble;
}

/* Tor connects again by itself; if it does not succeed, it is begun anew. */
static void on_liveness(struct turn *turn, bool up)
{
	struct machine *machine = turn->machine;

	if (machine->state == STATE_CONNECTED && !up) {
		machine->state = STATE_CONNECTING;
		turn_wait_in(turn, STEP_TOR, "again", machine->patience.stall_far);
		turn_tell(turn);
	} else if (machine->state == STATE_CONNECTING && machine->step == STEP_TOR && up &&
		   strcmp(machine->phase, "again") == 0) {
		turn_be_connected(turn);
	}
}

/* ---- answers ---- */

static void on_skew(struct turn *turn)
{
	struct machine *machine = turn->machine;

	if (machine->step != STEP_TOR || machine->clock_wrong)
		return;
	machine->clock_wrong = true;
	if (machine->mode == MODE_HIDE) {
		if (!machine->bounding && !turn_bound_clock(turn))
			turn_leave_way(turn, REASON_WRONG_CLOCK);
	} else if (!machine->clock_asked) {
		turn_ask_clock(turn);
	}
}

/* One that did not come. Bridges of others may do. */
static void lose_transport(struct turn *turn, unsigned bit)
{
	struct machine *machine = turn->machine;

	turn_drop_bridges(machine, bit);
	if (machine->active.count == 0)
		turn_leave_way(turn, REASON_TRANSPORT);
	else
		turn_go_on_with_leases(turn);
}

static void on_lease(struct turn *turn, const struct event *event)
{
	struct machine *machine = turn->machine;
	const unsigned bit = 1u << event->lease.transport;

	if (!(machine->leases & bit))
		return;
	if (event->lease.state == LEASE_READY) {
		machine->ready |= bit;
		if (machine->step == STEP_TRANSPORT)
			turn_go_on_with_leases(turn);
		else if (machine->step == STEP_SETTINGS_LEASE)
			turn_ask_settings(turn);
	} else if (event->lease.state == LEASE_LOST) {
		/* The other side has closed it; so that this side does not wait for more. */
		turn_keep_leases(turn, machine->leases & ~bit);
		if (machine->step == STEP_SETTINGS_LEASE || machine->step == STEP_SETTINGS)
			turn_fail(turn, REASON_SETTINGS_UNREACHABLE);
		else if (machine->step == STEP_TRANSPORT)
			lose_transport(turn, bit);
		else if (machine->tor_open) /* it was in use */
			turn_fail(turn, REASON_TRANSPORT);
	}
}

static void on_clock(struct turn *turn, const struct event *event)
{
	struct machine *machine = turn->machine;

	if (machine->state == STATE_CONNECTING && machine->step == STEP_CLOCK) {
		on_network_clock(turn, event->clock.outcome, event->clock.captive);
		return;
	}
	if (!machine->bounding || machine->step != STEP_TOR)
		return;
	machine->bounding = false;
	if (event->clock.outcome == CLOCK_SET) {
		/* Tor begins anew with the right time. */
		machine->clock_wrong = machine->implausible = false;
		turn_shut_tor(turn);
		turn_go_way(turn);
	} else if (event->clock.outcome == CLOCK_RIGHT) {
		machine->clock_wrong = machine->implausible = false;
		turn_set_timer(turn, machine->patience.stall_far);
	} else {
		turn_leave_way(turn, turn_blame_bridges(machine));
	}
}

static void on_settings(struct turn *turn, const struct event *event)
{
	struct machine *machine = turn->machine;

	if (machine->step != STEP_SETTINGS)
		return;
	if (event->settings.outcome == SETTINGS_FAILED) {
		turn_fail(turn, REASON_SETTINGS_UNREACHABLE);
		return;
	}
	if (event->settings.outcome == SETTINGS_FOUND && event->settings.bridges)
		turn_add_all(&machine->chosen, event->settings.bridges, machine->plain);
	for (size_t i = 0; i < machine->defaults->count; i++)
		if (event->settings.outcome == SETTINGS_FOUND &&
		    machine->defaults->list[i].transport != TORCTL_TRANSPORT_NONE &&
		    (event->settings.builtin & 1u << machine->defaults->list[i].transport) &&
		    torctl_bridges_add(&machine->chosen, &machine->defaults->list[i]) < 0)
			break;
	if (machine->chosen.count == 0)
		turn_fail(turn, REASON_SETTINGS_NONE);
	else
		turn_go_way(turn);
}

static void dispatch(struct turn *turn, const struct event *event)
{
	switch (event->kind) {
	case EVENT_CHOOSE:
		on_choose(turn, event);
		break;
	case EVENT_CANCEL:
	case EVENT_FORGET:
		on_no(turn, event->kind == EVENT_CANCEL);
		break;
	case EVENT_RETRY:
		on_retry(turn);
		break;
	case EVENT_LINK:
		on_link(turn, event->up);
		break;
	case EVENT_TOR_HERE:
		on_tor_here(turn, event);
		break;
	case EVENT_TOR_GONE:
		on_tor_gone(turn);
		break;
	case EVENT_TOR_REFUSED:
		if (turn->machine->tor_open)
			turn_fail(turn, REASON_TOR_REFUSED);
		break;
	case EVENT_BOOTSTRAP:
		on_bootstrap(turn, event);
		break;
	case EVENT_RELAY:
		on_relay(turn, event->relay);
		break;
	case EVENT_LIVENESS:
		on_liveness(turn, event->up);
		break;
	case EVENT_SKEW:
		on_skew(turn);
		break;
	case EVENT_LEASE:
		on_lease(turn, event);
		break;
	case EVENT_CLOCK:
		on_clock(turn, event);
		break;
	case EVENT_SETTINGS:
		on_settings(turn, event);
		break;
	case EVENT_TIME:
	default:
		break;
	}
}

void machine_take(struct machine *machine, const struct event *event, struct actions *ret_actions)
{
	struct turn turn = {.machine = machine, .now = event->now_ms, .actions = ret_actions};

	ret_actions->count = 0;
	/* What was due goes first, unless a person has said that something else is to be done. */
	if (machine->timer_ms != 0 && event->now_ms >= machine->timer_ms &&
	    event->kind != EVENT_CHOOSE && event->kind != EVENT_CANCEL && event->kind != EVENT_FORGET)
		on_timer(&turn);
	dispatch(&turn, event);
	if (turn.told)
		turn_act(&turn, ACTION_TELL);
}

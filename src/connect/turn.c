/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The steps of the machine, and between them. */
#include "turn.h"

#include <string.h>

#include <base/cleanup.h>

/* ---- actions ---- */

/* There is room for all that one event can cause; a full list would be a fault of this file. */
struct action *turn_act(struct turn *turn, enum action_kind kind)
{
	struct actions *actions = turn->actions;
	struct action *action = &actions->list[actions->count < ACTIONS_MAX ? actions->count++
									     : ACTIONS_MAX - 1];

	*action = (struct action){.kind = kind};
	return action;
}

void turn_tell(struct turn *turn)
{
	turn->told = true;
}

void turn_set_phase(struct turn *turn, unsigned progress, const char *phase)
{
	struct machine *machine = turn->machine;

	if (machine->progress == progress && strcmp(machine->phase, phase) == 0)
		return;
	machine->progress = progress;
	snprintf(machine->phase, sizeof(machine->phase), "%s", phase);
	turn_tell(turn);
}

void turn_set_timer(struct turn *turn, int64_t after_ms)
{
	turn->machine->timer_ms = turn->now + after_ms;
}

/* Tor without network and without bridges. Told to it once too often rather than not at all. */
void turn_shut_tor(struct turn *turn)
{
	turn->machine->tor_open = false;
	turn->machine->bounding = false;
	if (turn->machine->tor_here)
		turn_act(turn, ACTION_TOR);
}

void turn_keep_leases(struct turn *turn, unsigned keep)
{
	struct machine *machine = turn->machine;

	for (int i = TORCTL_TRANSPORT_OBFS4; i < TORCTL_TRANSPORT_END; i++) {
		if (!(machine->leases & ~keep & 1u << i))
			continue;
		turn_act(turn, ACTION_LEASE_CLOSE)->transport = (enum torctl_transport)i;
		machine->leases &= ~(1u << i);
		machine->ready &= ~(1u << i);
	}
}

void turn_want_leases(struct turn *turn, unsigned wanted)
{
	struct machine *machine = turn->machine;

	for (int i = TORCTL_TRANSPORT_OBFS4; i < TORCTL_TRANSPORT_END; i++) {
		if (!(wanted & ~machine->leases & 1u << i))
			continue;
		machine->leases |= 1u << i;
		turn_act(turn, ACTION_LEASE_OPEN)->transport = (enum torctl_transport)i;
	}
}

/* ---- states ---- */

static void rest(struct turn *turn)
{
	struct machine *machine = turn->machine;

	turn_shut_tor(turn);
	turn_keep_leases(turn, 0);
	machine->step = STEP_NONE;
	machine->timer_ms = 0;
	turn_set_phase(turn, 0, "");
	turn_tell(turn);
}

/* Nobody has chosen to connect. */
void turn_be_idle(struct turn *turn)
{
	struct machine *machine = turn->machine;

	rest(turn);
	machine->mode = MODE_NONE;
	machine->chosen.count = 0;
	machine->active.count = 0;
	machine->reason = REASON_NONE;
	machine->state = machine->linked && !machine->stay ? STATE_ASKED : STATE_OFFLINE;
}

void turn_fail(struct turn *turn, enum reason reason)
{
	struct machine *machine = turn->machine;
	int64_t pause = machine->patience.retry;

	rest(turn);
	machine->state = STATE_FAILED;
	machine->reason = reason;
	if (!reason_passes(reason))
		return;
	for (unsigned i = 0; i < machine->tries && pause < machine->patience.retry_most; i++)
		pause *= 2;
	machine->tries++;
	turn_set_timer(turn, pause < machine->patience.retry_most ? pause : machine->patience.retry_most);
}

void turn_be_connected(struct turn *turn)
{
	struct machine *machine = turn->machine;

	machine->state = STATE_CONNECTED;
	machine->step = STEP_NONE;
	machine->timer_ms = 0;
	machine->tries = 0;
	machine->clock_wrong = machine->implausible = false;
	machine->heard = machine->heard_any = true;
	turn_set_phase(turn, 100, "done");
	turn_tell(turn);
	if (machine->clock_bounded)
		return;
	machine->clock_bounded = true;
	turn_act(turn, ACTION_CLOCK)->network = false;
}

void turn_wait_in(struct turn *turn, enum step step, const char *phase, int64_t after_ms)
{
	turn->machine->step = step;
	turn_set_phase(turn, 0, phase);
	turn_set_timer(turn, after_ms);
}

/* ---- ways ---- */

static enum torctl_transport transport_of(enum way way)
{
	switch (way) {
	case WAY_OBFS4:
		return TORCTL_TRANSPORT_OBFS4;
	case WAY_SNOWFLAKE:
		return TORCTL_TRANSPORT_SNOWFLAKE;
	case WAY_MEEK:
		return TORCTL_TRANSPORT_MEEK;
	case WAY_DIRECT:
	case WAY_END:
	case WAY_CHOSEN:
	default:
		return TORCTL_TRANSPORT_NONE;
	}
}

void turn_add_all(struct torctl_bridges *to, const struct torctl_bridges *from, bool plain)
{
	for (size_t i = 0; i < from->count; i++)
		if ((plain || from->list[i].transport != TORCTL_TRANSPORT_NONE) &&
		    torctl_bridges_add(to, &from->list[i]) < 0)
			return;
}

/* The bridges of the way that is to be gone. */
static void collect_bridges(struct machine *machine)
{
	machine->active.count = 0;
	if (machine->way == WAY_CHOSEN) {
		turn_add_all(&machine->active, &machine->chosen, machine->plain);
	} else if (machine->way != WAY_DIRECT) {
		for (size_t i = 0; i < machine->defaults->count; i++)
			if (machine->defaults->list[i].transport == transport_of(machine->way) &&
			    torctl_bridges_add(&machine->active, &machine->defaults->list[i]) < 0)
				break;
	}
	torctl_settings_fit(&machine->active);
}

/* The next of the system's own ways for which it has bridges. */
static bool find_next_way(struct machine *machine)
{
	while (machine->way < WAY_END) {
		machine->way++;
		if (machine->way == WAY_END)
			break;
		collect_bridges(machine);
		if (machine->active.count > 0)
			return true;
	}
	return false;
}

unsigned turn_transports_needed(const struct torctl_bridges *bridges)
{
	unsigned needed = 0;

	for (size_t i = 0; i < bridges->count; i++)
		if (bridges->list[i].transport != TORCTL_TRANSPORT_NONE)
			needed |= 1u << bridges->list[i].transport;
	return needed;
}

/* Those that need one of these transports. */
void turn_drop_bridges(struct machine *machine, unsigned transports)
{
	struct torctl_bridges *active = &machine->active;
	size_t kept = 0;

	for (size_t i = 0; i < active->count; i++)
		if (active->list[i].transport == TORCTL_TRANSPORT_NONE ||
		    !(transports & 1u << active->list[i].transport))
			active->list[kept++] = active->list[i];
	active->count = kept;
}

/* Tor gets the network: here alone. */
void turn_open_tor(struct turn *turn)
{
	struct machine *machine = turn->machine;
	struct action *action = turn_act(turn, ACTION_TOR);

	action->network = true;
	action->bridges = machine->active.count > 0 ? &machine->active : NULL;
	machine->tor_open = true;
	machine->heard = false;
	machine->trouble = TROUBLE_NONE;
	machine->troubles = 0;
	turn_wait_in(turn, STEP_TOR, "starting",
		machine->way == WAY_DIRECT ? machine->patience.stall : machine->patience.stall_far);
}

void turn_go_on_with_leases(struct turn *turn)
{
	struct machine *machine = turn->machine;

	if ((turn_transports_needed(&machine->active) & ~machine->ready) == 0)
		turn_open_tor(turn);
}

void turn_go_way(struct turn *turn)
{
	struct machine *machine = turn->machine;
	unsigned needed;

	collect_bridges(machine);
	if (machine->way != WAY_DIRECT && machine->active.count == 0) {
		turn_fail(turn, REASON_NO_BRIDGES);
		return;
	}
	needed = turn_transports_needed(&machine->active);
	turn_keep_leases(turn, needed);
	turn_want_leases(turn, needed);
	turn_wait_in(turn, STEP_TRANSPORT, "transport", machine->patience.lease);
	turn_go_on_with_leases(turn);
}

void turn_ask_clock(struct turn *turn)
{
	struct machine *machine = turn->machine;

	turn_shut_tor(turn);
	machine->clock_asked = true;
	turn_act(turn, ACTION_CLOCK)->network = true;
	turn_wait_in(turn, STEP_CLOCK, "clock", machine->patience.clock);
}

void turn_ask_settings(struct turn *turn)
{
	struct machine *machine = turn->machine;
	const unsigned meek = 1u << TORCTL_TRANSPORT_MEEK;

	if (!(machine->ready & meek)) {
		turn_keep_leases(turn, meek);
		turn_want_leases(turn, meek);
		turn_wait_in(turn, STEP_SETTINGS_LEASE, "settings", machine->patience.lease);
		return;
	}
	turn_act(turn, ACTION_SETTINGS)->country = machine->country;
	turn_wait_in(turn, STEP_SETTINGS, "settings", machine->patience.settings);
}

/* From the beginning, as it was chosen. */
void turn_start(struct turn *turn)
{
	struct machine *machine = turn->machine;

	if (!machine->linked) {
		turn_fail(turn, REASON_NO_NETWORK);
		return;
	}
	turn_shut_tor(turn);
	machine->state = STATE_CONNECTING;
	machine->reason = REASON_NONE;
	machine->way = machine->mode == MODE_HIDE && !machine->use_defaults ? WAY_CHOSEN
									    : WAY_DIRECT;
	machine->clock_asked = machine->clock_bounded = machine->clock_wrong = false;
	machine->way_failed = machine->heard_any = false;
	turn_tell(turn);
	if (!machine->tor_here)
		turn_wait_in(turn, STEP_WAIT_TOR, "waiting-tor", machine->patience.tor);
	else if (machine->mode == MODE_AUTOMATIC && machine->implausible)
		turn_ask_clock(turn);
	else if (machine->mode == MODE_HIDE && machine->ask && machine->chosen.count == 0)
		turn_ask_settings(turn);
	else if (machine->mode == MODE_HIDE && machine->use_defaults && !find_next_way(machine))
		turn_fail(turn, REASON_NO_BRIDGES);
	else
		turn_go_way(turn);
}

/* ---- what goes wrong ---- */

/* Why the only bridges that there are do not work. */
enum reason turn_blame_bridges(const struct machine *machine)
{
	if (machine->heard)
		return REASON_STALLED;
	switch (machine->trouble) {
	case TROUBLE_IDENTITY:
		return REASON_BRIDGE_LIES;
	case TROUBLE_REFUSED:
		return REASON_BRIDGE_REFUSED;
	case TROUBLE_NONE:
	case TROUBLE_SILENT:
	default:
		return REASON_BRIDGE_SILENT;
	}
}

void turn_go_next_way(struct turn *turn, enum reason last)
{
	struct machine *machine = turn->machine;

	if ((machine->mode == MODE_AUTOMATIC || machine->use_defaults) && find_next_way(machine))
		turn_go_way(turn);
	else if (machine->clock_wrong || machine->implausible)
		turn_fail(turn, REASON_WRONG_CLOCK);
	else if (machine->mode == MODE_HIDE)
		turn_fail(turn, last);
	else
		turn_fail(turn, machine->heard_any ? REASON_STALLED : REASON_CENSORED);
}

void turn_leave_way(struct turn *turn, enum reason last)
{
	struct machine *machine = turn->machine;

	turn_shut_tor(turn);
	machine->state = STATE_CONNECTING;
	turn_tell(turn);
	/* A login page or a wrong clock look like censorship: who may ask, asks first. */
	if (machine->mode == MODE_AUTOMATIC && !machine->clock_asked) {
		machine->way_failed = true;
		turn_ask_clock(turn);
		return;
	}
	turn_go_next_way(turn, last);
}

/* Tor's list of relays tells the time as well, and asking it sends nothing. */
bool turn_bound_clock(struct turn *turn)
{
	struct machine *machine = turn->machine;

	if (machine->clock_bounded)
		return false;
	machine->clock_bounded = machine->bounding = true;
	turn_act(turn, ACTION_CLOCK)->network = false;
	turn_set_timer(turn, machine->patience.clock);
	return true;
}

void turn_give_up_tor(struct turn *turn)
{
	struct machine *machine = turn->machine;

	if (machine->bounding) { /* no answer came */
		machine->bounding = false;
	} else if (machine->mode == MODE_HIDE && machine->heard && turn_bound_clock(turn)) {
		return;
	}
	turn_leave_way(turn, turn_blame_bridges(machine));
}

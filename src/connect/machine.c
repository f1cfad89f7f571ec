/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "machine.h"

#include <string.h>

#include <base/cleanup.h>

#define RELAYS_LOST 3 /* that refuse, before a direct connection is given up early */

/* One event's work. */
struct turn {
	struct machine *machine;
	int64_t now;
	struct actions *actions;
	bool told;
};

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

/* ---- actions ---- */

/* There is room for all that one event can cause; a full list would be a fault of this file. */
static struct action *act(struct turn *turn, enum action_kind kind)
{
	struct actions *actions = turn->actions;
	struct action *action = &actions->list[actions->count < ACTIONS_MAX ? actions->count++
									     : ACTIONS_MAX - 1];

	*action = (struct action){.kind = kind};
	return action;
}

static void tell(struct turn *turn)
{
	turn->told = true;
}

static void set_phase(struct turn *turn, unsigned progress, const char *phase)
{
	struct machine *machine = turn->machine;

	if (machine->progress == progress && strcmp(machine->phase, phase) == 0)
		return;
	machine->progress = progress;
	snprintf(machine->phase, sizeof(machine->phase), "%s", phase);
	tell(turn);
}

static void set_timer(struct turn *turn, int64_t after_ms)
{
	turn->machine->timer_ms = turn->now + after_ms;
}

/* Tor without network and without bridges. Told to it once too often rather than not at all. */
static void shut_tor(struct turn *turn)
{
	turn->machine->tor_open = false;
	turn->machine->bounding = false;
	if (turn->machine->tor_here)
		act(turn, ACTION_TOR);
}

static void keep_leases(struct turn *turn, unsigned keep)
{
	struct machine *machine = turn->machine;

	for (int i = TORCTL_TRANSPORT_OBFS4; i < TORCTL_TRANSPORT_END; i++) {
		if (!(machine->leases & ~keep & 1u << i))
			continue;
		act(turn, ACTION_LEASE_CLOSE)->transport = (enum torctl_transport)i;
		machine->leases &= ~(1u << i);
		machine->ready &= ~(1u << i);
	}
}

static void want_leases(struct turn *turn, unsigned wanted)
{
	struct machine *machine = turn->machine;

	for (int i = TORCTL_TRANSPORT_OBFS4; i < TORCTL_TRANSPORT_END; i++) {
		if (!(wanted & ~machine->leases & 1u << i))
			continue;
		machine->leases |= 1u << i;
		act(turn, ACTION_LEASE_OPEN)->transport = (enum torctl_transport)i;
	}
}

/* ---- states ---- */

static void rest(struct turn *turn)
{
	struct machine *machine = turn->machine;

	shut_tor(turn);
	keep_leases(turn, 0);
	machine->step = STEP_NONE;
	machine->timer_ms = 0;
	set_phase(turn, 0, "");
	tell(turn);
}

/* Nobody has chosen to connect. */
static void be_idle(struct turn *turn)
{
	struct machine *machine = turn->machine;

	rest(turn);
	machine->mode = MODE_NONE;
	machine->chosen.count = 0;
	machine->active.count = 0;
	machine->reason = REASON_NONE;
	machine->state = machine->linked && !machine->stay ? STATE_ASKED : STATE_OFFLINE;
}

static void fail(struct turn *turn, enum reason reason)
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
	set_timer(turn, pause < machine->patience.retry_most ? pause : machine->patience.retry_most);
}

static void be_connected(struct turn *turn)
{
	struct machine *machine = turn->machine;

	machine->state = STATE_CONNECTED;
	machine->step = STEP_NONE;
	machine->timer_ms = 0;
	machine->tries = 0;
	machine->clock_wrong = machine->implausible = false;
	machine->heard = machine->heard_any = true;
	set_phase(turn, 100, "done");
	tell(turn);
	if (machine->clock_bounded)
		return;
	machine->clock_bounded = true;
	act(turn, ACTION_CLOCK)->network = false;
}

static void wait_in(struct turn *turn, enum step step, const char *phase, int64_t after_ms)
{
	turn->machine->step = step;
	set_phase(turn, 0, phase);
	set_timer(turn, after_ms);
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

static void add_all(struct torctl_bridges *to, const struct torctl_bridges *from, bool plain)
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
		add_all(&machine->active, &machine->chosen, machine->plain);
	} else if (machine->way != WAY_DIRECT) {
		for (size_t i = 0; i < machine->defaults->count; i++)
			if (machine->defaults->list[i].transport == transport_of(machine->way) &&
			    torctl_bridges_add(&machine->active, &machine->defaults->list[i]) < 0)
				return;
	}
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

static unsigned transports_needed(const struct torctl_bridges *bridges)
{
	unsigned needed = 0;

	for (size_t i = 0; i < bridges->count; i++)
		if (bridges->list[i].transport != TORCTL_TRANSPORT_NONE)
			needed |= 1u << bridges->list[i].transport;
	return needed;
}

/* Those that need one of these transports. */
static void drop_bridges(struct machine *machine, unsigned transports)
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
static void open_tor(struct turn *turn)
{
	struct machine *machine = turn->machine;
	struct action *action = act(turn, ACTION_TOR);

	action->network = true;
	action->bridges = machine->active.count > 0 ? &machine->active : NULL;
	machine->tor_open = true;
	machine->heard = false;
	machine->trouble = TROUBLE_NONE;
	machine->troubles = 0;
	wait_in(turn, STEP_TOR, "starting",
		machine->way == WAY_DIRECT ? machine->patience.stall : machine->patience.stall_far);
}

static void go_on_with_leases(struct turn *turn)
{
	struct machine *machine = turn->machine;

	if ((transports_needed(&machine->active) & ~machine->ready) == 0)
		open_tor(turn);
}

static void go_way(struct turn *turn)
{
	struct machine *machine = turn->machine;
	unsigned needed;

	collect_bridges(machine);
	if (machine->way != WAY_DIRECT && machine->active.count == 0) {
		fail(turn, REASON_NO_BRIDGES);
		return;
	}
	needed = transports_needed(&machine->active);
	keep_leases(turn, needed);
	want_leases(turn, needed);
	wait_in(turn, STEP_TRANSPORT, "transport", machine->patience.lease);
	go_on_with_leases(turn);
}

static void ask_clock(struct turn *turn)
{
	struct machine *machine = turn->machine;

	shut_tor(turn);
	machine->clock_asked = true;
	act(turn, ACTION_CLOCK)->network = true;
	wait_in(turn, STEP_CLOCK, "clock", machine->patience.clock);
}

static void ask_settings(struct turn *turn)
{
	struct machine *machine = turn->machine;
	const unsigned meek = 1u << TORCTL_TRANSPORT_MEEK;

	if (!(machine->ready & meek)) {
		keep_leases(turn, meek);
		want_leases(turn, meek);
		wait_in(turn, STEP_SETTINGS_LEASE, "settings", machine->patience.lease);
		return;
	}
	act(turn, ACTION_SETTINGS)->country = machine->country;
	wait_in(turn, STEP_SETTINGS, "settings", machine->patience.settings);
}

/* From the beginning, as it was chosen. */
static void start(struct turn *turn)
{
	struct machine *machine = turn->machine;

	if (!machine->linked) {
		fail(turn, REASON_NO_NETWORK);
		return;
	}
	shut_tor(turn);
	machine->state = STATE_CONNECTING;
	machine->reason = REASON_NONE;
	machine->way = machine->mode == MODE_HIDE && !machine->use_defaults ? WAY_CHOSEN
									    : WAY_DIRECT;
	machine->clock_asked = machine->clock_bounded = machine->clock_wrong = false;
	machine->way_failed = machine->heard_any = false;
	tell(turn);
	if (!machine->tor_here)
		wait_in(turn, STEP_WAIT_TOR, "waiting-tor", machine->patience.tor);
	else if (machine->mode == MODE_AUTOMATIC && machine->implausible)
		ask_clock(turn);
	else if (machine->mode == MODE_HIDE && machine->ask && machine->chosen.count == 0)
		ask_settings(turn);
	else if (machine->mode == MODE_HIDE && machine->use_defaults && !find_next_way(machine))
		fail(turn, REASON_NO_BRIDGES);
	else
		go_way(turn);
}

/* ---- what goes wrong ---- */

/* Why the only bridges that there are do not work. */
static enum reason blame_bridges(const struct machine *machine)
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

static void go_next_way(struct turn *turn, enum reason last)
{
	struct machine *machine = turn->machine;

	if ((machine->mode == MODE_AUTOMATIC || machine->use_defaults) && find_next_way(machine))
		go_way(turn);
	else if (machine->clock_wrong || machine->implausible)
		fail(turn, REASON_WRONG_CLOCK);
	else if (machine->mode == MODE_HIDE)
		fail(turn, last);
	else
		fail(turn, machine->heard_any ? REASON_STALLED : REASON_CENSORED);
}

static void leave_way(struct turn *turn, enum reason last)
{
	struct machine *machine = turn->machine;

	shut_tor(turn);
	machine->state = STATE_CONNECTING;
	tell(turn);
	/* A login page or a wrong clock look like censorship: who may ask, asks first. */
	if (machine->mode == MODE_AUTOMATIC && !machine->clock_asked) {
		machine->way_failed = true;
		ask_clock(turn);
		return;
	}
	go_next_way(turn, last);
}

/* Tor's list of relays tells the time as well, and asking it sends nothing. */
static bool bound_clock(struct turn *turn)
{
	struct machine *machine = turn->machine;

	if (machine->clock_bounded)
		return false;
	machine->clock_bounded = machine->bounding = true;
	act(turn, ACTION_CLOCK)->network = false;
	set_timer(turn, machine->patience.clock);
	return true;
}

static void give_up_tor(struct turn *turn)
{
	struct machine *machine = turn->machine;

	if (machine->bounding) { /* no answer came */
		machine->bounding = false;
	} else if (machine->mode == MODE_HIDE && machine->heard && bound_clock(turn)) {
		return;
	}
	leave_way(turn, blame_bridges(machine));
}

static void on_skew(struct turn *turn)
{
	struct machine *machine = turn->machine;

	if (machine->step != STEP_TOR || machine->clock_wrong)
		return;
	machine->clock_wrong = true;
	if (machine->mode == MODE_HIDE) {
		if (!machine->bounding && !bound_clock(turn))
			leave_way(turn, REASON_WRONG_CLOCK);
	} else if (!machine->clock_asked) {
		ask_clock(turn);
	}
}

static void on_network_clock(struct turn *turn, enum clock_outcome outcome, bool captive)
{
	struct machine *machine = turn->machine;
	const bool failed = machine->way_failed;

	machine->way_failed = false;
	if (captive) {
		fail(turn, REASON_CAPTIVE_PORTAL);
		return;
	}
	if (outcome == CLOCK_SET || outcome == CLOCK_RIGHT)
		machine->clock_wrong = machine->implausible = false;
	if (machine->clock_wrong)
		fail(turn, REASON_WRONG_CLOCK);
	else if (failed && outcome != CLOCK_SET)
		go_next_way(turn, REASON_CENSORED);
	else /* begun anew: it may have failed for want of the time */
		go_way(turn);
}

/* ---- timers ---- */

/* What is there must do. */
static void go_with_some(struct turn *turn)
{
	struct machine *machine = turn->machine;

	drop_bridges(machine, ~machine->ready);
	if (machine->active.count == 0) {
		leave_way(turn, REASON_TRANSPORT);
		return;
	}
	keep_leases(turn, transports_needed(&machine->active));
	open_tor(turn);
}

static void on_timer(struct turn *turn)
{
	struct machine *machine = turn->machine;

	machine->timer_ms = 0;
	if (machine->state == STATE_FAILED) {
		start(turn);
		return;
	}
	if (machine->state != STATE_CONNECTING)
		return;
	switch (machine->step) {
	case STEP_WAIT_TOR:
		fail(turn, REASON_TOR_MISSING);
		break;
	case STEP_CLOCK:
		on_network_clock(turn, CLOCK_UNKNOWN, false);
		break;
	case STEP_SETTINGS_LEASE:
	case STEP_SETTINGS:
		fail(turn, REASON_SETTINGS_UNREACHABLE);
		break;
	case STEP_TRANSPORT:
		go_with_some(turn);
		break;
	case STEP_TOR:
	case STEP_NONE:
	default:
		give_up_tor(turn);
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
	start(turn);
}

static void on_retry(struct turn *turn)
{
	struct machine *machine = turn->machine;

	machine->tries = 0;
	if (machine->mode != MODE_NONE)
		start(turn);
	else if (machine->stay) {
		/* Nothing was chosen that could be tried again: the question is put again. */
		machine->stay = false;
		be_idle(turn);
	}
}

static void on_link(struct turn *turn, bool up)
{
	struct machine *machine = turn->machine;
	const bool changed = machine->linked != up;

	machine->linked = up;
	if (machine->mode == MODE_NONE) {
		if (changed)
			be_idle(turn);
	} else if (!up) {
		if (machine->state != STATE_FAILED || changed)
			fail(turn, REASON_NO_NETWORK);
	} else if (machine->state == STATE_FAILED && changed) {
		machine->tries = 0;
		start(turn);
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
	want_leases(turn, transports_needed(&machine->active));
	be_connected(turn);
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
	wait_in(turn, STEP_TOR, "starting", machine->patience.stall_far);
	want_leases(turn, transports_needed(&machine->active));
	if (progress == 100)
		be_connected(turn);
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
		shut_tor(turn);
	} else if (machine->state == STATE_CONNECTING && machine->step == STEP_WAIT_TOR) {
		if (machine->tor_open && is_as_set(machine, event))
			find_again(turn, event->tor.progress);
		else
			start(turn);
	} else if (machine->state == STATE_FAILED && machine->reason == REASON_TOR_MISSING) {
		start(turn);
	} else {
		shut_tor(turn);
		if (machine->state != STATE_FAILED)
			start(turn);
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
	wait_in(turn, STEP_WAIT_TOR, "waiting-tor", machine->patience.tor);
	tell(turn);
}

static void be_patient(struct turn *turn)
{
	const struct machine *machine = turn->machine;

	set_timer(turn, machine->way == WAY_DIRECT ? machine->patience.stall
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
		be_connected(turn);
		return;
	}
	if (event->bootstrap.progress > machine->progress && !machine->bounding)
		be_patient(turn);
	set_phase(turn, event->bootstrap.progress, event->bootstrap.phase);
	/* Of bridges, Tor says so when there is none left; of relays, for the first that is lost. */
	if (event->bootstrap.hopeless && !machine->heard && !machine->bounding &&
	    (machine->way != WAY_DIRECT || machine->troubles >= RELAYS_LOST))
		leave_way(turn, blame_bridges(machine));
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
		wait_in(turn, STEP_TOR, "again", machine->patience.stall_far);
		tell(turn);
	} else if (machine->state == STATE_CONNECTING && machine->step == STEP_TOR && up &&
		   strcmp(machine->phase, "again") == 0) {
		be_connected(turn);
	}
}

/* ---- answers ---- */

/* One that did not come. Bridges of others may do. */
static void lose_transport(struct turn *turn, unsigned bit)
{
	struct machine *machine = turn->machine;

	drop_bridges(machine, bit);
	if (machine->active.count == 0)
		leave_way(turn, REASON_TRANSPORT);
	else
		go_on_with_leases(turn);
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
			go_on_with_leases(turn);
		else if (machine->step == STEP_SETTINGS_LEASE)
			ask_settings(turn);
	} else if (event->lease.state == LEASE_LOST) {
		/* The other side has closed it; so that this side does not wait for more. */
		keep_leases(turn, machine->leases & ~bit);
		if (machine->step == STEP_SETTINGS_LEASE || machine->step == STEP_SETTINGS)
			fail(turn, REASON_SETTINGS_UNREACHABLE);
		else if (machine->step == STEP_TRANSPORT)
			lose_transport(turn, bit);
		else if (machine->tor_open) /* it was in use */
			fail(turn, REASON_TRANSPORT);
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
		machine->clock_wrong = false;
		shut_tor(turn);
		go_way(turn);
	} else if (event->clock.outcome == CLOCK_RIGHT) {
		machine->clock_wrong = false;
		set_timer(turn, machine->patience.stall_far);
	} else {
		leave_way(turn, blame_bridges(machine));
	}
}

static void on_settings(struct turn *turn, const struct event *event)
{
	struct machine *machine = turn->machine;

	if (machine->step != STEP_SETTINGS)
		return;
	if (event->settings.outcome == SETTINGS_FAILED) {
		fail(turn, REASON_SETTINGS_UNREACHABLE);
		return;
	}
	if (event->settings.outcome == SETTINGS_FOUND && event->settings.bridges)
		add_all(&machine->chosen, event->settings.bridges, machine->plain);
	for (size_t i = 0; i < machine->defaults->count; i++)
		if (event->settings.outcome == SETTINGS_FOUND &&
		    machine->defaults->list[i].transport != TORCTL_TRANSPORT_NONE &&
		    (event->settings.builtin & 1u << machine->defaults->list[i].transport) &&
		    torctl_bridges_add(&machine->chosen, &machine->defaults->list[i]) < 0)
			break;
	if (machine->chosen.count == 0)
		fail(turn, REASON_SETTINGS_NONE);
	else
		go_way(turn);
}

static void dispatch(struct turn *turn, const struct event *event)
{
	switch (event->kind) {
	case EVENT_CHOOSE:
		on_choose(turn, event);
		break;
	case EVENT_CANCEL:
	case EVENT_FORGET:
		turn->machine->stay = event->kind == EVENT_CANCEL;
		be_idle(turn);
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
			fail(turn, REASON_TOR_REFUSED);
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
		act(&turn, ACTION_TELL);
}

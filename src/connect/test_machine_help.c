/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "test_machine.h"

void trial_begin(struct trial *trial, const char *defaults)
{
	memset(trial, 0, sizeof(*trial));
	trial->now = 1000;
	if (defaults)
		assert_int_equal(torctl_bridges_parse(defaults, strlen(defaults), &trial->defaults,
						      NULL),
				 0);
	machine_init(&trial->machine, STALL, &trial->defaults);
}

static void do_action(struct trial *trial, const struct action *action)
{
	switch (action->kind) {
	case ACTION_TOR:
		assert_true(trial->tor_here);
		trial->tor_network = action->network;
		trial->opened += action->network;
		trial->tor_bridges.count = 0;
		if (action->bridges)
			trial->tor_bridges = *action->bridges;
		break;
	case ACTION_LEASE_OPEN:
		assert_false(trial->leases & 1u << action->transport);
		trial->leases |= 1u << action->transport;
		break;
	case ACTION_LEASE_CLOSE:
		assert_true(trial->leases & 1u << action->transport);
		trial->leases &= ~(1u << action->transport);
		break;
	case ACTION_CLOCK:
		*(action->network ? &trial->network_clocks : &trial->consensus_clocks) += 1;
		break;
	case ACTION_SETTINGS:
		trial->settings++;
		break;
	case ACTION_TELL:
		break;
	}
}

void trial_take(struct trial *trial, struct event event)
{
	trial->now++;
	event.now_ms = trial->now;
	if (event.kind == EVENT_TOR_HERE)
		trial->tor_here = true;
	machine_take(&trial->machine, &event, &trial->actions);
	assert_true(trial->actions.count < ACTIONS_MAX);
	for (size_t i = 0; i < trial->actions.count; i++)
		do_action(trial, &trial->actions.list[i]);
	/* What a timer wanted of it at the last moment is in vain. */
	if (event.kind == EVENT_TOR_GONE)
		trial->tor_here = trial->tor_network = false;
}

void trial_link(struct trial *trial, bool up)
{
	trial_take(trial, (struct event){.kind = EVENT_LINK, .up = up});
}

void trial_tor(struct trial *trial)
{
	trial_take(trial, (struct event){.kind = EVENT_TOR_HERE});
}

void trial_choose(struct trial *trial, struct choice choice)
{
	assert_null(choice_check(&choice, &trial->defaults));
	trial_take(trial, (struct event){.kind = EVENT_CHOOSE,
					 .choose = {.choice = &choice, .plausible = true}});
}

void trial_automatic(struct trial *trial)
{
	trial_choose(trial, (struct choice){.mode = MODE_AUTOMATIC});
}

void trial_hide(struct trial *trial, const char *lines)
{
	trial->given.count = 0;
	if (lines)
		assert_int_equal(
		    torctl_bridges_parse(lines, strlen(lines), &trial->given, NULL), 0);
	trial_choose(trial, (struct choice){.mode = MODE_HIDE, .bridges = &trial->given});
}

void trial_simple(struct trial *trial, enum event_kind kind)
{
	trial_take(trial, (struct event){.kind = kind});
}

void trial_bootstrap(struct trial *trial, unsigned progress)
{
	trial_take(trial, (struct event){.kind = EVENT_BOOTSTRAP,
					 .bootstrap = {.progress = progress, .phase = "conn"}});
}

void trial_problem(struct trial *trial, enum trouble trouble, bool hopeless)
{
	trial_take(trial,
		   (struct event){.kind = EVENT_BOOTSTRAP,
				  .bootstrap = {.progress = trial->machine.progress,
						.phase = "conn",
						.trouble = trouble,
						.hopeless = hopeless}});
}

void trial_relay(struct trial *trial, enum trouble trouble)
{
	trial_take(trial, (struct event){.kind = EVENT_RELAY, .relay = trouble});
}

void trial_lease(struct trial *trial, enum torctl_transport transport, enum lease_state state)
{
	trial_take(trial, (struct event){.kind = EVENT_LEASE,
					 .lease = {.transport = transport, .state = state}});
}

void trial_clock(struct trial *trial, enum clock_outcome outcome, bool captive)
{
	trial_take(trial, (struct event){.kind = EVENT_CLOCK,
					 .clock = {.outcome = outcome, .captive = captive}});
}

void trial_wait(struct trial *trial)
{
	assert_true(trial->machine.timer_ms != 0);
	trial->now = trial->machine.timer_ms;
	trial_simple(trial, EVENT_TIME);
}

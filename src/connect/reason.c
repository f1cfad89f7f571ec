/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "reason.h"

#include <string.h>

#include <base/cleanup.h>

#include "words.h"

struct explanation {
	const char *name, *text, *advice;
	bool passes;
};

static const struct explanation explanations[REASON_END] = {
    [REASON_NONE] = {"", "", "", false},
    [REASON_NO_NETWORK] = {"no-network", N_("This computer is not connected to any network."),
			   N_("Plug in a network cable, or choose a Wi-Fi network. The connection "
			      "goes on by itself when there is a network."),
			   false},
    [REASON_CAPTIVE_PORTAL] =
	{"captive-portal",
	 N_("This network seems to want that you log in or agree to something first."),
	 N_("Open its page with the Unsafe Browser, then: lethe-connect retry. Or try another "
	    "network."),
	 true},
    [REASON_WRONG_CLOCK] =
	{"wrong-clock", N_("The clock of this computer is wrong, and Tor cannot work with it."),
	 N_("Set the clock to the right time (UTC) in the computer's firmware setup and start "
	    "again. Where it may be known that you use Tor, connect automatically instead: then "
	    "the clock is set from the network."),
	 false},
    [REASON_TOR_MISSING] = {"tor-missing", N_("Tor does not run, or does not answer."),
			    N_("Wait a moment: it is started again by itself. If it stays so, "
			       "restart the computer."),
			    true},
    [REASON_TOR_REFUSED] = {"tor-refused", N_("Tor did not accept these settings."),
			    N_("Check the bridges that you entered, or choose again: "
			       "lethe-connect."),
			    false},
    [REASON_TRANSPORT] =
	{"transport", N_("The program that hides the connection to the bridge did not start, or ended."),
	 N_("Try a bridge of another kind (obfs4, snowflake, meek_lite)."), true},
    [REASON_BRIDGE_REFUSED] =
	{"bridge-refused", N_("The bridge refuses connections: it may be off, or its line may be wrong."),
	 N_("Check the bridge line for mistakes, or ask for another bridge."), true},
    [REASON_BRIDGE_SILENT] =
	{"bridge-silent", N_("The bridge does not answer: it may be off, or this network may block it, or want a login "
	    "first."),
	 N_("Check the bridge line for mistakes, ask for another bridge, or try another network."),
	 true},
    [REASON_BRIDGE_LIES] =
	{"bridge-lies", N_("What answers at the bridge's address is not that bridge."),
	 N_("Do not use this bridge: its line is wrong, or somebody pretends to be it. Ask for "
	    "another bridge."),
	 false},
    [REASON_STALLED] =
	{"stalled", N_("The connection to Tor began, but does not go on: the network may be very "
		       "slow, or disturb Tor."),
	 N_("Wait: it is tried again. If it stays so, use a bridge or another network."), true},
    [REASON_CENSORED] =
	{"censored", N_("No way to Tor works here: this network may block Tor."),
	 N_("Get a bridge that is not known to everybody, and enter it: lethe-connect hide. Or try "
	    "another network."),
	 true},
    [REASON_SETTINGS_UNREACHABLE] =
	{"settings-unreachable", N_("The service that gives bridges cannot be reached from here."),
	 N_("Get a bridge line in another way (from somebody you trust, or by e-mail from another "
	    "computer), and enter it: lethe-connect hide."),
	 false},
    [REASON_SETTINGS_NONE] =
	{"settings-none", N_("The service that gives bridges has none that can be used here."),
	 N_("Name another country, or enter a bridge line that you got in another way: "
	    "lethe-connect hide."),
	 false},
    [REASON_NO_BRIDGES] = {"no-bridges", N_("This system has no bridges of its own."),
			   N_("Enter a bridge line: lethe-connect hide."), false},
};

static const struct explanation *explain(enum reason reason)
{
	return &explanations[reason > 0 && reason < REASON_END ? reason : REASON_NONE];
}

const char *reason_name(enum reason reason)
{
	return explain(reason)->name;
}

const char *reason_text(enum reason reason)
{
	return explain(reason)->text;
}

const char *reason_advice(enum reason reason)
{
	return explain(reason)->advice;
}

bool reason_passes(enum reason reason)
{
	return explain(reason)->passes;
}

/* Tor's names: control-spec, "Bootstrap phases". A name stands for all that begin with it. */
const char *phase_text(const char *phase)
{
	static const struct {
		const char *begin, *text;
	} phases[] = {
	    {"waiting-tor", N_("Waiting for Tor to start")},
	    {"clock", N_("Checking the clock")},
	    {"settings", N_("Asking for bridges")},
	    {"transport", N_("Starting what hides the connection to the bridge")},
	    {"again", N_("Connecting again, because nothing comes from the network")},
	    {"starting", N_("Starting")},
	    {"conn", N_("Connecting to the first relay")},
	    {"handshake", N_("Agreeing on encryption with the first relay")},
	    {"onehop", N_("Talking to the first relay")},
	    {"requesting_status", N_("Asking which relays there are")},
	    {"loading_status", N_("Loading the list of relays")},
	    {"loading_keys", N_("Loading the keys of the authorities")},
	    {"requesting_desc", N_("Asking for the keys of the relays")},
	    {"loading_desc", N_("Loading the keys of the relays")},
	    {"enough_dirinfo", N_("Knowing enough relays")},
	    {"ap_", N_("Connecting to a relay for you")},
	    {"circuit_create", N_("Building a way through Tor")},
	    {"done", N_("Connected to Tor")},
	};

	for (size_t i = 0; i < ARRAY_SIZE(phases); i++)
		if (strncmp(phase, phases[i].begin, strlen(phases[i].begin)) == 0)
			return phases[i].text;
	return phase[0] ? N_("Connecting") : "";
}

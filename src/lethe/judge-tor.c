/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tor: connected, or how far from it? */
#include "report.h"

#include <string.h>

#include "text.h"

#define SUMMARY_COLUMNS 80
#define REASON_COLUMNS  200

/* What the door said, every part of it of the right kind. */
struct tor {
	bool running, starting, circuit, dormant, network;
	bool silent; /* Tor waits in vain for anything from the network */
	json_int_t progress;
	const char *summary, *warning, *reason;
};

static bool read_network(const json_t *answer, bool *ret_enabled)
{
	const char *network = answer_text(answer, "network");

	if (!network || (strcmp(network, "enabled") != 0 && strcmp(network, "disabled") != 0))
		return false;
	*ret_enabled = strcmp(network, "enabled") == 0;
	return true;
}

static bool read_tor(const json_t *answer, struct tor *ret_tor)
{
	struct tor tor = {.summary = answer_text(answer, "summary"),
			  .warning = answer_text(answer, "warning"),
			  .reason = answer_text(answer, "reason")};

	const char *liveness = answer_text(answer, "liveness");

	tor.silent = liveness && strcmp(liveness, "down") == 0;
	if (!answer_flag(answer, "running", &tor.running) ||
	    (!tor.running && !answer_flag(answer, "starting", &tor.starting)))
		return false;
	if (tor.running && (!tor.summary || !answer_flag(answer, "circuit", &tor.circuit) ||
			    !answer_flag(answer, "dormant", &tor.dormant) ||
			    !answer_number(answer, "progress", 100, &tor.progress) ||
			    !read_network(answer, &tor.network)))
		return false;
	*ret_tor = tor;
	return true;
}

static void judge_stopped(const struct facts *facts, const struct tor *tor, struct part *part)
{
	part->level = LEVEL_BAD;
	buf_puts(&part->text, _("not running, so nothing can reach the Internet: "));
	text_foreign(&part->text, tor->reason ? tor->reason : "?", REASON_COLUMNS);
	buf_puts(&part->text, ".");
	if (facts_live(facts))
		buf_puts(&part->advice,
			 _("It may still be starting: ask again in a moment. If it stays "
			   "so, restart the computer."));
	else
		buf_puts(&part->advice, _("Start it, as root: systemctl start tor."));
}

static void judge_starting(const struct facts *facts, struct part *part)
{
	part->level = LEVEL_WAITING;
	buf_puts(&part->text, _("not yet: it is still starting."));
	if (facts_live(facts))
		buf_puts(&part->advice,
			 _("Ask again in a moment. If it stays so, restart the computer."));
	else
		buf_puts(&part->advice, _("Ask again in a moment. If it stays so, see, as root: "
					  "systemctl status tor."));
}

static void judge_connecting(const struct tor *tor, struct part *part)
{
	buf_printf(&part->text, _("connecting, %d %%: "), (int)tor->progress);
	text_foreign(&part->text, tor->summary, SUMMARY_COLUMNS);
	buf_puts(&part->text, ".");
	if (!tor->warning || !tor->warning[0])
		return;
	buf_puts(&part->text, " ");
	buf_puts(&part->text, _("It met an obstacle: "));
	text_foreign(&part->text, tor->warning, REASON_COLUMNS);
	buf_puts(&part->text, ".");
	buf_puts(&part->advice,
		 _("If it stays so: this network may have no Internet, want a login first, "
		   "or block Tor. Try another network."));
}

/* On the live system that is how Tor begins, and how it is left when it cannot connect. */
static void judge_off(const struct facts *facts, struct part *part)
{
	if (!facts_live(facts)) {
		buf_puts(&part->text, _("not connected: its use of the network is switched off."));
		return;
	}
	buf_puts(&part->text, _("not connected: it has no network until you have chosen how."));
	buf_puts(&part->advice, _("Choose, or see why it could not connect: lethe-connect."));
}

void judge_tor(const struct facts *facts, struct part *part)
{
	struct tor tor = {0};

	if (facts->tor.error) {
		judge_missing(facts->tor.error, part);
		return;
	}
	if (!read_tor(facts->tor.object, &tor)) {
		judge_missing(-EBADMSG, part);
		return;
	}
	if (!tor.running && tor.starting) {
		judge_starting(facts, part);
		return;
	}
	if (!tor.running) {
		judge_stopped(facts, &tor, part);
		return;
	}
	part->level = LEVEL_WAITING;
	if (!tor.network) {
		judge_off(facts, part);
	} else if (facts->links.error == 0 && !facts_linked(facts)) {
		buf_puts(&part->text, _("not connected: it waits for a network."));
	} else if (tor.progress < 100) {
		judge_connecting(&tor, part);
	} else if (tor.circuit && tor.silent) {
		buf_puts(&part->text,
			 _("was connected, but nothing comes from the network any more."));
	} else if (tor.circuit) {
		part->level = LEVEL_GOOD;
		buf_puts(&part->text, _("connected."));
	} else if (tor.dormant) {
		buf_puts(&part->text,
			 _("resting, because nothing has used it for long. It connects "
			   "again when it is used."));
	} else {
		buf_puts(&part->text, _("was connected, and is connecting again."));
	}
}

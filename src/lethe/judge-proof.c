/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The proof: does the kernel do to every packet what the policy says? */
#include "report.h"

#include <string.h>

#include "text.h"

#define DETAIL_COLUMNS 320

static void advise(const struct facts *facts, struct part *part)
{
	if (facts_live(facts))
		buf_puts(&part->advice,
			 _("Disconnect the computer from every network, then restart it."));
	else
		buf_puts(&part->advice,
			 _("Disconnect the computer from every network. Then, as root: "
			   "lethe-proof check."));
}

static void tell_devices(const struct facts *facts, struct part *part)
{
	bool future = false;

	if (answer_flag(facts->proof.object, "future_devices", &future) && future)
		buf_puts(&part->text, _("proved: to every packet, on every device, the kernel does what "
					"the policy says."));
	else
		buf_puts(&part->text, _("proved: to every packet, on the devices that are there, the "
					"kernel does what the policy says."));
}

static const char *fault_text(const char *fault)
{
	if (strcmp(fault, "leak") == 0)
		return _("REFUTED: the kernel lets pass what the policy does not grant. ");
	if (strcmp(fault, "rewrites") == 0)
		return _("REFUTED: the kernel changes packets and sends them on. ");
	if (strcmp(fault, "blocks") == 0)
		return _("REFUTED: the kernel stops what the policy grants. ");
	return _("REFUTED: the kernel refuses in another manner than the policy says. ");
}

/* The packet, and what each says of it. */
static void tell_example(const json_t *answer, struct part *part)
{
	const json_t *example = answer_object(answer, "example");
	const char *fault = answer_text(answer, "fault");
	const char *packet = answer_text(example, "packet");
	const char *policy = answer_text(example, "policy");
	const char *kernel = answer_text(example, "kernel");
	const char *rule = answer_text(example, "kernel_rule");

	buf_puts(&part->text, fault_text(fault ? fault : ""));
	buf_puts(&part->text, _("For example "));
	text_foreign(&part->text, packet ? packet : "?", DETAIL_COLUMNS);
	buf_puts(&part->text, _(": the policy says "));
	text_foreign(&part->text, policy ? policy : "?", DETAIL_COLUMNS);
	buf_puts(&part->text, _("; in the kernel it is "));
	text_foreign(&part->text, kernel ? kernel : "?", DETAIL_COLUMNS);
	buf_puts(&part->text, " (");
	text_foreign(&part->text, rule ? rule : "?", DETAIL_COLUMNS);
	buf_puts(&part->text, ").");
}

static void tell_unknown(const json_t *answer, struct part *part)
{
	const json_t *outside = json_object_get(answer, "outside");
	const char *reason = answer_text(answer, "reason");
	const char *first = json_string_value(json_array_get(outside, 0));

	buf_puts(&part->text, _("NOT PROVED: "));
	text_foreign(&part->text, reason && reason[0] ? reason : first ? first : "?",
		     DETAIL_COLUMNS);
	buf_puts(&part->text, ".");
}

/* What was refuted before the links would have come up: then everything was sealed. */
static bool was_refuted(const struct facts *facts)
{
	const char *state = answer_text(facts->wall.object, "state");
	const char *answer = answer_text(facts->proved.object, "answer");

	return state && strcmp(state, "sealed") == 0 && answer &&
	       (strcmp(answer, "refuted") == 0 || strcmp(answer, "not proved") == 0);
}

static void judge_sealed(const struct facts *facts, struct part *part)
{
	const json_t *answer = facts->proved.object;

	part->level = LEVEL_BAD;
	if (strcmp(answer_text(answer, "answer"), "refuted") == 0)
		tell_example(answer, part);
	else
		tell_unknown(answer, part);
	buf_puts(&part->text, _(" That is why everything was sealed, and no link came up."));
	advise(facts, part);
}

void judge_proof(const struct facts *facts, struct part *part)
{
	const char *answer = answer_text(facts->proof.object, "answer");

	if (was_refuted(facts)) {
		judge_sealed(facts, part);
		return;
	}
	if (facts->proof.error) {
		judge_missing(facts->proof.error, part);
	} else if (answer && strcmp(answer, "proved") == 0) {
		part->level = LEVEL_GOOD;
		tell_devices(facts, part);
	} else if (answer && strcmp(answer, "refuted") == 0) {
		part->level = LEVEL_BAD;
		tell_example(facts->proof.object, part);
		advise(facts, part);
	} else if (answer && strcmp(answer, "not proved") == 0) {
		part->level = LEVEL_BAD;
		tell_unknown(facts->proof.object, part);
		advise(facts, part);
	} else {
		judge_missing(-EBADMSG, part);
	}
}

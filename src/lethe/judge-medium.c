/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The medium: there, and verified? */
#include "report.h"

#include <string.h>

#include "text.h"

#define NAME_COLUMNS   64
#define DEVICE_COLUMNS 32
#define REASON_COLUMNS 300

static const char *kind(const char *bus, const char *device)
{
	if (device && strncmp(device, "sr", 2) == 0)
		return _("DVD");
	if (bus && strcmp(bus, "usb") == 0)
		return _("USB stick");
	if (bus && strcmp(bus, "mmc") == 0)
		return _("SD card");
	if (bus && strcmp(bus, "virtio") == 0)
		return _("virtual disk");
	return _("disk");
}

/* USB stick "SanDisk Ultra" (sda) */
static void describe(const json_t *medium, struct buf *out)
{
	const char *device = answer_text(medium, "device"), *model = answer_text(medium, "model");

	buf_puts(out, kind(answer_text(medium, "bus"), device));
	if (model && model[0]) {
		buf_puts(out, " \"");
		text_foreign(out, model, NAME_COLUMNS);
		buf_puts(out, "\"");
	}
	if (device && device[0]) {
		buf_puts(out, " (");
		text_foreign(out, device, DEVICE_COLUMNS);
		buf_puts(out, ")");
	}
}

static void judge_present(bool in_ram, bool present, const char *name, struct part *part)
{
	if (in_ram) {
		part->level = LEVEL_GOOD;
		if (present)
			buf_printf(&part->text,
				   _("copied to memory from %s, verified. It may be taken out."),
				   name);
		else
			buf_printf(&part->text,
				   _("copied to memory from %s, verified. It was taken out."),
				   name);
	} else if (present) {
		part->level = LEVEL_GOOD;
		buf_printf(&part->text, _("%s, verified: every block is checked when it is read."),
			   name);
	} else {
		part->level = LEVEL_BAD;
		buf_printf(&part->text,
			   _("%s was taken out. What is not in memory yet cannot be read."), name);
		buf_puts(&part->advice, _("Switch the computer off."));
	}
}

static void judge_unverified(const char *reason, const char *name, struct part *part)
{
	part->level = LEVEL_BAD;
	buf_printf(&part->text, _("NOT VERIFIED: %s. "), name);
	if (reason && reason[0]) {
		text_foreign(&part->text, reason, REASON_COLUMNS);
		buf_puts(&part->text, ".");
	} else {
		buf_puts(&part->text, _("No reason was given."));
	}
	buf_puts(&part->advice,
		 _("Do not use this system. Switch the computer off and start from a "
		   "medium that you have checked."));
}

void judge_medium(const struct facts *facts, struct part *part)
{
	const json_t *answer = facts->medium.object;
	const json_t *medium = answer_object(answer, "medium");
	const char *mode = answer_text(answer, "mode");
	AUTO_BUF struct buf name = {.cap = 1024};
	bool verified = false, present = false;

	if (!facts_live(facts)) {
		part->level = LEVEL_APART;
		buf_puts(&part->text, _("this system was not started from a medium of Lethe's."));
		return;
	}
	if (facts->medium.error) {
		judge_missing(facts->medium.error, part);
		return;
	}
	if (!answer_flag(answer, "verified", &verified)) {
		judge_missing(-EBADMSG, part);
		return;
	}
	describe(medium, &name);
	if (!verified) {
		judge_unverified(answer_text(answer, "reason"), buf_text(&name), part);
		return;
	}
	if (!mode || !answer_flag(medium, "present", &present) ||
	    (strcmp(mode, "ram") != 0 && strcmp(mode, "medium") != 0)) {
		judge_missing(-EBADMSG, part);
		return;
	}
	judge_present(strcmp(mode, "ram") == 0, present, buf_text(&name), part);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "power.h"

#include <string.h>

#include "lethe.h"
#include "text.h"

/* More of what systemd says is not shown. */
#define SHOWN_MAX 200

const char *power_door(enum power power)
{
	return power == POWER_RESTART ? "restart" : "off";
}

const char *power_sentence(enum power power)
{
	return power == POWER_RESTART ? _("The computer restarts now.")
				      : _("The computer turns off now.");
}

static const char *failed(enum power power)
{
	return power == POWER_RESTART ? _("cannot restart the computer")
				      : _("cannot turn the computer off");
}

/* The words of a refusal, as one line and without its end. */
static void show_answer(const struct buf *answer, struct buf *out)
{
	AUTO_BUF struct buf line = {.cap = SHOWN_MAX + 1};
	const char *text = buf_text(answer);
	size_t length = strcspn(text, "\n");

	buf_add(&line, text, length < SHOWN_MAX ? length : SHOWN_MAX);
	text_foreign(out, buf_text(&line), SHOWN_MAX);
}

int power_outcome(enum power power, const struct door *door, struct buf *out)
{
	if (door->error == -ENODATA)
		return LETHE_OK;
	buf_printf(out, "%s: ", failed(power));
	switch (door->error) {
	case 0:
		show_answer(&door->answer, out);
		break;
	case -ENOENT:
	case -ENOTDIR:
	case -ECONNREFUSED:
		buf_printf(out,
			   _("there is no door for that. On the live system press the power "
			     "button; on an installed one use: systemctl %s"),
			   power == POWER_RESTART ? "reboot" : "poweroff");
		return LETHE_USAGE;
	case -EACCES:
	case -EPERM:
		buf_puts(out, _("only the user of the console may. Press the power button"));
		return LETHE_USAGE;
	case -ETIMEDOUT:
		buf_puts(out, _("no answer in time"));
		break;
	default:
		buf_puts(out, strerror(-door->error));
	}
	buf_puts(out, _(". Press the power button"));
	return LETHE_BAD;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* lethe poweroff, lethe restart: connect to the door, which is the request, and wait until it
 * closes. */
#include "lethe.h"

#include "power.h"
#include "text.h"

#define DEFAULT_DOORS "/run/lethe/power"
#define TEXT_MAX      (16u << 10)

static int turn(const struct lethe_options *options, enum power power)
{
	CLEANUP(door_close) struct door door = {.fd = -EBADF};
	AUTO_BUF struct buf text = {.cap = TEXT_MAX};
	int r;

	door_open(options->doors ? options->doors : DEFAULT_DOORS, power_door(power), &door);
	/* At once: the console is among the first that are stopped. */
	if (door.error == 0 && (puts(power_sentence(power)) < 0 || fflush(stdout) != 0))
		lethe_complain(neg_errno(), _("cannot write the output"));
	r = lethe_lock_in();
	if (r != LETHE_OK)
		return r;
	door_read(&door, options->seconds * 1000);
	r = power_outcome(power, &door, &text);
	if (r != LETHE_OK)
		lethe_complain(0, "%s", buf_text(&text));
	return r;
}

int lethe_poweroff(const struct lethe_options *options, char **words)
{
	return turn(options, POWER_OFF);
}

int lethe_restart(const struct lethe_options *options, char **words)
{
	return turn(options, POWER_RESTART);
}

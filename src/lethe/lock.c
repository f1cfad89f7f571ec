/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Before anything is read that others said. */
#include "lethe.h"

#include <string.h>

#include <jansson.h>
#include <os/sandbox.h>

#include "text.h"

/* Libraries load what they need on first use, and soon nothing can be opened any more. */
static void load_languages(void)
{
	/* A text that no translation has leads through the files of all languages that are set, of
	 * the C library's own domain too; the empty one is in each, and brings its character set.
	 */
	(void)gettext("\001");
	(void)gettext("");
	(void)strerror(EPERM);
	json_object_seed(0);
}

int lethe_lock_in(void)
{
	int r;

	load_languages();
	r = sandbox_opened_only();
	if (r == 0)
		return LETHE_OK;
	lethe_complain(r, _("cannot restrict system calls"));
	return LETHE_BAD;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What lethe-gate says instead of Tor, with code 451, to whom it cannot let through to it: the same words
 * for who says them and for who has to understand them. */
#pragma once

enum torctl_absence {
	TORCTL_ABSENCE_OTHER = 0, /* words of another kind */
	TORCTL_STARTING,	  /* Tor is not there yet */
	TORCTL_STOPPED,		  /* nobody is at Tor's place */
	TORCTL_SILENT,		  /* Tor did not answer, or broke off */
	TORCTL_SHUT_OUT,	  /* the gate was not let in, or would not trust who is there */
	TORCTL_UNUSABLE,	  /* the gate itself could not */
	TORCTL_ABSENCE_END
};

/* A sentence without its full stop, one of its own for each but TORCTL_ABSENCE_OTHER. */
const char *torctl_absence_words(enum torctl_absence absence);
/* The same backwards. */
enum torctl_absence torctl_absence_find(const char *words);

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a stranger's program writes, made fit for a terminal. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct show_state {
	bool c2; /* the last byte begins a character that may command a terminal */
};

/* Replace in place what a terminal would obey: every control character but tab and newline, those
 * of Latin-1 (in UTF-8, C2 80 to C2 9F) too. @state carries over from piece to piece. */
void show_tame(struct show_state *state, char *text, size_t len);

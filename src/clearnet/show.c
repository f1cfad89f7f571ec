/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "show.h"

void show_tame(struct show_state *state, char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];
		bool latin = state->c2 && c >= 0x80 && c <= 0x9f;

		state->c2 = c == 0xc2;
		if ((c < 0x20 && c != '\n' && c != '\t') || c == 0x7f || latin)
			text[i] = '?';
	}
}

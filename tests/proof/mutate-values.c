/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Other values, other verdicts. */
#include "mutate-internal.h"

#include <string.h>

/* One more or one less, wrapping; from the last byte on, or from the first. */
static void count_on(uint8_t *bytes, size_t len, bool down, bool from_first)
{
	for (size_t i = 0; i < len; i++) {
		uint8_t *byte = &bytes[from_first ? i : len - 1 - i];

		*byte = (uint8_t)(down ? *byte - 1 : *byte + 1);
		if (*byte != (down ? 0xff : 0))
			return;
	}
}

/* The @number-th change, whether it came before or not. */
static bool raw_change(const struct ruleset_value *value, size_t at, size_t len, bool bits,
		       unsigned number, struct mutate_change *change)
{
	uint8_t *bytes = change->value.bytes + at;

	change->value = *value;
	if (number < 4) {
		count_on(bytes, len, number & 1, number & 2);
		snprintf(change->how, sizeof(change->how), "%s%s", number & 1 ? "-1" : "+1",
			 number & 2 ? " in host order" : "");
		return true;
	}
	number -= 4;
	if (number < len) {
		bytes[number] = 0;
		snprintf(change->how, sizeof(change->how), "byte %zu zeroed", at + number);
		return true;
	}
	number -= (unsigned)len;
	if (!bits || number >= len * 8)
		return false;
	bytes[number / 8] ^= (uint8_t)(0x80 >> number % 8);
	snprintf(change->how, sizeof(change->how), "bit %zu flipped", at * 8 + number);
	return true;
}

bool mutate_value(const struct ruleset_value *value, size_t at, size_t len, bool bits,
		  unsigned number, struct mutate_change *ret_change)
{
	struct mutate_change other;
	unsigned found = 0;

	for (unsigned i = 0; raw_change(value, at, len, bits, i, ret_change); i++) {
		const uint8_t *bytes = ret_change->value.bytes;
		bool before = memcmp(bytes, value->bytes, value->len) == 0;

		for (unsigned j = 0; j < i && !before; j++) {
			raw_change(value, at, len, bits, j, &other);
			before = memcmp(bytes, other.value.bytes, value->len) == 0;
		}
		if (!before && found++ == number)
			return true;
	}
	return false;
}

static bool leads(const struct ruleset_verdict *verdict)
{
	return verdict->code == RULESET_JUMP || verdict->code == RULESET_GOTO;
}

/* First the plain verdicts, then jump for goto, then each other chain by the same way; a verdict
 * that leads nowhere is exchanged for one goto as well. */
bool mutate_verdict(const struct mutate *m, const struct ruleset_verdict *verdict, unsigned number,
		    struct ruleset_verdict *ret_verdict)
{
	static const enum ruleset_code plain[] = {RULESET_ACCEPT, RULESET_DROP, RULESET_RETURN,
						  RULESET_CONTINUE, RULESET_QUEUE};
	struct ruleset_verdict made = {.code = RULESET_GOTO};

	if (number < ARRAY_SIZE(plain)) {
		*ret_verdict = (struct ruleset_verdict){.code = plain[number]};
		return true;
	}
	number -= (unsigned)ARRAY_SIZE(plain);
	if (leads(verdict)) {
		made = *verdict;
		if (number == 0) {
			made.code = verdict->code == RULESET_JUMP ? RULESET_GOTO : RULESET_JUMP;
			*ret_verdict = made;
			return true;
		}
		number--;
	}
	for (size_t i = 0; i < m->table->chain_count; i++) {
		const struct ruleset_chain *chain = &m->table->chains[i];

		if (chain->base || (leads(verdict) && strcmp(chain->name, verdict->chain) == 0))
			continue;
		/* In place of an end, one way on is enough. */
		if (number-- > 0) {
			if (!leads(verdict))
				return false;
			continue;
		}
		snprintf(made.chain, sizeof(made.chain), "%s", chain->name);
		*ret_verdict = made;
		return true;
	}
	return false;
}

const char *mutate_verdict_text(const struct ruleset_verdict *verdict, char text[static 96])
{
	static const char *const names[] = {
	    [RULESET_NONE] = "no verdict",   [RULESET_ACCEPT] = "accept",
	    [RULESET_DROP] = "drop",         [RULESET_JUMP] = "jump",
	    [RULESET_GOTO] = "goto",         [RULESET_RETURN] = "return",
	    [RULESET_CONTINUE] = "continue", [RULESET_QUEUE] = "queue",
	    [RULESET_BREAK] = "break",
	};

	snprintf(text, 96, "%s%s%s", names[verdict->code], leads(verdict) ? " " : "",
		 leads(verdict) ? verdict->chain : "");
	return text;
}

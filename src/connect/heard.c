/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "heard.h"

#include <string.h>

#include <jansson.h>

#include <base/num.h>
#include <torctl/words.h>

#define SKEW_SECONDS (30 * 60) /* less than this Tor bears */

/* ---- Tor ---- */

static enum trouble trouble_of(const char *reason)
{
	if (!reason)
		return TROUBLE_NONE;
	if (strcmp(reason, "IDENTITY") == 0)
		return TROUBLE_IDENTITY;
	return strcmp(reason, "CONNECTREFUSED") == 0 ? TROUBLE_REFUSED : TROUBLE_SILENT;
}

static const char *word_at(const struct torctl_words *words, size_t index)
{
	return index < words->count && !words->list[index].key ? words->list[index].value : "";
}

static int read_bootstrap(const struct torctl_words *words, char phase[static PHASE_MAX],
			  struct event *ret_event)
{
	const char *progress = torctl_words_get(words, "PROGRESS");
	const char *tag = torctl_words_get(words, "TAG") ?: "";
	const char *recommendation = torctl_words_get(words, "RECOMMENDATION") ?: "";
	uint64_t percent;

	if (!progress || num_parse_u64(progress, 100, &percent) < 0)
		return -EBADMSG;
	for (const char *c = tag; *c; c++)
		if (!((*c >= 'a' && *c <= 'z') || *c == '_'))
			return -EBADMSG;
	snprintf(phase, PHASE_MAX, "%s", tag);
	*ret_event = (struct event){
	    .kind = EVENT_BOOTSTRAP,
	    .bootstrap = {.progress = (unsigned)percent,
			  .phase = phase,
			  .trouble = trouble_of(torctl_words_get(words, "REASON")),
			  .hopeless = strcmp(recommendation, "warn") == 0},
	};
	return 0;
}

/* SKEW=SECONDS, or MIN_SKEW where it is at least so much; with a sign, maybe. */
static int read_skew(const struct torctl_words *words, struct event *ret_event)
{
	const char *skew = torctl_words_get(words, "SKEW") ?: torctl_words_get(words, "MIN_SKEW");
	uint64_t seconds;

	if (!skew || num_parse_u64(skew + (*skew == '-' || *skew == '+'), INT64_MAX, &seconds) < 0)
		return -EBADMSG;
	if (seconds < SKEW_SECONDS)
		return -ENODATA;
	*ret_event = (struct event){.kind = EVENT_SKEW};
	return 0;
}

/* ORCONN TARGET STATE [REASON=...] */
static int read_relay(const struct torctl_words *words, struct event *ret_event)
{
	const char *state = word_at(words, 2);
	enum trouble trouble;

	if (strcmp(state, "CONNECTED") == 0)
		trouble = TROUBLE_NONE;
	else if (strcmp(state, "FAILED") == 0)
		trouble = trouble_of(torctl_words_get(words, "REASON") ?: "MISC");
	else
		return state[0] ? -ENODATA : -EBADMSG;
	*ret_event = (struct event){.kind = EVENT_RELAY, .relay = trouble};
	return 0;
}

static int read_liveness(const struct torctl_words *words, struct event *ret_event)
{
	const char *way = word_at(words, 1);

	if (strcmp(way, "UP") != 0 && strcmp(way, "DOWN") != 0)
		return -EBADMSG;
	*ret_event = (struct event){.kind = EVENT_LIVENESS, .up = strcmp(way, "UP") == 0};
	return 0;
}

static int read_tor(const struct torctl_words *words, bool phase_only,
		    char phase[static PHASE_MAX], struct event *ret_event)
{
	const char *kind = phase_only ? "STATUS_CLIENT" : word_at(words, 0);
	const char *what = word_at(words, phase_only ? 1 : 2);

	if (strcmp(kind, "STATUS_CLIENT") == 0 && strcmp(what, "BOOTSTRAP") == 0)
		return read_bootstrap(words, phase, ret_event);
	/* Of a Tor that was at 100 % before, this alone says that it is connected again. */
	if (strcmp(kind, "STATUS_CLIENT") == 0 && strcmp(what, "CIRCUIT_ESTABLISHED") == 0) {
		snprintf(phase, PHASE_MAX, "done");
		*ret_event = (struct event){.kind = EVENT_BOOTSTRAP,
					    .bootstrap = {.progress = 100, .phase = phase}};
		return 0;
	}
	if (strcmp(kind, "STATUS_GENERAL") == 0 && strcmp(what, "CLOCK_SKEW") == 0)
		return read_skew(words, ret_event);
	if (strcmp(kind, "ORCONN") == 0)
		return read_relay(words, ret_event);
	if (strcmp(kind, "NETWORK_LIVENESS") == 0)
		return read_liveness(words, ret_event);
	return -ENODATA;
}

int heard_tor(const char *text, size_t length, bool phase_only, char phase[static PHASE_MAX],
	      struct event *ret_event)
{
	CLEANUP(torctl_words_done) struct torctl_words words = {0};
	int r = torctl_words_parse(text, length, &words);

	if (r == 0)
		r = read_tor(&words, phase_only, phase, ret_event);
	return r == -E2BIG ? -EBADMSG : r;
}

/* ---- JSON ---- */

static void json_freep(json_t **value)
{
	json_decref(*value);
}

static json_t *load_object(const char *text, size_t length)
{
	json_error_t error;
	json_t *value;

	if (length > HEARD_LINE_MAX)
		return NULL;
	value = json_loadb(text, length, JSON_REJECT_DUPLICATES, &error);
	if (value && !json_is_object(value)) {
		json_decref(value);
		return NULL;
	}
	return value;
}

int heard_lease(const char *line, size_t length, enum torctl_transport transport,
		struct event *ret_event)
{
	CLEANUP(json_freep) json_t *object = load_object(line, length);
	const char *state = json_string_value(json_object_get(object, "state")) ?: "";
	enum lease_state is;

	if (strcmp(state, "ready") == 0)
		is = LEASE_READY;
	else if (strcmp(state, "starting") == 0)
		is = LEASE_STARTING;
	else if (strcmp(state, "failed") == 0)
		is = LEASE_LOST;
	else
		return -EBADMSG;
	*ret_event = (struct event){.kind = EVENT_LEASE,
				    .lease = {.transport = transport, .state = is}};
	return 0;
}

int heard_clock(const char *text, size_t length, struct event *ret_event)
{
	CLEANUP(json_freep) json_t *object = load_object(text, length);
	const char *outcome = json_string_value(json_object_get(object, "outcome")) ?: "";
	const json_t *captive = json_object_get(object, "captive");
	enum clock_outcome is;

	if (captive && !json_is_boolean(captive))
		return -EBADMSG;
	if (strcmp(outcome, "set") == 0)
		is = CLOCK_SET;
	else if (strcmp(outcome, "right") == 0)
		is = CLOCK_RIGHT;
	else if (strcmp(outcome, "kept") == 0)
		is = CLOCK_KEPT;
	else
		return -EBADMSG;
	*ret_event = (struct event){
	    .kind = EVENT_CLOCK, .clock = {.outcome = is, .captive = json_is_true(captive)}};
	return 0;
}

/* ---- lethe-connect-moat ---- */

static bool is_line(const char *line, size_t length, const char *word)
{
	return strlen(word) == length && memcmp(line, word, length) == 0;
}

/* What follows "WORD " */
static const char *after(const char *line, size_t *length, const char *word)
{
	const size_t begin = strlen(word);

	if (*length <= begin || memcmp(line, word, begin) != 0)
		return NULL;
	*length -= begin;
	return line + begin;
}

static int end_settings(enum settings_outcome outcome, const struct torctl_bridges *bridges,
			unsigned builtin, struct event *ret_event)
{
	if (outcome == SETTINGS_FOUND && bridges->count == 0 && builtin == 0)
		outcome = SETTINGS_EMPTY;
	*ret_event = (struct event){
	    .kind = EVENT_SETTINGS,
	    .settings = {.outcome = outcome, .bridges = bridges, .builtin = builtin}};
	return 1;
}

int heard_settings(const char *line, size_t length, struct torctl_bridges *bridges,
		   unsigned *builtin, struct event *ret_event)
{
	enum torctl_transport transport;
	struct torctl_bridge bridge;
	const char *rest;
	int r;

	if (is_line(line, length, "end"))
		return end_settings(SETTINGS_FOUND, bridges, *builtin, ret_event);
	if (is_line(line, length, "none"))
		return end_settings(SETTINGS_EMPTY, bridges, 0, ret_event);
	if (is_line(line, length, "failed"))
		return end_settings(SETTINGS_FAILED, bridges, 0, ret_event);
	rest = after(line, &length, "builtin ");
	if (rest) {
		if (torctl_transport_parse(rest, length, &transport) == 0)
			*builtin |= 1u << transport;
		return 0;
	}
	rest = after(line, &length, "bridge ");
	if (!rest)
		return -EBADMSG;
	r = torctl_bridge_parse(rest, length, &bridge, NULL);
	if (r == 0)
		r = torctl_bridges_add(bridges, &bridge);
	/* What is not understood, or more than there is room for, is not needed. */
	(void)r;
	return 0;
}

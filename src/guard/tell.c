/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the guard says of itself: lines for the journal, the service manager's status, and a file
 * for everybody. There is never a destination in any of it; the guard knows none.
 */
#include "resident.h"

#include <base/json.h>
#include <os/notify.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define STATUS_MAX 8192

void tell(const char *format, ...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	/* One write a line. */
	fprintf(stderr, "lethe-guard: %s\n", text);
}

static const char *state_name(const struct resident *resident)
{
	switch (resident->state) {
	case RESIDENT_IDLE:
		return "idle";
	case RESIDENT_HOLDING:
		return "holding";
	case RESIDENT_SHUT:
		break;
	}
	return "shut";
}

static const char *judgement_name(enum resident_judgement judgement)
{
	switch (judgement) {
	case JUDGEMENT_PROVED:
		return "proved";
	case JUDGEMENT_STRICTER:
		return "stricter";
	case JUDGEMENT_WEAKER:
		return "weaker";
	case JUDGEMENT_UNKNOWN:
		return "unknown";
	case JUDGEMENT_NONE:
		break;
	}
	return "none";
}

static void write_change(const struct resident_change *change, struct json *json)
{
	if (change->time == 0) {
		json_null(json, "last");
		return;
	}
	json_object_begin(json, "last");
	json_number(json, "time", change->time);
	json_number(json, "pid", change->pid);
	json_string(json, "comm", change->comm);
	json_string(json, "what", change->what);
	json_bool(json, "harmless", change->harmless);
	json_number(json, "healed_us", change->healed_us);
	json_object_end(json);
}

static void write_status(const struct resident *resident, const char *state, struct buf *out)
{
	static const char *const bindings[] = {"none", "names", "prefix"};
	struct json json = {.out = out};

	json_object_begin(&json, NULL);
	json_number(&json, "version", 1);
	json_string(&json, "state", state);
	json_number(&json, "pid", getpid());
	json_number(&json, "since", resident->since);
	json_bool(&json, "owned", resident->owned);
	json_bool(&json, "persists", resident->persists);
	json_string(&json, "binding", bindings[resident->binding]);
	json_string(&json, "shut", resident->shut_why);
	json_number(&json, "changes", (int64_t)resident->changes);
	json_number(&json, "healed", (int64_t)resident->healed);
	json_number(&json, "lost", (int64_t)resident->lost);
	json_number(&json, "devices", (int64_t)resident->devices);
	json_number(&json, "namespaces", (int64_t)resident->namespaces);
	json_string(&json, "judgement", judgement_name(resident->judgement));
	json_string(&json, "outside", resident->outside);
	write_change(&resident->last, &json);
	json_object_end(&json);
	buf_puts(out, "\n");
}

static const char *sentence(const struct resident *resident)
{
	switch (resident->state) {
	case RESIDENT_IDLE:
		return "Nothing is enforced in this network namespace";
	case RESIDENT_HOLDING:
		if (resident->owned)
			return "Holding the filter; nobody else can change it";
		return resident->persists ? "Watching the filter; changes are put right"
					  : "Watching the filter; this kernel (before 6.9) cannot "
					    "keep others off it";
	case RESIDENT_SHUT:
		break;
	}
	return "SHUT: all links are down until 'lethe-wall apply'";
}

static void write_file(const struct resident *resident, const char *state)
{
	AUTO_BUF struct buf out = {.cap = STATUS_MAX};
	int r;

	write_status(resident, state, &out);
	r = buf_finish(&out);
	if (r == 0)
		r = kept_write(resident->options->status, out.data, out.len, 0644);
	if (r < 0)
		tell("cannot write %s: %s", resident->options->status, strerror(-r));
}

static void notify(const struct resident *resident, const char *first)
{
	char lines[256];

	if (resident->notify < 0)
		return;
	snprintf(lines, sizeof(lines), "%sSTATUS=%s.", first, sentence(resident));
	/* Who asked to be told may be busy; the file has it all. */
	(void)!notify_send(resident->notify, lines);
}

void tell_status(const struct resident *resident)
{
	write_file(resident, state_name(resident));
	notify(resident, "");
}

void tell_ready(const struct resident *resident)
{
	write_file(resident, state_name(resident));
	notify(resident, "READY=1\n");
	tell("%s", sentence(resident));
}

void tell_end(const struct resident *resident)
{
	write_file(resident, "stopped");
	notify(resident, "STOPPING=1\n");
	tell("stopped; what the kernel holds stays");
}

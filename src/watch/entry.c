/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "entry.h"

#include <inttypes.h>
#include <string.h>

#include "words.h"

static const struct entry_value *find(const struct entry *entry, const char *name, char type)
{
	for (size_t i = 0; i < entry->count; i++)
		if (entry->values[i].type == type && strcmp(entry->values[i].name, name) == 0)
			return &entry->values[i];
	return NULL;
}

const char *entry_text(const struct entry *entry, const char *name)
{
	const struct entry_value *value = find(entry, name, 's');

	return value ? value->text : NULL;
}

uint64_t entry_number(const struct entry *entry, const char *name)
{
	const struct entry_value *value = find(entry, name, 't');

	return value ? value->number : 0;
}

bool entry_truth(const struct entry *entry, const char *name)
{
	const struct entry_value *value = find(entry, name, 'b');

	return value && value->number;
}

void entry_json(const struct entry *entry, const char *key, struct json *json)
{
	json_object_begin(json, key);
	for (size_t i = 0; i < entry->count; i++) {
		const struct entry_value *value = &entry->values[i];

		if (value->type == 's')
			json_string(json, value->name, value->text);
		else if (value->type == 'b')
			json_bool(json, value->name, value->number != 0);
		else
			json_number(json, value->name, (int64_t)value->number);
	}
	json_object_end(json);
}

/* Whoever sends to the bus under that name could be anybody; a terminal is not to be steered. */
static void print_foreign(const char *text, struct buf *out)
{
	for (; *text; text++) {
		if (*text >= 0x20 && *text <= 0x7e)
			buf_add(out, text, 1);
		else
			buf_puts(out, "?");
	}
}

static void print_user(uint64_t uid, entry_user *user, void *data, struct buf *out)
{
	const char *name = user ? user((uint32_t)uid, data) : NULL;

	if (name)
		print_foreign(name, out);
	else
		buf_printf(out, _("user %" PRIu64), uid);
}

static void print_program(const struct entry *entry, entry_user *user, void *data, struct buf *out)
{
	const char *program = entry_text(entry, "program"), *unit = entry_text(entry, "unit");

	if (!program) {
		bool kernel = strcmp(entry_text(entry, "attribution") ?: "", "kernel") == 0;

		buf_puts(out, kernel ? _("the kernel, for no program")
				     : _("a program that is not known"));
		if (!kernel && find(entry, "owner-uid", 't')) {
			buf_puts(out, _(", socket of "));
			print_user(entry_number(entry, "owner-uid"), user, data, out);
		}
		return;
	}
	print_foreign(program, out);
	if (entry_truth(entry, "deleted"))
		buf_puts(out, _(" (deleted)"));
	if (!entry_truth(entry, "path-known"))
		buf_puts(out, _(" (its place is not certain)"));
	buf_puts(out, ", ");
	print_user(entry_number(entry, "uid"), user, data, out);
	buf_printf(out, _(", process %" PRIu64), entry_number(entry, "pid"));
	if (unit) {
		buf_puts(out, ", ");
		print_foreign(unit, out);
	}
}

static void print_destination(const struct entry *entry, struct buf *out)
{
	const char *protocol = entry_text(entry, "protocol");
	const char *destination = entry_text(entry, "destination");

	if (!protocol || !destination) {
		buf_printf(out, _("frame of type 0x%04" PRIx64), entry_number(entry, "ethertype"));
	} else {
		bool bracket = strchr(destination, ':') && find(entry, "port", 't');

		print_foreign(protocol, out);
		buf_puts(out, bracket ? " [" : " ");
		print_foreign(destination, out);
		buf_puts(out, bracket ? "]" : "");
		if (find(entry, "port", 't'))
			buf_printf(out, ":%" PRIu64, entry_number(entry, "port"));
	}
	if (entry_truth(entry, "loopback"))
		buf_puts(out, _(" (this computer)"));
	if (strcmp(entry_text(entry, "way") ?: "", "packet-socket") == 0)
		buf_puts(out, _(" (written to the device)"));
	if (find(entry, "own-namespace", 'b') && !entry_truth(entry, "own-namespace"))
		buf_printf(out, _(" (in network namespace %" PRIu64 ")"),
			   entry_number(entry, "network-namespace"));
}

static void print_times(const struct entry *entry, struct buf *out)
{
	uint64_t attempts = entry_number(entry, "attempts");
	uint64_t repeats = entry_number(entry, "repeats");

	if (attempts > 0)
		buf_printf(
		    out, ngettext("%" PRIu64 " time", "%" PRIu64 " times", (unsigned long)attempts),
		    attempts);
	if (repeats > 0 && attempts > 0)
		buf_printf(out, _(", %" PRIu64 " repeated by the kernel"), repeats);
	else if (repeats > 0)
		buf_printf(out, _("%" PRIu64 " sent by the kernel"), repeats);
}

static void print_certainty(const struct entry *entry, struct buf *out)
{
	const char *attribution = entry_text(entry, "attribution") ?: "unknown";
	const char *behalf = entry_text(entry, "on-behalf"), *maker;
	const char *bus_name = entry_text(entry, "bus-name");

	if (strcmp(attribution, "by-socket") == 0)
		buf_puts(out, _("    not certain: told by the socket, whose packets the kernel "
				"sent later\n"));
	else if (strcmp(attribution, "unknown") == 0)
		buf_puts(out, _("    not known: the socket is older than the watch\n"));
	else if (strcmp(attribution, "user") == 0)
		buf_puts(out, _("    by user only: this computer's kernel names no program\n"));
	if (behalf && strcmp(behalf, "dbus") == 0) {
		buf_puts(
		    out,
		    _("    it may act for another program, which asked it over the message bus"));
		if (bus_name) {
			buf_puts(out, " (");
			print_foreign(bus_name, out);
			buf_puts(out, ")");
		}
		buf_puts(out, "\n");
	}
	maker = entry_text(entry, "socket-made-by");
	if (maker) {
		buf_puts(out, _("    its socket was made by "));
		print_foreign(maker, out);
		buf_printf(out, _(", process %" PRIu64 "\n"),
			   entry_number(entry, "socket-made-by-pid"));
	}
}

/* A reason that is in the catalogue is ours, and its translation as well; any other text is not. */
static void print_reason(const char *reason, struct buf *out)
{
	const char *known = reason[0] ? _(reason) : reason;

	if (known != reason)
		buf_puts(out, known);
	else
		print_foreign(reason, out);
}

static void print_grant(const struct entry *entry, struct buf *out)
{
	const char *grant = entry_text(entry, "grant") ?: "unknown";
	const char *reason = entry_text(entry, "reason"), *line = entry_text(entry, "line");

	buf_puts(out, "    ");
	if (strcmp(grant, "allowed") == 0) {
		buf_puts(out,
			 _("the policy allows this: another filter refused it, or another policy "
			   "is in force\n"));
		return;
	}
	if (!reason) {
		buf_puts(out, _("the policy could not be read\n"));
		return;
	}
	/* The reasons are marked where the policy gives them (po/POTFILES). */
	print_reason(reason, out);
	buf_puts(out, "\n");
	if (line) {
		buf_puts(out, _("    would allow it: "));
		print_foreign(line, out);
		buf_puts(out, "\n");
	}
}

void entry_print(const struct entry *entry, entry_user *user, void *data, struct buf *out)
{
	print_program(entry, user, data, out);
	buf_puts(out, "\n    ");
	print_destination(entry, out);
	buf_puts(out, ", ");
	print_times(entry, out);
	buf_puts(out, "\n");
	print_certainty(entry, out);
	print_grant(entry, out);
}

void entry_print_summary(const struct entry *entry, entry_user *user, void *data, struct buf *out)
{
	uint64_t destinations = entry_number(entry, "destinations");
	const char *program = entry_text(entry, "program");
	const char *attribution = entry_text(entry, "attribution") ?: "unknown";

	if (program) {
		print_foreign(program, out);
		buf_puts(out, ", ");
		print_user(entry_number(entry, "uid"), user, data, out);
	} else {
		buf_puts(out, strcmp(attribution, "kernel") == 0
				  ? _("the kernel, for no program")
				  : _("programs that are not known"));
		if (find(entry, "owner-uid", 't')) {
			buf_puts(out, ", ");
			print_user(entry_number(entry, "owner-uid"), user, data, out);
		}
	}
	buf_puts(out, ": ");
	print_times(entry, out);
	buf_printf(out,
		   ngettext(", %" PRIu64 " destination\n", ", %" PRIu64 " destinations\n",
			    (unsigned long)destinations),
		   destinations);
}

void entry_print_state(const struct entry *state, struct buf *out)
{
	const char *source = entry_text(state, "Source") ?: "";
	uint64_t counted = entry_number(state, "Counted");
	uint64_t lost = entry_number(state, "Lost"), missed = entry_number(state, "Missed");
	uint64_t evicted = entry_number(state, "RowsEvicted");
	bool by_user = strcmp(source, "nflog") == 0;

	if (strcmp(source, "tracepoint") != 0) {
		buf_puts(out, by_user ? _("BY USER ONLY, no program is known: cannot ")
				      : _("NOT KNOWN who is refused: cannot "));
		print_foreign(entry_text(state, "SourceReason") ?: _("tell why"), out);
		buf_puts(out, ".\n");
		if (!by_user)
			return;
		buf_puts(out, _("Told by the filter's rules: of this network namespace alone, and "
				"not while it is sealed.\n"));
	}
	buf_printf(out,
		   ngettext("%" PRIu64 " packet of this computer was refused.\n",
			    "%" PRIu64 " packets of this computer were refused.\n",
			    (unsigned long)counted),
		   counted);
	if (lost > 0)
		buf_printf(out, _("LOST: %" PRIu64 " of them came too fast to be named.\n"), lost);
	if (!entry_truth(state, "MissedKnown"))
		buf_puts(out, _("Not known whether the kernel missed any.\n"));
	else if (missed > 0)
		buf_printf(out, _("At most %" PRIu64 " more were missed by the kernel.\n"), missed);
	if (evicted > 0)
		buf_printf(out, _("%" PRIu64 " older entries are forgotten, for want of room.\n"),
			   evicted);
	if (!by_user && !entry_truth(state, "SocketsNoted"))
		buf_puts(out, _("Who made a socket is not known on this kernel.\n"));
	if (!entry_truth(state, "PolicyRead"))
		buf_puts(out, _("The policy could not be read, so no line of it is named.\n"));
}

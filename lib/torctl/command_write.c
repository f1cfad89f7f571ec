/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Commands written from their values, and the words of commands. */
#include "command.h"

#include "command_verbs.h"

#include <assert.h>
#include <string.h>
#include <strings.h>

static const struct {
	const char *name;
	enum torctl_verb verb;
} verbs[] = {
    {"AUTHENTICATE", TORCTL_AUTHENTICATE},
    {"AUTHCHALLENGE", TORCTL_AUTHCHALLENGE},
    {"PROTOCOLINFO", TORCTL_PROTOCOLINFO},
    {"QUIT", TORCTL_QUIT},
    {"DROPGUARDS", TORCTL_DROPGUARDS},
    {"GETINFO", TORCTL_GETINFO},
    {"GETCONF", TORCTL_GETCONF},
    {"SETCONF", TORCTL_SETCONF},
    {"RESETCONF", TORCTL_RESETCONF},
    {"SETEVENTS", TORCTL_SETEVENTS},
    {"SIGNAL", TORCTL_SIGNAL},
    {"ADD_ONION", TORCTL_ADD_ONION},
    {"DEL_ONION", TORCTL_DEL_ONION},
    {"ONION_CLIENT_AUTH_ADD", TORCTL_ONION_CLIENT_AUTH_ADD},
    {"ONION_CLIENT_AUTH_REMOVE", TORCTL_ONION_CLIENT_AUTH_REMOVE},
    {"ONION_CLIENT_AUTH_VIEW", TORCTL_ONION_CLIENT_AUTH_VIEW},
    /* What Tor has besides (control-spec). */
    {"ATTACHSTREAM", TORCTL_NOT_MODELLED},
    {"CLOSECIRCUIT", TORCTL_NOT_MODELLED},
    {"CLOSESTREAM", TORCTL_NOT_MODELLED},
    {"DROPOWNERSHIP", TORCTL_NOT_MODELLED},
    {"DROPTIMEOUTS", TORCTL_NOT_MODELLED},
    {"EXTENDCIRCUIT", TORCTL_NOT_MODELLED},
    {"HSFETCH", TORCTL_NOT_MODELLED},
    {"HSPOST", TORCTL_NOT_MODELLED},
    {"LOADCONF", TORCTL_NOT_MODELLED},
    {"MAPADDRESS", TORCTL_NOT_MODELLED},
    {"POSTDESCRIPTOR", TORCTL_NOT_MODELLED},
    {"REDIRECTSTREAM", TORCTL_NOT_MODELLED},
    {"RESOLVE", TORCTL_NOT_MODELLED},
    {"SAVECONF", TORCTL_NOT_MODELLED},
    {"SETCIRCUITPURPOSE", TORCTL_NOT_MODELLED},
    {"SETROUTERPURPOSE", TORCTL_NOT_MODELLED},
    {"TAKEOWNERSHIP", TORCTL_NOT_MODELLED},
    {"USEFEATURE", TORCTL_NOT_MODELLED},
};

enum torctl_verb torctl_verb_find(const char *line, size_t length)
{
	const char *blank = memchr(line, ' ', length);
	size_t word = blank ? (size_t)(blank - line) : length;

	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		if (strlen(verbs[i].name) == word && strncasecmp(line, verbs[i].name, word) == 0)
			return verbs[i].verb;
	return TORCTL_NO_COMMAND;
}

const char *torctl_verb_name(enum torctl_verb verb)
{
	for (size_t i = 0; i < ARRAY_SIZE(verbs) && verb != TORCTL_NOT_MODELLED; i++)
		if (verbs[i].verb == verb)
			return verbs[i].name;
	return "";
}

/* A value holds printable ASCII alone, so that these two are all that need an escape. */
static void write_quoted(const char *text, struct buf *out)
{
	buf_puts(out, "\"");
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			buf_puts(out, "\\");
		buf_add(out, text, 1);
	}
	buf_puts(out, "\"");
}

static void write_items(const struct torctl_command *command, struct buf *out)
{
	for (size_t i = 0; i < command->item_count; i++) {
		buf_printf(out, " %s", command->items[i].name);
		if (!command->items[i].value)
			continue;
		buf_puts(out, "=");
		write_quoted(command->items[i].value, out);
	}
}

static void write_flags(unsigned set, struct buf *out)
{
	/* In the order of enum torctl_flag. */
	static const char *const names[] = {"DiscardPK", "Detach",	 "MaxStreamsCloseCircuit",
					    "V3Auth",	 "NonAnonymous", "Permanent"};
	const char *before = " Flags=";

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (!(set & 1u << i))
			continue;
		buf_printf(out, "%s%s", before, names[i]);
		before = ",";
	}
}

static void write_add_onion(const struct torctl_command *command, struct buf *out)
{
	buf_printf(out, " %s", command->key ? "ED25519-V3:" : "NEW:ED25519-V3");
	if (command->key)
		buf_puts(out, command->key);
	write_flags(command->flags, out);
	if (command->has_max_streams)
		buf_printf(out, " MaxStreams=%u", command->max_streams);
	for (size_t i = 0; i < command->target_count; i++) {
		const struct torctl_target *target = &command->targets[i];

		if (target->path)
			buf_printf(out, " Port=%u,unix:%s", target->onion_port, target->path);
		else
			buf_printf(out, " Port=%u,127.0.0.1:%u", target->onion_port, target->port);
	}
	for (size_t i = 0; i < command->client_count; i++)
		buf_printf(out, " ClientAuthV3=%s", command->clients[i]);
}

void torctl_command_write(const struct torctl_command *command, struct buf *out)
{
	const char *name = torctl_verb_name(command->verb);

	assert(name[0]);
	buf_puts(out, name);
	write_items(command, out);
	if (command->verb == TORCTL_ADD_ONION) {
		write_add_onion(command, out);
	} else {
		if (command->service)
			buf_printf(out, " %s", command->service);
		if (command->key)
			buf_printf(out, " x25519:%s", command->key);
		if (command->nickname)
			buf_printf(out, " ClientName=%s", command->nickname);
		write_flags(command->flags, out);
	}
	buf_puts(out, "\r\n");
}

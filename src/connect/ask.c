/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ask.h"

#include <string.h>

#include "words.h"

/* One line without its end, into @line. -ENODATA at the end of the input, -E2BIG if it was too long; it
 * is read to its end all the same. */
static int read_line(FILE *in, char *line, size_t size)
{
	size_t length = 0;
	int c;

	while ((c = getc(in)) != EOF && c != '\n') {
		if (length + 1 < size)
			line[length] = (char)c;
		length++;
	}
	if (c == EOF && length == 0)
		return -ENODATA;
	if (length >= size)
		return -E2BIG;
	line[length] = '\0';
	return 0;
}

static void complain(FILE *out, const struct diag *diag)
{
	fprintf(out, _("This line is not taken: %s.\n"), gettext(diag->message));
	if (diag->hint[0])
		fprintf(out, "%s\n", gettext(diag->hint));
}

/* 1: taken; 0: it was not; -ENOSPC: there are enough. */
static int take_bridge(FILE *out, const char *line, struct torctl_bridges *bridges)
{
	struct torctl_bridge bridge;
	struct diag diag = {0};
	int r = torctl_bridge_parse(line, strlen(line), &bridge, &diag);

	if (r == -ENODATA)
		return 0;
	if (r < 0) {
		complain(out, &diag);
		return 0;
	}
	if (bridge.transport == TORCTL_TRANSPORT_NONE) {
		fputs(_("This line is not taken: such a bridge does not hide that you use Tor. Enter "
			"one of another kind, as obfs4.\n"),
		      out);
		return 0;
	}
	r = torctl_bridges_add(bridges, &bridge);
	if (r == 0)
		fputs(_("This bridge was entered already.\n"), out);
	return r < 0 ? r : 1;
}

static void explain_bridges(FILE *out, unsigned default_bridges)
{
	fputs(_("\nEnter or paste bridge lines, each on a line of its own, and an empty line at the "
		"end.\n"
		"A bridge line looks like this:\n"
		"  obfs4 192.0.2.1:443 0123456789ABCDEF0123456789ABCDEF01234567 cert=... "
		"iat-mode=0\n"
		"If you have none, enter the word ask: then a service is asked for some, by a "
		"connection\nthat looks like one to a big web site.\n"),
	      out);
	if (default_bridges > 0)
		fputs(_("Or enter the word default: then bridges that are known to everybody are used, "
			"also to\ncensors.\n"),
		      out);
	fputs(_("An empty line now goes back.\n"), out);
}

/* ASKED_NOTHING with *ret_back: to the question before. */
static enum asked ask_bridges(FILE *in, FILE *out, unsigned default_bridges,
			      struct torctl_bridges *bridges, bool *ret_back)
{
	char line[TORCTL_BRIDGE_LINE_MAX];

	explain_bridges(out, default_bridges);
	for (;;) {
		int r;

		fputs("> ", out);
		fflush(out);
		r = read_line(in, line, sizeof(line));
		if (r == -ENODATA)
			return ASKED_NOTHING;
		if (r == -E2BIG) {
			fputs(_("This line is too long for a bridge.\n"), out);
			continue;
		}
		if (line[strspn(line, " \t\r")] == '\0') {
			*ret_back = bridges->count == 0;
			return *ret_back ? ASKED_NOTHING : ASKED_HIDE;
		}
		if (bridges->count == 0 && strcmp(line, "ask") == 0)
			return ASKED_HIDE_ASK;
		if (bridges->count == 0 && default_bridges > 0 && strcmp(line, "default") == 0)
			return ASKED_HIDE_DEFAULT;
		if (take_bridge(out, line, bridges) < 0) {
			fputs(_("These are enough.\n"), out);
			return ASKED_HIDE;
		}
	}
}

enum asked ask_person(FILE *in, FILE *out, unsigned default_bridges, struct torctl_bridges *bridges)
{
	char line[64];

	for (;;) {
		bool back = false;
		enum asked asked;
		int r;

		fputs(_("\nHow should this computer connect to Tor?\n\n"
			"  1  Automatically. This is quick. Whoever watches this network can see that "
			"you use\n     Tor, but not for what. The time may be asked of public servers "
			"first.\n"
			"  2  Hide that you use Tor. This needs a bridge. Nothing but the connection "
			"to it leaves\n     this computer.\n"
			"  3  Stay offline.\n\n"
			"Enter 1, 2 or 3: "),
		      out);
		fflush(out);
		r = read_line(in, line, sizeof(line));
		if (r == -ENODATA)
			return ASKED_NOTHING;
		if (r == 0 && strcmp(line, "1") == 0)
			return ASKED_AUTOMATIC;
		if (r == 0 && strcmp(line, "3") == 0)
			return ASKED_OFFLINE;
		if (r < 0 || strcmp(line, "2") != 0)
			continue;
		asked = ask_bridges(in, out, default_bridges, bridges, &back);
		if (!back)
			return asked;
	}
}

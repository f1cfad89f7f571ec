/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bridge.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include <base/num.h>

static const char *const transport_names[TORCTL_TRANSPORT_END] = {
    [TORCTL_TRANSPORT_NONE] = "",
    [TORCTL_TRANSPORT_OBFS4] = "obfs4",
    [TORCTL_TRANSPORT_MEEK] = "meek_lite",
    [TORCTL_TRANSPORT_SNOWFLAKE] = "snowflake",
};

/* Names that people meet, and that are understood well enough to say no to. */
static const char *const transports_missing[] = {"webtunnel", "conjure", "scramblesuit", "obfs3",
						 "obfs2",     "fte",	 "meek"};

/* A word of a line; it ends where the next blank or the line does. */
struct word {
	const char *text;
	size_t length;
};

const char *torctl_transport_name(enum torctl_transport transport)
{
	return transport > 0 && transport < TORCTL_TRANSPORT_END ? transport_names[transport] : "";
}

int torctl_transport_parse(const char *name, size_t length, enum torctl_transport *ret_transport)
{
	for (int i = TORCTL_TRANSPORT_OBFS4; i < TORCTL_TRANSPORT_END; i++) {
		if (strlen(transport_names[i]) != length ||
		    strncasecmp(transport_names[i], name, length) != 0)
			continue;
		*ret_transport = (enum torctl_transport)i;
		return 0;
	}
	return -ENOENT;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* The next word of what is left of the line; its length is 0 at the end. */
static struct word next_word(const char **at, const char *end)
{
	struct word word;

	while (*at < end && is_blank(**at))
		(*at)++;
	word.text = *at;
	while (*at < end && !is_blank(**at))
		(*at)++;
	word.length = (size_t)(*at - word.text);
	return word;
}

static bool word_is(struct word word, const char *text)
{
	return strlen(text) == word.length && strncasecmp(text, word.text, word.length) == 0;
}

static int refuse(struct diag *diag, int error, const char *message, const char *hint)
{
	diag_set(diag, NULL, 0, 0, "%s", message);
	if (hint)
		diag_hint(diag, "%s", hint);
	return error;
}

/* ---- the parts of a line ---- */

static bool is_missing_transport(struct word word)
{
	for (size_t i = 0; i < ARRAY_SIZE(transports_missing); i++)
		if (word_is(word, transports_missing[i]))
			return true;
	return false;
}

/* A transport's name begins with a letter, an address never does. */
static int take_transport(struct word *word, const char **at, const char *end,
			  struct torctl_bridge *bridge, struct diag *diag)
{
	bridge->transport = TORCTL_TRANSPORT_NONE;
	if (word->length == 0 || !isalpha((unsigned char)word->text[0]))
		return 0;
	if (is_missing_transport(*word))
		return refuse(diag, -EPROTONOSUPPORT,
			      "bridges of this transport are not available in this version",
			      "Ask for one of these: obfs4, snowflake, meek_lite.");
	if (torctl_transport_parse(word->text, word->length, &bridge->transport) < 0)
		return refuse(diag, -EINVAL, "this is not a bridge line",
			      "It looks like this: obfs4 192.0.2.1:443 FINGERPRINT cert=... "
			      "iat-mode=0");
	*word = next_word(at, end);
	return 0;
}

static int take_port(struct word word, uint16_t *ret_port)
{
	char text[8];
	uint64_t port;

	if (word.length == 0 || word.length >= sizeof(text))
		return -EINVAL;
	memcpy(text, word.text, word.length);
	text[word.length] = '\0';
	if (num_parse_u64(text, UINT16_MAX, &port) < 0 || port == 0)
		return -EINVAL;
	*ret_port = (uint16_t)port;
	return 0;
}

static int take_address(struct word word, struct torctl_bridge *bridge, struct diag *diag)
{
	char text[INET_ADDRSTRLEN];
	struct in_addr address;
	const char *colon = word.length ? memchr(word.text, ':', word.length) : NULL;
	size_t length;

	if (word.length > 0 && word.text[0] == '[')
		return refuse(diag, -EAFNOSUPPORT,
			      "this bridge has an IPv6 address, and IPv6 is blocked on this system",
			      "Ask for a bridge with an IPv4 address.");
	if (!colon)
		return refuse(diag, -EINVAL, "this is not a bridge line: it has no address and port",
			      "It looks like this: obfs4 192.0.2.1:443 FINGERPRINT cert=... "
			      "iat-mode=0");
	length = (size_t)(colon - word.text);
	if (length == 0 || length >= sizeof(text))
		return refuse(diag, -EINVAL, "the bridge's address is not an IPv4 address", NULL);
	memcpy(text, word.text, length);
	text[length] = '\0';
	/* 0.0.0.0 is nobody's; the transports that need no address have one of these all the same. */
	if (inet_pton(AF_INET, text, &address) != 1 || address.s_addr == 0)
		return refuse(diag, -EINVAL, "the bridge's address is not an IPv4 address", NULL);
	bridge->address = ntohl(address.s_addr);
	word.text = colon + 1;
	word.length -= length + 1;
	if (take_port(word, &bridge->port) < 0)
		return refuse(diag, -EINVAL, "the bridge's port is not a number from 1 to 65535",
			      NULL);
	return 0;
}

/* 40 hexadecimal digits, with or without "$". 1, or 0 if the word is something else. */
static int take_fingerprint(struct word word, struct torctl_bridge *bridge)
{
	if (word.length > 0 && word.text[0] == '$') {
		word.text++;
		word.length--;
	}
	if (word.length != TORCTL_FINGERPRINT_MAX - 1)
		return 0;
	for (size_t i = 0; i < word.length; i++)
		if (!isxdigit((unsigned char)word.text[i]))
			return 0;
	for (size_t i = 0; i < word.length; i++)
		bridge->fingerprint[i] = (char)toupper((unsigned char)word.text[i]);
	bridge->fingerprint[word.length] = '\0';
	return 1;
}

/* What could end Tor's quoted text, or begin another word, is in no bridge's argument. */
static bool is_argument(struct word word)
{
	const char *equals = memchr(word.text, '=', word.length);

	if (!equals || equals == word.text)
		return false;
	for (const char *c = word.text; c < equals; c++)
		if (!isalnum((unsigned char)*c) && *c != '-' && *c != '_')
			return false;
	for (const char *c = equals; c < word.text + word.length; c++)
		if (*c <= ' ' || *c > '~' || strchr("\"\\'#;", *c))
			return false;
	return true;
}

static int take_arguments(struct word word, const char **at, const char *end,
			  struct torctl_bridge *bridge, struct diag *diag)
{
	size_t used = 0;

	for (; word.length > 0; word = next_word(at, end)) {
		if (!is_argument(word))
			return refuse(diag, -EINVAL,
				      "what follows the bridge's address is not in the form "
				      "NAME=VALUE",
				      "The line may have been cut or broken in two: copy it whole.");
		if (used + (used > 0) + word.length > TORCTL_BRIDGE_ARGUMENTS_MAX)
			return refuse(diag, -E2BIG, "the bridge's settings are too long", NULL);
		if (used > 0)
			bridge->arguments[used++] = ' ';
		memcpy(bridge->arguments + used, word.text, word.length);
		used += word.length;
	}
	bridge->arguments[used] = '\0';
	return 0;
}

static int check_whole(const struct torctl_bridge *bridge, struct diag *diag)
{
	const char *arguments = bridge->arguments;

	if (bridge->transport == TORCTL_TRANSPORT_NONE && arguments[0])
		return refuse(diag, -EINVAL, "a bridge without a transport has no settings", NULL);
	/* Without these the transport would fail much later, in words for nobody. */
	if (bridge->transport == TORCTL_TRANSPORT_OBFS4 && !strstr(arguments, "cert=") &&
	    !strstr(arguments, "node-id="))
		return refuse(diag, -EINVAL, "the bridge's key (cert=...) is missing",
			      "The line may have been cut: copy it whole.");
	if (bridge->transport == TORCTL_TRANSPORT_MEEK && !strstr(arguments, "url="))
		return refuse(diag, -EINVAL, "the address of its server (url=...) is missing",
			      "The line may have been cut: copy it whole.");
	return 0;
}

int torctl_bridge_parse(const char *line, size_t length, struct torctl_bridge *ret_bridge,
			struct diag *diag)
{
	struct torctl_bridge bridge = {0};
	const char *at = line, *end = line + length;
	struct word word;
	int r;

	while (end > line && (end[-1] == '\r' || is_blank(end[-1])))
		end--;
	word = next_word(&at, end);
	if (word.length == 0 || word.text[0] == '#')
		return -ENODATA;
	if (length > TORCTL_BRIDGE_LINE_MAX)
		return refuse(diag, -E2BIG, "this line is too long for a bridge", NULL);
	if (word_is(word, "Bridge"))
		word = next_word(&at, end);
	r = take_transport(&word, &at, end, &bridge, diag);
	if (r == 0)
		r = take_address(word, &bridge, diag);
	if (r < 0)
		return r;
	word = next_word(&at, end);
	if (take_fingerprint(word, &bridge) > 0)
		word = next_word(&at, end);
	r = take_arguments(word, &at, end, &bridge, diag);
	if (r == 0)
		r = check_whole(&bridge, diag);
	if (r == 0)
		*ret_bridge = bridge;
	return r;
}

void torctl_bridge_write(const struct torctl_bridge *bridge, struct buf *out)
{
	const struct in_addr address = {.s_addr = htonl(bridge->address)};
	const char *name = torctl_transport_name(bridge->transport);
	char text[INET_ADDRSTRLEN];

	if (!inet_ntop(AF_INET, &address, text, sizeof(text)))
		text[0] = '\0';
	buf_printf(out, "%s%s%s:%u", name, name[0] ? " " : "", text, bridge->port);
	if (bridge->fingerprint[0])
		buf_printf(out, " %s", bridge->fingerprint);
	if (bridge->arguments[0])
		buf_printf(out, " %s", bridge->arguments);
}

bool torctl_bridge_equal(const struct torctl_bridge *one, const struct torctl_bridge *other)
{
	return one->transport == other->transport && one->address == other->address &&
	       one->port == other->port && strcmp(one->fingerprint, other->fingerprint) == 0 &&
	       strcmp(one->arguments, other->arguments) == 0;
}

int torctl_bridges_add(struct torctl_bridges *bridges, const struct torctl_bridge *bridge)
{
	for (size_t i = 0; i < bridges->count; i++)
		if (torctl_bridge_equal(&bridges->list[i], bridge))
			return 0;
	if (bridges->count == TORCTL_BRIDGES_MAX)
		return -ENOSPC;
	bridges->list[bridges->count++] = *bridge;
	return 1;
}

int torctl_bridges_parse(const char *text, size_t length, struct torctl_bridges *bridges,
			 struct diag *diag)
{
	const size_t before = bridges->count;
	const char *at = text, *end = text + length;

	for (unsigned line = 1; at < end; line++) {
		const char *stop = memchr(at, '\n', (size_t)(end - at)) ?: end;
		struct torctl_bridge bridge;
		int r = torctl_bridge_parse(at, (size_t)(stop - at), &bridge, diag);

		if (r == 0) {
			r = torctl_bridges_add(bridges, &bridge);
			if (r < 0)
				refuse(diag, r, "there are more than 64 bridges", NULL);
		}
		if (r < 0 && r != -ENODATA) {
			if (diag)
				diag->line = line;
			bridges->count = before;
			return r;
		}
		at = stop < end ? stop + 1 : end;
	}
	return 0;
}

bool torctl_bridges_use(const struct torctl_bridges *bridges, enum torctl_transport transport)
{
	for (size_t i = 0; i < bridges->count; i++)
		if (bridges->list[i].transport == transport)
			return true;
	return false;
}

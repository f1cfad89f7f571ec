/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "vocabulary.h"

#include <arpa/inet.h>
#include <assert.h>
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include <base/cleanup.h>

/*
 * Left out, because they tell where this computer or its bridge is, or what others do: address,
 * address-mappings, config-text, config-file, entry-guards, orconn-status, desc and md, hs, onions/detached,
 * ns/all (the whole consensus at once), and every log message.
 */
const struct info_word info_words[] = {
	{ "accounting/enabled", INFO_PLAIN },
	{ "bw-event-cache", INFO_PLAIN },
	{ "circuit-status", INFO_CIRCUITS },
	{ "consensus/fresh-until", INFO_PLAIN },
	{ "consensus/valid-after", INFO_PLAIN },
	{ "consensus/valid-until", INFO_PLAIN },
	{ "dormant", INFO_PLAIN },
	{ "events/names", INFO_PLAIN },
	{ "features/names", INFO_PLAIN },
	{ "ip-to-country", INFO_COUNTRY },
	{ "net/listeners/dns", INFO_PLAIN },
	{ "net/listeners/socks", INFO_PLAIN },
	{ "net/listeners/trans", INFO_PLAIN },
	{ "network-liveness", INFO_PLAIN },
	{ "ns/id", INFO_RELAY },
	{ "onions/current", INFO_ONIONS },
	{ "signal/names", INFO_PLAIN },
	{ "status/bootstrap-phase", INFO_PHASE },
	{ "status/circuit-established", INFO_PLAIN },
	{ "status/enough-dir-info", INFO_PLAIN },
	{ "status/version/current", INFO_PLAIN },
	{ "status/version/recommended", INFO_PLAIN },
	{ "stream-status", INFO_STREAMS },
	{ "traffic/read", INFO_PLAIN },
	{ "traffic/written", INFO_PLAIN },
	{ "uptime", INFO_PLAIN },
	{ "version", INFO_PLAIN },
};
const size_t info_count = ARRAY_SIZE(info_words);
static_assert(ARRAY_SIZE(info_words) <= INFO_MAX, "they fit a set");

const struct option_word option_words[] = {
	{ "Bridge", OPTION_BRIDGE },
	{ "ClientTransportPlugin", OPTION_TRANSPORT },
	{ "ConnLimit", OPTION_READ },
	{ "DisableNetwork", OPTION_SWITCH },
	{ "HiddenServiceSingleHopMode", OPTION_READ },
	{ "HTTPSProxy", OPTION_PROXY },
	{ "HTTPSProxyAuthenticator", OPTION_SECRET },
	{ "Nickname", OPTION_READ },
	{ "ORPort", OPTION_READ },
	{ "DirPort", OPTION_READ },
	{ "SafeLogging", OPTION_READ },
	{ "Socks5Proxy", OPTION_PROXY },
	{ "Socks5ProxyPassword", OPTION_SECRET },
	{ "Socks5ProxyUsername", OPTION_SECRET },
	{ "UseBridges", OPTION_SWITCH },
	{ "UseMicrodescriptors", OPTION_READ },
};
const size_t option_count = ARRAY_SIZE(option_words);
static_assert(ARRAY_SIZE(option_words) <= OPTION_MAX, "they fit a set");

const struct event_word event_words[] = {
	{ "BW", EVENT_PLAIN },
	{ "CIRC", EVENT_CIRCUIT },
	{ "CIRC_MINOR", EVENT_CIRCUIT_CHANGE },
	{ "CONF_CHANGED", EVENT_OPTIONS },
	{ "HS_DESC", EVENT_ONION },
	{ "NETWORK_LIVENESS", EVENT_PLAIN },
	{ "NEWCONSENSUS", EVENT_UNTOLD }, /* megabytes at a time */
	{ "ORCONN", EVENT_RELAY },
	{ "SIGNAL", EVENT_PLAIN },
	{ "STATUS_CLIENT", EVENT_STATUS },
	{ "STATUS_GENERAL", EVENT_STATUS },
	{ "STATUS_SERVER", EVENT_STATUS }, /* without the address that it may tell */
	{ "STREAM", EVENT_STREAM },
	{ "STREAM_BW", EVENT_STREAM_USE },
};
const size_t event_count = ARRAY_SIZE(event_words);
static_assert(ARRAY_SIZE(event_words) <= EVENT_MAX, "they fit a set");

/* Those that end Tor, write its configuration anew or make it talk in its log are nobody's. */
const char *const signal_words[] = { "ACTIVE", "CLEARDNSCACHE", "DORMANT", "NEWNYM" };
const size_t signal_count = ARRAY_SIZE(signal_words);
static_assert(ARRAY_SIZE(signal_words) <= SIGNAL_MAX, "they fit a set");

#define IN(kind) (1u << EVENT_##kind)
#define USE	 (IN(STREAM) | IN(CIRCUIT) | IN(CIRCUIT_CHANGE))
#define CIRCUITS (IN(CIRCUIT) | IN(CIRCUIT_CHANGE))

const struct field_word field_words[] = {
	{ "BUILD_FLAGS", CIRCUITS, true },
	{ "HS_STATE", CIRCUITS, true },
	{ "OLD_HS_STATE", IN(CIRCUIT_CHANGE), true },
	{ "OLD_PURPOSE", IN(CIRCUIT_CHANGE), true },
	{ "PURPOSE", USE, true },
	{ "REASON", USE | IN(STATUS) | IN(RELAY) | IN(ONION), true },
	{ "REMOTE_REASON", USE, true },
	{ "SOURCE", IN(STREAM), true },
	{ "TIME_CREATED", CIRCUITS, true },
	{ "COUNT", IN(STATUS), true },
	{ "CURRENT", IN(STATUS), true },
	{ "MIN_SKEW", IN(STATUS), true },
	{ "PROGRESS", IN(STATUS), true },
	{ "RECOMMENDATION", IN(STATUS), true },
	{ "RECOMMENDED", IN(STATUS), true },
	{ "SKEW", IN(STATUS), true },
	{ "SUMMARY", IN(STATUS), true },
	{ "TAG", IN(STATUS), true },
	{ "TIME", IN(STATUS), true },
	{ "WARNING", IN(STATUS), true },
	{ "NCIRCS", IN(RELAY), true },
	/* What a stream's program said, or where it is: of use to whoever said it. */
	{ "SOCKS_PASSWORD", USE, false },
	{ "SOCKS_USERNAME", USE, false },
	{ "SOURCE_ADDR", IN(STREAM), false },
	/* The address of an onion service that is visited. */
	{ "REND_QUERY", CIRCUITS, false },
	/* The relay or bridge that Tor connects to. */
	{ "HOSTADDR", IN(STATUS), false },
	{ "HOSTID", IN(STATUS), false },
};
const size_t field_count = ARRAY_SIZE(field_words);
static_assert(ARRAY_SIZE(field_words) <= FIELD_MAX, "they fit a set");

int option_find(const char *name)
{
	for (size_t i = 0; i < option_count; i++)
		if (strcasecmp(option_words[i].name, name) == 0)
			return (int)i;
	return -1;
}

int event_find(const char *name)
{
	for (size_t i = 0; i < event_count; i++)
		if (strcasecmp(event_words[i].name, name) == 0)
			return (int)i;
	return -1;
}

int signal_find(const char *name)
{
	for (size_t i = 0; i < signal_count; i++)
		if (strcasecmp(signal_words[i], name) == 0)
			return (int)i;
	return -1;
}

int field_find(const char *name, enum event_kind kind)
{
	for (size_t i = 0; i < field_count; i++)
		if ((field_words[i].kinds & 1u << kind) && strcmp(field_words[i].name, name) == 0)
			return (int)i;
	return -1;
}

int info_find_name(const char *name)
{
	for (size_t i = 0; i < info_count; i++)
		if (strcmp(info_words[i].name, name) == 0)
			return (int)i;
	return -1;
}

#define FINGERPRINT 40 /* hexadecimal digits */

static bool is_fingerprint(const char *text)
{
	text += text[0] == '$';
	for (size_t i = 0; i < FINGERPRINT; i++)
		if (!isxdigit((unsigned char)text[i]))
			return false;
	return text[FINGERPRINT] == '\0';
}

static bool is_address(const char *text)
{
	struct in_addr v4;
	struct in6_addr v6;

	return inet_pton(AF_INET, text, &v4) == 1 || inet_pton(AF_INET6, text, &v6) == 1;
}

/* What may follow a key of that kind. */
static bool may_follow(enum info_kind kind, const char *rest)
{
	if (kind == INFO_RELAY)
		return is_fingerprint(rest);
	if (kind == INFO_COUNTRY)
		return is_address(rest);
	return false;
}

int info_find(const char *text, const char **ret_rest)
{
	for (size_t i = 0; i < info_count; i++) {
		size_t length = strlen(info_words[i].name);
		bool more = info_words[i].kind == INFO_RELAY || info_words[i].kind == INFO_COUNTRY;

		if (strncmp(text, info_words[i].name, length) != 0)
			continue;
		if (more ? text[length] != '/' || !may_follow(info_words[i].kind, text + length + 1)
			 : text[length] != '\0')
			continue;
		*ret_rest = more ? text + length + 1 : "";
		return (int)i;
	}
	return -1;
}

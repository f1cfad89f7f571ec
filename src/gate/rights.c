/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "rights.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>

#include <base/num.h>
#include <torctl/bridge.h>

#define SECRET_MAX 255

#define TEXT_OF(number) #number
#define LIMIT(number, what) TEXT_OF(number) " " what

/* A list in struct rights: @count elements of @size bytes, without holes. */
struct list {
	void *first;
	size_t *count;
	size_t max, size;
	const char *limit; /* in words */
};

#define LIST(rights, member, counter, words)                                                       \
	{ (rights)->member, &(rights)->counter, ARRAY_SIZE((rights)->member),                      \
	  sizeof((rights)->member[0]), words }

static bool has(const struct list *list, const void *element)
{
	for (size_t i = 0; i < *list->count; i++)
		if (memcmp((const char *)list->first + i * list->size, element, list->size) == 0)
			return true;
	return false;
}

static int join(const struct list *list, const void *more, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const char *element = (const char *)more + i * list->size;

		if (has(list, element))
			continue;
		if (*list->count == list->max)
			return -E2BIG;
		memcpy((char *)list->first + *list->count * list->size, element, list->size);
		(*list->count)++;
	}
	return 0;
}

static int join_lists(struct rights *rights, const struct rights *more, const char **ret_limit)
{
	const struct list lists[] = {
		LIST(rights, seen_ports, seen_count,
		     LIMIT(RIGHTS_PORTS_MAX, "ports whose streams are seen")),
		LIST(rights, targets, target_count,
		     LIMIT(RIGHTS_TARGETS_MAX, "ports or ranges of ports for onion services")),
		LIST(rights, folders, folder_count,
		     LIMIT(RIGHTS_TARGETS_MAX, "folders for onion services")),
		LIST(rights, transports, transport_count,
		     LIMIT(RIGHTS_TRANSPORTS_MAX, "transports")),
	};
	const struct {
		const void *first;
		size_t count;
	} added[] = {
		{ more->seen_ports, more->seen_count },
		{ more->targets, more->target_count },
		{ more->folders, more->folder_count },
		{ more->transports, more->transport_count },
	};

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		int r = join(&lists[i], added[i].first, added[i].count);

		if (r < 0) {
			*ret_limit = lists[i].limit;
			return r;
		}
	}
	return 0;
}

int rights_join(struct rights *rights, const struct rights *more, const char **ret_limit)
{
	rights->infos |= more->infos;
	rights->reads |= more->reads;
	rights->sets |= more->sets;
	rights->events |= more->events;
	rights->signals |= more->signals;
	rights->fields |= more->fields;
	rights->sees_all |= more->sees_all;
	rights->onion_clients |= more->onion_clients;
	rights->drops_guards |= more->drops_guards;
	return join_lists(rights, more, ret_limit);
}

/* ---- values of options ---- */

/* "192.0.2.1:443" */
static bool is_endpoint(const char *text, size_t length, bool local, uint16_t *ret_port)
{
	char copy[sizeof("255.255.255.255:65535")];
	struct in_addr address;
	uint64_t port;
	char *colon;

	if (length >= sizeof(copy))
		return false;
	memcpy(copy, text, length);
	copy[length] = '\0';
	colon = strchr(copy, ':');
	if (!colon)
		return false;
	*colon = '\0';
	if (inet_pton(AF_INET, copy, &address) != 1 ||
	    num_parse_u64(colon + 1, UINT16_MAX, &port) < 0 || port == 0)
		return false;
	*ret_port = (uint16_t)port;
	return !local || strcmp(copy, "127.0.0.1") == 0;
}

/* The next word of text in which words stand apart by one blank; NULL at the end. */
static const char *next_word(const char **at, size_t *ret_length)
{
	const char *word = *at;

	if (!*word)
		return NULL;
	*ret_length = strcspn(word, " ");
	*at = word + *ret_length + (word[*ret_length] == ' ' && word[*ret_length + 1]);
	return word;
}

/* Tor gets what was understood, and not the line. */
static bool take_bridge(const char *value, struct buf *ret_written)
{
	struct torctl_bridge bridge;

	if (torctl_bridge_parse(value, strlen(value), &bridge, NULL) < 0)
		return false;
	torctl_bridge_write(&bridge, ret_written);
	return true;
}

static bool is_transport(const struct rights *rights, const char *value)
{
	static const char middle[] = "socks5";
	const char *at = value, *word, *last;
	size_t length = 0, name;
	uint16_t port;

	word = next_word(&at, &name);
	last = next_word(&at, &length);
	if (!word || !last || length != strlen(middle) || memcmp(last, middle, length) != 0)
		return false;
	last = next_word(&at, &length);
	if (!last || *at || last[length] || !is_endpoint(last, length, true, &port))
		return false;
	for (size_t i = 0; i < rights->transport_count; i++)
		if (rights->transports[i].port == port && strlen(rights->transports[i].name) == name &&
		    memcmp(rights->transports[i].name, word, name) == 0)
			return true;
	return false;
}

static const char *refuse_value(const struct rights *rights, enum option_kind kind,
				const char *value, struct buf *ret_written)
{
	uint16_t port;

	switch (kind) {
	case OPTION_SWITCH:
		return !strcmp(value, "0") || !strcmp(value, "1") ? NULL : "the value is not 0 or 1";
	case OPTION_BRIDGE:
		return take_bridge(value, ret_written) ? NULL : "the value is no bridge's line";
	case OPTION_TRANSPORT:
		return is_transport(rights, value) ? NULL : "this transport is not granted";
	case OPTION_PROXY:
		return is_endpoint(value, strlen(value), false, &port)
			       ? NULL
			       : "the value is not an IPv4 address with a port";
	case OPTION_SECRET:
		return value[0] && strlen(value) <= SECRET_MAX ? NULL
							       : "the value is empty or too long";
	case OPTION_READ:
		break;
	}
	return "this option may not be set here";
}

const char *rights_refuse_value(const struct rights *rights, int option, const char *value,
				struct buf *ret_written)
{
	const char *reason;

	if (!rights_has(rights->sets, option))
		return "this option may not be set here";
	if (!value)
		return NULL;
	reason = refuse_value(rights, option_words[option].kind, value, ret_written);
	if (!reason && ret_written->len == 0)
		buf_puts(ret_written, value);
	return reason;
}

/* ---- onion services ---- */

static bool may_lead_to(const struct rights *rights, const struct torctl_target *target)
{
	if (target->path) {
		for (size_t i = 0; i < rights->folder_count; i++) {
			size_t length = strlen(rights->folders[i]);

			/* A folder's own sockets, and nothing below it. */
			if (strncmp(target->path, rights->folders[i], length) == 0 &&
			    target->path[length] == '/' && target->path[length + 1] &&
			    !strchr(target->path + length + 1, '/'))
				return true;
		}
		return false;
	}
	for (size_t i = 0; i < rights->target_count; i++)
		if (target->port >= rights->targets[i].low &&
		    target->port <= rights->targets[i].high)
			return true;
	return false;
}

const char *rights_refuse_onion(const struct rights *rights, const struct torctl_command *command)
{
	const unsigned allowed =
		TORCTL_DISCARD_KEY | TORCTL_CLOSE_CIRCUIT | TORCTL_CLIENTS_BY_KEY;

	if (!rights->target_count && !rights->folder_count)
		return "onion services may not be made here";
	/* A service that outlives its connection would be nobody's. */
	if (command->flags & ~allowed)
		return "of flags there are DiscardPK, MaxStreamsCloseCircuit and V3Auth";
	for (size_t i = 0; i < command->target_count; i++)
		if (!may_lead_to(rights, &command->targets[i]))
			return "an onion service may not lead to this port";
	return NULL;
}

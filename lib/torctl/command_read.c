/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Values: what the words of a command's line mean. */
#include "command.h"

#include "command_verbs.h"
#include "words.h"

#include <assert.h>
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include <base/num.h>

#define NICKNAME_MAX 16
#define PATH_MAX_BYTES 100
#define ED25519_KEY 88 /* characters of base64, with padding */
#define X25519_KEY  44
#define CLIENT_KEY  52 /* of base32 */

static bool made_of(const char *text, size_t length, const char *more)
{
	for (size_t i = 0; i < length; i++)
		if (!isalnum((unsigned char)text[i]) && (!text[i] || !strchr(more, text[i])))
			return false;
	return length > 0;
}

static bool is_base32(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (!(text[i] >= 'a' && text[i] <= 'z') && !(text[i] >= '2' && text[i] <= '7'))
			return false;
	return true;
}

bool torctl_is_onion(const char *id)
{
	return strlen(id) == TORCTL_ONION_ID && is_base32(id, TORCTL_ONION_ID);
}

static bool is_base64(const char *text, size_t length)
{
	size_t size = strlen(text), plain = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
							 "abcdefghijklmnopqrstuvwxyz0123456789+/");

	/* Some programs leave the padding away. */
	return size <= length && plain + 2 >= length && plain + strspn(text + plain, "=") == size;
}

/* One word as it came, and nothing quoted: where it was cut at a '=', that is put back. */
static const char *whole(const struct torctl_command *command, const struct torctl_word *word)
{
	if (word->quoted)
		return NULL;
	if (word->key)
		command->store[word->value - command->store - 1] = '=';
	return word->key ? word->key : word->value;
}

static int refuse(const char *reason, const char **ret_reason)
{
	*ret_reason = reason;
	return -EINVAL;
}

/* ---- names, with or without values ---- */

static int read_names(struct torctl_command *command, const struct torctl_words *words,
		      const char *more, const char **ret_reason)
{
	for (size_t i = 1; i < words->count; i++) {
		const char *name = whole(command, &words->list[i]);

		if (!name || !made_of(name, strlen(name), more))
			return refuse("an argument is not a plain word", ret_reason);
		command->items[command->item_count++].name = name;
	}
	return 0;
}

/* What Tor's configuration can hold on one line, and nothing that a terminal or a log would obey. */
static bool is_printable(const char *text)
{
	for (; *text; text++)
		if (*text < 0x20 || *text > 0x7e)
			return false;
	return true;
}

static int read_options(struct torctl_command *command, const struct torctl_words *words,
			const char **ret_reason)
{
	for (size_t i = 1; i < words->count; i++) {
		const struct torctl_word *word = &words->list[i];
		const char *name = word->key ? word->key : word->value;

		if (!word->key && word->quoted)
			return refuse("a value without the name of an option", ret_reason);
		if (!made_of(name, strlen(name), "_"))
			return refuse("what is before '=' is no option", ret_reason);
		if (word->key && !is_printable(word->value))
			return refuse("a value holds a character that is not printable ASCII",
				      ret_reason);
		command->items[command->item_count++] =
		    (struct torctl_item){.name = name, .value = word->key ? word->value : NULL};
	}
	return command->item_count ? 0 : refuse("no option is named", ret_reason);
}

static int read_signal(struct torctl_command *command, const struct torctl_words *words,
		       const char **ret_reason)
{
	int r = read_names(command, words, "", ret_reason);

	if (r == 0 && command->item_count != 1)
		r = refuse("one signal is wanted", ret_reason);
	return r;
}

static int read_infos(struct torctl_command *command, const struct torctl_words *words,
		      const char **ret_reason)
{
	int r = read_names(command, words, "/-_.$~:=", ret_reason);

	if (r == 0 && command->item_count == 0)
		r = refuse("no key is named", ret_reason);
	return r;
}

/* ---- onion services ---- */

static int read_service(struct torctl_command *command, const char *text, const char **ret_reason)
{
	char *at;

	if (!text || strlen(text) != TORCTL_ONION_ID)
		return refuse("this is no address of an onion service", ret_reason);
	at = command->store + (text - command->store);
	for (char *c = at; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	if (!torctl_is_onion(at))
		return refuse("this is no address of an onion service", ret_reason);
	command->service = at;
	return 0;
}

static int read_flags(struct torctl_command *command, char *list, const char **ret_reason)
{
	static const struct {
		const char *name;
		enum torctl_flag flag;
	} flags[] = {
	    {"DiscardPK", TORCTL_DISCARD_KEY},	      {"Detach", TORCTL_DETACH},
	    {"MaxStreamsCloseCircuit", TORCTL_CLOSE_CIRCUIT}, {"V3Auth", TORCTL_CLIENTS_BY_KEY},
	    {"NonAnonymous", TORCTL_NOT_ANONYMOUS},   {"Permanent", TORCTL_PERMANENT},
	};
	char *rest = list, *name;

	while ((name = strsep(&rest, ","))) {
		size_t i = 0;

		while (i < ARRAY_SIZE(flags) && strcasecmp(name, flags[i].name) != 0)
			i++;
		if (i == ARRAY_SIZE(flags))
			return refuse("a flag is unknown", ret_reason);
		command->flags |= flags[i].flag;
	}
	return 0;
}

static int read_port(const char *text, uint16_t *ret_port)
{
	uint64_t port;

	if (num_parse_u64(text, UINT16_MAX, &port) < 0 || port == 0)
		return -EINVAL;
	*ret_port = (uint16_t)port;
	return 0;
}

static bool is_plain_path(const char *path)
{
	return path[0] == '/' && strlen(path) <= PATH_MAX_BYTES && !strstr(path, "//") &&
	       !strstr(path, "/.") && made_of(path, strlen(path), "/-_.+");
}

/* "80", "80,17600", "80,127.0.0.1:17600", "80,unix:/run/x/socket". */
static int read_target(struct torctl_command *command, char *text, const char **ret_reason)
{
	static const char wrong[] = "a target is not PORT, 127.0.0.1:PORT or unix:PATH";
	struct torctl_target target = {0};
	char *rest = text, *onion_port = strsep(&rest, ",");

	if (read_port(onion_port, &target.onion_port) < 0)
		return refuse("a port is not a number from 1 to 65535", ret_reason);
	target.port = target.onion_port;
	if (rest && strncmp(rest, "unix:", 5) == 0) {
		target.port = 0;
		target.path = rest + 5;
		if (!is_plain_path(target.path))
			return refuse(wrong, ret_reason);
	} else if (rest) {
		if (strncmp(rest, "127.0.0.1:", 10) == 0)
			rest += 10;
		if (read_port(rest, &target.port) < 0)
			return refuse(wrong, ret_reason);
	}
	command->targets[command->target_count++] = target;
	return 0;
}

static int read_max_streams(struct torctl_command *command, const char *text,
			    const char **ret_reason)
{
	uint64_t number;

	if (command->has_max_streams || num_parse_u64(text, UINT16_MAX, &number) < 0)
		return refuse("MaxStreams is not one number up to 65535", ret_reason);
	command->has_max_streams = true;
	command->max_streams = (uint16_t)number;
	return 0;
}

/* "Port=80,17600": its name, and its value, which is the caller's to cut. */
static int read_onion_argument(struct torctl_command *command, const struct torctl_word *word,
			       const char **ret_reason)
{
	char *value = command->store + (word->value - command->store);

	if (!word->key || word->quoted)
		return refuse("an argument is not NAME=VALUE", ret_reason);
	if (strcasecmp(word->key, "Port") == 0)
		return read_target(command, value, ret_reason);
	if (strcasecmp(word->key, "Flags") == 0)
		return read_flags(command, value, ret_reason);
	if (strcasecmp(word->key, "MaxStreams") == 0)
		return read_max_streams(command, value, ret_reason);
	if (strcasecmp(word->key, "ClientAuthV3") != 0)
		return refuse("an argument is unknown", ret_reason);
	for (char *c = value; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	if (strlen(value) != CLIENT_KEY || !is_base32(value, CLIENT_KEY))
		return refuse("a client's key is not one", ret_reason);
	command->clients[command->client_count++] = value;
	return 0;
}

static int read_add_onion(struct torctl_command *command, const struct torctl_words *words,
			  const char **ret_reason)
{
	const char *key = words->count > 1 ? whole(command, &words->list[1]) : NULL;
	int r = 0;

	if (key && (strcasecmp(key, "NEW:BEST") == 0 || strcasecmp(key, "NEW:ED25519-V3") == 0)) {
		command->key_kind = TORCTL_KEY_NEW;
	} else if (key && strncasecmp(key, "ED25519-V3:", 11) == 0 &&
		   is_base64(key + 11, ED25519_KEY)) {
		command->key_kind = TORCTL_KEY_ED25519;
		command->key = key + 11;
	} else {
		return refuse("the key is not NEW:BEST, NEW:ED25519-V3 or ED25519-V3:KEY",
			      ret_reason);
	}
	for (size_t i = 2; i < words->count && r == 0; i++)
		r = read_onion_argument(command, &words->list[i], ret_reason);
	if (r == 0 && command->target_count == 0)
		r = refuse("no port is named", ret_reason);
	return r;
}

static int read_auth_add(struct torctl_command *command, const struct torctl_words *words,
			 const char **ret_reason)
{
	const char *key = words->count > 2 ? whole(command, &words->list[2]) : NULL;
	int r;

	if (!key || strncasecmp(key, "x25519:", 7) != 0 || !is_base64(key + 7, X25519_KEY))
		return refuse("an address and x25519:KEY are wanted", ret_reason);
	command->key_kind = TORCTL_KEY_X25519;
	command->key = key + 7;
	r = read_service(command, whole(command, &words->list[1]), ret_reason);
	for (size_t i = 3; i < words->count && r == 0; i++) {
		const struct torctl_word *word = &words->list[i];

		if (word->key && !word->quoted && strcasecmp(word->key, "Flags") == 0) {
			r = read_flags(command, command->store + (word->value - command->store),
				       ret_reason);
		} else if (word->key && strcasecmp(word->key, "ClientName") == 0 &&
			   strlen(word->value) <= NICKNAME_MAX &&
			   made_of(word->value, strlen(word->value), "")) {
			command->nickname = word->value;
		} else {
			r = refuse("an argument is unknown", ret_reason);
		}
	}
	return r;
}

/* One address. */
static int read_onion_id(struct torctl_command *command, const struct torctl_words *words,
			 const char **ret_reason)
{
	if (command->verb == TORCTL_ONION_CLIENT_AUTH_VIEW && words->count == 1)
		return 0;
	if (words->count != 2)
		return refuse("one address of an onion service is wanted", ret_reason);
	return read_service(command, whole(command, &words->list[1]), ret_reason);
}

/* ---- a command ---- */

static int read_arguments(struct torctl_command *command, const struct torctl_words *words,
			  const char **ret_reason)
{
	switch (command->verb) {
	case TORCTL_GETINFO:
		return read_infos(command, words, ret_reason);
	case TORCTL_GETCONF:
		return read_names(command, words, "_", ret_reason);
	case TORCTL_SETEVENTS:
		return read_names(command, words, "_", ret_reason);
	case TORCTL_SETCONF:
	case TORCTL_RESETCONF:
		return read_options(command, words, ret_reason);
	case TORCTL_SIGNAL:
		return read_signal(command, words, ret_reason);
	case TORCTL_ADD_ONION:
		return read_add_onion(command, words, ret_reason);
	case TORCTL_ONION_CLIENT_AUTH_ADD:
		return read_auth_add(command, words, ret_reason);
	case TORCTL_DEL_ONION:
	case TORCTL_ONION_CLIENT_AUTH_REMOVE:
	case TORCTL_ONION_CLIENT_AUTH_VIEW:
		return read_onion_id(command, words, ret_reason);
	case TORCTL_QUIT:
	case TORCTL_DROPGUARDS:
		return words->count == 1 ? 0 : refuse("it takes no arguments", ret_reason);
	case TORCTL_AUTHENTICATE:
	case TORCTL_AUTHCHALLENGE:
	case TORCTL_PROTOCOLINFO:
	case TORCTL_NOT_MODELLED:
	case TORCTL_NO_COMMAND:
		break;
	}
	return 0;
}

static int make_room(struct torctl_command *command, size_t count)
{
	command->items = calloc(count, sizeof(*command->items));
	command->targets = calloc(count, sizeof(*command->targets));
	command->clients = calloc(count, sizeof(*command->clients));
	return command->items && command->targets && command->clients ? 0 : -ENOMEM;
}

static bool has_values(enum torctl_verb verb)
{
	return verb != TORCTL_NO_COMMAND && verb != TORCTL_NOT_MODELLED &&
	       verb != TORCTL_AUTHENTICATE && verb != TORCTL_AUTHCHALLENGE &&
	       verb != TORCTL_PROTOCOLINFO;
}

int torctl_command_read(const struct torctl_sent *sent, struct torctl_command *ret_command,
			const char **ret_reason)
{
	CLEANUP(torctl_command_done) struct torctl_command command = {0};
	struct torctl_words words = {0};
	int r;

	command.verb = torctl_verb_find(sent->line, sent->length);
	if (has_values(command.verb)) {
		if (sent->with_data)
			return refuse("it takes no data", ret_reason);
		r = torctl_words_parse(sent->line, sent->length, &words);
		if (r == -EBADMSG)
			return refuse("a quote or an escape is wrong", ret_reason);
		if (r == -E2BIG || (r == 0 && words.count > TORCTL_ITEMS_MAX))
			r = refuse("there are too many arguments", ret_reason);
		command.store = TAKE_PTR(words.store);
		if (r == 0)
			r = make_room(&command, words.count);
		if (r == 0)
			r = read_arguments(&command, &words, ret_reason);
		torctl_words_done(&words);
		if (r < 0)
			return r;
	}
	*ret_command = command;
	command = (struct torctl_command){0};
	return 0;
}

int torctl_command_set_value(struct torctl_command *command, size_t item, const char *value)
{
	size_t length = strlen(value);
	const char *first;

	assert(item < command->item_count && command->items[item].value);
	first = command->items[item].value;
	if (length > strlen(first))
		return -E2BIG;
	/* It is in the store, which is this command's own. */
	memmove(command->store + (first - command->store), value, length + 1);
	return 0;
}

void torctl_command_done(struct torctl_command *command)
{
	free(command->items);
	free(command->targets);
	free(command->clients);
	free(command->store);
	*command = (struct torctl_command){0};
}

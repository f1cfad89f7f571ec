/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The language of grants. */
#include "grants.h"

#include <string.h>
#include <strings.h>

#include <base/num.h>
#include <os/user.h>
#include <policy/lexer.h>
#include <policy/names.h>

#define HEADER	"lethe-gate"
#define VERSION "1"

struct reading {
	struct lexer lexer;
	struct token token; /* the one that is looked at */
	struct diag *diag;
	const char *passwd;
	struct grants *grants;
	struct grants_client *client; /* that the statements are of; NULL before the first */
	char word[GRANTS_WORD_MAX];   /* the last word, with its NUL */
	struct policy_place place;    /* where it stands */
};

#define FAIL(reading, ...)                                                                         \
	({                                                                                         \
		const struct policy_place *at_ = &(reading)->place;                                \
		diag_set((reading)->diag, at_->file, at_->line, at_->column, __VA_ARGS__);         \
		-EBADMSG;                                                                          \
	})

static int advance(struct reading *reading)
{
	return lexer_next(&reading->lexer, reading->diag, &reading->token);
}

/* Take the word that is looked at to `word`, and look at what follows. */
static int take_word(struct reading *reading, const char *wanted)
{
	const struct token *token = &reading->token;

	reading->place = token->place;
	if (token->kind != TOKEN_WORD)
		return FAIL(reading, "%s is wanted here", wanted);
	if (token->len >= sizeof(reading->word))
		return FAIL(reading, "this word is too long");
	memcpy(reading->word, token->text, token->len);
	reading->word[token->len] = '\0';
	return advance(reading);
}

static int end_statement(struct reading *reading)
{
	if (reading->token.kind == TOKEN_END)
		return 0;
	reading->place = reading->token.place;
	if (reading->token.kind != TOKEN_NEWLINE)
		return FAIL(reading, "nothing more is wanted in this line");
	return advance(reading);
}

/* ---- lists ---- */

typedef int take_fn(struct reading *reading);

static int read_list(struct reading *reading, const char *wanted, take_fn *take)
{
	int r;

	for (;;) {
		r = take_word(reading, wanted);
		if (r == 0)
			r = take(reading);
		if (r < 0 || reading->token.kind != TOKEN_COMMA)
			return r;
		r = advance(reading);
		if (r < 0)
			return r;
	}
}

static void hint_nearest(struct reading *reading, const struct suggestion *suggestion)
{
	if (suggestion->best[0])
		diag_hint(reading->diag, "did you mean '%s'?", suggestion->best);
	else
		diag_hint(reading->diag, "lethe-gate.conf(5) has the list of what can be granted");
}

static int add_to_set(struct reading *reading, uint64_t *set, int index)
{
	if (*set & UINT64_C(1) << index)
		return FAIL(reading, "'%s' stands here twice", reading->word);
	*set |= UINT64_C(1) << index;
	return 0;
}

static int take_info(struct reading *reading)
{
	int index = info_find_name(reading->word);
	struct suggestion suggestion = { .wrong = reading->word };

	if (index >= 0)
		return add_to_set(reading, &reading->client->rights.infos, index);
	for (size_t i = 0; i < info_count; i++)
		suggest_offer(&suggestion, info_words[i].name);
	FAIL(reading, "GETINFO %s cannot be granted", reading->word);
	hint_nearest(reading, &suggestion);
	return -EBADMSG;
}

static int find_option(struct reading *reading, const char *verb, int *ret_index)
{
	struct suggestion suggestion = { .wrong = reading->word };

	*ret_index = option_find(reading->word);
	if (*ret_index >= 0)
		return 0;
	for (size_t i = 0; i < option_count; i++)
		suggest_offer(&suggestion, option_words[i].name);
	FAIL(reading, "%s %s cannot be granted", verb, reading->word);
	hint_nearest(reading, &suggestion);
	return -EBADMSG;
}

static int take_getconf(struct reading *reading)
{
	int index, r = find_option(reading, "GETCONF", &index);

	return r < 0 ? r : add_to_set(reading, &reading->client->rights.reads, index);
}

static int take_setconf(struct reading *reading)
{
	int index, r = find_option(reading, "SETCONF", &index);

	if (r < 0)
		return r;
	if (option_words[index].kind == OPTION_READ) {
		r = FAIL(reading, "SETCONF %s cannot be granted", reading->word);
		diag_hint(reading->diag, "this option can only be read: 'getconf %s'",
			  reading->word);
		return r;
	}
	return add_to_set(reading, &reading->client->rights.sets, index);
}

static int take_event(struct reading *reading)
{
	int index = event_find(reading->word);
	struct suggestion suggestion = { .wrong = reading->word };

	if (index >= 0)
		return add_to_set(reading, &reading->client->rights.events, index);
	for (size_t i = 0; i < event_count; i++)
		suggest_offer(&suggestion, event_words[i].name);
	FAIL(reading, "the event %s cannot be granted", reading->word);
	hint_nearest(reading, &suggestion);
	return -EBADMSG;
}

static int take_signal(struct reading *reading)
{
	int index = signal_find(reading->word);
	struct suggestion suggestion = { .wrong = reading->word };

	if (index >= 0)
		return add_to_set(reading, &reading->client->rights.signals, index);
	for (size_t i = 0; i < signal_count; i++)
		suggest_offer(&suggestion, signal_words[i]);
	FAIL(reading, "SIGNAL %s cannot be granted", reading->word);
	hint_nearest(reading, &suggestion);
	return -EBADMSG;
}

static int take_field(struct reading *reading)
{
	struct suggestion suggestion = { .wrong = reading->word };
	bool found = false;

	for (size_t i = 0; i < field_count; i++) {
		if (field_words[i].told)
			continue;
		suggest_offer(&suggestion, field_words[i].name);
		if (strcmp(field_words[i].name, reading->word) == 0) {
			reading->client->rights.fields |= UINT64_C(1) << i;
			found = true;
		}
	}
	if (found)
		return 0;
	FAIL(reading, "'%s' is nothing that can be revealed", reading->word);
	hint_nearest(reading, &suggestion);
	return -EBADMSG;
}

/* ---- users ---- */

static int note_missing(struct reading *reading)
{
	struct grants *grants = reading->grants;
	struct grants_missing *missing = &grants->missing[grants->missing_count];

	if (grants->missing_count == ARRAY_SIZE(grants->missing))
		return FAIL(reading, "too many users are named that this system does not have");
	snprintf(missing->client, sizeof(missing->client), "%s", reading->client->name);
	snprintf(missing->user, sizeof(missing->user), "%s", reading->word);
	grants->missing_count++;
	return 0;
}

static int take_user(struct reading *reading)
{
	struct grants_client *client = reading->client;
	uint64_t number;
	uint32_t uid, gid;
	int r;

	if (strcmp(reading->word, GRANTS_EVERYONE) == 0) {
		client->everyone = true;
		return 0;
	}
	if (strlen(reading->word) >= sizeof(client->users[0]))
		return FAIL(reading, "this name is too long for a user");
	if (num_parse_u64(reading->word, UINT32_MAX - 1, &number) == 0)
		uid = (uint32_t)number;
	else if ((r = user_numbers(reading->passwd, reading->word, &uid, &gid)) < 0)
		return r == -ENOENT ? note_missing(reading)
				    : FAIL(reading, "users cannot be looked up in %s: %s",
					   reading->passwd, strerror(-r));
	if (client->uid_count == ARRAY_SIZE(client->uids))
		return FAIL(reading, "a client can have %d users", GRANTS_USERS_MAX);
	snprintf(client->users[client->uid_count], sizeof(client->users[0]), "%s", reading->word);
	client->uids[client->uid_count++] = uid;
	return 0;
}

/* ---- ports ---- */

static int parse_port(const char *text, uint16_t *ret_port)
{
	uint64_t port;

	if (num_parse_u64(text, UINT16_MAX, &port) < 0 || port == 0)
		return -EINVAL;
	*ret_port = (uint16_t)port;
	return 0;
}

static int take_seen(struct reading *reading)
{
	struct rights *rights = &reading->client->rights;

	if (strcmp(reading->word, "all") == 0) {
		rights->sees_all = true;
		return 0;
	}
	if (rights->seen_count == ARRAY_SIZE(rights->seen_ports))
		return FAIL(reading, "a client can see %d ports", RIGHTS_PORTS_MAX);
	if (parse_port(reading->word, &rights->seen_ports[rights->seen_count]) < 0)
		return FAIL(reading, "'%s' is neither a port nor 'all'", reading->word);
	rights->seen_count++;
	return 0;
}

static int take_folder(struct reading *reading, const char *path)
{
	struct rights *rights = &reading->client->rights;
	size_t length = strlen(path);

	if (path[0] != '/' || length < 2 || path[length - 1] == '/' || strstr(path, "/.") ||
	    strstr(path, "//") || length >= RIGHTS_PATH_MAX)
		return FAIL(reading, "'%s' is no plain path of a folder", path);
	if (rights->folder_count == ARRAY_SIZE(rights->folders))
		return FAIL(reading, "there are too many folders");
	snprintf(rights->folders[rights->folder_count++], RIGHTS_PATH_MAX, "%s", path);
	return 0;
}

static int take_target(struct reading *reading)
{
	struct rights *rights = &reading->client->rights;
	struct rights_range range;
	char low[GRANTS_WORD_MAX];
	char *dash;

	if (strncmp(reading->word, "unix:", 5) == 0)
		return take_folder(reading, reading->word + 5);
	snprintf(low, sizeof(low), "%s", reading->word);
	dash = strchr(low, '-');
	if (dash)
		*dash = '\0';
	if (parse_port(low, &range.low) < 0 ||
	    parse_port(dash ? dash + 1 : low, &range.high) < 0 || range.low > range.high)
		return FAIL(reading, "'%s' is not PORT, PORT-PORT or unix:FOLDER", reading->word);
	if (rights->target_count == ARRAY_SIZE(rights->targets))
		return FAIL(reading, "there are too many ports");
	rights->targets[rights->target_count++] = range;
	return 0;
}

/* ---- statements ---- */

static int read_transport(struct reading *reading)
{
	struct rights *rights = &reading->client->rights;
	struct rights_transport *transport = &rights->transports[rights->transport_count];
	int r = take_word(reading, "the name of a transport");

	if (r < 0)
		return r;
	if (rights->transport_count == ARRAY_SIZE(rights->transports))
		return FAIL(reading, "there are too many transports");
	if (strlen(reading->word) >= sizeof(transport->name))
		return FAIL(reading, "this name is too long for a transport");
	snprintf(transport->name, sizeof(transport->name), "%s", reading->word);
	r = take_word(reading, "a port");
	if (r < 0)
		return r;
	if (parse_port(reading->word, &transport->port) < 0)
		return FAIL(reading, "'%s' is no port", reading->word);
	rights->transport_count++;
	return 0;
}

static int read_onions(struct reading *reading)
{
	int r = take_word(reading, "'to'");

	if (r < 0)
		return r;
	if (strcmp(reading->word, "to") != 0)
		return FAIL(reading, "'to' is wanted here");
	return read_list(reading, "a port", take_target);
}

static int read_onion_clients(struct reading *reading)
{
	reading->client->rights.onion_clients = true;
	return 0;
}

static int read_drop_guards(struct reading *reading)
{
	reading->client->rights.drops_guards = true;
	return 0;
}

static int read_users(struct reading *reading)
{
	return read_list(reading, "a user", take_user);
}

static int read_getinfo(struct reading *reading)
{
	return read_list(reading, "a key of GETINFO", take_info);
}

static int read_getconf(struct reading *reading)
{
	return read_list(reading, "an option", take_getconf);
}

static int read_setconf(struct reading *reading)
{
	return read_list(reading, "an option", take_setconf);
}

static int read_events(struct reading *reading)
{
	return read_list(reading, "an event", take_event);
}

static int read_signals(struct reading *reading)
{
	return read_list(reading, "a signal", take_signal);
}

static int read_see(struct reading *reading)
{
	return read_list(reading, "a port", take_seen);
}

static int read_reveal(struct reading *reading)
{
	return read_list(reading, "a field", take_field);
}

static int read_client(struct reading *reading)
{
	struct grants *grants = reading->grants;
	struct grants_client *client = &grants->clients[grants->count];
	int r = take_word(reading, "the name of a client");

	if (r < 0)
		return r;
	if (strlen(reading->word) >= sizeof(client->name))
		return FAIL(reading, "this name is too long for a client");
	for (size_t i = 0; i < grants->count; i++) {
		if (strcmp(grants->clients[i].name, reading->word) != 0)
			continue;
		r = FAIL(reading, "the client '%s' is there already", reading->word);
		diag_hint(reading->diag, "a file in /etc/lethe/gate.d takes the place of the "
					 "shipped file of the same name");
		return r;
	}
	if (grants->count == ARRAY_SIZE(grants->clients))
		return FAIL(reading, "there can be %d clients", GRANTS_CLIENTS_MAX);
	*client = (struct grants_client){ .line = reading->place.line,
					  .column = reading->place.column };
	snprintf(client->file, sizeof(client->file), "%s", reading->place.file);
	snprintf(client->name, sizeof(client->name), "%s", reading->word);
	reading->client = client;
	grants->count++;
	return 0;
}

static const struct {
	const char *word;
	int (*read)(struct reading *reading);
} statements[] = {
	{ "client", read_client },     { "users", read_users },
	{ "getinfo", read_getinfo },   { "getconf", read_getconf },
	{ "setconf", read_setconf },   { "events", read_events },
	{ "signals", read_signals },   { "see", read_see },
	{ "reveal", read_reveal },     { "onions", read_onions },
	{ "onion-clients", read_onion_clients }, { "drop-guards", read_drop_guards },
	{ "transport", read_transport },
};

static int read_statement(struct reading *reading)
{
	struct suggestion suggestion = { .wrong = reading->word };
	int r = take_word(reading, "a statement");

	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(statements); i++) {
		suggest_offer(&suggestion, statements[i].word);
		if (strcmp(statements[i].word, reading->word) != 0)
			continue;
		if (!reading->client && statements[i].read != read_client) {
			r = FAIL(reading, "'%s' belongs to no client", reading->word);
			diag_hint(reading->diag, "begin with 'client NAME'");
			return r;
		}
		r = statements[i].read(reading);
		return r < 0 ? r : end_statement(reading);
	}
	FAIL(reading, "'%s' is no statement", reading->word);
	hint_nearest(reading, &suggestion);
	return -EBADMSG;
}

/* "lethe-gate 1": so that a later language is not half understood. */
static int read_header(struct reading *reading)
{
	int r = take_word(reading, "'" HEADER " " VERSION "'");

	if (r == 0 && strcmp(reading->word, HEADER) != 0)
		r = FAIL(reading, "the first line is not '" HEADER " " VERSION "'");
	if (r == 0)
		r = take_word(reading, "a version");
	if (r == 0 && strcmp(reading->word, VERSION) != 0)
		r = FAIL(reading, "this is version %s of the language; this program knows " VERSION,
			 reading->word);
	return r < 0 ? r : end_statement(reading);
}

int grants_read(struct grants *grants, const char *file, const char *text, size_t length,
		const char *passwd, struct diag *diag)
{
	struct reading reading = { .lexer = { .file = file, .text = text, .len = length },
				   .diag = diag,
				   .passwd = passwd,
				   .grants = grants,
				   .place = { .file = file } };
	int r = advance(&reading);

	if (r == 0)
		r = read_header(&reading);
	while (r == 0 && reading.token.kind != TOKEN_END)
		r = read_statement(&reading);
	return r;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "resolve.h"

#include <stdarg.h>
#include <string.h>

#include "grow.h"

struct place_text place_text(const struct policy_place *place)
{
	struct place_text shown;

	snprintf(shown.text, sizeof(shown.text), "%.*s:%u:%u", DIAG_FILE_MAX - 1, place->file,
		 place->line, place->column);
	return shown;
}

int resolve_fail(const struct resolver *resolver, const struct policy_place *place,
		 const char *format, ...)
{
	char message[DIAG_MESSAGE_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	diag_set(resolver->diag, place->file, place->line, place->column, "%s", message);
	return -EBADMSG;
}

void resolve_hint(const struct resolver *resolver, const char *format, ...)
{
	char hint[DIAG_MESSAGE_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(hint, sizeof(hint), format, args);
	va_end(args);
	diag_hint(resolver->diag, "%s", hint);
}

int resolve_name(const struct resolver *resolver, const struct ast_word *word, const char *what,
		 char ret_name[static POLICY_NAME_MAX + 1])
{
	if (word->len > POLICY_NAME_MAX)
		return resolve_fail(resolver, &word->place, "%s is longer than %d bytes", what,
				    POLICY_NAME_MAX);
	memcpy(ret_name, word->text, word->len);
	ret_name[word->len] = '\0';
	return 0;
}

/* "default drop" and "ipv6 blocked": that they stand there is all they say. */
static int resolve_once(struct resolver *resolver, const struct statement *statement,
			struct policy_place *place, const char *text)
{
	if (place->file)
		return resolve_fail(resolver, &statement->place, "\"%s\" is stated already, at %s",
				    text, place_text(place).text);
	*place = statement->place;
	return 0;
}

static int resolve_namespace(struct resolver *resolver, const struct statement *statement)
{
	struct policy *policy = resolver->policy;
	struct policy_namespace space = {.place = statement->place};
	const struct policy_namespace *other;
	int r;

	r = resolve_name(resolver, &statement->name, "a namespace's name", space.name);
	if (r < 0)
		return r;
	other = policy_find_namespace(policy, space.name);
	if (other)
		return resolve_fail(resolver, &statement->name.place,
				    "the namespace \"%s\" is stated already, at %s", space.name,
				    place_text(&other->place).text);
	if (policy->namespace_count >= POLICY_USERS_MAX)
		return resolve_fail(resolver, &statement->place, "more than %d namespaces",
				    POLICY_USERS_MAX);
	r = resolve_user(resolver, &resolver->ast->words[statement->users.first], &space.uid);
	if (r < 0)
		return r;
	return APPEND(policy->namespaces, policy->namespace_count, &space);
}

static int resolve_link(struct resolver *resolver, const struct statement *statement)
{
	static const char *const kinds[POLICY_LINK_KINDS] = {"arp", "dhcp", "eapol"};
	struct policy_link *link = &resolver->policy->links[statement->link];
	int r;

	if (link->stated)
		return resolve_fail(resolver, &statement->place,
				    "\"link %s\" is stated already, at %s", kinds[statement->link],
				    place_text(&link->place).text);
	r = resolve_users(resolver, statement->users, &link->users);
	if (r < 0)
		return r;
	link->kernel = statement->kernel;
	link->place = statement->place;
	link->stated = true;
	return 0;
}

/* Statements in their order, but for `network`, which comes before, and what needs every service.
 */
static int resolve_statement(struct resolver *resolver, const struct statement *statement)
{
	struct policy *policy = resolver->policy;

	switch (statement->kind) {
	case STATEMENT_DEFAULT:
		return resolve_once(resolver, statement, &policy->default_place, "default");
	case STATEMENT_IPV6:
		return resolve_once(resolver, statement, &policy->ipv6_place, "ipv6");
	case STATEMENT_ALLOW_NETWORK:
		return resolve_grants(resolver, statement);
	case STATEMENT_ALLOW_LOOPBACK:
		return resolve_allow_loopback(resolver, statement);
	case STATEMENT_FORBID:
		return resolve_forbid(resolver, statement);
	case STATEMENT_LAN:
		return resolve_lan(resolver, statement);
	case STATEMENT_SERVICE:
		return resolve_service(resolver, statement);
	case STATEMENT_AUTOMAP:
		return resolve_automap(resolver, statement);
	case STATEMENT_NAMESPACE:
		return resolve_namespace(resolver, statement);
	case STATEMENT_LINK:
		return resolve_link(resolver, statement);
	case STATEMENT_NONE:
	case STATEMENT_HEADER:
	case STATEMENT_NETWORK:
	case STATEMENT_ALLOW_SERVICE:
	case STATEMENT_INCLUDE:
		break;
	}
	return 0;
}

static int resolve_kind(struct resolver *resolver, enum statement_kind kind,
			int (*one)(struct resolver *resolver, const struct statement *statement))
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < resolver->ast->statement_count; i++)
		if (resolver->ast->statements[i].kind == kind)
			r = one(resolver, &resolver->ast->statements[i]);
	return r;
}

static int check_required(const struct resolver *resolver)
{
	const struct policy *policy = resolver->policy;
	const struct policy_place *start = &resolver->ast->statements[0].place;
	const char *missing = !policy->default_place.file ? "default drop"
			      : !policy->ipv6_place.file  ? "ipv6 blocked"
							  : NULL;

	if (!missing)
		return 0;
	resolve_fail(resolver, start, "the policy lacks the statement \"%s\"", missing);
	resolve_hint(resolver, "it is required in the main file, so that nobody has to guess");
	return -EBADMSG;
}

static int resolve_all(struct resolver *resolver)
{
	const struct ast *ast = resolver->ast;
	int r;

	r = resolve_kind(resolver, STATEMENT_NETWORK, resolve_network_statement);
	for (size_t i = 0; r == 0 && i < ast->statement_count; i++)
		r = resolve_statement(resolver, &ast->statements[i]);
	if (r == 0)
		r = resolve_kind(resolver, STATEMENT_ALLOW_SERVICE, resolve_allow_service);
	if (r == 0)
		r = check_required(resolver);
	if (r < 0)
		return r;
	resolve_sort_users(resolver);
	r = resolve_check_grants(resolver);
	if (r < 0)
		return r;
	return resolve_finish_local(resolver);
}

int resolve(const struct ast *ast, const struct policy_options *options, struct policy *policy,
	    struct diag *diag)
{
	struct resolver resolver = {
	    .ast = ast,
	    .options = options,
	    .policy = policy,
	    .diag = diag,
	};
	int r;

	r = resolve_all(&resolver);
	names_done(&resolver.users);
	names_done(&resolver.passwd);
	names_done(&resolver.networks);
	names_done(&resolver.services);
	resolve_local_done(&resolver);
	return r;
}

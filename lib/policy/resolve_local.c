/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What happens on loopback: services, open loopback, automapped addresses. */
#include "resolve.h"

#include <string.h>

#include "grow.h"
#include "ranges.h"

/* In order of statement, until all are known. */
struct service_draft {
	struct policy_service service;
	struct policy_place ports_place;
	size_t index; /* in policy->services */
};

struct service_grant_draft {
	struct policy_service_grant grant; /* `service` is a draft's number */
	struct policy_place word;
	size_t order;
};

static int add_service_grants(struct resolver *resolver, const struct statement *statement,
			      size_t draft)
{
	for (size_t i = 0; i < statement->users.count; i++) {
		const struct ast_word *word = &resolver->ast->words[statement->users.first + i];
		struct service_grant_draft grant = {
		    .grant = {.service = draft, .place = statement->place},
		    .word = word->place,
		    .order = resolver->grant_draft_count,
		};
		int r;

		r = resolve_user(resolver, word, &grant.grant.uid);
		if (r < 0)
			return r;
		if (resolver->grant_draft_count >= RESOLVE_SERVICE_GRANTS_MAX)
			return resolve_fail(resolver, &word->place,
					    "more than %u grants of services",
					    RESOLVE_SERVICE_GRANTS_MAX);
		r = APPEND(resolver->grant_drafts, resolver->grant_draft_count, &grant);
		if (r < 0)
			return r;
	}
	return 0;
}

int resolve_service(struct resolver *resolver, const struct statement *statement)
{
	const struct ast_ports *ports = &resolver->ast->ports[statement->ports.first];
	struct service_draft draft = {
	    .service = {.protocol = statement->protocol,
			.ports = ports->ports,
			.place = statement->place},
	    .ports_place = ports->place,
	};
	size_t index;
	int r;

	r = resolve_name(resolver, &statement->name, "a service's name", draft.service.name);
	if (r < 0)
		return r;
	if (names_find(&resolver->services, draft.service.name, &index)) {
		r = resolve_fail(resolver, &statement->name.place,
				 "the service \"%s\" is stated already, at %s", draft.service.name,
				 place_text(&resolver->drafts[index].service.place).text);
		resolve_hint(resolver, "to let another user in: allow USER to service %s",
			     draft.service.name);
		return r;
	}
	if (resolver->draft_count >= POLICY_SERVICES_MAX)
		return resolve_fail(resolver, &statement->place, "more than %d services",
				    POLICY_SERVICES_MAX);
	r = names_add(&resolver->services, draft.service.name, resolver->draft_count);
	if (r < 0)
		return r;
	r = APPEND(resolver->drafts, resolver->draft_count, &draft);
	if (r < 0)
		return r;
	index = resolver->draft_count - 1;
	r = resolve_users(resolver, statement->servers, &resolver->drafts[index].service.servers);
	if (r < 0)
		return r;
	return add_service_grants(resolver, statement, index);
}

int resolve_allow_service(struct resolver *resolver, const struct statement *statement)
{
	for (size_t i = 0; i < statement->items.count; i++) {
		const struct ast_word *word = &resolver->ast->words[statement->items.first + i];
		char name[POLICY_NAME_MAX + 1];
		struct suggestion suggestion = {.wrong = name};
		size_t index;
		int r;

		r = resolve_name(resolver, word, "a service's name", name);
		if (r < 0)
			return r;
		if (!names_find(&resolver->services, name, &index)) {
			suggest_names(&suggestion, &resolver->services);
			r = resolve_fail(resolver, &word->place, "there is no service \"%s\"",
					 name);
			if (suggestion.best[0])
				resolve_hint(resolver, "did you mean \"%s\"?", suggestion.best);
			else
				resolve_hint(resolver, "state it: service %s tcp PORT for USER",
					     name);
			return r;
		}
		r = add_service_grants(resolver, statement, index);
		if (r < 0)
			return r;
	}
	return 0;
}

int resolve_allow_loopback(struct resolver *resolver, const struct statement *statement)
{
	struct policy *policy = resolver->policy;
	struct policy_uids users = {0};
	int r;

	r = resolve_users(resolver, statement->users, &users);
	for (size_t i = 0; r == 0 && i < users.count; i++) {
		struct policy_local local = {.uid = users.uids[i], .place = statement->place};

		r = resolve_ports(resolver, statement->ports, &local.except, &local.except_count);
		if (r < 0)
			break;
		if (local.except_count && local.except[0].low == 1 &&
		    local.except[0].high == UINT16_MAX)
			r = resolve_fail(resolver, &statement->place,
					 "every port is excepted: nothing is allowed");
		if (r == 0)
			r = APPEND(policy->locals, policy->local_count, &local);
		if (r < 0)
			free(local.except);
	}
	free(users.uids);
	return r;
}

int resolve_automap(struct resolver *resolver, const struct statement *statement)
{
	struct policy_automap *automap = &resolver->policy->automap;
	const struct ast_word *word = &statement->name;
	char text[POLICY_NAME_MAX + 1];
	unsigned length = 0;
	int r;

	if (automap->stated)
		return resolve_fail(resolver, &statement->place,
				    "\"automap\" is stated already, at %s",
				    place_text(&automap->place).text);
	r = resolve_name(resolver, word, "a prefix", text);
	if (r < 0)
		return r;
	r = range_parse(text, &automap->range, &length);
	if (r == -ERANGE)
		return resolve_fail(resolver, &word->place, "%s has bits set beyond its first %u",
				    text, length);
	if (r < 0)
		return resolve_fail(resolver, &word->place, "\"%s\" is no IPv4 prefix", text);
	if (automap->range.low >> 24 != 127 || automap->range.high >> 24 != 127) {
		r = resolve_fail(resolver, &word->place, "%s does not lie in 127.0.0.0/8", text);
		resolve_hint(resolver, "only there is every address this computer's own; Tor's "
				       "default is 127.192.0.0/10");
		return r;
	}
	if (automap->range.low <= 0x7f000001 && automap->range.high >= 0x7f000001)
		return resolve_fail(resolver, &word->place,
				    "%s holds 127.0.0.1, where local services answer", text);
	r = resolve_users(resolver, statement->users, &automap->users);
	if (r < 0)
		return r;
	automap->prefix_length = (uint8_t)length;
	automap->port = resolver->ast->ports[statement->ports.first].ports.low;
	automap->place = statement->place;
	automap->stated = true;
	return 0;
}

static int compare_services(const void *a, const void *b)
{
	const struct service_draft *x = *(const struct service_draft *const *)a;
	const struct service_draft *y = *(const struct service_draft *const *)b;

	if (x->service.protocol != y->service.protocol)
		return x->service.protocol < y->service.protocol ? -1 : 1;
	if (x->service.ports.low != y->service.ports.low)
		return x->service.ports.low < y->service.ports.low ? -1 : 1;
	return (x > y) - (x < y);
}

static int refuse_overlap(const struct resolver *resolver, const struct service_draft *a,
			  const struct service_draft *b)
{
	const struct service_draft *later = a > b ? a : b, *earlier = a > b ? b : a;

	resolve_fail(resolver, &later->ports_place,
		     "the service \"%s\" shares port %u with \"%s\" at %s", later->service.name,
		     (unsigned)(later->service.ports.low > earlier->service.ports.low
				    ? later->service.ports.low
				    : earlier->service.ports.low),
		     earlier->service.name, place_text(&earlier->service.place).text);
	resolve_hint(resolver, "to let another user in: allow USER to service %s",
		     earlier->service.name);
	return -EBADMSG;
}

/* Move the drafts to the policy, ordered by protocol and port. */
static int finish_services(struct resolver *resolver)
{
	AUTO_FREE struct service_draft **sorted =
	    calloc(resolver->draft_count + 1, sizeof(struct service_draft *));
	struct policy *policy = resolver->policy;

	policy->services = calloc(resolver->draft_count + 1, sizeof(*policy->services));
	if (!sorted || !policy->services)
		return -ENOMEM;
	for (size_t i = 0; i < resolver->draft_count; i++)
		sorted[i] = &resolver->drafts[i];
	qsort(sorted, resolver->draft_count, sizeof(struct service_draft *), compare_services);
	for (size_t i = 0; i < resolver->draft_count; i++) {
		struct policy_service *service = &sorted[i]->service;

		if (i && sorted[i - 1]->service.protocol == service->protocol &&
		    sorted[i - 1]->service.ports.high >= service->ports.low)
			return refuse_overlap(resolver, sorted[i - 1], sorted[i]);
	}
	for (size_t i = 0; i < resolver->draft_count; i++) {
		policy->services[i] = sorted[i]->service;
		sorted[i]->service.servers = (struct policy_uids){0};
		sorted[i]->index = i;
	}
	policy->service_count = resolver->draft_count;
	return 0;
}

static int compare_service_grants(const void *a, const void *b)
{
	const struct service_grant_draft *x = a, *y = b;

	if (x->grant.service != y->grant.service)
		return x->grant.service < y->grant.service ? -1 : 1;
	if (x->grant.uid != y->grant.uid)
		return x->grant.uid < y->grant.uid ? -1 : 1;
	return (x->order > y->order) - (x->order < y->order);
}

/* Order the clients, and give each service its list. */
static int finish_service_grants(struct resolver *resolver)
{
	struct service_grant_draft *drafts = resolver->grant_drafts;
	struct policy *policy = resolver->policy;
	size_t count = resolver->grant_draft_count;

	policy->service_grants = calloc(count + 1, sizeof(*policy->service_grants));
	if (!policy->service_grants)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		drafts[i].grant.service = resolver->drafts[drafts[i].grant.service].index;
	if (count)
		qsort(drafts, count, sizeof(*drafts), compare_service_grants);
	for (size_t i = 0; i < count; i++) {
		const struct policy_service_grant *grant = &drafts[i].grant;

		if (i && grant->service == drafts[i - 1].grant.service &&
		    grant->uid == drafts[i - 1].grant.uid)
			return resolve_fail(resolver, &drafts[i].word,
					    "%s may use the service \"%s\" already, by %s",
					    resolve_user_name(resolver, grant->uid),
					    policy->services[grant->service].name,
					    place_text(&drafts[i - 1].word).text);
		policy->service_grants[i] = *grant;
		policy->services[grant->service].clients.count++;
	}
	policy->service_grant_count = count;
	for (size_t i = 0, s = 0; s < policy->service_count; s++) {
		struct policy_uids *clients = &policy->services[s].clients;

		clients->uids = calloc(clients->count + 1, sizeof(*clients->uids));
		if (!clients->uids)
			return -ENOMEM;
		for (size_t j = 0; j < clients->count; j++)
			clients->uids[j] = policy->service_grants[i++].uid;
	}
	return 0;
}

static int compare_locals(const void *a, const void *b)
{
	const struct policy_local *x = a, *y = b;

	return (x->uid > y->uid) - (x->uid < y->uid);
}

static int finish_locals(struct resolver *resolver)
{
	struct policy *policy = resolver->policy;

	if (policy->local_count)
		qsort(policy->locals, policy->local_count, sizeof(*policy->locals), compare_locals);
	for (size_t i = 1; i < policy->local_count; i++) {
		const struct policy_local *a = &policy->locals[i - 1], *b = &policy->locals[i];

		if (a->uid == b->uid)
			return resolve_fail(
			    resolver, &b->place, "loopback is opened to %s twice, also at %s",
			    resolve_user_name(resolver, a->uid), place_text(&a->place).text);
	}
	return 0;
}

/* A grant that @uid must not have, because loopback is forbidden to that user. */
static int check_forbidden(const struct resolver *resolver, uint32_t uid,
			   const struct policy_place *place, const char *what)
{
	const struct policy_user *user = policy_find_user(resolver->policy, uid);

	if (!user || !user->loopback_forbidden)
		return 0;
	resolve_fail(resolver, place, "%s is given to %s, to whom loopback is forbidden at %s",
		     what, user->name, place_text(&user->forbidden_place).text);
	resolve_hint(resolver, "remove one of the two");
	return -EBADMSG;
}

static const struct policy_local *find_local(const struct policy *policy, uint32_t uid)
{
	const struct policy_local key = {.uid = uid};

	if (policy->local_count == 0)
		return NULL;
	return bsearch(&key, policy->locals, policy->local_count, sizeof(key), compare_locals);
}

/* A client whose loopback is open anyway, at all of the service's ports. */
static int check_useless(const struct resolver *resolver, const struct service_grant_draft *draft)
{
	const struct policy *policy = resolver->policy;
	const struct policy_service *service = &policy->services[draft->grant.service];
	const struct policy_local *local = find_local(policy, draft->grant.uid);

	if (!local || service->protocol != POLICY_TCP ||
	    ports_overlap(local->except, local->except_count, &service->ports, 1))
		return 0;
	return resolve_fail(resolver, &draft->word,
			    "%s may use the service \"%s\" already: loopback is open to this user "
			    "at %s",
			    resolve_user_name(resolver, draft->grant.uid), service->name,
			    place_text(&local->place).text);
}

static int check_uids(const struct resolver *resolver, const struct policy_uids *uids,
		      const struct policy_place *place, const char *what)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < uids->count; i++)
		r = check_forbidden(resolver, uids->uids[i], place, what);
	return r;
}

static int check_local(const struct resolver *resolver)
{
	const struct policy *policy = resolver->policy;
	int r = 0;

	for (size_t i = 0; r == 0 && i < resolver->grant_draft_count; i++) {
		const struct service_grant_draft *draft = &resolver->grant_drafts[i];

		r = check_forbidden(resolver, draft->grant.uid, &draft->word, "a local service");
		if (r == 0)
			r = check_useless(resolver, draft);
	}
	for (size_t i = 0; r == 0 && i < policy->service_count; i++)
		r = check_uids(resolver, &policy->services[i].servers, &policy->services[i].place,
			       "serving a local service");
	for (size_t i = 0; r == 0 && i < policy->local_count; i++)
		r = check_forbidden(resolver, policy->locals[i].uid, &policy->locals[i].place,
				    "loopback");
	if (r == 0)
		r = check_uids(resolver, &policy->automap.users, &policy->automap.place, "automap");
	return r;
}

int resolve_finish_local(struct resolver *resolver)
{
	int r;

	r = finish_services(resolver);
	if (r == 0)
		r = finish_service_grants(resolver);
	if (r == 0)
		r = finish_locals(resolver);
	if (r == 0)
		r = check_local(resolver);
	return r;
}

void resolve_local_done(struct resolver *resolver)
{
	for (size_t i = 0; i < resolver->draft_count; i++)
		free(resolver->drafts[i].service.servers.uids);
	free(resolver->drafts);
	free(resolver->grant_drafts);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "resolve.h"

#include <arpa/inet.h>
#include <string.h>

#include "grow.h"
#include "ranges.h"

/* The text of a prefix, in the one form that the printer uses too. */
static void prefix_text(const struct policy_range *range, unsigned length,
			char text[static POLICY_NAME_MAX + 1])
{
	struct in_addr net = {.s_addr = htonl(range->low)};
	char address[INET_ADDRSTRLEN];

	inet_ntop(AF_INET, &net, address, sizeof(address));
	if (length == 32)
		snprintf(text, POLICY_NAME_MAX + 1, "%s", address);
	else
		snprintf(text, POLICY_NAME_MAX + 1, "%s/%u", address, length);
}

/* A prefix or an address. */
static int resolve_prefix(struct resolver *resolver, const struct ast_word *word, const char *text,
			  struct policy_range *ret_range, unsigned *ret_length)
{
	char right[POLICY_NAME_MAX + 1];
	int r;

	r = range_parse(text, ret_range, ret_length);
	if (r == 0)
		return 0;
	if (r == -EDOM) {
		resolve_fail(resolver, &word->place, "%s: IPv6 is blocked", text);
		resolve_hint(resolver, "no IPv6 network can be granted");
	} else if (r == -ERANGE) {
		prefix_text(ret_range, *ret_length, right);
		resolve_fail(resolver, &word->place, "%s has bits set beyond its first %u", text,
			     *ret_length);
		resolve_hint(resolver, "for the network write %s, for the one address %.*s", right,
			     (int)strcspn(text, "/"), text);
	} else {
		resolve_fail(resolver, &word->place, "\"%s\" is no IPv4 address or prefix", text);
		resolve_hint(resolver, "such as 192.0.2.1 or 192.0.2.0/24");
	}
	return -EBADMSG;
}

/* Fail because of a name that no earlier statement gives. */
static int refuse_unknown(struct resolver *resolver, const struct ast_word *word, const char *name)
{
	struct suggestion suggestion = {.wrong = name};

	resolve_fail(resolver, &word->place, "there is no network \"%s\"", name);
	for (size_t i = 0; i < resolver->ast->statement_count; i++) {
		const struct statement *statement = &resolver->ast->statements[i];

		if (statement->kind != STATEMENT_NETWORK || statement->name.len != strlen(name) ||
		    memcmp(statement->name.text, name, statement->name.len) != 0)
			continue;
		resolve_hint(resolver,
			     "it is stated at %s; a network may only be made of "
			     "earlier ones",
			     place_text(&statement->place).text);
		return -EBADMSG;
	}
	suggest_names(&suggestion, &resolver->networks);
	if (suggestion.best[0])
		resolve_hint(resolver, "did you mean \"%s\"?", suggestion.best);
	else
		resolve_hint(resolver, "state it first: network %s = 192.0.2.0/24", name);
	return -EBADMSG;
}

/* Addresses begin with a digit or hold a colon; names do neither. */
static bool is_address(const char *text)
{
	return (text[0] >= '0' && text[0] <= '9') || strchr(text, ':') != NULL;
}

static int append_term(struct resolver *resolver, const struct ast_word *word, size_t number,
		       struct range_term **terms, size_t *count)
{
	const struct policy_range *ranges;
	struct policy_range prefix;
	size_t range_count = 1, index;
	char name[POLICY_NAME_MAX + 1];
	unsigned length;
	int r;

	r = resolve_name(resolver, word, "a network's name", name);
	if (r < 0)
		return r;
	if (is_address(name)) {
		r = resolve_prefix(resolver, word, name, &prefix, &length);
		if (r < 0)
			return r;
		ranges = &prefix;
	} else {
		if (!names_find(&resolver->networks, name, &index))
			return refuse_unknown(resolver, word, name);
		ranges = resolver->policy->networks[index].ranges;
		range_count = resolver->policy->networks[index].range_count;
	}
	if (*count + range_count > RANGES_MAX)
		return resolve_fail(resolver, &word->place,
				    "a network made of more than %d prefixes", RANGES_MAX);
	for (size_t i = 0; i < range_count; i++) {
		struct range_term term = {.range = ranges[i], .term = number};

		r = APPEND(*terms, *count, &term);
		if (r < 0)
			return r;
	}
	return 0;
}

/* The terms of a list, as sorted disjoint ranges. */
static int resolve_terms(struct resolver *resolver, struct span span, struct range_term **terms,
			 size_t *count)
{
	const struct ast_word *words = ast_words(resolver->ast, span);
	const struct range_term *clash;
	size_t other = 0;
	int r;

	for (size_t i = 0; i < span.count; i++) {
		r = append_term(resolver, &words[i], i, terms, count);
		if (r < 0)
			return r;
	}
	clash = range_terms_sort(*terms, *count, &other);
	if (clash)
		return resolve_fail(resolver, &words[clash->term].place,
				    "\"%.*s\" overlaps \"%.*s\" in the same list",
				    (int)words[clash->term].len, words[clash->term].text,
				    (int)words[other].len, words[other].text);
	return 0;
}

/* Each excepted term must take something away. */
static int check_except(struct resolver *resolver, const struct statement *statement,
			const struct range_term *terms, size_t count,
			const struct range_term *except, size_t except_count)
{
	AUTO_FREE bool *useful = calloc(statement->except.count + 1, sizeof(*useful));
	size_t i = 0, j = 0;

	if (!useful)
		return -ENOMEM;
	while (i < count && j < except_count) {
		if (terms[i].range.high < except[j].range.low) {
			i++;
		} else if (except[j].range.high < terms[i].range.low) {
			j++;
		} else {
			useful[except[j].term] = true;
			if (terms[i].range.high < except[j].range.high)
				i++;
			else
				j++;
		}
	}
	for (i = 0; i < statement->except.count; i++) {
		const struct ast_word *word = &resolver->ast->words[statement->except.first + i];

		if (!useful[i])
			return resolve_fail(
			    resolver, &word->place,
			    "excepting \"%.*s\" takes nothing away from the network",
			    (int)word->len, word->text);
	}
	return 0;
}

/* Put @network in the list under its name. Takes over its ranges, also on failure. */
static int add_network(struct resolver *resolver, const struct policy_place *place,
		       struct policy_network *network, size_t *ret_index)
{
	AUTO_FREE struct policy_range *ranges = network->ranges;
	struct policy *policy = resolver->policy;
	int r;

	resolver->total_ranges += network->range_count;
	if (policy->network_count >= RESOLVE_NETWORKS_MAX ||
	    resolver->total_ranges > RESOLVE_TOTAL_RANGES_MAX)
		return resolve_fail(resolver, place,
				    "too many networks: at most %d, with %u "
				    "ranges together",
				    RESOLVE_NETWORKS_MAX, RESOLVE_TOTAL_RANGES_MAX);
	r = APPEND(policy->networks, policy->network_count, network);
	if (r < 0)
		return r;
	ranges = NULL;
	r = names_add(&resolver->networks, network->name, policy->network_count - 1);
	if (r == 0)
		*ret_index = policy->network_count - 1;
	return r;
}

int resolve_network_statement(struct resolver *resolver, const struct statement *statement)
{
	AUTO_FREE struct range_term *terms = NULL;
	AUTO_FREE struct range_term *except = NULL;
	struct policy_network network = {.place = statement->place};
	size_t count = 0, except_count = 0, index;
	int r;

	r = resolve_name(resolver, &statement->name, "a network's name", network.name);
	if (r < 0)
		return r;
	if (names_find(&resolver->networks, network.name, &index))
		return resolve_fail(resolver, &statement->name.place,
				    "the network \"%s\" is stated already, at %s", network.name,
				    place_text(&resolver->policy->networks[index].place).text);
	r = resolve_terms(resolver, statement->items, &terms, &count);
	if (r < 0)
		return r;
	r = resolve_terms(resolver, statement->except, &except, &except_count);
	if (r < 0)
		return r;
	r = check_except(resolver, statement, terms, count, except, except_count);
	if (r < 0)
		return r;
	r = ranges_subtract(terms, count, except, except_count, &network.ranges,
			    &network.range_count);
	if (r < 0)
		return r;
	if (network.range_count == 0)
		return resolve_fail(resolver, &statement->place,
				    "nothing is left of the network \"%s\"", network.name);
	/* Printed, it is a list of prefixes, and that must be a policy too. */
	if (ranges_count_prefixes(network.ranges, network.range_count) > RANGES_MAX) {
		free(network.ranges);
		return resolve_fail(resolver, &statement->place,
				    "the network \"%s\" is made of more than %d prefixes",
				    network.name, RANGES_MAX);
	}
	return add_network(resolver, &statement->place, &network, &index);
}

/* Addresses that no grant can reach, and why. */
static const struct unreachable {
	struct policy_range range;
	const char *prefix, *reason;
	bool local; /* what is meant is a service */
} unreachable[] = {
    {{0x00000000, 0x00ffffff}, "0.0.0.0/8", "which is this computer itself", true},
    {{0x7f000000, 0x7fffffff}, "127.0.0.0/8", "which is loopback", true},
    {{0xe0000000, 0xefffffff},
     "224.0.0.0/4",
     "which is multicast: nothing there can be reached through Tor or by a grant",
     false},
    {{0xf0000000, 0xffffffff},
     "240.0.0.0/4",
     "which is reserved, but for the broadcast address: nothing there can be reached",
     false},
};

static int check_reachable(struct resolver *resolver, const struct ast_word *word, size_t index)
{
	const struct policy_network *network = &resolver->policy->networks[index];

	for (size_t i = 0; i < ARRAY_SIZE(unreachable); i++) {
		const struct unreachable *u = &unreachable[i];
		bool whole;

		if (!ranges_touch(network->ranges, network->range_count, &u->range))
			continue;
		whole = ranges_cover(&u->range, 1, network->ranges, network->range_count);
		resolve_fail(resolver, &word->place, "\"%s\" %s %s, %s", network->name,
			     whole ? "lies in" : "holds a part of", u->prefix, u->reason);
		if (u->local)
			resolve_hint(resolver, "what a user may do on this computer is said by "
					       "services: allow USER to service NAME");
		else if (whole)
			resolve_hint(resolver, "remove this grant");
		else
			resolve_hint(resolver, "take it out of the network: except %s", u->prefix);
		return -EBADMSG;
	}
	return 0;
}

int resolve_network(struct resolver *resolver, const struct ast_word *word, size_t *ret_network)
{
	struct policy_network network = {.literal = true, .place = word->place};
	char name[POLICY_NAME_MAX + 1];
	struct policy_range range;
	unsigned length;
	size_t index;
	int r;

	r = resolve_name(resolver, word, "a network's name", name);
	if (r < 0)
		return r;
	if (is_address(name)) {
		r = resolve_prefix(resolver, word, name, &range, &length);
		if (r < 0)
			return r;
		prefix_text(&range, length, network.name);
		if (!names_find(&resolver->networks, network.name, &index)) {
			network.ranges = malloc(sizeof(range));
			if (!network.ranges)
				return -ENOMEM;
			network.ranges[0] = range;
			network.range_count = 1;
			r = add_network(resolver, &word->place, &network, &index);
			if (r < 0)
				return r;
		}
	} else if (!names_find(&resolver->networks, name, &index)) {
		return refuse_unknown(resolver, word, name);
	}
	r = check_reachable(resolver, word, index);
	if (r == 0)
		*ret_network = index;
	return r;
}

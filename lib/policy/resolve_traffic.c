/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What leaves: grants to networks, and the LAN. */
#include "resolve.h"

#include <string.h>

#include "grow.h"
#include "ranges.h"

static int compare_ports(const void *a, const void *b)
{
	const struct ast_ports *x = a, *y = b;

	return (x->ports.low > y->ports.low) - (x->ports.low < y->ports.low);
}

/* The later one, as a reader meets them. */
static bool is_before(const struct policy_place *a, const struct policy_place *b)
{
	return a->line != b->line ? a->line < b->line : a->column < b->column;
}

int resolve_ports(struct resolver *resolver, struct span span, struct policy_ports **ret_ports,
		  size_t *ret_count)
{
	AUTO_FREE struct ast_ports *sorted = calloc(span.count + 1, sizeof(*sorted));
	AUTO_FREE struct policy_ports *ports = calloc(span.count + 1, sizeof(*ports));
	size_t count = 0;

	if (!sorted || !ports)
		return -ENOMEM;
	if (span.count)
		memcpy(sorted, ast_ports(resolver->ast, span), span.count * sizeof(*sorted));
	qsort(sorted, span.count, sizeof(*sorted), compare_ports);
	for (size_t i = 0; i < span.count; i++) {
		if (count && sorted[i].ports.low <= ports[count - 1].high) {
			bool swap = is_before(&sorted[i].place, &sorted[i - 1].place);
			const struct ast_ports *later = &sorted[swap ? i - 1 : i];

			return resolve_fail(resolver, &later->place, "port %u is listed twice",
					    sorted[i].ports.low);
		}
		if (count && sorted[i].ports.low == ports[count - 1].high + 1)
			ports[count - 1].high = sorted[i].ports.high;
		else
			ports[count++] = sorted[i].ports;
	}
	*ret_ports = TAKE_PTR(ports);
	*ret_count = count;
	return 0;
}

void resolve_traffic_free(struct policy_traffic *traffic, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(traffic[i].ports);
	free(traffic);
}

int resolve_traffic(struct resolver *resolver, struct span span,
		    struct policy_traffic **ret_traffic, size_t *ret_count)
{
	const struct ast_traffic *written = ast_traffic(resolver->ast, span);
	struct policy_traffic *traffic = calloc(span.count + 1, sizeof(*traffic));
	unsigned seen = 0;
	int r = traffic ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < span.count; i++) {
		traffic[i].protocol = written[i].protocol;
		if (seen & 1u << written[i].protocol) {
			r = resolve_fail(resolver, &written[i].place, "%s is listed twice",
					 policy_protocol_text(written[i].protocol));
			resolve_hint(resolver, "give all its ports at once, separated by blanks: "
					       "tcp 80 443");
			break;
		}
		seen |= 1u << written[i].protocol;
		r = resolve_ports(resolver, written[i].ports, &traffic[i].ports,
				  &traffic[i].port_count);
	}
	if (r < 0) {
		if (traffic)
			resolve_traffic_free(traffic, span.count);
		return r;
	}
	*ret_traffic = traffic;
	*ret_count = span.count;
	return 0;
}

static int add_grant(struct resolver *resolver, const struct statement *statement, uint32_t uid,
		     size_t network, const struct policy_traffic *traffic)
{
	struct policy *policy = resolver->policy;
	struct policy_grant grant = {
	    .uid = uid,
	    .network = network,
	    .traffic = {.protocol = traffic->protocol, .port_count = traffic->port_count},
	    .place = statement->place,
	};
	int r;

	if (policy->grant_count >= RESOLVE_GRANTS_MAX)
		return resolve_fail(resolver, &statement->place, "more than %d grants to networks",
				    RESOLVE_GRANTS_MAX);
	if (traffic->port_count) {
		grant.traffic.ports = calloc(traffic->port_count, sizeof(*traffic->ports));
		if (!grant.traffic.ports)
			return -ENOMEM;
		memcpy(grant.traffic.ports, traffic->ports,
		       traffic->port_count * sizeof(*traffic->ports));
	}
	r = APPEND(policy->grants, policy->grant_count, &grant);
	if (r < 0)
		free(grant.traffic.ports);
	return r;
}

int resolve_grants(struct resolver *resolver, const struct statement *statement)
{
	struct policy_traffic *traffic = NULL;
	struct policy_uids users = {0};
	size_t count = 0, network = 0;
	int r;

	r = resolve_users(resolver, statement->users, &users);
	if (r == 0)
		r = resolve_network(resolver, &statement->name, &network);
	if (r == 0)
		r = resolve_traffic(resolver, statement->traffic, &traffic, &count);
	for (size_t i = 0; r == 0 && i < users.count; i++)
		for (size_t j = 0; r == 0 && j < count; j++)
			r = add_grant(resolver, statement, users.uids[i], network, &traffic[j]);
	if (traffic)
		resolve_traffic_free(traffic, count);
	free(users.uids);
	return r;
}

int resolve_lan(struct resolver *resolver, const struct statement *statement)
{
	struct policy_lan *lan = &resolver->policy->lan;
	unsigned whole = 0;
	int r;

	if (lan->stated)
		return resolve_fail(resolver, &statement->place, "\"lan\" is stated already, at %s",
				    place_text(&lan->place).text);
	r = resolve_network(resolver, &statement->name, &lan->network);
	if (r < 0)
		return r;
	r = resolve_traffic(resolver, statement->traffic, &lan->except, &lan->except_count);
	if (r < 0)
		return r;
	for (size_t i = 0; i < lan->except_count; i++)
		whole += lan->except[i].port_count == 0;
	if (whole == 3) {
		r = resolve_fail(resolver, &statement->place,
				 "an open LAN with everything excepted");
		resolve_hint(resolver, "write: lan %s closed",
			     resolver->policy->networks[lan->network].name);
		return r;
	}
	lan->stated = true;
	lan->open = statement->open;
	lan->place = statement->place;
	return 0;
}

static bool network_covers(const struct policy *policy, size_t outer, size_t inner)
{
	const struct policy_network *a = &policy->networks[outer], *b = &policy->networks[inner];

	if (outer == inner)
		return true;
	if (a->ranges[0].low > b->ranges[0].low ||
	    a->ranges[a->range_count - 1].high < b->ranges[b->range_count - 1].high)
		return false;
	return ranges_cover(a->ranges, a->range_count, b->ranges, b->range_count);
}

/* An excepted port is closed on an open LAN, so a grant for one says something. */
static bool lan_covers(const struct policy *policy, const struct policy_grant *grant)
{
	const struct policy_lan *lan = &policy->lan;

	if (!lan->stated || !lan->open || !network_covers(policy, lan->network, grant->network))
		return false;
	for (size_t i = 0; i < lan->except_count; i++)
		if (traffic_overlaps(&lan->except[i], &grant->traffic))
			return false;
	return true;
}

static int refuse_covered(const struct resolver *resolver, const struct policy_grant *grant,
			  const struct policy_place *by, bool lan)
{
	const struct policy *policy = resolver->policy;

	resolve_fail(resolver, &grant->place, "%s may use %s to %s already, by %s at %s",
		     resolve_user_name(resolver, grant->uid),
		     policy_protocol_text(grant->traffic.protocol),
		     policy->networks[grant->network].name, lan ? "the open LAN" : "the grant",
		     place_text(by).text);
	resolve_hint(resolver, "remove the one that is not meant");
	return -EBADMSG;
}

static int compare_grants(const void *a, const void *b)
{
	const struct policy_grant *x = *(const struct policy_grant *const *)a;
	const struct policy_grant *y = *(const struct policy_grant *const *)b;

	if (x->uid != y->uid)
		return x->uid < y->uid ? -1 : 1;
	if (x->traffic.protocol != y->traffic.protocol)
		return x->traffic.protocol < y->traffic.protocol ? -1 : 1;
	return (x > y) - (x < y);
}

int resolve_check_grants(const struct resolver *resolver)
{
	const struct policy *policy = resolver->policy;
	AUTO_FREE const struct policy_grant **sorted =
	    calloc(policy->grant_count + 1, sizeof(const struct policy_grant *));
	size_t first = 0;

	if (!sorted)
		return -ENOMEM;
	for (size_t i = 0; i < policy->grant_count; i++) {
		sorted[i] = &policy->grants[i];
		if (lan_covers(policy, sorted[i]))
			return refuse_covered(resolver, sorted[i], &policy->lan.place, true);
	}
	qsort(sorted, policy->grant_count, sizeof(const struct policy_grant *), compare_grants);
	/* Each grant against the earlier ones of its user and protocol. */
	for (size_t i = 1; i < policy->grant_count; i++) {
		const struct policy_grant *grant = sorted[i];

		if (grant->uid != sorted[first]->uid ||
		    grant->traffic.protocol != sorted[first]->traffic.protocol)
			first = i;
		for (size_t j = first; j < i; j++)
			if (traffic_covers(&sorted[j]->traffic, &grant->traffic) &&
			    network_covers(policy, sorted[j]->network, grant->network))
				return refuse_covered(resolver, grant, &sorted[j]->place, false);
	}
	return 0;
}

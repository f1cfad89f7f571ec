/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Sets of users, addresses and ports.
 *
 * A policy may have 65,535 services and 16,384 grants. So everything is gathered by user first, and
 * what one user has is made in one go: from a table, or two by two. Joining the users then costs
 * little, because functions of different users meet in the user's 32 bits only.
 */
#include "meaning.h"

#include <netinet/in.h>
#include <stdlib.h>

#define KEY_MAX 4 /* bytes of an address */

struct key {
	uint8_t low[KEY_MAX], high[KEY_MAX];
};

static void put(uint8_t *at, unsigned bytes, uint32_t value)
{
	for (unsigned i = 0; i < bytes; i++)
		at[i] = (uint8_t)(value >> 8 * (bytes - 1 - i));
}

/* The number in @field, of 16 or 32 bits, is in one of the ranges. */
static diagram ranges(struct meaning *meaning, enum space_field field,
		      const struct policy_range *ranges, size_t count)
{
	unsigned bits[SPACE_BITS_MAX], bytes = space_bits(field, bits) / 8;
	AUTO_FREE struct diagram_row *rows = calloc(count + 1, sizeof(*rows));
	AUTO_FREE struct key *keys = calloc(count + 1, sizeof(*keys));
	struct diagram_table table = {
	    .rows = rows, .row_count = count, .part_bytes = &bytes, .part_count = 1, .bits = bits};
	diagram set = DIAGRAM_FALSE;
	int r = -ENOMEM;

	if (rows && keys) {
		for (size_t i = 0; i < count; i++) {
			put(keys[i].low, bytes, ranges[i].low);
			put(keys[i].high, bytes, ranges[i].high);
			rows[i] = (struct diagram_row){.low = keys[i].low, .high = keys[i].high};
		}
		r = diagram_table(meaning->space, &table, 1, &set);
	}
	if (r < 0)
		meaning->error = r;
	return r < 0 ? DIAGRAM_FALSE : set;
}

/* All of these, two by two, so that no large one is gone through for every small one. */
static diagram unite(struct meaning *meaning, diagram *parts, size_t count)
{
	if (count == 0)
		return DIAGRAM_FALSE;
	for (; count > 1; count = (count + 1) / 2) {
		for (size_t i = 0; i < count / 2; i++)
			parts[i] = diagram_or(meaning->space, parts[2 * i], parts[2 * i + 1]);
		if (count % 2)
			parts[count / 2] = parts[count - 1];
	}
	return parts[0];
}

diagram meaning_users(struct meaning *meaning, const struct policy_uids *uids)
{
	AUTO_FREE struct policy_range *single = calloc(uids->count + 1, sizeof(*single));

	if (!single) {
		meaning->error = -ENOMEM;
		return DIAGRAM_FALSE;
	}
	for (size_t i = 0; i < uids->count; i++)
		single[i] = (struct policy_range){uids->uids[i], uids->uids[i]};
	return ranges(meaning, SPACE_UID, single, uids->count);
}

diagram meaning_network(struct meaning *meaning, size_t network)
{
	const struct policy_network *wanted = &meaning->policy->networks[network];

	if (meaning->networks[network] == DIAGRAM_FALSE)
		meaning->networks[network] =
		    ranges(meaning, SPACE_DESTINATION4, wanted->ranges, wanted->range_count);
	return meaning->networks[network];
}

diagram meaning_ports(struct meaning *meaning, enum space_field field,
		      const struct policy_ports *ports, size_t count)
{
	AUTO_FREE struct policy_range *wide = calloc(count + 1, sizeof(*wide));

	if (!wide) {
		meaning->error = -ENOMEM;
		return DIAGRAM_FALSE;
	}
	for (size_t i = 0; i < count; i++)
		wide[i] = (struct policy_range){ports[i].low, ports[i].high};
	return ranges(meaning, field, wide, count);
}

static uint8_t protocol_number(enum policy_protocol protocol)
{
	switch (protocol) {
	case POLICY_TCP:
		return IPPROTO_TCP;
	case POLICY_UDP:
		return IPPROTO_UDP;
	case POLICY_ICMP:
		break;
	}
	return IPPROTO_ICMP;
}

diagram meaning_traffic(struct meaning *meaning, const struct policy_traffic *traffic)
{
	diagram protocol =
	    space_is(meaning->space, SPACE_PROTOCOL, protocol_number(traffic->protocol));

	if (traffic->port_count == 0) /* every port */
		return protocol;
	return diagram_and(
	    meaning->space, protocol,
	    meaning_ports(meaning, SPACE_DESTINATION_PORT, traffic->ports, traffic->port_count));
}

/* ---- by user. ---- */

/* Something that a user has: a grant or a service, by its number. */
struct holding {
	uint32_t uid, index;
};

static int compare_holdings(const void *a, const void *b)
{
	const struct holding *x = a, *y = b;

	if (x->uid != y->uid)
		return x->uid < y->uid ? -1 : 1;
	return (x->index > y->index) - (x->index < y->index);
}

/* What @count holdings of one user let through, without asking who it is. */
typedef diagram holdings_fn(struct meaning *meaning, enum space_field field,
			    const struct holding *holdings, size_t count);

static diagram by_user(struct meaning *meaning, enum space_field field, struct holding *holdings,
		       size_t count, holdings_fn *what)
{
	struct diagram_space *space = meaning->space;
	diagram all = DIAGRAM_FALSE;

	if (count)
		qsort(holdings, count, sizeof(*holdings), compare_holdings);
	for (size_t i = 0, end; i < count; i = end) {
		diagram user = space_is(space, SPACE_UID, holdings[i].uid);

		for (end = i; end < count && holdings[end].uid == holdings[i].uid;)
			end++;
		user = diagram_and(space, user, what(meaning, field, holdings + i, end - i));
		all = diagram_or(space, all, user);
	}
	return all;
}

static diagram grants_of_one(struct meaning *meaning, enum space_field field,
			     const struct holding *holdings, size_t count)
{
	AUTO_FREE diagram *parts = calloc(count + 1, sizeof(*parts));

	if (!parts) {
		meaning->error = -ENOMEM;
		return DIAGRAM_FALSE;
	}
	for (size_t i = 0; i < count; i++) {
		const struct policy_grant *grant = &meaning->policy->grants[holdings[i].index];

		parts[i] = diagram_and(meaning->space, meaning_traffic(meaning, &grant->traffic),
				       meaning_network(meaning, grant->network));
	}
	return unite(meaning, parts, count);
}

diagram meaning_granted(struct meaning *meaning)
{
	const struct policy *policy = meaning->policy;
	AUTO_FREE struct holding *holdings = calloc(policy->grant_count + 1, sizeof(*holdings));

	if (!holdings) {
		meaning->error = -ENOMEM;
		return DIAGRAM_FALSE;
	}
	for (size_t i = 0; i < policy->grant_count; i++)
		holdings[i] = (struct holding){policy->grants[i].uid, (uint32_t)i};
	return by_user(meaning, SPACE_DESTINATION_PORT, holdings, policy->grant_count,
		       grants_of_one);
}

diagram meaning_reachable(struct meaning *meaning, bool tcp)
{
	const struct policy *policy = meaning->policy;
	AUTO_FREE diagram *parts = calloc(policy->network_count + 1, sizeof(*parts));

	if (!parts) {
		meaning->error = -ENOMEM;
		return DIAGRAM_FALSE;
	}
	for (size_t i = 0; i < policy->grant_count; i++) {
		const struct policy_grant *grant = &policy->grants[i];

		if (!tcp || grant->traffic.protocol == POLICY_TCP)
			parts[grant->network] = meaning_network(meaning, grant->network);
	}
	if (policy->lan.stated && policy->lan.open)
		parts[policy->lan.network] = meaning_network(meaning, policy->lan.network);
	return unite(meaning, parts, policy->network_count);
}

/* ---- services. ---- */

static diagram services_of_one(struct meaning *meaning, enum space_field field,
			       const struct holding *holdings, size_t count)
{
	AUTO_FREE struct policy_ports *ports = calloc(count + 1, sizeof(*ports));

	if (!ports) {
		meaning->error = -ENOMEM;
		return DIAGRAM_FALSE;
	}
	for (size_t i = 0; i < count; i++)
		ports[i] = meaning->policy->services[holdings[i].index].ports;
	return meaning_ports(meaning, field, ports, count);
}

/* Whose ports of this service count; or, where no owner is asked for, one user who is nobody in
 * particular. */
static struct policy_uids counted(const struct policy_service *service, enum meaning_side side,
				  uint32_t *anybody)
{
	switch (side) {
	case MEANING_CLIENTS:
		return service->clients;
	case MEANING_SERVERS:
		return service->servers;
	case MEANING_USED:
		return (struct policy_uids){anybody, service->clients.count > 0};
	case MEANING_ANY:
		break;
	}
	return (struct policy_uids){anybody, 1};
}

diagram meaning_services(struct meaning *meaning, enum policy_protocol protocol,
			 enum space_field field, enum meaning_side side)
{
	bool owner = side == MEANING_CLIENTS || side == MEANING_SERVERS;
	const struct policy *policy = meaning->policy;
	AUTO_FREE struct holding *holdings = NULL;
	uint32_t anybody = 0;
	size_t count = 0;

	for (size_t i = 0; i < policy->service_count; i++)
		count += counted(&policy->services[i], side, &anybody).count;
	holdings = calloc(count + 1, sizeof(*holdings));
	if (!holdings) {
		meaning->error = -ENOMEM;
		return DIAGRAM_FALSE;
	}
	count = 0;
	for (size_t i = 0; i < policy->service_count; i++) {
		struct policy_uids uids = counted(&policy->services[i], side, &anybody);

		for (size_t j = 0; policy->services[i].protocol == protocol && j < uids.count; j++)
			holdings[count++] = (struct holding){uids.uids[j], (uint32_t)i};
	}
	return owner ? by_user(meaning, field, holdings, count, services_of_one)
		     : services_of_one(meaning, field, holdings, count);
}

diagram meaning_open_loopback(struct meaning *meaning, bool anybody)
{
	struct diagram_space *space = meaning->space;
	diagram open = DIAGRAM_FALSE;

	for (size_t i = 0; i < meaning->policy->local_count; i++) {
		const struct policy_local *local = &meaning->policy->locals[i];
		diagram user = anybody ? DIAGRAM_TRUE : space_is(space, SPACE_UID, local->uid);
		diagram excepted = meaning_ports(meaning, SPACE_DESTINATION_PORT, local->except,
						 local->except_count);

		open = diagram_or(space, open, diagram_minus(space, user, excepted));
	}
	return open;
}

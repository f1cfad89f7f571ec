/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Loopback: F6, F7, F9. Whatever number of services and users: one lookup of (user, protocol, port)
 * and one of the user.
 */
#include "compile-internal.h"

#include <netinet/in.h>
#include <linux/netfilter/nf_tables.h>
#include <string.h>

/* A key of (user, protocol, port) or (user, port), each part padded to 4 bytes. */
static void service_key(uint32_t uid, uint8_t protocol, uint16_t port, uint8_t key[static 12])
{
	uint16_t net = htons(port);

	memset(key, 0, 12);
	memcpy(key, &uid, sizeof(uid));
	key[4] = protocol;
	memcpy(key + 8, &net, sizeof(net));
}

static uint8_t service_protocol(const struct policy_service *service)
{
	return service->protocol == POLICY_TCP ? IPPROTO_TCP : IPPROTO_UDP;
}

static bool is_single(const struct policy_service *service)
{
	return service->ports.low == service->ports.high;
}

static void services_map(struct compile *compile)
{
	static const uint8_t fields[] = { 4, 1, 2 };
	const struct policy *policy = compile->policy;
	struct emit_set set;

	set = emit_verdict_map(compile->table, &compile->error, SET_SERVICES,
			       EMIT_TYPE_JOIN(EMIT_TYPE_JOIN(EMIT_TYPE_UID, EMIT_TYPE_PROTOCOL),
					      EMIT_TYPE_PORT),
			       12);
	emit_set_fields(&set, fields, ARRAY_SIZE(fields));
	for (size_t i = 0; i < policy->service_count; i++) {
		const struct policy_service *service = &policy->services[i];

		for (size_t j = 0; is_single(service) && j < service->clients.count; j++) {
			uint8_t key[12];

			service_key(service->clients.uids[j], service_protocol(service),
				    service->ports.low, key);
			emit_element_verdict(&set, key, sizeof(key), RULESET_ACCEPT, "");
		}
	}
}

/* Whose sockets answer at which UDP port. */
static void answering_set(struct compile *compile)
{
	static const uint8_t fields[] = { 4, 2 };
	const struct policy *policy = compile->policy;
	struct emit_set set;

	set = emit_set(compile->table, &compile->error, SET_ANSWERING,
		       EMIT_TYPE_JOIN(EMIT_TYPE_UID, EMIT_TYPE_PORT), 8);
	emit_set_fields(&set, fields, ARRAY_SIZE(fields));
	for (size_t i = 0; i < policy->service_count; i++) {
		const struct policy_service *service = &policy->services[i];

		for (size_t j = 0; j < service->servers.count; j++) {
			for (uint32_t port = service->ports.low; port <= service->ports.high; port++) {
				uint16_t net = htons((uint16_t)port);
				uint8_t key[8] = { 0 };

				memcpy(key, &service->servers.uids[j], 4);
				memcpy(key + 4, &net, sizeof(net));
				emit_element(&set, key, sizeof(key));
			}
		}
	}
}

static const struct policy_local *local_of(const struct policy *policy, uint32_t uid)
{
	for (size_t i = 0; i < policy->local_count; i++)
		if (policy->locals[i].uid == uid)
			return &policy->locals[i];
	return NULL;
}

/* Collect the port ranges that @wants picks, sorted because services are. */
static size_t collect_ports(const struct policy *policy, enum policy_protocol protocol,
			    bool (*wants)(const struct policy_service *, uint32_t), uint32_t uid,
			    struct policy_ports *ports)
{
	size_t count = 0;

	for (size_t i = 0; i < policy->service_count; i++) {
		const struct policy_service *service = &policy->services[i];

		if (service->protocol != protocol || !wants(service, uid))
			continue;
		/* Adjacent ranges must become one: a set of intervals takes them for a mistake. */
		if (count > 0 && ports[count - 1].high + 1u == service->ports.low)
			ports[count - 1].high = service->ports.high;
		else
			ports[count++] = service->ports;
	}
	return count;
}

static bool range_for_user(const struct policy_service *service, uint32_t uid)
{
	return !is_single(service) && policy_uids_contain(&service->clients, uid);
}

static bool has_clients(const struct policy_service *service, uint32_t uid)
{
	(void)uid;
	return service->clients.count > 0;
}

static bool has_servers(const struct policy_service *service, uint32_t uid)
{
	(void)uid;
	return service->servers.count > 0;
}

static bool has_ranges(const struct policy *policy, uint32_t uid, enum policy_protocol protocol)
{
	for (size_t i = 0; i < policy->service_count; i++)
		if (policy->services[i].protocol == protocol &&
		    range_for_user(&policy->services[i], uid))
			return true;
	return false;
}

static bool has_local_chain(const struct policy *policy, uint32_t uid)
{
	return local_of(policy, uid) || has_ranges(policy, uid, POLICY_TCP) ||
	       has_ranges(policy, uid, POLICY_UDP);
}

static void local_users_map(struct compile *compile)
{
	const struct policy *policy = compile->policy;
	struct emit_set set;

	set = emit_verdict_map(compile->table, &compile->error, SET_LOCAL_USERS, EMIT_TYPE_UID, 4);
	for (size_t i = 0; i < policy->user_count; i++) {
		uint32_t uid = policy->users[i].uid;
		char chain[RULESET_NAME_MAX + 1];

		if (!has_local_chain(policy, uid))
			continue;
		snprintf(chain, sizeof(chain), "local_%u", uid);
		emit_element_verdict(&set, &uid, sizeof(uid), RULESET_JUMP, chain);
	}
}

/* The ports that remain when @except (sorted, disjoint) is taken from all. */
static size_t complement(const struct policy_ports *except, size_t count,
			 struct policy_ports *ports)
{
	uint32_t next = 0;
	size_t kept = 0;

	for (size_t i = 0; i < count; i++) {
		if (except[i].low > next)
			ports[kept++] = (struct policy_ports){ (uint16_t)next,
							       (uint16_t)(except[i].low - 1) };
		next = except[i].high + 1u;
	}
	if (next <= UINT16_MAX)
		ports[kept++] = (struct policy_ports){ (uint16_t)next, UINT16_MAX };
	return kept;
}

static int by_port(const void *a, const void *b)
{
	const struct policy_ports *left = a, *right = b;

	return (int)left->low - (int)right->low;
}

static size_t join_ports(struct policy_ports *ports, size_t count)
{
	size_t kept = 0;

	if (count == 0)
		return 0;
	qsort(ports, count, sizeof(*ports), by_port);
	for (size_t i = 1; i < count; i++) {
		if (ports[i].low <= ports[kept].high + 1u) {
			if (ports[i].high > ports[kept].high)
				ports[kept].high = ports[i].high;
		} else {
			ports[++kept] = ports[i];
		}
	}
	return kept + 1;
}

void compile_other_ports_set(struct compile *compile, const char *name, struct policy_ports *except,
			     size_t count)
{
	AUTO_FREE struct policy_ports *ports = calloc(count + 1, sizeof(*ports));

	if (!ports) {
		compile->error = -ENOMEM;
		return;
	}
	count = join_ports(except, count);
	compile_port_set(compile, name, ports, complement(except, count, ports));
}

/* Every local port that some user may reach: what input accepts, whoever sent it. */
static void local_input_sets(struct compile *compile)
{
	const struct policy *policy = compile->policy;
	AUTO_FREE struct policy_ports *ports = NULL;
	size_t room = policy->service_count + 1, count;

	for (size_t i = 0; i < policy->local_count; i++)
		room += policy->locals[i].except_count + 1;
	ports = calloc(room, sizeof(*ports));
	if (!ports) {
		compile->error = -ENOMEM;
		return;
	}
	count = collect_ports(policy, POLICY_TCP, has_clients, 0, ports);
	for (size_t i = 0; i < policy->local_count; i++)
		count += complement(policy->locals[i].except, policy->locals[i].except_count,
				    ports + count);
	count = join_ports(ports, count);
	compile_port_set(compile, SET_LOCAL_TCP, ports, count);
	count = collect_ports(policy, POLICY_UDP, has_clients, 0, ports);
	compile_port_set(compile, SET_LOCAL_UDP, ports, count);
	count = collect_ports(policy, POLICY_UDP, has_servers, 0, ports);
	compile_port_set(compile, SET_UDP_ANSWERS, ports, count);
}

static void header_sets(struct compile *compile)
{
	static const uint8_t errors[] = { 3, 11, 12 }, errors6[] = { 1, 2, 3, 4 };
	static const uint8_t extensions[] = { IPPROTO_HOPOPTS, IPPROTO_ROUTING, IPPROTO_FRAGMENT,
					      IPPROTO_AH,      IPPROTO_DSTOPTS };
	struct emit_set set;

	set = emit_set(compile->table, &compile->error, SET_EXTENSIONS, EMIT_TYPE_PROTOCOL, 1);
	for (size_t i = 0; i < ARRAY_SIZE(extensions); i++)
		emit_element(&set, &extensions[i], 1);

	set = emit_set(compile->table, &compile->error, SET_ICMP_ERRORS, 14, 1);
	for (size_t i = 0; i < ARRAY_SIZE(errors); i++)
		emit_element(&set, &errors[i], 1);
	set = emit_set(compile->table, &compile->error, SET_ICMP6_ERRORS, 29, 1);
	for (size_t i = 0; i < ARRAY_SIZE(errors6); i++)
		emit_element(&set, &errors6[i], 1);
}

void compile_local_sets(struct compile *compile)
{
	const struct policy *policy = compile->policy;
	struct emit_set set;

	services_map(compile);
	answering_set(compile);
	local_users_map(compile);
	local_input_sets(compile);
	header_sets(compile);
	if (!policy->automap.stated)
		return;
	set = emit_set(compile->table, &compile->error, "automap_users", EMIT_TYPE_UID, 4);
	for (size_t i = 0; i < policy->automap.users.count; i++)
		emit_element(&set, &policy->automap.users.uids[i], 4);
}

static void range_rule(struct compile *compile, struct emit *emit, uint32_t uid,
		       enum policy_protocol protocol)
{
	const struct policy *policy = compile->policy;
	AUTO_FREE struct policy_ports *ports = calloc(policy->service_count + 1, sizeof(*ports));
	char name[RULESET_NAME_MAX + 1];
	size_t count;

	if (!ports) {
		compile->error = -ENOMEM;
		return;
	}
	count = collect_ports(policy, protocol, range_for_user, uid, ports);
	if (count == 0)
		return;
	snprintf(name, sizeof(name), "local_%u_%s", uid, policy_protocol_text(protocol));
	compile_port_set(compile, name, ports, count);
	emit_rule(emit, "services on ranges of ports");
	emit_protocol(emit, protocol == POLICY_TCP ? IPPROTO_TCP : IPPROTO_UDP);
	emit_port_in(emit, false, name);
	emit_accept(emit);
}

static void all_but(struct compile *compile, const char *name, const struct policy_local *local)
{
	AUTO_FREE struct policy_ports *except = calloc(local->except_count, sizeof(*except));

	if (!except) {
		compile->error = -ENOMEM;
		return;
	}
	memcpy(except, local->except, local->except_count * sizeof(*except));
	compile_other_ports_set(compile, name, except, local->except_count);
}

static void user_chain(struct compile *compile, uint32_t uid)
{
	const struct policy_local *local = local_of(compile->policy, uid);
	struct emit emit = emit_chain(compile->table, &compile->error, "local_%u", uid);
	char name[RULESET_NAME_MAX + 1], user[16];

	range_rule(compile, &emit, uid, POLICY_TCP);
	range_rule(compile, &emit, uid, POLICY_UDP);
	if (!local)
		return;
	emit_rule_for(&emit, &local->place, "F6: %s, any local TCP port%s",
		      compile_user_name(compile, uid, user),
		      local->except_count > 0 ? " but the exceptions" : "");
	emit_protocol(&emit, IPPROTO_TCP);
	if (local->except_count > 0) {
		snprintf(name, sizeof(name), "local_%u_any", uid);
		all_but(compile, name, local);
		emit_port_in(&emit, false, name);
	}
	emit_accept(&emit);
}

/* F9: without these a refused local connection would wait for its time-out. */
static void icmp_error_rules(struct emit *emit)
{
	emit_rule(emit, "F9: ICMP errors on loopback");
	emit_family(emit, false);
	emit_protocol(emit, IPPROTO_ICMP);
	emit_icmp_type_in(emit, SET_ICMP_ERRORS);
	emit_accept(emit);
	emit_rule(emit, "F9");
	emit_family(emit, true);
	emit_protocol(emit, IPPROTO_ICMPV6);
	emit_icmp_type_in(emit, SET_ICMP6_ERRORS);
	emit_accept(emit);
}

/* Of a later fragment the kernel would read the payload for ports: drop it before any is looked at.
 * On input, those of IPv4 have been put together before. */
static void odd_rules(struct emit *emit, bool output)
{
	if (output) {
		emit_rule(emit, "programs send whole datagrams without IP options");
		emit_family(emit, false);
		emit_odd4(emit);
		emit_refuse(emit);
	}
	emit_rule(emit, "nor extension headers");
	emit_family(emit, true);
	emit_odd6(emit, SET_EXTENSIONS);
	if (output)
		emit_tell(emit);
	emit_drop(emit);
}

static void refuse_chain(struct compile *compile)
{
	struct emit emit = emit_chain(compile->table, &compile->error, CHAIN_REFUSE_LOCAL);

	emit_plain_rule(&emit);
	emit_tell(&emit);
	emit_rule(&emit, "refuse at once");
	emit_protocol(&emit, IPPROTO_TCP);
	emit_reset(&emit);
	emit_plain_rule(&emit);
	emit_unreachable(&emit);
}

static void automap_chain(struct compile *compile)
{
	const struct policy_automap *automap = &compile->policy->automap;
	struct emit emit = emit_chain(compile->table, &compile->error, CHAIN_AUTOMAP);

	emit_rule_for(&emit, &automap->place, "F7: for these users alone");
	emit_owner_in(&emit, "automap_users");
	emit_accept(&emit);
	emit_plain_rule(&emit);
	emit_goto(&emit, CHAIN_REFUSE_LOCAL);
}

static void local_chain(struct compile *compile)
{
	const struct policy_automap *automap = &compile->policy->automap;
	struct emit emit = emit_chain(compile->table, &compile->error, CHAIN_LOCAL);
	uint8_t reg;

	odd_rules(&emit, true);
	emit_rule(&emit, "part of a connection whose opening was judged");
	emit_protocol(&emit, IPPROTO_TCP);
	emit_opening(&emit, false);
	emit_accept(&emit);
	if (automap->stated) {
		emit_rule_for(&emit, &automap->place, "F7: automapped addresses");
		emit_family(&emit, false);
		emit_protocol(&emit, IPPROTO_TCP);
		emit_prefix(&emit, automap->range.low, automap->prefix_length);
		emit_goto(&emit, CHAIN_AUTOMAP);
	}
	emit_rule(&emit, "F6: services by user, protocol and port");
	reg = emit_load_meta(&emit, EMIT_REG, NFT_META_SKUID);
	reg = emit_load_meta(&emit, reg, NFT_META_L4PROTO);
	emit_load_payload(&emit, reg, RULESET_TRANSPORT, 2, 2);
	emit_vmap(&emit, SET_SERVICES);
	emit_rule(&emit, "F6: users with ranges of ports");
	emit_load_meta(&emit, EMIT_REG, NFT_META_SKUID);
	emit_vmap(&emit, SET_LOCAL_USERS);
	emit_rule(&emit, "answers of local UDP services");
	emit_protocol(&emit, IPPROTO_UDP);
	reg = emit_load_meta(&emit, EMIT_REG, NFT_META_SKUID);
	emit_load_payload(&emit, reg, RULESET_TRANSPORT, 0, 2);
	emit_in(&emit, SET_ANSWERING);
	emit_accept(&emit);
	icmp_error_rules(&emit);
	emit_rule_for(&emit, &compile->policy->default_place, "default drop");
	emit_goto(&emit, CHAIN_REFUSE_LOCAL);
}

void compile_local_chains(struct compile *compile)
{
	const struct policy *policy = compile->policy;

	refuse_chain(compile);
	if (policy->automap.stated)
		automap_chain(compile);
	for (size_t i = 0; i < policy->user_count; i++)
		if (has_local_chain(policy, policy->users[i].uid))
			user_chain(compile, policy->users[i].uid);
	local_chain(compile);
}

static void proxied_chain(struct compile *compile)
{
	struct emit emit = emit_chain(compile->table, &compile->error, CHAIN_PROXIED);

	/* Only the proxy's socket: with Tor down, nobody else may answer at these addresses. */
	emit_rule(&emit, "F7: what the proxy's socket was given");
	emit_socket(&emit, NFT_SOCKET_TRANSPARENT, 1);
	emit_accept(&emit);
	emit_rule(&emit, "no proxy is listening");
	emit_reset(&emit);
}

void compile_local_input(struct compile *compile)
{
	const struct policy_automap *automap = &compile->policy->automap;
	static const uint8_t protocols[] = { IPPROTO_TCP, IPPROTO_UDP };
	struct emit emit;

	if (automap->stated)
		proxied_chain(compile);
	emit = emit_chain(compile->table, &compile->error, CHAIN_LOCAL_INPUT);
	odd_rules(&emit, false);
	emit_rule(&emit, "part of a local connection");
	emit_protocol(&emit, IPPROTO_TCP);
	emit_opening(&emit, false);
	emit_accept(&emit);
	if (automap->stated) {
		emit_rule_for(&emit, &automap->place, "F7: automapped addresses");
		emit_family(&emit, false);
		emit_protocol(&emit, IPPROTO_TCP);
		emit_prefix(&emit, automap->range.low, automap->prefix_length);
		emit_goto(&emit, CHAIN_PROXIED);
	}
	for (size_t i = 0; i < ARRAY_SIZE(protocols); i++) {
		emit_rule(&emit, "ports that some user may reach");
		emit_protocol(&emit, protocols[i]);
		emit_port_in(&emit, false, i == 0 ? SET_LOCAL_TCP : SET_LOCAL_UDP);
		emit_accept(&emit);
	}
	emit_rule(&emit, "answers of local UDP services");
	emit_protocol(&emit, IPPROTO_UDP);
	emit_port_in(&emit, true, SET_UDP_ANSWERS);
	emit_accept(&emit);
	icmp_error_rules(&emit);
	emit_end(&emit);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "atoms.h"

#include <netinet/in.h>
#include <string.h>

#include "grow.h"
#include "ranges.h"

#define DHCP_SERVER_PORT 67
#define DHCP_CLIENT_PORT 68
#define FNV_START        0xcbf29ce484222325u

/* A value, and a hash of everything that the policies' statements say about it. */
struct marked {
	uint32_t value;
	uint64_t kind;
};

struct values {
	uint32_t *values;
	size_t count;
	int error; /* sticky */
};

struct collector {
	const struct policy *const *policies;
	size_t count;
};

typedef uint64_t kind_fn(const struct policy *policy, uint32_t value, uint64_t hash);

static uint64_t mix(uint64_t hash, uint64_t value)
{
	for (unsigned i = 0; i < 64; i += 8)
		hash = (hash ^ (value >> i & 0xff)) * 0x100000001b3u;
	return hash;
}

static void add(struct values *values, uint32_t value)
{
	if (values->error == 0)
		values->error = APPEND(values->values, values->count, &value);
}

/* A range's ends and what lies beside them, within 0 to @last. */
static void add_range(struct values *values, uint32_t low, uint32_t high, uint32_t last)
{
	if (low > 0)
		add(values, low - 1);
	add(values, low);
	add(values, high);
	if (high < last)
		add(values, high + 1);
}

static void add_ports(struct values *values, const struct policy_ports *ports, size_t count)
{
	for (size_t i = 0; i < count; i++)
		add_range(values, ports[i].low, ports[i].high, UINT16_MAX);
}

static int compare_values(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static int finish_values(struct values *values)
{
	size_t kept = 0;

	if (values->error)
		return values->error;
	if (values->count)
		qsort(values->values, values->count, sizeof(uint32_t), compare_values);
	for (size_t i = 0; i < values->count; i++)
		if (kept == 0 || values->values[kept - 1] != values->values[i])
			values->values[kept++] = values->values[i];
	values->count = kept;
	return 0;
}

static int compare_marked(const void *a, const void *b)
{
	const struct marked *x = a, *y = b;

	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	return (x->value > y->value) - (x->value < y->value);
}

/* Put one value of each kind first: the middle one, because the ends are the odd cases (port 0)
 * that say least about their kind. */
static int sort_samples(const struct collector *collector, struct values *values, kind_fn *kind,
			size_t *ret_samples)
{
	AUTO_FREE struct marked *marked = calloc(values->count + 1, sizeof(*marked));
	size_t samples = 0, rest = values->count;

	if (!marked)
		return -ENOMEM;
	for (size_t i = 0; i < values->count; i++) {
		marked[i].value = values->values[i];
		marked[i].kind = FNV_START;
		for (size_t p = 0; p < collector->count; p++)
			marked[i].kind =
			    kind(collector->policies[p], marked[i].value, marked[i].kind);
	}
	qsort(marked, values->count, sizeof(*marked), compare_marked);
	for (size_t i = 0, end; i < values->count; i = end) {
		size_t middle;

		for (end = i; end < values->count && marked[end].kind == marked[i].kind;)
			end++;
		middle = i + (end - i) / 2;
		for (size_t j = i; j < end; j++)
			values->values[j == middle ? samples++ : --rest] = marked[j].value;
	}
	*ret_samples = samples;
	return 0;
}

static bool in_ports(const struct policy_ports *ports, size_t count, uint32_t port)
{
	const struct policy_ports one = {(uint16_t)port, (uint16_t)port};

	return ports_overlap(ports, count, &one, 1);
}

static uint64_t mix_traffic(uint64_t hash, const struct policy_traffic *traffic,
			    enum policy_protocol protocol, uint32_t port)
{
	struct port_view view = traffic_ports(traffic);

	if (traffic->protocol != protocol)
		return hash;
	return mix(hash, in_ports(view.ports, view.count, port));
}

static uint64_t remote_kind(const struct policy *policy, uint32_t port, uint64_t hash,
			    enum policy_protocol protocol)
{
	for (size_t i = 0; i < policy->grant_count; i++)
		hash = mix_traffic(hash, &policy->grants[i].traffic, protocol, port);
	for (size_t i = 0; i < policy->lan.except_count; i++)
		hash = mix_traffic(hash, &policy->lan.except[i], protocol, port);
	return hash;
}

static uint64_t remote_tcp_kind(const struct policy *policy, uint32_t port, uint64_t hash)
{
	return remote_kind(policy, port, hash, POLICY_TCP);
}

static uint64_t remote_udp_kind(const struct policy *policy, uint32_t port, uint64_t hash)
{
	return mix(remote_kind(policy, port, hash, POLICY_UDP), port == DHCP_SERVER_PORT);
}

static uint64_t remote_source_kind(const struct policy *policy, uint32_t port, uint64_t hash)
{
	return mix(hash, port == DHCP_CLIENT_PORT);
}

static uint64_t mix_uids(uint64_t hash, const struct policy_uids *uids)
{
	hash = mix(hash, uids->count);
	for (size_t i = 0; i < uids->count; i++)
		hash = mix(hash, uids->uids[i]);
	return hash;
}

static const struct policy_service *find_service(const struct policy *policy,
						 enum policy_protocol protocol, uint32_t port)
{
	size_t low = 0, high = policy->service_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct policy_service *service = &policy->services[middle];

		if (service->protocol < protocol ||
		    (service->protocol == protocol && service->ports.high < port))
			low = middle + 1;
		else
			high = middle;
	}
	if (low == policy->service_count || policy->services[low].protocol != protocol ||
	    policy->services[low].ports.low > port)
		return NULL;
	return &policy->services[low];
}

static uint64_t local_tcp_kind(const struct policy *policy, uint32_t port, uint64_t hash)
{
	const struct policy_service *service = find_service(policy, POLICY_TCP, port);

	hash = service ? mix_uids(hash, &service->clients) : mix(hash, 0);
	for (size_t i = 0; i < policy->local_count; i++)
		hash = mix(
		    hash, in_ports(policy->locals[i].except, policy->locals[i].except_count, port));
	return hash;
}

static uint64_t local_udp_kind(const struct policy *policy, uint32_t port, uint64_t hash)
{
	const struct policy_service *service = find_service(policy, POLICY_UDP, port);

	return service ? mix_uids(hash, &service->clients) : mix(hash, 0);
}

static uint64_t local_source_kind(const struct policy *policy, uint32_t port, uint64_t hash)
{
	const struct policy_service *service = find_service(policy, POLICY_UDP, port);

	return service ? mix_uids(hash, &service->servers) : mix(hash, 0);
}

static uint64_t mix_automap(const struct policy *policy, uint32_t address, uint64_t hash)
{
	const struct policy_automap *automap = &policy->automap;

	return mix(hash, automap->stated && address >= automap->range.low &&
			     address <= automap->range.high);
}

static uint64_t remote_address_kind(const struct policy *policy, uint32_t address, uint64_t hash)
{
	for (size_t i = 0; i < policy->network_count; i++)
		hash = mix(hash, policy_network_contains(&policy->networks[i], address));
	return mix(mix_automap(policy, address, hash), address == INADDR_BROADCAST);
}

static uint64_t local_address_kind(const struct policy *policy, uint32_t address, uint64_t hash)
{
	return mix_automap(policy, address, hash);
}

/* Ports that matter to both scenes: the ends, DHCP's, and two that no policy here need name. */
static void common_ports(struct values *values)
{
	static const uint16_t ports[] = {0, 1, 53, 66, 67, 68, 69, 443, 40001, 65534, 65535};

	for (size_t i = 0; i < ARRAY_SIZE(ports); i++)
		add(values, ports[i]);
}

static void remote_ports(const struct policy *policy, struct values *values)
{
	for (size_t i = 0; i < policy->grant_count; i++)
		add_ports(values, policy->grants[i].traffic.ports,
			  policy->grants[i].traffic.port_count);
	for (size_t i = 0; i < policy->lan.except_count; i++)
		add_ports(values, policy->lan.except[i].ports, policy->lan.except[i].port_count);
}

static void local_ports(const struct policy *policy, struct values *values)
{
	for (size_t i = 0; i < policy->service_count; i++)
		add_ports(values, &policy->services[i].ports, 1);
	for (size_t i = 0; i < policy->local_count; i++)
		add_ports(values, policy->locals[i].except, policy->locals[i].except_count);
	if (policy->automap.stated)
		add_range(values, policy->automap.port, policy->automap.port, UINT16_MAX);
}

/* One list of ports: a scene's constants, the samples of @other (what is a constant there must
 * make no difference here, and that is worth a look), and those common to all. */
static int collect_ports(const struct collector *collector,
			 void (*constants)(const struct policy *, struct values *), kind_fn *kind,
			 const struct port_atoms *other, struct port_atoms *ret_atoms)
{
	AUTO_FREE uint32_t *release = NULL;
	struct values values = {0};
	int r;

	common_ports(&values);
	for (size_t i = 0; i < collector->count; i++)
		constants(collector->policies[i], &values);
	for (size_t i = 0; other && i < other->samples; i++)
		add(&values, other->ports[i]);
	release = values.values;
	r = finish_values(&values);
	if (r == 0)
		r = sort_samples(collector, &values, kind, &ret_atoms->samples);
	if (r < 0)
		return r;
	ret_atoms->ports = calloc(values.count + 1, sizeof(*ret_atoms->ports));
	if (!ret_atoms->ports)
		return -ENOMEM;
	for (size_t i = 0; i < values.count; i++)
		ret_atoms->ports[i] = (uint16_t)values.values[i];
	ret_atoms->count = values.count;
	return 0;
}

/* A host on the Internet (TEST-NET-2), one on the LAN, this host itself, the group of mDNS, the
 * broadcast address, an address for shared use, one that a link gives itself. */
static void remote_addresses(const struct policy *policy, struct values *values)
{
	static const uint32_t addresses[] = {
	    0x00000000, 0xc6336450, 0xc0a80132, 0xc0a80102, 0x7f000001,
	    0xe00000fb, 0xffffffff, 0x64400001, 0xa9fe0001,
	};

	for (size_t i = 0; i < ARRAY_SIZE(addresses); i++)
		add(values, addresses[i]);
	for (size_t i = 0; i < policy->network_count; i++)
		for (size_t j = 0; j < policy->networks[i].range_count; j++)
			add_range(values, policy->networks[i].ranges[j].low,
				  policy->networks[i].ranges[j].high, UINT32_MAX);
	if (policy->automap.stated)
		add_range(values, policy->automap.range.low, policy->automap.range.high,
			  UINT32_MAX);
}

/* On loopback an address is automapped or it is not. Some of those that are not: 127.0.0.1, its
 * range's ends, own addresses on a LAN and on the Internet, the broadcast address. */
static void local_addresses(const struct policy *policy, struct values *values)
{
	static const uint32_t addresses[] = {
	    0x7f000000, 0x7f000001, 0x7f000035, 0x7fffffff, 0xc0a80102, 0xc6336450, 0xffffffff,
	};

	for (size_t i = 0; i < ARRAY_SIZE(addresses); i++)
		add(values, addresses[i]);
	if (policy->automap.stated)
		add_range(values, policy->automap.range.low, policy->automap.range.high,
			  UINT32_MAX);
}

static int collect_addresses(const struct collector *collector,
			     void (*constants)(const struct policy *, struct values *),
			     kind_fn *kind, struct address_atoms *ret_atoms)
{
	AUTO_FREE uint32_t *release = NULL;
	struct values values = {0};
	int r;

	for (size_t i = 0; i < collector->count; i++)
		constants(collector->policies[i], &values);
	release = values.values;
	r = finish_values(&values);
	if (r == 0)
		r = sort_samples(collector, &values, kind, &ret_atoms->samples);
	if (r < 0)
		return r;
	ret_atoms->addresses = calloc(values.count + 1, sizeof(*ret_atoms->addresses));
	if (!ret_atoms->addresses)
		return -ENOMEM;
	for (size_t i = 0; i < values.count; i++)
		ret_atoms->addresses[i] = packet_address4(values.values[i]);
	ret_atoms->count = values.count;
	return 0;
}

/* No statement speaks of IPv6 addresses, so all are of one kind. */
static int ipv6_addresses(struct address_atoms *ret_atoms, const char *const *texts, size_t count)
{
	ret_atoms->addresses = calloc(count, sizeof(*ret_atoms->addresses));
	if (!ret_atoms->addresses)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		bool ipv6;
		int r = packet_address_parse(texts[i], &ret_atoms->addresses[i], &ipv6);

		if (r < 0)
			return r;
	}
	ret_atoms->ipv6 = true;
	ret_atoms->count = count;
	ret_atoms->samples = 1;
	return 0;
}

static int collect_uids(const struct collector *collector, struct atoms *atoms)
{
	struct values values = {0};
	uint32_t stranger = 1000;
	int r;

	for (size_t p = 0; p < collector->count; p++)
		for (size_t i = 0; i < collector->policies[p]->user_count; i++)
			add(&values, collector->policies[p]->users[i].uid);
	r = finish_values(&values);
	/* The first number from 1000 on that is free. They are sorted. */
	for (size_t i = 0; r == 0 && i < values.count; i++)
		stranger += values.values[i] == stranger;
	if (r == 0) {
		add(&values, stranger);
		r = values.error;
	}
	atoms->uids = values.values;
	atoms->uid_count = values.count;
	return r;
}

static int collect_scene_ports(const struct collector *collector, struct atoms *atoms)
{
	struct scene_atoms *remote = &atoms->remote, *local = &atoms->local;
	int r;

	r = collect_ports(collector, remote_ports, remote_source_kind, NULL, &remote->source);
	if (r == 0)
		r = collect_ports(collector, local_ports, local_source_kind, &remote->source,
				  &local->source);
	/* First without the other scene's samples, to get these, then with them. */
	for (int round = 0; r == 0 && round < 2; round++) {
		struct port_atoms old[2] = {remote->tcp, remote->udp};

		remote->tcp = remote->udp = (struct port_atoms){0};
		r = collect_ports(collector, remote_ports, remote_tcp_kind,
				  round ? &local->tcp : NULL, &remote->tcp);
		if (r == 0)
			r = collect_ports(collector, remote_ports, remote_udp_kind,
					  round ? &local->udp : NULL, &remote->udp);
		free(old[0].ports);
		free(old[1].ports);
		if (r == 0 && round == 0)
			r = collect_ports(collector, local_ports, local_tcp_kind, &remote->tcp,
					  &local->tcp);
		if (r == 0 && round == 0)
			r = collect_ports(collector, local_ports, local_udp_kind, &remote->udp,
					  &local->udp);
	}
	return r;
}

int atoms_collect(struct atoms *atoms, const struct policy *const *policies, size_t count)
{
	/* Documentation, unique local, link-local, multicast, own, and IPv4 in disguise. */
	static const char *const remote[] = {
	    "2001:db8::80", "fd00:1::50",           "fe80::1", "ff02::1", "ff02::fb",
	    "::1",          "::ffff:198.51.100.80",
	};
	static const char *const local[] = {"::1", "fd00:1::2", "ff02::1", "::ffff:127.192.0.1"};
	const struct collector collector = {policies, count};
	int r;

	*atoms = (struct atoms){0};
	r = collect_uids(&collector, atoms);
	if (r == 0)
		r = collect_scene_ports(&collector, atoms);
	if (r == 0)
		r = collect_addresses(&collector, remote_addresses, remote_address_kind,
				      &atoms->remote.ipv4);
	if (r == 0)
		r = collect_addresses(&collector, local_addresses, local_address_kind,
				      &atoms->local.ipv4);
	if (r == 0)
		r = ipv6_addresses(&atoms->remote.ipv6, remote, ARRAY_SIZE(remote));
	if (r == 0)
		r = ipv6_addresses(&atoms->local.ipv6, local, ARRAY_SIZE(local));
	return r;
}

static void scene_done(struct scene_atoms *scene)
{
	free(scene->ipv4.addresses);
	free(scene->ipv6.addresses);
	free(scene->tcp.ports);
	free(scene->udp.ports);
	free(scene->source.ports);
}

void atoms_done(struct atoms *atoms)
{
	scene_done(&atoms->remote);
	scene_done(&atoms->local);
	free(atoms->uids);
}

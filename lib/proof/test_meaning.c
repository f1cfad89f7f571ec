/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a policy means, as functions, is what policy_evaluate() says of one packet: on every class
 * of the shipped policy and of random ones, on random packets, and on points that nobody thought
 * of.
 */
#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <string.h>

#include <policy/test_util.h>

#include "judgement.h"

#define CLEAN CLEANUP(policy_freep)

#define NODES_MAX       ((size_t)16 << 20)
#define WORDS           (DIAGRAM_VARIABLES / 64)
#define POLICIES        200u
#define STATEMENTS      20
#define SAMPLE          16 /* of a random policy's classes, one in so many */
#define RANDOM_POLICIES 5
#define RANDOM_PACKETS  25000 /* for each of these */
#define RANDOM_POINTS   8000  /* for each path of the shipped policy */
#define SERVICES        10000

static const enum packet_path every_path[] = {PACKET_OUTPUT, PACKET_FRAME, PACKET_INPUT,
					      PACKET_FORWARD};

struct check {
	struct diagram_space *space;
	const struct policy *policy; /* that is evaluated */
	struct judgement judgements[PACKET_FORWARD + 1];
	diagram possible[PACKET_FORWARD + 1]; /* in the universe, and complete */
	diagram bare;                         /* on a device without an Ethernet header */
	struct test_random *random;
	unsigned sample;
	size_t compared;
	unsigned outcomes; /* mask of those seen */
};

/* Nothing has two outcomes, and nothing has none. */
static void one_outcome_each(struct diagram_space *space, const struct judgement *judgement)
{
	diagram all = DIAGRAM_FALSE;

	for (unsigned i = 0; i < JUDGEMENT_OUTCOMES; i++) {
		assert_int_equal(diagram_and(space, all, judgement->outcomes[i]), DIAGRAM_FALSE);
		all = diagram_or(space, all, judgement->outcomes[i]);
	}
	assert_int_equal(all, DIAGRAM_TRUE);
	assert_int_equal(judgement->outcomes[JUDGEMENT_UNDECIDED], DIAGRAM_FALSE);
	assert_int_equal(judgement->outcomes[JUDGEMENT_REWRITTEN], DIAGRAM_FALSE);
	assert_int_equal(judgement->outcomes[JUDGEMENT_OTHER_ERROR], DIAGRAM_FALSE);
}

/* @policy is what the functions are made of, and is evaluated. */
static void check_begin(struct check *check, const struct policy *policy,
			struct test_random *random)
{
	*check = (struct check){
	    .space = diagram_space_new(NODES_MAX), .policy = policy, .random = random, .sample = 1};
	assert_non_null(check->space);
	for (size_t i = 0; i < ARRAY_SIZE(every_path); i++) {
		enum packet_path path = every_path[i];

		assert_int_equal(meaning_of(check->space, policy, path, &check->judgements[path]),
				 0);
		one_outcome_each(check->space, &check->judgements[path]);
		check->possible[path] =
		    diagram_and(check->space, space_universe(check->space, path, NULL, 0),
				space_complete(check->space));
	}
	check->bare = space_bare(check->space);
	assert_int_equal(diagram_error(check->space), 0);
}

static void check_end(struct check *check)
{
	check->space = diagram_space_free(check->space);
}

static enum judgement_outcome outcome_of(const struct policy_verdict *verdict)
{
	switch (verdict->action) {
	case POLICY_DROP:
		return JUDGEMENT_DROP;
	case POLICY_RESET:
		return JUDGEMENT_RESET;
	case POLICY_UNREACHABLE:
		return JUDGEMENT_UNREACHABLE;
	case POLICY_ACCEPT:
		return JUDGEMENT_ACCEPT;
	case POLICY_PROXY:
		return JUDGEMENT_PROXY;
	}
	return JUDGEMENT_UNDECIDED;
}

static bool agrees(struct check *check, const struct packet *packet, const uint64_t *values)
{
	struct policy_verdict verdict = policy_evaluate(check->policy, packet);
	const struct judgement *judgement = &check->judgements[packet->path];
	enum judgement_outcome outcome = outcome_of(&verdict);

	check->compared++;
	check->outcomes |= 1u << outcome;
	return diagram_at(check->space, judgement->outcomes[outcome], values) &&
	       (outcome != JUDGEMENT_PROXY || judgement->proxy_port == verdict.proxy_port);
}

static void tell_difference(struct check *check, const struct packet *packet)
{
	struct policy_verdict verdict = policy_evaluate(check->policy, packet);
	struct buf text = {.cap = 1 << 20};

	packet_print(packet, &text);
	buf_printf(&text, ": the policy says %d (%s), its meaning another thing\n",
		   (int)verdict.action, verdict.reason);
	policy_print(check->policy, &text);
	fail_msg("%s", buf_text(&text));
}

/* Whatever is no part of the packet is random: nothing may depend on it. */
static void fill(struct check *check, uint64_t *values)
{
	for (size_t i = 0; i < WORDS; i++)
		values[i] = check->random
				? (uint64_t)test_random_below(check->random, UINT32_MAX) << 32 |
				      test_random_below(check->random, UINT32_MAX)
				: 0;
	space_set(values, SPACE_CONNECTION, SPACE_NEW);
}

static int compare_class(const struct packet *packet, void *data)
{
	struct check *check = data;
	uint64_t values[WORDS];

	if (check->sample > 1 && test_random_below(check->random, check->sample))
		return 0;
	fill(check, values);
	space_from_packet(packet, values);
	if (!agrees(check, packet, values))
		tell_difference(check, packet);
	return 0;
}

/* Ends the walk at the first that is judged otherwise. */
static int find_difference(const struct packet *packet, void *data)
{
	struct check *check = data;
	uint64_t values[WORDS] = {0};

	space_from_packet(packet, values);
	return !agrees(check, packet, values);
}

static const unsigned all_outcomes = 1u << JUDGEMENT_DROP | 1u << JUDGEMENT_RESET |
				     1u << JUDGEMENT_UNREACHABLE | 1u << JUDGEMENT_ACCEPT |
				     1u << JUDGEMENT_PROXY;

static void shipped_policy(void **state)
{
	struct test_random random = test_random_begin();
	AUTO_FREE char *text = test_default_text();
	CLEAN struct policy *policy = test_parse(text);
	const struct policy *one = policy;
	struct check check;

	check_begin(&check, policy, &random);
	assert_int_equal(policy_each_class(&one, 1, compare_class, &check), 0);
	print_message("# %zu classes, %zu nodes\n", check.compared, diagram_nodes(check.space));
	assert_true(check.compared > 10000);
	assert_int_equal(check.outcomes, all_outcomes);
	assert_int_equal(check.judgements[PACKET_INPUT].proxy_port, 9040);
	assert_int_equal(check.judgements[PACKET_OUTPUT].proxy_port, 0);
	check_end(&check);
}

/* As the shipped policy's last comment says. */
static char *strict_text(void)
{
	char *text = test_default_text();

	text = test_replace(text, "lan private open except", "lan private closed except");
	text = test_replace(text, "\nallow amnesia to loopback over tcp except 9055 9056 9057 9062 9063\n",
			    "\nallow amnesia to service socks\n"
			    "service socks-browser tcp 9150 for amnesia\n"
			    "service control tcp 9051 for amnesia\n"
			    "service cups tcp 631 for amnesia\n"
			    "service onionshare tcp 17600-17650 for amnesia\n"
			    "network printer = 192.168.1.50\n"
			    "allow amnesia to printer over tcp 631 9100\n"
			    "allow amnesia to 192.168.1.1 over tcp 80 443\n");
	return text;
}

static void strict_policy(void **state)
{
	struct test_random random = test_random_begin();
	AUTO_FREE char *text = strict_text();
	CLEAN struct policy *policy = test_parse(text);
	const struct policy *one = policy;
	struct check check;

	check_begin(&check, policy, &random);
	assert_int_equal(policy_each_class(&one, 1, compare_class, &check), 0);
	assert_int_equal(check.outcomes, all_outcomes);
	check_end(&check);
}

static struct policy *random_policy(struct test_random *random)
{
	struct test_statements statements;
	struct policy *policy;

	test_random_statements(random, STATEMENTS, &statements);
	policy = test_statements_parse(&statements);
	assert_non_null(policy);
	return policy;
}

static void random_policies(void **state)
{
	struct test_random random = test_random_begin();
	size_t compared = 0;

	for (unsigned i = 0; i < POLICIES; i++) {
		CLEAN struct policy *policy = random_policy(&random);
		const struct policy *one = policy;
		struct check check;

		check_begin(&check, policy, &random);
		check.sample = SAMPLE;
		assert_int_equal(policy_each_class(&one, 1, compare_class, &check), 0);
		compared += check.compared;
		check_end(&check);
	}
	print_message("# %zu classes of %u policies\n", compared, POLICIES);
	assert_true(compared > POLICIES * 100);
}

/* ---- random packets, near what the policy names. ---- */

static uint32_t near(struct test_random *random, uint32_t low, uint32_t high)
{
	static const uint32_t steps[] = {0, 0, 0, 1, UINT32_MAX};
	uint32_t end = test_random_below(random, 2) ? low : high;

	return end + steps[test_random_below(random, ARRAY_SIZE(steps))];
}

static uint16_t some_port(struct check *check)
{
	static const uint16_t ports[] = {0, 53, 67, 68, 443, 9040, 9050, 9062, 65535};
	const struct policy *policy = check->policy;
	struct test_random *random = check->random;
	const struct policy_traffic *traffic = NULL;
	size_t n;

	switch (test_random_below(random, 5)) {
	case 0:
		if (policy->service_count == 0)
			break;
		n = test_random_below(random, (uint32_t)policy->service_count);
		return (uint16_t)near(random, policy->services[n].ports.low,
				      policy->services[n].ports.high);
	case 1:
		if (policy->grant_count)
			traffic =
			    &policy
				 ->grants[test_random_below(random, (uint32_t)policy->grant_count)]
				 .traffic;
		break;
	case 2:
		if (policy->lan.except_count)
			traffic = &policy->lan.except[test_random_below(
			    random, (uint32_t)policy->lan.except_count)];
		break;
	case 3:
		return (uint16_t)test_random_below(random, 65536);
	default:
		break;
	}
	if (!traffic || traffic->port_count == 0)
		return ports[test_random_below(random, ARRAY_SIZE(ports))];
	n = test_random_below(random, (uint32_t)traffic->port_count);
	return (uint16_t)near(random, traffic->ports[n].low, traffic->ports[n].high);
}

static uint32_t some_address(struct check *check)
{
	const struct policy *policy = check->policy;
	struct test_random *random = check->random;
	const struct policy_network *network;
	size_t n;

	switch (test_random_below(random, 4)) {
	case 0:
		return test_random_below(random, 2) ? INADDR_BROADCAST : INADDR_LOOPBACK;
	case 1:
		return near(random, policy->automap.range.low, policy->automap.range.high);
	case 2:
		if (policy->network_count == 0)
			break;
		network =
		    &policy->networks[test_random_below(random, (uint32_t)policy->network_count)];
		n = test_random_below(random, (uint32_t)network->range_count);
		return near(random, network->ranges[n].low, network->ranges[n].high);
	default:
		break;
	}
	return test_random_below(random, UINT32_MAX);
}

static uint8_t some_protocol(struct test_random *random)
{
	static const uint8_t protocols[] = {IPPROTO_TCP,    IPPROTO_TCP,    IPPROTO_TCP,
					    IPPROTO_UDP,    IPPROTO_UDP,    IPPROTO_ICMP,
					    IPPROTO_ICMPV6, IPPROTO_UDPLITE};

	if (test_random_below(random, 8) == 0)
		return (uint8_t)test_random_below(random, 256);
	return protocols[test_random_below(random, ARRAY_SIZE(protocols))];
}

static void random_ip(struct check *check, struct packet *packet)
{
	struct test_random *random = check->random;
	bool ipv6 = packet->ethertype == ETH_P_IPV6;
	uint8_t type = (uint8_t)test_random_below(random, 15);

	packet->protocol = some_protocol(random);
	packet->fragment = test_random_below(random, 8) == 0;
	if (test_random_below(random, 8) == 0)
		packet->options = (uint8_t)test_random_below(random, ipv6 ? 2 : 11);
	packet->source = packet_address4(some_address(check));
	packet->destination = packet_address4(some_address(check));
	if (ipv6)
		packet->destination.bytes[15] = (uint8_t)test_random_below(random, 256);
	packet->source_port = some_port(check);
	packet->destination_port = some_port(check);
	packet->tcp_flags =
	    (uint8_t)test_random_below(random, test_random_below(random, 2) ? 256 : 4);
	packet->icmp_type =
	    test_random_below(random, 3) ? type : (uint8_t)test_random_below(random, 256);
	packet->icmp_code = (uint8_t)test_random_below(random, 256);
	packet->icmp_id = (uint16_t)test_random_below(random, 65536);
}

static struct packet random_packet(struct check *check)
{
	static const uint16_t ethertypes[] = {ETH_P_IP,   ETH_P_IP,  ETH_P_IP,
					      ETH_P_IPV6, ETH_P_ARP, ETH_P_PAE};
	struct test_random *random = check->random;
	const struct policy *policy = check->policy;
	bool frame;
	struct packet packet = {
	    .path = every_path[test_random_below(random, ARRAY_SIZE(every_path))],
	    .loopback = test_random_below(random, 2),
	};

	frame = packet.path == PACKET_FRAME;
	packet.ethertype =
	    ethertypes[test_random_below(random, frame ? ARRAY_SIZE(ethertypes) : 4)];
	packet.routed = packet.path == PACKET_OUTPUT || (frame && test_random_below(random, 2));
	packet.owned = (frame || packet.path == PACKET_OUTPUT) && test_random_below(random, 5);
	if (packet.owned)
		packet.uid =
		    policy->user_count && test_random_below(random, 5)
			? policy->users[test_random_below(random, (uint32_t)policy->user_count)].uid
			: test_random_below(random, 2000);
	if (frame && test_random_below(random, 8) == 0)
		packet.link_ethertype = (uint16_t)test_random_below(random, 65536);
	if (packet.ethertype == ETH_P_ARP) {
		packet.arp_plain = test_random_below(random, 4);
		packet.arp_operation = (uint16_t)test_random_below(random, 4);
	} else if (packet.ethertype != ETH_P_PAE) {
		random_ip(check, &packet);
	}
	if (packet.path == PACKET_INPUT) {
		packet.socket = (enum packet_socket)test_random_below(random, 4);
		packet.expected = test_random_below(random, 4) == 0;
	}
	return packet;
}

static void random_packets_of(struct check *check)
{
	for (unsigned i = 0; i < RANDOM_PACKETS; i++) {
		struct packet packet = random_packet(check);
		uint64_t values[WORDS];

		fill(check, values);
		space_from_packet(&packet, values);
		/* Some are none that can be: IPv4 fragments that arrive, TCP that is expected. */
		if (!diagram_at(check->space, check->possible[packet.path], values))
			continue;
		if (!agrees(check, &packet, values))
			tell_difference(check, &packet);
	}
}

static void random_packets(void **state)
{
	struct test_random random = test_random_begin();
	AUTO_FREE char *text = test_default_text();
	size_t compared = 0;

	for (unsigned i = 0; i < RANDOM_POLICIES; i++) {
		CLEAN struct policy *policy = i ? random_policy(&random) : test_parse(text);
		struct check check;

		check_begin(&check, policy, &random);
		random_packets_of(&check);
		if (i == 0)
			assert_int_equal(check.outcomes, all_outcomes);
		compared += check.compared;
		check_end(&check);
	}
	print_message("# %zu random packets\n", compared);
	assert_true(compared > 100000);
}

/* ---- points of the space, whatever packet that may be. ---- */

/* What struct packet has no word for. */
static bool has_no_packet(const struct check *check, enum packet_path path, const uint64_t *values)
{
	uint64_t label = space_get(values, SPACE_ETHERTYPE);
	uint64_t link = space_get(values, SPACE_LINK_ETHERTYPE);
	bool ip = label == ETH_P_IP || label == ETH_P_IPV6;

	/* A header of fewer than five words, as only raw sockets write. */
	if (path == PACKET_OUTPUT && label == ETH_P_IP)
		return (space_get(values, SPACE_VERSION_IHL) & 0xf) < 5;
	if (path != PACKET_FRAME)
		return false;
	/* Labelled as IP and none; ARP and EAPOL where no Ethernet is. */
	if (ip ? !space_get(values, SPACE_VALID) : diagram_at(check->space, check->bare, values))
		return true;
	/* An ethertype of 0 in the link header stands for "the same as the label". */
	return link == 0 && label != 0;
}

/* Random values, then some fields as the policy names them: few points come near otherwise. */
static void random_point(struct check *check, enum packet_path path, uint64_t *values)
{
	static const uint16_t types[] = {ARPHRD_ETHER, ARPHRD_PPP, ARPHRD_NONE, ARPHRD_RAWIP,
					 ARPHRD_LOOPBACK};
	struct test_random *random = check->random;
	struct packet packet;

	do
		packet = random_packet(check);
	while (packet.path != path);
	fill(check, values);
	space_from_packet(&packet, values);
	space_set(values, SPACE_DEVICE_TYPE, types[test_random_below(random, ARRAY_SIZE(types))]);
	for (unsigned i = test_random_below(random, 4); i > 0; i--) {
		unsigned variable = test_random_below(random, SPACE_FREE);

		if (test_random_below(random, 2)) /* those above matter more */
			variable %= space_first(SPACE_NETWORK_REST);
		values[variable / 64] ^= (uint64_t)1 << variable % 64;
	}
}

/* The nearest point that can be: what is read from it as a packet is judged like it. */
static void random_points(void **state)
{
	struct test_random random = test_random_begin();
	AUTO_FREE char *text = test_default_text();
	CLEAN struct policy *policy = test_parse(text);
	struct check check;
	size_t bare = 0;

	check_begin(&check, policy, &random);
	for (unsigned i = 0; i < RANDOM_POINTS * ARRAY_SIZE(every_path); i++) {
		enum packet_path path = every_path[i % ARRAY_SIZE(every_path)];
		uint64_t values[WORDS];
		struct packet packet;

		random_point(&check, path, values);
		assert_true(diagram_find(check.space, check.possible[path], values, NULL));
		if (has_no_packet(&check, path, values))
			continue;
		bare += path == PACKET_FRAME && diagram_at(check.space, check.bare, values);
		packet = space_packet(path, values);
		if (!agrees(&check, &packet, values))
			tell_difference(&check, &packet);
	}
	print_message("# %zu points, %zu on devices without a header\n", check.compared, bare);
	assert_true(check.compared > RANDOM_POINTS && bare > 0);
	assert_int_equal(check.outcomes, all_outcomes);
	check_end(&check);
}

/* ---- what struct packet cannot say. ---- */

static enum judgement_outcome outcome_at(const struct check *check, enum packet_path path,
					 const uint64_t *values)
{
	unsigned outcome = 0;

	while (outcome < JUDGEMENT_OUTCOMES &&
	       !diagram_at(check->space, check->judgements[path].outcomes[outcome], values))
		outcome++;
	return (enum judgement_outcome)outcome;
}

static void frames(void **state)
{
	AUTO_FREE char *text = test_default_text();
	CLEAN struct policy *policy = test_parse(text);
	uint64_t values[WORDS];
	struct packet arp = {
	    .path = PACKET_FRAME, .ethertype = ETH_P_ARP, .arp_plain = true, .arp_operation = 1};
	struct check check;

	check_begin(&check, policy, NULL);
	space_wishes(PACKET_FRAME, values);
	space_set(values, SPACE_UID, 64002); /* clearnet, which may reach this */
	assert_int_equal(outcome_at(&check, PACKET_FRAME, values), JUDGEMENT_ACCEPT);
	/* A label that is not the frame's ethertype: where there is an Ethernet header only. */
	space_set(values, SPACE_LINK_ETHERTYPE, 0);
	assert_int_equal(outcome_at(&check, PACKET_FRAME, values), JUDGEMENT_DROP);
	space_set(values, SPACE_DEVICE_TYPE, ARPHRD_NONE);
	assert_int_equal(outcome_at(&check, PACKET_FRAME, values), JUDGEMENT_ACCEPT);
	/* And where there is none, there is nothing to resolve. */
	memset(values, 0, sizeof(values));
	space_from_packet(&arp, values);
	assert_int_equal(outcome_at(&check, PACKET_FRAME, values), JUDGEMENT_ACCEPT);
	space_set(values, SPACE_DEVICE_TYPE, ARPHRD_PPP);
	assert_int_equal(outcome_at(&check, PACKET_FRAME, values), JUDGEMENT_DROP);
	check_end(&check);
}

/* A raw socket's header of fewer words than there are is no better than one with options. */
static void short_header(void **state)
{
	AUTO_FREE char *text = test_default_text();
	CLEAN struct policy *policy = test_parse(text);
	uint64_t values[WORDS];
	struct check check;

	check_begin(&check, policy, NULL);
	for (unsigned words = 0; words < 16; words++) {
		space_wishes(PACKET_OUTPUT, values);
		space_set(values, SPACE_UID, 64002);
		space_set(values, SPACE_VERSION_IHL, 0x40 | words);
		assert_true(diagram_at(check.space, check.possible[PACKET_OUTPUT], values));
		assert_int_equal(outcome_at(&check, PACKET_OUTPUT, values),
				 words == 5 ? JUDGEMENT_ACCEPT : JUDGEMENT_DROP);
	}
	check_end(&check);
}

/* Labelled as IP, and its header is none: dropped, though its owner may send there. */
static void invalid_frames(void **state)
{
	CLEAN struct policy *policy =
	    test_parse_statements("allow root to 198.51.100.0/24 over tcp\n");
	uint64_t values[WORDS];
	struct check check;

	check_begin(&check, policy, NULL);
	space_wishes(PACKET_FRAME, values);
	space_set(values, SPACE_UID, 0);
	assert_int_equal(outcome_at(&check, PACKET_FRAME, values), JUDGEMENT_ACCEPT);
	space_set(values, SPACE_VALID, 0);
	assert_int_equal(outcome_at(&check, PACKET_FRAME, values), JUDGEMENT_DROP);
	space_set(values, SPACE_LOOPBACK, 1);
	assert_int_equal(outcome_at(&check, PACKET_FRAME, values), JUDGEMENT_ACCEPT);
	space_set(values, SPACE_ROUTED, 0);
	assert_int_equal(outcome_at(&check, PACKET_FRAME, values), JUDGEMENT_DROP);
	check_end(&check);
}

/* ---- the comparison can fail. ---- */

/* Changes of one thing in the shipped policy. */
static const struct {
	const char *old, *new;
} plants[] = {
    {"service socks tcp 9050 for _apt, nobody", "service socks tcp 9051 for _apt, nobody"},
    {"service socks tcp 9050 for _apt, nobody", "service socks tcp 9050 for _apt"},
    {"9057 9062 9063", "9057 9062"},
    {"by root, debian-tor for root, amnesia", "by root for root, amnesia"},
    {"automap 127.192.0.0/10", "automap 127.192.0.0/11"},
    {"10 to 9040 for amnesia", "10 to 9041 for amnesia"},
    {"link eapol for root", "link eapol for nobody"},
    {"link arp for kernel, root", "link arp for root"},
    {"lan private open", "lan private closed"},
    {"udp 53 137 853", "udp 53 138 853"},
    {"allow debian-tor to internet over tcp", "allow debian-tor to internet over udp"},
    {"100.64.0.0/10, 169.254.0.0/16\n", "100.64.0.0/10, 169.254.0.0/17\n"},
};

static void planted_changes(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(plants); i++) {
		AUTO_FREE char *text = test_default_text();
		AUTO_FREE char *changed =
		    test_replace(test_default_text(), plants[i].old, plants[i].new);
		CLEAN struct policy *policy = test_parse(text);
		CLEAN struct policy *other = test_parse(changed);
		const struct policy *both[] = {policy, other};
		struct check check;
		int r;

		/* The meaning of the one, and the other evaluated. */
		check_begin(&check, policy, NULL);
		check.policy = other;
		r = policy_each_class(both, 2, find_difference, &check);
		if (r != 1)
			fail_msg("\"%s\" is not told from \"%s\"", plants[i].new, plants[i].old);
		check_end(&check);
	}
}

/* ---- large policies. ---- */

/* Ports that cannot be joined, for many users. */
static char *large_text(unsigned services, unsigned users)
{
	struct buf text = {.cap = 16u << 20};
	char *whole;

	buf_puts(&text, TEST_HEAD);
	for (unsigned i = 0; i < services; i++)
		buf_printf(&text, "service s%u tcp %u for %u, %u\n", i, 10000 + 5 * i,
			   20000 + i % users, 20000 + (i * 7 + 3) % users);
	for (unsigned i = 0; i < users; i++)
		buf_printf(&text, "allow %u to 198.51.%u.%u over tcp %u, udp 53\n", 20000 + i,
			   i / 256, i % 256, 1000 + i);
	assert_int_equal(buf_finish(&text), 0);
	whole = strdup(buf_text(&text));
	buf_done(&text);
	assert_non_null(whole);
	return whole;
}

static void large_policy(void **state)
{
	struct test_random random = test_random_begin();
	AUTO_FREE char *text = large_text(SERVICES, 1000);
	CLEAN struct policy *policy = test_parse(text);
	struct check check;

	check_begin(&check, policy, &random);
	random_packets_of(&check);
	print_message("# %zu nodes, %zu packets\n", diagram_nodes(check.space), check.compared);
	check_end(&check);
}

/* Too few nodes is an error, and no half of an answer. */
static void too_few_nodes(void **state)
{
	AUTO_FREE char *text = test_default_text();
	CLEAN struct policy *policy = test_parse(text);
	struct diagram_space *space = diagram_space_new(100);
	struct judgement judgement;

	memset(&judgement, 0xff, sizeof(judgement));
	assert_int_equal(meaning_of(space, policy, PACKET_OUTPUT, &judgement), -E2BIG);
	for (unsigned i = 0; i < JUDGEMENT_OUTCOMES; i++)
		assert_int_equal(judgement.outcomes[i], DIAGRAM_FALSE);
	assert_int_equal(judgement.proxy_port, 0);
	diagram_space_free(space);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(shipped_policy),  cmocka_unit_test(strict_policy),
	    cmocka_unit_test(random_policies), cmocka_unit_test(random_packets),
	    cmocka_unit_test(random_points),   cmocka_unit_test(frames),
	    cmocka_unit_test(short_header),    cmocka_unit_test(invalid_frames),
	    cmocka_unit_test(planted_changes), cmocka_unit_test(large_policy),
	    cmocka_unit_test(too_few_nodes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a new policy would change: known pairs give exactly these lines; of random pairs every class
 * of packets lies in a region if and only if the two policies judge it otherwise.
 */
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <string.h>

#include <policy/test_util.h>
#include <ruleset/test_build.h>

#include "proof.h"
#include "region.h"

#define CLEAN CLEANUP(policy_freep)

#define WORDS       (DIAGRAM_VARIABLES / 64)
#define LINE        1024
#define PAIRS       24
#define STATEMENTS  14
#define SAMPLE      8 /* of a random pair's classes, one in so many */
#define PACKETS_MAX ((size_t)1 << 22)
#define SERVICES    600
#define GRANTS      300
#define NO_REGION   SIZE_MAX

#define LAN      "network private = 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16\n"
#define LAN_TEXT "10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16"
#define REST     "over tcp, segments with ack without syn, rst"
#define PIECES   "over every protocol, later fragments, through the IP stack"

static const struct proof_options no_options = {0};

/* ---- lines ---- */

struct lines {
	struct buf text;
	const struct policy *old, *new;
};

static bool is_proxied_otherwise(const struct policy_verdict *a, const struct policy_verdict *b)
{
	return policy_allows(a) && policy_allows(b) &&
	       (a->action != b->action || a->proxy_port != b->proxy_port);
}

static enum proof_change change_of(const struct policy *old, const struct policy *new,
				   const struct packet *packet)
{
	struct policy_verdict before = policy_evaluate(old, packet);
	struct policy_verdict after = policy_evaluate(new, packet);

	if (policy_allows(&after) && !policy_allows(&before))
		return PROOF_NEWLY_ALLOWED;
	if (!policy_allows(&after) && policy_allows(&before))
		return PROOF_NEWLY_DENIED;
	return is_proxied_otherwise(&before, &after) ? PROOF_OTHER_PROXY : PROOF_CHANGES;
}

/* The example is one of its region's packets, and it is treated as the region says. */
static void check_example(const struct proof_region *region, const struct policy *old,
			  const struct policy *new)
{
	const struct packet *packet = &region->example.packet;

	assert_true(region->paths >> packet->path & 1);
	assert_int_equal(packet->loopback, region->loopback);
	assert_true(proof_region_contains(region, packet));
	assert_int_equal(change_of(old, new, packet), region->change);
	assert_int_equal(region->example.policy.action, policy_evaluate(new, packet).action);
	assert_int_equal(region->before.action, policy_evaluate(old, packet).action);
}

static int add_line(const struct proof_region *region, void *data)
{
	struct lines *lines = data;

	check_example(region, lines->old, lines->new);
	buf_printf(&lines->text, "%s [%s]\n", region->text, region->where);
	return 0;
}

static void expect(const char *old_text, const char *new_text, const char *wanted)
{
	CLEAN struct policy *old = test_parse_statements(old_text);
	CLEAN struct policy *new = test_parse_statements(new_text);
	struct lines lines = {.text = {.cap = 1 << 20}, .old = old, .new = new};
	const struct proof_what_if what = {.old = old, .new = new};
	struct proof_what_if_result result;

	assert_int_equal(proof_what_if(&what, &no_options, add_line, &lines, &result), 0);
	assert_string_equal(buf_text(&lines.text), wanted);
	assert_false(result.more);
	assert_false(result.unknown);
	assert_false(result.too_large);
	buf_done(&lines.text);
}

static void same(void **state)
{
	AUTO_FREE char *text = test_default_text();
	CLEAN struct policy *policy = test_parse(text);
	const struct proof_what_if what = {.old = policy, .new = policy};
	struct lines lines = {.text = {.cap = 1 << 20}};
	struct proof_what_if_result result;

	expect(LAN "lan private open\n", LAN "lan private open\n", "");
	/* Other words for the same. */
	expect("network a = 10.0.0.0/9, 10.128.0.0/9\nallow amnesia to a over tcp 80\n",
	       "allow amnesia to 10.0.0.0/8 over tcp 80\n", "");
	assert_int_equal(proof_what_if(&what, &no_options, add_line, &lines, &result), 0);
	assert_int_equal(result.regions, 0);
	buf_done(&lines.text);
}

static void lan(void **state)
{
	expect(LAN "lan private open except tcp 53, udp 53\n",
	       LAN "lan private closed except tcp 53, udp 53\n",
	       "newly denied: every user to " LAN_TEXT
	       " over tcp, udp, every port but 53; icmp [output and egress]\n"
	       "newly denied: packets without owner to " LAN_TEXT " " REST " [output and egress]\n"
	       "newly denied, frames: every user to " LAN_TEXT " " PIECES " [egress]\n");
	/* With a printer that stays. */
	expect(LAN "lan private open\n",
	       LAN "lan private closed\nallow amnesia to 192.168.1.50 over tcp 631 9100\n",
	       "newly denied: every user to " LAN_TEXT
	       " but not 192.168.1.50 over tcp, udp, icmp [output and egress]\n"
	       "newly denied: every user to 192.168.1.50 over tcp, udp, every port but 631, 9100; "
	       "icmp [output and egress]\n"
	       "newly denied: every user but amnesia to 192.168.1.50 over tcp, udp "
	       "[output and egress]\n"
	       "newly denied: every user to 192.168.1.50 over udp [output and egress]\n"
	       "newly denied: packets without owner to " LAN_TEXT " but not 192.168.1.50 " REST
	       " [output and egress]\n"
	       "newly denied, frames: every user to " LAN_TEXT " but not 192.168.1.50 " PIECES
	       " [egress]\n");
	/* An exception more. */
	expect(LAN "lan private open except udp 53\n", LAN "lan private open except udp 53 5353\n",
	       "newly denied: every user to " LAN_TEXT
	       " over udp, port 5353 [output and egress]\n");
	expect(LAN "lan private open except udp 53 5353\n", LAN "lan private open except udp 53\n",
	       "newly allowed: every user to " LAN_TEXT
	       " over udp, port 5353 [output and egress]\n");
}

static void grants(void **state)
{
	expect("allow amnesia, clearnet to 100.64.0.0/12 over tcp 80 443, udp 53\n",
	       "allow amnesia, clearnet to 100.64.0.0/11 over tcp 80 443, udp 53\n",
	       "newly allowed: amnesia, clearnet to 100.80.0.0/12 over tcp, ports 80, 443 "
	       "[output and egress]\n"
	       "newly allowed: amnesia, clearnet to 100.80.0.0/12 over udp, port 53 "
	       "[output and egress]\n"
	       "newly allowed: packets without owner to 100.80.0.0/12 " REST
	       " [output and egress]\n"
	       "newly allowed, frames: every user to 100.80.0.0/12 " PIECES " [egress]\n");
	/* Somebody may go there already. */
	expect("allow amnesia to 192.0.2.0/24 over tcp\n",
	       "allow amnesia, 4711, clearnet to 192.0.2.0/24 over tcp\n",
	       "newly allowed: uid 4711, clearnet to 192.0.2.0/24 over tcp [output and egress]\n");
	/* More and less at once. */
	expect("allow amnesia to 192.0.2.0/24 over tcp 22-25\n",
	       "allow amnesia to 192.0.2.0/24 over tcp 24-30\n",
	       "newly allowed: amnesia to 192.0.2.0/24 over tcp, ports 26-30 [output and egress]\n"
	       "newly denied: amnesia to 192.0.2.0/24 over tcp, ports 22-23 [output and egress]\n");
}

static void services(void **state)
{
	expect("lan 10.0.0.0/8 closed\n", "service socks tcp 9050 for amnesia\n",
	       "newly allowed, loopback: amnesia over tcp, port 9050, openings "
	       "[output and input]\n");
	/* Another user of a service that is there: what arrives was let in already. */
	expect("service socks tcp 9050 for amnesia\n",
	       "service socks tcp 9050 for amnesia, clearnet, nobody\n",
	       "newly allowed, loopback: clearnet, nobody over tcp, port 9050, openings "
	       "[output]\n");
	expect("service a udp 53 by clearnet for amnesia\n", "lan 10.0.0.0/8 closed\n",
	       "newly denied, loopback: amnesia over udp, port 53 [output and input]\n"
	       "newly denied, loopback: clearnet over udp, source port 53 [output and input]\n");
	expect("allow amnesia to loopback over tcp except 9051\n",
	       "allow amnesia to loopback over tcp except 9051 9062\n",
	       "newly denied, loopback: amnesia over tcp, port 9062, openings "
	       "[output and input]\n");
	/* Automapped addresses are refused to others, and IPv6 has none. */
	expect("automap 127.192.0.0/10 to 9040 for amnesia\n",
	       "automap 127.192.0.0/10 to 9040 for amnesia\nservice a tcp 80 for clearnet\n",
	       "newly allowed, loopback: clearnet to (where IPv4) anywhere but 127.192.0.0/10 over "
	       "tcp, port 80, openings [output and input]\n");
}

static void automap(void **state)
{
	expect("automap 127.192.0.0/10 to 9040 for amnesia\n",
	       "automap 127.192.0.0/10 to 9040 for amnesia, clearnet\n",
	       "newly allowed, loopback: clearnet to 127.192.0.0/10 over tcp, openings, IPv4 "
	       "[output]\n");
	expect("automap 127.192.0.0/10 to 9040 for amnesia\n",
	       "automap 127.192.0.0/10 to 9041 for amnesia\n",
	       "by another proxy, arriving on loopback: packets to 127.192.0.0/10 over tcp, IPv4, "
	       "for a transparent proxy's socket [input]\n");
}

static void links(void **state)
{
	expect(
	    "lan 10.0.0.0/8 closed\n",
	    "link arp for kernel, amnesia\nlink eapol for root\nlink dhcp for root\n",
	    "newly allowed: root to 255.255.255.255 over udp, port 67, source port 68 "
	    "[output and egress]\n"
	    "newly allowed, frames: amnesia and packets without owner by arp, operations 1-2, of "
	    "the plain shape [egress]\n"
	    "newly allowed, frames: root by eapol [egress]\n");
}

/* ---- every class ---- */

struct seen {
	struct packet packet;
	enum proof_change change;
	bool found;
};

struct pair {
	const struct policy *old, *new;
	struct diagram_space *space;
	diagram possible[PACKET_FORWARD + 1];
	struct test_random *random;
	unsigned sample;
	struct seen *list;
	size_t count, room;
	size_t left_out; /* the region that is not looked at */
	size_t regions, differing;
	struct region shapes[PROOF_REGIONS_MAX]; /* without ranges */
	enum proof_change changes[PROOF_REGIONS_MAX];
};

/* Classes that a packet can be of. */
static int gather(const struct packet *packet, void *data)
{
	uint64_t values[WORDS] = {0};
	struct pair *pair = data;

	if (pair->sample > 1 && test_random_below(pair->random, pair->sample))
		return 0;
	space_from_packet(packet, values);
	if (!diagram_at(pair->space, pair->possible[packet->path], values))
		return 0;
	if (pair->count == pair->room) {
		size_t room = pair->room ? 2 * pair->room : 4096;

		assert_true(room <= PACKETS_MAX);
		pair->list = realloc(pair->list, room * sizeof(*pair->list));
		assert_non_null(pair->list);
		pair->room = room;
	}
	pair->list[pair->count] =
	    (struct seen){*packet, change_of(pair->old, pair->new, packet), false};
	pair->differing += pair->list[pair->count++].change != PROOF_CHANGES;
	return 0;
}

static int look_at(const struct proof_region *region, void *data)
{
	struct pair *pair = data;
	size_t number = pair->regions++;

	check_example(region, pair->old, pair->new);
	assert_false(region->some);
	assert_true(number < PROOF_REGIONS_MAX);
	pair->shapes[number] = *region->shape;
	pair->changes[number] = region->change;
	for (size_t i = 0; number != pair->left_out && i < pair->count; i++) {
		struct seen *seen = &pair->list[i];

		if (!proof_region_contains(region, &seen->packet))
			continue;
		if (seen->change != region->change) {
			struct buf text = {.cap = 4096};

			packet_print(&seen->packet, &text);
			fail_msg("%s: holds %s, which is treated otherwise (%d)", region->text,
				 buf_text(&text), (int)seen->change);
		}
		seen->found = true;
	}
	return 0;
}

/* No two differ in one aspect only: they would be one. */
static void none_can_be_joined(const struct pair *pair)
{
	for (size_t i = 0; i < pair->regions; i++) {
		for (size_t k = 0; k < i; k++) {
			const struct region *a = &pair->shapes[i], *b = &pair->shapes[k];
			size_t differing = 0;

			if (pair->changes[i] != pair->changes[k] || a->paths != b->paths ||
			    a->sets[REGION_LOOPBACK].numbers != b->sets[REGION_LOOPBACK].numbers)
				continue;
			for (size_t n = 0; n < REGION_ASPECTS; n++)
				differing += a->sets[n].numbers != b->sets[n].numbers;
			assert_true(differing > 1);
		}
	}
}

static void pair_begin(struct pair *pair, const struct policy *old, const struct policy *new,
		       struct test_random *random, unsigned sample)
{
	const struct policy *both[] = {old, new};

	*pair = (struct pair){
	    .old = old,
	    .new = new,
	    .space = diagram_space_new((size_t)1 << 20),
	    .random = random,
	    .sample = sample,
	    .left_out = NO_REGION,
	};
	assert_non_null(pair->space);
	for (int path = PACKET_OUTPUT; path <= PACKET_FORWARD; path++)
		pair->possible[path] = diagram_and(
		    pair->space, space_universe(pair->space, (enum packet_path)path, NULL, 0),
		    space_complete(pair->space));
	assert_int_equal(policy_each_class(both, ARRAY_SIZE(both), gather, pair), 0);
	assert_int_equal(diagram_error(pair->space), 0);
}

static void pair_end(struct pair *pair)
{
	pair->space = diagram_space_free(pair->space);
	free(pair->list);
}

/* How many packets that are treated otherwise lie in no region. */
static size_t pair_missed(struct pair *pair)
{
	const struct proof_what_if what = {.old = pair->old, .new = pair->new};
	struct proof_what_if_result result;
	size_t missed = 0;

	pair->regions = 0;
	for (size_t i = 0; i < pair->count; i++)
		pair->list[i].found = false;
	assert_int_equal(proof_what_if(&what, &no_options, look_at, pair, &result), 0);
	assert_int_equal(result.regions, pair->regions);
	assert_false(result.more);
	assert_false(result.too_large);
	none_can_be_joined(pair);
	for (size_t i = 0; i < pair->count; i++)
		missed += pair->list[i].change != PROOF_CHANGES && !pair->list[i].found;
	return missed;
}

static void random_pairs(void **state)
{
	struct test_random random = test_random_begin();
	AUTO_FREE struct pair *pair = calloc(1, sizeof(*pair));
	size_t regions = 0, differing = 0, compared = 0;

	assert_non_null(pair);
	for (unsigned i = 0; i < PAIRS; i++) {
		struct test_statements statements;
		CLEAN struct policy *old = NULL;
		CLEAN struct policy *new = NULL;

		test_random_statements(&random, STATEMENTS, &statements);
		old = test_statements_parse(&statements);
		/* Now and then the same with a statement less. */
		if (i % 2 && statements.count > 0)
			statements.count--;
		else
			test_random_statements(&random, STATEMENTS, &statements);
		new = test_statements_parse(&statements);
		if (!new)
			continue;
		assert_non_null(old);
		pair_begin(pair, old, new, &random, SAMPLE);
		assert_int_equal(pair_missed(pair), 0);
		regions += pair->regions;
		differing += pair->differing;
		compared += pair->count;
		pair_end(pair);
	}
	print_message("# %zu regions; %zu of %zu classes differ\n", regions, differing, compared);
	assert_true(regions > PAIRS);
	assert_true(differing > 100);
}

/* Without any one region packets are missed: that all are told is seen, and each is needed. */
static void region_left_out(void **state)
{
	struct test_random random = test_random_begin();
	AUTO_FREE struct pair *pair = calloc(1, sizeof(*pair));
	CLEAN struct policy *old = test_parse_statements(
	    LAN "lan private open except udp 53\nservice a tcp 80 for amnesia\n");
	CLEAN struct policy *new = test_parse_statements(
	    LAN "lan private closed\nallow amnesia to 192.168.1.50 over tcp 631 9100\n"
		"service b udp 53 by clearnet for amnesia\nlink arp for kernel\n");
	size_t regions;

	assert_non_null(pair);
	pair_begin(pair, old, new, &random, 1);
	assert_int_equal(pair_missed(pair), 0);
	regions = pair->regions;
	assert_true(regions > 6);
	for (size_t i = 0; i < regions; i++) {
		pair->left_out = i;
		assert_true(pair_missed(pair) > 0);
	}
	pair_end(pair);
}

/* ---- ends ---- */

static int stop(const struct proof_region *region, void *data)
{
	return ++*(int *)data == 2 ? 77 : 0;
}

static void caps(void **state)
{
	CLEAN struct policy *old = test_parse_statements(LAN "lan private open\n");
	CLEAN struct policy *new = test_parse_statements(LAN "lan private closed\n");
	struct proof_what_if what = {.old = old, .new = new, .most = 2};
	struct proof_options small = {.nodes_max = 5000};
	struct proof_what_if_result result;
	int count = -100;

	assert_int_equal(proof_what_if(&what, &no_options, stop, &count, &result), 0);
	assert_int_equal(count, -98);
	assert_int_equal(result.regions, 2);
	assert_true(result.more);
	what.most = 0;
	count = 0;
	assert_int_equal(proof_what_if(&what, &no_options, stop, &count, &result), 77);
	assert_int_equal(count, 2);
	count = -100;
	assert_int_equal(proof_what_if(&what, &small, stop, &count, &result), 0);
	assert_true(result.too_large);
}

/* Very many regions: as many are told as may be, in the memory that there is. */
static void many(void **state)
{
	AUTO_BUF struct buf text = {.cap = 1 << 20};
	CLEAN struct policy *old = test_parse_statements("lan 192.168.0.0/16 closed\n");
	CLEAN struct policy *new = NULL;
	struct proof_what_if what = {.old = old};
	struct proof_what_if_result result;
	int count = -1000;

	for (unsigned i = 0; i < SERVICES; i++)
		buf_printf(&text, "service s%u tcp %u for %u, %u\n", i, 1000 + 7 * i,
			   5000 + i % 180, 6000 + i % 90);
	for (unsigned i = 0; i < GRANTS; i++)
		buf_printf(&text, "allow %u to 10.%u.0.0/16 over tcp %u\n", 5000 + i % 180, i % 200,
			   80 + i);
	new = test_parse_statements(buf_text(&text));
	what.new = new;
	assert_int_equal(proof_what_if(&what, &no_options, stop, &count, &result), 0);
	assert_false(result.too_large);
	assert_true(result.more);
	assert_int_equal(result.regions, PROOF_REGIONS_MAX);
	assert_int_equal(count, PROOF_REGIONS_MAX - 1000);
}

/* ---- the kernel ---- */

static int look_at_kernel(const struct proof_region *region, void *data)
{
	struct pair *pair = data;

	assert_int_equal(region->change, PROOF_NEWLY_DENIED);
	assert_int_equal(region->example.kernel.outcome, RULESET_PASSED);
	assert_false(policy_allows(&region->example.policy));
	/* Of a link without a header no packet speaks. */
	assert_true(proof_region_contains(region, &region->example.packet) ||
		    strstr(region->text, "links without a header"));
	for (size_t i = 0; i < pair->count; i++)
		if (proof_region_contains(region, &pair->list[i].packet))
			pair->list[i].found = true;
	return 0;
}

/* Without any rule everything passes, so all is newly denied that the policy does not allow. */
static void no_rules(void **state)
{
	struct test_random random = test_random_begin();
	AUTO_FREE struct pair *pair = calloc(1, sizeof(*pair));
	CLEANUP(ruleset_freep) struct ruleset *ruleset = new_ruleset();
	CLEAN struct policy *new = test_parse_statements(
	    "allow amnesia to 192.0.2.0/24 over tcp\nservice a udp 53 by clearnet for amnesia\n"
	    "link arp for kernel\n");
	const struct proof_what_if what = {.kernel = ruleset, .new = new};
	struct proof_what_if_result result;

	assert_non_null(pair);
	pair_begin(pair, new, new, &random, 1);
	assert_int_equal(proof_what_if(&what, &no_options, look_at_kernel, pair, &result), 0);
	assert_false(result.more);
	assert_true(pair->count > 1000);
	for (size_t i = 0; i < pair->count; i++) {
		struct policy_verdict verdict = policy_evaluate(new, &pair->list[i].packet);

		assert_int_equal(pair->list[i].found, !policy_allows(&verdict));
	}
	pair_end(pair);
}

static int only_not_known(const struct proof_region *region, void *data)
{
	struct packet packet = tcp_packet(PACKET_OUTPUT);
	struct buf *text = data;

	if (region->change == PROOF_NOT_KNOWN) {
		assert_int_equal(region->example.kernel.outcome, RULESET_UNDECIDED);
		buf_printf(text, "%s [%s]\n", region->text, region->where);
		return 0;
	}
	assert_false(proof_region_contains(region, &packet));
	if (region->change == PROOF_NEWLY_ALLOWED)
		buf_printf(text, "%s [%s]\n", region->text, region->where);
	return 0;
}

/* Of what depends on an expression that is not understood nothing is said, whatever the policy
 * says. */
static void not_understood(void **state)
{
	CLEANUP(ruleset_freep) struct ruleset *ruleset = new_ruleset();
	CLEAN struct policy *new =
	    test_parse_statements("allow 1000 to 203.0.113.0/24 over tcp 443, udp 53\n");
	const struct proof_what_if what = {.kernel = ruleset, .new = new};
	struct ruleset_table *table = ruleset_add_table(ruleset, RULESET_INET, "t");
	AUTO_BUF struct buf text = {.cap = 1 << 16};
	struct proof_what_if_result result;

	assert_non_null(table);
	RULE(base_chain(table, "o", NF_INET_LOCAL_OUT, RULESET_DROP), "", meta(NFT_META_L4PROTO, 0),
	     is(BYTES(IPPROTO_TCP)),
	     (expr){.kind = RULESET_UNKNOWN, .unknown = {.name = "stranger"}}, accepts());
	ruleset_sort(ruleset);
	assert_int_equal(proof_what_if(&what, &no_options, only_not_known, &text, &result), 0);
	assert_string_equal(
	    buf_text(&text),
	    "newly allowed: uid 1000 to 203.0.113.0/24 over udp, port 53 [output]\n"
	    "newly allowed, loopback: every user and packets without owner over icmp, types 3, "
	    "11-12, "
	    "IPv4 [output]\n"
	    "newly allowed, loopback: every user and packets without owner over icmpv6, types 1-4, "
	    "IPv6 [output]\n"
	    "not known: every user and packets without owner over tcp, IPv4 and IPv6, later "
	    "fragments "
	    "too, options in the header or not [output]\n"
	    "not known, loopback: every user and packets without owner over tcp, later fragments "
	    "too, options in the header or not [output]\n");
}

static void not_read(void **state)
{
	struct ruleset unread = {.incomplete = true};
	CLEAN struct policy *policy = test_parse_statements(LAN "lan private open\n");
	struct proof_what_if what = {.kernel = &unread, .new = policy};
	struct proof_what_if_result result;
	int count = -100;

	assert_int_equal(proof_what_if(&what, &no_options, stop, &count, &result), 0);
	assert_true(result.unknown);
	assert_int_equal(result.regions, 0);
	what.kernel = NULL;
	assert_int_equal(proof_what_if(&what, &no_options, stop, &count, &result), -EINVAL);
	assert_int_equal(count, -100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(same),         cmocka_unit_test(lan),
	    cmocka_unit_test(grants),       cmocka_unit_test(services),
	    cmocka_unit_test(automap),      cmocka_unit_test(links),
	    cmocka_unit_test(random_pairs), cmocka_unit_test(region_left_out),
	    cmocka_unit_test(caps),         cmocka_unit_test(many),
	    cmocka_unit_test(no_rules),     cmocka_unit_test(not_understood),
	    cmocka_unit_test(not_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

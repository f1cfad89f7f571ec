/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The walk over all classes: complete, without repetition, of bearable size; and what it is good
 * for: adding a denial never widens a policy. */
#include "policy.h"

#include <linux/if_ether.h>
#include <netinet/in.h>
#include <string.h>

#include "atoms.h"
#include "test_util.h"

#define CLEAN CLEANUP(policy_freep)

static uint64_t mix(uint64_t hash, uint64_t value)
{
	hash ^= value + 0x9e3779b97f4a7c15u + (hash << 6) + (hash >> 2);
	hash = (hash ^ hash >> 32) * 0xd6e8feb86659fd93u;
	return hash ^ hash >> 32;
}

static uint64_t packet_hash(const struct packet *p)
{
	uint64_t hash = 0;
	uint64_t words[4];

	memcpy(words, &p->source, 16);
	memcpy(words + 2, &p->destination, 16);
	hash = mix(hash, (uint64_t)p->path << 32 | (uint64_t)p->ethertype << 8 | p->protocol);
	hash = mix(hash, (uint64_t)p->loopback << 4 | (uint64_t)p->owned << 3 |
			     (uint64_t)p->routed << 2 | (uint64_t)p->fragment << 1 | p->arp_plain);
	hash = mix(hash, p->uid);
	for (size_t i = 0; i < 4; i++)
		hash = mix(hash, words[i]);
	hash = mix(hash, (uint64_t)p->source_port << 32 | p->destination_port);
	hash = mix(hash, (uint64_t)p->tcp_flags << 32 | (uint64_t)p->icmp_type << 8 | p->icmp_code);
	hash = mix(hash, (uint64_t)p->icmp_id << 32 | p->arp_operation);
	hash = mix(hash, (uint64_t)p->link_ethertype << 8 | p->options);
	return mix(hash, (uint64_t)p->socket << 1 | p->expected);
}

struct tally {
	const struct policy *policy;
	uint64_t *hashes;
	size_t count, room;
	size_t accepted, paths[PACKET_FORWARD + 1], openings, fragments, strangers, ownerless;
	bool flags[256];
	unsigned actions; /* mask */
};

static int count_class(const struct packet *packet, void *data)
{
	struct tally *tally = data;
	struct policy_verdict verdict = policy_evaluate(tally->policy, packet);

	if (tally->count == tally->room) {
		size_t room = tally->room ? tally->room * 2 : 1024;
		uint64_t *hashes = realloc(tally->hashes, room * sizeof(uint64_t));

		assert_non_null(hashes);
		tally->hashes = hashes;
		tally->room = room;
	}
	tally->hashes[tally->count++] = packet_hash(packet);
	tally->accepted += policy_allows(&verdict);
	tally->actions |= 1u << verdict.action;
	tally->paths[packet->path]++;
	tally->openings += packet_is_opening(packet);
	tally->fragments += packet->fragment;
	tally->flags[packet->tcp_flags] = true;
	tally->ownerless += !packet->owned;
	tally->strangers += packet->owned && !policy_find_user(tally->policy, packet->uid);
	return 0;
}

static int compare_hashes(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static struct tally tally_classes(const struct policy *policy)
{
	struct tally tally = {.policy = policy};

	assert_int_equal(policy_each_class(&policy, 1, count_class, &tally), 0);
	return tally;
}

/* No class twice, none of the dimensions missing, and a walk that tests can afford. */
static void default_policy(void **state)
{
	AUTO_FREE char *text = test_default_text();
	CLEAN struct policy *policy = test_parse(text);
	struct tally tally = tally_classes(policy);

	print_message("# default policy: %zu classes, %zu let through\n", tally.count,
		      tally.accepted);
	assert_true(tally.count < 2000000);
	qsort(tally.hashes, tally.count, sizeof(uint64_t), compare_hashes);
	for (size_t i = 1; i < tally.count; i++)
		assert_true(tally.hashes[i - 1] != tally.hashes[i]);
	for (size_t i = PACKET_OUTPUT; i <= PACKET_FORWARD; i++)
		assert_true(tally.paths[i] > 100);
	for (unsigned i = 0; i < 16; i++)
		assert_true(tally.flags[(i & 7) | (i & 8) << 1]);
	assert_true(tally.openings && tally.fragments && tally.strangers && tally.ownerless);
	assert_true(tally.accepted > 1000);
	assert_int_equal(tally.actions, 1u << POLICY_DROP | 1u << POLICY_RESET |
					    1u << POLICY_UNREACHABLE | 1u << POLICY_ACCEPT |
					    1u << POLICY_PROXY);
	free(tally.hashes);
}

static int stop_at_third(const struct packet *packet, void *data)
{
	unsigned *calls = data;

	return ++*calls == 3 ? 42 : 0;
}

static void visitor_ends_walk(void **state)
{
	CLEAN struct policy *policy = test_parse(TEST_HEAD);
	const struct policy *both[] = {policy, policy};
	unsigned calls = 0;

	assert_int_equal(policy_each_class(both, 2, stop_at_third, &calls), 42);
	assert_int_equal(calls, 3);
	/* No policy at all has classes too: those that every policy has. */
	calls = 0;
	assert_int_equal(policy_each_class(NULL, 0, stop_at_third, &calls), 42);
}

/* How many kinds of values the shipped policy knows, counted by hand. */
static void kinds(void **state)
{
	AUTO_FREE char *text = test_default_text();
	CLEAN struct policy *policy = test_parse(text);
	const struct policy *one = policy;
	struct atoms atoms;

	assert_int_equal(atoms_collect(&atoms, &one, 1), 0);
	assert_int_equal(atoms.uid_count, 11); /* ten named, and a stranger */
	/* Excepted on the LAN or not; for UDP a DHCP server's too. */
	assert_int_equal(atoms.remote.tcp.samples, 2);
	assert_int_equal(atoms.remote.udp.samples, 3);
	assert_int_equal(atoms.remote.source.samples, 2); /* a DHCP client's or not */
	/* 9050; of the transports 9055 and 9057, and 9056, which has another user; 9062; 9063; others. */
	assert_int_equal(atoms.local.tcp.samples, 6);
	assert_int_equal(atoms.local.udp.samples, 2); /* 53 or not */
	assert_int_equal(atoms.local.source.samples, 2);
	/* The LAN, the Internet, what else clearnet may reach, automapped, broadcast, nothing. */
	assert_int_equal(atoms.remote.ipv4.samples, 6);
	assert_int_equal(atoms.local.ipv4.samples, 2);
	atoms_done(&atoms);
}

struct edges {
	bool tcp[2][65536], udp[2][65536], source[2][65536]; /* remote, local */
	bool low[256], high[256]; /* by the first byte: that of an address ending in 0, in 255 */
};

static int mark_edges(const struct packet *packet, void *data)
{
	struct edges *edges = data;
	uint32_t address = packet_address_to4(&packet->destination);

	if (packet->path != PACKET_OUTPUT || packet->ethertype != ETH_P_IP || packet->fragment)
		return 0;
	if (packet->protocol == IPPROTO_TCP)
		edges->tcp[packet->loopback][packet->destination_port] = true;
	if (packet->protocol == IPPROTO_UDP) {
		edges->udp[packet->loopback][packet->destination_port] = true;
		edges->source[packet->loopback][packet->source_port] = true;
	}
	edges->low[address >> 24] |= (address & 0xffffff) == 0;
	edges->high[address >> 24] |= (address & 0xffffff) == 0xffffff;
	return 0;
}

/* Every constant is visited in each of its roles, with its neighbours: what is made of a policy may
 * be wrong at one edge only. */
static void edges_are_visited(void **state)
{
	static const char text[] = TEST_HEAD "network a = 10.0.0.0/8, 192.0.0.0/8\n"
					     "allow root to a over tcp 1000-1010, udp 2000\n"
					     "service s tcp 3000-3005 for root\n"
					     "service u udp 4000-4005 by root for root\n"
					     "allow nobody to loopback over tcp except 5000-5007\n";
	static const struct {
		bool local, tcp;
		unsigned first, last;
	} constants[] = {{false, true, 1000, 1010},
			 {false, false, 2000, 2000},
			 {true, true, 3000, 3005},
			 {true, false, 4000, 4005},
			 {true, true, 5000, 5007}};
	CLEAN struct policy *policy = test_parse(text);
	const struct policy *one = policy;
	struct edges *edges = calloc(1, sizeof(*edges));

	assert_non_null(edges);
	assert_int_equal(policy_each_class(&one, 1, mark_edges, edges), 0);
	for (size_t i = 0; i < ARRAY_SIZE(constants); i++) {
		unsigned ports[] = {constants[i].first - 1, constants[i].first, constants[i].last,
				    constants[i].last + 1};
		bool local = constants[i].local;

		for (size_t j = 0; j < ARRAY_SIZE(ports); j++) {
			const bool *visited =
			    constants[i].tcp ? edges->tcp[local] : edges->udp[local];

			assert_true(visited[ports[j]]);
			/* What is a service's answer on loopback begins at its port. */
			assert_true(constants[i].tcp || !local || edges->source[local][ports[j]]);
		}
	}
	/* Before, first, last and behind, of both prefixes. */
	assert_true(edges->high[9] && edges->low[10] && edges->high[10] && edges->low[11]);
	assert_true(edges->high[191] && edges->low[192] && edges->high[192] && edges->low[193]);
	free(edges);
}

struct comparison {
	const struct policy *wide, *narrow;
	size_t widened, narrowed;
};

static int compare_class(const struct packet *packet, void *data)
{
	struct comparison *comparison = data;
	struct policy_verdict wide = policy_evaluate(comparison->wide, packet);
	struct policy_verdict narrow = policy_evaluate(comparison->narrow, packet);

	comparison->narrowed += policy_allows(&wide) && !policy_allows(&narrow);
	if (policy_allows(&wide) || !policy_allows(&narrow))
		return 0;
	if (comparison->widened++ == 0) {
		struct buf text = {.cap = 4096};

		packet_print(packet, &text);
		print_message("# newly let through: %s (%s)\n", buf_text(&text), narrow.reason);
		buf_done(&text);
	}
	return 0;
}

static struct comparison compare(const struct policy *wide, const struct policy *narrow)
{
	const struct policy *both[] = {wide, narrow};
	struct comparison comparison = {.wide = wide, .narrow = narrow};

	assert_int_equal(policy_each_class(both, 2, compare_class, &comparison), 0);
	return comparison;
}

/* Every kind of difference between two policies shows in some class: each of these statements,
 * added to the same policy, lets something through that was not. Without this, a walk that misses
 * a dimension would make the test below worthless. */
static void each_statement_is_seen(void **state)
{
	static const char base[] = TEST_HEAD "network a = 10.0.0.0/8\n"
					     "service s tcp 7000 for root\n"
					     "service u udp 7000 by root for root\n";
	static const char *const more[] = {
	    "allow root to a over tcp",
	    "allow root to a over tcp 17",
	    "allow root to 10.255.255.255 over udp 18-19",
	    "allow 7 to 192.0.2.0/25 over icmp",
	    "allow nobody to service s",
	    "allow nobody to service u",
	    "service v udp 7001 by nobody for _apt",
	    "service w tcp 7001-7100 for 9",
	    "allow nobody to loopback over tcp except 1-65534",
	    "lan a open",
	    "lan 10.1.2.3 open except tcp, udp",
	    "lan a open except tcp 1-79 81-65535, udp, icmp",
	    "automap 127.192.0.0/10 to 9040 for nobody",
	    "automap 127.1.2.3 to 9040 for nobody",
	    "link arp for kernel",
	    "link arp for nobody",
	    "link dhcp for nobody",
	    "link eapol for nobody",
	};
	CLEAN struct policy *narrow = test_parse(base);

	for (size_t i = 0; i < ARRAY_SIZE(more); i++) {
		AUTO_FREE char *text = NULL;
		CLEAN struct policy *wide = NULL;
		struct comparison comparison;

		assert_true(asprintf(&text, "%s%s\n", base, more[i]) > 0);
		wide = test_parse(text);
		comparison = compare(wide, narrow);
		if (comparison.narrowed == 0)
			fail_msg("no class shows the statement: %s", more[i]);
		/* `automap` also takes: its addresses are no other service's any more. */
		if (strncmp(more[i], "automap", 7) != 0)
			assert_int_equal(comparison.widened, 0);
	}
}

/* The anti-test of the property: a widening that is planted is found, by one port at one address
 * of one user. */
static void widening_is_found(void **state)
{
	AUTO_FREE char *text = test_default_text();
	CLEAN struct policy *narrow = test_parse(text), *wide = NULL;
	struct comparison comparison;

	text = test_replace(text, "\nipv6 blocked\n",
			    "\nipv6 blocked\nallow _apt to 198.51.100.200 over tcp 4711\n");
	wide = test_parse(text);
	comparison = compare(narrow, wide);
	assert_true(comparison.widened > 0);
	assert_int_equal(comparison.narrowed, 0);
}

/* Take the last user out of a list after @word. False if there is only one. */
static bool drop_last_user(char *line, const char *word)
{
	char *list = strstr(line, word), *comma, *end;

	if (!list)
		return false;
	end = strstr(list + strlen(word), " to ");
	comma = strrchr(list, ',');
	if (end) { /* allow USERS to ... */
		for (comma = end; comma > list && *comma != ',';)
			comma--;
		if (comma == list)
			return false;
		memmove(comma, end, strlen(end) + 1);
		return true;
	}
	if (!comma)
		return false;
	*comma = '\0';
	return true;
}

/* Add a denial somewhere. Returns false if the statement drawn offers none; the result may be a
 * policy that is wrong, which the caller leaves out. */
static bool deny_something(struct test_random *random, struct test_statements *statements)
{
	size_t index = test_random_below(random, (uint32_t)statements->count + 1);
	char *line = statements->lines[index];
	char *open;

	if (index == statements->count) {
		if (statements->count == TEST_STATEMENTS_MAX)
			return false;
		snprintf(line, TEST_STATEMENT_MAX, "forbid nobody to loopback");
		statements->count++;
		return true;
	}
	open = strstr(line, " open");
	if (open && test_random_below(random, 2)) {
		memmove(open + strlen(" closed"), open + strlen(" open"),
			strlen(open + strlen(" open")) + 1);
		memcpy(open, " closed", strlen(" closed"));
		return true;
	}
	/* Without `automap` its addresses are ordinary local ones, so this is no denial. Nor is it
	 * to take away what others are made of. */
	if (strncmp(line, "automap", 7) == 0)
		return drop_last_user(line, " for ");
	if (strncmp(line, "network", 7) == 0)
		return false;
	if (strncmp(line, "service", 7) == 0 && test_random_below(random, 2))
		return drop_last_user(line, " for ");
	if (strncmp(line, "allow", 5) == 0 && test_random_below(random, 2))
		return drop_last_user(line, "allow ");
	memmove(line, statements->lines[statements->count - 1], TEST_STATEMENT_MAX);
	statements->count--;
	return true;
}

static void denial_never_widens(void **state)
{
	struct test_random random = test_random_begin();
	size_t compared = 0, narrower = 0, classes = 0;

	/* Many a denial changes nothing (another statement denies the same): how many do is chance,
	 * so enough of those that do are waited for, and a comparison that never sees one fails. */
	while (narrower < 30) {
		struct test_statements statements;
		CLEAN struct policy *wide = NULL, *narrow = NULL;
		struct comparison comparison;

		test_random_statements(&random, 20, &statements);
		wide = test_statements_parse(&statements);
		assert_non_null(wide);
		if (!deny_something(&random, &statements))
			continue;
		narrow = test_statements_parse(&statements);
		if (!narrow)
			continue;
		comparison = compare(wide, narrow);
		if (comparison.widened) {
			AUTO_FREE char *text = test_statements_text(&statements);

			fail_msg("a denial widened the policy to:\n%s", text);
		}
		narrower += comparison.narrowed > 0;
		classes += comparison.narrowed;
		compared++;
		assert_in_range(compared, 1, 2000);
	}
	print_message("# %zu denials, %zu of them seen, in %zu classes\n", compared, narrower,
		      classes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(default_policy),
	    cmocka_unit_test(visitor_ends_walk),
	    cmocka_unit_test(kinds),
	    cmocka_unit_test(edges_are_visited),
	    cmocka_unit_test(each_statement_is_seen),
	    cmocka_unit_test(widening_is_found),
	    cmocka_unit_test(denial_never_widens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

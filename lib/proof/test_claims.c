/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Each sentence of the claims can be refuted: a ruleset that drops everything keeps to all that are
 * about safety, and with one rule more it breaks those that speak of what the rule lets through,
 * and no others.
 */
#include "proof.h"

#include <linux/if_ether.h>
#include <string.h>

#include <ruleset/test_build.h>

#define TOR          900u
#define CLEARNET     901u
#define CLEARNET_NET 902u
#define BRIDGES_NET  907u
#define FRONTS_NET   908u
#define AMNESIA      1000u
#define OTHER        42u

#define RULES CLEANUP(ruleset_freep)
#define LO    1u

#define SENTENCES 45

static uint32_t root[] = {0};
static const struct proof_people everybody = {
    .tor = {true, TOR},
    .bridges_net = {true, BRIDGES_NET},
    .fronts_net = {true, FRONTS_NET},
    .clearnet = {true, CLEARNET},
    .clearnet_net = {true, CLEARNET_NET},
    .amnesia = {true, AMNESIA},
    .arp = {root, 1},
    .dhcp = {root, 1},
    .eapol = {root, 1},
};

/* ---- what was said. ---- */

struct seen {
	const char *wanted_id; /* whose example is kept */
	struct proof_example example;
	char reason[512];
	struct buf refuted[PROOF_USE + 1], unknown; /* "F1.1 F2.1", by kind */
	size_t sentences;
	const struct ruleset *ruleset;
};

static void add(struct buf *list, const char *id)
{
	buf_printf(list, "%s%s", list->len ? " " : "", id);
}

/* The same packet, through the other evaluator, if the sentence is about whether it passes. */
static void evaluator_agrees(const struct ruleset *ruleset, const struct proof_claim *claim)
{
	const struct proof_example *example = &claim->result.example;
	struct ruleset_result result = ruleset_evaluate(ruleset, &example->packet);
	bool passed = result.outcome == RULESET_PASSED || result.outcome == RULESET_PROXIED;

	if (claim->result.fault == PROOF_MANNER || claim->result.fault == PROOF_PROXIES ||
	    strcmp(claim->id, "F1.10") == 0)
		return;
	/* It knows one device beside lo, and says nothing about what is rewritten. */
	if (result.outcome == RULESET_UNDECIDED ||
	    (example->device[0] && strcmp(example->device, RULESET_OTHER_DEVICE) != 0))
		return;
	assert_int_equal(passed, claim->kind == PROOF_SAFETY);
}

static int visit(const struct proof_claim *claim, void *data)
{
	struct seen *seen = data;

	seen->sentences++;
	if (seen->wanted_id && strcmp(claim->id, seen->wanted_id) == 0) {
		seen->example = claim->result.example;
		snprintf(seen->reason, sizeof(seen->reason), "%s", buf_text(&claim->result.reason));
	}
	if (claim->result.answer == PROOF_REFUTED)
		add(&seen->refuted[claim->kind], claim->id);
	if (claim->result.answer == PROOF_REFUTED && claim->result.example.packet.path)
		evaluator_agrees(seen->ruleset, claim);
	if (claim->result.answer == PROOF_UNKNOWN) {
		add(&seen->unknown, claim->id);
		assert_true(claim->result.reason.len > 0);
	}
	return 0;
}

static void begin(struct seen *seen, const char *id)
{
	*seen = (struct seen){.wanted_id = id, .unknown = {.cap = 4096}};
	seen->refuted[PROOF_SAFETY].cap = 4096;
	seen->refuted[PROOF_USE].cap = 4096;
}

static void done(struct seen *seen)
{
	buf_done(&seen->refuted[PROOF_SAFETY]);
	buf_done(&seen->refuted[PROOF_USE]);
	buf_done(&seen->unknown);
}

static void ask(struct ruleset *ruleset, const struct proof_people *people, struct seen *seen)
{
	struct proof_options options = {0};

	ruleset_sort(ruleset);
	seen->ruleset = ruleset;
	assert_int_equal(proof_claims(ruleset, people, &options, visit, seen), 0);
	assert_int_equal(seen->sentences, SENTENCES);
}

/* ---- rules. ---- */

static struct ruleset_chain *chain(struct ruleset *ruleset, enum ruleset_family family,
				   const char *name)
{
	for (size_t t = 0; t < ruleset->table_count; t++)
		for (size_t c = 0; c < ruleset->tables[t].chain_count; c++)
			if (ruleset->tables[t].family == family &&
			    strcmp(ruleset->tables[t].chains[c].name, name) == 0)
				return &ruleset->tables[t].chains[c];
	fail_msg("no chain %s", name);
	return NULL;
}

static struct ruleset *sealed(void)
{
	struct ruleset *ruleset = new_ruleset();
	struct ruleset_table *host = ruleset_add_table(ruleset, RULESET_INET, "host"), *wire;

	base_chain(host, "output", NF_INET_LOCAL_OUT, RULESET_DROP);
	base_chain(host, "input", NF_INET_LOCAL_IN, RULESET_DROP);
	base_chain(host, "forward", NF_INET_FORWARD, RULESET_DROP);
	wire = ruleset_add_table(ruleset, RULESET_NETDEV, "wire");
	base_chain(wire, "egress", EGRESS_OF_NETDEV, RULESET_DROP)->every_device = true;
	return ruleset;
}

#define OUTPUT(...) RULE(chain(rules, RULESET_INET, "output"), "", __VA_ARGS__)
#define INPUT(...)  RULE(chain(rules, RULESET_INET, "input"), "", __VA_ARGS__)
#define EGRESS(...) RULE(chain(rules, RULESET_NETDEV, "egress"), "", __VA_ARGS__)

#define TO_OTHERS       meta(NFT_META_OIF, 0), compare(RULESET_NOT_EQUAL, &(uint32_t){LO}, 4)
#define TO_LOOPBACK     meta(NFT_META_OIF, 0), is_u32(LO)
#define FROM_OTHERS     meta(NFT_META_IIF, 0), compare(RULESET_NOT_EQUAL, &(uint32_t){LO}, 4)
#define BY(user)        meta(NFT_META_SKUID, 0), is_u32(user)
#define BY_ANYBODY      meta(NFT_META_SKUID, 0), compare(RULESET_NOT_EQUAL, &(uint32_t){~0u}, 4)
#define PROTOCOL(p)     meta(NFT_META_L4PROTO, 0), is(BYTES(p))
#define FAMILY(f)       meta(NFT_META_NFPROTO, 0), is(BYTES(f))
#define LABEL(a, b)     meta(NFT_META_PROTOCOL, 0), is(BYTES(a, b))
#define ETHERTYPE(a, b) load(RULESET_LINK, 12, 2, 0), is(BYTES(a, b))
#define TO(...)         load(RULESET_NETWORK, 16, 4, 0), is(BYTES(__VA_ARGS__))
#define PORT(a, b)      load(RULESET_TRANSPORT, 2, 2, 0), is(BYTES(a, b))
/* IPv4 without options that is no later fragment. */
#define PLAIN_HEADER                                                                               \
	load(RULESET_NETWORK, 0, 8, 0), mask(BYTES(0x0f, 0, 0, 0, 0, 0, 0x1f, 0xff)),              \
	    is(BYTES(5, 0, 0, 0, 0, 0, 0, 0))
#define TCP_NEXT load(RULESET_NETWORK, 6, 1, 0), is(BYTES(IPPROTO_TCP))
#define PLAIN    FAMILY(NFPROTO_IPV4), PLAIN_HEADER
#define PLAIN6   FAMILY(NFPROTO_IPV6), TCP_NEXT

/* The rules break these sentences of safety and no others. The example is of @id. */
static void breaks(struct ruleset *rules, const char *wanted, const char *id,
		   struct packet *ret_packet)
{
	struct seen seen;

	begin(&seen, id);
	ask(rules, &everybody, &seen);
	assert_string_equal(buf_text(&seen.refuted[PROOF_SAFETY]), wanted);
	assert_string_equal(buf_text(&seen.unknown), "");
	if (ret_packet)
		*ret_packet = seen.example.packet;
	done(&seen);
}

static void test_sealed(void **state)
{
	RULES struct ruleset *rules = sealed();
	struct seen seen;

	begin(&seen, "F2.2");
	ask(rules, &everybody, &seen);
	assert_string_equal(buf_text(&seen.refuted[PROOF_SAFETY]), "");
	/* F1.13 is about connections that there are. */
	assert_string_equal(buf_text(&seen.refuted[PROOF_USE]),
			    "F1.13 F1.14 F2.2 F2.5 F2.6 F3.2 F4.2 F5.2 F6.6 F7.4 F9.3 F9.4 F9.5");
	assert_int_equal(seen.example.packet.uid, TOR);
	assert_int_equal(seen.example.kernel.outcome, RULESET_DROPPED);
	done(&seen);
}

static void test_without_rules(void **state)
{
	RULES struct ruleset *rules = new_ruleset();

	breaks(
	    rules,
	    "F1.1 F1.2 F1.3 F1.4 F1.5 F1.6 F1.7 F1.8 F1.9 F2.1 F2.3 F2.4 F3.1 F4.1 F4.3 F5.1 F6.1 "
	    "F6.2 F6.3 F6.4 F8.1 F8.2 F8.3 F9.2",
	    NULL, NULL);
}

static void test_leaving(void **state)
{
	struct packet packet;

	{
		RULES struct ruleset *rules = sealed();

		OUTPUT(TO_OTHERS, PLAIN, BY(OTHER), PROTOCOL(IPPROTO_TCP), TO(203, 0, 113, 9),
		       accepts());
		breaks(rules, "F1.1", "F1.1", &packet);
		assert_int_equal(packet.path, PACKET_OUTPUT);
		assert_int_equal(packet.uid, OTHER);
		assert_int_equal(packet_address_to4(&packet.destination), 0xcb007109);
		assert_false(packet.loopback);
	}
	{
		RULES struct ruleset *rules = sealed();

		EGRESS(TO_OTHERS, LABEL(8, 0), ETHERTYPE(8, 0), PLAIN_HEADER, BY(AMNESIA),
		       PROTOCOL(IPPROTO_TCP), TO(203, 0, 113, 9), accepts());
		breaks(rules, "F1.1 F4.3", "F4.3", &packet);
		assert_int_equal(packet.path, PACKET_FRAME);
		assert_int_equal(packet.uid, AMNESIA);
	}
	{
		RULES struct ruleset *rules = sealed();

		OUTPUT(TO_OTHERS, BY_ANYBODY, drops());
		OUTPUT(TO_OTHERS, PLAIN, PROTOCOL(IPPROTO_TCP), TO(10, 0, 0, 1), accepts());
		breaks(rules, "F1.2", "F1.2", &packet);
		assert_false(packet.owned);
		assert_int_equal(packet.protocol, IPPROTO_TCP);
	}
}

static void test_leaving_as_what_it_may_not(void **state)
{
	struct packet packet;

	{
		RULES struct ruleset *rules = sealed();

		OUTPUT(TO_OTHERS, PLAIN, BY(TOR), PROTOCOL(IPPROTO_TCP), TO(224, 0, 0, 251),
		       accepts());
		breaks(rules, "F1.3", "F1.3", &packet);
		assert_int_equal(packet_address_to4(&packet.destination), 0xe00000fb);
	}
	{
		RULES struct ruleset *rules = sealed();

		OUTPUT(TO_OTHERS, FAMILY(NFPROTO_IPV4), BY(TOR), PROTOCOL(IPPROTO_TCP),
		       TO(203, 0, 113, 9), load(RULESET_NETWORK, 6, 2, 0), mask(BYTES(0x1f, 0xff)),
		       compare(RULESET_NOT_EQUAL, BYTES(0, 0)), accepts());
		breaks(rules, "F1.4", "F1.4", &packet);
		assert_true(packet.fragment);
	}
	{
		RULES struct ruleset *rules = sealed();

		OUTPUT(TO_OTHERS, PLAIN, BY(TOR), PROTOCOL(IPPROTO_UDP), TO(203, 0, 113, 9),
		       accepts());
		breaks(rules, "F2.1 F8.2", "F2.1", &packet);
		assert_int_equal(packet.uid, TOR);
		assert_int_equal(packet.protocol, IPPROTO_UDP);
	}
	{
		RULES struct ruleset *rules = sealed();

		OUTPUT(TO_OTHERS, PLAIN, BY(FRONTS_NET), PROTOCOL(IPPROTO_UDP), TO(203, 0, 113, 9),
		       accepts());
		OUTPUT(TO_OTHERS, PLAIN, BY(BRIDGES_NET), PROTOCOL(IPPROTO_TCP), TO(203, 0, 113, 9),
		       accepts());
		breaks(rules, "", NULL, NULL);
		OUTPUT(TO_OTHERS, PLAIN, BY(BRIDGES_NET), PROTOCOL(IPPROTO_UDP), TO(203, 0, 113, 9),
		       accepts());
		breaks(rules, "F2.3 F8.2", "F2.3", &packet);
		assert_int_equal(packet.uid, BRIDGES_NET);
		assert_int_equal(packet.protocol, IPPROTO_UDP);
	}
}

static void test_lan_and_protocols(void **state)
{
	struct packet packet;

	{
		RULES struct ruleset *rules = sealed();

		OUTPUT(TO_OTHERS, PLAIN, BY(OTHER), PROTOCOL(IPPROTO_TCP), TO(172, 31, 0, 1),
		       accepts());
		breaks(rules, "F5.1", "F5.1", &packet);
		assert_true(packet.destination_port == 53 || packet.destination_port == 137);
	}
	{
		RULES struct ruleset *rules = sealed();

		OUTPUT(TO_OTHERS, PLAIN, BY(CLEARNET), PROTOCOL(IPPROTO_SCTP), TO(203, 0, 113, 9),
		       accepts());
		OUTPUT(TO_OTHERS, PLAIN, BY(CLEARNET_NET), PROTOCOL(IPPROTO_UDP),
		       TO(203, 0, 113, 9), accepts());
		breaks(rules, "F8.3", "F8.3", &packet);
		assert_int_equal(packet.protocol, IPPROTO_SCTP);
	}
	{
		RULES struct ruleset *rules = sealed();

		EGRESS(TO_OTHERS, LABEL(0x86, 0xdd), ETHERTYPE(0x86, 0xdd), TCP_NEXT, BY(TOR),
		       PROTOCOL(IPPROTO_TCP), accepts());
		breaks(rules, "F8.1", "F8.1", &packet);
		assert_int_equal(packet.ethertype, ETH_P_IPV6);
	}
}

static void test_frames(void **state)
{
	struct packet packet;

	{
		RULES struct ruleset *rules = sealed();

		EGRESS(TO_OTHERS, LABEL(0x88, 0xcc), ETHERTYPE(0x88, 0xcc), accepts());
		breaks(rules, "F1.5", "F1.5", &packet);
		assert_int_equal(packet.ethertype, 0x88cc);
	}
	{
		RULES struct ruleset *rules = sealed();

		/* Of another shape: an operation that is neither a question nor an answer. */
		EGRESS(TO_OTHERS, LABEL(0x08, 0x06), ETHERTYPE(0x08, 0x06),
		       load(RULESET_NETWORK, 0, 8, 0), is(BYTES(0, 1, 8, 0, 6, 4, 0, 3)),
		       accepts());
		breaks(rules, "F1.5", "F1.5", &packet);
		assert_int_equal(packet.arp_operation, 3);
	}
	{
		RULES struct ruleset *rules = sealed();

		EGRESS(TO_OTHERS, LABEL(0x08, 0x00), ETHERTYPE(0x86, 0xdd), PLAIN_HEADER, BY(TOR),
		       PROTOCOL(IPPROTO_TCP), TO(203, 0, 113, 9), accepts());
		breaks(rules, "F1.6", "F1.6", &packet);
		assert_int_equal(packet.link_ethertype, ETH_P_IPV6);
	}
	{
		RULES struct ruleset *rules = sealed();

		EGRESS(TO_LOOPBACK, accepts());
		breaks(rules, "F1.7", "F1.7", &packet);
		assert_true(packet.loopback);
		assert_false(packet.routed);
	}
}

static void test_arriving(void **state)
{
	struct packet packet;

	{
		RULES struct ruleset *rules = sealed();

		chain(rules, RULESET_INET, "forward")->policy = RULESET_ACCEPT;
		breaks(rules, "F1.8 F8.1", "F1.8", &packet);
		assert_int_equal(packet.path, PACKET_FORWARD);
	}
	{
		RULES struct ruleset *rules = sealed();

		INPUT(FROM_OTHERS, PLAIN, PROTOCOL(IPPROTO_TCP), PORT(0, 22), accepts());
		breaks(rules, "F1.9", "F1.9", &packet);
		assert_int_equal(packet.destination_port, 22);
		assert_int_equal(packet.tcp_flags, PACKET_TCP_SYN);
	}
	{
		RULES struct ruleset *rules = sealed();

		INPUT(FROM_OTHERS, PLAIN, PROTOCOL(IPPROTO_ICMP), load(RULESET_TRANSPORT, 0, 1, 0),
		      is(BYTES(3)), accepts());
		breaks(rules, "F1.9 F9.2", "F9.2", &packet);
		assert_int_equal(packet.icmp_type, 3);
	}
}

/* A rule writes down what is asked, and none lets it out. */
static void test_expected_but_not_sent(void **state)
{
	RULES struct ruleset *rules = sealed();
	struct ruleset_table *host = &rules->tables[0];
	struct ruleset_set *set = new_set(host, "asked", 12);
	struct packet packet;
	expr question = lookup("asked");

	set->dynamic = true;
	set->timeout = true;
	set->timeout_ms = 30000;
	OUTPUT(TO_OTHERS, PLAIN, PROTOCOL(IPPROTO_UDP), load(RULESET_NETWORK, 16, 4, 0),
	       load(RULESET_TRANSPORT, 2, 2, 1), load(RULESET_TRANSPORT, 0, 2, 2), update("asked"));
	INPUT(FROM_OTHERS, PLAIN, PROTOCOL(IPPROTO_UDP), load(RULESET_NETWORK, 12, 4, 0),
	      load(RULESET_TRANSPORT, 0, 2, 1), load(RULESET_TRANSPORT, 2, 2, 2), question,
	      accepts());
	breaks(rules, "F1.10", "F1.10", &packet);
	assert_int_equal(packet.path, PACKET_OUTPUT);
	assert_int_equal(packet.protocol, IPPROTO_UDP);
}

static void test_loopback(void **state)
{
	struct packet packet;

	{
		RULES struct ruleset *rules = sealed();

		OUTPUT(TO_LOOPBACK, PLAIN, BY(CLEARNET), PROTOCOL(IPPROTO_TCP), PORT(0x23, 0x5a),
		       accepts());
		/* And not by IPv6, though it is the same service. */
		breaks(rules, "F3.1 F6.5", "F3.1", &packet);
		assert_int_equal(packet.uid, CLEARNET);
		assert_int_equal(packet.destination_port, 9050);
	}
	{
		RULES struct ruleset *rules = sealed();

		OUTPUT(TO_LOOPBACK, PLAIN, BY(OTHER), PROTOCOL(IPPROTO_TCP), PORT(0x23, 0x5a),
		       accepts());
		OUTPUT(TO_LOOPBACK, PLAIN6, BY(OTHER), PORT(0x23, 0x5a), accepts());
		breaks(rules, "", NULL, NULL);
		OUTPUT(TO_LOOPBACK, PLAIN, BY(OTHER), PROTOCOL(IPPROTO_TCP), TO(127, 0, 0, 2),
		       PORT(0, 80), accepts());
		breaks(rules, "F6.5", "F6.5", &packet);
		assert_int_equal(packet_address_to4(&packet.destination), 0x7f000002);
	}
	{
		RULES struct ruleset *rules = sealed();

		OUTPUT(TO_LOOPBACK, PLAIN, BY(FRONTS_NET), PROTOCOL(IPPROTO_TCP), PORT(0x23, 0x5a),
		       accepts());
		OUTPUT(TO_LOOPBACK, PLAIN6, BY(FRONTS_NET), PORT(0x23, 0x5a), accepts());
		breaks(rules, "F2.4", "F2.4", &packet);
		assert_int_equal(packet.uid, FRONTS_NET);
	}
}

static void test_loopback_by_whoever(void **state)
{
	struct packet packet;

	{
		RULES struct ruleset *rules = sealed();

		OUTPUT(TO_LOOPBACK, PLAIN, BY_ANYBODY, PROTOCOL(IPPROTO_TCP), PORT(0, 80),
		       accepts());
		OUTPUT(TO_LOOPBACK, PLAIN6, BY_ANYBODY, PORT(0, 80), accepts());
		breaks(rules, "F2.4 F3.1 F4.1 F6.4", "F6.4", &packet);
		assert_int_equal(packet.destination_port, 80);
	}
	{
		RULES struct ruleset *rules = sealed();

		OUTPUT(TO_LOOPBACK, PLAIN, BY(OTHER), PROTOCOL(IPPROTO_TCP), accepts());
		OUTPUT(TO_LOOPBACK, PLAIN6, BY(OTHER), accepts());
		breaks(rules, "F6.3", "F6.3", &packet);
		assert_int_equal(packet.uid, OTHER);
	}
	{
		RULES struct ruleset *rules = sealed();

		OUTPUT(TO_LOOPBACK, BY_ANYBODY, drops());
		OUTPUT(TO_LOOPBACK, PLAIN, PROTOCOL(IPPROTO_UDP), accepts());
		breaks(rules, "F6.1", "F6.1", &packet);
		assert_false(packet.owned);
	}
	{
		RULES struct ruleset *rules = sealed();

		OUTPUT(TO_LOOPBACK, BY(OTHER), PROTOCOL(IPPROTO_GRE), accepts());
		breaks(rules, "F6.2", "F6.2", &packet);
		assert_int_equal(packet.protocol, IPPROTO_GRE);
	}
}

/* tproxy to 127.0.0.1:9040 of what comes in for 127.192.0.1. */
static void add_proxy(struct ruleset *rules)
{
	struct ruleset_chain *early =
	    base_chain(&rules->tables[0], "early", NF_INET_PRE_ROUTING, RULESET_ACCEPT);

	early->priority = -150;
	RULE(early, "", FAMILY(NFPROTO_IPV4), PROTOCOL(IPPROTO_TCP), TO(127, 192, 0, 1),
	     data(1, BYTES(127, 0, 0, 1)), data(2, BYTES(0x23, 0x50)), tproxy(RULESET_IPV4, 1, 2),
	     accepts());
	INPUT(meta(NFT_META_IIF, 0), is_u32(LO), FAMILY(NFPROTO_IPV4), PROTOCOL(IPPROTO_TCP),
	      TO(127, 192, 0, 1), asks_socket(NFT_SOCKET_TRANSPARENT), is(BYTES(1)), accepts());
}

static void test_proxy(void **state)
{
	struct packet packet;

	{
		RULES struct ruleset *rules = sealed();

		add_proxy(rules);
		OUTPUT(TO_LOOPBACK, PLAIN, BY(AMNESIA), PROTOCOL(IPPROTO_TCP), TO(127, 192, 0, 1),
		       accepts());
		breaks(rules, "", NULL, NULL);
		OUTPUT(TO_LOOPBACK, PLAIN, BY(OTHER), PROTOCOL(IPPROTO_TCP), TO(127, 192, 0, 1),
		       accepts());
		breaks(rules, "F7.1", "F7.1", &packet);
		assert_int_equal(packet.uid, OTHER);
		assert_int_equal(packet_address_to4(&packet.destination), 0x7fc00001);
	}
	{
		RULES struct ruleset *rules = sealed();

		add_proxy(rules);
		OUTPUT(TO_LOOPBACK, PLAIN, BY(OTHER), PROTOCOL(IPPROTO_TCP), PORT(0x23, 0x50),
		       load(RULESET_NETWORK, 16, 4, 0),
		       compare(RULESET_NOT_EQUAL, BYTES(127, 192, 0, 1)), accepts());
		OUTPUT(TO_LOOPBACK, PLAIN6, BY(OTHER), PORT(0x23, 0x50), accepts());
		breaks(rules, "F7.2", "F7.2", &packet);
		assert_int_equal(packet.destination_port, 9040);
	}
	{
		RULES struct ruleset *rules = sealed();

		add_proxy(rules);
		INPUT(meta(NFT_META_IIF, 0), is_u32(LO), PLAIN, PROTOCOL(IPPROTO_TCP), PORT(0, 80),
		      accepts());
		breaks(rules, "F7.3", "F7.3", &packet);
		assert_int_equal(packet.path, PACKET_INPUT);
		assert_int_not_equal(packet.socket, PACKET_SOCKET_TRANSPARENT);
	}
}

static expr of_kind(enum ruleset_expression_kind kind)
{
	return (expr){.kind = kind};
}

static void refuted_by_rule(struct ruleset *rules, const char *wanted, const char *id,
			    const char *where)
{
	struct seen seen;

	begin(&seen, id);
	ask(rules, &everybody, &seen);
	assert_string_equal(buf_text(&seen.refuted[PROOF_SAFETY]), wanted);
	assert_int_equal(seen.example.packet.path, 0);
	assert_string_equal(seen.reason, where);
	done(&seen);
}

/* Rules that nothing leads to switch tracking on as well. */
static void test_tracking(void **state)
{
	RULES struct ruleset *rules = sealed();
	struct ruleset_table *other = ruleset_add_table(rules, RULESET_INET, "other");
	struct ruleset_chain *idle = ruleset_add_chain(other, "idle");
	expr state_of = of_kind(RULESET_CONNECTION);

	state_of.connection.direction = -1;
	RULE(idle, "", drops());
	RULE(idle, "", state_of);
	refuted_by_rule(rules, "F9.1", "F9.1",
			"table other, chain idle, rule 2: asks the kernel to track connections");
}

static void test_translation(void **state)
{
	RULES struct ruleset *rules = sealed();
	struct ruleset_table *other = ruleset_add_table(rules, RULESET_IPV4, "other");
	struct ruleset_chain *nat = base_chain(other, "nat", NF_INET_POST_ROUTING, RULESET_ACCEPT);
	expr masquerade = of_kind(RULESET_MASQUERADE);

	nat->type = RULESET_NAT;
	masquerade.redirect.port_reg = -1;
	masquerade.redirect.port_end_reg = -1;
	RULE(nat, "", masquerade);
	refuted_by_rule(rules, "F1.12 F9.1", "F1.12",
			"table other, chain nat, rule 1: translates addresses");
}

static void test_rewriting(void **state)
{
	RULES struct ruleset *rules = sealed();
	expr write = of_kind(RULESET_PAYLOAD_SET);
	struct packet packet;

	write.payload_set.base = RULESET_NETWORK;
	write.payload_set.offset = 1; /* the type of service */
	write.payload_set.len = 1;
	write.payload_set.reg = 1;
	write.payload_set.checksum_type = NFT_PAYLOAD_CSUM_INET;
	write.payload_set.checksum_offset = 10;
	OUTPUT(TO_OTHERS, PLAIN, BY(TOR), PROTOCOL(IPPROTO_TCP), TO(203, 0, 113, 9),
	       data(1, BYTES(4)), write, accepts());
	breaks(rules, "F1.11", "F1.11", &packet);
	assert_int_equal(packet.uid, TOR);
}

/* ---- what is not known. ---- */

static void test_unknown_expression(void **state)
{
	RULES struct ruleset *rules = sealed();
	expr odd = of_kind(RULESET_UNKNOWN);
	struct seen seen;

	snprintf(odd.unknown.name, sizeof(odd.unknown.name), "osf");
	OUTPUT(TO_OTHERS, PLAIN, BY(OTHER), PROTOCOL(IPPROTO_TCP), TO(203, 0, 113, 9), odd,
	       accepts());
	begin(&seen, "F1.1");
	ask(rules, &everybody, &seen);
	assert_string_equal(buf_text(&seen.refuted[PROOF_SAFETY]), "");
	/* The others do not speak of this packet, or are refuted by another one. */
	assert_string_equal(buf_text(&seen.unknown), "F1.1 F1.11 F1.12 F9.1");
	assert_non_null(strstr(seen.reason, "osf"));
	done(&seen);
}

static void test_incomplete(void **state)
{
	RULES struct ruleset *rules = sealed();
	struct seen seen;

	rules->incomplete = true;
	snprintf(rules->missing, sizeof(rules->missing), "the flowtable f");
	begin(&seen, "F1.8");
	ask(rules, &everybody, &seen);
	assert_int_equal(seen.refuted[PROOF_SAFETY].len + seen.refuted[PROOF_USE].len, 0);
	assert_string_equal(seen.reason,
			    "the kernel holds what this model cannot: the flowtable f");
	done(&seen);
}

/* With less memory nothing becomes true or false: at some sentence, and from there on, it is not
 * known. */
static void test_too_large(void **state)
{
	RULES struct ruleset *rules = sealed();
	struct proof_options options = {.nodes_max = 2000};
	struct seen seen;

	ruleset_sort(rules);
	begin(&seen, "F9.5");
	seen.ruleset = rules;
	assert_int_equal(proof_claims(rules, &everybody, &options, visit, &seen), 0);
	assert_int_equal(seen.sentences, SENTENCES);
	assert_string_equal(seen.reason, "the rules are too large for the memory they were given");
	assert_string_equal(buf_text(&seen.refuted[PROOF_SAFETY]), "");
	done(&seen);
}

static void test_nobody_of_that_name(void **state)
{
	RULES struct ruleset *rules = sealed();
	struct proof_people people = everybody;
	struct seen seen;

	/* Whoever has the number now has no rights by it. */
	people.tor.exists = false;
	OUTPUT(TO_OTHERS, PLAIN, BY(TOR), PROTOCOL(IPPROTO_TCP), TO(203, 0, 113, 9), accepts());
	begin(&seen, "F2.1");
	ask(rules, &people, &seen);
	assert_string_equal(buf_text(&seen.refuted[PROOF_SAFETY]), "F1.1");
	assert_string_equal(seen.reason, "there is no user debian-tor");
	done(&seen);
}

static int stop(const struct proof_claim *claim, void *data)
{
	size_t *count = data;

	return strcmp(claim->id, "F1.3") == 0 ? 17 : (*count += 1, 0);
}

static void test_stops(void **state)
{
	RULES struct ruleset *rules = sealed();
	struct proof_options options = {0};
	size_t count = 0;

	ruleset_sort(rules);
	assert_int_equal(proof_claims(rules, &everybody, &options, stop, &count), 17);
	assert_int_equal(count, 2);
}

/* A chain that names its devices holds for those alone. */
static void test_devices(void **state)
{
	static const struct proof_device devices[] = {{"lo", 1, 772}, {"eth0", 2, 1}};
	RULES struct ruleset *rules = sealed();
	struct ruleset_chain *egress = chain(rules, RULESET_NETDEV, "egress");
	struct proof_options options = {.devices = devices, .device_count = 2};
	struct seen seen;

	egress->every_device = false;
	assert_int_equal(ruleset_add_device(egress, "lo"), 0);
	assert_int_equal(ruleset_add_device(egress, "eth0"), 0);
	ruleset_sort(rules);
	begin(&seen, "F1.5");
	seen.ruleset = rules;
	assert_int_equal(proof_claims(rules, &everybody, &options, visit, &seen), 0);
	assert_string_equal(buf_text(&seen.refuted[PROOF_SAFETY]), "");
	done(&seen);
	options.device_count = 0;
	begin(&seen, "F1.5");
	seen.ruleset = rules;
	assert_int_equal(proof_claims(rules, &everybody, &options, visit, &seen), 0);
	assert_non_null(strstr(buf_text(&seen.refuted[PROOF_SAFETY]), "F1.5"));
	done(&seen);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_sealed),
	    cmocka_unit_test(test_without_rules),
	    cmocka_unit_test(test_leaving),
	    cmocka_unit_test(test_leaving_as_what_it_may_not),
	    cmocka_unit_test(test_lan_and_protocols),
	    cmocka_unit_test(test_frames),
	    cmocka_unit_test(test_arriving),
	    cmocka_unit_test(test_expected_but_not_sent),
	    cmocka_unit_test(test_loopback),
	    cmocka_unit_test(test_loopback_by_whoever),
	    cmocka_unit_test(test_proxy),
	    cmocka_unit_test(test_tracking),
	    cmocka_unit_test(test_translation),
	    cmocka_unit_test(test_rewriting),
	    cmocka_unit_test(test_unknown_expression),
	    cmocka_unit_test(test_incomplete),
	    cmocka_unit_test(test_too_large),
	    cmocka_unit_test(test_nobody_of_that_name),
	    cmocka_unit_test(test_stops),
	    cmocka_unit_test(test_devices),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Beside nft: its listing of ours, and our reading of what it loads. */
#include "test_kernel_help.h"
#include "test_sample.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void require_listed(const char *listing, const char *line)
{
	if (!strstr(listing, line))
		fail_msg("not in nft's listing: %s", line);
}

static void test_nft_lists_ours(void **state)
{
	struct nf_socket *socket = kernel_need(state);
	CLEANUP(ruleset_freep) struct ruleset *sample = sample_full("lo");
	AUTO_BUF struct buf output = {.cap = 1 << 20};
	const char *listing;

	kernel_need_nft();
	kernel_apply(socket, sample, &kernel_by_name);
	assert_int_equal(kernel_nft(NULL, &output), 0);
	listing = buf_text(&output);
	require_listed(listing, "comment \"owned: by owner\"");
	require_listed(listing, "elements = { 0-10, 11, 12-255, 257, 65280-65535 }");
	require_listed(listing, "type filter hook output priority filter; policy drop;");
	require_listed(listing, "1000 . 9050 : accept");
	require_listed(listing, "0 . 9051 : jump leaf");
	require_listed(listing, "elements = { 1000 : 9040 }");
	require_listed(listing, "elements = { 1-9 : accept, 10-65535 : goto tail }");
	require_listed(listing, "meta l4proto { tcp, udp } return");
	require_listed(listing, "tcp flags syn / fin,syn,rst,ack accept");
	require_listed(listing, "tproxy ip to 127.0.0.1:9040");
	require_listed(listing, "socket wildcard 0 accept");
	require_listed(listing, "timeout 30s");
	require_listed(listing, "11.0.0.1 . 0-65535");
}

enum understood { WHOLE, UNKNOWN, INCOMPLETE };

static const struct foreign {
	const char *text;
	enum understood expected;
	const char *name; /* of the unknown expression */
} foreign[] = {
    {"table ip f { chain c { type filter hook input priority 0; ip saddr 10.0.0.0/8 accept; }; }",
     WHOLE, NULL},
    {"table inet f { map m { type inet_service : verdict; elements = { 1 : accept, 2 : drop } }\n"
     "chain c { type filter hook input priority 0; tcp dport vmap @m; }; }",
     WHOLE, NULL},
    {"table inet f { chain c { type filter hook input priority 0;\n"
     "tcp dport vmap { 1-5 : accept, 6 : drop, 7-65535 : continue }; }; }",
     WHOLE, NULL},
    {"table inet f { set s { type ipv4_addr . inet_service; flags interval;\n"
     "elements = { 10.0.0.0/8 . 1-9, 1.2.3.4 . 5 } }\n"
     "chain c { type filter hook input priority 0; ip saddr . tcp dport @s drop; }; }",
     WHOLE, NULL},
    {"table inet f { set s { type ipv4_addr; flags dynamic,timeout; timeout 1m; }\n"
     "chain c { type filter hook input priority 0; update @s { ip saddr }; }; }",
     WHOLE, NULL},
    {"table inet f { flags dormant; chain c { type filter hook input priority 0; }; }", WHOLE,
     NULL},
    {"table ip f { chain c { type nat hook postrouting priority srcnat; masquerade; }; }", WHOLE,
     NULL},
    {"table ip f { chain c { type nat hook output priority -100; tcp dport 80 dnat to 1.2.3.4:8; "
     "}; }",
     WHOLE, NULL},
    {"table ip f { chain c { type nat hook output priority -100; tcp dport 80 redirect to :8; }; }",
     WHOLE, NULL},
    {"table inet f { chain c { type filter hook input priority 0; ct state new accept; }; }", WHOLE,
     NULL},
    {"table inet f { chain c { type filter hook input priority 0; log prefix \"x\"; }; }", WHOLE,
     NULL},
    {"table inet f { chain c { type filter hook input priority 0; limit rate 5/second accept; }; }",
     WHOLE, NULL},
    {"table inet f { chain c { type filter hook input priority 0; quota 5 mbytes drop; }; }", WHOLE,
     NULL},
    {"table inet f { chain c { type filter hook prerouting priority -300; notrack; }; }", WHOLE,
     NULL},
    {"table inet f { chain c { type filter hook output priority 0; meta mark set 7; }; }", WHOLE,
     NULL},
    {"table inet f { chain c { type filter hook output priority 0; meta nftrace set 1; }; }", WHOLE,
     NULL},
    {"table ip f { chain c { type filter hook output priority 0; ip dscp set 8; }; }", WHOLE, NULL},
    {"table ip f { chain c { type filter hook output priority 0; ip ttl set 8; }; }", WHOLE, NULL},
    {"table ip f { chain c { type filter hook output priority 0; meta mark set mark << 2; }; }",
     WHOLE, NULL},
    {"table inet f { chain c { type filter hook prerouting priority 0;\n"
     "fib daddr type local accept; }; }",
     WHOLE, NULL},
    {"table inet f { chain c { type filter hook input priority 0;\n"
     "tcp option maxseg size 5 accept; }; }",
     UNKNOWN, "exthdr"},
    {"table inet f { chain c { type filter hook input priority 0; numgen random mod 2 0 drop; }; }",
     WHOLE, NULL},
    {"table ip f { chain c { type filter hook input priority 0; jhash ip saddr mod 2 0 drop; }; }",
     UNKNOWN, "hash"},
    {"table inet f { chain c { type filter hook input priority 0; ct count 5 drop; }; }", WHOLE,
     NULL},
    {"table netdev f { chain c { type filter hook ingress device \"lo\" priority 0; fwd to \"lo\"; "
     "}; }",
     UNKNOWN, "fwd"},
    {"table ip f { chain c { type filter hook input priority 0; dup to 1.2.3.4; }; }", UNKNOWN,
     "dup"},
    {"table inet f { set s { type ipv4_addr; flags dynamic; }\n"
     "chain c { type filter hook input priority 0; add @s { ip saddr counter }; }; }",
     UNKNOWN, "dynset"},
    {"table inet f { map s { type ipv4_addr : mark; flags dynamic; }\n"
     "chain c { type filter hook input priority 0; add @s { ip saddr : 1 }; }; }",
     UNKNOWN, "dynset"},
    {"table inet f { set s { type ipv4_addr; flags dynamic; }\n"
     "chain c { type filter hook input priority 0; delete @s { ip saddr }; }; }",
     UNKNOWN, "dynset"},
    {"table inet f { counter k { }\n"
     "chain c { type filter hook input priority 0; counter name k; }; }",
     WHOLE, NULL},
    {"table inet f { quota k { 5 mbytes; }; }", INCOMPLETE, NULL},
    {"table inet f { limit k { rate 5/second; }; }", INCOMPLETE, NULL},
    {"table inet f { ct helper k { type \"ftp\" protocol tcp; }; }", INCOMPLETE, NULL},
    {"table inet f { flowtable t { hook ingress priority 0; devices = { lo }; }; }", INCOMPLETE,
     NULL},
    {"table inet f { set s { type ipv4_addr; counter; elements = { 1.2.3.4 }; }; }", INCOMPLETE,
     NULL},
    {"table inet f { set s { type ipv4_addr; flags timeout; elements = { 1.2.3.4 timeout 1h }; }; "
     "}",
     INCOMPLETE, NULL},
    {"table inet f { map s { type ipv4_addr : verdict; elements = { * : drop }; }; }", INCOMPLETE,
     NULL},
    {"table inet f { counter k { }; map s { type ipv4_addr : counter; elements = { 1.2.3.4 : \"k\" "
     "}; }; }",
     INCOMPLETE, NULL},
    {"table inet a-name-that-the-kernel-takes-and-for-which-we-have-no-place-at-all {\n"
     "chain c { type filter hook input priority 0; accept; }; }",
     INCOMPLETE, NULL},
    {"table inet f { chain a-name-that-the-kernel-takes-and-for-which-we-have-no-place-at-all { "
     "accept; }; }",
     INCOMPLETE, NULL},
    {"table inet f { set a-name-that-the-kernel-takes-and-for-which-we-have-no-place-at-all {\n"
     "type ipv4_addr; elements = { 1.2.3.4 }; }; }",
     INCOMPLETE, NULL},
    {"table inet f { chain a-name-that-the-kernel-takes-and-for-which-we-have-no-place-at-all { }\n"
     "chain c { type filter hook input priority 0;\n"
     "jump a-name-that-the-kernel-takes-and-for-which-we-have-no-place-at-all; }; }",
     INCOMPLETE, "immediate"},
    {"table bridge f { chain c { type filter hook input priority 0; ether type ip accept; }; }",
     WHOLE, NULL},
    {"table arp f { chain c { type filter hook input priority 0; arp operation 1 accept; }; }",
     WHOLE, NULL},
};

static const char *first_unknown(const struct ruleset *ruleset)
{
	for (size_t t = 0; t < ruleset->table_count; t++)
		for (size_t c = 0; c < ruleset->tables[t].chain_count; c++) {
			const struct ruleset_chain *chain = &ruleset->tables[t].chains[c];

			for (size_t i = 0; i < chain->rule_count; i++)
				for (size_t k = 0; k < chain->rules[i].count; k++)
					if (chain->rules[i].expressions[k].kind == RULESET_UNKNOWN)
						return chain->rules[i].expressions[k].unknown.name;
		}
	return NULL;
}

/* @one's text is loaded and alone. */
static void require_understood(struct nf_socket *socket, const struct foreign *one)
{
	CLEANUP(ruleset_freep) struct ruleset *read = kernel_read(socket);
	const char *unknown = first_unknown(read);

	if (read->incomplete != (one->expected == INCOMPLETE))
		fail_msg("incomplete: %d: %s", read->incomplete, one->text);
	if (one->expected == UNKNOWN && !unknown)
		fail_msg("nothing unknown: %s", one->text);
	if (one->expected == WHOLE && unknown)
		fail_msg("%s is unknown: %s", unknown, one->text);
	if (one->name && (!unknown || strcmp(unknown, one->name) != 0))
		fail_msg("unknown: %s, not %s: %s", unknown ? unknown : "nothing", one->name,
			 one->text);
	if (one->expected == WHOLE) {
		/* What is understood in full can be put in its place, and is the same. */
		kernel_apply(socket, read, &kernel_by_name);
		kernel_require_held(socket, read);
	}
}

static void test_foreign_rulesets(void **state)
{
	struct nf_socket *socket = kernel_need(state);
	AUTO_BUF struct buf output = {.cap = 1 << 20};
	unsigned loaded = 0;

	kernel_need_nft();
	for (size_t i = 0; i < ARRAY_SIZE(foreign); i++) {
		AUTO_BUF struct buf words = {.cap = 1 << 20};

		assert_int_equal(kernel_nft("flush ruleset\n", &output), KERNEL_NFT_LOADED);
		if (kernel_nft(foreign[i].text, &words) != KERNEL_NFT_LOADED) {
			print_message("# this kernel or nft does not take foreign ruleset %zu\n",
				      i);
			continue;
		}
		require_understood(socket, &foreign[i]);
		loaded++;
	}
	print_message("# %u of %zu foreign rulesets were loaded and read\n", loaded,
		      ARRAY_SIZE(foreign));
	assert_true(loaded > ARRAY_SIZE(foreign) / 2);
}

/* Another's tables stay, and are read beside ours. */
static void test_beside_others(void **state)
{
	struct nf_socket *socket = kernel_need(state);
	CLEANUP(ruleset_freep) struct ruleset *sample = sample_full("lo"), *read = NULL;
	AUTO_BUF struct buf output = {.cap = 1 << 20};

	kernel_need_nft();
	assert_int_equal(
	    kernel_nft("table inet other { chain lethe-test { tcp dport 1 accept; }; }\n"
		       "table ip lethe-test { quota k { 5 mbytes; }; }\n",
		       &output),
	    0);
	kernel_apply(socket, sample, &kernel_by_name);
	kernel_apply(socket, sample, &kernel_by_name);
	read = kernel_read(socket);
	assert_int_equal(read->table_count, 4);
	assert_true(read->incomplete);
	assert_non_null(ruleset_find_table(read, RULESET_INET, "other"));
	read = ruleset_free(read);
	/* The object is in another table of the same name: not in this one. */
	assert_int_equal(nf_read_table(socket, RULESET_INET, NAME, &read), 0);
	assert_false(read->incomplete);
	assert_true(ruleset_table_equal(&sample->tables[0], &read->tables[0], NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    KERNEL_TEST(test_nft_lists_ours),
	    KERNEL_TEST(test_foreign_rulesets),
	    KERNEL_TEST(test_beside_others),
	};

	/* nft may end before it has read all of its input; that is no end of the tests. */
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

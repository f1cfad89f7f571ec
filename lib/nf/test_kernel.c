/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Against the kernel that is running, each test in a network namespace of its own. Needs the right
 * to make one; without it every test says so and is skipped, or fails if LETHE_MUST_RUN is 1.
 */
#include "codec.h"
#include "socket.h"
#include "test_sample.h"

#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <cmocka.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

#define NAME        "lethe-test"
#define TRIES       100
#define NFT_SECONDS 60
#define NFT_LOADED  0
#define NFT_REFUSED 1
#define NFT_MISSING 127

static const char loopback[][RULESET_DEVICE_MAX] = {"lo"};
static const struct nf_batch_options by_name = {.devices = loopback, .device_count = 1};
static const struct nf_batch_options by_prefix = {.device_prefix = true};

static int setup(void **state)
{
	const char *must = getenv("LETHE_MUST_RUN");
	struct nf_socket *socket = NULL;

	*state = NULL;
	if (unshare(CLONE_NEWNET) < 0) {
		print_message("# no right to make a network namespace: %s\n", strerror(errno));
		return must && strcmp(must, "1") == 0 ? -1 : 0;
	}
	if (nf_open(&socket) < 0)
		return -1;
	*state = socket;
	return 0;
}

static int teardown(void **state)
{
	*state = nf_close(*state);
	return 0;
}

static struct nf_socket *need(void **state)
{
	if (!*state)
		skip();
	return *state;
}

/* ---- doing and comparing ---- */

static void send_ok(struct nf_socket *socket, const struct buf *batch)
{
	struct diag diag = {0};
	int r = nf_batch_send(socket, batch->data, batch->len, &diag);

	if (r < 0)
		fail_msg("%s", diag.message);
}

static void apply_with(struct nf_socket *socket, const struct ruleset *ruleset,
		       const struct nf_batch_options *options)
{
	AUTO_BUF struct buf batch = {.cap = NF_BATCH_MAX};

	assert_int_equal(nf_batch_build(ruleset, options, &batch), 0);
	send_ok(socket, &batch);
}

static bool prefix_supported(struct nf_socket *socket)
{
	bool supported = false;

	assert_int_equal(nf_probe_device_prefix(socket, &supported), 0);
	return supported;
}

static const struct nf_batch_options *options_for(struct nf_socket *socket)
{
	return prefix_supported(socket) ? &by_prefix : &by_name;
}

/* What a ruleset for every device reads back as when it was bound by name. */
static struct ruleset *sample_as_read(bool prefix)
{
	struct ruleset *ruleset = sample_full("lo");

	for (size_t t = 0; !prefix && t < ruleset->table_count; t++)
		for (size_t i = 0; i < ruleset->tables[t].chain_count; i++) {
			struct ruleset_chain *chain = &ruleset->tables[t].chains[i];

			if (chain->every_device)
				assert_int_equal(ruleset_add_device(chain, "lo"), 0);
			chain->every_device = false;
		}
	return ruleset;
}

static struct ruleset *read_all(struct nf_socket *socket)
{
	struct ruleset *ruleset = NULL;

	assert_int_equal(nf_read(socket, TRIES, NULL, &ruleset), 0);
	return ruleset;
}

static void require_equal(const struct ruleset *a, const struct ruleset *b)
{
	AUTO_BUF struct buf difference = {.cap = 4096};

	assert_int_equal(a->incomplete, b->incomplete);
	assert_int_equal(a->table_count, b->table_count);
	for (size_t i = 0; i < a->table_count; i++)
		if (!ruleset_table_equal(&a->tables[i], &b->tables[i], &difference))
			fail_msg("%s", buf_text(&difference));
}

static void require_held(struct nf_socket *socket, const struct ruleset *expected)
{
	CLEANUP(ruleset_freep) struct ruleset *read = read_all(socket);

	require_equal(expected, read);
}

/* ---- our own rulesets ---- */

static void test_everything_by_prefix(void **state)
{
	struct nf_socket *socket = need(state);
	CLEANUP(ruleset_freep) struct ruleset *sample = sample_full("lo");

	if (!prefix_supported(socket)) {
		print_message("# this kernel does not bind chains by prefix\n");
		skip();
	}
	apply_with(socket, sample, &by_prefix);
	require_held(socket, sample);
}

static void test_everything_by_name(void **state)
{
	struct nf_socket *socket = need(state);
	CLEANUP(ruleset_freep) struct ruleset *sample = sample_full("lo");
	CLEANUP(ruleset_freep) struct ruleset *expected = sample_as_read(false);

	apply_with(socket, sample, &by_name);
	require_held(socket, expected);
}

static void test_twice_is_once(void **state)
{
	struct nf_socket *socket = need(state);
	const struct nf_batch_options *options = options_for(socket);
	CLEANUP(ruleset_freep) struct ruleset *sample = sample_full("lo");
	CLEANUP(ruleset_freep) struct ruleset *once = NULL;

	apply_with(socket, sample, options);
	once = read_all(socket);
	apply_with(socket, sample, options);
	require_held(socket, once);
}

static void test_read_one_table(void **state)
{
	struct nf_socket *socket = need(state);
	CLEANUP(ruleset_freep) struct ruleset *sample = sample_full("lo");
	CLEANUP(ruleset_freep) struct ruleset *inet = NULL, *none = NULL;

	apply_with(socket, sample, &by_name);
	assert_int_equal(nf_read_table(socket, RULESET_INET, NAME, &inet), 0);
	assert_int_equal(inet->table_count, 1);
	assert_true(ruleset_table_equal(&sample->tables[0], &inet->tables[0], NULL));
	assert_int_equal(nf_read_table(socket, RULESET_IPV6, NAME, &none), -ENOENT);
	assert_int_equal(nf_read_table(socket, RULESET_INET, "lethe-tes", &none), -ENOENT);
	assert_int_equal(nf_read_table(socket, RULESET_INET, "", &none), -EINVAL);
	assert_null(none);
}

/* A read-back that never differs would prove nothing: change one element, see it. */
static void test_read_notices_a_change(void **state)
{
	struct nf_socket *socket = need(state);
	CLEANUP(ruleset_freep) struct ruleset *sample = sample_large(500, true);
	CLEANUP(ruleset_freep) struct ruleset *read = NULL;

	apply_with(socket, sample, &by_name);
	sample->tables[0].sets[0].elements[321].key.bytes[3] ^= 1;
	read = read_all(socket);
	assert_false(ruleset_table_equal(&sample->tables[0], &read->tables[0], NULL));
}

static void large(struct nf_socket *socket, size_t count, bool interval, uint32_t size)
{
	CLEANUP(ruleset_freep) struct ruleset *sample = sample_large(count, interval);

	sample->tables[0].sets[0].size = size;
	apply_with(socket, sample, &by_name);
	require_held(socket, sample);
	/* And again over itself. */
	apply_with(socket, sample, &by_name);
	require_held(socket, sample);
}

static void test_large_sets(void **state)
{
	struct nf_socket *socket = need(state);

	large(socket, 10000, false, 0);
	large(socket, 10000, true, 0);
	large(socket, 10000, false, 10000);
	large(socket, 100000, false, 0);
	large(socket, 100000, true, 0);
}

static void test_remove(void **state)
{
	struct nf_socket *socket = need(state);
	CLEANUP(ruleset_freep) struct ruleset *sample = sample_full("lo"), *other = ruleset_new();
	CLEANUP(ruleset_freep) struct ruleset *read = NULL;
	AUTO_BUF struct buf removal = {.cap = NF_BATCH_MAX};

	assert_non_null(ruleset_add_table(other, RULESET_INET, "other"));
	apply_with(socket, other, &by_name);
	apply_with(socket, sample, &by_name);
	assert_int_equal(nf_batch_remove(sample, &removal), 0);
	send_ok(socket, &removal);
	require_held(socket, other);
	/* Nothing to remove is no failure. */
	send_ok(socket, &removal);
	require_held(socket, other);
}

/* ---- all or nothing ---- */

static void test_error_in_the_middle(void **state)
{
	struct nf_socket *socket = need(state);
	const struct ruleset_expression jump = {.kind = RULESET_IMMEDIATE,
						.immediate.verdict = {RULESET_JUMP, "missing"}};
	CLEANUP(ruleset_freep)
	struct ruleset *sample = sample_full("lo"),
		       *wrong = sample_full("lo");
	CLEANUP(ruleset_freep) struct ruleset *expected = sample_as_read(false);
	AUTO_BUF struct buf batch = {.cap = NF_BATCH_MAX};
	uint32_t before, after;
	struct diag diag = {0};
	struct ruleset_rule *rule;

	apply_with(socket, sample, &by_name);
	assert_int_equal(nf_generation(socket, &before), 0);
	assert_string_equal(wrong->tables[0].chains[1].name, "leaf");
	rule = ruleset_add_rule(&wrong->tables[0].chains[1], "");
	assert_non_null(rule);
	assert_non_null(ruleset_add_expression(rule, &jump));
	assert_int_equal(nf_batch_build(wrong, &by_name, &batch), 0);
	assert_int_equal(nf_batch_send(socket, batch.data, batch.len, &diag), -ENOENT);
	print_message("# %s\n", diag.message);
	assert_non_null(strstr(diag.message, "rule in chain leaf of table " NAME));
	assert_int_equal(nf_generation(socket, &after), 0);
	assert_int_equal(before, after);
	require_held(socket, expected);
	/* The socket goes on. */
	apply_with(socket, sample, &by_name);
}

/* Refused only when all of it is there: chains that call each other. */
static void test_error_at_the_end(void **state)
{
	struct nf_socket *socket = need(state);
	const struct ruleset_expression loop = {.kind = RULESET_IMMEDIATE,
						.immediate.verdict = {RULESET_JUMP, "leaf"}};
	CLEANUP(ruleset_freep) struct ruleset *sample = sample_full("lo");
	AUTO_BUF struct buf batch = {.cap = NF_BATCH_MAX};
	CLEANUP(ruleset_freep) struct ruleset *read = NULL;
	struct diag diag = {0};
	struct ruleset_rule *rule = ruleset_add_rule(&sample->tables[0].chains[1], "");

	assert_non_null(rule);
	assert_non_null(ruleset_add_expression(rule, &loop));
	assert_int_equal(nf_batch_build(sample, &by_name, &batch), 0);
	assert_int_equal(nf_batch_send(socket, batch.data, batch.len, &diag), -EMLINK);
	read = read_all(socket);
	assert_int_equal(read->table_count, 0);
}

static void test_not_a_batch(void **state)
{
	struct nf_socket *socket = need(state);
	CLEANUP(ruleset_freep) struct ruleset *sample = sample_full("lo"), *read = NULL;
	AUTO_BUF struct buf batch = {.cap = NF_BATCH_MAX};
	struct diag diag = {0};

	assert_int_equal(nf_batch_build(sample, &by_name, &batch), 0);
	/* Without its end the kernel would drop it and still acknowledge. */
	assert_int_equal(nf_batch_send(socket, batch.data, batch.len - 20, &diag), -EBADMSG);
	read = read_all(socket);
	assert_int_equal(read->table_count, 0);
}

/* ---- answers lost and left over ---- */

static struct buf many_messages(size_t count, bool wrong)
{
	struct buf batch = {.cap = NF_BATCH_MAX};
	struct nf_writer writer = {.out = &batch};

	nf_batch_begin(&writer);
	for (size_t i = 0; i < count; i++) {
		nf_message_begin(&writer,
				 NFNL_SUBSYS_NFTABLES << 8 |
				     (wrong ? NFT_MSG_DELTABLE : NFT_MSG_NEWTABLE),
				 wrong ? 0 : NLM_F_CREATE | NLM_F_ACK, RULESET_INET, 0);
		nf_put_text(&writer, NFTA_TABLE_NAME, wrong ? "missing" : NAME);
		nf_message_end(&writer);
	}
	assert_int_equal(nf_batch_end(&writer), 0);
	return batch;
}

static void shrink_queue(struct nf_socket *socket)
{
	int bytes = 1;

	assert_int_equal(setsockopt(socket->fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes)), 0);
}

static void test_lost_answers(void **state)
{
	struct nf_socket *socket = need(state);
	AUTO_BUF struct buf right = many_messages(5000, false), wrong = many_messages(5000, true);
	CLEANUP(ruleset_freep) struct ruleset *read = NULL;
	struct diag diag = {0};

	/* All of them fit ordinarily. */
	assert_int_equal(nf_batch_send(socket, wrong.data, wrong.len, &diag), -ENOENT);
	assert_non_null(strstr(diag.message, "message 1 "));
	send_ok(socket, &right);
	shrink_queue(socket);
	assert_int_equal(nf_batch_send(socket, wrong.data, wrong.len, &diag), -ENOENT);
	assert_int_equal(nf_batch_send(socket, right.data, right.len, &diag), -ENOBUFS);
	print_message("# %s\n", diag.message);
	/* Not a verdict: it was done. */
	read = read_all(socket);
	assert_int_equal(read->table_count, 1);
}

static void test_left_over_answers(void **state)
{
	struct nf_socket *socket = need(state);
	AUTO_BUF struct buf wrong = many_messages(100, true), right = many_messages(100, false);
	uint32_t generation;

	/* An earlier user of the socket did not wait for its answers, which are refusals. */
	assert_int_equal(nf_socket_send(socket, wrong.data, wrong.len), 0);
	send_ok(socket, &right);
	assert_int_equal(nf_socket_send(socket, wrong.data, wrong.len), 0);
	assert_int_equal(nf_generation(socket, &generation), 0);
}

/* ---- the probe ---- */

static void test_probe(void **state)
{
	struct nf_socket *socket = need(state);
	CLEANUP(ruleset_freep) struct ruleset *sample = sample_full("lo"), *read = NULL;
	AUTO_BUF struct buf batch = {.cap = NF_BATCH_MAX};
	bool supported = true, unknown = true;
	uint32_t before, after;
	int r;

	assert_int_equal(nf_generation(socket, &before), 0);
	assert_int_equal(nf_probe_device_prefix(socket, &supported), 0);
	/* A kernel without the attribute answers as this one does for one that none has. */
	assert_int_equal(nf_probe_device_attribute(socket, 77, &unknown), 0);
	assert_false(unknown);
	assert_int_equal(nf_generation(socket, &after), 0);
	assert_int_equal(before, after);
	read = read_all(socket);
	assert_int_equal(read->table_count, 0);
	print_message("# binding by prefix: %s\n", supported ? "yes" : "no");
	assert_int_equal(nf_batch_build(sample, &by_prefix, &batch), 0);
	r = nf_batch_send(socket, batch.data, batch.len, NULL);
	assert_int_equal(r, supported ? 0 : -EINVAL);
}

/* ---- reading while others write ---- */

static void write_for_ever(void)
{
	struct nf_socket *socket = NULL;
	struct ruleset *samples[2] = {sample_large(300, true), sample_large(301, true)};
	struct buf batches[2] = {{.cap = NF_BATCH_MAX}, {.cap = NF_BATCH_MAX}};

	alarm(NFT_SECONDS); /* if the parent dies without ending us */
	for (int i = 0; i < 2; i++)
		if (nf_batch_build(samples[i], &by_name, &batches[i]) < 0)
			_exit(1);
	if (nf_open(&socket) < 0)
		_exit(1);
	for (;;)
		for (int i = 0; i < 2; i++)
			if (nf_batch_send(socket, batches[i].data, batches[i].len, NULL) < 0)
				_exit(1);
}

static void test_reads_are_whole(void **state)
{
	struct nf_socket *socket = need(state);
	CLEANUP(ruleset_freep)
	struct ruleset *a = sample_large(300, true),
		       *b = sample_large(301, true);
	unsigned whole[2] = {0}, torn = 0;
	pid_t child;

	apply_with(socket, a, &by_name);
	child = fork();
	assert_true(child >= 0);
	if (child == 0)
		write_for_ever();
	for (unsigned i = 0; i < 100000 && (!whole[0] || !whole[1] || !torn || i < 300); i++) {
		CLEANUP(ruleset_freep) struct ruleset *read = NULL;
		int r = nf_read(socket, 1, NULL, &read);

		assert_true(r == 0 || r == -EAGAIN);
		if (r < 0) {
			torn++;
			continue;
		}
		assert_int_equal(read->table_count, 1);
		if (ruleset_table_equal(&a->tables[0], &read->tables[0], NULL))
			whole[0]++;
		else if (ruleset_table_equal(&b->tables[0], &read->tables[0], NULL))
			whole[1]++;
		else
			fail_msg("a mixture of two rulesets was read");
	}
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, NULL, 0), child);
	print_message("# %u and %u whole, %u torn and told so\n", whole[0], whole[1], torn);
	assert_true(whole[0] + whole[1] > 0);
	assert_true(torn > 0);
}

/* ---- what nft makes ---- */

/* Run nft with @text as its input (NULL: list what there is). What it prints goes to @ret_output.
 */
static int run_nft(const char *text, struct buf *output)
{
	int in[2], out[2], status;
	char piece[4096];
	ssize_t len;
	pid_t child;

	assert_int_equal(pipe(in), 0);
	assert_int_equal(pipe(out), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		/* nft 1.0.6 never ends when it meets a rule in a chain that it cannot read. */
		alarm(NFT_SECONDS);
		dup2(in[0], STDIN_FILENO);
		dup2(out[1], STDOUT_FILENO);
		dup2(out[1], STDERR_FILENO);
		for (int i = 0; i < 2; i++) {
			close(in[i]);
			close(out[i]);
		}
		if (text)
			execlp("nft", "nft", "-f", "-", (char *)NULL);
		else
			execlp("nft", "nft", "list", "ruleset", (char *)NULL);
		_exit(NFT_MISSING);
	}
	close(in[0]);
	close(out[1]);
	if (text)
		assert_int_equal(write(in[1], text, strlen(text)), strlen(text));
	close(in[1]);
	while ((len = read(out[0], piece, sizeof(piece))) > 0)
		buf_add(output, piece, (size_t)len);
	close(out[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void need_nft(void)
{
	AUTO_BUF struct buf output = {.cap = 1 << 20};
	const char *must = getenv("LETHE_MUST_RUN");

	if (run_nft("", &output) != NFT_MISSING)
		return;
	print_message("# nft is not installed\n");
	if (must && strcmp(must, "1") == 0)
		fail_msg("nft is not installed");
	skip();
}

static void require_listed(const char *listing, const char *line)
{
	if (!strstr(listing, line))
		fail_msg("not in nft's listing: %s", line);
}

static void test_nft_lists_ours(void **state)
{
	struct nf_socket *socket = need(state);
	CLEANUP(ruleset_freep) struct ruleset *sample = sample_full("lo");
	AUTO_BUF struct buf output = {.cap = 1 << 20};
	const char *listing;

	need_nft();
	apply_with(socket, sample, &by_name);
	assert_int_equal(run_nft(NULL, &output), 0);
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
    {"table ip f { chain c { type nat hook postrouting priority srcnat; masquerade; }; }", UNKNOWN,
     "masq"},
    {"table ip f { chain c { type nat hook output priority -100; tcp dport 80 dnat to 1.2.3.4:8; "
     "}; }",
     UNKNOWN, "nat"},
    {"table ip f { chain c { type nat hook output priority -100; tcp dport 80 redirect to :8; }; }",
     UNKNOWN, "redir"},
    {"table inet f { chain c { type filter hook input priority 0; ct state new accept; }; }",
     UNKNOWN, "ct"},
    {"table inet f { chain c { type filter hook input priority 0; log prefix \"x\"; }; }", UNKNOWN,
     "log"},
    {"table inet f { chain c { type filter hook input priority 0; limit rate 5/second accept; }; }",
     UNKNOWN, "limit"},
    {"table inet f { chain c { type filter hook input priority 0; quota 5 mbytes drop; }; }",
     UNKNOWN, "quota"},
    {"table inet f { chain c { type filter hook prerouting priority -300; notrack; }; }", UNKNOWN,
     "notrack"},
    {"table inet f { chain c { type filter hook output priority 0; meta mark set 7; }; }", UNKNOWN,
     "meta"},
    {"table inet f { chain c { type filter hook output priority 0; meta nftrace set 1; }; }",
     UNKNOWN, "meta"},
    {"table ip f { chain c { type filter hook output priority 0; ip dscp set 8; }; }", UNKNOWN,
     "payload"},
    {"table ip f { chain c { type filter hook output priority 0; ip ttl set 8; }; }", UNKNOWN,
     "payload"},
    {"table ip f { chain c { type filter hook output priority 0; meta mark set mark << 2; }; }",
     UNKNOWN, "bitwise"},
    {"table inet f { chain c { type filter hook prerouting priority 0;\n"
     "fib daddr type local accept; }; }",
     UNKNOWN, "fib"},
    {"table inet f { chain c { type filter hook input priority 0;\n"
     "tcp option maxseg size 5 accept; }; }",
     UNKNOWN, "exthdr"},
    {"table inet f { chain c { type filter hook input priority 0; numgen random mod 2 0 drop; }; }",
     UNKNOWN, "numgen"},
    {"table ip f { chain c { type filter hook input priority 0; jhash ip saddr mod 2 0 drop; }; }",
     UNKNOWN, "hash"},
    {"table inet f { chain c { type filter hook input priority 0; ct count 5 drop; }; }", UNKNOWN,
     "connlimit"},
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
     INCOMPLETE, "objref"},
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
	CLEANUP(ruleset_freep) struct ruleset *read = read_all(socket);
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
		apply_with(socket, read, &by_name);
		require_held(socket, read);
	}
}

static void test_foreign_rulesets(void **state)
{
	struct nf_socket *socket = need(state);
	AUTO_BUF struct buf output = {.cap = 1 << 20};
	unsigned loaded = 0;

	need_nft();
	for (size_t i = 0; i < ARRAY_SIZE(foreign); i++) {
		AUTO_BUF struct buf words = {.cap = 1 << 20};

		assert_int_equal(run_nft("flush ruleset\n", &output), NFT_LOADED);
		if (run_nft(foreign[i].text, &words) != NFT_LOADED) {
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
	struct nf_socket *socket = need(state);
	CLEANUP(ruleset_freep) struct ruleset *sample = sample_full("lo"), *read = NULL;
	AUTO_BUF struct buf output = {.cap = 1 << 20};

	need_nft();
	assert_int_equal(run_nft("table inet other { chain lethe-test { tcp dport 1 accept; }; }\n"
				 "table ip lethe-test { counter k { }; }\n",
				 &output),
			 0);
	apply_with(socket, sample, &by_name);
	apply_with(socket, sample, &by_name);
	read = read_all(socket);
	assert_int_equal(read->table_count, 4);
	assert_true(read->incomplete);
	assert_non_null(ruleset_find_table(read, RULESET_INET, "other"));
	read = ruleset_free(read);
	/* The object is in another table of the same name: not in this one. */
	assert_int_equal(nf_read_table(socket, RULESET_INET, NAME, &read), 0);
	assert_false(read->incomplete);
	assert_true(ruleset_table_equal(&sample->tables[0], &read->tables[0], NULL));
}

#define KERNEL_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    KERNEL_TEST(test_everything_by_prefix),
	    KERNEL_TEST(test_everything_by_name),
	    KERNEL_TEST(test_twice_is_once),
	    KERNEL_TEST(test_read_one_table),
	    KERNEL_TEST(test_read_notices_a_change),
	    KERNEL_TEST(test_large_sets),
	    KERNEL_TEST(test_remove),
	    KERNEL_TEST(test_error_in_the_middle),
	    KERNEL_TEST(test_error_at_the_end),
	    KERNEL_TEST(test_not_a_batch),
	    KERNEL_TEST(test_lost_answers),
	    KERNEL_TEST(test_left_over_answers),
	    KERNEL_TEST(test_probe),
	    KERNEL_TEST(test_reads_are_whole),
	    KERNEL_TEST(test_nft_lists_ours),
	    KERNEL_TEST(test_foreign_rulesets),
	    KERNEL_TEST(test_beside_others),
	};

	/* nft may end before it has read all of its input; that is no end of the tests. */
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

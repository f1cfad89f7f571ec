/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Our own rulesets against the running kernel. */
#include "socket.h"
#include "test_kernel_help.h"
#include "test_sample.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

#define TABLE_PERSIST 4 /* NFT_TABLE_F_PERSIST, not in older headers */

static const struct nf_batch_options by_prefix = {.device_prefix = true};

static bool prefix_supported(struct nf_socket *socket)
{
	bool supported = false;

	assert_int_equal(nf_probe_device_prefix(socket, &supported), 0);
	return supported;
}

static const struct nf_batch_options *options_for(struct nf_socket *socket)
{
	return prefix_supported(socket) ? &by_prefix : &kernel_by_name;
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

/* ---- there and back ---- */

static void test_everything_by_prefix(void **state)
{
	struct nf_socket *socket = kernel_need(state);
	CLEANUP(ruleset_freep) struct ruleset *sample = sample_full("lo");

	if (!prefix_supported(socket)) {
		print_message("# this kernel does not bind chains by prefix\n");
		skip();
	}
	kernel_apply(socket, sample, &by_prefix);
	kernel_require_held(socket, sample);
}

static void test_everything_by_name(void **state)
{
	struct nf_socket *socket = kernel_need(state);
	CLEANUP(ruleset_freep) struct ruleset *sample = sample_full("lo");
	CLEANUP(ruleset_freep) struct ruleset *expected = sample_as_read(false);

	kernel_apply(socket, sample, &kernel_by_name);
	kernel_require_held(socket, expected);
}

static void test_twice_is_once(void **state)
{
	struct nf_socket *socket = kernel_need(state);
	const struct nf_batch_options *options = options_for(socket);
	CLEANUP(ruleset_freep) struct ruleset *sample = sample_full("lo");
	CLEANUP(ruleset_freep) struct ruleset *once = NULL;

	kernel_apply(socket, sample, options);
	once = kernel_read(socket);
	kernel_apply(socket, sample, options);
	kernel_require_held(socket, once);
}

static void test_read_one_table(void **state)
{
	struct nf_socket *socket = kernel_need(state);
	CLEANUP(ruleset_freep) struct ruleset *sample = sample_full("lo");
	CLEANUP(ruleset_freep) struct ruleset *inet = NULL, *none = NULL;

	kernel_apply(socket, sample, &kernel_by_name);
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
	struct nf_socket *socket = kernel_need(state);
	CLEANUP(ruleset_freep) struct ruleset *sample = sample_large(500, true);
	CLEANUP(ruleset_freep) struct ruleset *read = NULL;

	kernel_apply(socket, sample, &kernel_by_name);
	sample->tables[0].sets[0].elements[321].key.bytes[3] ^= 1;
	read = kernel_read(socket);
	assert_false(ruleset_table_equal(&sample->tables[0], &read->tables[0], NULL));
}

static void large(struct nf_socket *socket, size_t count, bool interval, uint32_t size)
{
	CLEANUP(ruleset_freep) struct ruleset *sample = sample_large(count, interval);

	sample->tables[0].sets[0].size = size;
	kernel_apply(socket, sample, &kernel_by_name);
	kernel_require_held(socket, sample);
	/* And again over itself. */
	kernel_apply(socket, sample, &kernel_by_name);
	kernel_require_held(socket, sample);
}

static void test_large_sets(void **state)
{
	struct nf_socket *socket = kernel_need(state);

	large(socket, 10000, false, 0);
	large(socket, 10000, true, 0);
	large(socket, 10000, false, 10000);
	large(socket, 100000, false, 0);
	large(socket, 100000, true, 0);
}

static void test_remove(void **state)
{
	struct nf_socket *socket = kernel_need(state);
	CLEANUP(ruleset_freep) struct ruleset *sample = sample_full("lo"), *other = ruleset_new();
	AUTO_BUF struct buf removal = {.cap = NF_BATCH_MAX};

	assert_non_null(ruleset_add_table(other, RULESET_INET, "other"));
	kernel_apply(socket, other, &kernel_by_name);
	kernel_apply(socket, sample, &kernel_by_name);
	assert_int_equal(nf_batch_remove(sample, false, &removal), 0);
	kernel_send(socket, &removal);
	kernel_require_held(socket, other);
	/* Nothing to remove is no failure. */
	kernel_send(socket, &removal);
	kernel_require_held(socket, other);
}

/* Who owns a table may replace it, nobody else may touch it; it outlives its owner, who may take it
 * up again. (Linux 6.9.) */
static void test_owned_table(void **state)
{
	struct nf_socket *first = kernel_need(state);
	CLEANUP(nf_closep) struct nf_socket *owner = NULL, *heir = NULL;
	CLEANUP(ruleset_freep) struct ruleset *sample = sample_large(10, true);
	AUTO_BUF struct buf batch = {.cap = NF_BATCH_MAX}, removal = {.cap = NF_BATCH_MAX};
	struct diag diag = {0};
	int r;

	sample->tables[0].flags = NFT_TABLE_F_OWNER | TABLE_PERSIST;
	assert_int_equal(nf_batch_build(sample, &kernel_by_name, &batch), 0);
	assert_int_equal(nf_batch_remove(sample, false, &removal), 0);
	assert_int_equal(nf_open(&owner), 0);
	r = nf_batch_send(owner, batch.data, batch.len, &diag);
	if (r == -EOPNOTSUPP) {
		print_message("# this kernel has no tables that outlive their owner\n");
		skip();
	}
	assert_int_equal(r, 0);
	kernel_send(owner, &batch);
	assert_int_equal(nf_batch_send(first, batch.data, batch.len, &diag), -EPERM);
	assert_int_equal(nf_batch_send(first, removal.data, removal.len, &diag), -EPERM);
	assert_non_null(strstr(diag.hint, "own"));
	kernel_require_held(first, sample);
	owner = nf_close(owner);
	kernel_require_held(first, sample);
	assert_int_equal(nf_open(&heir), 0);
	kernel_send(heir, &batch);
	assert_int_equal(nf_batch_send(first, removal.data, removal.len, &diag), -EPERM);
	kernel_send(heir, &removal);
}

/* ---- all or nothing ---- */

static void test_error_in_the_middle(void **state)
{
	struct nf_socket *socket = kernel_need(state);
	const struct ruleset_expression jump = {.kind = RULESET_IMMEDIATE,
						.immediate.verdict = {RULESET_JUMP, "missing"}};
	CLEANUP(ruleset_freep)
	struct ruleset *sample = sample_full("lo"), *wrong = sample_full("lo");
	CLEANUP(ruleset_freep) struct ruleset *expected = sample_as_read(false);
	AUTO_BUF struct buf batch = {.cap = NF_BATCH_MAX};
	uint32_t before, after;
	struct diag diag = {0};
	struct ruleset_rule *rule;

	kernel_apply(socket, sample, &kernel_by_name);
	assert_int_equal(nf_generation(socket, &before), 0);
	assert_string_equal(wrong->tables[0].chains[1].name, "leaf");
	rule = ruleset_add_rule(&wrong->tables[0].chains[1], "");
	assert_non_null(rule);
	assert_non_null(ruleset_add_expression(rule, &jump));
	assert_int_equal(nf_batch_build(wrong, &kernel_by_name, &batch), 0);
	assert_int_equal(nf_batch_send(socket, batch.data, batch.len, &diag), -ENOENT);
	print_message("# %s\n", diag.message);
	assert_non_null(strstr(diag.message, "rule in chain leaf of table " NAME));
	assert_int_equal(nf_generation(socket, &after), 0);
	assert_int_equal(before, after);
	kernel_require_held(socket, expected);
	/* The socket goes on. */
	kernel_apply(socket, sample, &kernel_by_name);
}

/* Refused only when all of it is there: chains that call each other. */
static void test_error_at_the_end(void **state)
{
	struct nf_socket *socket = kernel_need(state);
	const struct ruleset_expression loop = {.kind = RULESET_IMMEDIATE,
						.immediate.verdict = {RULESET_JUMP, "leaf"}};
	CLEANUP(ruleset_freep) struct ruleset *sample = sample_full("lo");
	AUTO_BUF struct buf batch = {.cap = NF_BATCH_MAX};
	CLEANUP(ruleset_freep) struct ruleset *read = NULL;
	struct diag diag = {0};
	struct ruleset_rule *rule = ruleset_add_rule(&sample->tables[0].chains[1], "");

	assert_non_null(rule);
	assert_non_null(ruleset_add_expression(rule, &loop));
	assert_int_equal(nf_batch_build(sample, &kernel_by_name, &batch), 0);
	assert_int_equal(nf_batch_send(socket, batch.data, batch.len, &diag), -EMLINK);
	read = kernel_read(socket);
	assert_int_equal(read->table_count, 0);
}

static void test_not_a_batch(void **state)
{
	struct nf_socket *socket = kernel_need(state);
	CLEANUP(ruleset_freep) struct ruleset *sample = sample_full("lo"), *read = NULL;
	AUTO_BUF struct buf batch = {.cap = NF_BATCH_MAX};
	struct diag diag = {0};

	assert_int_equal(nf_batch_build(sample, &kernel_by_name, &batch), 0);
	/* Without its end the kernel would drop it and still acknowledge. */
	assert_int_equal(nf_batch_send(socket, batch.data, batch.len - 20, &diag), -EBADMSG);
	read = kernel_read(socket);
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
	struct nf_socket *socket = kernel_need(state);
	AUTO_BUF struct buf right = many_messages(5000, false), wrong = many_messages(5000, true);
	CLEANUP(ruleset_freep) struct ruleset *read = NULL;
	struct diag diag = {0};

	/* All of them fit ordinarily. */
	assert_int_equal(nf_batch_send(socket, wrong.data, wrong.len, &diag), -ENOENT);
	assert_non_null(strstr(diag.message, "message 1 "));
	kernel_send(socket, &right);
	shrink_queue(socket);
	assert_int_equal(nf_batch_send(socket, wrong.data, wrong.len, &diag), -ENOENT);
	assert_int_equal(nf_batch_send(socket, right.data, right.len, &diag), -ENOBUFS);
	print_message("# %s\n", diag.message);
	/* Not a verdict: it was done. */
	read = kernel_read(socket);
	assert_int_equal(read->table_count, 1);
}

static void test_left_over_answers(void **state)
{
	struct nf_socket *socket = kernel_need(state);
	AUTO_BUF struct buf wrong = many_messages(100, true), right = many_messages(100, false);
	uint32_t generation;

	/* An earlier user of the socket did not wait for its answers, which are refusals. */
	assert_int_equal(nf_socket_send(socket, wrong.data, wrong.len), 0);
	kernel_send(socket, &right);
	assert_int_equal(nf_socket_send(socket, wrong.data, wrong.len), 0);
	assert_int_equal(nf_generation(socket, &generation), 0);
}

/* ---- the probe ---- */

static void test_probe(void **state)
{
	struct nf_socket *socket = kernel_need(state);
	CLEANUP(ruleset_freep) struct ruleset *sample = sample_full("lo"), *read = NULL;
	AUTO_BUF struct buf batch = {.cap = NF_BATCH_MAX};
	bool supported = true, unknown = true, known = false;
	uint32_t before, after;
	int r;

	assert_int_equal(nf_generation(socket, &before), 0);
	assert_int_equal(nf_probe_device_prefix(socket, &supported), 0);
	/* A kernel without the attribute answers as this one does for one that none has. */
	assert_int_equal(nf_probe_device_attribute(socket, 77, &unknown), 0);
	assert_false(unknown);
	/* A flag that every kernel knows, and one that none has. */
	assert_int_equal(nf_probe_table_flags(socket, NFT_TABLE_F_DORMANT, &known), 0);
	assert_true(known);
	assert_int_equal(nf_probe_table_flags(socket, 0x8000, &unknown), 0);
	assert_false(unknown);
	assert_int_equal(nf_generation(socket, &after), 0);
	assert_int_equal(before, after);
	read = kernel_read(socket);
	assert_int_equal(read->table_count, 0);
	print_message("# binding by prefix: %s\n", supported ? "yes" : "no");
	assert_int_equal(nf_batch_build(sample, &by_prefix, &batch), 0);
	r = nf_batch_send(socket, batch.data, batch.len, NULL);
	assert_int_equal(r, supported ? 0 : -EINVAL);
}

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
	    KERNEL_TEST(test_owned_table),
	    KERNEL_TEST(test_error_in_the_middle),
	    KERNEL_TEST(test_error_at_the_end),
	    KERNEL_TEST(test_not_a_batch),
	    KERNEL_TEST(test_lost_answers),
	    KERNEL_TEST(test_left_over_answers),
	    KERNEL_TEST(test_probe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

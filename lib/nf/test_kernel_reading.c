/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reading while others write. */
#include "codec.h"
#include "test_kernel_help.h"
#include "test_sample.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define WRITER_SECONDS 60
#define ROUNDS         10
#define LARGE          100000 /* elements: a change that takes the kernel a while */
#define BEFORE_MAX     300 /* readings that come in before the kernel has begun with the change */

/* ---- what is settled ---- */

static void test_settled(void **state)
{
	struct nf_socket *socket = kernel_need(state);
	CLEANUP(ruleset_freep) struct ruleset *sample = sample_large(300, true);
	uint32_t before, after;

	kernel_apply(socket, sample, &kernel_by_name);
	assert_int_equal(nf_generation(socket, &before), 0);
	assert_int_equal(nf_generation_settled(socket, before), 0);
	assert_int_equal(nf_generation_settled(socket, before - 1), -EAGAIN);
	assert_int_equal(nf_generation_settled(socket, before + 1), -EAGAIN);
	/* The refusals were the last of it, and to ask has changed nothing. */
	assert_int_equal(nf_generation_settled(socket, before), 0);
	assert_int_equal(nf_generation(socket, &after), 0);
	assert_int_equal(before, after);
	kernel_require_held(socket, sample);
	kernel_apply(socket, sample, &kernel_by_name);
	assert_int_equal(nf_generation_settled(socket, before), -EAGAIN);
}

/* ---- by one large change ---- */

enum stage { STAGE_READY, STAGE_SENDING, STAGE_SENT };

static void write_once(const struct buf *batch, _Atomic enum stage *stage)
{
	struct nf_socket *socket = NULL;
	struct diag diag = {0};

	alarm(WRITER_SECONDS);
	if (nf_open(&socket) < 0)
		_exit(1);
	*stage = STAGE_SENDING;
	if (nf_batch_send(socket, batch->data, batch->len, &diag) < 0)
		_exit(1);
	*stage = STAGE_SENT;
	_exit(0);
}

/* The readings that showed @old while somebody put @batch in its place. */
static unsigned old_readings(struct nf_socket *socket, const struct ruleset *old,
			     const struct buf *batch, _Atomic enum stage *stage)
{
	unsigned count = 0;
	int status = 0;
	pid_t child, ended = 0;

	*stage = STAGE_READY;
	child = fork();
	assert_true(child >= 0);
	if (child == 0)
		write_once(batch, stage);
	while (ended == 0) {
		CLEANUP(ruleset_freep) struct ruleset *read = NULL;
		bool sending = *stage == STAGE_SENDING;
		int r = nf_read(socket, 1, NULL, &read);

		assert_true(r == 0 || r == -EAGAIN);
		if (r == 0 && sending &&
		    ruleset_table_equal(&old->tables[0], &read->tables[0], NULL))
			count++;
		ended = waitpid(child, &status, WNOHANG);
	}
	/* A writer that failed would have been waited for by nobody. */
	assert_int_equal(ended, child);
	assert_int_equal(status, 0);
	assert_int_equal(*stage, STAGE_SENT);
	return count;
}

/*
 * Who reads waits for a change that has been begun, as it may be at any point, and then says that
 * it was torn. Without that the old ruleset is read many times over while the kernel prepares the
 * change. Most of the rounds must tell: in one of them the writer may lose its processor between
 * what it says and what it does.
 */
static void test_reads_wait_for_a_change(void **state)
{
	struct nf_socket *socket = kernel_need(state);
	CLEANUP(ruleset_freep)
	struct ruleset *small = sample_large(30, true), *large = sample_large(LARGE, true);
	AUTO_BUF struct buf batch = {.cap = NF_BATCH_MAX};
	_Atomic enum stage *stage =
	    mmap(NULL, sizeof(*stage), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	unsigned waited = 0;

	assert_ptr_not_equal(stage, MAP_FAILED);
	assert_int_equal(nf_batch_build(large, &kernel_by_name, &batch), 0);
	for (unsigned i = 0; i < ROUNDS; i++) {
		unsigned count;

		kernel_apply(socket, small, &kernel_by_name);
		count = old_readings(socket, small, &batch, stage);
		print_message("# the old one was read %u times beside a change\n", count);
		waited += count <= BEFORE_MAX;
	}
	assert_true(waited > ROUNDS / 2);
	assert_int_equal(munmap(stage, sizeof(*stage)), 0);
}

/* ---- by many small changes ---- */

static void write_for_ever(void)
{
	struct nf_socket *socket = NULL;
	struct ruleset *samples[2] = {sample_large(300, true), sample_large(301, true)};
	struct buf batches[2] = {{.cap = NF_BATCH_MAX}, {.cap = NF_BATCH_MAX}};

	alarm(WRITER_SECONDS); /* if the parent dies without ending us */
	for (int i = 0; i < 2; i++)
		if (nf_batch_build(samples[i], &kernel_by_name, &batches[i]) < 0)
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
	struct nf_socket *socket = kernel_need(state);
	CLEANUP(ruleset_freep)
	struct ruleset *a = sample_large(300, true), *b = sample_large(301, true);
	unsigned whole[2] = {0}, torn = 0;
	pid_t child;

	kernel_apply(socket, a, &kernel_by_name);
	child = fork();
	assert_true(child >= 0);
	if (child == 0)
		write_for_ever();
	for (unsigned i = 0; i < 100000 && (!whole[0] || !whole[1] || !torn || i < 300); i++) {
		CLEANUP(ruleset_freep) struct ruleset *read = NULL;
		int r = nf_read(socket, 1, NULL, &read);

		if (r < 0 && r != -EAGAIN)
			fail_msg("reading number %u: %s", i, strerrordesc_np(-r));
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

int main(void)
{
	const struct CMUnitTest tests[] = {
	    KERNEL_TEST(test_settled),
	    KERNEL_TEST(test_reads_wait_for_a_change),
	    KERNEL_TEST(test_reads_are_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

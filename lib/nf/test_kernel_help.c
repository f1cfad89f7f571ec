/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "test_kernel_help.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define TRIES 100

static const char loopback[][RULESET_DEVICE_MAX] = {"lo"};
const struct nf_batch_options kernel_by_name = {.devices = loopback, .device_count = 1};

int kernel_setup(void **state)
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

int kernel_teardown(void **state)
{
	*state = nf_close(*state);
	return 0;
}

struct nf_socket *kernel_need(void **state)
{
	if (!*state)
		skip();
	return *state;
}

/* ---- doing and comparing ---- */

void kernel_send(struct nf_socket *socket, const struct buf *batch)
{
	struct diag diag = {0};
	int r = nf_batch_send(socket, batch->data, batch->len, &diag);

	if (r < 0)
		fail_msg("%s", diag.message);
}

void kernel_apply(struct nf_socket *socket, const struct ruleset *ruleset,
		  const struct nf_batch_options *options)
{
	AUTO_BUF struct buf batch = {.cap = NF_BATCH_MAX};

	assert_int_equal(nf_batch_build(ruleset, options, &batch), 0);
	kernel_send(socket, &batch);
}

struct ruleset *kernel_read(struct nf_socket *socket)
{
	struct ruleset *ruleset = NULL;

	assert_int_equal(nf_read(socket, TRIES, NULL, &ruleset), 0);
	return ruleset;
}

void kernel_require_held(struct nf_socket *socket, const struct ruleset *expected)
{
	CLEANUP(ruleset_freep) struct ruleset *read = kernel_read(socket);

	test_require_equal(expected, read);
}

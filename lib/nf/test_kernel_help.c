/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "test_kernel_help.h"

#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#define NFT_SECONDS 60
#define TRIES       100

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

/* ---- nft ---- */

int kernel_nft(const char *text, struct buf *output)
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
		_exit(KERNEL_NFT_MISSING);
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

void kernel_need_nft(void)
{
	AUTO_BUF struct buf output = {.cap = 1 << 20};
	const char *must = getenv("LETHE_MUST_RUN");

	if (kernel_nft("", &output) != KERNEL_NFT_MISSING)
		return;
	print_message("# nft is not installed\n");
	if (must && strcmp(must, "1") == 0)
		fail_msg("nft is not installed");
	skip();
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the tests against the running kernel share. */
#pragma once

#include "codec.h"
#include "test_help.h"

/* Bound to lo by its name. */
extern const struct nf_batch_options kernel_by_name;

/* Each test has a network namespace of its own and a socket in it. Without the right to make one
 * the test says so and is skipped, or fails if LETHE_MUST_RUN is 1. */
int kernel_setup(void **state);
int kernel_teardown(void **state);
#define KERNEL_TEST(test) cmocka_unit_test_setup_teardown(test, kernel_setup, kernel_teardown)

/* The socket; skips the test where there is none. */
struct nf_socket *kernel_need(void **state);

/* These fail the test where the kernel does. */
void kernel_send(struct nf_socket *socket, const struct buf *batch);
void kernel_apply(struct nf_socket *socket, const struct ruleset *ruleset,
		  const struct nf_batch_options *options);
struct ruleset *kernel_read(struct nf_socket *socket);

/* Fails the test unless the kernel holds exactly this. */
void kernel_require_held(struct nf_socket *socket, const struct ruleset *expected);

/* Run nft with @text as its input (NULL: list what there is). What it prints goes to @output. It
 * may end before it has read all of its input: ignore SIGPIPE. Returns what it exits with. */
#define KERNEL_NFT_LOADED  0
#define KERNEL_NFT_MISSING 127
int kernel_nft(const char *text, struct buf *output);

/* Skips the test where there is no nft, or fails it if LETHE_MUST_RUN is 1. */
void kernel_need_nft(void);

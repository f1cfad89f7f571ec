/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the tests of this room share. */
#pragma once

#include "codec.h"

#define NAME "lethe-test"

extern const struct nf_batch_options test_prefix;

struct nf_span test_span(const struct buf *buf);

/* Fails the test where the bytes cannot be read. */
struct ruleset *test_decode(const struct buf *buf);

/* Fails the test with the difference. */
void test_require_equal(const struct ruleset *a, const struct ruleset *b);

/* Begin a message; write a whole one. */
void test_message(struct nf_writer *writer, uint16_t type, uint8_t family);
void test_put_table(struct nf_writer *writer, uint8_t family, const char *name);
void test_put_object(struct nf_writer *writer);

/* A base chain, bound to the devices of a prefix unless that is NULL. */
void test_put_chain(struct nf_writer *writer, const char *name, uint32_t flags, const char *prefix);

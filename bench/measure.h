/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the benchmark programs share. They print raw samples; bench/run makes figures of them. */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include <base/cleanup.h>

/* Say "program: what: why" and end with status 1. A benchmark has nobody to hand an error to. */
_Noreturn void fail(int error, const char *format, ...) PRINTF(2, 3);

/* Nanoseconds: of this thread's processor time (interrupt work on its behalf included), and of the
 * clock on the wall. */
uint64_t cpu_now(void);
uint64_t wall_now(void);

/* Keep the thread on one processor, the one it is on, so that a packet's way through the loopback
 * or a veth pair stays in its own processor time. */
void stay_here(void);

/* Move the thread into the network namespace behind @fd, from namespace_open(). */
int namespace_open(const char *name);
void namespace_enter(int fd);

/* Sockets made from now on belong to this user; the right to change namespaces stays. */
void become_owner(uint32_t uid);

/* A number given on the command line; ends the program if it is none or above @max. */
uint64_t number_of(const char *text, uint64_t max);

/* One thing to measure, from a word "NAME,KIND,NAMESPACE,PEER,UID,ADDRESS,PORT". */
struct bench_case {
	char name[48], kind[16];
	int client, peer; /* namespaces */
	uint32_t uid;
	struct sockaddr_in address;
};
void case_parse(const char *word, struct bench_case *ret_case);

/* A listening socket of root's in @namespace, at the case's address. */
int case_listen(const struct bench_case *bench);

/* Shuffle @order, the numbers below @count, so that no ruleset is always measured after the same
 * other one. @state is any number but 0. */
void shuffle(size_t *order, size_t count, uint64_t *state);

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which processes hold a socket: looked up in /proc, by the names of descriptors. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <base/cleanup.h>

#define HOLDER_PATH_MAX 512
#define HOLDER_COMM_MAX 16
#define HOLDER_UNIT_MAX 128

/* Texts are printable ASCII, with '?' for what is not; "" is unknown. */
struct holder {
	uint32_t inode;	    /* the socket's; set by who asks */
	uint32_t processes; /* how many hold it; 0: it was closed meanwhile, or is the kernel's */
	uint32_t pid;	    /* of these, the one with the lowest number */
	char path[HOLDER_PATH_MAX]; /* of its executable; its end, behind "...", if it is longer */
	char comm[HOLDER_COMM_MAX];
	char unit[HOLDER_UNIT_MAX]; /* the innermost unit of systemd's */
};

/*
 * Fill in who holds each of the @count sockets, which are sorted by inode; 0 is nobody's. @proc is
 * where the kernel shows processes, "/proc". What cannot be seen for want of a right, or because a
 * process ended meanwhile, is passed over. Returns 0, or -errno if @proc cannot be read at all.
 */
MUST_CHECK int holders_find(const char *proc, struct holder *holders, size_t count);

/* ---- for tests ---- */

/* Read "socket:[123]". Returns 0, or -EINVAL for any other text. */
MUST_CHECK int holders_parse_link(const char *text, uint32_t *ret_inode);

/* The unit in what /proc/PID/cgroup says, copied to @unit; "" if there is none. */
void holders_parse_unit(const char *text, char unit[static HOLDER_UNIT_MAX]);

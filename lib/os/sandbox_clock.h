/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Sandboxes by system call for three more kinds of program, as those in sandbox.h: any call that is
 * not named ends the process, no new privileges, 0 or -errno.
 */
#pragma once

#include <base/cleanup.h>

/* What is open is read and written; CLOCK_REALTIME is set, and asked how it is kept. Nothing is opened
 * (EACCES), connected or started. */
MUST_CHECK int sandbox_setting_clock(void);

/*
 * Sockets of AF_UNIX are connected and taken; files are made in, and replaced in, the open folder
 * @folder (-EBADF: in none), and none is opened otherwise (EACCES). No socket of another family, no
 * program started.
 */
MUST_CHECK int sandbox_conversing(int folder);

/*
 * Connections over IPv4 to anywhere; files are opened for reading alone; threads of this process may be
 * made. Sockets of AF_NETLINK ask the kernel which addresses there are; other families are refused
 * (EAFNOSUPPORT), because a resolver asks for them and does without. No program is started, no other
 * process is traced or told anything.
 */
MUST_CHECK int sandbox_fetching(void);

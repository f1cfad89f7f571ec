/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Giving up what is no longer needed, in one order: capabilities, new privileges, system calls. */
#pragma once

#include <stdint.h>

#include <base/cleanup.h>

/* Keep only the capability @keep (CAP_*), in every set, and none to gain: then check that it is so.
 * Returns 0, -EINVAL (no such capability), -EPERM (it did not take), or -errno. */
MUST_CHECK int sandbox_keep_capability(unsigned keep);

/* The same for a set of them, 1ull << CAP_X for each. */
MUST_CHECK int sandbox_keep_capabilities(uint64_t keep);

/* The same, and keep none. */
MUST_CHECK int sandbox_keep_no_capability(void);

/*
 * From here on only the system calls of a program that reads files it names, writes its output and
 * talks netlink; no other socket, no program started, no tracing. Any other call ends the process.
 * Returns 0 or -errno.
 */
MUST_CHECK int sandbox_netlink_only(void);

/* From here on, for this process and all that it starts: the sizes of sockets' buffers and windows are the
 * system's choice. To set them is answered as done, and changes nothing, because they are seen on the
 * wire. No new privileges. Returns 0 or -errno. */
MUST_CHECK int sandbox_usual_buffers(void);

/*
 * From here on only the system calls of a resident program that owns what its netlink sockets made:
 * it talks netlink, takes connections at sockets that listen already, reads /proc/sys and writes its
 * files in folders that it may open. It starts no program, but may split off a process that thinks for
 * it. Any other call ends the process. No new privileges. Returns 0 or -errno.
 */
MUST_CHECK int sandbox_resident(void);

/*
 * From here on only what a program needs that has opened all it will read: files and sockets that
 * are open are read and written, and nothing is opened, connected, started or traced. Opening a file
 * fails with EACCES, so that a library that would like its settings does without; any other call ends
 * the process. No new privileges. Returns 0 or -errno.
 */
MUST_CHECK int sandbox_opened_only(void);

/*
 * From here on only what a daemon needs that has opened its sockets: they are read and written, files
 * are opened for reading alone, and a BPF object that is open may be asked what it has counted.
 * Nothing is connected, written to a new file, started or traced; any other call ends the process. No
 * new privileges. Returns 0 or -errno.
 */
MUST_CHECK int sandbox_serving(void);

/* The same; and new files may be made in the open folder @folder, take the place of others there, and
 * go. With -EBADF the same alone. */
MUST_CHECK int sandbox_reporting(int folder);

/* The same, without a folder; and it may connect to UNIX sockets, of which it makes new ones. */
MUST_CHECK int sandbox_calling(void);

/*
 * From here on only what a program needs that hands on connections for a process that it has started,
 * whose pidfd is @process: connections are taken at sockets that listen already, and made by TCP; that
 * process, and no other, may be killed and waited for. Opening a file fails with EACCES; any other call
 * ends this process. No new privileges. Returns 0 or -errno.
 */
MUST_CHECK int sandbox_relaying(int process);

/*
 * From here on only what a doorkeeper needs that has opened its listening sockets: it takes connections,
 * asks the kernel over sockets that are open whose they are, and splits off processes in the same
 * namespaces, which may connect to UNIX sockets, read files by way of the open folder @folder, and then
 * restrict themselves further. By way of another folder or of none no file is opened (EACCES). Paths are
 * not looked at: one from the root, or with "..", leads out of @folder to whatever the user may read, and
 * that is left to who may read what; so is to which UNIX sockets it connects. Nothing else is connected,
 * started or traced; any other call ends the process. No new privileges. Returns 0 or -errno.
 */
MUST_CHECK int sandbox_doorkeeper(int folder);

/* What a client of TCP needs that has opened all it will read, besides sandbox_opened_only(): it may make
 * IPv4 stream sockets and connect them. Where to is left to the filter, by its user. */
MUST_CHECK int sandbox_asking(void);

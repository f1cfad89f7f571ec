/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Signals as something to wait for. */
#pragma once

#include <base/cleanup.h>

/*
 * Block what asks for the end, SIGTERM and SIGINT, and @more (0: none), and give a descriptor that brings
 * them (signalfd(2)): closed on exec, never waited for by itself. A process that is split off keeps the
 * block, and must take it away before it becomes another program. Returns 0 and the caller's descriptor, or
 * -errno; what was blocked stays so.
 */
MUST_CHECK int signals_open(int more, int *ret_fd);

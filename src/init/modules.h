/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Loads kernel modules: those that are always needed, and the drivers of what is plugged in. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <base/cleanup.h>
#include <base/diag.h>

struct modules;

/* Read the initramfs's list. @cmdline is the kernel's command line, for parameters of modules; it
 * is borrowed. modules_free() frees. Returns 0, or -errno with the reason in @diag. */
MUST_CHECK int modules_open(const char *cmdline, struct diag *diag, struct modules **ret_modules);

/* Returns NULL. @modules may be NULL. */
struct modules *modules_free(struct modules *modules);
DEFINE_CLEANUP(struct modules *, modules_free)

/* Load all that are always needed, in the order of the list. One that serves nothing in this
 * machine
 * (-ENODEV: another processor's instructions) is passed over, any other failure is one with the
 * module's name in @diag. */
MUST_CHECK int modules_load_always(struct modules *modules, struct diag *diag);

/* Look at every device there is now, and load the modules for those not seen before. A module that
 * cannot be loaded is noted and not tried again. Returns how many were loaded. */
unsigned modules_coldplug(struct modules *modules);

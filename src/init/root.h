/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The mounts: those that init needs, the system's root, and the way into it. */
#pragma once

#include <stdbool.h>

#include <base/cleanup.h>
#include <base/diag.h>

#define ROOT_IMAGE      "/run/lethe/root"
#define ROOT_OVERLAY    "/run/lethe/overlay"
#define ROOT_LABORATORY "/run/lethe/laboratory"

/* /proc, /sys, /dev and /run, and open descriptors 0 to 2. Returns 0, or -errno with @diag. */
MUST_CHECK int root_mount_basics(struct diag *diag);

/* Mount the squashfs on @device read-only, without devices and setuid programs. The folder is made.
 */
MUST_CHECK int root_mount_squashfs(const char *device, const char *where, struct diag *diag);

/* The system's root: an overlay of memory over the image and, on top of that, the laboratory layer
 * if there is one. Returns 0, or -errno with @diag. */
MUST_CHECK int root_mount_overlay(bool laboratory, struct diag *diag);

/* Make the overlay the root, free the initramfs, start the system. Returns -errno with @diag only
 * if that fails. */
int root_switch(struct diag *diag);

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The whole image into memory, so that the medium can be taken out. */
#pragma once

#include <base/cleanup.h>
#include <base/diag.h>

#include "image.h"

/*
 * Copy the open @image, verifying it on the way, and open it anew from the copy, which verifies it
 * again at every use; the disk is no longer used then. Returns 0, -ENOMEM (too little memory), or
 * -errno; with @diag.
 */
MUST_CHECK int copy_to_ram(int control, struct image *image, struct diag *diag);

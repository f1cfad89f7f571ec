/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The laboratory layer: how tests bring their programs into the unchanged image.
 *
 * QEMU alone can offer one, in its firmware configuration device, which no real computer has; and
 * even there a person types a word at the console, or nothing happens.
 */
#pragma once

#include <stdbool.h>

#include <base/cleanup.h>
#include <base/diag.h>

/* If a layer is offered and accepted, mount it and set *@ret_used. One that was accepted and cannot
 * be used is an error. Returns 0, or -errno with @diag. */
MUST_CHECK int layer_offer(bool *ret_used, struct diag *diag);

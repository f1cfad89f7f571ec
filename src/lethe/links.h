/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The network devices of this namespace, as far as somebody wants to know whether there is a
 * network. Addresses themselves are not kept: what is shown is read over shoulders and copied into
 * reports. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <base/cleanup.h>

#define LINK_NAME_MAX 16 /* IFNAMSIZ */
#define LINKS_MAX     64

struct link {
	char name[LINK_NAME_MAX];
	bool up;      /* switched on */
	bool carrier; /* a cable is in, or a wireless network joined */
	bool address; /* has one that reaches further than the link */
};

struct links {
	int error;                   /* 0, or why nothing is known */
	struct link list[LINKS_MAX]; /* by name; loopback is left out */
	size_t count, more;          /* more: that did not fit */
};

void links_read(struct links *ret_links);

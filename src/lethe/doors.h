/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Doors: UNIX sockets at which a short-lived process with just the right it needs does one thing
 * for whoever connects, and goes (docs/decisions/0011). Nothing is sent to it. A status door writes
 * one JSON object; what the doors of power do is in power.h.
 */
#pragma once

#include <base/buf.h>

#define DOOR_ANSWER_MAX (256u << 10)

enum door_name { DOOR_WALL, DOOR_PROOF, DOOR_TOR, DOOR_MEDIUM, DOOR_COUNT };

struct door {
	int fd;
	/* 0: the whole answer is there. Else -errno: of connecting, -ETIMEDOUT, -ENODATA (closed
	 * without a word), -E2BIG (longer than DOOR_ANSWER_MAX). */
	int error;
	struct buf answer;
};

struct doors {
	struct door list[DOOR_COUNT];
};

/* Connect to the door @name in @folder; whether it worked is in its error. To be released by
 * door_close(). */
void door_open(const char *folder, const char *name, struct door *door);
/* Read until it has answered, failed, or @deadline_ms have passed. */
void door_read(struct door *door, unsigned deadline_ms);
void door_close(struct door *door);

/* Connect to each status door in @folder. Never fails as a whole: each door has its own error. To
 * be released by doors_close(). */
void doors_open(const char *folder, struct doors *doors);
/* Read all of them at once, until each has answered, failed, or @deadline_ms have passed. */
void doors_read(struct doors *doors, unsigned deadline_ms);
void doors_close(struct doors *doors);

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Network namespaces that get a name, as ip-netns(8) gives it: a file in a folder, which the first
 * of them makes. */
#include "resident.h"

#include <string.h>
#include <sys/inotify.h>

#define PARENT "/run"
#define FOLDER "netns"

/* Notices of the folder itself are told from those of its parent by the number of the watch. */
static int watch_folder(struct resident *resident)
{
	int watch = inotify_add_watch(resident->names, PARENT "/" FOLDER, IN_CREATE | IN_ONLYDIR);

	if (watch < 0)
		return neg_errno();
	resident->names_watch = watch;
	return 0;
}

int names_open(struct resident *resident)
{
	int r;

	resident->names = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (resident->names < 0)
		return neg_errno();
	r = watch_folder(resident);
	if (r != -ENOENT)
		return r;
	if (inotify_add_watch(resident->names, PARENT, IN_CREATE | IN_ONLYDIR) < 0)
		return neg_errno();
	/* It may have been made in between. */
	r = watch_folder(resident);
	return r == -ENOENT ? 0 : r;
}

static bool is_namespace(struct resident *resident, const struct inotify_event *event,
			 const char *name)
{
	if (event->mask & IN_Q_OVERFLOW)
		return true; /* nobody knows: look */
	if (event->wd == resident->names_watch)
		return true;
	/* The folder comes with its first namespace. */
	return event->len > 0 && strcmp(name, FOLDER) == 0 && watch_folder(resident) == 0;
}

unsigned names_read(struct resident *resident)
{
	char events[4096];
	ssize_t len = read(resident->names, events, sizeof(events));
	unsigned appeared = 0;

	for (ssize_t at = 0; at + (ssize_t)sizeof(struct inotify_event) <= len;) {
		struct inotify_event event;

		memcpy(&event, events + at, sizeof(event));
		at += (ssize_t)sizeof(event);
		appeared += is_namespace(resident, &event, events + at);
		at += (ssize_t)event.len;
	}
	return appeared;
}

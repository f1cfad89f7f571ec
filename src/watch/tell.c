/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tell.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <base/json.h>

#include "fallback.h"

#define STATUS_MAX (48u << 10)
#define FRESH      TELL_NAME ".new"

int tell_open(const char *folder, struct tell *tell)
{
	tell->folder = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	tell->due = true;
	return tell->folder < 0 ? neg_errno() : 0;
}

/* ---- the words ---- */

static const char *mode_name(const struct watch *watch)
{
	return watch->probe ? "kernel" : watch->log ? "nflog" : "none";
}

/* When it was by the clock on the wall. */
static int64_t wall_seconds(uint64_t time_ns)
{
	uint64_t now_ns = watch_now_ns();

	return (int64_t)time(NULL) - (int64_t)((now_ns - time_ns) / 1000000000u);
}

static void write_tamper(const struct tamper *tamper, struct json *json)
{
	json_object_begin(json, NULL);
	json_number(json, "time", wall_seconds(tamper->time_ns));
	json_number(json, "times", (int64_t)tamper->times);
	json_number(json, "pid", tamper->pid);
	json_number(json, "uid", tamper->uid);
	json_string(json, "comm", tamper->comm);
	json_string(json, "exe", tamper->exe);
	json_string(json, "unit", tamper->unit);
	json_string(json, "what", tamper->what);
	json_object_end(json);
}

static void write_tampering(const struct watch *watch, struct json *json)
{
	json_object_begin(json, "tampering");
	json_bool(json, "watched", watch->tampering != NULL);
	json_string(json, "why", watch->tampering_error ?: "");
	json_number(json, "count", (int64_t)watch->tampers.count);
	json_number(json, "others", (int64_t)watch->others);
	json_number(json, "lost",
		    (int64_t)(watch->tampering ? tampering_lost(watch->tampering) : 0));
	json_array_begin(json, "latest");
	for (size_t i = 0; i < watch->tampers.kept; i++)
		write_tamper(&watch->tampers.latest[i], json);
	json_array_end(json);
	json_object_end(json);
}

static void write_status(const struct watch *watch, const char *mode, struct buf *out)
{
	struct probe_counts counts = watch_count(watch);
	struct json json = {.out = out};

	json_object_begin(&json, NULL);
	json_number(&json, "version", 1);
	json_number(&json, "pid", getpid());
	json_string(&json, "mode", mode);
	json_string(&json, "why", watch->probe_error);
	json_number(&json, "since", watch->since);
	json_number(&json, "blocked", (int64_t)counts.counted);
	json_number(&json, "unnamed", (int64_t)watch->unnamed);
	json_number(&json, "lost", (int64_t)(counts.lost + watch->unreadable));
	write_tampering(watch, &json);
	json_object_end(&json);
	buf_puts(out, "\n");
}

/* ---- the file ---- */

static int write_all(int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t done = write(fd, data, len);

		if (done < 0 && errno != EINTR)
			return neg_errno();
		if (done > 0) {
			data += done;
			len -= (size_t)done;
		}
	}
	return 0;
}

/* 0 or -errno: then the file is as it was. */
static int replace(int folder, const struct buf *out)
{
	AUTO_CLOSE int fd = -EBADF;
	int r;

	/* One that was left, whoever made it, is not written into. */
	if (unlinkat(folder, FRESH, 0) < 0 && errno != ENOENT)
		return neg_errno();
	fd = openat(folder, FRESH, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		return neg_errno();
	r = fchmod(fd, 0644) < 0 ? neg_errno() : write_all(fd, out->data, out->len);
	if (r == 0 && renameat(folder, FRESH, folder, TELL_NAME) < 0)
		r = neg_errno();
	return r;
}

static void tell_now(const struct watch *watch, const char *mode, struct tell *tell)
{
	AUTO_BUF struct buf out = {.cap = STATUS_MAX};
	int r;

	write_status(watch, mode, &out);
	r = buf_finish(&out);
	if (r == 0)
		r = replace(tell->folder, &out);
	/* What cannot be said anew would go on saying that all is well: then rather nothing. */
	if (r < 0)
		(void)!unlinkat(tell->folder, TELL_NAME, 0);
	if (r < 0 && !tell->failed)
		fprintf(stderr, "lethe-watchd: cannot say in its folder how it is: %s\n",
			strerror(-r));
	tell->failed = r < 0;
	tell->due = false;
	tell->told_ns = watch_now_ns();
}

void tell_status(const struct watch *watch, struct tell *tell, int *timeout_ms)
{
	uint64_t now = watch_now_ns(), next = tell->told_ns + TELL_NS;
	int left;

	if (!tell->due || tell->folder < 0)
		return;
	if (now >= next || tell->told_ns == 0) {
		tell_now(watch, mode_name(watch), tell);
		return;
	}
	left = (int)((next - now) / 1000000) + 1;
	if (*timeout_ms < 0 || left < *timeout_ms)
		*timeout_ms = left;
}

void tell_end(const struct watch *watch, struct tell *tell)
{
	if (tell->folder >= 0)
		tell_now(watch, "stopped", tell);
	closep(&tell->folder);
}

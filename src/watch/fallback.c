/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fallback.h"

#include "headers.h"

struct taking {
	struct watch *watch;
	void (*take)(const struct attempt *attempt, void *data);
	void *data;
	uint64_t now_ns;
};

int fallback_open(struct watch *watch)
{
	return nf_log_open(&watch->log);
}

void fallback_close(struct watch *watch)
{
	watch->log = nf_log_close(watch->log);
}

int fallback_descriptor(const struct watch *watch)
{
	return watch->log ? nf_log_descriptor(watch->log) : -EBADF;
}

static void on_logged(const struct nf_logged *logged, void *data)
{
	const struct taking *taking = data;
	struct attempt attempt = headers_read(logged);

	attempt.number = ++taking->watch->told;
	attempt.time_ns = taking->now_ns;
	attempt.netns = taking->watch->own_netns;
	taking->take(&attempt, taking->data);
}

int fallback_read(struct watch *watch, size_t most,
		  void (*take)(const struct attempt *attempt, void *data), void *data)
{
	struct taking taking = {
	    .watch = watch, .take = take, .data = data, .now_ns = watch_now_ns()};

	return watch->log ? nf_log_read(watch->log, most, on_logged, &taking) : 0;
}

struct probe_counts watch_count(const struct watch *watch)
{
	struct probe_counts counts = {0};
	struct nf_log_counts told;

	if (watch->probe)
		return probe_count(watch->probe);
	if (!watch->log)
		return counts;
	/* Where the kernel had no memory for a message it tells nobody: missed_known stays false.
	 */
	told = nf_log_count(watch->log);
	counts.counted = told.told;
	counts.lost = told.lost;
	return counts;
}

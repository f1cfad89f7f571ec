/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tampering.h"

#include <string.h>

#include <bpf/libbpf.h>

#include "record.h"

/* What bpftool writes is not held to the warnings of this project. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wcast-qual"
#include "tampering.skel.inc"
#pragma GCC diagnostic pop

struct tampering {
	struct tampering_bpf *program;
	struct ring_buffer *ring;
	void (*take)(const void *record, size_t len, void *data);
	void *data;
};

struct tampering *tampering_free(struct tampering *tampering)
{
	if (tampering) {
		ring_buffer__free(tampering->ring);
		tampering_bpf__destroy(tampering->program);
		free(tampering);
	}
	return NULL;
}

static int on_record(void *context, void *record, size_t len)
{
	struct tampering *tampering = context;

	tampering->take(record, len, tampering->data);
	return 0;
}

int tampering_open(struct tampering **ret_tampering, const char **ret_step)
{
	CLEANUP(tampering_freep) struct tampering *tampering = calloc(1, sizeof(*tampering));
	int r;

	*ret_step = "make room";
	if (!tampering)
		return -ENOMEM;
	libbpf_set_print(NULL);
	*ret_step = "open the program that sees changes of filters";
	tampering->program = tampering_bpf__open();
	if (!tampering->program)
		return neg_errno();
	*ret_step = "load the program that sees changes of filters";
	r = tampering_bpf__load(tampering->program);
	if (r < 0)
		return r;
	tampering->ring = ring_buffer__new(bpf_map__fd(tampering->program->maps.records), on_record,
					   tampering, NULL);
	if (!tampering->ring)
		return neg_errno();
	*ret_step = "attach the program that sees changes of filters";
	r = tampering_bpf__attach(tampering->program);
	if (r < 0)
		return r;
	*ret_tampering = TAKE_PTR(tampering);
	return 0;
}

int tampering_descriptor(const struct tampering *tampering)
{
	return ring_buffer__epoll_fd(tampering->ring);
}

int tampering_read(struct tampering *tampering,
		   void (*take)(const void *record, size_t len, void *data), void *data)
{
	int r;

	tampering->take = take;
	tampering->data = data;
	r = ring_buffer__consume(tampering->ring);
	return r < 0 ? r : 0;
}

uint64_t tampering_lost(const struct tampering *tampering)
{
	return __atomic_load_n(&tampering->program->bss->counters.lost, __ATOMIC_RELAXED);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "probe.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/vfs.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "record.h"

/* What bpftool writes is not held to the warnings of this project. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wcast-qual"
#include "attribution.skel.inc"
#pragma GCC diagnostic pop

#define STACK_SIZE 16384 /* THREAD_SIZE of x86-64; of kernels that check memory it is more, and what is
			  * above is taken for an interrupt */
#define REASON "SKB_DROP_REASON_NETFILTER_DROP"

struct reading {
	void (*take)(const void *record, size_t len, void *data);
	void *data;
	size_t left;
};

struct probe {
	struct attribution *program;
	struct ring_buffer *ring;
	struct reading reading;
};

struct probe *probe_free(struct probe *probe)
{
	if (probe) {
		ring_buffer__free(probe->ring);
		attribution__destroy(probe->program);
		free(probe);
	}
	return NULL;
}

static void btf_freep(struct btf **btf)
{
	btf__free(*btf);
}

/* The number of the reason that packet filters give. Returns 0 or -EOPNOTSUPP. */
static int find_reason(const struct btf *btf, uint32_t *ret_reason)
{
	int id = btf__find_by_name_kind(btf, "skb_drop_reason", BTF_KIND_ENUM);
	const struct btf_type *type = id < 0 ? NULL : btf__type_by_id(btf, (uint32_t)id);
	const struct btf_enum *values = type ? btf_enum(type) : NULL;

	for (size_t i = 0; values && i < btf_vlen(type); i++) {
		const char *name = btf__name_by_offset(btf, values[i].name_off);

		if (name && strcmp(name, REASON) == 0) {
			*ret_reason = (uint32_t)values[i].val;
			return 0;
		}
	}
	return -EOPNOTSUPP;
}

/* Where control groups of version 2 are: alone, or beside those of version 1. */
static int open_groups(int *ret_fd)
{
	static const char *const places[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		AUTO_CLOSE int fd = open(places[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		struct statfs of;

		if (fd >= 0 && fstatfs(fd, &of) == 0 && of.f_type == CGROUP2_SUPER_MAGIC) {
			*ret_fd = TAKE_FD(fd);
			return 0;
		}
	}
	return -ENOENT;
}

/* Tell the program the number by which this kernel knows the reason. */
static int set_reason(struct probe *probe, const char **ret_step)
{
	struct attribution *program = probe->program;
	CLEANUP(btf_freep) struct btf *btf = NULL;
	uint32_t reason = 0;
	int r;

	*ret_step = "read the kernel's description of itself (BTF)";
	btf = btf__load_vmlinux_btf();
	if (!btf)
		return errno == ENOENT || errno == ESRCH ? -EOPNOTSUPP : neg_errno();
	*ret_step = "find the reason for which filters drop packets";
	r = find_reason(btf, &reason);
	if (r == 0)
		program->rodata->reason_filter = reason;
	return r;
}

/* Can an interrupt be told by the stack? With PREEMPT_RT, software interrupts have none of their own. */
static bool stack_tells(void)
{
#ifdef __x86_64__
	struct utsname kernel;

	return uname(&kernel) == 0 && !strstr(kernel.version, "PREEMPT_RT");
#else
	return false;
#endif
}

static void choose_way(struct attribution *program)
{
	if (!stack_tells())
		return;
	program->rodata->stack_size = STACK_SIZE;
	bpf_program__set_autoload(program->progs.on_interrupt, false);
	bpf_program__set_autoload(program->progs.on_interrupt_end, false);
}

/* Sockets first, then the drops: who is named has been noted. */
static int attach(struct probe *probe, const char **ret_step)
{
	struct attribution *program = probe->program;
	AUTO_CLOSE int groups = -EBADF;
	int r;

	*ret_step = "attach the programs in the kernel";
	if (open_groups(&groups) == 0) {
		program->links.on_socket = bpf_program__attach_cgroup(program->progs.on_socket,
								      groups);
		if (!program->links.on_socket)
			return neg_errno();
	}
	bpf_program__set_autoattach(program->progs.on_socket, false);
	r = attribution__attach(program);
	return r;
}

static int on_record(void *context, void *record, size_t len)
{
	struct reading *reading = context;

	reading->take(record, len, reading->data);
	return --reading->left > 0 ? 0 : -EAGAIN;
}

int probe_open(struct probe **ret_probe, const char **ret_step)
{
	CLEANUP(probe_freep) struct probe *probe = calloc(1, sizeof(*probe));
	int r;

	*ret_step = "make room";
	if (!probe)
		return -ENOMEM;
	libbpf_set_print(NULL);
	*ret_step = "open the programs for the kernel";
	probe->program = attribution__open();
	if (!probe->program)
		return neg_errno();
	r = set_reason(probe, ret_step);
	if (r < 0)
		return r;
	choose_way(probe->program);
	*ret_step = "load the programs into the kernel";
	r = attribution__load(probe->program);
	if (r < 0)
		return r;
	*ret_step = "read records from the kernel";
	probe->ring = ring_buffer__new(bpf_map__fd(probe->program->maps.records), on_record,
				       &probe->reading, NULL);
	if (!probe->ring)
		return neg_errno();
	r = attach(probe, ret_step);
	if (r < 0)
		return r;
	*ret_probe = TAKE_PTR(probe);
	return 0;
}

int probe_descriptor(const struct probe *probe)
{
	return ring_buffer__epoll_fd(probe->ring);
}

bool probe_notes_sockets(const struct probe *probe)
{
	return probe->program->links.on_socket != NULL;
}

int probe_read(struct probe *probe, size_t most,
	       void (*take)(const void *record, size_t len, void *data), void *data)
{
	int r;

	probe->reading = (struct reading){.take = take, .data = data, .left = most};
	r = ring_buffer__consume(probe->ring);
	return r < 0 && r != -EAGAIN ? r : 0;
}

/* How often the kernel did not run the program because it was running already. */
static int count_missed(const struct probe *probe, uint64_t *ret_missed)
{
	struct bpf_prog_info info = {0};
	uint32_t size = sizeof(info);

	if (bpf_obj_get_info_by_fd(bpf_program__fd(probe->program->progs.on_drop), &info, &size) < 0)
		return neg_errno();
	*ret_missed = info.recursion_misses;
	return 0;
}

struct probe_counts probe_count(const struct probe *probe)
{
	const struct watch_counters *from = &probe->program->bss->counters;
	struct probe_counts counts = {0};

	counts.counted = __atomic_load_n(&from->counted, __ATOMIC_RELAXED);
	counts.incoming = __atomic_load_n(&from->incoming, __ATOMIC_RELAXED);
	counts.lost = __atomic_load_n(&from->lost, __ATOMIC_RELAXED);
	counts.missed_known = count_missed(probe, &counts.missed) == 0;
	return counts;
}

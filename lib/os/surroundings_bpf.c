/* SPDX-License-Identifier: GPL-3.0-or-later */
/* BPF programs that netlink does not show: bpf(2) does. */
#include "surroundings_reading.h"

#include <fcntl.h>
#include <linux/bpf.h>
#include <string.h>
#include <sys/syscall.h>

/* Of kernels newer than the headers of Debian 12. */
#define ATTACH_TCX_INGRESS    46
#define ATTACH_TCX_EGRESS     47
#define ATTACH_NETKIT_PRIMARY 54
#define ATTACH_NETKIT_PEER    55
#define LINK_NETFILTER        10

#define LINKS_MAX 65536

/* What bpf(2) takes, as long as the kernel has ever had it; what is unused is zero. */
union request {
	union bpf_attr attr;
	uint8_t bytes[128];
};

/* Returns what the call does, or -errno. */
static int bpf_call(unsigned command, union request *request)
{
	long r = syscall(SYS_bpf, command, &request->attr, sizeof(request->attr));

	return r < 0 ? neg_errno() : (int)r;
}

/* How many programs are attached there? @target is a device's number or a descriptor. */
static int programs_count(uint32_t target, uint32_t where, uint32_t *ret_count)
{
	union request request = {0};
	int r;

	request.attr.query.target_fd = target;
	request.attr.query.attach_type = where;
	r = bpf_call(BPF_PROG_QUERY, &request);
	/* Nothing was ever attached; or the kernel knows no such place, or no BPF. */
	if (r == -ENOENT || r == -EINVAL || r == -ENOSYS) {
		*ret_count = 0;
		return r;
	}
	if (r < 0)
		return r;
	*ret_count = request.attr.query.prog_cnt;
	return 0;
}

static void device_programs(struct reading *reading, const struct surroundings_device *device)
{
	static const struct {
		uint32_t where;
		const char *name;
		bool netkit;
	} places[] = {
	    {ATTACH_TCX_INGRESS, "ingress", false},
	    {ATTACH_TCX_EGRESS, "egress", false},
	    {ATTACH_NETKIT_PRIMARY, "netkit", true},
	    {ATTACH_NETKIT_PEER, "netkit peer", true},
	};
	bool netkit = strcmp(device->kind, "netkit") == 0;
	char name[SURROUNDINGS_NAME_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		uint32_t count = 0;
		int r;

		if (places[i].netkit && !netkit)
			continue;
		r = programs_count(device->index, places[i].where, &count);
		if (r == -ENODEV || r == -ENOENT || r == -ENOSYS ||
		    (r == -EINVAL && !places[i].netkit))
			continue; /* gone meanwhile, nothing there, or nothing can be there */
		if (r < 0)
			reading_cannot_tell(reading, "which BPF programs are on devices", r);
		if (r < 0 || count == 0)
			continue;
		snprintf(name, sizeof(name), "%s %s", device->name, places[i].name);
		reading_add(reading, SURROUNDINGS_TCX, name,
			    "the BPF programs at %s, which can change packets, drop them or send "
			    "them elsewhere",
			    name);
	}
}

static void socket_programs(struct reading *reading)
{
	AUTO_CLOSE int fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	uint32_t count = 0;
	int r = fd < 0 ? neg_errno() : programs_count((uint32_t)fd, BPF_SK_LOOKUP, &count);

	if (fd >= 0 && (r == -ENOENT || r == -EINVAL || r == -ENOSYS))
		return;
	if (r < 0)
		reading_cannot_tell(reading, "which BPF programs choose sockets", r);
	else if (count > 0)
		reading_add(reading, SURROUNDINGS_SOCKET_LOOKUP, "",
			    "the BPF program that chooses the sockets of what arrives");
}

void reading_programs(struct reading *reading)
{
	for (size_t i = 0; i < reading->to.device_count; i++) {
		/* Adding findings moves no devices. */
		device_programs(reading, &reading->to.devices[i]);
	}
	socket_programs(reading);
}

/* The kind of a link (BPF_LINK_TYPE_*), or -errno. */
static int link_type(uint32_t id)
{
	struct {
		uint32_t type, id, program;
	} info = {0};
	union request request = {0};
	AUTO_CLOSE int fd = -EBADF;
	int r;

	request.attr.link_id = id;
	fd = bpf_call(BPF_LINK_GET_FD_BY_ID, &request);
	if (fd < 0)
		return fd;
	request = (union request){0};
	request.attr.info.bpf_fd = (uint32_t)fd;
	request.attr.info.info_len = sizeof(info);
	request.attr.info.info = (uintptr_t)&info;
	r = bpf_call(BPF_OBJ_GET_INFO_BY_FD, &request);
	return r < 0 ? r : (int)info.type;
}

/* Links do not say which namespace they are for: one anywhere may be here. */
void reading_netfilter_programs(struct reading *reading)
{
	static const char what[] = "whether BPF programs are on the packet filter's hooks";
	uint32_t id = 0;
	int r = 0;

	for (size_t i = 0; i < LINKS_MAX; i++) {
		union request request = {0};

		request.attr.start_id = id;
		r = bpf_call(BPF_LINK_GET_NEXT_ID, &request);
		if (r < 0)
			break;
		id = request.attr.next_id;
		r = link_type(id);
		if (r == LINK_NETFILTER) {
			r = -EOPNOTSUPP;
			break;
		}
		if (r < 0 && r != -ENOENT)
			break;
		r = -E2BIG;
	}
	/* The end of the list; or a kernel without links, or without BPF. */
	if (r != -ENOENT && r != -EINVAL && r != -ENOSYS)
		reading_cannot_tell(reading, what, r);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "dm.h"

#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <string.h>
#include <sys/ioctl.h>

/* The oldest interface that has all that is used here; the kernel refuses a newer major only. */
#define DM_INTERFACE_MINOR 0

#define DM_BUFFER 16384

union request {
	struct dm_ioctl head;
	char bytes[DM_BUFFER];
};

int dm_open(int *ret_control)
{
	int fd = open("/dev/mapper/control", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return neg_errno();
	*ret_control = fd;
	return 0;
}

static int request_init(union request *request, const char *name, uint32_t flags)
{
	size_t len = strlen(name);

	memset(request, 0, sizeof(*request));
	if (len >= sizeof(request->head.name))
		return -ENAMETOOLONG;
	memcpy(request->head.name, name, len + 1);
	request->head.version[0] = DM_VERSION_MAJOR;
	request->head.version[1] = DM_INTERFACE_MINOR;
	request->head.data_size = sizeof(*request);
	request->head.data_start = sizeof(request->head);
	request->head.flags = flags;
	return 0;
}

static int request_send(int control, unsigned long command, union request *request)
{
	return ioctl(control, command, request) < 0 ? neg_errno() : 0;
}

static int request_simple(int control, unsigned long command, const char *name, uint32_t flags,
			  dev_t *ret_dev)
{
	union request request;
	int r = request_init(&request, name, flags);

	if (r == 0)
		r = request_send(control, command, &request);
	if (r == 0 && ret_dev)
		*ret_dev = (dev_t)request.head.dev;
	return r;
}

int dm_create(int control, const char *name, dev_t *ret_dev)
{
	return request_simple(control, DM_DEV_CREATE, name, DM_READONLY_FLAG, ret_dev);
}

int dm_resume(int control, const char *name)
{
	return request_simple(control, DM_DEV_SUSPEND, name, DM_READONLY_FLAG, NULL);
}

int dm_remove(int control, const char *name)
{
	return request_simple(control, DM_DEV_REMOVE, name, 0, NULL);
}

int dm_load(int control, const char *name, const char *type, uint64_t sectors, const char *params)
{
	union request request;
	struct dm_target_spec spec = {.length = sectors};
	size_t at = sizeof(request.head), len = strlen(params);
	int r = request_init(&request, name, DM_READONLY_FLAG);

	if (r < 0)
		return r;
	if (strlen(type) >= sizeof(spec.target_type) || len >= DM_PARAMS_MAX)
		return -E2BIG;
	memcpy(spec.target_type, type, strlen(type));
	spec.next = (uint32_t)(sizeof(spec) + ((len + 8) & ~(size_t)7));
	request.head.target_count = 1;
	memcpy(request.bytes + at, &spec, sizeof(spec));
	memcpy(request.bytes + at + sizeof(spec), params, len + 1);
	return request_send(control, DM_TABLE_LOAD, &request);
}

/* The first target out of the kernel's answer. */
static int state_read_target(const union request *request, struct dm_state *state)
{
	struct dm_target_spec spec;
	size_t at = request->head.data_start, left, len;

	if (at < sizeof(request->head) || at > sizeof(*request) - sizeof(spec))
		return -EPROTO;
	memcpy(&spec, request->bytes + at, sizeof(spec));
	at += sizeof(spec);
	left = sizeof(*request) - at;
	len = strnlen(request->bytes + at, left);
	if (len == left || strnlen(spec.target_type, DM_TYPE_MAX) == DM_TYPE_MAX)
		return -EPROTO;
	if (len >= sizeof(state->params))
		return -E2BIG;
	state->start = spec.sector_start;
	state->length = spec.length;
	memcpy(state->type, spec.target_type, strlen(spec.target_type) + 1);
	memcpy(state->params, request->bytes + at, len + 1);
	return 0;
}

int dm_read(int control, const char *name, enum dm_question question, struct dm_state *ret_state)
{
	uint32_t flags = DM_NOFLUSH_FLAG;
	struct dm_state state = {0};
	union request request;
	int r;

	if (question == DM_QUESTION_TABLE)
		flags |= DM_STATUS_TABLE_FLAG;
	r = request_init(&request, name, flags);
	if (r == 0)
		r = request_send(control, DM_TABLE_STATUS, &request);
	if (r < 0)
		return r;
	if (request.head.flags & DM_BUFFER_FULL_FLAG)
		return -E2BIG;
	state.dev = (dev_t)request.head.dev;
	state.readonly = request.head.flags & DM_READONLY_FLAG;
	state.suspended = request.head.flags & DM_SUSPEND_FLAG;
	state.targets = request.head.target_count;
	if (state.targets > 0)
		r = state_read_target(&request, &state);
	if (r == 0)
		*ret_state = state;
	return r;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "holders.h"

#include <fcntl.h>
#include <stdbool.h>
#include <string.h>

#include <base/buf.h>
#include <base/num.h>

#define TEXT_MAX 4096
#define PID_MAX	 (1u << 22)

static void make_printable(char *text)
{
	for (; *text; text++)
		if (*text < 0x20 || *text > 0x7e)
			*text = '?';
}

int holders_parse_link(const char *text, uint32_t *ret_inode)
{
	static const char prefix[] = "socket:[";
	char digits[16];
	uint64_t value;
	size_t length;

	if (strncmp(text, prefix, sizeof(prefix) - 1) != 0)
		return -EINVAL;
	text += sizeof(prefix) - 1;
	length = strlen(text);
	if (length < 2 || length > sizeof(digits) || text[length - 1] != ']')
		return -EINVAL;
	memcpy(digits, text, length - 1);
	digits[length - 1] = '\0';
	if (num_parse_u64(digits, UINT32_MAX, &value) < 0)
		return -EINVAL;
	*ret_inode = (uint32_t)value;
	return 0;
}

static bool is_unit(const char *name, size_t length)
{
	static const char *const kinds[] = {".service", ".scope", ".socket"};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		size_t tail = strlen(kinds[i]);

		if (length > tail && memcmp(name + length - tail, kinds[i], tail) == 0)
			return true;
	}
	return false;
}

void holders_parse_unit(const char *text, char unit[static HOLDER_UNIT_MAX])
{
	const char *line = strstr(text, "0::"), *part;

	unit[0] = '\0';
	/* Of control groups of version 2; the only line, or one behind others. */
	if (!line || (line > text && line[-1] != '\n'))
		return;
	for (part = strchr(line, '/'); part; part += strcspn(part, "/\n")) {
		size_t length;

		if (*part != '/')
			break;
		part++;
		length = strcspn(part, "/\n");
		if (!is_unit(part, length) || length >= HOLDER_UNIT_MAX)
			continue;
		memcpy(unit, part, length);
		unit[length] = '\0';
		make_printable(unit);
	}
}

/* What the link @name in @folder leads to. Returns 0 or -errno; -ENAMETOOLONG if it did not fit. */
static int read_link(int folder, const char *name, char *text, size_t size)
{
	ssize_t length = readlinkat(folder, name, text, size);

	if (length < 0)
		return neg_errno();
	if ((size_t)length == size)
		return -ENAMETOOLONG;
	text[length] = '\0';
	return 0;
}

/* The first bytes of a small file; "" if it cannot be read. */
static void read_text(int folder, const char *name, char *text, size_t size)
{
	AUTO_CLOSE int fd = openat(folder, name, O_RDONLY | O_CLOEXEC);
	ssize_t length = fd < 0 ? 0 : read(fd, text, size - 1);

	text[length < 0 ? 0 : length] = '\0';
}

static struct holder *find(struct holder *holders, size_t count, uint32_t inode)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (holders[middle].inode == inode)
			return &holders[middle];
		if (holders[middle].inode < inode)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

static void read_path(int process, struct holder *holder)
{
	char path[TEXT_MAX];
	size_t length;

	if (read_link(process, "exe", path, sizeof(path)) < 0)
		return;
	length = strlen(path);
	if (length < sizeof(holder->path))
		memcpy(holder->path, path, length + 1);
	else
		snprintf(holder->path, sizeof(holder->path), "...%s",
			 path + length - (sizeof(holder->path) - 4));
	make_printable(holder->path);
}

static void describe(int process, uint32_t pid, struct holder *holder)
{
	char text[TEXT_MAX];

	holder->pid = pid;
	holder->path[0] = '\0';
	read_path(process, holder);
	read_text(process, "comm", text, sizeof(text));
	text[strcspn(text, "\n")] = '\0';
	snprintf(holder->comm, sizeof(holder->comm), "%.*s", HOLDER_COMM_MAX - 1, text);
	make_printable(holder->comm);
	read_text(process, "cgroup", text, sizeof(text));
	holders_parse_unit(text, holder->unit);
}

/* Which of the sockets does this process hold? One of its descriptors is enough. */
static void look_at(int process, uint32_t pid, struct holder *holders, size_t count)
{
	int folder = openat(process, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO_DIR DIR *dir = folder < 0 ? NULL : fdopendir(folder);
	const struct dirent *entry;

	if (!dir) {
		closep(&folder);
		return;
	}
	while ((entry = readdir(dir))) {
		struct holder *holder;
		char text[32];
		uint32_t inode;

		if (read_link(folder, entry->d_name, text, sizeof(text)) < 0 ||
		    holders_parse_link(text, &inode) < 0 || inode == 0)
			continue;
		holder = find(holders, count, inode);
		if (!holder || holder->pid == pid)
			continue;
		holder->processes++;
		if (holder->pid == 0 || pid < holder->pid)
			describe(process, pid, holder);
	}
}

int holders_find(const char *proc, struct holder *holders, size_t count)
{
	AUTO_DIR DIR *dir = opendir(proc);
	const struct dirent *entry;

	if (!dir)
		return neg_errno();
	while ((entry = readdir(dir))) {
		AUTO_CLOSE int process = -EBADF;
		uint64_t pid;

		if (num_parse_u64(entry->d_name, PID_MAX, &pid) < 0)
			continue;
		process = openat(dirfd(dir), entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (process >= 0)
			look_at(process, (uint32_t)pid, holders, count);
	}
	return 0;
}

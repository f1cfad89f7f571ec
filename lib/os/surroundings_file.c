/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the kernel shows as files: settings, tables of the older filters, services, routers. */
#include "surroundings_reading.h"

#include <fcntl.h>
#include <string.h>

#include "file.h"

#define TEXT_MAX (1u << 20)

/* ---- settings ---- */

static const struct setting {
	const char *directory; /* with one entry for each device, "all" and "default"; or "" */
	const char *name;
	enum surroundings_kind kind;
	const char *words;
} settings[] = {
    {"", "net/ipv4/ip_forward", SURROUNDINGS_FORWARDING, "packets are forwarded"},
    {"net/ipv4/conf", "forwarding", SURROUNDINGS_FORWARDING, "packets are forwarded"},
    {"net/ipv4/conf", "bc_forwarding", SURROUNDINGS_FORWARDING, "broadcasts are forwarded"},
    {"net/ipv4/conf", "route_localnet", SURROUNDINGS_ROUTE_LOCALNET,
     "127.0.0.0/8 is routed like other addresses"},
    {"net/ipv4/conf", "mc_forwarding", SURROUNDINGS_MULTICAST, "multicasts are forwarded"},
    {"net/ipv6/conf", "forwarding", SURROUNDINGS_FORWARDING, "packets are forwarded"},
    {"net/ipv6/conf", "force_forwarding", SURROUNDINGS_FORWARDING, "packets are forwarded"},
    {"net/ipv6/conf", "mc_forwarding", SURROUNDINGS_MULTICAST, "multicasts are forwarded"},
    {"net/mpls/conf", "input", SURROUNDINGS_FORWARDING, "MPLS frames are forwarded"},
};

/* @path under @directory. A setting that is not there is 0: an older kernel, or a device that has
 * just gone. */
static void setting_read(struct reading *reading, int directory, const char *path,
			 const struct setting *setting, const char *name)
{
	AUTO_CLOSE int fd = openat(directory, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	char value[32];
	ssize_t len;

	if (fd < 0 && errno == ENOENT)
		return;
	if (fd < 0) {
		reading_cannot_tell(reading, name, neg_errno());
		return;
	}
	len = read(fd, value, sizeof(value) - 1);
	if (len < 0) {
		reading_cannot_tell(reading, name, neg_errno());
		return;
	}
	value[len] = '\0';
	value[strcspn(value, "\n")] = '\0';
	if (strcmp(value, "0") != 0)
		reading_add(reading, setting->kind, name, "%s is %s: %s", name, value,
			    setting->words);
}

static void setting_read_devices(struct reading *reading, int root, const struct setting *setting)
{
	int fd = openat(root, setting->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	AUTO_DIR DIR *directory = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	if (!directory) {
		int error = neg_errno();

		if (fd >= 0)
			close(fd);
		/* Of the three only IPv4 is always there. */
		if (error != -ENOENT || strcmp(setting->directory, "net/ipv4/conf") == 0)
			reading_cannot_tell(reading, setting->directory, error);
		return;
	}
	for (errno = 0; (entry = readdir(directory)); errno = 0) {
		char path[sizeof(entry->d_name) + 32], name[sizeof(path) + 32];

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		snprintf(path, sizeof(path), "%s/%s", entry->d_name, setting->name);
		snprintf(name, sizeof(name), "%s/%s", setting->directory, path);
		setting_read(reading, fd, path, setting, name);
	}
	if (errno != 0)
		reading_cannot_tell(reading, setting->directory, neg_errno());
}

static void settings_read(struct reading *reading)
{
	AUTO_CLOSE int root = open("/proc/sys", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (root < 0) {
		reading_cannot_tell(reading, "/proc/sys", neg_errno());
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
		if (settings[i].directory[0])
			setting_read_devices(reading, root, &settings[i]);
		else
			setting_read(reading, root, settings[i].name, &settings[i],
				     settings[i].name);
	}
}

/* ---- lists ---- */

/* The next line of @text, cut to @size; false at the end. */
static bool line_next(const char **text, char *line, size_t size)
{
	size_t len = strcspn(*text, "\n");

	if (!**text)
		return false;
	snprintf(line, size, "%.*s", (int)(len < size ? len : size - 1), *text);
	*text += len + ((*text)[len] == '\n');
	return true;
}

void reading_tables_text(struct reading *reading, const char *family, const char *text)
{
	char line[64], name[SURROUNDINGS_NAME_MAX];

	while (line_next(&text, line, sizeof(line))) {
		snprintf(name, sizeof(name), "%s %s", family, line);
		reading_add(reading, SURROUNDINGS_LEGACY_TABLE, name,
			    "the table %s of %stables, older than nftables", line,
			    strcmp(family, "arp") == 0 ? "arp" : family);
	}
}

void reading_ipvs_text(struct reading *reading, const char *text)
{
	static const char *const heads[] = {"IP Virtual Server", "Prot ", "  ->"};
	char line[SURROUNDINGS_NAME_MAX];

	while (line_next(&text, line, sizeof(line))) {
		bool head = false;
		size_t len = strlen(line);

		for (size_t i = 0; i < ARRAY_SIZE(heads); i++)
			head |= strncmp(line, heads[i], strlen(heads[i])) == 0;
		if (head)
			continue;
		while (len > 0 && line[len - 1] == ' ')
			line[--len] = '\0';
		reading_add(reading, SURROUNDINGS_IPVS, line,
			    "the load balancer's service %s, whose packets go to other computers",
			    line);
	}
}

void reading_multicast_text(struct reading *reading, const char *file, const char *text)
{
	char line[16];

	line_next(&text, line, sizeof(line)); /* the heading */
	if (line_next(&text, line, sizeof(line)))
		reading_add(reading, SURROUNDINGS_MULTICAST, file,
			    "a multicast router's devices (%s)", file);
}

/* One that is not there has nothing to list: the code for it is not in the kernel. */
static void list_read(struct reading *reading, const char *file, struct buf *text)
{
	char path[64];
	int r;

	buf_done(text);
	snprintf(path, sizeof(path), "/proc/thread-self/net/%s", file);
	r = file_read(path, text);
	if (r < 0 && r != -ENOENT)
		reading_cannot_tell(reading, path, r);
}

static void lists_read(struct reading *reading)
{
	static const char *const tables[][2] = {
	    {"ip_tables_names", "ip"}, {"ip6_tables_names", "ip6"}, {"arp_tables_names", "arp"}};
	static const char *const multicast[] = {"ip_mr_vif", "ip6_mr_vif"};
	AUTO_CLOSE int directory =
	    open("/proc/thread-self/net", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO_BUF struct buf text = {.cap = TEXT_MAX};

	if (directory < 0) {
		reading_cannot_tell(reading, "/proc/thread-self/net", neg_errno());
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
		list_read(reading, tables[i][0], &text);
		reading_tables_text(reading, tables[i][1], buf_text(&text));
	}
	for (size_t i = 0; i < ARRAY_SIZE(multicast); i++) {
		list_read(reading, multicast[i], &text);
		reading_multicast_text(reading, multicast[i], buf_text(&text));
	}
	list_read(reading, "ip_vs", &text);
	reading_ipvs_text(reading, buf_text(&text));
}

void reading_files(struct reading *reading)
{
	lists_read(reading);
	settings_read(reading);
}

/* ---- ebtables, where hooks are not listed ---- */

/* Is the function part of the running kernel, or of a module that is loaded? 0, -ENOENT, -errno. */
static int symbol_find(const char *symbol)
{
	AUTO_FILE FILE *file = fopen("/proc/kallsyms", "re");
	char line[512];
	size_t lines = 0;

	if (!file)
		return errno == ENOENT ? -EOPNOTSUPP : neg_errno();
	for (; fgets(line, sizeof(line), file); lines++) {
		const char *name = strrchr(line, ' ');
		size_t len;

		/* "address type name", and in modules "\t[module]" */
		if (!name)
			continue;
		len = strcspn(++name, "\t\n");
		if (len == strlen(symbol) && strncmp(name, symbol, len) == 0)
			return 0;
	}
	if (ferror(file))
		return -EIO;
	return lines > 0 ? -ENOENT : -EOPNOTSUPP;
}

/* There is no list of ebtables' tables, and asking for one by name makes it. But they judge only
 * what bridges handle, and only where their code is. */
void reading_bridge_tables(struct reading *reading)
{
	bool bridge = false;
	int r;

	for (size_t i = 0; i < reading->to.device_count; i++)
		bridge |= strcmp(reading->to.devices[i].kind, "bridge") == 0;
	if (!bridge)
		return;
	r = symbol_find("ebt_do_table");
	if (r != -ENOENT)
		reading_cannot_tell(reading, "whether ebtables has tables here",
				    r == 0 ? -EOPNOTSUPP : r);
}

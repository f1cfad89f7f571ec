/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "modules.h"

#include "console.h"
#include "list.h"

#include <limits.h>
#include <string.h>

#include <os/cmdline.h>
#include <os/file.h>
#include <os/module.h>

#define MODULES_DIRECTORY "/lib/lethe/modules"
#define MODULES_LIST      "/lib/lethe/modules.list"
#define MODALIAS_MAX      4096
#define PARAMETERS_MAX    1024

/* Modaliases that were seen, each as a hash: so that a device costs one comparison of all aliases,
 * not one every tenth of a second. Past the last, every one is looked at again. */
#define SEEN_MAX 4096

enum state { STATE_NEW, STATE_LOADED, STATE_FAILED };

struct modules {
	struct list *list;
	const char *cmdline;
	enum state *states; /* of list->count */
	bool *wanted;       /* of list->count; false between calls */
	uint64_t seen[SEEN_MAX];
	size_t seen_count;
};

struct modules *modules_free(struct modules *modules)
{
	if (modules) {
		list_free(modules->list);
		free(modules->states);
		free(modules->wanted);
		free(modules);
	}
	return NULL;
}

int modules_open(const char *cmdline, struct diag *diag, struct modules **ret_modules)
{
	CLEANUP(modules_freep) struct modules *modules = calloc(1, sizeof(*modules));
	AUTO_BUF struct buf text = {.cap = LIST_FILE_MAX};
	int r = modules ? file_read(MODULES_LIST, &text) : -ENOMEM;

	if (r == 0)
		r = list_parse(buf_text(&text), text.len, diag, &modules->list);
	if (r == -EBADMSG)
		return r;
	if (r == 0) {
		modules->cmdline = cmdline;
		modules->states = calloc(modules->list->count, sizeof(*modules->states));
		modules->wanted = calloc(modules->list->count, sizeof(*modules->wanted));
		if (!modules->states || !modules->wanted)
			r = -ENOMEM;
	}
	if (r < 0) {
		diag_set(diag, "", 0, 0, "cannot read the list of kernel modules: %s",
			 strerror(-r));
		diag_hint(diag, "Write the medium anew.");
		return r;
	}
	*ret_modules = TAKE_PTR(modules);
	return 0;
}

static int load_one(struct modules *modules, size_t index)
{
	const char *file = modules->list->modules[index].file;
	AUTO_BUF struct buf parameters = {.cap = PARAMETERS_MAX};
	char path[PATH_MAX], name[LIST_NAME_MAX];
	int r;

	if (modules->states[index] != STATE_NEW)
		return modules->states[index] == STATE_LOADED ? 0 : -ECANCELED;
	snprintf(name, sizeof(name), "%.*s", (int)(strlen(file) - strlen(".ko")), file);
	cmdline_module_parameters(modules->cmdline, name, &parameters);
	r = buf_finish(&parameters);
	snprintf(path, sizeof(path), MODULES_DIRECTORY "/%s", file);
	if (r == 0)
		r = module_load(path, buf_text(&parameters));
	modules->states[index] = r < 0 ? STATE_FAILED : STATE_LOADED;
	if (r < 0)
		console_note("the kernel module %s was not loaded: %s", file, strerror(-r));
	return r;
}

/* What @index needs, then itself. Returns 0, or the first failure and whose in *@ret_failed. */
static int load_with_deps(struct modules *modules, size_t index, size_t *ret_failed)
{
	int r, result = 0;

	list_want(modules->list, index, modules->wanted);
	for (size_t i = 0; i <= index; i++) {
		if (!modules->wanted[i])
			continue;
		modules->wanted[i] = false;
		r = result == 0 ? load_one(modules, i) : 0;
		if (r < 0) {
			*ret_failed = i;
			result = r;
		}
	}
	return result;
}

int modules_load_always(struct modules *modules, struct diag *diag)
{
	size_t failed = 0;
	int r;

	for (size_t i = 0; i < modules->list->count; i++) {
		if (modules->list->modules[i].when != LIST_ALWAYS)
			continue;
		r = load_with_deps(modules, i, &failed);
		if (r == 0 || (r == -ENODEV && failed == i))
			continue;
		diag_set(diag, "", 0, 0, "cannot load the kernel module %s: %s",
			 modules->list->modules[failed].file, strerror(-r));
		diag_hint(diag,
			  "The start files of this medium are damaged or do not belong together; "
			  "write the medium anew.");
		return r;
	}
	return 0;
}

/* FNV-1a. A device that chose its name to collide with another's would only hide itself. */
static uint64_t hash_of(const char *text)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
	return hash;
}

static bool is_new(struct modules *modules, const char *modalias)
{
	uint64_t hash = hash_of(modalias);

	for (size_t i = 0; i < modules->seen_count; i++)
		if (modules->seen[i] == hash)
			return false;
	if (modules->seen_count < SEEN_MAX)
		modules->seen[modules->seen_count++] = hash;
	return true;
}

static unsigned load_for(struct modules *modules, const char *modalias)
{
	unsigned loaded = 0;
	size_t failed;

	for (size_t i = 0; i < modules->list->count; i++) {
		const struct list_module *module = &modules->list->modules[i];

		if (module->when != LIST_ALIAS || modules->states[i] != STATE_NEW ||
		    !list_matches(modules->list, module, modalias))
			continue;
		if (load_with_deps(modules, i, &failed) == 0) {
			console_note("loaded %s for %.64s", module->file, modalias);
			loaded++;
		} else {
			modules->states[i] = STATE_FAILED;
		}
	}
	return loaded;
}

/* The MODALIAS line of a device's uevent. */
static int modalias_of_uevent(const char *path, char modalias[static MODALIAS_MAX])
{
	AUTO_BUF struct buf text = {.cap = 2 * MODALIAS_MAX};
	static const char label[] = "MODALIAS=";
	int r = file_read(path, &text);
	size_t len;

	if (r < 0)
		return r;
	for (const char *line = buf_text(&text); *line; line += len + (line[len] == '\n')) {
		len = strcspn(line, "\n");
		if (strncmp(line, label, strlen(label)) != 0)
			continue;
		if (len - strlen(label) >= MODALIAS_MAX)
			return -E2BIG;
		memcpy(modalias, line + strlen(label), len - strlen(label));
		modalias[len - strlen(label)] = '\0';
		return 0;
	}
	return -ENOENT;
}

static int read_modalias(const char *bus, const char *device, char modalias[static MODALIAS_MAX])
{
	char path[PATH_MAX];
	int r;

	snprintf(path, sizeof(path), "/sys/bus/%s/devices/%s/modalias", bus, device);
	r = file_read_line(path, modalias, MODALIAS_MAX);
	if (r != -ENOENT)
		return r;
	/* SD cards have theirs only here. */
	snprintf(path, sizeof(path), "/sys/bus/%s/devices/%s/uevent", bus, device);
	return modalias_of_uevent(path, modalias);
}

/* The devices of one bus. */
static unsigned coldplug_bus(struct modules *modules, const char *bus)
{
	char path[PATH_MAX], modalias[MODALIAS_MAX];
	unsigned loaded = 0;
	struct dirent *entry;

	snprintf(path, sizeof(path), "/sys/bus/%s/devices", bus);

	AUTO_DIR DIR *devices = opendir(path);

	while (devices && (entry = readdir(devices))) {
		if (entry->d_name[0] == '.' || read_modalias(bus, entry->d_name, modalias) < 0 ||
		    !modalias[0])
			continue;
		list_normalise(modalias);
		if (is_new(modules, modalias))
			loaded += load_for(modules, modalias);
	}
	return loaded;
}

unsigned modules_coldplug(struct modules *modules)
{
	AUTO_DIR DIR *buses = opendir("/sys/bus");
	struct dirent *entry;
	unsigned loaded = 0;

	while (buses && (entry = readdir(buses)))
		if (entry->d_name[0] != '.')
			loaded += coldplug_bus(modules, entry->d_name);
	return loaded;
}

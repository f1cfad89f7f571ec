/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * /init of Lethe's initramfs: PID 1 until the system is there. The order is the point: the network
 * is closed before any driver of a device is loaded, and nothing is mounted that is not verified.
 * It writes to no disk, and opens none but for reading.
 */
#include "clock.h"
#include "console.h"
#include "copy.h"
#include "image.h"
#include "layer.h"
#include "medium.h"
#include "modules.h"
#include "options.h"
#include "report.h"
#include "root.h"
#include "seal.h"

#include <string.h>

#include <os/cmdline.h>
#include <os/dm.h>
#include <os/file.h>
#include <os/sysctl.h>

#define LOOK_MS    100   /* between two looks for the medium */
#define AWAIT_MS   10000 /* until it is said what is awaited */
#define ADVISE_MS  60000 /* until it is said what to do */
#define GIVE_UP_MS 5000  /* without news, when a disk claimed to be the medium and is not */

/* Only emergencies of the kernel's on the console while messages for people are shown there. */
#define QUIET_LOG "1"

struct start {
	struct options options;
	struct modules *modules;
	struct image image;
	struct report report;
	int control;
	char cmdline[CMDLINE_MAX + 1];
	char kernel_log[SYSCTL_VALUE_MAX]; /* to give back */
};

static int read_options(struct start *start, struct diag *diag)
{
	AUTO_BUF struct buf text = {.cap = CMDLINE_MAX};
	int r = file_read("/proc/cmdline", &text);

	if (r < 0) {
		diag_set(diag, "", 0, 0, "cannot read the kernel's command line: %s", strerror(-r));
		return r;
	}
	memcpy(start->cmdline, buf_text(&text), text.len);
	return options_parse(start->cmdline, diag, &start->options);
}

/* A setting that does not take changes how the screen looks, and nothing else. */
static void quiet_kernel(struct start *start)
{
	if (start->options.verbose || sysctl_read("kernel/printk", start->kernel_log) < 0)
		return;
	start->kernel_log[strcspn(start->kernel_log, "\t ")] = '\0';
	(void)!sysctl_write("kernel/printk", QUIET_LOG);
}

static void give_back_kernel_log(const struct start *start)
{
	if (start->kernel_log[0])
		(void)!sysctl_write("kernel/printk", start->kernel_log);
}

static int close_network(struct start *start, struct diag *diag)
{
	int r = modules_open(start->cmdline, diag, &start->modules);

	if (r == 0)
		r = modules_load_always(start->modules, diag);
	if (r == 0)
		r = seal(diag);
	if (r < 0)
		return r;
	start->report.sealed_ms = clock_ms();
	console_note("the network is closed");
	r = dm_open(&start->control);
	if (r < 0)
		diag_set(diag, "", 0, 0, "cannot use device-mapper: %s", strerror(-r));
	return r;
}

/* What is said while the medium is not there. Returns what was said last: 0, 1 or 2. */
static unsigned say_waiting(unsigned said, uint64_t waited)
{
	if (said < 1 && waited >= AWAIT_MS) {
		console_say("waiting for the medium that this was started from; it may be slow, or "
			    "was it taken out?");
		return 1;
	}
	if (said < 2 && waited >= ADVISE_MS) {
		console_say(
		    "still waiting for the medium. Put it in, or into another socket; or turn "
		    "the computer off and start again from it.");
		return 2;
	}
	return said;
}

static int no_good_medium(const struct medium_search *search, struct diag *diag)
{
	diag_set(diag, "", 0, 0, "no disk holds this Lethe as it was made: %s",
		 search->last_bad.message);
	diag_hint(diag, "The medium is damaged or was changed: do not use it. Write it anew.");
	return -EIO;
}

static int find_medium(struct start *start, struct diag *diag)
{
	struct medium_search search = {
	    .control = start->control, .image = &start->image, .offset = start->options.offset};
	uint64_t since = clock_ms(), news = since;
	unsigned said = 0, loaded;

	for (;;) {
		loaded = modules_coldplug(start->modules);
		/* An open tray is for putting a disc in: do not draw it in by looking. */
		(void)!sysctl_write("dev/cdrom/autoclose", "0");
		if (medium_look(&search, &start->report.medium) == 0)
			break;
		if (loaded > 0 || search.news_ms > news)
			news = clock_ms();
		if (search.bad > 0 && clock_ms() - news > GIVE_UP_MS)
			return no_good_medium(&search, diag);
		if (search.bad == 0)
			said = say_waiting(said, clock_ms() - since);
		if (loaded == 0)
			clock_wait_ms(LOOK_MS);
	}
	start->report.found_ms = clock_ms();
	console_say("found on %s (%s%s%s)", start->report.medium.name, start->report.medium.bus,
		    start->report.medium.model[0] ? ", " : "", start->report.medium.model);
	return 0;
}

static int check_medium(struct start *start, struct diag *diag)
{
	struct diag why = {0};
	int r = start->options.check ? image_check(&start->image, &why) : 0;

	if (r < 0) {
		diag_set(diag, "", 0, 0, "the medium %s is damaged or was changed: %s",
			 start->report.medium.name, why.message);
		diag_hint(diag, "Do not use it. Write it anew, best onto another stick.");
		return r;
	}
	if (start->options.check)
		console_say("every block of the medium is as it was made");
	start->report.checked = start->options.check;
	return 0;
}

static int mount_system(struct start *start, struct diag *diag)
{
	char path[IMAGE_PATH_MAX];
	int r;

	image_path(start->image.dev, path);
	r = root_mount_squashfs(path, ROOT_IMAGE, diag);
	if (r == 0)
		r = layer_offer(&start->report.laboratory, diag);
	if (r == 0)
		r = root_mount_overlay(start->report.laboratory, diag);
	if (r == 0)
		r = image_panic_on_corruption(start->control, &start->image, diag);
	if (r < 0)
		return r;
	start->report.image = start->image.verity;
	start->report.to_ram = start->options.to_ram;
	start->report.switched_ms = clock_ms();
	r = report_write(&start->report);
	if (r < 0)
		diag_set(diag, "", 0, 0, "cannot write the report of the start: %s", strerror(-r));
	return r;
}

/* Returns only if it fails. */
static int start_system(struct start *start, struct diag *diag)
{
	int r = root_mount_basics(diag);

	console_open();
	if (r == 0)
		r = read_options(start, diag);
	if (r < 0)
		return r;
	console_be_verbose(start->options.verbose);
	quiet_kernel(start);
	start->image = (struct image){
	    .verity = start->options.image, .below = "lethe-medium", .name = "lethe-root"};
	r = close_network(start, diag);
	if (r == 0)
		r = find_medium(start, diag);
	if (r == 0)
		r = check_medium(start, diag);
	if (r == 0 && start->options.to_ram)
		r = copy_to_ram(start->control, &start->image, diag);
	if (r == 0)
		r = mount_system(start, diag);
	if (r < 0)
		return r;
	give_back_kernel_log(start);
	return root_switch(diag);
}

/* While it waits for Enter: the keyboard's driver may not be loaded yet, if it stopped early. */
static void load_keyboards(void *argument)
{
	struct start *start = argument;

	if (start->modules)
		(void)modules_coldplug(start->modules);
}

/* Started by anyone but the kernel, it would mount over what is there. */
static int explain(int argc, char **argv)
{
	bool help = argc == 2 && strcmp(argv[1], "--help") == 0;

	fputs("lethe-init is the first program of Lethe's start, run by the kernel as PID 1.\n"
	      "It takes no options but --help; see lethe-init(8) for the kernel's parameters.\n",
	      help ? stdout : stderr);
	return help ? 0 : 2;
}

int main(int argc, char **argv)
{
	static struct start start = {.control = -EBADF};
	struct diag diag = {0};

	if (getpid() != 1)
		return explain(argc, argv);
	console_catch_crashes();
	(void)!start_system(&start, &diag);
	console_stop(&diag, load_keyboards, &start);
}

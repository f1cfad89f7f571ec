/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "layer.h"

#include "console.h"
#include "loop.h"
#include "root.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <os/file.h>

#define OFFER      "/sys/firmware/qemu_fw_cfg/by_name/opt/org.lethe.laboratory"
#define RAM_FOLDER "/run/lethe/laboratory-layer"
#define RAM_FILE   RAM_FOLDER "/layer.img"

/* The kernel gives a page of it by reading all that is before it from the device, byte by byte:
 * more than this takes minutes. Large things belong on a disk of the virtual machine. */
#define LAYER_MAX (1u << 20)

#define ANSWER_MS 30000

static int write_copy(const struct buf *layer)
{
	AUTO_CLOSE int fd = -EBADF;

	if (mkdir(RAM_FOLDER, 0700) < 0 ||
	    mount("tmpfs", RAM_FOLDER, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC,
		  "mode=0700,noswap,size=2m") < 0)
		return neg_errno();
	fd = open(RAM_FILE, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0400);
	if (fd < 0)
		return neg_errno();
	return write(fd, buf_text(layer), layer->len) == (ssize_t)layer->len ? 0 : -EIO;
}

static int use(struct diag *diag)
{
	AUTO_BUF struct buf layer = {.cap = LAYER_MAX};
	char path[LOOP_PATH_MAX];
	dev_t dev;
	int r = file_read(OFFER "/raw", &layer);

	if (r == 0)
		r = write_copy(&layer);
	if (r == 0)
		r = loop_attach(RAM_FILE, path, &dev);
	if (r < 0) {
		diag_set(diag, "", 0, 0, "cannot read the laboratory layer: %s", strerror(-r));
		diag_hint(diag, "Start without it, or give the virtual machine a smaller one.");
		return r;
	}
	return root_mount_squashfs(path, ROOT_LABORATORY, diag);
}

int layer_offer(bool *ret_used, struct diag *diag)
{
	uint64_t size;
	int r;

	if (file_read_number(OFFER "/size", &size) < 0)
		return 0;
	if (size == 0 || size > LAYER_MAX) {
		console_say("this virtual machine offers a laboratory layer of %" PRIu64
			    " bytes; more than 0 and at most %u are taken; starting without it",
			    size, LAYER_MAX);
		return 0;
	}
	if (!console_ask(
		"this virtual machine offers a laboratory layer. Type laboratory and Enter "
		"to use it; anything else starts without it.",
		"laboratory", ANSWER_MS)) {
		console_say("starting without the laboratory layer");
		return 0;
	}
	r = use(diag);
	if (r < 0)
		return r;
	console_say("LABORATORY: this system is changed by the laboratory layer");
	*ret_used = true;
	return 0;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* lethe status: ask the doors, look at the links, and say how things are. */
#include "lethe.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "doors.h"
#include "report.h"
#include "text.h"

#define DEFAULT_DOORS "/run/lethe/status"
#define BOOT_MAX      (64u << 10)
#define CMDLINE_MAX   (16u << 10)
#define DIGITS	      "0123456789"
#define OUTPUT_MAX    (4u << 20)

/* The whole of a file, at most as many bytes as @content may hold. */
static int read_file(const char *path, struct buf *content)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	char bytes[4096];
	ssize_t got;

	if (fd < 0)
		return neg_errno();
	while ((got = read(fd, bytes, sizeof(bytes))) > 0)
		buf_add(content, bytes, (size_t)got);
	return got < 0 ? neg_errno() : buf_finish(content);
}

/* The initramfs is told by the command line what to start from; so was this system started by it?
 */
static bool started_from_medium(const char *path)
{
	AUTO_BUF struct buf line = {.cap = CMDLINE_MAX};

	/* Where that cannot be read, the medium is asked for rather than left out. */
	return read_file(path, &line) < 0 || strstr(buf_text(&line), "lethe.roothash=");
}

/* The file outlives who wrote it. What follows "pid" is looked for without reading the rest, which is
 * left to a process that can open nothing; a number that is none is that of nobody. */
static bool lives(const char *text, const char *name)
{
	/* No process has a number of more digits: such a path is cut, and there is none. */
	static const char key[] = "\"pid\":";
	AUTO_BUF struct buf comm = {.cap = 64};
	const char *at = strstr(text, key), *inner = text[0] ? strchr(text + 1, '{') : NULL;
	char path[64];
	int r;

	/* Not a status at all: told as such. Of what stands deeper, the number is another's. */
	if (!at || (inner && at > inner))
		return true;
	at += strlen(key);
	snprintf(path, sizeof(path), "/proc/%.*s/comm", (int)strspn(at, DIGITS), at);
	r = read_file(path, &comm);
	if (r == -ENOENT)
		return false;
	/* Where processes of others cannot be seen, nobody can tell. */
	return r < 0 || strcmp(buf_text(&comm), name) == 0;
}

static int write_out(const struct buf *out)
{
	if (fwrite(buf_text(out), 1, out->len, stdout) == out->len && fflush(stdout) == 0)
		return 0;
	lethe_complain(neg_errno(), _("cannot write the output"));
	return -EIO;
}

static bool use_colour(const struct lethe_options *options)
{
	const char *terminal = getenv("TERM"), *no_colour = getenv("NO_COLOR");

	return !options->plain && !(no_colour && no_colour[0]) && terminal &&
	       strcmp(terminal, "dumb") != 0 && isatty(STDOUT_FILENO);
}

static int show(const struct lethe_options *options, const struct facts *facts)
{
	CLEANUP(report_done) struct report report = {0};
	AUTO_BUF struct buf out = {.cap = OUTPUT_MAX};
	int r = report_make(facts, &report);

	if (r == 0 && options->json)
		r = report_json(&report, facts, LETHE_VERSION, &out);
	else if (r == 0)
		report_text(&report, LETHE_VERSION, use_colour(options), &out);
	if (r == 0)
		r = buf_finish(&out);
	if (r < 0) {
		lethe_complain(r, _("cannot put the answer together"));
		return LETHE_BAD;
	}
	if (write_out(&out) < 0)
		return LETHE_BAD;
	switch (report_level(&report)) {
	case LEVEL_GOOD:
		return LETHE_OK;
	case LEVEL_WAITING:
		return LETHE_WAITING;
	case LEVEL_UNKNOWN:
	case LEVEL_BAD:
	case LEVEL_APART:
		break;
	}
	return LETHE_BAD;
}

static void facts_done(struct facts *facts)
{
	answer_done(&facts->wall);
	answer_done(&facts->proof);
	answer_done(&facts->proved);
	answer_done(&facts->tor);
	answer_done(&facts->medium);
	answer_done(&facts->boot);
	answer_done(&facts->guard);
	answer_done(&facts->watch);
}

static struct answer parse_door(const struct door *door)
{
	return answer_parse(door->error, buf_text(&door->answer), door->answer.len);
}

/* Everything is opened first; what was answered is read by a process that can open nothing. */
int lethe_status(const struct lethe_options *options, char **words)
{
	CLEANUP(doors_close) struct doors doors = {0};
	CLEANUP(facts_done) struct facts facts = {0};
	AUTO_BUF struct buf boot = {.cap = BOOT_MAX}, proved = {.cap = BOOT_MAX},
			    guard = {.cap = BOOT_MAX}, watch = {.cap = BOOT_MAX};
	int boot_error, proved_error, guard_error, watch_error, r;

	doors_open(options->doors ? options->doors : DEFAULT_DOORS, &doors);
	links_read(&facts.links);
	facts.live = started_from_medium(options->cmdline);
	boot_error = read_file(options->boot, &boot);
	proved_error = read_file(options->proved, &proved);
	guard_error = read_file(options->guard, &guard);
	watch_error = read_file(options->watch, &watch);
	facts.guard_lives = lives(buf_text(&guard), "lethe-guard\n");
	facts.watch_lives = lives(buf_text(&watch), "lethe-watchd\n");
	r = lethe_lock_in();
	if (r != LETHE_OK)
		return r;
	doors_read(&doors, options->seconds * 1000);
	facts.wall = parse_door(&doors.list[DOOR_WALL]);
	facts.proof = parse_door(&doors.list[DOOR_PROOF]);
	facts.tor = parse_door(&doors.list[DOOR_TOR]);
	facts.medium = parse_door(&doors.list[DOOR_MEDIUM]);
	facts.boot = answer_parse(boot_error, buf_text(&boot), boot.len);
	facts.proved = answer_parse(proved_error, buf_text(&proved), proved.len);
	facts.guard = answer_parse(guard_error, buf_text(&guard), guard.len);
	facts.watch = answer_parse(watch_error, buf_text(&watch), watch.len);
	return show(options, &facts);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * lethe-clock-fetch: asks one host of each pool what time it is, and sends what it heard, as records,
 * to standard input, a socket. It runs as the user clearnet, is started for each question anew, reads
 * nothing from who asks, and knows nothing of the clock.
 */
#include <assert.h>
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <base/num.h>
#include <os/file.h>
#include <os/sandbox.h>
#include <os/sandbox_clock.h>

#include "clock.h"
#include "transfer.h"

#define DEFAULT_CA	     "/etc/ssl/certs/ca-certificates.crt"
#define DEFAULT_SECONDS	     45
#define DEFAULT_HOST_SECONDS 10
#define SECONDS_MAX	     120
#define TURN_MS		     500

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

struct fetch {
	const char *pools_file;
	struct transfer_limits limits;
	uint64_t seconds;
	struct pools *pools;
	CURLM *multi;
	int64_t deadline; /* CLOCK_BOOTTIME, ns */
	struct transfer slots[RECORD_POOLS_MAX]; /* one a pool; the first, too, for a portal */
	uint64_t asked[RECORD_POOLS_MAX];
	unsigned tries[RECORD_POOLS_MAX];
	unsigned dated, running;
};

static void complain(int error, const char *what)
{
	fprintf(stderr, "lethe-clock-fetch: %s%s%s\n", what, error < 0 ? ": " : "",
		error < 0 ? strerror(-error) : "");
}

static void usage(void)
{
	fputs("Usage: lethe-clock-fetch [OPTION]...\n"
	      "Ask hosts of the Internet for the time, by HTTPS, and send what was heard to\n"
	      "standard input, a socket. Not for people: lethe-clockd reads it.\n"
	      "\n"
	      "      --pools=FILE        whom to ask (" POOLS_FILE ")\n"
	      "      --ca=FILE           the certificates that are trusted\n"
	      "                          (" DEFAULT_CA ")\n"
	      "      --seconds=N         how long all of it may take (45)\n"
	      "      --host-seconds=N    how long one host may take (10)\n"
	      "  -h, --help              this text\n"
	      "  -V, --version           print the version\n"
	      "\n"
	      "Exit status: 0 all was sent, 1 it failed, 2 wrong usage.\n",
	      stdout);
}

static int parse_seconds(const char *text, uint64_t *ret_seconds)
{
	uint64_t value;

	if (num_parse_u64(text, SECONDS_MAX, &value) < 0 || value == 0) {
		complain(0, "give seconds from 1 to 120");
		return EXIT_USAGE;
	}
	*ret_seconds = value;
	return -1;
}

/* Returns -1 to go on, or the exit status. */
static int parse_options(int argc, char **argv, struct fetch *fetch)
{
	static const struct option longs[] = {
	    {"pools", required_argument, NULL, 'p'},	{"ca", required_argument, NULL, 'c'},
	    {"seconds", required_argument, NULL, 's'},	{"host-seconds", required_argument, NULL, 'o'},
	    {"help", no_argument, NULL, 'h'},		{"version", no_argument, NULL, 'V'},
	    {0},
	};
	uint64_t host_seconds = DEFAULT_HOST_SECONDS;
	int option, r = -1;

	while (r < 0 && (option = getopt_long(argc, argv, "hV", longs, NULL)) != -1) {
		switch (option) {
		case 'p':
			fetch->pools_file = optarg;
			break;
		case 'c':
			fetch->limits.ca = optarg;
			break;
		case 's':
			r = parse_seconds(optarg, &fetch->seconds);
			break;
		case 'o':
			r = parse_seconds(optarg, &host_seconds);
			break;
		case 'h':
			usage();
			return EXIT_DONE;
		case 'V':
			puts("lethe-clock-fetch " LETHE_VERSION);
			return EXIT_DONE;
		default:
			fputs("Try 'lethe-clock-fetch --help'.\n", stderr);
			return EXIT_USAGE;
		}
	}
	if (r < 0 && optind < argc) {
		complain(0, "no arguments are taken. Try 'lethe-clock-fetch --help'");
		return EXIT_USAGE;
	}
	fetch->limits.host_ms = (long)host_seconds * 1000;
	return r;
}

/* ---- asking ---- */

static int send_record(const struct record *record)
{
	unsigned char bytes[RECORD_BYTES];

	record_write(record, bytes);
	if (send(STDIN_FILENO, bytes, sizeof(bytes), MSG_NOSIGNAL) == (ssize_t)sizeof(bytes))
		return 0;
	return neg_errno();
}

/* Rejection, so that no number is likelier than another. */
static unsigned draw(void *data, unsigned below)
{
	uint32_t value, limit = UINT32_MAX - UINT32_MAX % below;

	(void)data;
	do {
		if (getrandom(&value, sizeof(value), 0) != (ssize_t)sizeof(value))
			return 0;
	} while (value >= limit);
	return value % below;
}

/* Ask the next host of the pool, if it may have one more. Returns 0 or -errno. */
static int ask_next(struct fetch *fetch, unsigned number)
{
	const struct pool *pool = &fetch->pools->pools[number];
	struct transfer *transfer = &fetch->slots[number];
	unsigned host;
	int r;

	if (fetch->tries[number] == pools_share(pool->count))
		return 0;
	host = pools_choose(pool->count, fetch->asked[number], draw, NULL);
	fetch->asked[number] |= 1ull << host;
	fetch->tries[number]++;
	r = transfer_time(transfer, pool->hosts[host], &fetch->limits);
	if (r < 0)
		return r;
	transfer->pool = number;
	transfer->host = host;
	if (curl_multi_add_handle(fetch->multi, transfer->easy) != CURLM_OK) {
		transfer_done(transfer);
		return -ENOMEM;
	}
	fetch->running++;
	return 0;
}

static void release(struct fetch *fetch, struct transfer *transfer)
{
	curl_multi_remove_handle(fetch->multi, transfer->easy);
	transfer_done(transfer);
	fetch->running--;
}

static int finish(struct fetch *fetch, struct transfer *transfer, CURLcode code)
{
	struct record record = transfer_time_record(transfer, code);
	unsigned pool = transfer->pool;
	int r = send_record(&record);

	release(fetch, transfer);
	if (r < 0)
		return r;
	if (record.result == RECORD_DATED) {
		fetch->dated++;
		return 0;
	}
	return ask_next(fetch, pool);
}

/* The transfer that has ended, if one has. */
static struct transfer *ended(struct fetch *fetch, CURLcode *ret_code)
{
	struct transfer *transfer = NULL;
	const CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(fetch->multi, &left))) {
		if (message->msg != CURLMSG_DONE)
			continue;
		*ret_code = message->data.result;
		if (curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer) != CURLE_OK)
			return NULL;
		return transfer;
	}
	return NULL;
}

/* Let libcurl work for a moment. Returns 0; -ETIMEDOUT at the end of all time; -ECONNRESET if nobody
 * listens any more; or -EIO. */
static int turn(struct fetch *fetch)
{
	struct curl_waitfd asker = {.fd = STDIN_FILENO, .events = CURL_WAIT_POLLIN};
	struct pollfd gone = {.fd = STDIN_FILENO, .events = POLLIN};
	int running;

	/* Who asked says nothing: what can be read is the end. */
	if (poll(&gone, 1, 0) > 0)
		return -ECONNRESET;
	if (clock_now().boot >= fetch->deadline)
		return -ETIMEDOUT;
	if (curl_multi_perform(fetch->multi, &running) != CURLM_OK)
		return -EIO;
	if (running < (int)fetch->running)
		return 0;
	if (curl_multi_poll(fetch->multi, &asker, 1, TURN_MS, NULL) != CURLM_OK)
		return -EIO;
	return 0;
}

static int ask_all(struct fetch *fetch)
{
	struct transfer *transfer;
	CURLcode code;
	int r = 0;

	for (unsigned i = 0; i < fetch->pools->count && r == 0; i++)
		r = ask_next(fetch, i);
	while (r == 0 && fetch->running > 0) {
		r = turn(fetch);
		while (r == 0 && (transfer = ended(fetch, &code)))
			r = finish(fetch, transfer, code);
	}
	if (r != -ETIMEDOUT)
		return r;
	r = 0;
	for (unsigned i = 0; i < fetch->pools->count && r == 0; i++) {
		struct record record = {.kind = RECORD_ANSWER, .pool = (uint8_t)i,
					.host = (uint8_t)fetch->slots[i].host,
					.result = RECORD_SLOW};

		if (!fetch->slots[i].easy)
			continue;
		release(fetch, &fetch->slots[i]);
		r = send_record(&record);
	}
	return r;
}

/* Only when too few have answered: a request in the clear is seen by everybody on the way. */
static int ask_portal(struct fetch *fetch)
{
	const struct pools_portal *portal =
	    &fetch->pools->portals[draw(NULL, fetch->pools->portal_count)];
	struct record record = {.kind = RECORD_PORTAL, .result = RECORD_PORTAL_UNKNOWN};
	struct transfer *transfer = &fetch->slots[0];
	CURLcode code = CURLE_OK;
	int r = transfer_portal(transfer, portal, &fetch->limits);

	if (r < 0)
		return r;
	if (curl_multi_add_handle(fetch->multi, transfer->easy) != CURLM_OK) {
		transfer_done(transfer);
		return -ENOMEM;
	}
	fetch->running++;
	/* It has time of its own. */
	fetch->deadline = clock_now().boot + (int64_t)fetch->limits.host_ms * 2000000;
	while (r == 0 && !ended(fetch, &code))
		r = turn(fetch);
	if (r == 0)
		record = transfer_portal_record(transfer, code, portal);
	release(fetch, transfer);
	return r == 0 || r == -ETIMEDOUT ? send_record(&record) : r;
}

static int ask(struct fetch *fetch)
{
	struct record record = {.kind = RECORD_BEGIN, .pool = (uint8_t)fetch->pools->count};
	int r = send_record(&record);

	fetch->deadline = clock_now().boot + (int64_t)fetch->seconds * CLOCK_NS;
	if (r == 0)
		r = ask_all(fetch);
	if (r == 0 && fetch->dated < fetch->pools->count / 2 + 1)
		r = ask_portal(fetch);
	record = (struct record){.kind = RECORD_END};
	return r < 0 ? r : send_record(&record);
}

/* ---- start ---- */

static int read_pools(struct fetch *fetch)
{
	AUTO_BUF struct buf text = {.cap = POOLS_BYTES_MAX};
	char shown[DIAG_FILE_MAX + 2 * DIAG_MESSAGE_MAX];
	struct diag diag = {0};
	int r = file_read(fetch->pools_file, &text);

	if (r < 0) {
		complain(r, fetch->pools_file);
		return r;
	}
	r = pools_parse(fetch->pools_file, buf_text(&text), &diag, &fetch->pools);
	if (r < 0) {
		diag_format(&diag, shown, sizeof(shown));
		complain(0, shown);
		return r;
	}
	assert(fetch->pools);
	return 0;
}

/* Nobody of the same user may look into it; it leaves no core; no right, and few calls. */
static int lock_in(void)
{
	const struct rlimit none = {0};
	int r;

	if (prctl(PR_SET_DUMPABLE, 0) < 0 || setrlimit(RLIMIT_CORE, &none) < 0)
		return neg_errno();
	r = sandbox_keep_no_capability();
	return r < 0 ? r : sandbox_fetching();
}

static int run(struct fetch *fetch)
{
	int r = read_pools(fetch);

	if (r < 0)
		return EXIT_FAILED;
	if (curl_global_sslset(CURLSSLBACKEND_OPENSSL, NULL, NULL) != CURLSSLSET_OK ||
	    curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		complain(0, "libcurl cannot be used here");
		return EXIT_FAILED;
	}
	fetch->multi = curl_multi_init();
	r = fetch->multi ? lock_in() : -ENOMEM;
	if (r < 0)
		complain(r, "cannot give up its rights");
	else
		r = ask(fetch);
	if (r < 0 && r != -ECONNRESET && r != -EPIPE)
		complain(r, "cannot ask for the time");
	return r == 0 ? EXIT_DONE : EXIT_FAILED;
}

int main(int argc, char **argv)
{
	static struct fetch fetch = {
	    .pools_file = POOLS_FILE,
	    .limits = {.ca = DEFAULT_CA},
	    .seconds = DEFAULT_SECONDS,
	};
	int r = parse_options(argc, argv, &fetch);

	return r >= 0 ? r : run(&fetch);
}

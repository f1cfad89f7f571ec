/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * lethe-connect-moat: asks the service that gives bridges, through the transport meek_lite, and prints
 * what it answered as lines that are understood. It runs behind the door /run/lethe/connect/moat for one
 * question, which is all it reads of who asks.
 */
#include "moat.h"

#include <ctype.h>
#include <fcntl.h>
#include <getopt.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <curl/curl.h>

#include <os/file.h>
#include <os/sandbox.h>
#include <torctl/settings.h>

#define DEFAULT_PLACE LETHE_DATADIR "/lethe/moat.conf"
#define OWN_PLACE     LETHE_SYSCONFDIR "/lethe/moat.conf"
#define DEFAULT_CA    "/etc/ssl/certs/ca-certificates.crt"
#define FILE_MAX      (16u << 10)
#define CA_MAX	      (4u << 20)
#define SECONDS	      90L
#define QUESTION_MAX  512
#define OUTPUT_MAX    (64u << 10)
#define URL_MAX      512
#define SOCKS_PART    255 /* bytes of a name or a password (RFC 1929) */

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

static void usage(void)
{
	fputs("Usage: lethe-connect-moat [OPTION]...\n"
	      "Read a country (two letters, or nothing) from standard input, ask the service\n"
	      "that gives bridges, and print what it answered. For lethe-connectd.\n"
	      "\n"
	      "      --place=FILE     where the service is (" OWN_PLACE ",\n"
	      "                       or " DEFAULT_PLACE ")\n"
	      "  -h, --help           this text\n"
	      "  -V, --version        print the version\n"
	      "\n"
	      "Exit status: 0 it answered, 1 it did not, 2 wrong usage.\n",
	      stdout);
}

/* Returns -1 to go on, or the exit status. */
static int parse_options(int argc, char **argv, const char **place)
{
	static const struct option longs[] = {{"place", required_argument, NULL, 'p'},
					      {"help", no_argument, NULL, 'h'},
					      {"version", no_argument, NULL, 'V'},
					      {0}};
	int option;

	while ((option = getopt_long(argc, argv, "hV", longs, NULL)) != -1) {
		switch (option) {
		case 'p':
			*place = optarg;
			break;
		case 'h':
			usage();
			return EXIT_DONE;
		case 'V':
			puts("lethe-connect-moat " LETHE_VERSION);
			return EXIT_DONE;
		default:
			fputs("Try 'lethe-connect-moat --help'.\n", stderr);
			return EXIT_USAGE;
		}
	}
	if (optind == argc)
		return -1;
	fputs("Try 'lethe-connect-moat --help'.\n", stderr);
	return EXIT_USAGE;
}

/* ---- before the sandbox ---- */

static int read_place(const char *given, struct moat_place *ret_place)
{
	AUTO_BUF struct buf text = {.cap = FILE_MAX};
	struct diag diag = {0};
	int r = file_read(given ?: OWN_PLACE, &text);

	if (r == -ENOENT && !given)
		r = file_read(DEFAULT_PLACE, &text);
	if (r == 0)
		r = moat_place_read(buf_text(&text), text.len, ret_place, &diag);
	if (r == -EINVAL)
		fprintf(stderr, "lethe-connect-moat: line %u: %s\n", diag.line, diag.message);
	return r;
}

/* ---- asking ---- */

static size_t take_piece(char *piece, size_t size, size_t count, void *data)
{
	struct buf *answer = data;

	buf_add(answer, piece, size * count);
	/* Less than there was ends it. */
	return answer->error < 0 ? 0 : size * count;
}

/*
 * Transports are told by the name and password of SOCKS, which are joined there. Neither may be empty.
 * Of a text of 1 to 510 bytes: the last byte at least is the password.
 */
static int split_arguments(const char *text, char name[static SOCKS_PART + 1],
			   char password[static SOCKS_PART + 1])
{
	size_t length = strlen(text), first;
	char joined[2 * SOCKS_PART + 1];

	if (length < 2 || length > 2 * (size_t)SOCKS_PART)
		return -E2BIG;
	/* The file has blanks between them, SOCKS has semicolons. */
	for (size_t i = 0; i <= length; i++)
		joined[i] = (char)(text[i] == ' ' ? ';' : text[i]);
	first = length > SOCKS_PART ? SOCKS_PART : length - 1;
	memcpy(name, joined, first);
	name[first] = '\0';
	memcpy(password, joined + first, length - first + 1);
	return 0;
}

struct asking {
	CURL *curl;
	struct curl_slist *headers;
	char url[URL_MAX], name[SOCKS_PART + 1], password[SOCKS_PART + 1], proxy[64];
	struct curl_blob ca;
	struct buf question;
	struct buf *answer;
};

static bool set_all(struct asking *asking)
{
	CURL *curl = asking->curl;

	return !curl_easy_setopt(curl, CURLOPT_URL, asking->url) &&
	       !curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "https") &&
	       !curl_easy_setopt(curl, CURLOPT_PROXY, asking->proxy) &&
	       !curl_easy_setopt(curl, CURLOPT_PROXYTYPE, (long)CURLPROXY_SOCKS5_HOSTNAME) &&
	       !curl_easy_setopt(curl, CURLOPT_SOCKS5_AUTH, (long)CURLAUTH_BASIC) &&
	       !curl_easy_setopt(curl, CURLOPT_PROXYUSERNAME, asking->name) &&
	       !curl_easy_setopt(curl, CURLOPT_PROXYPASSWORD, asking->password) &&
	       !curl_easy_setopt(curl, CURLOPT_NOPROXY, "") &&
	       !curl_easy_setopt(curl, CURLOPT_CAINFO_BLOB, &asking->ca) &&
	       !curl_easy_setopt(curl, CURLOPT_CAPATH, NULL) &&
	       !curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) &&
	       !curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L) &&
	       !curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) &&
	       !curl_easy_setopt(curl, CURLOPT_TIMEOUT, SECONDS) &&
	       !curl_easy_setopt(curl, CURLOPT_HTTPHEADER, asking->headers) &&
	       !curl_easy_setopt(curl, CURLOPT_POSTFIELDS, buf_text(&asking->question)) &&
	       !curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)asking->question.len) &&
	       !curl_easy_setopt(curl, CURLOPT_MAXFILESIZE, (long)MOAT_ANSWER_MAX) &&
	       !curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_piece) &&
	       !curl_easy_setopt(curl, CURLOPT_WRITEDATA, asking->answer);
}

static int perform(struct asking *asking)
{
	CURLcode code;
	long status = 0;

	asking->headers = curl_slist_append(NULL, "Content-Type: application/vnd.api+json");
	if (!asking->headers || !set_all(asking))
		return -ENOMEM;
	code = curl_easy_perform(asking->curl);
	if (code != CURLE_OK) {
		/* In the library's words: what is asked is the same for all, and not in them. */
		fprintf(stderr, "lethe-connect-moat: %s\n", curl_easy_strerror(code));
		return -EHOSTUNREACH;
	}
	if (curl_easy_getinfo(asking->curl, CURLINFO_RESPONSE_CODE, &status) || status != 200)
		return -EREMOTEIO;
	return buf_finish(asking->answer);
}

static int ask(const struct moat_place *place, const struct buf *ca, const char *country,
	       const char *what, struct buf *answer)
{
	struct asking asking = {
	    .curl = curl_easy_init(),
	    .ca = {.data = ca->data, .len = ca->len, .flags = CURL_BLOB_NOCOPY},
	    .question = {.cap = QUESTION_MAX},
	    .answer = answer,
	};
	int r = asking.curl ? 0 : -ENOMEM;

	moat_question(country, &asking.question);
	snprintf(asking.proxy, sizeof(asking.proxy), "socks5h://127.0.0.1:%u",
		 torctl_transport_port(TORCTL_TRANSPORT_MEEK));
	if ((size_t)snprintf(asking.url, sizeof(asking.url), "%s/circumvention/%s", place->service,
			     what) >= sizeof(asking.url))
		r = -E2BIG;
	if (r == 0)
		r = split_arguments(place->transport, asking.name, asking.password);
	if (r == 0)
		r = buf_finish(&asking.question);
	if (r == 0)
		r = perform(&asking);
	curl_slist_free_all(asking.headers);
	curl_easy_cleanup(asking.curl);
	buf_done(&asking.question);
	return r;
}

/* What is recommended for the country; if that is nothing, what is recommended to everybody. */
static int find(const struct moat_place *place, const struct buf *ca, const char *country,
		struct moat_answer *answer)
{
	static const char *const questions[] = {"settings", "defaults"};
	int r = -EREMOTEIO;

	for (size_t i = 0; i < ARRAY_SIZE(questions); i++) {
		AUTO_BUF struct buf text = {.cap = MOAT_ANSWER_MAX};

		r = ask(place, ca, country, questions[i], &text);
		if (r == 0)
			r = moat_answer_read(buf_text(&text), text.len, answer);
		if (r < 0 || !answer->none)
			break;
	}
	return r;
}

/* Two letters and the end of the line, or the end of the line alone. */
static int read_country(char country[static 3])
{
	char line[8];
	ssize_t got = read(STDIN_FILENO, line, sizeof(line));

	country[0] = '\0';
	if (got == 1 && line[0] == '\n')
		return 0;
	if (got != 3 || !islower((unsigned char)line[0]) || !islower((unsigned char)line[1]) ||
	    line[2] != '\n')
		return -EINVAL;
	memcpy(country, line, 2);
	country[2] = '\0';
	return 0;
}

/* TLS and curl are large; what they may do is bounded by the unit, and by this. */
static int lock_in(void)
{
	const struct rlimit none = {0};
	int r;

	if (prctl(PR_SET_DUMPABLE, 0) < 0 || setrlimit(RLIMIT_CORE, &none) < 0)
		return neg_errno();
	r = sandbox_keep_no_capability();
	/* Who has nothing may be refused the giving up of it. */
	if (r < 0 && geteuid() == 0)
		return r;
	return sandbox_asking();
}

static int run(const char *place_path, struct buf *out)
{
	static struct moat_answer answer;
	AUTO_BUF struct buf ca = {.cap = CA_MAX};
	struct moat_place place = {0};
	char country[3];
	int r = read_place(place_path, &place);

	if (r == 0)
		r = file_read(place.ca[0] ? place.ca : DEFAULT_CA, &ca);
	if (r == 0 && curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		r = -ENOMEM;
	if (r == 0)
		r = lock_in();
	if (r == 0)
		r = read_country(country);
	if (r == 0)
		r = find(&place, &ca, country, &answer);
	if (r == 0)
		moat_answer_write(&answer, out);
	return r < 0 ? r : buf_finish(out);
}

int main(int argc, char **argv)
{
	AUTO_BUF struct buf out = {.cap = OUTPUT_MAX};
	const char *place = NULL;
	int r = parse_options(argc, argv, &place);

	if (r >= 0)
		return r;
	r = run(place, &out);
	if (r < 0) {
		fprintf(stderr, "lethe-connect-moat: the service cannot be asked: %s\n", strerror(-r));
		buf_done(&out);
		buf_puts(&out, "failed\n");
	}
	if (fwrite(buf_text(&out), 1, out.len, stdout) != out.len || fflush(stdout))
		return EXIT_FAILED;
	return r < 0 ? EXIT_FAILED : EXIT_DONE;
}

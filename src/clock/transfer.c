/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "transfer.h"

#include <stdio.h>
#include <string.h>

#include "clock.h"

#define CONNECT_SHARE 2 /* of the time for a request, half is for the connection */
#define URL_MAX	      (sizeof("https:///") + POOLS_NAME_MAX + POOLS_PATH_MAX)

/* ---- while it runs ---- */

static int before_request(void *data, char *to, char *from, int to_port, int from_port)
{
	struct transfer *transfer = data;

	(void)to, (void)from, (void)to_port, (void)from_port;
	transfer->sent = clock_now().boot;
	return CURL_PREREQFUNC_OK;
}

static size_t take_header(char *line, size_t size, size_t count, void *data)
{
	struct transfer *transfer = data;

	if (!transfer->received)
		transfer->received = clock_now().boot;
	if (head_feed(&transfer->head, line, size * count) < 0) {
		transfer->too_much = true;
		return 0;
	}
	return size * count;
}

static size_t take_body(char *bytes, size_t size, size_t count, void *data)
{
	struct transfer *transfer = data;
	size_t length = size * count;

	if (length > sizeof(transfer->body) - transfer->body_length) {
		transfer->too_much = true;
		return 0;
	}
	memcpy(transfer->body + transfer->body_length, bytes, length);
	transfer->body_length += length;
	return length;
}

/* ---- what is asked ---- */

#define SET_OPTION(easy, option, value) (curl_easy_setopt(easy, option, value) == CURLE_OK)

/* One protocol, no proxy whatever the environment says, nothing kept, nothing followed, nothing
 * unpacked. What is sent beside the method is Host and "Accept: *'/'*" alone. */
static bool set_common(struct transfer *transfer, const char *url, const char *protocol,
		       const struct transfer_limits *limits)
{
	CURL *easy = transfer->easy;

	return SET_OPTION(easy, CURLOPT_URL, url) &&
	       SET_OPTION(easy, CURLOPT_PROTOCOLS_STR, protocol) &&
	       SET_OPTION(easy, CURLOPT_PRIVATE, transfer) &&
	       SET_OPTION(easy, CURLOPT_PROXY, "") &&
	       SET_OPTION(easy, CURLOPT_NOPROXY, "*") &&
	       SET_OPTION(easy, CURLOPT_FOLLOWLOCATION, 0L) &&
	       SET_OPTION(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) &&
	       SET_OPTION(easy, CURLOPT_HTTP_CONTENT_DECODING, 0L) &&
	       SET_OPTION(easy, CURLOPT_IPRESOLVE, (long)CURL_IPRESOLVE_V4) &&
	       SET_OPTION(easy, CURLOPT_NOSIGNAL, 1L) &&
	       SET_OPTION(easy, CURLOPT_FRESH_CONNECT, 1L) &&
	       SET_OPTION(easy, CURLOPT_FORBID_REUSE, 1L) &&
	       SET_OPTION(easy, CURLOPT_DNS_CACHE_TIMEOUT, 0L) &&
	       SET_OPTION(easy, CURLOPT_QUICK_EXIT, 1L) &&
	       SET_OPTION(easy, CURLOPT_TIMEOUT_MS, limits->host_ms) &&
	       SET_OPTION(easy, CURLOPT_CONNECTTIMEOUT_MS, limits->host_ms / CONNECT_SHARE) &&
	       SET_OPTION(easy, CURLOPT_PREREQFUNCTION, before_request) &&
	       SET_OPTION(easy, CURLOPT_PREREQDATA, transfer) &&
	       SET_OPTION(easy, CURLOPT_HEADERFUNCTION, take_header) &&
	       SET_OPTION(easy, CURLOPT_HEADERDATA, transfer) &&
	       SET_OPTION(easy, CURLOPT_WRITEFUNCTION, take_body) &&
	       SET_OPTION(easy, CURLOPT_WRITEDATA, transfer);
}

static bool set_tls(struct transfer *transfer, const struct transfer_limits *limits)
{
	CURL *easy = transfer->easy;

	return SET_OPTION(easy, CURLOPT_SSL_VERIFYPEER, 1L) &&
	       SET_OPTION(easy, CURLOPT_SSL_VERIFYHOST, 2L) &&
	       SET_OPTION(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) &&
	       SET_OPTION(easy, CURLOPT_SSL_SESSIONID_CACHE, 0L) &&
	       SET_OPTION(easy, CURLOPT_CAINFO, limits->ca) &&
	       SET_OPTION(easy, CURLOPT_CAPATH, NULL) &&
	       SET_OPTION(easy, CURLOPT_SSL_CTX_FUNCTION, tls_prepare) &&
	       SET_OPTION(easy, CURLOPT_SSL_CTX_DATA, transfer);
}

int transfer_time(struct transfer *transfer, const char *name, const struct transfer_limits *limits)
{
	char url[URL_MAX];

	transfer->easy = curl_easy_init();
	if (!transfer->easy)
		return -ENOMEM;
	snprintf(url, sizeof(url), "https://%s/", name);
	if (set_common(transfer, url, "https", limits) && set_tls(transfer, limits) &&
	    SET_OPTION(transfer->easy, CURLOPT_NOBODY, 1L))
		return 0;
	transfer_done(transfer);
	return -ENOMEM;
}

/* Byte for byte what NetworkManager sends to see whether there is a portal. */
int transfer_portal(struct transfer *transfer, const struct pools_portal *portal,
		    const struct transfer_limits *limits)
{
	char url[URL_MAX];

	transfer->portal = true;
	transfer->easy = curl_easy_init();
	transfer->headers = curl_slist_append(NULL, "Connection: close");
	snprintf(url, sizeof(url), "http://%s%s", portal->host, portal->path);
	if (transfer->easy && transfer->headers && set_common(transfer, url, "http", limits) &&
	    SET_OPTION(transfer->easy, CURLOPT_HTTPHEADER, transfer->headers))
		return 0;
	transfer_done(transfer);
	return -ENOMEM;
}

void transfer_done(struct transfer *transfer)
{
	if (transfer->easy)
		curl_easy_cleanup(transfer->easy);
	curl_slist_free_all(transfer->headers);
	*transfer = (struct transfer){0};
}

/* ---- what came of it ---- */

/* How far it had come when its time was over. */
static enum record_result why_late(const struct transfer *transfer)
{
	curl_off_t named = 0, connected = 0;

	if (curl_easy_getinfo(transfer->easy, CURLINFO_NAMELOOKUP_TIME_T, &named) != CURLE_OK ||
	    curl_easy_getinfo(transfer->easy, CURLINFO_CONNECT_TIME_T, &connected) != CURLE_OK)
		return RECORD_SLOW;
	if (connected > 0)
		return RECORD_SLOW;
	return named > 0 ? RECORD_NO_ROUTE : RECORD_NO_NAME;
}

static enum record_result why(const struct transfer *transfer, CURLcode code)
{
	if (transfer->too_much)
		return RECORD_TOO_MUCH;
	if (transfer->tls.untrusted)
		return RECORD_UNTRUSTED;
	/* NOLINTNEXTLINE(clang-diagnostic-switch-enum): there are a hundred */
	switch ((int)code) {
	case CURLE_COULDNT_RESOLVE_HOST:
		return RECORD_NO_NAME;
	case CURLE_COULDNT_CONNECT:
	case CURLE_GOT_NOTHING:
	case CURLE_RECV_ERROR:
	case CURLE_SEND_ERROR:
		return RECORD_NO_ROUTE;
	case CURLE_OPERATION_TIMEDOUT:
		return why_late(transfer);
	case CURLE_PEER_FAILED_VERIFICATION:
		return RECORD_OTHER_NAME;
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_SSL_CIPHER:
		return RECORD_NO_TLS;
	case CURLE_WEIRD_SERVER_REPLY:
	case CURLE_UNSUPPORTED_PROTOCOL:
	case CURLE_BAD_CONTENT_ENCODING:
	case CURLE_PARTIAL_FILE:
		return RECORD_NO_HTTP;
	case CURLE_OUT_OF_MEMORY: /* a line that is too long, to versions before 8.6 */
	case 100:		  /* CURLE_TOO_LARGE, to later ones */
		return RECORD_TOO_MUCH;
	default:
		return RECORD_FAILED;
	}
}

struct record transfer_time_record(const struct transfer *transfer, CURLcode code)
{
	struct record record = {.kind = RECORD_ANSWER,
				.pool = (uint8_t)transfer->pool,
				.host = (uint8_t)transfer->host};
	int64_t date = 0;
	int r;

	if (code != CURLE_OK) {
		record.result = (uint8_t)why(transfer, code);
		return record;
	}
	/* Without a look at the chain there is no answer that could be believed. */
	if (!transfer->tls.seen || transfer->tls.untrusted || !transfer->sent ||
	    transfer->received < transfer->sent) {
		record.result = RECORD_FAILED;
		return record;
	}
	r = head_date(&transfer->head, &date);
	if (r < 0) {
		record.result = r == -ENODATA ? RECORD_NO_DATE : RECORD_NO_HTTP;
		return record;
	}
	/* An empty window can hold no date, and a record says so by one that cannot fit. */
	if (transfer->tls.not_before > transfer->tls.not_after) {
		record.result = RECORD_UNTRUSTED;
		return record;
	}
	record.result = RECORD_DATED;
	record.sent = transfer->sent;
	record.received = transfer->received;
	record.date = date;
	record.not_before = transfer->tls.not_before;
	record.not_after = transfer->tls.not_after;
	return record;
}

static enum record_portal judge_page(const struct transfer *transfer, CURLcode code,
				     const struct pools_portal *portal)
{
	size_t length = strlen(portal->text);

	/* More than fits is another page; nothing at all tells nothing. */
	if (code != CURLE_OK && !transfer->too_much)
		return RECORD_PORTAL_UNKNOWN;
	if (transfer->head.status >= 300 && transfer->head.status < 400)
		return RECORD_PORTAL_REDIRECT;
	if (transfer->head.status != 200)
		return RECORD_PORTAL_STATUS;
	if (transfer->too_much || transfer->body_length < length ||
	    memcmp(transfer->body, portal->text, length) != 0)
		return RECORD_PORTAL_BODY;
	return RECORD_PORTAL_NONE;
}

struct record transfer_portal_record(const struct transfer *transfer, CURLcode code,
				     const struct pools_portal *portal)
{
	return (struct record){.kind = RECORD_PORTAL,
			       .result = (uint8_t)judge_page(transfer, code, portal)};
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "status.h"

#include <string.h>

#include <base/json.h>
#include <base/num.h>
#include <torctl/absence.h>
#include <torctl/words.h>

static void copy_text(char to[static TOR_TEXT_MAX], const char *from)
{
	snprintf(to, TOR_TEXT_MAX, "%s", from ? from : "");
}

int tor_status_phase(const char *text, struct tor_status *status)
{
	CLEANUP(torctl_words_done) struct torctl_words words = {0};
	const char *severity, *what, *progress;
	uint64_t percent;
	int r = torctl_words_parse(text, strlen(text), &words);

	if (r < 0)
		return r == -ENOMEM ? r : -EBADMSG;
	severity = torctl_words_at(&words, 0);
	what = torctl_words_at(&words, 1);
	progress = torctl_words_get(&words, "PROGRESS");
	if (!severity || !what || strcmp(what, "BOOTSTRAP") != 0 || !progress ||
	    num_parse_u64(progress, 100, &percent) < 0)
		return -EBADMSG;
	status->progress = (unsigned)percent;
	copy_text(status->phase, torctl_words_get(&words, "TAG"));
	copy_text(status->summary, torctl_words_get(&words, "SUMMARY"));
	/* HOST and HOSTADDR would name the guard or bridge: nobody needs that here. */
	copy_text(status->warning, torctl_words_get(&words, "WARNING"));
	copy_text(status->reason, torctl_words_get(&words, "REASON"));
	return 0;
}

/* GETINFO @key, which must be one of two words. */
static int ask_flag(struct torctl *torctl, const char *key, const char *yes, const char *no,
		    bool *ret_flag)
{
	AUTO_FREE char *value = NULL;
	int r = torctl_getinfo(torctl, key, &value);

	if (r < 0)
		return r;
	if (strcmp(value, yes) != 0 && strcmp(value, no) != 0)
		return -EBADMSG;
	*ret_flag = strcmp(value, yes) == 0;
	return 0;
}

static int ask_network(struct torctl *torctl, bool *ret_enabled)
{
	AUTO_FREE char *value = NULL;
	int r = torctl_getconf(torctl, "DisableNetwork", &value);

	if (r < 0)
		return r;
	if (strcmp(value, "0") != 0 && strcmp(value, "1") != 0 && value[0])
		return -EBADMSG;
	*ret_enabled = strcmp(value, "1") != 0;
	return 0;
}

int tor_status_ask(struct torctl *torctl, struct tor_status *ret_status)
{
	AUTO_FREE char *version = NULL, *phase = NULL;
	struct tor_status status = {.running = true};
	int r = torctl_getinfo(torctl, "version", &version);

	if (r == 0)
		r = torctl_getinfo(torctl, "status/bootstrap-phase", &phase);
	if (r == 0)
		r = tor_status_phase(phase, &status);
	if (r == 0)
		r = ask_flag(torctl, "status/circuit-established", "1", "0", &status.circuit);
	if (r == 0)
		r = ask_flag(torctl, "network-liveness", "up", "down", &status.live);
	if (r == 0)
		r = ask_flag(torctl, "dormant", "1", "0", &status.dormant);
	if (r == 0)
		r = ask_network(torctl, &status.network);
	if (r < 0)
		return r;
	copy_text(status.version, version);
	*ret_status = status;
	return 0;
}

int tor_status_greeting(const struct torctl_line *line)
{
	if (line->code == 250)
		return 0;
	if (line->code / 100 != 4)
		return -ECONNABORTED;
	switch (torctl_absence_find(line->text)) {
	case TORCTL_STARTING:
		return -EINPROGRESS;
	case TORCTL_STOPPED:
		return -ECONNREFUSED;
	case TORCTL_SILENT:
		return -ETIMEDOUT;
	case TORCTL_SHUT_OUT:
		return -ENOLINK;
	case TORCTL_UNUSABLE:
	case TORCTL_ABSENCE_OTHER:
	case TORCTL_ABSENCE_END:
		break;
	}
	return -EBUSY;
}

static const char *explain(int error)
{
	switch (-error) {
	case ENOENT:
	case ECONNREFUSED:
		return "Tor is not running";
	case ETIMEDOUT:
	case EAGAIN:
		return "Tor did not answer in time";
	case EINPROGRESS:
		return "Tor is still starting";
	case ENOLINK:
		return "lethe-gate could not authenticate itself to Tor";
	case EBUSY:
		return "lethe-gate has too much to do, or cannot ask Tor";
	case ECONNABORTED:
		return "lethe-gate does not let this program in";
	case EHOSTDOWN:
		return "lethe-gate, which would ask Tor, is not running";
	case ECONNRESET:
		return "Tor ended the connection";
	case EBADMSG:
	case E2BIG:
	case ENOKEY:
	case EREMOTEIO:
		return "what answered does not speak as Tor does";
	case EPERM:
		return "who answered is neither root nor the owner of Tor's cookie";
	case EKEYREJECTED:
		return "Tor refused the cookie";
	case EOPNOTSUPP:
		return "Tor does not take a cookie";
	case EINVAL:
		return "the file of Tor's cookie does not hold one";
	default:
		return strerror(-error);
	}
}

struct tor_status tor_status_failed(const char *step, int error)
{
	struct tor_status status = {.starting = error == -EINPROGRESS};

	snprintf(status.reason, sizeof(status.reason), "%s (%s)", explain(error), step);
	return status;
}

static void text_or_null(struct json *json, const char *key, const char *text)
{
	if (text[0])
		json_string(json, key, text);
	else
		json_null(json, key);
}

void tor_status_json(const struct tor_status *status, struct buf *out)
{
	struct json json = {.out = out};

	json_object_begin(&json, NULL);
	json_bool(&json, "running", status->running);
	if (!status->running)
		json_bool(&json, "starting", status->starting);
	if (status->running) {
		json_string(&json, "version", status->version);
		json_string(&json, "network", status->network ? "enabled" : "disabled");
		json_string(&json, "liveness", status->live ? "up" : "down");
		json_bool(&json, "dormant", status->dormant);
		json_number(&json, "progress", status->progress);
		json_string(&json, "phase", status->phase);
		json_string(&json, "summary", status->summary);
		json_bool(&json, "circuit", status->circuit);
		text_or_null(&json, "warning", status->warning);
	}
	text_or_null(&json, "reason", status->reason);
	json_object_end(&json);
	buf_puts(out, "\n");
}

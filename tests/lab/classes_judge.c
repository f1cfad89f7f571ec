/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Policy, model of the rules, kernel: do the three say the same of every specimen? */
#include "classes.h"

#include <linux/if_ether.h>
#include <netinet/in.h>
#include <string.h>

#include <base/json.h>

#define SHOWN_MAX 20 /* disagreements that are printed, of each kind and path */
#define KINDS_MAX 256
#define KIND_LEN  96

/* What the kernel did, as far as it shows. */
enum observed {
	OBSERVED_BLOCKED, /* and nothing answered */
	OBSERVED_RESET,
	OBSERVED_ERROR,
	OBSERVED_PASSED,
	OBSERVED_PROXIED,
};

struct verdict {
	enum observed observed;
	const char *mistake; /* the witnesses contradict each other; or NULL */
};

/* With what the kernel disagrees. */
enum party {
	PARTY_POLICY,
	PARTY_RULES,
	PARTY_WITNESS, /* another who saw it */
	PARTY_NONE,    /* not a disagreement: not sent */
	PARTIES,
};

struct tally {
	const struct classes *classes;
	size_t of[PACKET_FORWARD + 1], sent[PACKET_FORWARD + 1];
	size_t passed[PACKET_FORWARD + 1];
	size_t unsent[UNSENT_REASONS];
	size_t answered; /* refusals that were seen as such */
	size_t disagreements[PARTIES];
	size_t shown[PARTIES][PACKET_FORWARD + 1];
};

static const char *const paths[] = {"", "output", "frame", "input", "forward"};

static const char *const reasons[UNSENT_REASONS] = {
    [UNSENT_PENDING] = "its turn did not come",
    [UNSENT_LABEL] = "a label of 0 is replaced by the header's",
    [UNSENT_PORT] = "no socket has port 0",
    [UNSENT_MAPPED] = "no IPv6 socket has an address of IPv4",
    [UNSENT_GROUP] = "no TCP socket has the address of a group",
    [UNSENT_QUESTION] = "nobody may ask for this answer",
    [UNSENT_UNREACHED] = "the kernel drops it before the hook",
};

static bool saw(const struct specimen *specimen, uint32_t sight)
{
	return (specimen->seen & sight) != 0;
}

/* Where the specimen is judged: before and after Lethe's chain. */
static void judged_at(const struct packet *packet, uint32_t *ret_before, uint32_t *ret_after)
{
	switch (packet->path) {
	case PACKET_OUTPUT:
		*ret_before = SIGHT_OUTPUT_BEFORE;
		*ret_after = SIGHT_OUTPUT_AFTER;
		break;
	case PACKET_FRAME:
		*ret_before = SIGHT_EGRESS_BEFORE;
		*ret_after = SIGHT_EGRESS_AFTER;
		break;
	case PACKET_INPUT:
		*ret_before = SIGHT_INPUT_BEFORE;
		*ret_after = SIGHT_INPUT_AFTER;
		break;
	case PACKET_FORWARD:
	default:
		*ret_before = SIGHT_FORWARD_BEFORE;
		*ret_after = SIGHT_FORWARD_AFTER;
		break;
	}
}

/* What left by eth0 must have come out there, and nothing else may have. */
static const char *peer_mistake(const struct specimen *specimen)
{
	bool leaves =
	    specimen->packet.path == PACKET_FRAME || specimen->packet.path == PACKET_OUTPUT;
	bool out = saw(specimen, SIGHT_EGRESS_AFTER) && !specimen->packet.loopback && leaves;

	if (specimen->packet.path == PACKET_FORWARD)
		out = saw(specimen, SIGHT_EGRESS_AFTER);
	if (out && !saw(specimen, SIGHT_PEER))
		return "egress let it through, and it did not come out";
	if (!out && saw(specimen, SIGHT_PEER))
		return "it came out, and egress did not let it through";
	return NULL;
}

/* Does the system call say what the hooks say? Of a copy it says nothing. */
static const char *error_mistake(const struct specimen *specimen, bool passed)
{
	const struct packet *packet = &specimen->packet;

	if (!packet->owned)
		return NULL;
	if (packet->path == PACKET_OUTPUT && (specimen->error != -EPERM) != passed)
		return "the system call disagrees with the output hook";
	if (packet->path == PACKET_FRAME && (specimen->error == 0) != passed)
		return "the system call disagrees with the egress hook";
	if (packet->path == PACKET_FRAME && !passed && specimen->error != -ENOBUFS)
		return "the system call failed for another reason";
	return NULL;
}

static struct verdict observe(const struct specimen *specimen)
{
	struct verdict verdict = {OBSERVED_BLOCKED, NULL};
	uint32_t before, after;
	bool passed;

	judged_at(&specimen->packet, &before, &after);
	passed = saw(specimen, after);
	if (passed)
		verdict.observed = saw(specimen, SIGHT_PROXY) ? OBSERVED_PROXIED : OBSERVED_PASSED;
	else if (saw(specimen, SIGHT_RESET))
		verdict.observed = OBSERVED_RESET;
	else if (saw(specimen, SIGHT_ERROR))
		verdict.observed = OBSERVED_ERROR;
	if (saw(specimen, SIGHT_OWNER))
		verdict.mistake = "it had another owner";
	if (!verdict.mistake)
		verdict.mistake = error_mistake(specimen, passed);
	if (!verdict.mistake)
		verdict.mistake = peer_mistake(specimen);
	return verdict;
}

static bool is_group(const struct packet *packet, const struct packet_address *address)
{
	if (packet->ethertype == ETH_P_IPV6)
		return address->bytes[0] == 0xff;
	return address->bytes[0] >= 224;
}

static bool is_mapped(const struct packet *packet)
{
	static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};

	return packet->ethertype == ETH_P_IPV6 &&
	       memcmp(packet->destination.bytes, prefix, sizeof(prefix)) == 0;
}

/* What the kernel takes for an ICMP error, to which it sends none: those that are, in IPv4 router
 * advertisements and solicitations and every type above 18, too; in IPv6 all types below 128. */
static bool is_icmp_error(const struct packet *packet)
{
	uint8_t type = packet->icmp_type;

	if (packet->ethertype == ETH_P_IP && packet->protocol == IPPROTO_ICMP)
		return (type >= 3 && type <= 5) || (type >= 9 && type <= 12) || type > 18;
	return packet->ethertype == ETH_P_IPV6 && packet->protocol == IPPROTO_ICMPV6 && type < 128;
}

/*
 * Does the kernel answer this packet, if a rule asks for it? Not a reset, a later fragment, an ICMP
 * error, and nothing that comes from a group or goes to one; and no reset comes from an address of
 * IPv4 in IPv6.
 */
static bool is_answered(const struct packet *packet)
{
	if (packet->fragment || is_group(packet, &packet->source) ||
	    is_group(packet, &packet->destination) || is_icmp_error(packet))
		return false;
	return packet->protocol != IPPROTO_TCP ||
	       (!(packet->tcp_flags & PACKET_TCP_RST) && !is_mapped(packet));
}

/* Where the kernel does not answer, a refusal looks like a drop. */
static bool same(const struct packet *packet, enum observed observed, enum observed said)
{
	if (observed == said)
		return true;
	return observed == OBSERVED_BLOCKED && !is_answered(packet) &&
	       (said == OBSERVED_RESET || said == OBSERVED_ERROR);
}

static enum observed of_policy(enum policy_action action)
{
	switch (action) {
	case POLICY_DROP:
		return OBSERVED_BLOCKED;
	case POLICY_RESET:
		return OBSERVED_RESET;
	case POLICY_UNREACHABLE:
		return OBSERVED_ERROR;
	case POLICY_PROXY:
		return OBSERVED_PROXIED;
	case POLICY_ACCEPT:
		break;
	}
	return OBSERVED_PASSED;
}

/* False if the model does not know. */
static bool of_rules(enum ruleset_outcome outcome, enum observed *ret_observed)
{
	switch (outcome) {
	case RULESET_DROPPED:
		*ret_observed = OBSERVED_BLOCKED;
		return true;
	case RULESET_RESET:
		*ret_observed = OBSERVED_RESET;
		return true;
	case RULESET_UNREACHABLE:
		*ret_observed = OBSERVED_ERROR;
		return true;
	case RULESET_PASSED:
		*ret_observed = OBSERVED_PASSED;
		return true;
	case RULESET_PROXIED:
		*ret_observed = OBSERVED_PROXIED;
		return true;
	case RULESET_UNDECIDED:
		break;
	}
	return false;
}

static void disagree(struct tally *tally, enum party party, const struct specimen *specimen,
		     const char *said, enum observed observed)
{
	static const char *const parties[] = {"policy", "rules", "witnesses", "unsent"};
	static const char *const words[] = {"blocked", "reset", "refused by an ICMP error",
					    "passed", "proxied"};
	AUTO_BUF struct buf text = {.cap = 1024};

	tally->disagreements[party]++;
	if (tally->shown[party][specimen->packet.path]++ >= SHOWN_MAX)
		return;
	packet_print(&specimen->packet, &text);
	fprintf(stderr, "%s: %s: %s; the kernel: %s (seen %#x, error %d, socket %d)\n",
		parties[party], buf_text(&text), said, words[observed], specimen->seen,
		-specimen->error, (int)specimen->packet.socket);
}

static void judge_one(struct tally *tally, const struct specimen *specimen)
{
	static const char *const actions[] = {"drop", "reset", "unreachable", "accept", "proxy"};
	static const char *const outcomes[] = {"undecided",   "dropped", "reset",
					       "unreachable", "passed",  "proxied"};
	const struct packet *packet = &specimen->packet;
	struct verdict verdict = observe(specimen);
	uint16_t proxy = verdict.observed == OBSERVED_PROXIED ? tally->classes->proxy_port : 0;
	enum observed modelled;

	tally->sent[packet->path]++;
	tally->passed[packet->path] += verdict.observed >= OBSERVED_PASSED;
	tally->answered += verdict.observed == OBSERVED_RESET || verdict.observed == OBSERVED_ERROR;
	if (verdict.mistake)
		disagree(tally, PARTY_WITNESS, specimen, verdict.mistake, verdict.observed);
	if (!same(packet, verdict.observed, of_policy(specimen->wanted)) ||
	    specimen->wanted_port != proxy)
		disagree(tally, PARTY_POLICY, specimen, actions[specimen->wanted],
			 verdict.observed);
	if (!of_rules(specimen->modelled, &modelled) || !same(packet, verdict.observed, modelled) ||
	    specimen->modelled_port != proxy)
		disagree(tally, PARTY_RULES, specimen, outcomes[specimen->modelled],
			 verdict.observed);
}

static void tally_specimen(struct tally *tally, const struct specimen *specimen)
{
	enum unsent unsent = specimen->unsent;
	uint32_t before, after;

	judged_at(&specimen->packet, &before, &after);
	tally->of[specimen->packet.path]++;
	if (!unsent && !saw(specimen, before))
		unsent = UNSENT_UNREACHED;
	if (!unsent) {
		judge_one(tally, specimen);
		return;
	}
	tally->unsent[unsent]++;
	/* Passed by the hook without having come to it? */
	if (saw(specimen, after | SIGHT_PEER))
		disagree(tally, PARTY_WITNESS, specimen, "it was not to be seen there",
			 OBSERVED_PASSED);
	if (unsent == UNSENT_UNREACHED || unsent == UNSENT_PENDING)
		disagree(tally, PARTY_NONE, specimen, reasons[unsent], OBSERVED_BLOCKED);
}

/* What the kernel or a connection made: is it let through, and should it be? */
static void judge_note(struct tally *tally, const struct note *note)
{
	const struct classes *classes = tally->classes;
	struct policy_verdict verdict = policy_evaluate(classes->policy, &note->packet);
	struct ruleset_result result = ruleset_evaluate(&classes->held, &note->packet);
	struct specimen specimen = {.packet = note->packet};
	enum observed observed = note->after ? OBSERVED_PASSED : OBSERVED_BLOCKED;
	enum observed modelled;

	if (note->after && note->after != note->before)
		disagree(tally, PARTY_WITNESS, &specimen, "some passed and some did not", observed);
	if (policy_allows(&verdict) != (note->after > 0))
		disagree(tally, PARTY_POLICY, &specimen, verdict.reason, observed);
	if (!of_rules(result.outcome, &modelled) ||
	    (modelled >= OBSERVED_PASSED) != (note->after > 0))
		disagree(tally, PARTY_RULES, &specimen, result.reason ? result.reason : "otherwise",
			 observed);
}

/* The kinds of notes, each once: they are sorted by packet, not by kind. */
static void report_notes(const struct notes *notes, struct json *json)
{
	static char kinds[KINDS_MAX][KIND_LEN];
	size_t count = 0;

	json_array_begin(json, "made");
	for (size_t i = 0; i < notes->count; i++) {
		AUTO_BUF struct buf kind = {.cap = KIND_LEN};
		size_t j = 0;

		note_print(&notes->notes[i], &kind);
		while (j < count && strcmp(kinds[j], buf_text(&kind)) != 0)
			j++;
		if (j < count || count == KINDS_MAX)
			continue;
		snprintf(kinds[count++], KIND_LEN, "%s", buf_text(&kind));
		json_string(json, NULL, buf_text(&kind));
	}
	json_array_end(json);
}

static int report(const struct tally *tally)
{
	AUTO_BUF struct buf out = {.cap = 65536};
	struct json json = {.out = &out};
	size_t sent = 0;
	int r;

	for (size_t i = PACKET_OUTPUT; i <= PACKET_FORWARD; i++)
		sent += tally->sent[i];
	json_object_begin(&json, NULL);
	json_number(&json, "classes", (int64_t)tally->classes->count);
	json_number(&json, "sent", (int64_t)sent);
	json_number(&json, "answered", (int64_t)tally->answered);
	json_object_begin(&json, "paths");
	for (size_t i = PACKET_OUTPUT; i <= PACKET_FORWARD; i++) {
		json_object_begin(&json, paths[i]);
		json_number(&json, "classes", (int64_t)tally->of[i]);
		json_number(&json, "sent", (int64_t)tally->sent[i]);
		json_number(&json, "passed", (int64_t)tally->passed[i]);
		json_object_end(&json);
	}
	json_object_end(&json);
	json_object_begin(&json, "unsent");
	for (size_t i = UNSENT_PENDING; i < UNSENT_REASONS; i++)
		json_number(&json, reasons[i], (int64_t)tally->unsent[i]);
	json_object_end(&json);
	json_number(&json, "proxied", (int64_t)tally->classes->proxied);
	json_number(&json, "noted", (int64_t)tally->classes->notes.count);
	report_notes(&tally->classes->notes, &json);
	json_object_begin(&json, "disagreements");
	json_number(&json, "policy", (int64_t)tally->disagreements[PARTY_POLICY]);
	json_number(&json, "rules", (int64_t)tally->disagreements[PARTY_RULES]);
	json_number(&json, "witnesses", (int64_t)tally->disagreements[PARTY_WITNESS]);
	json_number(&json, "scenes", (int64_t)tally->classes->failed_scenes);
	json_object_end(&json);
	json_object_end(&json);
	r = buf_finish(&out);
	if (r == 0)
		printf("%s\n", buf_text(&out));
	return r;
}

int judge(struct classes *classes)
{
	struct tally tally = {.classes = classes};
	int r;

	for (size_t i = 0; i < classes->count; i++)
		tally_specimen(&tally, &classes->specimens[i]);
	notes_merge(&classes->notes);
	for (size_t i = 0; i < classes->notes.count; i++)
		judge_note(&tally, &classes->notes.notes[i]);
	r = report(&tally);
	if (r < 0)
		return r;
	return !tally.disagreements[PARTY_POLICY] && !tally.disagreements[PARTY_RULES] &&
	       !tally.disagreements[PARTY_WITNESS] && !classes->failed_scenes &&
	       !tally.unsent[UNSENT_PENDING];
}

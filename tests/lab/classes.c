/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Options, and the order in which the specimens are sent; see classes.h. */
#include "classes.h"

#include <getopt.h>
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <linux/netfilter.h>
#include <sched.h>
#include <string.h>
#include <sys/resource.h>

#define TRIES      10
#define TABLES_MAX 4

typedef int send_fn(struct classes *classes, uint32_t number);
typedef bool pick_fn(const struct packet *packet, int kind);

/* ---- what there is ---- */

static int add_specimen(const struct packet *packet, void *data)
{
	struct classes *classes = data;
	struct policy_verdict verdict = policy_evaluate(classes->policy, packet);
	struct ruleset_result result = ruleset_evaluate(&classes->held, packet);

	if (classes->count == classes->room) {
		size_t room = classes->room ? classes->room * 2 : 4096;
		struct specimen *more = reallocarray(classes->specimens, room, sizeof(*more));

		if (!more)
			return -ENOMEM;
		classes->specimens = more;
		classes->room = room;
	}
	classes->specimens[classes->count++] = (struct specimen){
	    .packet = *packet,
	    .wanted = verdict.action,
	    .wanted_port = verdict.proxy_port,
	    .modelled = result.outcome,
	    .modelled_port = result.proxy_port,
	    .unsent = UNSENT_PENDING,
	};
	return 0;
}

/* Lethe's tables of what was read back. The foreign ones judge nothing. */
static int hold(struct classes *classes)
{
	static struct ruleset_table tables[TABLES_MAX];
	size_t count = 0;

	for (size_t i = 0; i < classes->ruleset->table_count; i++) {
		if (strcmp(classes->ruleset->tables[i].name, CLASSES_TABLE) != 0)
			continue;
		if (count == TABLES_MAX)
			return -E2BIG;
		tables[count++] = classes->ruleset->tables[i];
	}
	classes->held = (struct ruleset){.tables = tables, .table_count = count};
	return count ? 0 : -ENOENT;
}

/* For the anti-test of the rules' model: let it think that a chain is empty. */
static int forget_chain(struct classes *classes, const char *name)
{
	int r = -ENOENT;

	for (size_t i = 0; i < classes->held.table_count; i++) {
		struct ruleset_table *table = &classes->held.tables[i];

		for (size_t j = 0; j < table->chain_count; j++) {
			if (strcmp(table->chains[j].name, name) != 0)
				continue;
			for (size_t k = 0; k < table->chains[j].rule_count; k++)
				free(table->chains[j].rules[k].expressions);
			table->chains[j].rule_count = 0;
			r = 0;
		}
	}
	return r;
}

/* ---- what is loaded ---- */

static struct ruleset only(const struct classes *classes, enum ruleset_family family,
			   struct ruleset_table *table)
{
	for (size_t i = 0; i < classes->held.table_count; i++) {
		if (classes->held.tables[i].family != family)
			continue;
		*table = classes->held.tables[i];
		return (struct ruleset){.tables = table, .table_count = 1};
	}
	return (struct ruleset){0};
}

static int transact(struct classes *classes, const struct ruleset *ruleset, bool remove)
{
	const struct nf_batch_options options = {0};
	AUTO_BUF struct buf batch = {.cap = NF_BATCH_MAX};
	struct diag diag = {0};
	int r;

	if (ruleset->table_count == 0)
		return -ENOENT;
	r = remove ? nf_batch_remove(ruleset, false, &batch) : nf_batch_build(ruleset, &options, &batch);
	if (r == 0)
		r = nf_batch_send(classes->nf, batch.data, batch.len, &diag);
	if (r < 0 && diag.message[0])
		fprintf(stderr, "lethe-classes: %s\n", diag.message);
	return r;
}

/* Of what output judges nothing is left, so that all comes to the devices. */
static int leave_egress(struct classes *classes)
{
	struct ruleset_table table;
	struct ruleset host = only(classes, RULESET_INET, &table);

	return transact(classes, &host, true);
}

/* The host's table as it was read back, but for what judges on the way out. */
static int leave_input(struct classes *classes)
{
	CLEANUP(ruleset_freep) struct ruleset *again = NULL;
	AUTO_FREE struct ruleset_chain *chains = NULL;
	AUTO_BUF struct buf difference = {.cap = 1024};
	const struct ruleset_table *found;
	struct ruleset_table table;
	struct ruleset host = only(classes, RULESET_INET, &table);
	size_t kept = 0;
	int r;

	if (host.table_count == 0)
		return -ENOENT;
	chains = calloc(table.chain_count + 1, sizeof(*chains));
	if (!chains)
		return -ENOMEM;
	for (size_t i = 0; i < table.chain_count; i++)
		if (!table.chains[i].base || table.chains[i].hook != NF_INET_LOCAL_OUT)
			chains[kept++] = table.chains[i];
	table.chains = chains;
	table.chain_count = kept;
	r = transact(classes, &host, false);
	if (r == 0)
		r = nf_read_table(classes->nf, RULESET_INET, CLASSES_TABLE, &again);
	if (r < 0)
		return r;
	ruleset_sort(again);
	found = ruleset_find_table(again, RULESET_INET, CLASSES_TABLE);
	if (found && ruleset_table_equal(&table, found, &difference))
		return 0;
	fprintf(stderr, "lethe-classes: loaded again, the rules differ: %s\n",
		buf_text(&difference));
	return -EPROTO;
}

/* ---- sending ---- */

static int send_all(struct classes *classes, pick_fn *pick, int kind, send_fn *send)
{
	size_t waiting = 0;
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < classes->count; i++) {
		struct specimen *specimen = &classes->specimens[i];

		if (specimen->unsent != UNSENT_PENDING || !pick(&specimen->packet, kind))
			continue;
		r = send(classes, i);
		if (r < 0) {
			AUTO_BUF struct buf text = {.cap = 1024};

			packet_print(&specimen->packet, &text);
			fprintf(stderr, "lethe-classes: cannot send %s\n", buf_text(&text));
		}
		if (r == 0 && ++waiting == CLASSES_BATCH) {
			r = watch_settle(classes);
			waiting = 0;
		}
	}
	return r == 0 && waiting ? watch_settle(classes) : r;
}

static bool is_unexpected(const struct packet *packet, int kind)
{
	return packet->path == PACKET_INPUT && !packet->loopback && !packet->expected &&
	       (int)packet->socket == kind;
}

static bool is_expected(const struct packet *packet, int kind)
{
	return packet->path == PACKET_INPUT && !packet->loopback && packet->expected &&
	       (int)packet->socket == kind;
}

static bool is_local_input(const struct packet *packet, int kind)
{
	return packet->path == PACKET_INPUT && packet->loopback && (int)packet->socket == kind;
}

static bool is_forward(const struct packet *packet, int kind)
{
	return packet->path == PACKET_FORWARD;
}

static bool is_output(const struct packet *packet, int kind)
{
	return packet->path == PACKET_OUTPUT;
}

static bool is_frame(const struct packet *packet, int routed)
{
	return packet->path == PACKET_FRAME && packet->routed == (routed != 0);
}

/* A packet that asks what @answer answers, by somebody who may ask it there. */
static bool find_question(const struct classes *classes, const struct packet *answer,
			  struct packet *question)
{
	const struct policy *policy = classes->policy;

	*question = (struct packet){
	    .path = PACKET_OUTPUT,
	    .ethertype = answer->ethertype,
	    .owned = true,
	    .routed = true,
	    .protocol = answer->protocol,
	    .source = answer->destination,
	    .destination = answer->source,
	    .source_port = answer->destination_port,
	    .destination_port = answer->source_port,
	    .icmp_type = answer->protocol == IPPROTO_ICMP ? 8 : 0,
	    .icmp_id = answer->icmp_id,
	};
	if (answer->ethertype != ETH_P_IP)
		return false;
	for (size_t i = 0; i <= policy->network_count; i++) {
		if (i > 0)
			question->destination =
			    packet_address4(policy->networks[i - 1].ranges[0].low + 50);
		for (size_t j = 0; j < policy->user_count; j++) {
			struct policy_verdict verdict;

			question->uid = policy->users[j].uid;
			verdict = policy_evaluate(policy, question);
			if (verdict.action == POLICY_ACCEPT)
				return true;
		}
	}
	return false;
}

/* Ask first, then have it answered from there. */
static int send_answer(struct classes *classes, uint32_t number)
{
	struct specimen *specimen = &classes->specimens[number];
	struct packet question;
	int r;

	if (!find_question(classes, &specimen->packet, &question)) {
		specimen->unsent = UNSENT_QUESTION;
		return 0;
	}
	specimen->packet.source = question.destination;
	r = send_question(classes->senders, &question);
	return r < 0 ? r : send_remote_input(classes, number);
}

static int with_sockets(struct classes *classes, bool loopback, enum packet_socket kind,
			pick_fn *pick, send_fn *send)
{
	struct sockets sockets = {0};
	int r = sockets_open(classes, loopback, kind, &sockets);

	if (r == 0)
		r = send_all(classes, pick, (int)kind, send);
	sockets_close(&sockets);
	return r;
}

/* What arrives comes first, because what is sent later is remembered, and answers to it are let in.
 */
static int send_whole(struct classes *classes)
{
	int r = 0;

	for (int kind = PACKET_SOCKET_NONE; r == 0 && kind <= PACKET_SOCKET_TRANSPARENT; kind++)
		r = with_sockets(classes, false, (enum packet_socket)kind, is_unexpected,
				 send_remote_input);
	if (r == 0)
		r = with_sockets(classes, false, PACKET_SOCKET_WILDCARD, is_expected, send_answer);
	if (r == 0)
		r = send_all(classes, is_forward, 0, send_forward);
	if (r == 0)
		r = kernel_packets(classes);
	if (r == 0)
		r = send_all(classes, is_output, 0, send_output);
	if (r == 0)
		r = send_all(classes, is_frame, false, send_frame);
	classes->noting = false;
	return r;
}

static int send_parts(struct classes *classes)
{
	int r = leave_egress(classes);

	if (r == 0)
		r = send_all(classes, is_frame, true, send_frame);
	if (r == 0)
		r = leave_input(classes);
	for (int kind = PACKET_SOCKET_NONE; r == 0 && kind <= PACKET_SOCKET_TRANSPARENT; kind++)
		r = with_sockets(classes, true, (enum packet_socket)kind, is_local_input,
				 send_local_input);
	return r;
}

/* ---- the program ---- */

struct options {
	const char *policy, *passwd, *peer, *forget;
};

static int prepare(struct classes *classes, const struct options *options)
{
	const struct policy_options policy_options = {.passwd = options->passwd};
	struct rlimit descriptors;
	struct diag diag = {0};
	cpu_set_t one;
	int r;

	CPU_ZERO(&one);
	CPU_SET((size_t)sched_getcpu(), &one);
	if (sched_setaffinity(0, sizeof(one), &one) < 0 ||
	    getrlimit(RLIMIT_NOFILE, &descriptors) < 0)
		return neg_errno();
	descriptors.rlim_cur = descriptors.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &descriptors) < 0)
		return neg_errno();
	r = policy_load(options->policy, &policy_options, &diag, &classes->policy);
	if (r < 0) {
		char text[2048];

		diag_format(&diag, text, sizeof(text));
		fprintf(stderr, "lethe-classes: %s\n", text);
		return r;
	}
	if (classes->policy->automap.stated)
		classes->proxy_port = classes->policy->automap.port;
	r = nf_open(&classes->nf);
	if (r == 0)
		r = nf_read(classes->nf, TRIES, NULL, &classes->ruleset);
	if (r == 0)
		r = hold(classes);
	if (r == 0 && options->forget)
		r = forget_chain(classes, options->forget);
	if (r == 0)
		r = senders_open(options->peer, &classes->senders);
	if (r == 0)
		r = watch_open(senders_peer_socket(classes->senders),
			       senders_peer_device(classes->senders), &classes->watch);
	return r;
}

static int run(struct classes *classes, const struct options *options)
{
	const struct policy *policy;
	int r;

	r = prepare(classes, options);
	if (r < 0)
		return r;
	policy = classes->policy;
	r = policy_each_class(&policy, 1, add_specimen, classes);
	if (r == 0)
		r = send_whole(classes);
	if (r == 0)
		r = send_parts(classes);
	return r < 0 ? r : judge(classes);
}

static void usage(FILE *to)
{
	fputs("Usage: lethe-classes --policy FILE --passwd FILE --peer NETNS [--forget CHAIN]\n"
	      "Send a packet of every class of the policy, and compare what the policy says of\n"
	      "it, what the rules that are loaded would do by their model, and what the kernel\n"
	      "did. Only for the network namespaces of tests; it takes Lethe's rules apart.\n"
	      "  -p, --policy=FILE   the policy\n"
	      "      --passwd=FILE   where its users are looked up\n"
	      "      --peer=NETNS    the namespace at the other end of the links\n"
	      "      --forget=CHAIN  let the model of the rules believe that it is empty\n"
	      "  -h, --help          print this help\n"
	      "Exit status: 0 all agree, 1 they do not, 2 it could not be said.\n",
	      to);
}

static int parse_options(int argc, char **argv, struct options *options)
{
	enum { PASSWD = 256, PEER, FORGET };
	static const struct option names[] = {
	    {"policy", required_argument, NULL, 'p'}, {"passwd", required_argument, NULL, PASSWD},
	    {"peer", required_argument, NULL, PEER},  {"forget", required_argument, NULL, FORGET},
	    {"help", no_argument, NULL, 'h'},         {0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "p:h", names, NULL)) != -1) {
		switch (c) {
		case 'p':
			options->policy = optarg;
			break;
		case PASSWD:
			options->passwd = optarg;
			break;
		case PEER:
			options->peer = optarg;
			break;
		case FORGET:
			options->forget = optarg;
			break;
		case 'h':
			usage(stdout);
			return 1;
		default:
			return -EINVAL;
		}
	}
	return options->policy && options->passwd && options->peer && optind == argc ? 0 : -EINVAL;
}

int main(int argc, char **argv)
{
	struct options options = {0};
	struct classes classes = {0};
	int r = parse_options(argc, argv, &options);

	if (r != 0) {
		if (r < 0)
			usage(stderr);
		return r < 0 ? 2 : 0;
	}
	r = run(&classes, &options);
	if (r < 0)
		fprintf(stderr, "lethe-classes: %s\n", strerror(-r));
	watch_close(classes.watch);
	senders_close(classes.senders);
	free(classes.specimens);
	free(classes.notes.notes);
	ruleset_free(classes.ruleset);
	nf_close(classes.nf);
	policy_free(classes.policy);
	return r < 0 ? 2 : !r;
}

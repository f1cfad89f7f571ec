/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * lethe-mutants: is the proof a judge? Every small fault of the ruleset that a policy becomes is
 * given to it, and what it lets pass is given to the second algorithm. Or: random rulesets, about
 * which both must agree.
 */
#include <getopt.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <time.h>

#include <base/json.h>
#include <base/num.h>
#include <wall/compile.h>

#include "judge.h"
#include "pairs.h"

#define DEFAULT_POLICY TEST_SOURCE_ROOT "/data/policy.conf"
#define DEFAULT_PASSWD TEST_SOURCE_ROOT "/tests/support/passwd"
#define JOBS_MAX       64

enum { EXIT_RIGHT = 0, EXIT_WRONG = 1, EXIT_USAGE = 2, EXIT_FAILED = 3 };

struct options {
	const char *policy, *passwd, *only;
	bool json, list, all, done;
	uint64_t jobs, random, every;
};

static void usage(FILE *to)
{
	fputs("Usage: lethe-mutants [OPTION]...\n"
	      "Change the ruleset that a policy becomes in every small way there is, and see that\n"
	      "lib/proof proves none of these; what it does prove must be the same to a second\n"
	      "algorithm, which tries every packet.\n"
	      "\n"
	      "      --policy=FILE   the policy (the shipped one)\n"
	      "      --passwd=FILE   where users are looked up (tests/support/passwd)\n"
	      "      --only=TEXT     only mutants in whose description TEXT occurs\n"
	      "      --every=N       only each N-th mutant\n"
	      "      --list          only print the mutants\n"
	      "      --all           print every mutant's judgement\n"
	      "      --random=N      instead: N random policies and rulesets, about which both\n"
	      "                      must agree; LETHE_SEED repeats a run\n"
	      "      --jobs=N        so many at a time (2)\n"
	      "  -j, --json          print JSON\n"
	      "  -h, --help          this text\n"
	      "\n"
	      "Exit status: 0 the proof is right about all, 1 it is not, 2 wrong usage or policy,\n"
	      "3 the system refused.\n",
	      to);
}

/* ---- mutants, by several processes ---- */

struct worker {
	const struct options *options;
	const struct judge *judge;
	uint64_t number; /* of the worker, from 0 */
	int results;     /* a memory file of struct judge_record */
};

static bool is_wanted(const struct options *options, const struct mutant *mutant)
{
	if (options->every && mutant->number % options->every != 0)
		return false;
	return !options->only || strstr(mutant->text, options->only) ||
	       strstr(mutant->kind, options->only);
}

static int list(const struct mutant *mutant, void *data)
{
	const struct options *options = data;

	if (is_wanted(options, mutant))
		printf("%zu\t%s\t%s\n", mutant->number, mutant->kind, mutant->text);
	return 0;
}

static int work(const struct mutant *mutant, void *data)
{
	const struct worker *worker = data;
	struct judge_record record;
	int r;

	if (mutant->number % worker->options->jobs != worker->number ||
	    !is_wanted(worker->options, mutant))
		return 0;
	r = judge_mutant(worker->judge, mutant, &record);
	if (r < 0)
		return r;
	if (write(worker->results, &record, sizeof(record)) != sizeof(record))
		return -EIO;
	return 0;
}

/* What came out of all. */
struct totals {
	size_t counts[JUDGES], faults[PROOF_PROXIES + 1], beyond, tried, mutants;
	double slowest;
	struct judge_record *records;
};

/* Start the workers. Pointers to static text are the same in all, because they are forked. */
static int run_workers(const struct options *options, const struct judge *judge,
		       const struct ruleset *ruleset, struct worker *workers)
{
	pid_t pids[JOBS_MAX];
	int r = 0;

	fflush(NULL);
	for (uint64_t i = 0; i < options->jobs; i++) {
		workers[i] = (struct worker){options, judge, i, memfd_create("mutants", 0)};
		pids[i] = workers[i].results < 0 ? -1 : fork();
		if (pids[i] == 0)
			_exit(mutate_each(ruleset, work, &workers[i]) < 0 ? EXIT_FAILED : 0);
		if (pids[i] < 0)
			r = neg_errno();
	}
	for (uint64_t i = 0; i < options->jobs; i++) {
		int status = 0;

		if (pids[i] > 0 && (waitpid(pids[i], &status, 0) != pids[i] || status != 0))
			r = -EIO;
	}
	return r;
}

static int gather(const struct options *options, struct worker *workers, struct totals *totals)
{
	for (uint64_t i = 0; i < options->jobs; i++) {
		off_t size = lseek(workers[i].results, 0, SEEK_END);
		size_t count = size < 0 ? 0 : (size_t)size / sizeof(struct judge_record);
		struct judge_record *grown;

		if (size < 0)
			return neg_errno();
		grown = reallocarray(totals->records, totals->mutants + count + 1, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		totals->records = grown;
		for (size_t k = 0; k < count; k++)
			if (pread(workers[i].results, &grown[totals->mutants + k], sizeof(*grown),
				  (off_t)(k * sizeof(*grown))) != sizeof(*grown))
				return -EIO;
		totals->mutants += count;
		close(workers[i].results);
	}
	return 0;
}

static int by_number(const void *a, const void *b)
{
	const struct judge_record *x = a, *y = b;

	return (x->number > y->number) - (x->number < y->number);
}

static void add_up(struct totals *totals)
{
	if (totals->records)
		qsort(totals->records, totals->mutants, sizeof(*totals->records), by_number);
	for (size_t i = 0; i < totals->mutants; i++) {
		const struct judge_record *record = &totals->records[i];

		totals->counts[record->judgement]++;
		totals->beyond += record->beyond;
		totals->tried += record->tried;
		if (record->fault_known)
			totals->faults[record->fault]++;
		if (record->seconds > totals->slowest)
			totals->slowest = record->seconds;
	}
}

static bool is_fault(const struct judge_record *record)
{
	return record->judgement == JUDGE_SURVIVOR || record->judgement == JUDGE_DISAGREEMENT;
}

/* ---- what is printed ---- */

static void print_record(const struct judge_record *record)
{
	printf("%s: %zu: %s [%s]%s%s%s%s\n", judge_word(record->judgement), record->number,
	       record->text, record->kind, record->reason ? ": " : "",
	       record->reason ? record->reason : "", record->detail[0] ? ": " : "", record->detail);
}

/* The reasons of the equivalent ones, each with its number. Reasons are static: one pointer each.
 */
static void print_reasons(const struct totals *totals)
{
	for (size_t i = 0; i < totals->mutants; i++) {
		const char *reason = totals->records[i].reason;
		size_t count = 0;
		bool before = false;

		for (size_t k = 0; k < totals->mutants; k++) {
			bool same = reason && totals->records[k].reason == reason;

			before |= same && k < i;
			count += same;
		}
		if (count && !before)
			printf("  %6zu equivalent: %s\n", count, reason);
	}
}

static void print_totals(const struct options *options, const struct totals *totals, double seconds)
{
	for (size_t i = 0; i < totals->mutants; i++)
		if (options->all || is_fault(&totals->records[i]))
			print_record(&totals->records[i]);
	printf("%zu mutants in %.1f s, the slowest %.2f s\n", totals->mutants, seconds,
	       totals->slowest);
	for (unsigned i = 0; i < JUDGES; i++)
		printf("  %6zu %s\n", totals->counts[i], judge_word((enum judgement_of)i));
	printf("  %6zu of the refuted found by trying, too\n"
	       "  %6zu with an example that packets as values do not show\n",
	       totals->tried, totals->beyond);
	for (unsigned i = PROOF_LEAK; i <= PROOF_PROXIES; i++)
		printf("  %6zu refuted: %s\n", totals->faults[i], judge_fault((enum proof_fault)i));
	print_reasons(totals);
}

static int print_json(const struct totals *totals, double seconds)
{
	AUTO_BUF struct buf out = {.cap = 64u << 20};
	struct json json = {.out = &out};

	json_object_begin(&json, NULL);
	json_number(&json, "mutants", (int64_t)totals->mutants);
	json_number(&json, "milliseconds", (int64_t)(seconds * 1000));
	for (unsigned i = 0; i < JUDGES; i++)
		json_number(&json, judge_word((enum judgement_of)i), (int64_t)totals->counts[i]);
	json_number(&json, "tried", (int64_t)totals->tried);
	json_number(&json, "beyond", (int64_t)totals->beyond);
	json_array_begin(&json, "judgements");
	for (size_t i = 0; i < totals->mutants; i++) {
		const struct judge_record *record = &totals->records[i];

		json_object_begin(&json, NULL);
		json_number(&json, "number", (int64_t)record->number);
		json_string(&json, "kind", record->kind);
		json_string(&json, "mutant", record->text);
		json_string(&json, "judgement", judge_word(record->judgement));
		json_string(&json, "detail", record->reason ? record->reason : record->detail);
		json_object_end(&json);
	}
	json_array_end(&json);
	json_object_end(&json);
	buf_puts(&out, "\n");
	if (buf_finish(&out) < 0)
		return EXIT_FAILED;
	fputs(buf_text(&out), stdout);
	return EXIT_RIGHT;
}

static double seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* ---- modes ---- */

/* A judge that does not prove the original judges nothing. */
static int judge_original(const struct policy *policy, const struct ruleset *ruleset)
{
	struct judge_record record = {.kind = "original", .text = "the original"};
	int r = judge_ruleset(policy, ruleset, &record);

	if (r < 0)
		return EXIT_FAILED;
	if (record.judgement == JUDGE_EQUIVALENT)
		return EXIT_RIGHT;
	fprintf(stderr, "lethe-mutants: the original is not proved: %s: %s\n",
		judge_word(record.judgement), record.detail);
	return EXIT_WRONG;
}

static int run_mutants(const struct options *options, const struct policy *policy,
		       const struct ruleset *ruleset)
{
	struct worker workers[JOBS_MAX];
	CLEANUP(judge_freep) struct judge *judge = NULL;
	struct totals totals = {0};
	double start = seconds_now();
	int r, status = judge_original(policy, ruleset);

	if (status == EXIT_FAILED || judge_new(policy, ruleset, &judge) < 0)
		return EXIT_FAILED;
	r = run_workers(options, judge, ruleset, workers);
	if (r == 0)
		r = gather(options, workers, &totals);
	if (r < 0) {
		fprintf(stderr, "lethe-mutants: %s\n", strerror(-r));
		free(totals.records);
		return EXIT_FAILED;
	}
	add_up(&totals);
	if (options->json)
		r = print_json(&totals, seconds_now() - start);
	else
		print_totals(options, &totals, seconds_now() - start);
	if (totals.counts[JUDGE_SURVIVOR] || totals.counts[JUDGE_DISAGREEMENT] ||
	    totals.mutants == 0)
		status = EXIT_WRONG;
	free(totals.records);
	return r == EXIT_FAILED ? EXIT_FAILED : status;
}

static int run_random(const struct options *options)
{
	struct pairs_totals totals = {0};
	const char *text = getenv("LETHE_SEED");
	uint64_t seed;

	if (text) {
		if (num_parse_u64(text, UINT64_MAX, &seed) < 0) {
			fputs("lethe-mutants: LETHE_SEED must be a number\n", stderr);
			return EXIT_USAGE;
		}
	} else if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed)) {
		return EXIT_FAILED;
	}
	printf("# LETHE_SEED=%ju\n", (uintmax_t)seed);
	if (pairs_run(seed, options->random, options->passwd, &totals) < 0)
		return EXIT_FAILED;
	printf(
	    "%zu pairs: %zu proved and the same, %zu proved where trying cannot say, %zu refuted "
	    "(%zu of them by trying, too), %zu not proved, %zu disagreements\n",
	    totals.pairs, totals.same, totals.doubtful, totals.refuted, totals.tried,
	    totals.not_proved, totals.disagreements);
	return totals.disagreements || !totals.same || !totals.refuted ? EXIT_WRONG : EXIT_RIGHT;
}

static int parse_count(const char *name, const char *text, uint64_t max, uint64_t *ret_count)
{
	if (num_parse_u64(text, max, ret_count) == 0 && *ret_count > 0)
		return 0;
	fprintf(stderr, "lethe-mutants: %s: give a number from 1 to %ju\n", name, (uintmax_t)max);
	return EXIT_USAGE;
}

static int parse_options(int argc, char **argv, struct options *options)
{
	static const struct option longs[] = {
	    {"policy", required_argument, NULL, 'p'}, {"passwd", required_argument, NULL, 'w'},
	    {"only", required_argument, NULL, 'o'},   {"list", no_argument, NULL, 'l'},
	    {"all", no_argument, NULL, 'a'},          {"random", required_argument, NULL, 'r'},
	    {"every", required_argument, NULL, 'e'},
	    {"jobs", required_argument, NULL, 'n'},   {"json", no_argument, NULL, 'j'},
	    {"help", no_argument, NULL, 'h'},         {0},
	};
	int option, r = 0;

	while (r == 0 && (option = getopt_long(argc, argv, "jh", longs, NULL)) != -1) {
		if (option == 'p')
			options->policy = optarg;
		else if (option == 'w')
			options->passwd = optarg;
		else if (option == 'o')
			options->only = optarg;
		else if (option == 'l')
			options->list = true;
		else if (option == 'a')
			options->all = true;
		else if (option == 'r')
			r = parse_count("--random", optarg, 1000000, &options->random);
		else if (option == 'e')
			r = parse_count("--every", optarg, 1000000, &options->every);
		else if (option == 'n')
			r = parse_count("--jobs", optarg, JOBS_MAX, &options->jobs);
		else if (option == 'j')
			options->json = true;
		else if (option == 'h')
			options->done = true;
		else
			r = EXIT_USAGE;
	}
	if (r == 0 && optind < argc)
		r = EXIT_USAGE;
	if (r == EXIT_USAGE)
		usage(stderr);
	else if (options->done)
		usage(stdout);
	return r;
}

int main(int argc, char **argv)
{
	struct options options = {.policy = DEFAULT_POLICY, .passwd = DEFAULT_PASSWD, .jobs = 2};
	CLEANUP(policy_freep) struct policy *policy = NULL;
	CLEANUP(ruleset_freep) struct ruleset *ruleset = NULL;
	struct diag diag = {0};
	char message[2048];
	int r = parse_options(argc, argv, &options);

	if (r != 0 || options.done)
		return r;
	if (options.random)
		return run_random(&options);
	r = policy_load(options.policy, &(struct policy_options){.passwd = options.passwd}, &diag,
			&policy);
	if (r < 0) {
		diag_format(&diag, message, sizeof(message));
		fprintf(stderr, "lethe-mutants: %s\n", message);
		return EXIT_USAGE;
	}
	if (compile_policy(policy, &ruleset) < 0)
		return EXIT_FAILED;
	if (options.list)
		return mutate_each(ruleset, list, &options) < 0 ? EXIT_FAILED : EXIT_RIGHT;
	return run_mutants(&options, policy, ruleset);
}

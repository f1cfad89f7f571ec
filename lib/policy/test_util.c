/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "test_util.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <base/num.h>

const struct policy_options test_options = {.passwd = TEST_PASSWD};

struct policy *test_parse(const char *text)
{
	struct policy *policy = NULL;
	struct diag diag = {0};
	char message[1200];

	if (policy_parse("test.conf", text, strlen(text), &test_options, &diag, &policy) < 0) {
		diag_format(&diag, message, sizeof(message));
		fail_msg("%s", message);
	}
	return policy;
}

struct policy *test_parse_statements(const char *statements)
{
	struct buf text = {.cap = 64u << 20};
	struct policy *policy;

	buf_puts(&text, TEST_HEAD);
	buf_puts(&text, statements);
	assert_int_equal(buf_finish(&text), 0);
	policy = test_parse(buf_text(&text));
	buf_done(&text);
	return policy;
}

char *test_read_source(const char *name)
{
	AUTO_FILE FILE *file = NULL;
	char path[4096];
	size_t size = 1 << 20, len;
	char *text = malloc(size);

	snprintf(path, sizeof(path), "%s/%s", TEST_SOURCE_ROOT, name);
	file = fopen(path, "re");
	if (!file)
		fail_msg("cannot open %s", path);
	assert_non_null(text);
	len = fread(text, 1, size - 1, file);
	assert_true(len < size - 1);
	text[len] = '\0';
	return text;
}

char *test_default_text(void)
{
	char *text = test_read_source("data/policy.conf");

	for (char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, "include ", strlen("include ")) == 0)
			*line = '#';
	}
	return text;
}

void test_line(const char *text, unsigned number, char *line, size_t size)
{
	for (unsigned i = 1; i < number && text; i++) {
		text = strchr(text, '\n');
		text = text ? text + 1 : NULL;
	}
	snprintf(line, size, "%.*s", text ? (int)strcspn(text, "\n") : 0, text ? text : "");
}

char *test_replace(char *text, const char *old, const char *new)
{
	char *at = strstr(text, old), *result = NULL;

	if (!at || strstr(at + 1, old))
		fail_msg("\"%s\" does not stand exactly once", old);
	if (asprintf(&result, "%.*s%s%s", (int)(at - text), text, new, at + strlen(old)) < 0)
		fail();
	free(text);
	return result;
}

struct test_random test_random_begin(void)
{
	const char *given = getenv("LETHE_SEED");
	uint64_t seed = 0;

	if (given)
		assert_int_equal(num_parse_u64(given, UINT64_MAX, &seed), 0);
	else
		assert_int_equal(getrandom(&seed, sizeof(seed), 0), sizeof(seed));
	print_message("# LETHE_SEED=%llu\n", (unsigned long long)seed);
	return (struct test_random){.state = seed};
}

/* SplitMix64. */
static uint64_t next(struct test_random *random)
{
	uint64_t z = random->state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

uint32_t test_random_below(struct test_random *random, uint32_t limit)
{
	return (uint32_t)(next(random) % limit);
}

char *test_statements_text(const struct test_statements *statements)
{
	char *text = strdup(TEST_HEAD), *more;

	for (size_t i = 0; text && i < statements->count; i++) {
		if (asprintf(&more, "%s%s\n", text, statements->lines[i]) < 0)
			more = NULL;
		free(text);
		text = more;
	}
	assert_non_null(text);
	return text;
}

struct policy *test_statements_parse(const struct test_statements *statements)
{
	AUTO_FREE char *text = test_statements_text(statements);
	struct policy *policy = NULL;
	int r;

	r = policy_parse("random.conf", text, strlen(text), &test_options, NULL, &policy);
	return r < 0 ? NULL : policy;
}

/* One of a few, so that statements meet. */
static const char *some_user(struct test_random *random)
{
	static const char *const users[] = {"root",    "_apt",     "nobody", "debian-tor",
					    "amnesia", "clearnet", "1234",   "64999"};

	return users[test_random_below(random, ARRAY_SIZE(users))];
}

static const char *some_network(struct test_random *random)
{
	static const char *const networks[] = {
	    "here",     "there",       "everywhere",     "10.0.0.0/8",
	    "10.1.2.3", "10.1.2.0/24", "192.168.0.0/16", "198.51.100.0/24",
	};

	return networks[test_random_below(random, ARRAY_SIZE(networks))];
}

static void add_users(struct test_random *random, struct buf *line)
{
	buf_puts(line, some_user(random));
	while (test_random_below(random, 3) == 0)
		buf_printf(line, ", %s", some_user(random));
}

static void add_ports(struct test_random *random, struct buf *line, bool range)
{
	static const unsigned ports[] = {1,    53,   67,   68,   80,   443,   631,  1900,
					 5353, 9040, 9050, 9062, 9063, 17600, 65535};
	unsigned low = ports[test_random_below(random, ARRAY_SIZE(ports))];

	buf_printf(line, " %u", low);
	if (range && low < 65000 && test_random_below(random, 3) == 0)
		buf_printf(line, "-%u", low + 1 + test_random_below(random, 500));
}

static void add_traffic(struct test_random *random, struct buf *line)
{
	static const char *const protocols[] = {"tcp", "udp", "icmp"};
	uint32_t mask = 1 + test_random_below(random, 7);
	bool first = true;

	for (unsigned i = 0; i < 3; i++) {
		if (!(mask & 1u << i))
			continue;
		buf_printf(line, "%s%s", first ? " " : ", ", protocols[i]);
		first = false;
		while (i < 2 && test_random_below(random, 2))
			add_ports(random, line, true);
	}
}

static void add_network_statement(struct test_random *random, struct buf *line)
{
	static const char *const terms[] = {
	    "0.0.0.0/0 except 0.0.0.0/8, 127.0.0.0/8, 224.0.0.0/3, 10.0.0.0/8",
	    "10.0.0.0/8, 192.168.0.0/16",
	    "10.0.0.0/8 except 10.1.2.3",
	    "198.51.100.0/24, 198.51.101.0/24, 203.0.113.9",
	    "here, 100.64.0.0/10",
	};
	static const char *const names[] = {"here", "there", "everywhere"};

	buf_printf(line, "network %s = %s", names[test_random_below(random, ARRAY_SIZE(names))],
		   terms[test_random_below(random, ARRAY_SIZE(terms))]);
}

static void add_service(struct test_random *random, struct buf *line)
{
	bool udp = test_random_below(random, 2);

	buf_printf(line, "service s%u %s", test_random_below(random, 8), udp ? "udp" : "tcp");
	add_ports(random, line, true);
	if (udp) {
		buf_puts(line, " by ");
		add_users(random, line);
	}
	buf_puts(line, " for ");
	add_users(random, line);
}

static void add_lan(struct test_random *random, struct buf *line)
{
	buf_printf(line, "lan %s %s", some_network(random),
		   test_random_below(random, 4) ? "open" : "closed");
	if (test_random_below(random, 2)) {
		buf_puts(line, " except");
		add_traffic(random, line);
	}
}

static void add_allow(struct test_random *random, struct buf *line)
{
	buf_puts(line, "allow ");
	add_users(random, line);
	switch (test_random_below(random, 4)) {
	case 0:
		buf_printf(line, " to service s%u", test_random_below(random, 8));
		break;
	case 1:
		buf_puts(line, " to loopback over tcp");
		if (test_random_below(random, 2)) {
			buf_puts(line, " except");
			add_ports(random, line, true);
			add_ports(random, line, false);
		}
		break;
	default:
		buf_printf(line, " to %s over", some_network(random));
		add_traffic(random, line);
		break;
	}
}

static void add_link(struct test_random *random, struct buf *line)
{
	static const char *const links[] = {"arp for kernel",        "arp for kernel, root",
					    "arp for nobody",        "dhcp for root",
					    "dhcp for nobody, root", "eapol for root"};

	buf_printf(line, "link %s", links[test_random_below(random, ARRAY_SIZE(links))]);
}

static void random_statement(struct test_random *random, struct buf *line)
{
	switch (test_random_below(random, 12)) {
	case 0:
	case 1:
		add_network_statement(random, line);
		break;
	case 2:
	case 3:
	case 4:
		add_service(random, line);
		break;
	case 5:
		add_lan(random, line);
		break;
	case 6:
		buf_printf(line, "forbid %s to loopback", some_user(random));
		break;
	case 7:
		buf_puts(line, "automap 127.192.0.0/10 to 9040 for ");
		add_users(random, line);
		break;
	case 8:
		if (test_random_below(random, 2))
			add_link(random, line);
		else
			buf_printf(line, "namespace n%u as %s", test_random_below(random, 3),
				   some_user(random));
		break;
	default:
		add_allow(random, line);
		break;
	}
}

void test_random_statements(struct test_random *random, unsigned attempts,
			    struct test_statements *ret_statements)
{
	memset(ret_statements, 0, sizeof(*ret_statements));
	while (attempts-- && ret_statements->count < TEST_STATEMENTS_MAX) {
		struct buf line = {.cap = TEST_STATEMENT_MAX - 1};
		struct policy *policy;

		random_statement(random, &line);
		snprintf(ret_statements->lines[ret_statements->count++], TEST_STATEMENT_MAX, "%s",
			 buf_text(&line));
		policy = buf_finish(&line) == 0 ? test_statements_parse(ret_statements) : NULL;
		if (!policy)
			ret_statements->count--;
		policy_free(policy);
		buf_done(&line);
	}
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the shipped policy means on loopback and for what arrives, in tables written by hand from
 * the specification. A row that fails is a contradiction between the specification and the
 * evaluator: find out which of the two is wrong, and never bend the row to what the program says.
 */
#include "test_rows.h"

#include <string.h>

static const struct row service_rows[] = {
    {"out lo _apt tcp 127.0.0.1:9050", ACCEPT, "service socks "},
    {"out lo nobody tcp 127.0.0.1:9050", ACCEPT, "service socks "},
    {"out lo root tcp 127.0.0.1:9050", RESET, "service socks "},
    {"out lo debian-tor tcp 127.0.0.1:9050", RESET, "service socks "},
    {"out lo 1000 tcp 127.0.0.1:9050", RESET, "service socks "},
    {"out lo - tcp 127.0.0.1:9050", RESET, "default drop"},
    {"out lo root tcp 127.0.0.1:9062", ACCEPT, "service socks-system"},
    {"out lo nobody tcp 127.0.0.1:9062", RESET, "service socks-system"},
    {"out lo _apt tcp 127.0.0.1:9062", RESET, "service socks-system"},
    {"out lo root tcp 127.0.0.1:80", RESET, "default drop"},
    {"out lo nobody tcp 127.0.0.1:22", RESET, "default drop"},
    {"out lo _apt tcp 127.0.0.1:9051", RESET, "default drop"},
    /* Tor's way to a transport is nobody else's. */
    {"out lo debian-tor tcp 127.0.0.1:9055", ACCEPT, "service transport-obfs4"},
    {"out lo debian-tor tcp 127.0.0.1:9056", ACCEPT, "service transport-meek_lite"},
    {"out lo lethe-connect tcp 127.0.0.1:9056", ACCEPT, "service transport-meek_lite"},
    {"out lo lethe-connect tcp 127.0.0.1:9055", RESET, "service transport-obfs4"},
    {"out lo debian-tor tcp 127.0.0.1:9057", ACCEPT, "service transport-snowflake"},
    {"out lo debian-tor tcp 127.0.0.1:9058", RESET, "default drop"},
    {"out lo debian-tor udp 127.0.0.1:9055", UNREACHABLE, "default drop"},
    {"out lo root tcp 127.0.0.1:9055", RESET, "service transport-obfs4"},
    {"out lo nobody tcp 127.0.0.1:9056", RESET, "service transport-meek_lite"},
    {"out lo clearnet tcp 127.0.0.1:9057", RESET, NULL},
    {"out lo - tcp 127.0.0.1:9055", RESET, "default drop"},
    {"out lo root tcp 127.0.0.1:9040", RESET, "default drop"},
    {"out lo root udp 127.0.0.1:123", UNREACHABLE, "default drop"},
    {"out lo nobody udp 127.0.0.1:9050", UNREACHABLE, "default drop"},
    /* Every local address is the same local service. */
    {"out lo nobody tcp 127.0.0.2:9050", ACCEPT, "service socks "},
    {"out lo nobody tcp 127.191.255.255:9050", ACCEPT, "service socks "},
    {"out lo nobody tcp [::1]:9050", ACCEPT, "service socks "},
    {"out lo nobody tcp 192.168.1.2:9050", ACCEPT, "service socks "},
    {"out lo root tcp [::1]:9050", RESET, "service socks "},
    {"out lo root tcp 192.168.1.2:9050", RESET, "service socks "},
    {"out lo root tcp 192.168.1.2:8099", RESET, "default drop"},
    {"out lo nobody tcp [fd00:1::2]:8099", RESET, "default drop"},
    {"out lo root tcp 198.51.100.2:8099", RESET, "default drop"},
    /* `amnesia`: "any local TCP port apart for a blocklist" */
    {"out lo amnesia tcp 127.0.0.1:9050", ACCEPT, "allow amnesia to loopback"},
    {"out lo amnesia tcp 127.0.0.1:1", ACCEPT, "allow amnesia to loopback"},
    {"out lo amnesia tcp 127.0.0.1:17605", ACCEPT, "allow amnesia to loopback"},
    {"out lo amnesia tcp 127.0.0.1:65535", ACCEPT, "allow amnesia to loopback"},
    {"out lo amnesia tcp 127.0.0.1:9054", ACCEPT, "allow amnesia to loopback"},
    {"out lo amnesia tcp 127.0.0.1:9055", RESET, "allow amnesia to loopback"},
    {"out lo amnesia tcp 127.0.0.1:9056", RESET, "allow amnesia to loopback"},
    {"out lo amnesia tcp 127.0.0.1:9057", RESET, "allow amnesia to loopback"},
    {"out lo amnesia tcp 127.0.0.1:9058", ACCEPT, "allow amnesia to loopback"},
    {"out lo amnesia tcp [::1]:9055", RESET, "allow amnesia to loopback"},
    {"out lo amnesia tcp 192.168.1.2:9055", RESET, "allow amnesia to loopback"},
    {"out lo amnesia tcp 127.0.0.1:9061", ACCEPT, "allow amnesia to loopback"},
    {"out lo amnesia tcp 127.0.0.1:9062", RESET, "allow amnesia to loopback"},
    {"out lo amnesia tcp 127.0.0.1:9063", RESET, "allow amnesia to loopback"},
    {"out lo amnesia tcp 127.0.0.1:9064", ACCEPT, "allow amnesia to loopback"},
    {"out lo amnesia tcp [::1]:9062", RESET, "allow amnesia to loopback"},
    {"out lo amnesia tcp 192.168.1.2:9062", RESET, "allow amnesia to loopback"},
    {"out lo amnesia tcp [::1]:631", ACCEPT, "allow amnesia to loopback"},
    {"out lo amnesia tcp 192.168.1.2:8099", ACCEPT, "allow amnesia to loopback"},
    {"out lo amnesia udp 127.0.0.1:631", UNREACHABLE, "default drop"},
    {"out lo amnesia udp 127.0.0.1:9062", UNREACHABLE, "default drop"},
    /* Parts of connections that were opened by right. */
    {"out lo - tcp 127.0.0.1:40000 flags=A from=9050", ACCEPT, NULL},
    {"out lo debian-tor tcp 127.0.0.1:40000 flags=SA from=9050", ACCEPT, NULL},
    {"out lo - tcp 127.0.0.1:40000 flags=RA from=9999", ACCEPT, NULL},
    /* Not TCP, not UDP, not whole. */
    {"out lo amnesia sctp 127.0.0.1:9050", UNREACHABLE, "default drop"},
    {"out lo root gre 127.0.0.1", UNREACHABLE, "default drop"},
    {"out lo root icmp 127.0.0.1 type=8", UNREACHABLE, "default drop"},
    /* No error is ever sent about a later fragment (RFC 1122, 3.2.2). */
    {"out lo amnesia tcp 127.0.0.1 fragment", DROP, "default drop"},
    {"out lo root udp 127.0.0.1 fragment", DROP, "default drop"},
    {"out lo amnesia tcp 127.0.0.1:631 options", DROP, "default drop"},
    {"out lo amnesia tcp [::1]:631 options", DROP, "default drop"},
    {"out lo - tcp 127.0.0.1 fragment", DROP, "default drop"},
};

/* "only grants access to each local service to the users that actually need it" */
static void f6_services(void **state)
{

	CHECK_DEFAULT(service_rows);
}

/* On the way in: what somebody may send, whoever it was. */
static void f6_arriving(void **state)
{
	static const struct row rows[] = {
	    {"in lo - tcp 127.0.0.1:9050 socket=bound", ACCEPT, NULL},
	    {"in lo - tcp 127.0.0.1:9062 socket=wildcard", ACCEPT, NULL},
	    {"in lo - tcp [::1]:9050", ACCEPT, NULL},
	    {"in lo - tcp 192.168.1.2:631", ACCEPT, NULL},
	    /* Nobody at all may reach this port. */
	    {"in lo - tcp 127.0.0.1:9063", DROP, "default drop"},
	    {"in lo - tcp 192.168.1.2:9063", DROP, "default drop"},
	    {"in lo - tcp 127.0.0.1:40000 flags=SA from=9050 socket=bound", ACCEPT, NULL},
	    {"in lo - udp 127.0.0.1:53", ACCEPT, NULL},
	    {"in lo - udp 127.0.0.1:40000 from=53", ACCEPT, NULL},
	    {"in lo - udp 127.0.0.1:123", DROP, "default drop"},
	    {"in lo - sctp 127.0.0.1:9050", DROP, "default drop"},
	    {"in lo - icmp 127.0.0.1 type=8", DROP, "default drop"},
	    {"in lo - udp 127.0.0.1 fragment", DROP, "default drop"},
	    /* From outside: what belongs to a connection of this host, and answers. */
	    {"in eth0 - tcp 192.168.1.2:40000 flags=SA from=443 socket=bound", ACCEPT, NULL},
	    {"in eth0 - tcp 192.168.1.2:40000 flags=A from=443 socket=bound", ACCEPT, NULL},
	    {"in eth0 - tcp 192.168.1.2:40000 flags=RA from=443 socket=bound", ACCEPT, NULL},
	    {"in eth0 - tcp 192.168.1.2:40000 flags=A from=443", DROP, NULL},
	    {"in eth0 - tcp 192.168.1.2:22 flags=A socket=wildcard", DROP, NULL},
	    {"in eth0 - tcp 192.168.1.2:22 socket=wildcard", DROP, NULL},
	    {"in eth0 - tcp 192.168.1.2:22 socket=bound", DROP, NULL},
	    {"in eth0 - tcp 192.168.1.2:9050 socket=wildcard", DROP, NULL},
	    {"in eth0 - udp 192.168.1.2:40000 from=53 expected", ACCEPT, NULL},
	    {"in eth0 - udp 192.168.1.2:40000 from=53 socket=wildcard", DROP, NULL},
	    {"in eth0 - udp 192.168.1.2:5353 socket=wildcard", DROP, NULL},
	    {"in eth0 - udp 224.0.0.251:5353 socket=wildcard", DROP, NULL},
	    {"in eth0 - icmp 192.168.1.2 type=0 expected", ACCEPT, NULL},
	    {"in eth0 - icmp 192.168.1.2 type=0", DROP, NULL},
	    {"in eth0 - icmp 192.168.1.2 type=8", DROP, NULL},
	    {"in eth0 - tcp 192.168.1.2 fragment socket=bound", DROP, NULL},
	    {"in eth0 - udp 192.168.1.2 fragment", DROP, NULL},
	    {"in eth0 - gre 192.168.1.2", DROP, NULL},
	    {"in eth0 - 2 224.0.0.1", DROP, NULL},
	    {"in eth0 - tcp [fd00:1::2]:40000 flags=SA socket=bound", DROP, NULL},
	    {"in eth0 - udp [fd00:1::2]:40000 expected", DROP, NULL},
	    {"in eth0 - icmpv6 [ff02::1] type=134", DROP, NULL},
	};

	CHECK_DEFAULT(rows);
}

/* "connections targeted at the virtual mapped address space"; "Only the amnesia user is granted
 * access to the Tor transparent proxy port". DNS is Tor's, for those named. */
static void f7_automap_dns(void **state)
{
	static const struct row rows[] = {
	    {"out lo amnesia tcp 127.192.0.0:80", ACCEPT, "automap"},
	    {"out lo amnesia tcp 127.192.0.1:443", ACCEPT, "automap"},
	    {"out lo amnesia tcp 127.255.255.255:1", ACCEPT, "automap"},
	    /* The blocklist is about local ports; there are none here. */
	    {"out lo amnesia tcp 127.192.0.1:9062", ACCEPT, "automap"},
	    {"out lo root tcp 127.192.0.1:80", RESET, "automap"},
	    {"out lo root tcp 127.192.0.1:9062", RESET, "automap"},
	    {"out lo nobody tcp 127.192.0.1:9050", RESET, "automap"},
	    {"out lo debian-tor tcp 127.192.0.1:80", RESET, "automap"},
	    {"out lo 1000 tcp 127.192.0.1:80", RESET, "automap"},
	    {"out lo - tcp 127.192.0.1:80", RESET, NULL},
	    {"out lo amnesia udp 127.192.0.1:443", UNREACHABLE, NULL},
	    {"out lo amnesia icmp 127.192.0.1 type=8", UNREACHABLE, NULL},
	    {"out lo root tcp 127.191.255.255:80", RESET, "default drop"},
	    {"in lo - tcp 127.192.0.1:80 socket=transparent", PROXY, "automap"},
	    {"in lo - tcp 127.192.0.1:80 flags=A socket=transparent", PROXY, "automap"},
	    /* Without the proxy's socket the connection is refused, not let through. */
	    {"in lo - tcp 127.192.0.1:80", RESET, "automap"},
	    {"in lo - tcp 127.192.0.1:80 socket=wildcard", RESET, "automap"},
	    {"in lo - tcp 127.191.255.255:9050 socket=transparent", ACCEPT, NULL},
	    /* The port itself is local like others: open to amnesia, closed to the rest. */
	    {"out lo amnesia tcp 127.0.0.1:9040", ACCEPT, "allow amnesia to loopback"},
	    {"out lo root tcp 127.0.0.1:9040", RESET, "default drop"},
	    {"out lo amnesia udp 127.0.0.1:53", ACCEPT, "service dns"},
	    {"out lo root udp 127.0.0.1:53", ACCEPT, "service dns"},
	    {"out lo amnesia udp [::1]:53", ACCEPT, "service dns"},
	    {"out lo amnesia udp 192.168.1.2:53", ACCEPT, "service dns"},
	    {"out lo nobody udp 127.0.0.1:53", UNREACHABLE, "default drop"},
	    {"out lo _apt udp 127.0.0.1:53", UNREACHABLE, "default drop"},
	    {"out lo 1000 udp 127.0.0.1:53", UNREACHABLE, "default drop"},
	    {"out lo - udp 127.0.0.1:53", UNREACHABLE, "default drop"},
	    {"out lo root tcp 127.0.0.1:53", RESET, "default drop"},
	    /* Answers come from the server and from nobody else. */
	    {"out lo debian-tor udp 127.0.0.1:40000 from=53", ACCEPT, "service dns"},
	    {"out lo root udp 127.0.0.1:40000 from=53", ACCEPT, "service dns"},
	    {"out lo amnesia udp 127.0.0.1:40000 from=53", UNREACHABLE, "default drop"},
	    {"out lo nobody udp 127.0.0.1:40000 from=53", UNREACHABLE, "default drop"},
	    {"out lo debian-tor udp 127.0.0.1:40000 from=54", UNREACHABLE, "default drop"},
	};

	CHECK_DEFAULT(rows);
}

/* "does not accept RELATED packets"; "RELATED ICMP packets to the loopback interface are let
 * through". Errors: RFC 792 (destination unreachable, time exceeded, parameter problem), RFC 4443
 * (types 1 to 4). */
static void f9_icmp_errors(void **state)
{
	static const struct row rows[] = {
	    {"out lo - icmp 127.0.0.1 type=3 code=3", ACCEPT, NULL},
	    {"out lo root icmp 127.0.0.1 type=3 code=3", ACCEPT, NULL},
	    {"out lo - icmp 127.0.0.1 type=11", ACCEPT, NULL},
	    {"out lo - icmp 192.168.1.2 type=3 code=3", ACCEPT, NULL},
	    {"out lo - icmpv6 [::1] type=1 code=4", ACCEPT, NULL},
	    {"in lo - icmp 127.0.0.1 type=3 code=3", ACCEPT, NULL},
	    {"in lo - icmp 127.0.0.1 type=12", ACCEPT, NULL},
	    {"in lo - icmpv6 [::1] type=1 code=4", ACCEPT, NULL},
	    {"in lo - icmpv6 [::1] type=4", ACCEPT, NULL},
	    {"out lo - icmp 127.0.0.1 type=5", UNREACHABLE, "default drop"},
	    {"out lo - icmp 127.0.0.1 type=0", UNREACHABLE, "default drop"},
	    {"out lo - icmpv6 [::1] type=128", UNREACHABLE, "default drop"},
	    {"in lo - icmpv6 [::1] type=128", DROP, "default drop"},
	    {"in lo - icmp 127.0.0.1 type=13", DROP, "default drop"},
	    {"out lo root icmp 127.0.0.1 fragment", DROP, "default drop"},
	    /* Not elsewhere: a router's redirect or a forged error changes nothing here. */
	    {"in eth0 - icmp 192.168.1.2 type=3 code=3 socket=bound", DROP, NULL},
	    {"in eth0 - icmp 192.168.1.2 type=3 code=4", DROP, NULL},
	    {"in eth0 - icmp 192.168.1.2 type=11", DROP, NULL},
	    {"in eth0 - icmp 192.168.1.2 type=5", DROP, NULL},
	    {"in eth0 - icmpv6 [fd00:1::2] type=1", DROP, NULL},
	    {"in eth0 - icmpv6 [fd00:1::2] type=137", DROP, NULL},
	};

	CHECK_DEFAULT(rows);
}

/* The strict variant as the comments of the shipped file describe it: one word closes the LAN, the
 * statements that are given there open what they say and nothing else. */
static void strict(void **state)
{
	static const struct row rows[] = {
	    {"out eth0 amnesia tcp 192.168.1.50:631", ACCEPT, "allow amnesia to printer"},
	    {"out eth0 amnesia tcp 192.168.1.50:9100", ACCEPT, "allow amnesia to printer"},
	    {"out eth0 amnesia tcp 192.168.1.50:80", RESET, "lan private closed"},
	    {"out eth0 amnesia tcp 192.168.1.51:631", RESET, "lan private closed"},
	    {"out eth0 amnesia udp 192.168.1.50:631", DROP, "lan private closed"},
	    {"out eth0 amnesia tcp 192.168.1.1:443", ACCEPT, "allow amnesia to 192.168.1.1"},
	    {"out eth0 root tcp 192.168.1.50:631", RESET, "lan private closed"},
	    {"out eth0 debian-tor tcp 192.168.1.7:443", RESET, "lan private closed"},
	    {"out eth0 amnesia icmp 192.168.1.1 type=8", DROP, "lan private closed"},
	    {"out eth0 amnesia udp 192.168.1.1:53", DROP, "lan private closed"},
	    {"out eth0 clearnet udp 192.168.1.1:53", ACCEPT, "allow clearnet"},
	    {"out eth0 root udp 255.255.255.255:67 from=68", ACCEPT, "link dhcp"},
	    {"out eth0 root udp 192.168.1.1:67 from=68", DROP, "lan private closed"},
	    {"out lo amnesia tcp 127.0.0.1:9050", ACCEPT, "allow amnesia to service socks"},
	    {"out lo amnesia tcp 127.0.0.1:9150", ACCEPT, "service socks-browser"},
	    {"out lo amnesia tcp 127.0.0.1:9051", ACCEPT, "service control"},
	    {"out lo amnesia tcp 127.0.0.1:631", ACCEPT, "service cups"},
	    {"out lo amnesia tcp 127.0.0.1:17600", ACCEPT, "service onionshare"},
	    {"out lo amnesia tcp 127.0.0.1:17650", ACCEPT, "service onionshare"},
	    {"out lo amnesia tcp 127.0.0.1:17651", RESET, "default drop"},
	    {"out lo amnesia tcp 127.0.0.1:80", RESET, "default drop"},
	    {"out lo amnesia tcp 127.0.0.1:9062", RESET, "service socks-system"},
	    {"out lo amnesia udp 127.0.0.1:53", ACCEPT, "service dns"},
	    {"out lo amnesia tcp 127.192.0.1:80", ACCEPT, "automap"},
	    {"out lo nobody tcp 127.0.0.1:631", RESET, "service cups"},
	    {"out lo _apt tcp 127.0.0.1:9050", ACCEPT, "service socks "},
	    {"in lo - tcp 127.0.0.1:80", DROP, "default drop"},
	    {"in lo - tcp 127.0.0.1:631", ACCEPT, NULL},
	};
	static const char *const given[] = {"network printer ",       "allow amnesia to printer ",
					    "allow amnesia to 192",   "allow amnesia to service ",
					    "service socks-browser ", "service control ",
					    "service cups ",          "service onionshare "};
	AUTO_FREE char *text = test_default_text();

	text = test_replace(text, "\nlan private open ", "\nlan private closed ");
	text = test_replace(text, "\nallow amnesia to loopback ", "\n#llow amnesia to loopback ");
	for (size_t i = 0; i < ARRAY_SIZE(given); i++) {
		char commented[80], plain[80];

		snprintf(commented, sizeof(commented), "\n#   %s", given[i]);
		snprintf(plain, sizeof(plain), "\n%s", given[i]);
		text = test_replace(text, commented, plain);
	}
	rows_check(text, rows, ARRAY_SIZE(rows));
}

/* Small policies of their own: what the shipped one does not use. */
static void other_policies(void **state)
{
	static const char text[] = TEST_HEAD "network office = 10.1.0.0/16 except 10.1.9.0/24\n"
					     "allow amnesia to office over tcp 22 8000-8010, icmp\n"
					     "allow 1234 to 198.51.100.7 over udp 123\n"
					     "service sync udp 6000-6001 by nobody for root\n";
	static const struct row rows[] = {
	    {"out eth0 amnesia tcp 10.1.0.0:22", ACCEPT, "allow amnesia"},
	    {"out eth0 amnesia tcp 10.1.255.255:8000", ACCEPT, "allow amnesia"},
	    {"out eth0 amnesia tcp 10.1.255.255:8010", ACCEPT, "allow amnesia"},
	    {"out eth0 amnesia tcp 10.1.255.255:8011", RESET, "default drop"},
	    {"out eth0 amnesia tcp 10.1.9.1:22", RESET, "default drop"},
	    {"out eth0 amnesia icmp 10.1.8.1 type=8", ACCEPT, "allow amnesia"},
	    {"out eth0 amnesia icmp 10.1.8.1 fragment", DROP, "default drop"},
	    {"frame eth0 amnesia icmp 10.1.8.1 fragment", ACCEPT, NULL},
	    {"out eth0 amnesia tcp 10.1.8.1 fragment", DROP, "default drop"},
	    {"out eth0 1234 udp 198.51.100.7:123", ACCEPT, "allow 1234"},
	    {"out eth0 1234 udp 198.51.100.8:123", DROP, "default drop"},
	    {"out eth0 1235 udp 198.51.100.7:123", DROP, "default drop"},
	    {"out lo root udp 127.0.0.1:6001", ACCEPT, "service sync"},
	    {"out lo nobody udp 127.0.0.1:40000 from=6000", ACCEPT, "service sync"},
	    {"out lo nobody udp 127.0.0.1:6000", UNREACHABLE, NULL},
	    {"out lo nobody udp 127.0.0.1:40000 from=6002", UNREACHABLE, NULL},
	    {"out lo root udp 127.0.0.1:40000 from=6000", UNREACHABLE, NULL},
	    {"out lo amnesia tcp 127.192.0.1:80", RESET, "default drop"},
	    {"frame eth0 - arp", DROP, "default drop"},
	    {"out eth0 root udp 255.255.255.255:67 from=68", DROP, "default drop"},
	    /* The rest of a connection only where there are grants for TCP. */
	    {"out eth0 - tcp 10.1.0.1:22 flags=A", ACCEPT, NULL},
	    {"out eth0 - tcp 10.1.9.1:22 flags=A", RESET, "default drop"},
	    {"out eth0 - tcp 198.51.100.7:123 flags=A", RESET, "default drop"},
	};

	rows_check(text, rows, ARRAY_SIZE(rows));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(f6_services),    cmocka_unit_test(f6_arriving),
	    cmocka_unit_test(f7_automap_dns), cmocka_unit_test(f9_icmp_errors),
	    cmocka_unit_test(strict),         cmocka_unit_test(other_policies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "leaving.h"

#define SOCKET(user, program, local, remote, port)                                                 \
	"{\"protocol\":\"tcp\",\"listening\":false,\"local\":\"" local "\",\"local_port\":40000,"  \
	"\"remote\":\"" remote "\",\"remote_port\":" port ",\"uid\":1,\"user\":\"" user            \
	"\",\"program\":\"" program "\",\"pid\":1,\"processes\":1}"
#define UDP(local, may_leave)                                                                      \
	"{\"protocol\":\"udp\",\"listening\":false,\"local\":\"" local "\",\"local_port\":40000,"  \
	"\"remote\":\"0.0.0.0\",\"remote_port\":0,\"uid\":1,\"user\":\"amnesia\","                 \
	"\"unconnected\":true,\"may_leave\":" may_leave ",\"program\":\"/usr/bin/player\"}"
#define LISTENS(user, port)                                                                        \
	"{\"protocol\":\"tcp\",\"listening\":true,\"local\":\"127.0.0.1\",\"local_port\":" port    \
	",\"remote\":\"0.0.0.0\",\"remote_port\":0,\"uid\":1,\"user\":\"" user                     \
	"\",\"program\":null}"
#define FLOWS(list, complete)                                                                      \
	"{\"sockets\":[" list "],\"tcp_complete\":true,\"udp_complete\":" complete "}"
#define WATCH(source, rows)                                                                        \
	"{\"state\":{\"Source\":\"" source "\"},\"refused\":[" rows "]}"
#define REFUSED                                                                                    \
	"{\"program\":\"/usr/bin/audacity\",\"uid\":1000,\"protocol\":\"tcp\",\"destination\":"    \
	"\"93.184.216.34\",\"port\":443,\"attempts\":2,\"repeats\":1}"
#define TOR_LISTENS LISTENS("debian-tor", "9050") "," LISTENS("root", "8080")

static struct answer parse(const char *text)
{
	struct answer answer = answer_parse(text ? 0 : -ENOENT, text, text ? strlen(text) : 0);

	if (text)
		assert_int_equal(answer.error, 0);
	return answer;
}

/* Each kind of connection, and the way it is said to go. */
static void each_has_its_way(void **state)
{
	static const struct {
		const char *socket;
		enum leaving_way way;
	} cases[] = {
	    {SOCKET("amnesia", "curl", "127.0.0.1", "127.0.0.1", "9050"), LEAVING_TOR},
	    {SOCKET("amnesia", "curl", "127.0.0.1", "127.192.0.9", "443"), LEAVING_TOR},
	    /* Tor's end of the same; a local server of another user; a port of nobody's. */
	    {SOCKET("debian-tor", "tor", "127.0.0.1", "127.0.0.1", "9050"), LEAVING_HOST},
	    {SOCKET("amnesia", "curl", "127.0.0.1", "127.0.0.1", "8080"), LEAVING_HOST},
	    {SOCKET("amnesia", "curl", "::1", "::1", "9050"), LEAVING_HOST},
	    {SOCKET("amnesia", "curl", "192.168.1.2", "192.168.1.2", "80"), LEAVING_HOST},
	    {SOCKET("debian-tor", "tor", "192.168.1.2", "203.0.113.1", "443"), LEAVING_RELAYS},
	    {SOCKET("debian-tor", "tor", "192.168.1.2", "192.168.1.1", "443"), LEAVING_LAN},
	    /* Tor to a transport, and what carries that. */
	    {SOCKET("debian-tor", "tor", "127.0.0.1", "127.0.0.1", "9055"), LEAVING_HOST},
	    {SOCKET("bridges-net", "pasta", "192.168.1.2", "203.0.113.1", "443"), LEAVING_RELAYS},
	    {SOCKET("fronts-net", "pasta", "192.168.1.2", "203.0.113.1", "443"), LEAVING_RELAYS},
	    {SOCKET("lethe-transport", "x", "192.168.1.2", "203.0.113.1", "443"), LEAVING_CLEARNET},
	    {SOCKET("amnesia", "lp", "192.168.1.2", "192.168.1.50", "631"), LEAVING_LAN},
	    {SOCKET("amnesia", "lp", "10.0.0.2", "10.9.9.9", "1"), LEAVING_LAN},
	    {SOCKET("amnesia", "lp", "10.0.0.2", "172.31.255.255", "1"), LEAVING_LAN},
	    {SOCKET("amnesia", "lp", "10.0.0.2", "172.32.0.0", "1"), LEAVING_CLEARNET},
	    {SOCKET("amnesia", "lp", "fe80::2", "fe80::1", "1"), LEAVING_LAN},
	    {SOCKET("amnesia", "lp", "fd00::2", "fd00::1", "1"), LEAVING_LAN},
	    {SOCKET("amnesia", "lp", "2001:db8::2", "2001:db8::1", "1"), LEAVING_CLEARNET},
	    {SOCKET("clearnet", "htp", "192.168.1.2", "198.51.100.9", "443"), LEAVING_CLEARNET},
	    {UDP("0.0.0.0", "true"), LEAVING_ANYWHERE},
	    {UDP("192.168.1.2", "null"), LEAVING_ANYWHERE},
	    {UDP("::", "true"), LEAVING_ANYWHERE},
	    {UDP("not an address", "true"), LEAVING_ANYWHERE},
	    {UDP("0.0.0.0", "false"), LEAVING_HOST},
	    {UDP("127.0.0.1", "true"), LEAVING_HOST},
	    {UDP("::1", "true"), LEAVING_HOST},
	    /* Not understood is shown as the worst. */
	    {SOCKET("amnesia", "x", "1", "not an address", "1"), LEAVING_CLEARNET},
	    {"{}", LEAVING_CLEARNET},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO_BUF struct buf text = {.cap = 65536};
		struct answer flows;
		const json_t *sockets;

		buf_printf(&text, FLOWS("%s," TOR_LISTENS, "true"), cases[i].socket);
		flows = parse(buf_text(&text));
		sockets = json_object_get(flows.object, "sockets");
		if (leaving_way_of(sockets, json_array_get(sockets, 0)) != cases[i].way)
			fail_msg("%s", cases[i].socket);
		answer_done(&flows);
	}
}

static void assert_text(const char *flows_text, const char *watch_text, int expected_r,
			const char *expected)
{
	struct answer flows = parse(flows_text), watch = parse(watch_text);
	AUTO_BUF struct buf out = {.cap = 65536};

	assert_int_equal(leaving_text(&flows, &watch, &out), expected_r);
	assert_string_equal(buf_text(&out), expected);
	answer_done(&flows);
	answer_done(&watch);
}

static void the_picture(void **state)
{
	static const char socket[] = SOCKET("amnesia", "/usr/bin/curl", "127.0.0.1", "127.0.0.1", "9050");
	AUTO_BUF struct buf flows = {.cap = 65536};

	buf_printf(&flows,
		   FLOWS("%s,%s,%s,%s," TOR_LISTENS, "true"), socket, socket,
		   SOCKET("debian-tor", "/usr/bin/tor", "192.168.1.2", "203.0.113.1", "443"),
		   /* The first of the program's datagram sockets leaves nothing. */
		   SOCKET("clearnet", "/usr/bin/htp", "192.168.1.2", "198.51.100.9",
			  "80") "," UDP("0.0.0.0", "false") "," UDP("127.0.0.1", "true") ","
		       UDP("0.0.0.0", "true") "," UDP("192.168.1.2", "null"));
	assert_text(buf_text(&flows), WATCH("tracepoint", REFUSED), 0,
		    "What leaves this computer now\n"
		    "\nThrough Tor\n"
		    "  curl, amnesia                              tcp 127.0.0.1:9050 (2)\n"
		    "\nTor itself, to its relays\n"
		    "  tor, debian-tor                            tcp 203.0.113.1:443\n"
		    "\nTo the local network\n"
		    "  nothing\n"
		    "\nTo the Internet, NOT through Tor\n"
		    "  htp, clearnet                              tcp 198.51.100.9:80\n"
		    "\nBy UDP without a fixed destination: where to is NOT KNOWN\n"
		    "  player, amnesia                            udp (2)\n"
		    "\nRefused: it has not left\n"
		    "  audacity, user 1000                        tcp 93.184.216.34:443 (3)\n");
}

#define NOTHING                                                                                    \
	"\nThrough Tor\n  nothing\n\nTor itself, to its relays\n  nothing\n"                       \
	"\nTo the local network\n  nothing\n\nTo the Internet, NOT through Tor\n  nothing\n"         \
	"\nBy UDP without a fixed destination: where to is NOT KNOWN\n  nothing\n"

/* Without a program there is still a line; what the kernel did by itself is none. */
static void where_users_alone_are_known(void **state)
{
	assert_text(FLOWS("", "true"),
		    WATCH("nflog", "{\"attribution\":\"user\",\"owner-uid\":1000,\"protocol\":\"tcp\","
				   "\"destination\":\"93.184.216.34\",\"port\":443,\"attempts\":3},"
				   "{\"attribution\":\"kernel\",\"protocol\":\"igmp\","
				   "\"destination\":\"224.0.0.22\",\"repeats\":1}"),
		    0,
		    "What leaves this computer now\n" NOTHING
		    "\nRefused: it has not left (known by user only)\n"
		    "  a program that is not known, user 1000     tcp 93.184.216.34:443 (3)\n");
}

/* What is not known is never "nothing". */
static void what_is_not_known_is_said(void **state)
{
	assert_text(NULL, NULL, -ENODATA,
		    "What leaves this computer now\n"
		    "\nUNKNOWN: nobody told which connections there are.\n"
		    "\nUNKNOWN: nobody watches what is refused.\n");
	assert_text(FLOWS("", "true"), WATCH("none", ""), -ENODATA,
		    "What leaves this computer now\n" NOTHING
		    "\nUNKNOWN: nobody watches what is refused.\n");
	assert_text(FLOWS("", "false"), WATCH("tracepoint", ""), -ENODATA,
		    "What leaves this computer now\n" NOTHING
		    "\nUNKNOWN: not all connections could be seen.\n"
		    "\nRefused: it has not left\n  nothing\n");
	assert_text(FLOWS("", "true"), WATCH("tracepoint", ""), 0,
		    "What leaves this computer now\n" NOTHING
		    "\nRefused: it has not left\n  nothing\n");
}

static void names_cannot_steer_a_terminal(void **state)
{
	struct answer flows = parse(FLOWS(
	    SOCKET("\\u001b[2J", "/x\\n\\u001b]0;y", "10.0.0.1", "\\u009b", "1"), "true"));
	struct answer watch = parse(WATCH("tracepoint", ""));
	AUTO_BUF struct buf out = {.cap = 65536};

	assert_int_equal(leaving_text(&flows, &watch, &out), 0);
	for (const char *c = buf_text(&out); *c; c++)
		assert_true(*c == '\n' || (*c >= 0x20 && *c < 0x7f));
	answer_done(&flows);
	answer_done(&watch);
}

static void as_json(void **state)
{
	struct answer flows = parse(
	    FLOWS(SOCKET("amnesia", "curl", "127.0.0.1", "127.0.0.1", "9050") "," TOR_LISTENS, "true"));
	struct answer watch = parse(WATCH("tracepoint", REFUSED)), read;
	AUTO_BUF struct buf out = {.cap = 65536};
	const json_t *list;

	assert_int_equal(leaving_json(&flows, &watch, &out), 0);
	read = parse(buf_text(&out));
	list = json_object_get(read.object, "flows");
	assert_int_equal(json_array_size(list), 1);
	assert_string_equal(answer_text(json_array_get(list, 0), "way"), "tor");
	assert_int_equal(json_array_size(json_object_get(read.object, "refused")), 1);
	answer_done(&read);
	answer_done(&watch);
	watch = parse(NULL);
	buf_done(&out);
	assert_int_equal(leaving_json(&flows, &watch, &out), -ENODATA);
	read = parse(buf_text(&out));
	assert_true(json_is_false(json_object_get(read.object, "refused_known")));
	assert_true(json_is_null(json_object_get(read.object, "refused")));
	answer_done(&read);
	answer_done(&flows);
	answer_done(&watch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_has_its_way),
	    cmocka_unit_test(the_picture),
	    cmocka_unit_test(where_users_alone_are_known),
	    cmocka_unit_test(what_is_not_known_is_said),
	    cmocka_unit_test(names_cannot_steer_a_terminal),
	    cmocka_unit_test(as_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

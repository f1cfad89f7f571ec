/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "leaving.h"

#include <arpa/inet.h>
#include <string.h>

#include "text.h"

#define TOR_USER      "debian-tor"
#define PORT_MAX      65535
#define COUNT_MAX     ((json_int_t)1 << 53)
#define NAME_COLUMNS  44
#define SHOWN_MAX     60 /* characters of what others wrote */
#define REFUSED_SHOWN 20 /* the latest; lethe-watch has all */

static json_int_t number(const json_t *object, const char *key, json_int_t most)
{
	json_int_t value = 0;

	return answer_number(object, key, most, &value) ? value : 0;
}

static bool is_tor(const json_t *socket)
{
	const char *user = answer_text(socket, "user");

	return user && strcmp(user, TOR_USER) == 0;
}

/* What it sends is Tor's: its own connections, or those that carry them for a transport. */
static bool is_tors(const json_t *socket)
{
	const char *user = answer_text(socket, "user");

	return is_tor(socket) || (user && (strcmp(user, "bridges-net") == 0 ||
					   strcmp(user, "fronts-net") == 0));
}

static bool is_listening(const json_t *socket)
{
	bool listening = false;

	return answer_flag(socket, "listening", &listening) && listening;
}

static bool is_tor_port(const json_t *sockets, json_int_t port)
{
	const json_t *socket;
	size_t i;

	json_array_foreach(sockets, i, socket)
		if (is_listening(socket) && is_tor(socket) &&
		    number(socket, "local_port", PORT_MAX) == port)
			return true;
	return false;
}

/* @address is in host order. */
static bool in_prefix(uint32_t address, uint32_t network, unsigned bits)
{
	return (address ^ network) >> (32 - bits) == 0;
}

static enum leaving_way way4(const json_t *sockets, const json_t *socket, uint32_t address)
{
	if (in_prefix(address, 0x7fc00000, 10)) /* 127.192.0.0/10, automap */
		return LEAVING_TOR;
	if (in_prefix(address, 0x7f000000, 8))
		return !is_tor(socket) &&
				       is_tor_port(sockets,
						   number(socket, "remote_port", PORT_MAX))
			       ? LEAVING_TOR
			       : LEAVING_HOST;
	if (in_prefix(address, 0x0a000000, 8) || in_prefix(address, 0xac100000, 12) ||
	    in_prefix(address, 0xc0a80000, 16) || in_prefix(address, 0xa9fe0000, 16))
		return LEAVING_LAN;
	return is_tors(socket) ? LEAVING_RELAYS : LEAVING_CLEARNET;
}

static bool is_loopback(const char *address)
{
	struct in6_addr address6;
	struct in_addr address4;

	if (inet_pton(AF_INET, address, &address4) == 1)
		return in_prefix(ntohl(address4.s_addr), 0x7f000000, 8);
	return inet_pton(AF_INET6, address, &address6) == 1 && IN6_IS_ADDR_LOOPBACK(&address6);
}

/* Bound to loopback, or its user is granted nothing outside: it sends to this host. What is not known
 * may leave. */
static enum leaving_way way_unconnected(const json_t *socket)
{
	const char *local = answer_text(socket, "local");
	bool may_leave = true;

	if ((local && is_loopback(local)) ||
	    (answer_flag(socket, "may_leave", &may_leave) && !may_leave))
		return LEAVING_HOST;
	return LEAVING_ANYWHERE;
}

enum leaving_way leaving_way_of(const json_t *sockets, const json_t *socket)
{
	const char *remote = answer_text(socket, "remote"), *local = answer_text(socket, "local");
	struct in6_addr address6;
	struct in_addr address;
	bool unconnected = false;

	if (answer_flag(socket, "unconnected", &unconnected) && unconnected)
		return way_unconnected(socket);
	if (!remote)
		return LEAVING_CLEARNET;
	if (is_listening(socket))
		return LEAVING_HOST;
	if (inet_pton(AF_INET, remote, &address) == 1) {
		enum leaving_way way = way4(sockets, socket, ntohl(address.s_addr));

		/* Its own address in the network: such packets go over lo. */
		return way != LEAVING_TOR && local && strcmp(local, remote) == 0 ? LEAVING_HOST
										 : way;
	}
	if (inet_pton(AF_INET6, remote, &address6) != 1)
		return LEAVING_CLEARNET;
	if (IN6_IS_ADDR_LOOPBACK(&address6) || (local && strcmp(local, remote) == 0))
		return LEAVING_HOST;
	if (IN6_IS_ADDR_LINKLOCAL(&address6) || (address6.s6_addr[0] & 0xfe) == 0xfc)
		return LEAVING_LAN;
	return is_tors(socket) ? LEAVING_RELAYS : LEAVING_CLEARNET;
}

/* ---- the same program to the same place is one line ---- */

static bool same_text(const json_t *a, const json_t *b, const char *key)
{
	const char *left = answer_text(a, key), *right = answer_text(b, key);

	return left == right || (left && right && strcmp(left, right) == 0);
}

static bool is_same(const json_t *a, const json_t *b)
{
	return same_text(a, b, "program") && same_text(a, b, "user") &&
	       same_text(a, b, "protocol") && same_text(a, b, "remote") &&
	       number(a, "uid", UINT32_MAX) == number(b, "uid", UINT32_MAX) &&
	       number(a, "remote_port", PORT_MAX) == number(b, "remote_port", PORT_MAX);
}

/* How many there are like the one at @index, of the same way; 0 if it was shown already, with an
 * earlier one. */
static size_t count_same(const json_t *sockets, size_t index, enum leaving_way way)
{
	const json_t *one = json_array_get(sockets, index), *other;
	size_t i, count = 0;

	json_array_foreach(sockets, i, other) {
		if (!is_same(one, other) || leaving_way_of(sockets, other) != way)
			continue;
		if (i < index)
			return 0;
		count++;
	}
	return count;
}

static const json_t *list_of(const struct answer *answer, const char *key)
{
	const json_t *list = json_object_get(answer->object, key);

	return json_is_array(list) ? list : NULL;
}

/* Where the kernel cannot name programs, the filter's rules tell of users. */
static bool by_user(const struct answer *watch)
{
	const char *source = answer_text(answer_object(watch->object, "state"), "Source");

	return source && strcmp(source, "nflog") == 0;
}

/* The daemon answers even where the kernel cannot tell: that is not "nothing was refused". */
static const json_t *refused_of(const struct answer *watch)
{
	const char *source = answer_text(answer_object(watch->object, "state"), "Source");

	return (source && strcmp(source, "tracepoint") == 0) || by_user(watch)
		       ? list_of(watch, "refused")
		       : NULL;
}

/* ---- text ---- */

static const char *way_title(enum leaving_way way)
{
	switch (way) {
	case LEAVING_TOR:
		return _("Through Tor");
	case LEAVING_RELAYS:
		return _("Tor itself, to its relays");
	case LEAVING_LAN:
		return _("To the local network");
	case LEAVING_CLEARNET:
		return _("To the Internet, NOT through Tor");
	case LEAVING_ANYWHERE:
		return _("By UDP without a fixed destination: where to is NOT KNOWN");
	case LEAVING_HOST:
	case LEAVING_WAYS:
		break;
	}
	return "";
}

static bool is_users(const json_t *row)
{
	const char *attribution = answer_text(row, "attribution");

	return attribution && strcmp(attribution, "user") == 0;
}

static void show_program(const json_t *object, struct buf *out)
{
	AUTO_BUF struct buf name = {.cap = 1024};
	const char *program = answer_text(object, "program"), *user = answer_text(object, "user");
	const char *slash = program ? strrchr(program, '/') : NULL;

	if (program)
		text_foreign(&name, slash && slash[1] ? slash + 1 : program, 24);
	else
		buf_puts(&name, _("a program that is not known"));
	buf_puts(&name, ", ");
	if (user)
		text_foreign(&name, user, 16);
	else
		buf_printf(&name, _("user %lld"),
			   (long long)number(object, is_users(object) ? "owner-uid" : "uid",
					     UINT32_MAX));
	buf_printf(out, "  %s", buf_text(&name));
	for (size_t columns = text_columns(buf_text(&name)) + 2; columns < NAME_COLUMNS; columns++)
		buf_puts(out, " ");
	buf_puts(out, " ");
}

static void show_place(const json_t *object, const char *address_key, const char *port_key,
		       struct buf *out)
{
	const char *address = answer_text(object, address_key);
	const char *protocol = answer_text(object, "protocol");
	json_int_t port = number(object, port_key, PORT_MAX);
	bool bracket = address && strchr(address, ':') && port;

	text_foreign(out, protocol ? protocol : _("frame"), 16);
	buf_puts(out, bracket ? " [" : " ");
	text_foreign(out, address ? address : "", SHOWN_MAX);
	buf_puts(out, bracket ? "]" : "");
	if (port)
		buf_printf(out, ":%lld", (long long)port);
}

static void show_way(const json_t *sockets, enum leaving_way way, struct buf *out)
{
	const json_t *socket;
	bool any = false;
	size_t i;

	buf_printf(out, "\n%s\n", way_title(way));
	json_array_foreach(sockets, i, socket) {
		size_t count;

		if (leaving_way_of(sockets, socket) != way)
			continue;
		count = count_same(sockets, i, way);
		if (count == 0)
			continue;
		any = true;
		show_program(socket, out);
		if (way == LEAVING_ANYWHERE)
			text_foreign(out, answer_text(socket, "protocol") ?: "", 16);
		else
			show_place(socket, "remote", "remote_port", out);
		if (count > 1)
			buf_printf(out, " (%zu)", count);
		buf_puts(out, "\n");
	}
	if (!any)
		buf_printf(out, "  %s\n", _("nothing"));
}

static void show_refused(const json_t *refused, struct buf *out)
{
	const json_t *row;
	size_t i, shown = 0;

	json_array_foreach(refused, i, row) {
		json_int_t times = number(row, "attempts", COUNT_MAX) +
				   number(row, "repeats", COUNT_MAX);

		/* The kernel's own; but where only users are known, no program has a name. */
		if (!answer_text(row, "program") && !is_users(row))
			continue;
		if (shown++ == REFUSED_SHOWN) {
			buf_printf(out, "  %s\n", _("... more: lethe-watch"));
			break;
		}
		show_program(row, out);
		show_place(row, "destination", "port", out);
		buf_printf(out, " (%lld)\n", (long long)times);
	}
	if (shown == 0)
		buf_printf(out, "  %s\n", _("nothing"));
}

static bool all_sockets(const struct answer *flows)
{
	bool tcp = false, udp = false;

	return answer_flag(flows->object, "tcp_complete", &tcp) && tcp &&
	       answer_flag(flows->object, "udp_complete", &udp) && udp;
}

int leaving_text(const struct answer *flows, const struct answer *watch, struct buf *out)
{
	const json_t *sockets = list_of(flows, "sockets"), *refused = refused_of(watch);
	int r = sockets && refused && all_sockets(flows) ? 0 : -ENODATA, finished;

	buf_printf(out, "%s\n", _("What leaves this computer now"));
	if (sockets) {
		for (enum leaving_way way = LEAVING_TOR; way < LEAVING_HOST; way++)
			show_way(sockets, way, out);
		if (!all_sockets(flows))
			buf_printf(out, "\n%s\n", _("UNKNOWN: not all connections could be seen."));
	} else {
		buf_printf(out, "\n%s\n", _("UNKNOWN: nobody told which connections there are."));
	}
	if (refused) {
		buf_printf(out, "\n%s\n",
			   by_user(watch) ? _("Refused: it has not left (known by user only)")
					  : _("Refused: it has not left"));
		show_refused(refused, out);
	} else {
		buf_printf(out, "\n%s\n", _("UNKNOWN: nobody watches what is refused."));
	}
	finished = buf_finish(out);
	return finished < 0 ? finished : r;
}

/* ---- JSON ---- */

static const char *const way_names[] = {
    [LEAVING_TOR] = "tor",	     [LEAVING_RELAYS] = "relays", [LEAVING_LAN] = "lan",
    [LEAVING_CLEARNET] = "clearnet", [LEAVING_ANYWHERE] = "unknown", [LEAVING_HOST] = "host",
};

static int add_flows(const json_t *sockets, json_t *list)
{
	const json_t *socket;
	size_t i;

	json_array_foreach(sockets, i, socket) {
		enum leaving_way way = leaving_way_of(sockets, socket);
		json_t *copy;

		if (way == LEAVING_HOST)
			continue;
		copy = json_copy(json_array_get(sockets, i));
		if (!copy || json_object_set_new(copy, "way", json_pack("s", way_names[way])) < 0 ||
		    json_array_append_new(list, copy) < 0)
			return -ENOMEM;
	}
	return 0;
}

int leaving_json(const struct answer *flows, const struct answer *watch, struct buf *out)
{
	const json_t *sockets = list_of(flows, "sockets"), *refused = refused_of(watch);
	json_t *list = json_array(), *object;
	char *text = NULL;
	int r = list ? add_flows(sockets, list) : -ENOMEM, finished;

	object = json_pack("{s:i, s:b, s:o, s:b, s:O?}", "version", 1, "flows_known",
			   sockets && all_sockets(flows), "flows", list, "refused_known",
			   refused != NULL, "refused", refused);
	if (r == 0 && object)
		text = json_dumps(object, JSON_COMPACT | JSON_ENSURE_ASCII);
	json_decref(object);
	if (!text)
		return -ENOMEM;
	buf_printf(out, "%s\n", text);
	free(text);
	finished = buf_finish(out);
	if (finished < 0)
		return finished;
	return sockets && refused && all_sockets(flows) ? 0 : -ENODATA;
}

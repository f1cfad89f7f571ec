/* SPDX-License-Identifier: GPL-3.0-or-later */
/* F6, F7 and F9: loopback, the transparent proxy, and how a refusal is told. */
#include "claims.h"

#include <netinet/in.h>

/* "Single ports" and "single users" are what a list of grants gives; a block of so many, all of
 * them, is what "any but these" gives. */
#define BLOCK_BITS 12

/* Tor's virtual addresses, 127.192.0.0/10. */
static const struct claims_range automapped[] = {{0x7fc00000, 0x7fffffff}};

static diagram stopped(struct claims *c, enum packet_path path)
{
	diagram unsure = c->model->judgements[path].outcomes[JUDGEMENT_UNDECIDED];

	return ALL(c->model->universes[path], NO(c->passes[path]), NO(unsure));
}

/* To a local service: a connection's opening, or a datagram, from somebody. */
static diagram requests(struct claims *c)
{
	return ALL(c->loopback, c->ordinary, c->owned, ANY(c->opening, c->udp));
}

/* IPv4 destinations that prerouting hands to the proxy: apart from who sends what. */
static diagram proxied_places(struct claims *c)
{
	static const enum space_field kept[] = {SPACE_DESTINATION4};
	diagram proxied = ALL(c->model->judgements[PACKET_INPUT].outcomes[JUDGEMENT_PROXY],
			      c->model->universes[PACKET_INPUT], c->ipv4);

	return ALL(claims_only(c, proxied, kept, ARRAY_SIZE(kept)), c->ipv4, c->tcp);
}

/* ---- F6. ---- */

static void nobody_on_loopback(struct claims *c, struct claims_sets *sets)
{
	sets->never[PACKET_OUTPUT] = ALL(c->loopback, NO(c->owned), NO(c->quiet));
}

static void plain_on_loopback(struct claims *c, struct claims_sets *sets)
{
	diagram known = ANY(c->tcp, c->udp, claims_icmp_errors(c));

	sets->never[PACKET_OUTPUT] = ALL(c->loopback, ANY(c->odd, NO(known)));
}

/* From any of their own ports: a server of UDP answers to every port, but only from its own. */
static diagram all_ports_of_block(struct claims *c)
{
	diagram asked = requests(c), refused = ALL(asked, stopped(c, PACKET_OUTPUT));

	refused = claims_exists(c, refused, SPACE_DESTINATION_PORT, 16 - BLOCK_BITS, BLOCK_BITS);
	refused = claims_exists(c, refused, SPACE_SOURCE_PORT, 0, 16);
	return ALL(asked, c->passes[PACKET_OUTPUT], NO(refused));
}

static void services_are_listed(struct claims *c, struct claims_sets *sets)
{
	diagram exempt = ALL(c->amnesia, c->tcp);

	sets->violations[PACKET_OUTPUT] =
	    ALL(all_ports_of_block(c), NO(exempt), NO(proxied_places(c)));
	sets->concerns[PACKET_OUTPUT] = ALL(requests(c), NO(exempt));
}

static void users_are_listed(struct claims *c, struct claims_sets *sets)
{
	diagram asked = requests(c), refused = ALL(asked, stopped(c, PACKET_OUTPUT));

	refused = claims_exists(c, refused, SPACE_UID, 32 - BLOCK_BITS, BLOCK_BITS);
	sets->violations[PACKET_OUTPUT] = ALL(asked, c->passes[PACKET_OUTPUT], NO(refused));
	sets->concerns[PACKET_OUTPUT] = asked;
}

static void every_own_address(struct claims *c, struct claims_sets *sets)
{
	static const enum space_field kept[] = {
	    SPACE_LOOPBACK,         SPACE_OWNED,       SPACE_UID, SPACE_PROTOCOL, SPACE_FLAGS,
	    SPACE_DESTINATION_PORT, SPACE_SOURCE_PORT,
	};
	diagram asked = ALL(requests(c), NO(proxied_places(c)));
	diagram refused = ALL(asked, stopped(c, PACKET_OUTPUT));

	/* What passes to one address, though the same to another one would not. */
	refused = claims_only(c, refused, kept, ARRAY_SIZE(kept));
	sets->violations[PACKET_OUTPUT] = ALL(asked, c->passes[PACKET_OUTPUT], refused);
	sets->concerns[PACKET_OUTPUT] = asked;
}

/* Programs that let the kernel choose a port are given one of these (ip_local_port_range). */
static void random_ports(struct claims *c, struct claims_sets *sets)
{
	diagram what = ALL(c->loopback, c->ordinary, c->opening, NO(proxied_places(c)),
			   space_between(c->space, SPACE_DESTINATION_PORT, 32768, 60999));

	sets->always[PACKET_OUTPUT] = ALL(what, c->amnesia);
	sets->always[PACKET_FRAME] = ALL(what, c->amnesia, c->labelled);
	sets->always[PACKET_INPUT] = what;
}

/* ---- F7. ---- */

static void proxy_is_amnesias(struct claims *c, struct claims_sets *sets)
{
	sets->never[PACKET_OUTPUT] =
	    ALL(c->loopback, c->opening, proxied_places(c), NO(c->amnesia));
}

static void proxys_port(struct claims *c, struct claims_sets *sets)
{
	uint16_t port = c->model->judgements[PACKET_INPUT].proxy_port;

	if (port)
		sets->never[PACKET_OUTPUT] =
		    ALL(c->loopback, c->opening, NO(c->amnesia), NO(proxied_places(c)),
			space_is(c->space, SPACE_DESTINATION_PORT, port));
}

/* If none listens, nobody else may answer in its place. */
static void proxy_or_nothing(struct claims *c, struct claims_sets *sets)
{
	diagram proxied = c->model->judgements[PACKET_INPUT].outcomes[JUDGEMENT_PROXY];
	diagram what = ALL(c->loopback, c->opening, proxied_places(c));

	sets->violations[PACKET_INPUT] = ALL(what, c->passes[PACKET_INPUT], NO(proxied));
	sets->concerns[PACKET_INPUT] = what;
}

static void automap_goes_to_proxy(struct claims *c, struct claims_sets *sets)
{
	diagram listens = space_is(c->space, SPACE_SOCKET, PACKET_SOCKET_TRANSPARENT);
	diagram what = ALL(claims_destinations(c, automapped, ARRAY_SIZE(automapped)), c->loopback,
			   c->tcp, c->ordinary);
	diagram proxied = c->model->judgements[PACKET_INPUT].outcomes[JUDGEMENT_PROXY];
	diagram unsure = c->model->judgements[PACKET_INPUT].outcomes[JUDGEMENT_UNDECIDED];

	sets->always[PACKET_OUTPUT] = ALL(what, c->amnesia);
	sets->violations[PACKET_INPUT] = ALL(what, listens, NO(proxied), NO(unsure));
	sets->concerns[PACKET_INPUT] = what;
}

/* ---- F9. ---- */

static bool tracking(const struct ruleset *ruleset, bool *ret_unsure, struct buf *where)
{
	return claims_rule_tracks(ruleset, false, ret_unsure, where);
}

static void errors_from_outside(struct claims *c, struct claims_sets *sets)
{
	diagram answer = claims_echo_reply(c);

	sets->never[PACKET_INPUT] = ALL(NO(c->loopback), c->icmp, NO(answer));
}

static void errors_on_loopback(struct claims *c, struct claims_sets *sets)
{
	diagram errors = ALL(c->loopback, claims_icmp_errors(c), c->ordinary);

	sets->always[PACKET_OUTPUT] = errors;
	sets->always[PACKET_FRAME] = ALL(errors, c->labelled);
	sets->always[PACKET_INPUT] = errors;
}

/* What is stopped, in another manner than @manner. */
static void refused_by(struct claims *c, struct claims_sets *sets, diagram what,
		       enum judgement_outcome manner)
{
	diagram told = c->model->judgements[PACKET_OUTPUT].outcomes[manner];

	sets->violations[PACKET_OUTPUT] = ALL(what, stopped(c, PACKET_OUTPUT), NO(told));
	sets->concerns[PACKET_OUTPUT] = what;
}

static void refused_at_once(struct claims *c, struct claims_sets *sets)
{
	refused_by(c, sets, ALL(c->opening, c->ordinary), JUDGEMENT_RESET);
}

static void refused_datagrams(struct claims *c, struct claims_sets *sets)
{
	refused_by(c, sets, ALL(c->loopback, c->udp, c->ordinary), JUDGEMENT_UNREACHABLE);
}

#define SAFETY(id, text, user, tell)                                                               \
	{                                                                                          \
		id, PROOF_SAFETY, text, user, tell, NULL, PROOF_LEAK                               \
	}
#define MANNER(id, text, tell)                                                                     \
	{                                                                                          \
		id, PROOF_USE, text, NULL, tell, NULL, PROOF_MANNER                                \
	}

const struct claims_sentence claims_local[] = {
    SAFETY("F6.1", "What belongs to nobody opens nothing on loopback.", NULL, nobody_on_loopback),
    SAFETY(
	"F6.2",
	"Loopback carries TCP, UDP and ICMP errors, whole and without options, and nothing else.",
	NULL, plain_on_loopback),
    SAFETY("F6.3",
	   "Local services are granted port by port: no run of local ports is open as a whole to "
	   "any user but amnesia, and to amnesia by TCP alone.",
	   NULL, services_are_listed),
    SAFETY("F6.4",
	   "Local services are granted user by user: none is open to a whole run of users, or to "
	   "everybody.",
	   NULL, users_are_listed),
    SAFETY("F6.5",
	   "A local service is granted or refused alike by whatever own address it is reached, of "
	   "IPv4 or IPv6.",
	   NULL, every_own_address),
    {"F6.6", PROOF_USE,
     "amnesia reaches every local TCP port that the kernel chooses for programs (32768 to 60999).",
     "amnesia", random_ports, NULL, PROOF_BLOCKS},
    SAFETY(
	"F7.1",
	"Nobody but amnesia opens a connection to an address that is handed to Tor's transparent "
	"proxy.",
	NULL, proxy_is_amnesias),
    SAFETY("F7.2", "Nobody but amnesia reaches the port of Tor's transparent proxy.", NULL,
	   proxys_port),
    SAFETY("F7.3",
	   "A connection to such an address reaches the proxy or nothing, on whatever port some "
	   "service listens.",
	   NULL, proxy_or_nothing),
    {"F7.4", PROOF_USE,
     "Connections of amnesia to automapped addresses (127.192.0.0/10) go to Tor's transparent "
     "proxy, if it listens.",
     "amnesia", automap_goes_to_proxy, NULL, PROOF_PROXIES},
    {"F9.1", PROOF_SAFETY, "No rule makes the kernel track connections.", NULL, NULL, tracking,
     PROOF_LEAK},
    SAFETY("F9.2",
	   "No ICMP packet from outside is let in but the reply to an echo, so nothing as related.",
	   NULL, errors_from_outside),
    {"F9.3", PROOF_USE, "ICMP errors pass on loopback, of IPv4 and IPv6.", NULL, errors_on_loopback,
     NULL, PROOF_BLOCKS},
    MANNER("F9.4", "A connection that is refused to a program is reset at once.", refused_at_once),
    MANNER("F9.5", "A datagram that is refused on loopback is answered by an ICMP error.",
	   refused_datagrams),
};
const size_t claims_local_count = ARRAY_SIZE(claims_local);

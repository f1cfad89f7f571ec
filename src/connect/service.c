/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The service org.lethe.Connect1. */
#include <string.h>

#include <bus/bus.h>

#include "daemon.h"

#define POLKIT_CHOOSE "org.lethe.connect1.choose"
#define BAD_CHOICE    "org.lethe.Connect1.Error.BadChoice"

struct bus {
	sd_bus *connection;
	struct daemon *daemon;
};

struct bus *service_free(struct bus *bus)
{
	if (bus) {
		sd_bus_flush_close_unref(bus->connection);
		free(bus);
	}
	return NULL;
}

/* ---- what is chosen ---- */

struct wish {
	struct choice choice;
	struct torctl_bridges bridges;
	struct diag diag;
};

static int read_bridges(sd_bus_message *call, struct wish *wish)
{
	const char *line;
	unsigned number = 0;
	int r = sd_bus_message_enter_container(call, 'a', "s");

	while (r >= 0 && (r = sd_bus_message_read(call, "s", &line)) > 0) {
		struct torctl_bridge bridge;
		int parsed = torctl_bridge_parse(line, strlen(line), &bridge, &wish->diag);

		number++;
		if (parsed == 0)
			parsed = torctl_bridges_add(&wish->bridges, &bridge);
		if (parsed == -ENOSPC)
			diag_set(&wish->diag, NULL, 0, 0, "there are more than 64 bridges");
		if (parsed == -ENODATA)
			diag_set(&wish->diag, NULL, 0, 0, "an empty line is no bridge");
		wish->diag.line = number;
		if (parsed < 0)
			return -EBADMSG;
	}
	return r < 0 ? r : sd_bus_message_exit_container(call);
}

static int read_country(sd_bus_message *call, struct wish *wish)
{
	const char *country;
	int r = sd_bus_message_read(call, "s", &country);

	if (r >= 0 && strlen(country) >= sizeof(wish->choice.country)) {
		diag_set(&wish->diag, NULL, 0, 0, "a country is two small letters");
		return -EBADMSG;
	}
	if (r >= 0)
		memcpy(wish->choice.country, country, strlen(country) + 1);
	return r;
}

static int read_truth(sd_bus_message *call, bool *ret_truth)
{
	int truth = 0, r = sd_bus_message_read(call, "b", &truth);

	if (r >= 0)
		*ret_truth = truth != 0;
	return r;
}

/* An option that is not known could be one that makes it safer: it is not passed over. */
static int read_option(sd_bus_message *call, struct wish *wish)
{
	const char *name;
	int r = sd_bus_message_read(call, "s", &name);
	const bool list = r >= 0 && strcmp(name, "bridges") == 0;
	const bool text = r >= 0 && strcmp(name, "country") == 0;

	if (r >= 0)
		r = sd_bus_message_enter_container(call, 'v', list ? "as" : text ? "s" : "b");
	if (r < 0)
		return r;
	if (list)
		r = read_bridges(call, wish);
	else if (text)
		r = read_country(call, wish);
	else if (strcmp(name, "plain") == 0)
		r = read_truth(call, &wish->choice.plain);
	else if (strcmp(name, "default-bridges") == 0)
		r = read_truth(call, &wish->choice.defaults);
	else if (strcmp(name, "ask") == 0)
		r = read_truth(call, &wish->choice.ask);
	else
		r = -EINVAL;
	return r < 0 ? r : sd_bus_message_exit_container(call);
}

static int read_wish(sd_bus_message *call, struct wish *wish)
{
	const char *mode;
	int r = sd_bus_message_read(call, "s", &mode);

	if (r >= 0)
		r = sd_bus_message_enter_container(call, 'a', "{sv}");
	while (r >= 0 && (r = sd_bus_message_enter_container(call, 'e', "sv")) > 0) {
		r = read_option(call, wish);
		if (r >= 0)
			r = sd_bus_message_exit_container(call);
	}
	if (r < 0)
		return r;
	for (int i = MODE_AUTOMATIC; i <= MODE_HIDE; i++)
		if (strcmp(mode, mode_name((enum mode)i)) == 0)
			wish->choice.mode = (enum mode)i;
	return 0;
}

static int refuse(const struct wish *wish, const char *why, sd_bus_error *error)
{
	if (why)
		return sd_bus_error_set(error, BAD_CHOICE, why);
	if (!wish->diag.message[0])
		return sd_bus_error_set_const(error, SD_BUS_ERROR_INVALID_ARGS,
					      "This choice has an option that is not known here");
	return sd_bus_error_setf(error, BAD_CHOICE, "Line %u: %s.%s%s", wish->diag.line,
				 wish->diag.message, wish->diag.hint[0] ? " " : "",
				 wish->diag.hint);
}

static int deny(sd_bus_error *error)
{
	return sd_bus_error_set_const(error, SD_BUS_ERROR_ACCESS_DENIED,
				      "Not authorized to say how this computer connects");
}

/* ---- methods ---- */

static int on_choose(sd_bus_message *call, void *data, sd_bus_error *error)
{
	struct daemon *daemon = ((struct bus *)data)->daemon;
	AUTO_FREE struct wish *wish = calloc(1, sizeof(*wish));
	const char *why;
	int r;

	if (!wish)
		return -ENOMEM;
	if (!bus_may(call, POLKIT_CHOOSE, true))
		return deny(error);
	r = read_wish(call, wish);
	if (r < 0)
		return r == -ENOMEM ? r : refuse(wish, NULL, error);
	wish->choice.bridges = &wish->bridges;
	why = choice_check(&wish->choice, &daemon->defaults);
	if (why)
		return refuse(wish, why, error);
	daemon_take(daemon, (struct event){.kind = EVENT_CHOOSE,
					   .choose = {.choice = &wish->choice,
						      .plausible = daemon_plausible(daemon)}});
	return sd_bus_reply_method_return(call, NULL);
}

static int simple(sd_bus_message *call, void *data, enum event_kind kind, sd_bus_error *error)
{
	struct daemon *daemon = ((struct bus *)data)->daemon;

	if (!bus_may(call, POLKIT_CHOOSE, true))
		return deny(error);
	/* Whoever wants to try again sees a network that may not have been seen here. */
	if (kind == EVENT_RETRY)
		daemon_look_at_link(daemon);
	daemon_take(daemon, (struct event){.kind = kind});
	return sd_bus_reply_method_return(call, NULL);
}

static int on_cancel(sd_bus_message *call, void *data, sd_bus_error *error)
{
	return simple(call, data, EVENT_CANCEL, error);
}

static int on_retry(sd_bus_message *call, void *data, sd_bus_error *error)
{
	return simple(call, data, EVENT_RETRY, error);
}

static int on_forget(sd_bus_message *call, void *data, sd_bus_error *error)
{
	return simple(call, data, EVENT_FORGET, error);
}

/* ---- properties ---- */

static int get_text(sd_bus *connection, const char *path, const char *interface,
		    const char *property, sd_bus_message *reply, void *data, sd_bus_error *error)
{
	const struct machine *machine = &((const struct bus *)data)->daemon->machine;
	const struct {
		const char *name, *text;
	} texts[] = {
	    {"State", state_name(machine->state)},
	    {"Mode", mode_name(machine->mode)},
	    {"Phase", machine->phase},
	    {"PhaseText", phase_text(machine->phase)},
	    {"Reason", reason_name(machine->reason)},
	    {"ReasonText", reason_text(machine->reason)},
	    {"Advice", reason_advice(machine->reason)},
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (strcmp(property, texts[i].name) == 0)
			return sd_bus_message_append(reply, "s", texts[i].text);
	return -EINVAL;
}

static int get_number(sd_bus *connection, const char *path, const char *interface,
		      const char *property, sd_bus_message *reply, void *data, sd_bus_error *error)
{
	const struct machine *machine = &((const struct bus *)data)->daemon->machine;
	const bool used = machine->state == STATE_CONNECTING || machine->state == STATE_CONNECTED;
	uint32_t value = machine->progress;

	/* How many, and to nobody which. */
	if (strcmp(property, "Bridges") == 0)
		value = used ? (uint32_t)machine->active.count : (uint32_t)machine->chosen.count;
	return sd_bus_message_append(reply, "u", value);
}

static int get_defaults(sd_bus *connection, const char *path, const char *interface,
			const char *property, sd_bus_message *reply, void *data,
			sd_bus_error *error)
{
	const struct daemon *daemon = ((const struct bus *)data)->daemon;

	return sd_bus_message_append(reply, "u", (uint32_t)daemon->defaults.count);
}

static const sd_bus_vtable vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD("Choose", "sa{sv}", "", on_choose, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("Cancel", "", "", on_cancel, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("Retry", "", "", on_retry, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("Forget", "", "", on_forget, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_PROPERTY("State", "s", get_text, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
    SD_BUS_PROPERTY("Mode", "s", get_text, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
    SD_BUS_PROPERTY("Progress", "u", get_number, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
    SD_BUS_PROPERTY("Phase", "s", get_text, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
    SD_BUS_PROPERTY("PhaseText", "s", get_text, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
    SD_BUS_PROPERTY("Reason", "s", get_text, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
    SD_BUS_PROPERTY("ReasonText", "s", get_text, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
    SD_BUS_PROPERTY("Advice", "s", get_text, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
    SD_BUS_PROPERTY("Bridges", "u", get_number, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
    SD_BUS_PROPERTY("DefaultBridges", "u", get_defaults, 0, SD_BUS_VTABLE_PROPERTY_CONST),
    SD_BUS_VTABLE_END,
};

/* ---- the connection ---- */

int service_open(struct daemon *daemon, const char *address, struct bus **ret_bus)
{
	struct bus *bus = calloc(1, sizeof(*bus));
	int r;

	if (!bus)
		return -ENOMEM;
	bus->daemon = daemon;
	r = bus_connect(address, &bus->connection);
	if (r >= 0)
		r = sd_bus_add_object_vtable(bus->connection, NULL, CONNECT_BUS_PATH,
					     CONNECT_INTERFACE, vtable, bus);
	if (r >= 0)
		r = sd_bus_request_name(bus->connection, CONNECT_BUS_NAME, 0);
	if (r < 0) {
		service_free(bus);
		return r;
	}
	*ret_bus = bus;
	return 0;
}

int service_prepare(struct bus *bus, struct pollfd *ret_wait, int *ret_timeout_ms)
{
	return bus_wait_for(bus->connection, (uint64_t)daemon_now_ms() * 1000, ret_wait,
			    ret_timeout_ms);
}

int service_answer(struct bus *bus)
{
	return bus_work(bus->connection);
}

int service_tell(struct bus *bus)
{
	int r = sd_bus_emit_properties_changed(bus->connection, CONNECT_BUS_PATH, CONNECT_INTERFACE,
					       "State", "Mode", "Progress", "Phase", "PhaseText",
					       "Reason", "ReasonText", "Advice", "Bridges", NULL);

	return r < 0 ? r : 0;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bus.h"

#include <fcntl.h>
#include <string.h>
#include <time.h>

#include <bus/bus.h>
#include <os/user.h>

#define POLKIT_ACTION   "org.lethe.clearnet1.start"
#define CALL_TIME_US    (60u * 1000000) /* a start brings the namespace up first */
#define NETWORK_TIME_US (10u * 1000000)
#define NETWORK_NAME    "org.freedesktop.NetworkManager"
#define NETWORK_IPV4    NETWORK_NAME ".IP4Config"
#define NETWORK_DHCP    NETWORK_NAME ".DHCP4Config"

struct bus {
	sd_bus *connection;
	struct door *door;
	sd_bus_message *pending; /* a call of Start that waits for its program */
	int output;              /* what the answer to it brings */
	bool network_changed;
};

#define AUTO_ERROR   CLEANUP(sd_bus_error_free)

struct bus *bus_free(struct bus *bus)
{
	if (bus) {
		sd_bus_message_unref(bus->pending);
		closep(&bus->output);
		sd_bus_flush_close_unref(bus->connection);
		free(bus);
	}
	return NULL;
}

int bus_open(const char *address, struct bus **ret_bus)
{
	CLEANUP(bus_freep) struct bus *bus = calloc(1, sizeof(*bus));
	int r;

	if (!bus)
		return -ENOMEM;
	bus->output = -EBADF;
	r = bus_connect(address, &bus->connection);
	if (r < 0)
		return r;
	*ret_bus = TAKE_PTR(bus);
	return 0;
}

int bus_prepare(struct bus *bus, struct pollfd *ret_wait, int *ret_timeout_ms)
{
	struct timespec now = {0};

	clock_gettime(CLOCK_MONOTONIC, &now);
	return bus_wait_for(bus->connection,
			    (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000, ret_wait,
			    ret_timeout_ms);
}

int bus_answer(struct bus *bus)
{
	return bus_work(bus->connection);
}

/* ---- the service ---- */

static bool is_of_the_session(uid_t uid)
{
	uint32_t number, group;

	return user_numbers("/etc/passwd", "amnesia", &number, &group) == 0 && number == uid;
}

/* Root may; others if polkit says so. Where it is not there, as on a system with a console alone, whose
 * user has no session that logind knows, the session's user may. Any doubt is a no. */
static bool may_start(sd_bus_message *call)
{
	uid_t uid;

	return bus_caller(call, &uid) == 0 && bus_may(call, POLKIT_ACTION, is_of_the_session(uid));
}

static const struct {
	int error;
	const char *name;
} errors[] = {
    {-EPERM, BUS_NAME ".Error.Disabled"},
    {-EBUSY, BUS_NAME ".Error.Busy"},
    {-ENOENT, BUS_NAME ".Error.NoSuchProgram"},
    {-EINVAL, BUS_NAME ".Error.NoSuchProgram"},
    {0, BUS_NAME ".Error.Failed"},
};

static const char *error_name(int r)
{
	size_t i = 0;

	while (errors[i].error != 0 && errors[i].error != r)
		i++;
	return errors[i].name;
}

static int on_start(sd_bus_message *call, void *data, sd_bus_error *error)
{
	struct bus *bus = data;
	struct diag diag = {0};
	const char *name;
	int output, r = sd_bus_message_read(call, "s", &name);

	if (r < 0)
		return r;
	if (!may_start(call))
		return sd_bus_error_set_const(error, SD_BUS_ERROR_ACCESS_DENIED,
					      "Not authorized to start a program in the clear");
	r = door_start(bus->door, name, &output, &diag);
	if (r < 0)
		return sd_bus_error_set(error, error_name(r),
					diag.message[0] ? diag.message : strerror(-r));
	bus->output = output;
	bus->pending = sd_bus_message_ref(call);
	/* It is answered when the program runs, or does not. */
	return 1;
}

static int on_stop(sd_bus_message *call, void *data, sd_bus_error *error)
{
	struct bus *bus = data;

	if (!may_start(call))
		return sd_bus_error_set_const(error, SD_BUS_ERROR_ACCESS_DENIED,
					      "Not authorized to end a program in the clear");
	door_stop(bus->door);
	return sd_bus_reply_method_return(call, NULL);
}

static int get_property(sd_bus *connection, const char *path, const char *interface,
			const char *property, sd_bus_message *reply, void *data,
			sd_bus_error *error)
{
	const struct door *door = ((const struct bus *)data)->door;

	if (strcmp(property, "Enabled") == 0)
		return sd_bus_message_append(reply, "b", door->enabled);
	if (strcmp(property, "Running") == 0)
		return sd_bus_message_append(reply, "b", door->lease >= 0);
	if (strcmp(property, "Name") == 0)
		return sd_bus_message_append(reply, "s", door->name);
	return sd_bus_message_append(reply, "i", door->exit);
}

static const sd_bus_vtable vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD("Start", "s", "h", on_start, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("Stop", "", "", on_stop, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_PROPERTY("Enabled", "b", get_property, 0, SD_BUS_VTABLE_PROPERTY_CONST),
    SD_BUS_PROPERTY("Running", "b", get_property, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
    SD_BUS_PROPERTY("Name", "s", get_property, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
    SD_BUS_PROPERTY("Exit", "i", get_property, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
    SD_BUS_VTABLE_END,
};

int bus_offer(struct bus *bus, struct door *door)
{
	int r;

	bus->door = door;
	r = sd_bus_add_object_vtable(bus->connection, NULL, BUS_PATH, BUS_INTERFACE, vtable, bus);
	if (r >= 0)
		r = sd_bus_request_name(bus->connection, BUS_NAME, 0);
	return r < 0 ? r : 0;
}

static int answer_pending(struct bus *bus, enum door_event event)
{
	AUTO_MESSAGE sd_bus_message *call = TAKE_PTR(bus->pending), *reply = NULL;
	AUTO_CLOSE int output = TAKE_FD(bus->output);
	int r;

	if (!call)
		return 0;
	if (event == DOOR_ENDED)
		return sd_bus_reply_method_errorf(call, BUS_NAME ".Error.Failed", "%s",
						  bus->door->why);
	r = sd_bus_message_new_method_return(call, &reply);
	if (r >= 0)
		r = sd_bus_message_append(reply, "h", output);
	return r < 0 ? r : sd_bus_send(bus->connection, reply, NULL);
}

int bus_tell(struct bus *bus, enum door_event event)
{
	int r;

	if (event == DOOR_NOTHING)
		return 0;
	r = answer_pending(bus, event);
	if (r >= 0)
		r = sd_bus_emit_properties_changed(bus->connection, BUS_PATH, BUS_INTERFACE,
						   "Running", "Name", "Exit", NULL);
	return r < 0 ? r : 0;
}

/* ---- a client of it ---- */

static int client_error(int r, const sd_bus_error *error, struct diag *diag)
{
	static const struct {
		const char *name;
		int error;
	} own[] = {{BUS_NAME ".Error.Disabled", -EPERM},
		   {BUS_NAME ".Error.Busy", -EBUSY},
		   {BUS_NAME ".Error.NoSuchProgram", -EINVAL}};

	diag_set(diag, "", 0, 0, "%s", error->message ? error->message : strerror(-r));
	for (size_t i = 0; i < ARRAY_SIZE(own); i++)
		if (sd_bus_error_has_name(error, own[i].name))
			return own[i].error;
	/* The numbers that say something here are given only for what says it. */
	if (r == -ENOENT || r == -EACCES || r == -EPERM || r == -EBUSY || r == -EINVAL)
		r = -EIO;
	return bus_error(r, error);
}

int bus_start(struct bus *bus, const char *name, int *ret_output, struct diag *diag)
{
	AUTO_MESSAGE sd_bus_message *question = NULL, *reply = NULL;
	AUTO_ERROR sd_bus_error error = SD_BUS_ERROR_NULL;
	int output, r = sd_bus_message_new_method_call(bus->connection, &question, BUS_NAME,
						       BUS_PATH, BUS_INTERFACE, "Start");

	if (r >= 0)
		r = sd_bus_message_append(question, "s", name);
	if (r >= 0)
		r = sd_bus_call(bus->connection, question, CALL_TIME_US, &error, &reply);
	if (r >= 0)
		r = sd_bus_message_read(reply, "h", &output);
	if (r < 0)
		return client_error(r, &error, diag);
	/* The message owns the one it has brought. */
	*ret_output = fcntl(output, F_DUPFD_CLOEXEC, 3);
	return *ret_output < 0 ? neg_errno() : 0;
}

int bus_stop(struct bus *bus, struct diag *diag)
{
	AUTO_ERROR sd_bus_error error = SD_BUS_ERROR_NULL;
	int r = sd_bus_call_method(bus->connection, BUS_NAME, BUS_PATH, BUS_INTERFACE, "Stop",
				   &error, NULL, "");

	return r < 0 ? client_error(r, &error, diag) : 0;
}

static int property(struct bus *bus, const char *name, char type, void *ret_value,
		    struct diag *diag)
{
	AUTO_ERROR sd_bus_error error = SD_BUS_ERROR_NULL;
	int r = sd_bus_get_property_trivial(bus->connection, BUS_NAME, BUS_PATH, BUS_INTERFACE,
					    name, &error, type, ret_value);

	return r < 0 ? client_error(r, &error, diag) : 0;
}

int bus_state(struct bus *bus, struct bus_state *ret_state, struct diag *diag)
{
	AUTO_ERROR sd_bus_error error = SD_BUS_ERROR_NULL;
	AUTO_FREE char *name = NULL;
	int enabled = 0, running = 0, status = DOOR_NO_EXIT;
	int r = property(bus, "Enabled", 'b', &enabled, diag);

	if (r == 0)
		r = property(bus, "Running", 'b', &running, diag);
	if (r == 0)
		r = property(bus, "Exit", 'i', &status, diag);
	if (r < 0)
		return r;
	r = sd_bus_get_property_string(bus->connection, BUS_NAME, BUS_PATH, BUS_INTERFACE, "Name",
				       &error, &name);
	if (r < 0)
		return client_error(r, &error, diag);
	*ret_state =
	    (struct bus_state){.enabled = enabled != 0, .running = running != 0, .exit = status};
	snprintf(ret_state->name, sizeof(ret_state->name), "%s", name);
	return 0;
}

/* ---- NetworkManager ---- */

static int on_network(sd_bus_message *message, void *data, sd_bus_error *error)
{
	((struct bus *)data)->network_changed = true;
	return 0;
}

int bus_network_listen(struct bus *bus)
{
	static const char *const matches[] = {
	    "type='signal',sender='" NETWORK_NAME "',member='PropertiesChanged',"
	    "interface='org.freedesktop.DBus.Properties',arg0='" NETWORK_IPV4 "'",
	    "type='signal',sender='" NETWORK_NAME "',member='PropertiesChanged',"
	    "interface='org.freedesktop.DBus.Properties',arg0='" NETWORK_DHCP "'",
	    "type='signal',sender='" NETWORK_NAME "',"
	    "interface='org.freedesktop.DBus.ObjectManager'",
	    "type='signal',sender='org.freedesktop.DBus',member='NameOwnerChanged',"
	    "interface='org.freedesktop.DBus',arg0='" NETWORK_NAME "'",
	};

	for (size_t i = 0; i < ARRAY_SIZE(matches); i++) {
		int r = sd_bus_add_match(bus->connection, NULL, matches[i], on_network, bus);

		if (r < 0)
			return r;
	}
	bus->network_changed = true;
	return 0;
}

bool bus_network_changed(struct bus *bus)
{
	return TAKE(bus->network_changed, false);
}

struct found {
	struct resolvers own, offered;
};

/* A dictionary a{sv} as a variant's content or an array's: the text of @key is added. */
static int take_text(sd_bus_message *message, const char *key, struct resolvers *to)
{
	const char *name, *contents, *text;
	char type;
	int r = sd_bus_message_enter_container(message, 'a', "{sv}");

	if (r < 0)
		return r;
	while ((r = sd_bus_message_enter_container(message, 'e', "sv")) > 0) {
		r = sd_bus_message_read(message, "s", &name);
		if (r >= 0)
			r = sd_bus_message_peek_type(message, &type, &contents);
		if (r < 0)
			return r;
		if (strcmp(name, key) == 0 && strcmp(contents, "s") == 0) {
			r = sd_bus_message_read(message, "v", "s", &text);
			if (r >= 0)
				resolvers_add(to, text);
		} else {
			r = sd_bus_message_skip(message, "v");
		}
		if (r >= 0)
			r = sd_bus_message_exit_container(message);
		if (r < 0)
			return r;
	}
	return r < 0 ? r : sd_bus_message_exit_container(message);
}

/* NameserverData, aa{sv} */
static int take_own(sd_bus_message *message, struct found *found)
{
	int r = sd_bus_message_enter_container(message, 'a', "a{sv}");

	while (r >= 0 && (r = sd_bus_message_at_end(message, false)) == 0)
		r = take_text(message, "address", &found->own);
	return r < 0 ? r : sd_bus_message_exit_container(message);
}

/* One property of @interface. What is of no interest, or of another type, is passed over. */
static int take_property(sd_bus_message *message, const char *interface, struct found *found)
{
	const char *name, *contents;
	bool own, offered;
	char type;
	int r = sd_bus_message_read(message, "s", &name);

	if (r >= 0)
		r = sd_bus_message_peek_type(message, &type, &contents);
	if (r < 0)
		return r;
	own = strcmp(interface, NETWORK_IPV4) == 0 && strcmp(name, "NameserverData") == 0 &&
	      strcmp(contents, "aa{sv}") == 0;
	offered = strcmp(interface, NETWORK_DHCP) == 0 && strcmp(name, "Options") == 0 &&
		  strcmp(contents, "a{sv}") == 0;
	if (!own && !offered)
		return sd_bus_message_skip(message, "v");
	r = sd_bus_message_enter_container(message, 'v', contents);
	if (r >= 0)
		r = own ? take_own(message, found)
			: take_text(message, "domain_name_servers", &found->offered);
	return r < 0 ? r : sd_bus_message_exit_container(message);
}

/* The properties of one interface, sa{sv} */
static int take_interface(sd_bus_message *message, struct found *found)
{
	const char *interface;
	int r = sd_bus_message_read(message, "s", &interface);

	if (r >= 0)
		r = sd_bus_message_enter_container(message, 'a', "{sv}");
	while (r >= 0 && (r = sd_bus_message_enter_container(message, 'e', "sv")) > 0) {
		r = take_property(message, interface, found);
		if (r >= 0)
			r = sd_bus_message_exit_container(message);
	}
	return r < 0 ? r : sd_bus_message_exit_container(message);
}

/* One object, oa{sa{sv}} */
static int take_object(sd_bus_message *message, struct found *found)
{
	const char *path;
	int r = sd_bus_message_read(message, "o", &path);

	if (r >= 0)
		r = sd_bus_message_enter_container(message, 'a', "{sa{sv}}");
	while (r >= 0 && (r = sd_bus_message_enter_container(message, 'e', "sa{sv}")) > 0) {
		r = take_interface(message, found);
		if (r >= 0)
			r = sd_bus_message_exit_container(message);
	}
	return r < 0 ? r : sd_bus_message_exit_container(message);
}

static int take_objects(sd_bus_message *message, struct found *found)
{
	int r = sd_bus_message_enter_container(message, 'a', "{oa{sa{sv}}}");

	while (r >= 0 && (r = sd_bus_message_enter_container(message, 'e', "oa{sa{sv}}")) > 0) {
		r = take_object(message, found);
		if (r >= 0)
			r = sd_bus_message_exit_container(message);
	}
	return r < 0 ? r : 0;
}

int bus_network_resolvers(struct bus *bus, struct resolvers *ret_resolvers)
{
	AUTO_MESSAGE sd_bus_message *question = NULL, *reply = NULL;
	AUTO_ERROR sd_bus_error error = SD_BUS_ERROR_NULL;
	struct found found = {0};
	int r = sd_bus_message_new_method_call(
	    bus->connection, &question, NETWORK_NAME, "/org/freedesktop",
	    "org.freedesktop.DBus.ObjectManager", "GetManagedObjects");

	/* Asking does not start it. */
	if (r >= 0)
		r = sd_bus_message_set_auto_start(question, false);
	if (r >= 0)
		r = sd_bus_call(bus->connection, question, NETWORK_TIME_US, &error, &reply);
	if (r >= 0)
		r = take_objects(reply, &found);
	if (r < 0 && !sd_bus_error_has_name(&error, SD_BUS_ERROR_SERVICE_UNKNOWN) &&
	    !sd_bus_error_has_name(&error, SD_BUS_ERROR_NAME_HAS_NO_OWNER))
		return r;
	*ret_resolvers = found.own;
	resolvers_join(ret_resolvers, &found.offered);
	return 0;
}

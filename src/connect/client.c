/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "client.h"

#include <string.h>

#include <bus/bus.h>

#define NAME	   "org.lethe.Connect1"
#define PATH	   "/org/lethe/Connect1"
#define INTERFACE  "org.lethe.Connect1"
#define BAD_CHOICE "org.lethe.Connect1.Error.BadChoice"
#define TIME_US	   (60u * 1000000)

struct client {
	sd_bus *connection;
	bool changed, gone;
};

struct client *client_free(struct client *client)
{
	if (client) {
		sd_bus_close_unref(client->connection);
		free(client);
	}
	return NULL;
}

int client_open(const char *address, struct client **ret_client)
{
	CLEANUP(client_freep) struct client *client = calloc(1, sizeof(*client));
	int r;

	if (!client)
		return -ENOMEM;
	r = bus_connect(address, &client->connection);
	if (r < 0)
		return r;
	*ret_client = TAKE_PTR(client);
	return 0;
}

/* ---- how it is ---- */

static int read_text(sd_bus_message *message, char *to, size_t size)
{
	const char *text;
	int r = sd_bus_message_read(message, "v", "s", &text);

	if (r >= 0)
		snprintf(to, size, "%s", text);
	return r;
}

static int read_property(sd_bus_message *message, struct status *status)
{
	struct {
		const char *name;
		char *text;
		size_t size;
		uint32_t *number;
	} known[] = {
	    {"State", status->state, sizeof(status->state), NULL},
	    {"Mode", status->mode, sizeof(status->mode), NULL},
	    {"Phase", status->phase, sizeof(status->phase), NULL},
	    {"PhaseText", status->phase_text, sizeof(status->phase_text), NULL},
	    {"Reason", status->reason, sizeof(status->reason), NULL},
	    {"ReasonText", status->reason_text, sizeof(status->reason_text), NULL},
	    {"Advice", status->advice, sizeof(status->advice), NULL},
	    {"Progress", NULL, 0, &status->progress},
	    {"Bridges", NULL, 0, &status->bridges},
	    {"DefaultBridges", NULL, 0, &status->default_bridges},
	};
	const char *name;
	int r = sd_bus_message_read(message, "s", &name);

	for (size_t i = 0; i < ARRAY_SIZE(known) && r >= 0; i++) {
		if (strcmp(known[i].name, name) != 0)
			continue;
		return known[i].number ? sd_bus_message_read(message, "v", "u", known[i].number)
				       : read_text(message, known[i].text, known[i].size);
	}
	return r < 0 ? r : sd_bus_message_skip(message, "v");
}

static int read_properties(sd_bus_message *message, struct status *status)
{
	int r = sd_bus_message_enter_container(message, 'a', "{sv}");

	while (r >= 0 && (r = sd_bus_message_enter_container(message, 'e', "sv")) > 0) {
		r = read_property(message, status);
		if (r >= 0)
			r = sd_bus_message_exit_container(message);
	}
	return r < 0 ? r : 0;
}

int client_status(struct client *client, struct status *ret_status)
{
	AUTO_MESSAGE sd_bus_message *reply = NULL;
	sd_bus_error error = SD_BUS_ERROR_NULL;
	struct status status = {0};
	int r = sd_bus_call_method(client->connection, NAME, PATH, "org.freedesktop.DBus.Properties",
				   "GetAll", &error, &reply, "s", INTERFACE);

	if (r < 0)
		r = bus_error(r, &error);
	else
		r = read_properties(reply, &status);
	sd_bus_error_free(&error);
	if (r < 0)
		return r;
	*ret_status = status;
	return 0;
}

/* ---- what is to be done ---- */

static int append_bridges(sd_bus_message *message, const struct torctl_bridges *bridges)
{
	int r = sd_bus_message_open_container(message, 'e', "sv");

	if (r >= 0)
		r = sd_bus_message_append(message, "s", "bridges");
	if (r >= 0)
		r = sd_bus_message_open_container(message, 'v', "as");
	if (r >= 0)
		r = sd_bus_message_open_container(message, 'a', "s");
	for (size_t i = 0; i < bridges->count && r >= 0; i++) {
		AUTO_BUF struct buf line = {.cap = TORCTL_BRIDGE_LINE_MAX};

		torctl_bridge_write(&bridges->list[i], &line);
		r = buf_finish(&line);
		if (r == 0)
			r = sd_bus_message_append(message, "s", buf_text(&line));
	}
	for (size_t i = 0; i < 3 && r >= 0; i++)
		r = sd_bus_message_close_container(message);
	return r;
}

static int append_request(sd_bus_message *message, const struct request *request)
{
	const struct {
		const char *name;
		bool set;
	} flags[] = {{"plain", request->plain},
		     {"default-bridges", request->default_bridges},
		     {"ask", request->ask}};
	int r = sd_bus_message_append(message, "s", request->mode);

	if (r >= 0)
		r = sd_bus_message_open_container(message, 'a', "{sv}");
	for (size_t i = 0; i < ARRAY_SIZE(flags) && r >= 0; i++)
		if (flags[i].set)
			r = sd_bus_message_append(message, "{sv}", flags[i].name, "b", 1);
	if (r >= 0 && request->country)
		r = sd_bus_message_append(message, "{sv}", "country", "s", request->country);
	if (r >= 0 && request->bridges && request->bridges->count > 0)
		r = append_bridges(message, request->bridges);
	return r < 0 ? r : sd_bus_message_close_container(message);
}

int client_choose(struct client *client, const struct request *request, char *why, size_t size)
{
	AUTO_MESSAGE sd_bus_message *question = NULL, *reply = NULL;
	sd_bus_error error = SD_BUS_ERROR_NULL;
	int r = sd_bus_message_new_method_call(client->connection, &question, NAME, PATH, INTERFACE,
					       "Choose");

	if (r >= 0)
		r = append_request(question, request);
	if (r >= 0) {
		r = sd_bus_call(client->connection, question, TIME_US, &error, &reply);
		if (r < 0)
			r = bus_error(r, &error);
		if (sd_bus_error_has_name(&error, BAD_CHOICE)) {
			snprintf(why, size, "%s", error.message ?: "");
			r = -EINVAL;
		} else if (r == -EINVAL) {
			r = -EBADMSG;
		}
	}
	sd_bus_error_free(&error);
	return r < 0 ? r : 0;
}

int client_call(struct client *client, const char *method)
{
	AUTO_MESSAGE sd_bus_message *reply = NULL;
	sd_bus_error error = SD_BUS_ERROR_NULL;
	int r = sd_bus_call_method(client->connection, NAME, PATH, INTERFACE, method, &error, &reply,
				   "");

	if (r < 0)
		r = bus_error(r, &error);
	sd_bus_error_free(&error);
	return r < 0 ? r : 0;
}

/* ---- changes ---- */

static int on_changed(sd_bus_message *message, void *data, sd_bus_error *error)
{
	((struct client *)data)->changed = true;
	return 0;
}

static int on_owner(sd_bus_message *message, void *data, sd_bus_error *error)
{
	const char *name, *before, *after;

	if (sd_bus_message_read(message, "sss", &name, &before, &after) >= 0 && after[0] == '\0')
		((struct client *)data)->gone = true;
	return 0;
}

int client_listen(struct client *client)
{
	int r = sd_bus_match_signal(client->connection, NULL, NAME, PATH,
				    "org.freedesktop.DBus.Properties", "PropertiesChanged",
				    on_changed, client);

	if (r >= 0)
		r = sd_bus_add_match(client->connection, NULL,
				     "type='signal',sender='org.freedesktop.DBus',"
				     "member='NameOwnerChanged',arg0='" NAME "'",
				     on_owner, client);
	return r < 0 ? r : 0;
}

int client_wait(struct client *client)
{
	while (!client->changed && !client->gone) {
		int r = sd_bus_process(client->connection, NULL);

		if (r == 0)
			r = sd_bus_wait(client->connection, UINT64_MAX);
		if (r < 0 && r != -EINTR)
			return r;
	}
	client->changed = false;
	return client->gone ? -ENOENT : 0;
}

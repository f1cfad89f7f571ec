/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "client.h"

#include <string.h>

#include <bus/bus.h>

#include "watch.h"

#define TIME_US (20u * 1000000)

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

/* Call @method without arguments, or with the number @since. */
static int call(struct client *client, const char *interface, const char *method,
		const char *types, uint64_t since, const char *text, sd_bus_message **ret_reply)
{
	AUTO_MESSAGE sd_bus_message *question = NULL;
	sd_bus_error error = SD_BUS_ERROR_NULL;
	int r = sd_bus_message_new_method_call(client->connection, &question, WATCH_BUS_NAME,
					       WATCH_BUS_PATH, interface, method);

	if (r >= 0 && types[0] == 't')
		r = sd_bus_message_append(question, "t", since);
	if (r >= 0 && types[0] == 's')
		r = sd_bus_message_append(question, "s", text);
	if (r >= 0) {
		r = sd_bus_call(client->connection, question, TIME_US, &error, ret_reply);
		if (r < 0)
			r = bus_error(r, &error);
	}
	sd_bus_error_free(&error);
	return r < 0 ? r : 0;
}

static int read_value(sd_bus_message *message, struct entry *entry)
{
	struct entry_value value = {0};
	const char *contents = "";
	char type = 0;
	int truth = 0, r = sd_bus_message_read(message, "s", &value.name);

	if (r >= 0)
		r = sd_bus_message_peek_type(message, &type, &contents);
	if (r < 0 || type != 'v' || strlen(contents) != 1 || !strchr("stb", contents[0]) ||
	    entry->count == ENTRY_VALUES_MAX)
		return -EBADMSG;
	value.type = contents[0];
	if (value.type == 's')
		r = sd_bus_message_read(message, "v", "s", &value.text);
	else if (value.type == 't')
		r = sd_bus_message_read(message, "v", "t", &value.number);
	else
		r = sd_bus_message_read(message, "v", "b", &truth);
	if (r < 0)
		return -EBADMSG;
	if (value.type == 'b')
		value.number = truth != 0;
	entry->values[entry->count++] = value;
	return 0;
}

/* Returns 1 and an entry, 0 at the end of the array, or -EBADMSG. */
static int read_entry(sd_bus_message *message, struct entry *entry)
{
	int r = sd_bus_message_enter_container(message, 'a', "{sv}");

	entry->count = 0;
	if (r <= 0)
		return r < 0 ? -EBADMSG : 0;
	while ((r = sd_bus_message_enter_container(message, 'e', "sv")) > 0) {
		r = read_value(message, entry);
		if (r == 0)
			r = sd_bus_message_exit_container(message);
		if (r < 0)
			return -EBADMSG;
	}
	if (r == 0)
		r = sd_bus_message_exit_container(message);
	return r < 0 ? -EBADMSG : 1;
}

static int read_entries(sd_bus_message *message, const struct client_take *take)
{
	struct entry entry = {0};
	int r = sd_bus_message_enter_container(message, 'a', "a{sv}");

	if (r <= 0)
		return -EBADMSG;
	while ((r = read_entry(message, &entry)) > 0)
		take->entry(&entry, take->data);
	return r;
}

static int ask(struct client *client, const char *method, const struct client_take *take)
{
	AUTO_MESSAGE sd_bus_message *reply = NULL;
	int r = call(client, WATCH_INTERFACE, method, "", 0, NULL, &reply);

	return r < 0 ? r : read_entries(reply, take);
}

int client_snapshot(struct client *client, const struct client_take *take)
{
	return ask(client, "Snapshot", take);
}

int client_summary(struct client *client, const struct client_take *take)
{
	return ask(client, "Summary", take);
}

int client_state(struct client *client, const struct client_take *take)
{
	AUTO_MESSAGE sd_bus_message *reply = NULL;
	struct entry entry = {0};
	int r = call(client, "org.freedesktop.DBus.Properties", "GetAll", "s", 0, WATCH_INTERFACE,
		     &reply);

	if (r < 0)
		return r;
	r = read_entry(reply, &entry);
	if (r <= 0)
		return -EBADMSG;
	take->entry(&entry, take->data);
	return 0;
}

int client_since(struct client *client, uint64_t *number, const struct client_take *take)
{
	AUTO_MESSAGE sd_bus_message *reply = NULL;
	uint64_t now;
	int r = call(client, WATCH_INTERFACE, "Since", "t", *number, NULL, &reply);

	if (r < 0)
		return r;
	if (sd_bus_message_read(reply, "t", &now) < 0)
		return -EBADMSG;
	r = read_entries(reply, take);
	if (r == 0)
		*number = now;
	return r;
}

int client_forget(struct client *client)
{
	AUTO_MESSAGE sd_bus_message *reply = NULL;

	return call(client, WATCH_INTERFACE, "Forget", "", 0, NULL, &reply);
}

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
	int r = sd_bus_match_signal(client->connection, NULL, WATCH_BUS_NAME, WATCH_BUS_PATH,
				    WATCH_INTERFACE, "Changed", on_changed, client);

	if (r >= 0)
		r = sd_bus_add_match(client->connection, NULL,
				     "type='signal',sender='org.freedesktop.DBus',"
				     "member='NameOwnerChanged',arg0='" WATCH_BUS_NAME "'",
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

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bus.h"

#include <string.h>

#include <bus/bus.h>

#include "describe.h"
#include "fallback.h"
#include "summary.h"

#define POLKIT_ACTION "org.lethe.network1.forget"

struct bus {
	sd_bus *connection;
	struct watch *watch;
};

struct bus *bus_free(struct bus *bus)
{
	if (bus) {
		sd_bus_flush_close_unref(bus->connection);
		free(bus);
	}
	return NULL;
}

/* ---- rows as dictionaries ---- */

struct writer {
	sd_bus_message *message;
	int error; /* 0 or the first failure */
};

static void write_entry(struct writer *writer, const char *name, const char *type, const char *text,
			uint64_t number)
{
	int r = writer->error;

	if (r < 0)
		return;
	if (type[0] == 's')
		r = sd_bus_message_append(writer->message, "{sv}", name, "s", text);
	else if (type[0] == 't')
		r = sd_bus_message_append(writer->message, "{sv}", name, "t", number);
	else
		r = sd_bus_message_append(writer->message, "{sv}", name, "b", number != 0);
	if (r < 0)
		writer->error = r;
}

static void write_text(void *data, const char *name, const char *value)
{
	write_entry(data, name, "s", value, 0);
}

static void write_number(void *data, const char *name, uint64_t value)
{
	write_entry(data, name, "t", NULL, value);
}

static void write_truth(void *data, const char *name, bool value)
{
	write_entry(data, name, "b", NULL, value);
}

static int append_row(struct watch *watch, const struct row *row, sd_bus_message *message)
{
	struct writer writer = {.message = message};
	struct describe_to to = {.text = write_text,
				 .number = write_number,
				 .truth = write_truth,
				 .data = &writer};
	int r = sd_bus_message_open_container(message, 'a', "{sv}");

	if (r < 0)
		return r;
	watch_ask(watch, row);
	describe_row(row, watch->own_netns, watch_now_ns(), &to);
	if (writer.error < 0)
		return writer.error;
	return sd_bus_message_close_container(message);
}

/* The rows that were heard of after the packet of number @since. */
static int append_rows(struct watch *watch, uint64_t since, sd_bus_message *message)
{
	const struct table *table = watch->table;
	int r = sd_bus_message_open_container(message, 'a', "a{sv}");

	watch_renew_policy(watch);
	for (const struct row *row = table_next(table, NULL); row && r >= 0;
	     row = table_next(table, row))
		if (row->last_number > since)
			r = append_row(watch, row, message);
	return r < 0 ? r : sd_bus_message_close_container(message);
}

/* ---- methods ---- */

static int on_snapshot(sd_bus_message *call, void *data, sd_bus_error *error)
{
	struct bus *bus = data;
	AUTO_MESSAGE sd_bus_message *reply = NULL;
	int r = sd_bus_message_new_method_return(call, &reply);

	if (r >= 0)
		r = append_rows(bus->watch, 0, reply);
	return r < 0 ? r : sd_bus_send(NULL, reply, NULL);
}

static int on_since(sd_bus_message *call, void *data, sd_bus_error *error)
{
	struct bus *bus = data;
	AUTO_MESSAGE sd_bus_message *reply = NULL;
	const struct row *newest = table_next(bus->watch->table, NULL);
	uint64_t since, now;
	int r = sd_bus_message_read(call, "t", &since);

	if (r < 0)
		return r;
	now = newest ? newest->last_number : since;
	r = sd_bus_message_new_method_return(call, &reply);
	if (r >= 0)
		r = sd_bus_message_append(reply, "t", now);
	if (r >= 0)
		r = append_rows(bus->watch, since, reply);
	return r < 0 ? r : sd_bus_send(NULL, reply, NULL);
}

static int append_summary(const struct summary *entry, sd_bus_message *message)
{
	const struct row *row = entry->row;
	struct writer writer = {.message = message};
	int r = sd_bus_message_open_container(message, 'a', "{sv}");

	if (r < 0)
		return r;
	if (row->sender.pid) {
		write_text(&writer, "program", row->path[0] ? row->path : row->sender.name);
		write_number(&writer, "uid", row->key.uid);
	}
	if (row->key.kind == WATCH_USER)
		write_number(&writer, "owner-uid", row->key.owner_uid);
	write_text(&writer, "attribution",
		   row->key.kind == WATCH_KERNEL	? "kernel"
		   : row->key.kind == WATCH_UNKNOWN	? "unknown"
		   : row->key.kind == WATCH_USER	? "user"
							: "program");
	write_number(&writer, "destinations", entry->rows);
	write_number(&writer, "attempts", entry->attempts);
	write_number(&writer, "repeats", entry->repeats);
	return writer.error < 0 ? writer.error : sd_bus_message_close_container(message);
}

static int on_summary(sd_bus_message *call, void *data, sd_bus_error *error)
{
	struct bus *bus = data;
	AUTO_MESSAGE sd_bus_message *reply = NULL;
	AUTO_FREE struct summary *list = NULL;
	size_t count = 0;
	int r = summary_make(bus->watch->table, &list, &count);

	if (r == 0)
		r = sd_bus_message_new_method_return(call, &reply);
	if (r >= 0)
		r = sd_bus_message_open_container(reply, 'a', "a{sv}");
	for (size_t i = 0; i < count && r >= 0; i++)
		r = append_summary(&list[i], reply);
	if (r >= 0)
		r = sd_bus_message_close_container(reply);
	return r < 0 ? r : sd_bus_send(NULL, reply, NULL);
}

static int on_forget(sd_bus_message *call, void *data, sd_bus_error *error)
{
	struct bus *bus = data;

	if (!bus_may(call, POLKIT_ACTION, false))
		return sd_bus_error_set_const(error, SD_BUS_ERROR_ACCESS_DENIED,
					      "Not authorized to make the watch forget");
	table_forget(bus->watch->table);
	return sd_bus_reply_method_return(call, NULL);
}

/* ---- properties ---- */

static int get_source(sd_bus *connection, const char *path, const char *interface,
		      const char *property, sd_bus_message *reply, void *data, sd_bus_error *error)
{
	const struct bus *bus = data;

	return sd_bus_message_append(reply, "s", bus->watch->probe ? "tracepoint"
						 : bus->watch->log ? "nflog"
								   : "none");
}

static int get_reason(sd_bus *connection, const char *path, const char *interface,
		      const char *property, sd_bus_message *reply, void *data, sd_bus_error *error)
{
	const struct bus *bus = data;

	return sd_bus_message_append(reply, "s", bus->watch->probe_error);
}

static int get_truth(sd_bus *connection, const char *path, const char *interface,
		     const char *property, sd_bus_message *reply, void *data, sd_bus_error *error)
{
	struct watch *watch = ((const struct bus *)data)->watch;
	bool value = false;

	if (strcmp(property, "PolicyRead") == 0) {
		watch_renew_policy(watch);
		value = watch->policy != NULL;
	} else if (strcmp(property, "SocketsNoted") == 0) {
		value = watch->probe && probe_notes_sockets(watch->probe);
	} else if (strcmp(property, "MissedKnown") == 0) {
		value = watch_count(watch).missed_known;
	}
	return sd_bus_message_append(reply, "b", value);
}

static int get_number(sd_bus *connection, const char *path, const char *interface,
		      const char *property, sd_bus_message *reply, void *data, sd_bus_error *error)
{
	const struct watch *watch = ((const struct bus *)data)->watch;
	struct probe_counts counts = watch_count(watch);
	const struct {
		const char *name;
		uint64_t value;
	} numbers[] = {
	    {"Counted", counts.counted},
	    {"Incoming", counts.incoming},
	    {"Lost", counts.lost + watch->unreadable},
	    {"Missed", counts.missed},
	    {"Rows", table_count(watch->table)},
	    {"RowsMax", watch->rows_max},
	    {"RowsEvicted", table_evicted(watch->table)},
	};

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		if (strcmp(property, numbers[i].name) == 0)
			return sd_bus_message_append(reply, "t", numbers[i].value);
	return -EINVAL;
}

static const sd_bus_vtable vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD("Snapshot", "", "aa{sv}", on_snapshot, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("Since", "t", "taa{sv}", on_since, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("Summary", "", "aa{sv}", on_summary, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("Forget", "", "", on_forget, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_SIGNAL("Changed", "", 0),
    SD_BUS_SIGNAL("Refused", "ssta{sv}", 0),
    SD_BUS_PROPERTY("Source", "s", get_source, 0, 0),
    SD_BUS_PROPERTY("SourceReason", "s", get_reason, 0, 0),
    SD_BUS_PROPERTY("SocketsNoted", "b", get_truth, 0, 0),
    SD_BUS_PROPERTY("PolicyRead", "b", get_truth, 0, 0),
    SD_BUS_PROPERTY("MissedKnown", "b", get_truth, 0, 0),
    SD_BUS_PROPERTY("Counted", "t", get_number, 0, 0),
    SD_BUS_PROPERTY("Incoming", "t", get_number, 0, 0),
    SD_BUS_PROPERTY("Lost", "t", get_number, 0, 0),
    SD_BUS_PROPERTY("Missed", "t", get_number, 0, 0),
    SD_BUS_PROPERTY("Rows", "t", get_number, 0, 0),
    SD_BUS_PROPERTY("RowsMax", "t", get_number, 0, 0),
    SD_BUS_PROPERTY("RowsEvicted", "t", get_number, 0, 0),
    SD_BUS_VTABLE_END,
};

/* ---- the connection ---- */

int bus_open(struct watch *watch, const char *address, struct bus **ret_bus)
{
	CLEANUP(bus_freep) struct bus *bus = calloc(1, sizeof(*bus));
	int r;

	if (!bus)
		return -ENOMEM;
	bus->watch = watch;
	r = bus_connect(address, &bus->connection);
	if (r >= 0)
		r = sd_bus_add_object_vtable(bus->connection, NULL, WATCH_BUS_PATH, WATCH_INTERFACE,
					     vtable, bus);
	if (r >= 0)
		r = sd_bus_request_name(bus->connection, WATCH_BUS_NAME, 0);
	if (r < 0)
		return r;
	*ret_bus = TAKE_PTR(bus);
	return 0;
}

int bus_prepare(struct bus *bus, struct pollfd *ret_wait, int *ret_timeout_ms)
{
	return bus_wait_for(bus->connection, watch_now_ns() / 1000, ret_wait, ret_timeout_ms);
}

int bus_answer(struct bus *bus)
{
	return bus_work(bus->connection);
}

int bus_say_changed(struct bus *bus)
{
	int r = sd_bus_emit_signal(bus->connection, WATCH_BUS_PATH, WATCH_INTERFACE, "Changed", "");

	return r < 0 ? r : 0;
}

int bus_say_refused(struct bus *bus, const struct row *row, const struct notice *notice,
		    uint64_t held_back)
{
	AUTO_MESSAGE sd_bus_message *signal = NULL;
	int r = sd_bus_message_new_signal(bus->connection, &signal, WATCH_BUS_PATH,
					  WATCH_INTERFACE, "Refused");

	if (r >= 0)
		r = sd_bus_message_append(signal, "sst", notice->title, notice->advice, held_back);
	watch_renew_policy(bus->watch);
	if (r >= 0)
		r = append_row(bus->watch, row, signal);
	if (r >= 0)
		r = sd_bus_send(bus->connection, signal, NULL);
	return r < 0 ? r : 0;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bus.h"

#define POLKIT_TIME_US (5u * 1000000)
#define WAIT_MAX_MS    60000

int bus_connect(const char *address, sd_bus **ret_connection)
{
	int r;

	if (!address) {
		r = sd_bus_open_system(ret_connection);
		return r < 0 ? r : 0;
	}
	r = sd_bus_new(ret_connection);
	if (r >= 0)
		r = sd_bus_set_address(*ret_connection, address);
	if (r >= 0)
		r = sd_bus_set_bus_client(*ret_connection, true);
	if (r >= 0)
		r = sd_bus_start(*ret_connection);
	return r < 0 ? r : 0;
}

int bus_wait_for(sd_bus *connection, uint64_t now_us, struct pollfd *ret_wait, int *ret_timeout_ms)
{
	uint64_t until_us, left;
	int fd = sd_bus_get_fd(connection), events = sd_bus_get_events(connection);
	int r = sd_bus_get_timeout(connection, &until_us);

	if (fd < 0 || events < 0 || r < 0)
		return fd < 0 ? fd : events < 0 ? events : r;
	*ret_wait = (struct pollfd){.fd = fd, .events = (short)events};
	*ret_timeout_ms = -1;
	if (until_us != UINT64_MAX) {
		left = until_us > now_us ? (until_us - now_us + 999) / 1000 : 0;
		*ret_timeout_ms = left > WAIT_MAX_MS ? WAIT_MAX_MS : (int)left;
	}
	return 0;
}

int bus_work(sd_bus *connection)
{
	int r;

	do
		r = sd_bus_process(connection, NULL);
	while (r > 0);
	return r;
}

int bus_caller(sd_bus_message *call, uid_t *ret_uid)
{
	sd_bus_creds *creds = NULL;
	uid_t uid;
	int r = sd_bus_query_sender_creds(call, SD_BUS_CREDS_EUID, &creds);

	if (r >= 0)
		r = sd_bus_creds_get_euid(creds, &uid);
	sd_bus_creds_unref(creds);
	if (r < 0)
		return r;
	*ret_uid = uid;
	return 0;
}

static bool ask_polkit(sd_bus_message *call, const char *action, bool alone)
{
	AUTO_MESSAGE sd_bus_message *question = NULL, *answer = NULL;
	sd_bus *connection = sd_bus_message_get_bus(call);
	const char *sender = sd_bus_message_get_sender(call);
	sd_bus_error error = SD_BUS_ERROR_NULL;
	int authorized = 0, r = sender ? 0 : -EINVAL;
	bool missing;

	if (r >= 0)
		r = sd_bus_message_new_method_call(
		    connection, &question, "org.freedesktop.PolicyKit1",
		    "/org/freedesktop/PolicyKit1/Authority",
		    "org.freedesktop.PolicyKit1.Authority", "CheckAuthorization");
	if (r >= 0)
		r = sd_bus_message_append(question, "(sa{sv})sa{ss}us", "system-bus-name", 1, "name",
					  "s", sender, action, 0, 0, "");
	if (r >= 0)
		r = sd_bus_call(connection, question, POLKIT_TIME_US, &error, &answer);
	missing = sd_bus_error_has_name(&error, SD_BUS_ERROR_SERVICE_UNKNOWN);
	sd_bus_error_free(&error);
	if (missing)
		return alone;
	if (r >= 0)
		r = sd_bus_message_enter_container(answer, 'r', "bba{ss}");
	if (r >= 0)
		r = sd_bus_message_read(answer, "b", &authorized);
	return r >= 0 && authorized;
}

bool bus_may(sd_bus_message *call, const char *action, bool alone)
{
	uid_t uid;

	if (bus_caller(call, &uid) < 0)
		return false;
	return uid == 0 || ask_polkit(call, action, alone);
}

int bus_error(int error_number, const sd_bus_error *error)
{
	if (sd_bus_error_has_name(error, SD_BUS_ERROR_SERVICE_UNKNOWN) ||
	    sd_bus_error_has_name(error, SD_BUS_ERROR_NAME_HAS_NO_OWNER))
		return -ENOENT;
	if (sd_bus_error_has_name(error, SD_BUS_ERROR_ACCESS_DENIED))
		return -EACCES;
	return error_number;
}

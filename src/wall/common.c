/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "wall.h"

#include <base/json.h>
#include <stdarg.h>
#include <string.h>

static bool errors_as_json;

void wall_errors_as_json(void)
{
	errors_as_json = true;
}

static void print_error(const struct diag *diag)
{
	AUTO_BUF struct buf out = { .cap = WALL_OUTPUT_MAX };
	struct json json = { .out = &out };

	json_object_begin(&json, NULL);
	json_object_begin(&json, "error");
	json_string(&json, "file", diag->file);
	json_number(&json, "line", diag->line);
	json_number(&json, "column", diag->column);
	json_string(&json, "message", diag->message);
	json_string(&json, "hint", diag->hint);
	json_object_end(&json);
	json_object_end(&json);
	/* Not wall_write(), which complains when it cannot. */
	printf("%s\n", buf_text(&out));
	fflush(stdout);
}

static void warning_print(int error, const char *text, struct diag *ret_diag)
{
	diag_set(ret_diag, NULL, 0, 0, "%s%s%s", text, error < 0 ? ": " : "",
		 error < 0 ? strerror(-error) : "");
	fprintf(stderr, "lethe-wall: %s\n", ret_diag->message);
}

void wall_warn(int error, const char *format, ...)
{
	char text[DIAG_MESSAGE_MAX / 2];
	struct diag diag = { 0 };
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	warning_print(error, text, &diag);
}

void wall_complain(int error, const char *format, ...)
{
	char text[DIAG_MESSAGE_MAX / 2];
	struct diag diag = { 0 };
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	warning_print(error, text, &diag);
	if (errors_as_json)
		print_error(&diag);
}

void wall_complain_diag(const struct wall_options *options, const struct diag *diag)
{
	char text[DIAG_FILE_MAX + 2 * DIAG_MESSAGE_MAX + 64];

	diag_format(diag, text, sizeof(text));
	fprintf(stderr, "%s\n", text);
	if (options->json)
		print_error(diag);
}

int wall_write(struct buf *out, int status)
{
	int r = buf_finish(out);

	if (r == 0 && (fwrite(buf_text(out), 1, out->len, stdout) != out->len || fflush(stdout)))
		r = neg_errno();
	if (r < 0) {
		wall_complain(r, "cannot write the output");
		return WALL_FAILED;
	}
	return status;
}

int wall_load(const struct wall_options *options, const char *path, struct policy **ret_policy)
{
	struct policy_options how = { .passwd = options->passwd };
	struct diag diag = { 0 };
	int r = policy_load(path, &how, &diag, ret_policy);

	if (r == 0)
		return WALL_OK;
	if (!diag.message[0])
		diag_set(&diag, path, 0, 0, "cannot be read: %s", strerror(-r));
	wall_complain_diag(options, &diag);
	return r == -ENOMEM ? WALL_FAILED : WALL_BAD;
}

void wall_place(const struct policy_place *place, struct buf *out)
{
	if (place->file)
		buf_printf(out, "%s:%u", place->file, place->line);
	else
		buf_puts(out, "built in");
}

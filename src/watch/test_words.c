/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Texts are in a person's language where there is a catalogue; what others wrote stays as it is. */
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "entry.h"
#include "words.h"

#define MO_MAGIC 0x950412deu /* of the GNU format, of which the texts' numbers are below */

/* In the order of bytes, as the format wants it. */
static const char *const catalogue[][2] = {
    {"    would allow it: ", "    WUERDE ES ERLAUBEN: "},
    {"a program that is not known", "EIN UNBEKANNTES PROGRAMM"},
    {"nothing grants this", "NICHTS ERLAUBT DAS"},
};

static char root[] = "/tmp/lethe-words-XXXXXX", language[64], messages[96], file_name[128];

struct table_entry {
	uint32_t length, offset;
};

static void write_catalogue(FILE *file)
{
	enum { COUNT = ARRAY_SIZE(catalogue) };
	const uint32_t header[] = {
	    MO_MAGIC, 0, COUNT, 28, 28 + COUNT * sizeof(struct table_entry), 0, 0};
	uint32_t at = 28 + 2 * COUNT * (uint32_t)sizeof(struct table_entry);

	assert_int_equal(fwrite(header, sizeof(header), 1, file), 1);
	for (size_t side = 0; side < 2; side++) {
		for (size_t i = 0; i < COUNT; i++) {
			struct table_entry entry = {(uint32_t)strlen(catalogue[i][side]), at};

			assert_int_equal(fwrite(&entry, sizeof(entry), 1, file), 1);
			at += entry.length + 1;
		}
	}
	for (size_t side = 0; side < 2; side++)
		for (size_t i = 0; i < COUNT; i++)
			assert_true(fputs(catalogue[i][side], file) >= 0 && fputc('\0', file) == 0);
}

static int begin(void **state)
{
	AUTO_FILE FILE *file = NULL;

	if (!mkdtemp(root))
		return -1;
	snprintf(language, sizeof(language), "%s/xx", root);
	snprintf(messages, sizeof(messages), "%s/LC_MESSAGES", language);
	snprintf(file_name, sizeof(file_name), "%s/lethe.mo", messages);
	if (mkdir(language, 0700) < 0 || mkdir(messages, 0700) < 0)
		return -1;
	file = fopen(file_name, "we");
	if (!file)
		return -1;
	write_catalogue(file);
	return setenv("LANGUAGE", "xx", 1) == 0 && setlocale(LC_ALL, "C.UTF-8") &&
			       bindtextdomain("lethe", root) && textdomain("lethe")
		       ? 0
		       : -1;
}

static int end(void **state)
{
	unlink(file_name);
	rmdir(messages);
	rmdir(language);
	return rmdir(root);
}

static void assert_printed(const char *reason, const char *expected)
{
	const struct entry entry = {
	    .values = {{.name = "attribution", .type = 's', .text = "certain"},
		       {.name = "protocol", .type = 's', .text = "tcp"},
		       {.name = "destination", .type = 's', .text = "192.0.2.1"},
		       {.name = "grant", .type = 's', .text = "missing"},
		       {.name = "reason", .type = 's', .text = reason},
		       {.name = "line", .type = 's', .text = "allow x"}},
	    .count = 6};
	AUTO_BUF struct buf out = {.cap = 4096};

	entry_print(&entry, NULL, NULL, &out);
	assert_string_equal(buf_text(&out), expected);
}

static void a_person_is_told_in_their_language(void **state)
{
	assert_string_equal(_("a program that is not known"), "EIN UNBEKANNTES PROGRAMM");
	assert_printed("nothing grants this", "EIN UNBEKANNTES PROGRAMM\n"
					      "    tcp 192.0.2.1, \n"
					      "    NICHTS ERLAUBT DAS\n"
					      "    WUERDE ES ERLAUBEN: allow x\n");
}

/* Somebody else on the bus may say anything in place of a reason. */
static void what_others_wrote_is_not_trusted(void **state)
{
	assert_printed("\033[2Jx", "EIN UNBEKANNTES PROGRAMM\n"
				   "    tcp 192.0.2.1, \n"
				   "    ?[2Jx\n"
				   "    WUERDE ES ERLAUBEN: allow x\n");
	assert_printed("", "EIN UNBEKANNTES PROGRAMM\n"
			   "    tcp 192.0.2.1, \n"
			   "    \n"
			   "    WUERDE ES ERLAUBEN: allow x\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_person_is_told_in_their_language),
	    cmocka_unit_test(what_others_wrote_is_not_trusted),
	};

	return cmocka_run_group_tests(tests, begin, end);
}

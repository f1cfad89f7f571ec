/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "words.h"

#include <errno.h>
#include <string.h>

struct reader {
	const char *text;
	size_t at, length;
	char *out; /* where the next byte of the store goes; never ahead of what was read */
};

static bool ended(const struct reader *reader)
{
	return reader->at >= reader->length;
}

static char peek(const struct reader *reader)
{
	return reader->text[reader->at];
}

static bool is_octal(const struct reader *reader)
{
	return !ended(reader) && peek(reader) >= '0' && peek(reader) <= '7';
}

/* Behind a backslash. */
static int read_escape(struct reader *reader, char *ret_byte)
{
	static const char letters[] = "ntr", means[] = "\n\t\r";
	const char *letter;
	unsigned value = 0;

	if (ended(reader))
		return -EBADMSG;
	if (!is_octal(reader)) {
		char c = reader->text[reader->at++];

		letter = c ? strchr(letters, c) : NULL;
		*ret_byte = letter ? means[letter - letters] : c;
		return c ? 0 : -EBADMSG;
	}
	for (unsigned digits = 0; digits < 3 && is_octal(reader); digits++)
		value = value * 8 + (unsigned)(reader->text[reader->at++] - '0');
	if (value == 0 || value > 255)
		return -EBADMSG;
	*ret_byte = (char)value;
	return 0;
}

/* Behind the opening quote, up to and with the closing one. */
static int read_quoted(struct reader *reader)
{
	while (!ended(reader)) {
		char c = reader->text[reader->at++];
		int r = 0;

		if (c == '"')
			return ended(reader) || peek(reader) == ' ' ? 0 : -EBADMSG;
		if (c == '\\')
			r = read_escape(reader, &c);
		else if (c == '\0')
			r = -EBADMSG;
		if (r < 0)
			return r;
		*reader->out++ = c;
	}
	return -EBADMSG;
}

static int read_word(struct reader *reader, struct torctl_word *ret_word)
{
	struct torctl_word word = {.value = reader->out};
	int r;

	while (!ended(reader) && peek(reader) != ' ') {
		unsigned char c = (unsigned char)reader->text[reader->at++];

		if (c == '"') {
			/* Only a whole word or a whole value may be quoted. */
			if (reader->out != word.value)
				return -EBADMSG;
			r = read_quoted(reader);
			if (r < 0)
				return r;
			word.quoted = true;
			break;
		}
		if (c < 0x20 || c == 0x7f)
			return -EBADMSG;
		if (c == '=' && !word.key && reader->out != word.value) {
			word.key = word.value;
			*reader->out++ = '\0';
			word.value = reader->out;
			continue;
		}
		*reader->out++ = (char)c;
	}
	*reader->out++ = '\0';
	*ret_word = word;
	return 0;
}

static size_t count_words(const char *text, size_t length)
{
	size_t count = 0;

	/* At most this many: quotes may hold blanks. */
	for (size_t i = 0; i < length; i++)
		count += text[i] != ' ' && (i == 0 || text[i - 1] == ' ');
	return count;
}

int torctl_words_parse(const char *text, size_t length, struct torctl_words *ret_words)
{
	struct reader reader = {.text = text, .length = length};
	size_t most = count_words(text, length);
	struct torctl_words words = {0};
	int r = 0;

	/* Each word needs its bytes and a NUL; its '=' and quotes give way to others. */
	words.list = calloc(most + 1, sizeof(*words.list));
	words.store = malloc(length + most + 1);
	if (!words.list || !words.store)
		r = -ENOMEM;
	reader.out = words.store;
	while (r == 0) {
		while (!ended(&reader) && peek(&reader) == ' ')
			reader.at++;
		if (ended(&reader))
			break;
		if (words.count == TORCTL_WORDS_MAX)
			r = -E2BIG;
		else
			r = read_word(&reader, &words.list[words.count]);
		words.count += r == 0;
	}
	if (r < 0) {
		torctl_words_done(&words);
		return r;
	}
	*ret_words = words;
	return 0;
}

void torctl_words_done(struct torctl_words *words)
{
	free(words->list);
	free(words->store);
	*words = (struct torctl_words){0};
}

const char *torctl_words_get(const struct torctl_words *words, const char *key)
{
	for (size_t i = 0; i < words->count; i++)
		if (words->list[i].key && strcmp(words->list[i].key, key) == 0)
			return words->list[i].value;
	return NULL;
}

const char *torctl_words_at(const struct torctl_words *words, size_t index)
{
	if (index >= words->count || words->list[index].key)
		return NULL;
	return words->list[index].value;
}

/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "resolvers.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#define FILE_NAME "resolv.conf"

static bool may_be_a_host(uint32_t address)
{
	uint8_t first = (uint8_t)(ntohl(address) >> 24);

	return first != 0 && first != 127 && first < 224;
}

static void add_address(struct resolvers *resolvers, uint32_t address)
{
	if (resolvers->count == RESOLVERS_MAX || !may_be_a_host(address))
		return;
	for (size_t i = 0; i < resolvers->count; i++)
		if (resolvers->list[i] == address)
			return;
	resolvers->list[resolvers->count++] = address;
}

static void add_word(struct resolvers *resolvers, const char *word, size_t len)
{
	char text[INET_ADDRSTRLEN];
	struct in_addr address;

	if (len >= sizeof(text))
		return;
	memcpy(text, word, len);
	text[len] = '\0';
	if (inet_pton(AF_INET, text, &address) == 1)
		add_address(resolvers, address.s_addr);
}

void resolvers_add(struct resolvers *resolvers, const char *text)
{
	for (;;) {
		size_t len;

		text += strspn(text, " ");
		len = strcspn(text, " ");
		if (len == 0)
			return;
		add_word(resolvers, text, len);
		text += len;
	}
}

void resolvers_join(struct resolvers *resolvers, const struct resolvers *others)
{
	for (size_t i = 0; i < others->count; i++)
		add_address(resolvers, others->list[i]);
}

void resolvers_print(const struct resolvers *resolvers, struct buf *out)
{
	for (size_t i = 0; i < resolvers->count; i++) {
		char text[INET_ADDRSTRLEN];

		inet_ntop(AF_INET, &resolvers->list[i], text, sizeof(text));
		buf_printf(out, "nameserver %s\n", text);
	}
}

int resolvers_write(int folder, const char *text)
{
	char whole[RESOLVERS_TEXT_MAX];
	size_t len = strlen(text);
	AUTO_CLOSE int fd =
	    openat(folder, FILE_NAME, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	ssize_t written;

	/* Emptied before anything else can fail. Then, whatever the process's mask says: everybody may
	 * know. */
	if (fd < 0 || ftruncate(fd, 0) < 0 || fchmod(fd, 0644) < 0)
		return neg_errno();
	if (len == 0)
		return 0;
	if (len > sizeof(whole))
		return -E2BIG;
	memset(whole, '\n', sizeof(whole));
	memcpy(whole, text, len);
	written = pwrite(fd, whole, sizeof(whole), 0);
	if (written == (ssize_t)sizeof(whole))
		return 0;
	if (written >= 0)
		return ftruncate(fd, 0) < 0 ? neg_errno() : -EIO;
	return neg_errno();
}

/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "snooper/io/conf_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "snooper/base/cleanup.h"

ssize_t conf_file_read(const char *path, size_t max, char **out)
{
	const size_t room = max + 1; /* one more, to see what is too large */
	SNP_CLEANUP(snp_closep)
	int fd = -1;
	SNP_CLEANUP(snp_freep)
	char *buf = NULL;
	size_t have = 0;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return -errno;
	buf = malloc(room);
	if (!buf)
		return -ENOMEM;
	while (have < room) {
		ssize_t n = read(fd, buf + have, room - have);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		have += (size_t)n;
	}
	*out = snp_take(&buf);
	return (ssize_t)have;
}

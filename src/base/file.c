/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a small file whole, with a bound: what is larger is refused, not half read. */
#include <cosmolet/yaml.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

int file_read_fd(int fd, size_t max, char **out, size_t *out_size)
{
	auto_free char *text = NULL;
	size_t n = 0, room = 0;

	for (;;) {
		ssize_t got;

		if (n == room) {
			room = room ? room * 2 : 4096;
			text = xrealloc(text, room + 1);
		}
		got = read(fd, text + n, room - n);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		n += (size_t)got;
		if (n > max)
			return -EFBIG;
	}
	if (memchr(text, '\0', n))
		return -EFBIG;
	text[n] = '\0';
	*out = TAKE(text);
	*out_size = n;
	return 0;
}

int file_read(const char *path, size_t max, char **out, size_t *out_size)
{
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	return fd < 0 ? -errno : file_read_fd(fd, max, out, out_size);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Stream sockets that are files: a connection is there at once, or there is none. */
#include <cosmolet/socket.h>

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

int socket_connect(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	auto_close int fd = -1;
	int connected;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	connected = fd;
	fd = -1;
	return connected;
}

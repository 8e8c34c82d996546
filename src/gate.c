/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gate. One short HTTP/1.0 request at a time, of which only the status line is read: nothing
 * that would be worth a library, and never anything that the loop has to wait for.
 */
#include "gate.h"

#include <cosmolet/prefix.h>

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#define ASK_EVERY mono_s(1)
#define ASK_LIMIT mono_s(3)
#define FALLS     3 /* answers in a row that are not good: it is unwell */

struct target {
	struct prefix host;
	uint16_t port;
	const char *path; /* within the URL; empty: "/" */
};

struct gate {
	struct loop *loop;
	char *url;
	struct target target;
	void (*notify)(void *data);
	void *data;
	int fd; /* -1: none is under way */
	bool sent;
	bool open;
	bool watch;     /* goes on to ask when it is open */
	bool unwell;    /* since it was open */
	unsigned falls; /* in a row */
	struct loop_io io;
	struct loop_timer timer;
	char line[16]; /* "HTTP/1.1 200 " and what follows */
	size_t size;
	char *reason;
};

static void ask(struct gate *gate);

/* URLs */

/* "PORT" up to the path; 80 if there is none. */
static bool parse_port(const char *text, size_t size, uint16_t *out)
{
	unsigned long port = 0;

	*out = 80;
	if (size == 0)
		return true;
	if (text[0] != ':' || size < 2 || size > 6)
		return false;
	for (size_t i = 1; i < size; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		port = port * 10 + (unsigned long)(text[i] - '0');
	}
	*out = (uint16_t)port;
	return port >= 1 && port <= UINT16_MAX;
}

static bool parse_target(const char *url, struct target *out)
{
	bool bracket;
	const char *host, *end;
	auto_free char *text = NULL;

	if (strncmp(url, "http://", 7) != 0 || strpbrk(url, " \t\r\n"))
		return false;
	bracket = url[7] == '[';
	host = url + 7 + bracket;
	end = host + strcspn(host, bracket ? "]" : ":/");
	if (bracket && *end != ']')
		return false;
	text = xstrndup(host, (size_t)(end - host));
	end += bracket;
	out->path = end + strcspn(end, "/");
	return prefix_parse_host(text, &out->host) &&
	       parse_port(end, (size_t)(out->path - end), &out->port);
}

bool gate_parse(const char *url)
{
	struct target target;

	return parse_target(url, &target);
}

/* Asking */

static void on_again(struct loop_timer *timer)
{
	ask(container_of(timer, struct gate, timer));
}

static void hang_up(struct gate *gate)
{
	loop_timer_stop(&gate->timer);
	loop_io_stop(&gate->io);
	if (gate->fd >= 0)
		close(gate->fd);
	gate->fd = -1;
}

/* Takes the reason over. */
static void not_yet(struct gate *gate, char *reason)
{
	hang_up(gate);
	free(gate->reason);
	gate->reason = reason;
	loop_timer_after(gate->loop, &gate->timer, ASK_EVERY, on_again);
	if (!gate->open || gate->unwell || ++gate->falls < FALLS)
		return;
	gate->unwell = true;
	gate->notify(gate->data);
}

static void well(struct gate *gate)
{
	bool news = !gate->open || gate->unwell;

	hang_up(gate);
	gate->open = true;
	gate->unwell = false;
	gate->falls = 0;
	if (gate->watch)
		loop_timer_after(gate->loop, &gate->timer, ASK_EVERY, on_again);
	if (news)
		gate->notify(gate->data);
}

static void on_limit(struct loop_timer *timer)
{
	not_yet(container_of(timer, struct gate, timer), xstrdup("it does not answer"));
}

static void judge(struct gate *gate)
{
	const char *status = gate->line + strlen("HTTP/1.x ");

	if (strncmp(gate->line, "HTTP/1.", 7) != 0) {
		not_yet(gate, xstrdup("it does not speak HTTP"));
	} else if (*status != '2') {
		not_yet(gate, xasprintf("it answers %.3s", status));
	} else {
		well(gate);
	}
}

static void read_status(struct gate *gate)
{
	ssize_t n = recv(gate->fd, gate->line + gate->size, sizeof(gate->line) - 1 - gate->size, 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0) {
		not_yet(gate, xstrdup(strerror(errno)));
		return;
	}
	gate->size += (size_t)n;
	if (gate->size == sizeof(gate->line) - 1)
		judge(gate);
	else if (n == 0)
		not_yet(gate, xstrdup("it hangs up"));
}

/* It is shorter than any socket's buffer. */
static int send_request(struct gate *gate)
{
	char buf[PREFIX_STRLEN];
	auto_free char *text =
		xasprintf("GET %s HTTP/1.0\r\nHost: %s\r\nUser-Agent: cosmolet\r\n\r\n",
			*gate->target.path ? gate->target.path : "/",
			prefix_address(&gate->target.host, buf));

	return send(gate->fd, text, strlen(text), MSG_NOSIGNAL) == (ssize_t)strlen(text) ? 0
											 : -errno;
}

static void on_io(struct loop_io *io, uint32_t ready)
{
	struct gate *gate = container_of(io, struct gate, io);
	socklen_t size = sizeof(int);
	int error = 0;

	(void)ready;
	if (gate->sent) {
		read_status(gate);
		return;
	}
	if (getsockopt(gate->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
		error = errno;
	if (error == 0)
		error = -send_request(gate);
	gate->sent = true;
	if (error)
		not_yet(gate, xstrdup(strerror(error)));
	else
		loop_io_want(io, EPOLLIN);
}

static int begin_connect(const struct target *target)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(target->port)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(target->port)};
	bool is_v4 = target->host.family == AF_INET;
	int fd = socket(target->host.family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int r;

	if (fd < 0)
		return -errno;
	memcpy(&v4.sin_addr, target->host.addr, sizeof(v4.sin_addr));
	memcpy(&v6.sin6_addr, target->host.addr, sizeof(v6.sin6_addr));
	r = connect(
		fd, is_v4 ? (const void *)&v4 : (const void *)&v6, is_v4 ? sizeof(v4) : sizeof(v6));
	if (r < 0 && errno != EINPROGRESS) {
		r = -errno;
		close(fd);
		return r;
	}
	return fd;
}

static void ask(struct gate *gate)
{
	int fd = begin_connect(&gate->target), r;

	gate->sent = false;
	gate->size = 0;
	if (fd < 0) {
		not_yet(gate, xstrdup(strerror(-fd)));
		return;
	}
	gate->fd = fd;
	r = loop_io_start(gate->loop, &gate->io, fd, EPOLLOUT, on_io);
	if (r < 0)
		not_yet(gate, xstrdup(strerror(-r)));
	else
		loop_timer_after(gate->loop, &gate->timer, ASK_LIMIT, on_limit);
}

/* Life */

struct gate *gate_new(struct loop *loop, const char *url, void (*notify)(void *data), void *data)
{
	struct gate *gate = xcalloc(1, sizeof(*gate));

	gate->loop = loop;
	gate->url = xstrdup(url);
	gate->notify = notify;
	gate->data = data;
	gate->fd = -1;
	gate->reason = xstrdup("it was not asked yet");
	if (!parse_target(gate->url, &gate->target))
		abort(); /* the configuration has looked at it */
	loop_timer_after(loop, &gate->timer, mono_ms(0), on_again);
	return gate;
}

struct gate *gate_free(struct gate *gate)
{
	if (!gate)
		return NULL;
	hang_up(gate);
	free(gate->url);
	free(gate->reason);
	free(gate);
	return NULL;
}

void gate_watch(struct gate *gate, bool watch)
{
	gate->watch = watch;
	if (!gate->open)
		return;
	if (!watch)
		hang_up(gate);
	else if (gate->fd < 0)
		loop_timer_after(gate->loop, &gate->timer, ASK_EVERY, on_again);
}

void gate_pass(struct gate *gate, bool unwell)
{
	gate->open = true;
	gate->unwell = unwell;
	gate->falls = 0;
	hang_up(gate);
}

bool gate_is_well(const struct gate *gate)
{
	return !gate->unwell;
}

bool gate_is_open(const struct gate *gate)
{
	return !gate || gate->open;
}

const char *gate_reason(const struct gate *gate)
{
	return gate->reason;
}

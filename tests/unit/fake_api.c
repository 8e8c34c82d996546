/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server runs in the loop of the client it tests, so a test is one thread and has no races:
 * what is sent, is sent between two turns. Bodies end with the connection, so that a script can
 * stop anywhere.
 */
#include "fake_api.h"

#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "unit.h"

struct fake_step {
	TAILQ_ENTRY(fake_step) linked;
	char *kind;
	char *answer;
	enum fake_end end;
};

struct fake_conn {
	TAILQ_ENTRY(fake_conn) linked;
	struct fake_api *api;
	struct loop_io io;
	char request[16384];
	size_t n_request;
	char kind[64];
	char *out; /* what is left to be sent */
	size_t sent;
	enum fake_end end;
};

static void conn_free(struct fake_conn *conn)
{
	struct linger reset = {1, 0};
	int fd = conn->io.fd;

	if (conn->end == FAKE_RESET)
		(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	loop_io_stop(&conn->io);
	close(fd);
	TAILQ_REMOVE(&conn->api->conns, conn, linked);
	free(conn->out);
	free(conn);
}

static void send_more(struct fake_conn *conn)
{
	size_t size = strlen(conn->out);

	while (conn->sent < size) {
		ssize_t n = send(conn->io.fd, conn->out + conn->sent, size - conn->sent,
			MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0) {
			loop_io_want(&conn->io, EPOLLIN | EPOLLOUT);
			return;
		}
		conn->sent += (size_t)n;
	}
	loop_io_want(&conn->io, EPOLLIN);
	if (conn->end != FAKE_HOLD)
		conn_free(conn);
}

static void append(char **text, const char *more)
{
	char *longer = xasprintf("%s%s", *text, more);

	free(*text);
	*text = longer;
}

/* "GET /api/v1/namespaces/a/services?x HTTP/1.1" is of the kind "list services". */
static void classify(struct fake_conn *conn)
{
	size_t n = strcspn(conn->request, "?");
	const char *slash = memrchr(conn->request, '/', n);
	size_t line = strcspn(conn->request, "\r");
	const char *watch = memmem(conn->request, line, "watch=1", 7);
	const char *token = strstr(conn->request, "Bearer ");
	auto_free char *text = NULL;

	ck_assert_ptr_nonnull(slash);
	snprintf(conn->kind, sizeof(conn->kind), "%s %.*s", watch ? "watch" : "list",
		(int)(conn->request + n - slash - 1), slash + 1);
	text = xasprintf("%s %.*s%s%.*s\n", conn->kind, (int)(line - n - strlen(" HTTP/1.1")),
		conn->request + n, token ? " token " : "",
		token ? (int)strcspn(token + 7, "\r") : 0, token ? token + 7 : "");
	append(&conn->api->log, text);
}

static void answer(struct fake_conn *conn)
{
	static const char ok[] = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n";
	bool watch = strncmp(conn->kind, "watch", 5) == 0;
	struct fake_step *step;

	TAILQ_FOREACH (step, &conn->api->steps, linked)
		if (strcmp(step->kind, conn->kind) == 0)
			break;
	conn->end = step ? step->end : watch ? FAKE_HOLD : FAKE_CLOSE;
	conn->out =
		step ? TAKE(step->answer)
		     : xasprintf("%s%s", ok,
			       watch ? ""
				     : "{\"metadata\":{\"resourceVersion\":\"1\"},\"items\":[]}");
	if (step) {
		TAILQ_REMOVE(&conn->api->steps, step, linked);
		free(step->kind);
		free(step);
	}
	send_more(conn);
}

static void on_conn(struct loop_io *io, uint32_t ready)
{
	struct fake_conn *conn = container_of(io, struct fake_conn, io);
	ssize_t n = 0;

	if (ready & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
		n = recv(io->fd, conn->request + conn->n_request,
			sizeof(conn->request) - 1 - conn->n_request, MSG_DONTWAIT);
		if (n <= 0) {
			conn_free(conn);
			return;
		}
		conn->n_request += (size_t)n;
		if (!conn->out && strstr(conn->request, "\r\n\r\n")) {
			classify(conn);
			answer(conn);
			return;
		}
	}
	if ((ready & EPOLLOUT) && conn->out)
		send_more(conn);
}

static void on_accept(struct loop_io *io, uint32_t ready)
{
	struct fake_api *api = container_of(io, struct fake_api, io);
	struct fake_conn *conn = xcalloc(1, sizeof(*conn));
	int fd = accept4(io->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)ready;
	ck_assert_int_ge(fd, 0);
	conn->api = api;
	TAILQ_INSERT_TAIL(&api->conns, conn, linked);
	ck_assert_int_eq(loop_io_start(api->loop, &conn->io, fd, EPOLLIN, on_conn), 0);
}

static void write_kubeconfig(struct fake_api *api)
{
	auto_free char *path = unit_template("fake-api");
	int fd = mkstemp(path);

	ck_assert_int_ge(fd, 0);
	dprintf(fd,
		"current-context: test\n"
		"contexts: [{name: test, context: {cluster: test, user: test}}]\n"
		"clusters: [{name: test, cluster: {server: 'http://127.0.0.1:%d/'}}]\n"
		"users: [{name: test, user: {token: secret}}]\n",
		api->port);
	close(fd);
	api->kubeconfig = xstrdup(path);
}

void fake_api_start(struct fake_api *api, struct loop *loop)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	*api = (struct fake_api){.loop = loop, .log = xstrdup("")};
	TAILQ_INIT(&api->steps);
	TAILQ_INIT(&api->conns);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, size), 0);
	ck_assert_int_eq(listen(fd, 64), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &size), 0);
	api->port = ntohs(address.sin_port);
	ck_assert_int_eq(loop_io_start(loop, &api->io, fd, EPOLLIN, on_accept), 0);
	write_kubeconfig(api);
}

void fake_api_stop(struct fake_api *api)
{
	int fd = api->io.fd;
	struct fake_step *step;
	struct fake_conn *conn;

	while ((conn = TAILQ_FIRST(&api->conns)))
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): TAILQ_REMOVE has moved the head */
		conn_free(conn);
	while ((step = TAILQ_FIRST(&api->steps))) {
		TAILQ_REMOVE(&api->steps, step, linked);
		free(step->kind);
		free(step->answer);
		free(step);
	}
	loop_io_stop(&api->io);
	close(fd);
	unlink(api->kubeconfig);
	free(api->kubeconfig);
	free(api->log);
}

void fake_api_answer(struct fake_api *api, const char *kind, enum fake_end end, const char *head,
	const char *body)
{
	struct fake_step *step = xcalloc(1, sizeof(*step));

	step->kind = xstrdup(kind);
	step->answer = xasprintf("%s\r\nConnection: close\r\n\r\n%s", head, body);
	step->end = end;
	TAILQ_INSERT_TAIL(&api->steps, step, linked);
}

void fake_api_ok(struct fake_api *api, const char *kind, enum fake_end end, const char *body)
{
	fake_api_answer(api, kind, end, "HTTP/1.1 200 OK", body);
}

void fake_api_push(struct fake_api *api, const char *kind, enum fake_end end, const char *bytes)
{
	struct fake_conn *conn, *last = NULL;

	TAILQ_FOREACH (conn, &api->conns, linked)
		if (strcmp(conn->kind, kind) == 0)
			last = conn;
	if (!last)
		ck_abort_msg("no open answer to \"%s\"; there were:\n%s", kind, api->log);
	last->end = end;
	append(&last->out, bytes);
	send_more(last);
}

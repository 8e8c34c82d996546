/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server runs in the loop of the client it tests, so a test is one thread and has no races:
 * what is sent, is sent between two turns. Bodies end with the connection, so that a script can
 * stop anywhere.
 */
#include "fake_api.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>

#include "unit.h"

/* What is said, as any octets. */
struct said {
	char *octets;
	size_t size;
};

struct fake_step {
	TAILQ_ENTRY(fake_step) linked;
	char *kind;
	struct said answer;
	enum fake_end end;
};

struct fake_conn {
	TAILQ_ENTRY(fake_conn) linked;
	struct fake_api *api;
	struct loop_io io;
	SSL *tls; /* NULL: plain */
	bool raw;
	char request[16384];
	size_t n_request;
	char kind[64];
	struct said out; /* what is left to be sent */
	size_t sent;
	bool answered;
	enum fake_end end;
};

static void conn_free(struct fake_conn *conn)
{
	struct linger reset = {1, 0};
	int fd = conn->io.fd;

	if (conn->end == FAKE_RESET)
		(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	SSL_free(conn->tls);
	ERR_clear_error(); /* the client is of this thread, too */
	loop_io_stop(&conn->io);
	close(fd);
	TAILQ_REMOVE(&conn->api->conns, conn, linked);
	free(conn->out.octets);
	free(conn);
}

/* How many octets went out; 0: none at the moment, or ever. */
static size_t transmit(struct fake_conn *conn, const char *octets, size_t size)
{
	ssize_t n = conn->tls ? SSL_write(conn->tls, octets, (int)MIN(size, 1u << 20))
			      : send(conn->io.fd, octets, size, MSG_NOSIGNAL | MSG_DONTWAIT);

	return n < 0 ? 0 : (size_t)n;
}

/* How many octets came in; -1: none at the moment; 0: it is over, or worse. */
static ssize_t receive(struct fake_conn *conn, char *octets, size_t size)
{
	ssize_t n;

	if (!conn->tls) {
		n = recv(conn->io.fd, octets, size, MSG_DONTWAIT);
		return n >= 0 || errno == EAGAIN ? n : 0;
	}
	ERR_clear_error();
	n = SSL_read(conn->tls, octets, (int)size);
	if (n > 0)
		return n;
	return SSL_get_error(conn->tls, (int)n) == SSL_ERROR_WANT_READ ? -1 : 0;
}

static void send_more(struct fake_conn *conn)
{
	while (conn->sent < conn->out.size) {
		size_t n =
			transmit(conn, conn->out.octets + conn->sent, conn->out.size - conn->sent);

		if (n == 0) {
			loop_io_want(&conn->io, EPOLLIN | EPOLLOUT);
			return;
		}
		conn->sent += n;
	}
	free(conn->out.octets);
	conn->out = (struct said){0};
	conn->sent = 0;
	loop_io_want(&conn->io, EPOLLIN);
	if (conn->end == FAKE_CLOSE && conn->tls)
		(void)SSL_shutdown(conn->tls);
	if (conn->end != FAKE_HOLD)
		conn_free(conn);
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
	unit_append(&conn->api->log, text);
}

static struct said say(const void *octets, size_t size)
{
	return (struct said){xmemdup(octets, size), size};
}

static struct said say_text(const char *head, const char *body)
{
	char *text = xasprintf("%s\r\nConnection: close\r\n\r\n%s", head, body);

	return (struct said){text, strlen(text)};
}

static void answer(struct fake_conn *conn)
{
	static const char empty[] = "{\"metadata\":{\"resourceVersion\":\"1\"},\"items\":[]}";
	bool list = strncmp(conn->kind, "list", 4) == 0;
	struct fake_step *step;

	TAILQ_FOREACH (step, &conn->api->steps, linked)
		if (strcmp(step->kind, conn->kind) == 0)
			break;
	conn->answered = true;
	conn->end = step ? step->end : list ? FAKE_CLOSE : FAKE_HOLD;
	if (step) {
		conn->out = step->answer;
		TAILQ_REMOVE(&conn->api->steps, step, linked);
		free(step->kind);
		free(step);
	} else if (!conn->raw) {
		conn->out = say_text("HTTP/1.1 200 OK", list ? empty : "");
	}
	send_more(conn);
}

static void on_request(struct fake_conn *conn)
{
	if (conn->raw)
		strcpy(conn->kind, "hello");
	else
		classify(conn);
	conn->api->n_requests += !conn->raw;
	answer(conn);
}

static void on_conn(struct loop_io *io, uint32_t ready)
{
	struct fake_conn *conn = container_of(io, struct fake_conn, io);
	ssize_t n = -1;

	if (ready & (EPOLLIN | EPOLLHUP | EPOLLERR))
		n = receive(conn, conn->request + conn->n_request,
			sizeof(conn->request) - 1 - conn->n_request);
	if (n == 0) {
		conn_free(conn);
		return;
	}
	if (n > 0)
		conn->n_request += (size_t)n;
	if (n > 0 && !conn->answered && (conn->raw || strstr(conn->request, "\r\n\r\n")))
		on_request(conn);
	else if ((ready & EPOLLOUT) && conn->answered)
		send_more(conn);
}

static void on_accept(struct loop_io *io, uint32_t ready)
{
	struct fake_api *api = container_of(io, struct fake_api, io);
	struct fake_conn *conn = xcalloc(1, sizeof(*conn));
	int fd = accept4(io->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	const int on = 1;

	(void)ready;
	ck_assert_int_ge(fd, 0);
	/* What waits for an acknowledgement would be lost when the connection is broken. */
	ck_assert_int_eq(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)), 0);
	conn->api = api;
	conn->raw = api->raw;
	if (api->tls && !api->raw)
		conn->tls = fake_tls_accept(api->tls, fd);
	api->n_accepted++;
	TAILQ_INSERT_TAIL(&api->conns, conn, linked);
	ck_assert_int_eq(loop_io_start(api->loop, &conn->io, fd, EPOLLIN, on_conn), 0);
}

static void write_kubeconfig(struct fake_api *api)
{
	auto_free char *path = unit_template("fake-api");
	auto_free char *authority = api->tls ? fake_tls_authority(api->tls) : NULL;
	int fd = mkstemp(path);

	ck_assert_int_ge(fd, 0);
	dprintf(fd,
		"current-context: test\n"
		"contexts: [{name: test, context: {cluster: test, user: test}}]\n"
		"clusters: [{name: test, cluster: {server: '%s://127.0.0.1:%d/'%s%s}}]\n"
		"users: [{name: test, user: {token: secret}}]\n",
		authority ? "https" : "http", api->port,
		authority ? ", certificate-authority-data: " : "", authority ? authority : "");
	close(fd);
	api->kubeconfig = xstrdup(path);
}

static void start(struct fake_api *api, struct loop *loop, struct fake_tls *tls)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	*api = (struct fake_api){.loop = loop, .tls = tls, .log = xstrdup("")};
	TAILQ_INIT(&api->steps);
	TAILQ_INIT(&api->conns);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, size), 0);
	ck_assert_int_eq(listen(fd, 64), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &size), 0);
	api->port = ntohs(address.sin_port);
	ck_assert_int_eq(loop_io_start(loop, &api->io, fd, EPOLLIN, on_accept), 0);
	write_kubeconfig(api);
}

void fake_api_start(struct fake_api *api, struct loop *loop)
{
	start(api, loop, NULL);
}

void fake_api_start_tls(struct fake_api *api, struct loop *loop)
{
	(void)signal(SIGPIPE, SIG_IGN); /* OpenSSL writes to connections that are gone */
	start(api, loop, fake_tls_new());
}

static void step_free(struct fake_api *api, struct fake_step *step)
{
	TAILQ_REMOVE(&api->steps, step, linked);
	free(step->kind);
	free(step->answer.octets);
	free(step);
}

void fake_api_forget(struct fake_api *api, const char *kind)
{
	struct fake_step *step, *next;

	for (step = TAILQ_FIRST(&api->steps); step; step = next) {
		next = TAILQ_NEXT(step, linked);
		if (strcmp(step->kind, kind) == 0)
			step_free(api, step);
	}
}

void fake_api_stop(struct fake_api *api)
{
	int fd = api->io.fd;
	struct fake_step *step;
	struct fake_conn *conn;

	while ((conn = TAILQ_FIRST(&api->conns)))
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): TAILQ_REMOVE has moved the head */
		conn_free(conn);
	while ((step = TAILQ_FIRST(&api->steps)))
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): TAILQ_REMOVE has moved the head */
		step_free(api, step);
	loop_io_stop(&api->io);
	close(fd);
	fake_tls_free(api->tls);
	unlink(api->kubeconfig);
	free(api->kubeconfig);
	free(api->log);
}

static void add_step(struct fake_api *api, const char *kind, enum fake_end end, struct said answer)
{
	struct fake_step *step = xcalloc(1, sizeof(*step));

	step->kind = xstrdup(kind);
	step->answer = answer;
	step->end = end;
	TAILQ_INSERT_TAIL(&api->steps, step, linked);
}

void fake_api_answer(struct fake_api *api, const char *kind, enum fake_end end, const char *head,
	const char *body)
{
	add_step(api, kind, end, say_text(head, body));
}

void fake_api_octets(
	struct fake_api *api, const char *kind, enum fake_end end, const void *octets, size_t size)
{
	add_step(api, kind, end, say(octets, size));
}

void fake_api_ok(struct fake_api *api, const char *kind, enum fake_end end, const char *body)
{
	fake_api_answer(api, kind, end, "HTTP/1.1 200 OK", body);
}

static void add(struct said *said, const char *text)
{
	size_t size = strlen(text);

	said->octets = xrealloc(said->octets, said->size + size + 1);
	memcpy(said->octets + said->size, text, size);
	said->size += size;
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
	add(&last->out, bytes);
	send_more(last);
}

void fake_api_asked(struct fake_api *api, const char *expected)
{
	static const char key[] = "&timeoutSeconds=";
	char *at = api->log;

	while ((at = strstr(at, key))) {
		char *end;
		long seconds = strtol(at + strlen(key), &end, 10);

		if (seconds <= 25) {
			ck_assert_int_ge(seconds, 15);
			at = mempcpy(at, "&brief", strlen("&brief"));
		} else {
			ck_assert_int_ge(seconds, 300);
			ck_assert_int_le(seconds, 600);
		}
		memmove(at, end, strlen(end) + 1);
	}
	ck_assert_str_eq(api->log, expected);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* An answer comes from the loop alone: one that hangs is not alive. And all who ask get one. */
#include "http.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "unit.h"

static void answer(void *data, const struct http_request *request, struct http_answer *out)
{
	(void)data;
	(void)request;
	*out = (struct http_answer){
		.status = 200, .type = "text/plain", .body = xstrdup("ok\n"), .size = 3};
}

static bool is_open(const char *path)
{
	return *path != '\0';
}

static struct loop *loop;
static struct http *http;
static struct http_server server; /* as clients know it */
static char *address;
static int reserved = -1;
static int stop_fd = -1;
static struct loop_io stop_io;
static pthread_t thread;

/* Until the socket is closed, nobody has its port but who asks for it by number, as the door. */
static uint16_t reserve_port(void)
{
	struct sockaddr_in name = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(name);
	const int on = 1;

	reserved = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(setsockopt(reserved, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
	ck_assert_int_eq(bind(reserved, (struct sockaddr *)&name, size), 0);
	ck_assert_int_eq(getsockname(reserved, (struct sockaddr *)&name, &size), 0);
	return ntohs(name.sin_port);
}

/* Sockets of this process */

#define DOOR_BACKLOG 1024 /* door.c's own, and nobody else's */
#define FD_MAX       1024

static bool is_inside(int fd, bool is_peer, struct sockaddr_in *out)
{
	socklen_t size = sizeof(*out);
	int r = is_peer ? getpeername(fd, (struct sockaddr *)out, &size)
			: getsockname(fd, (struct sockaddr *)out, &size);

	return r == 0 && out->sin_family == AF_INET &&
	       out->sin_addr.s_addr == htonl(INADDR_LOOPBACK);
}

/* Where the server behind the door listens. */
static struct sockaddr_in find_inner(void)
{
	struct sockaddr_in name = {0};

	for (int fd = 3; fd < FD_MAX; fd++) {
		int listens = 0;
		socklen_t size = sizeof(listens);
		auto_free char *text = NULL;

		if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) < 0 || !listens ||
			!is_inside(fd, false, &name))
			continue;
		text = xasprintf("127.0.0.1:%u", ntohs(name.sin_port));
		if (strcmp(text, address) != 0)
			return name;
	}
	ck_abort_msg("nobody listens behind the door");
}

/* The door's port towards it; 0: it asks for nothing. */
static uint16_t find_asking(const struct sockaddr_in *inner)
{
	struct sockaddr_in name = {0}, peer = {0};

	for (int fd = 3; fd < FD_MAX; fd++) {
		if (is_inside(fd, true, &peer) && peer.sin_port == inner->sin_port &&
			is_inside(fd, false, &name))
			return ntohs(name.sin_port);
	}
	return 0;
}

/* What the server behind the door answers to whoever comes from there; for free(). */
static char *ask_inner(const char *from, uint16_t port)
{
	static const char request[] = "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n";
	struct sockaddr_in inner = find_inner();
	struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons(port)};
	auto_close int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char text[4096];
	size_t n = 0;
	ssize_t more;

	ck_assert_int_eq(inet_pton(AF_INET, from, &name.sin_addr), 1);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&name, sizeof(name)), 0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&inner, sizeof(inner)), 0);
	(void)!send(fd, request, strlen(request), MSG_NOSIGNAL); /* it may be shut out by then */
	while (n < sizeof(text) - 1 && (more = recv(fd, text + n, sizeof(text) - 1 - n, 0)) > 0)
		n += (size_t)more;
	text[n] = '\0';
	return xstrdup(text);
}

static bool visits_early;

/* Somebody is there before the door is. */
int listen(int fd, int backlog)
{
	for (int i = 0; visits_early && backlog == DOOR_BACKLOG && i < 50; i++)
		free(ask_inner("127.0.0.1", 0));
	return (int)syscall(SYS_listen, fd, backlog);
}

static void setup(void)
{
	struct http_options options = {.is_open = is_open, .answer = answer};
	auto_free char *error = NULL;

	address = xasprintf("127.0.0.1:%u", reserve_port());
	options.listen = server.listen = address;
	stop_fd = eventfd(0, EFD_CLOEXEC);
	loop = loop_new();
	ck_assert_int_eq(http_new(loop, &options, &http, &error), 0);
}

static void teardown(void)
{
	loop_io_stop(&stop_io);
	http_free(http);
	loop_free(loop);
	close(stop_fd);
	close(reserved);
	free(address);
}

static void *turn(void *data)
{
	loop_run(loop);
	return data;
}

static void on_stop(struct loop_io *io, uint32_t ready)
{
	(void)io;
	(void)ready;
	loop_stop(loop, 0);
}

static void begin_turning(void)
{
	ck_assert_int_eq(loop_io_start(loop, &stop_io, stop_fd, EPOLLIN, on_stop), 0);
	ck_assert_int_eq(pthread_create(&thread, NULL, turn, NULL), 0);
}

static void end_turning(void)
{
	ck_assert_int_eq(eventfd_write(stop_fd, 1), 0);
	pthread_join(thread, NULL);
}

START_TEST(a_loop_that_hangs_is_not_alive)
{
	auto_free char *error = NULL;
	auto_free char *late = NULL;
	auto_free char *body = NULL;
	int status = 0;

	ck_assert_int_eq(http_get(&server, "/livez", &status, &late, &error), 0);
	ck_assert_int_eq(status, 503);
	ck_assert_str_eq(late, "the loop does not answer\n");

	/* It goes on. */
	begin_turning();
	ck_assert_int_eq(http_get(&server, "/livez", &status, &body, &error), 0);
	ck_assert_int_eq(status, 200);
	ck_assert_str_eq(body, "ok\n");
	end_turning();
}
END_TEST

#define CROWD 8 /* as many as there are places */
#define EACH  1000

static void *ask_often(void *data)
{
	unsigned *n_good = data;

	for (int i = 0; i < EACH; i++) {
		auto_free char *body = NULL;
		auto_free char *error = NULL;
		int status = 0;

		*n_good +=
			http_get(&server, "/livez", &status, &body, &error) == 0 && status == 200;
	}
	return NULL;
}

/* With each who comes all descriptors are looked at for strangers, while others' come and go. */
START_TEST(a_crowd_is_answered)
{
	pthread_t crowd[CROWD];
	unsigned n_good[CROWD] = {0};

	begin_turning();
	for (int i = 0; i < CROWD; i++)
		ck_assert_int_eq(pthread_create(&crowd[i], NULL, ask_often, &n_good[i]), 0);
	for (int i = 0; i < CROWD; i++)
		pthread_join(crowd[i], NULL);
	for (int i = 0; i < CROWD; i++)
		ck_assert_uint_eq(n_good[i], EACH);
	end_turning();
}
END_TEST

START_TEST(who_comes_before_the_door_is_no_harm)
{
	auto_free char *body = NULL;
	auto_free char *error = NULL;
	int status = 0;

	visits_early = true;
	teardown();
	setup();
	begin_turning();
	ck_assert_int_eq(http_get(&server, "/livez", &status, &body, &error), 0);
	ck_assert_int_eq(status, 200);
	end_turning();
}
END_TEST

static void *ask_once(void *data)
{
	auto_free char *body = NULL;
	auto_free char *error = NULL;
	int *status = data;

	if (http_get(&server, "/livez", status, &body, &error) < 0)
		*status = 0;
	return NULL;
}

/* Another address of this host may have the same port. */
START_TEST(the_doors_port_alone_opens_nothing)
{
	struct sockaddr_in inner = find_inner();
	auto_free char *text = NULL;
	pthread_t visitor;
	uint16_t port;
	int status = 0;

	ck_assert_int_eq(pthread_create(&visitor, NULL, ask_once, &status), 0);
	while (!(port = find_asking(&inner)))
		;
	text = ask_inner("127.0.0.2", port);
	ck_assert_ptr_null(strstr(text, "the loop does not answer"));
	begin_turning();
	pthread_join(visitor, NULL);
	ck_assert_int_eq(status, 200);
	end_turning();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("http");
	TCase *tcase = tcase_create("http");

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, a_loop_that_hangs_is_not_alive);
	tcase_add_test(tcase, a_crowd_is_answered);
	tcase_add_test(tcase, who_comes_before_the_door_is_no_harm);
	tcase_add_test(tcase, the_doors_port_alone_opens_nothing);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}

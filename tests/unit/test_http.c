/* SPDX-License-Identifier: Apache-2.0 */
/* An answer comes from the loop alone: one that hangs is not alive. */
#include "http.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

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

static uint16_t free_port(void)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);
	auto_close int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, size), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &size), 0);
	return ntohs(address.sin_port);
}

static struct loop *loop;

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

START_TEST(a_loop_that_hangs_is_not_alive)
{
	auto_free char *listen = xasprintf("127.0.0.1:%u", free_port());
	struct http_options options = {.listen = listen, .is_open = is_open, .answer = answer};
	struct http_server server = {.listen = listen};
	auto_free char *error = NULL;
	auto_free char *late = NULL;
	auto_free char *body = NULL;
	auto_close int stop_fd = eventfd(0, EFD_CLOEXEC);
	struct loop_io stop_io = {0};
	struct http *http = NULL;
	pthread_t thread;
	int status = 0;

	loop = loop_new();
	ck_assert_int_eq(http_new(loop, &options, &http, &error), 0);
	ck_assert_int_eq(http_get(&server, "/livez", &status, &late, &error), 0);
	ck_assert_int_eq(status, 503);
	ck_assert_str_eq(late, "the loop does not answer\n");

	/* It goes on. */
	ck_assert_int_eq(loop_io_start(loop, &stop_io, stop_fd, EPOLLIN, on_stop), 0);
	ck_assert_int_eq(pthread_create(&thread, NULL, turn, NULL), 0);
	ck_assert_int_eq(http_get(&server, "/livez", &status, &body, &error), 0);
	ck_assert_int_eq(status, 200);
	ck_assert_str_eq(body, "ok\n");
	ck_assert_int_eq(eventfd_write(stop_fd, 1), 0);
	pthread_join(thread, NULL);
	loop_io_stop(&stop_io);
	http_free(http);
	loop_free(loop);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("http");
	TCase *tcase = tcase_create("http");

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, a_loop_that_hangs_is_not_alive);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}

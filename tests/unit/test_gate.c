/* SPDX-License-Identifier: Apache-2.0 */
/* Whom the gate asks is a socket of ours; the seconds between are only played. */
#include "gate.h"
#include "unit.h"

#include <arpa/inet.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define WELL   "HTTP/1.0 200 OK\r\n\r\n"
#define UNWELL "HTTP/1.1 503 Service Unavailable\r\n\r\n"

static struct loop *loop;
static struct gate *gate;
static char *url;
static int fd;
static unsigned n_news;

static void on_news(void *data)
{
	(void)data;
	n_news++;
}

static void setup(void)
{
	struct sockaddr_in name = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(name);

	fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&name, size), 0);
	ck_assert_int_eq(listen(fd, 1), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&name, &size), 0);
	url = xasprintf("http://127.0.0.1:%u/healthz", ntohs(name.sin_port));
	loop = loop_new();
	gate = gate_new(loop, url, on_news, NULL);
	n_news = 0;
}

static void teardown(void)
{
	gate = gate_free(gate);
	loop = loop_free(loop);
	free(url);
	close(fd);
}

/* A kernel that is busy may have the packets in hand when send() is over. */
static void arrive(int caller)
{
	int n_left;

	do
		ck_assert_int_eq(ioctl(caller, SIOCOUTQ, &n_left), 0);
	while (n_left > 0 && poll(NULL, 0, 1) == 0);
}

/* A second later. true: it has asked, and got this answer. */
static bool answers(const char *answer)
{
	struct pollfd knock = {.fd = fd, .events = POLLIN};
	char request[200];
	int caller;

	mono_turn(mono_s(1));
	for (int i = 0; i < 20; i++)
		loop_turn(loop, 0);
	if (poll(&knock, 1, 100) == 0)
		return false;
	caller = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
	ck_assert_int_ge(caller, 0);
	loop_turn(loop, 0); /* it is connected, and asks */
	ck_assert_int_gt(recv(caller, request, sizeof(request), 0), 0);
	ck_assert_int_eq(strncmp(request, "GET /healthz HTTP/1.0\r\n", 23), 0);
	ck_assert_int_eq(send(caller, answer, strlen(answer), MSG_NOSIGNAL), strlen(answer));
	arrive(caller);
	loop_turn(loop, 0);
	close(caller);
	return true;
}

START_TEST(who_is_not_watched_is_asked_until_it_is_well)
{
	ck_assert(answers(UNWELL));
	ck_assert(answers(UNWELL));
	ck_assert(answers(UNWELL));
	ck_assert(answers(UNWELL));
	ck_assert(!gate_is_open(gate));
	ck_assert_str_eq(gate_reason(gate), "it answers 503");
	ck_assert_uint_eq(n_news, 0);
	ck_assert(answers(WELL));
	ck_assert(gate_is_open(gate));
	ck_assert_uint_eq(n_news, 1);
	ck_assert(!answers(UNWELL));
}
END_TEST

START_TEST(three_bad_answers_in_a_row_are_unwell)
{
	gate_watch(gate, true);
	ck_assert(answers(WELL));
	ck_assert(answers(UNWELL));
	ck_assert(answers(UNWELL));
	ck_assert(answers(WELL));
	ck_assert(answers(UNWELL));
	ck_assert(answers(UNWELL));
	ck_assert(gate_is_well(gate));
	ck_assert_uint_eq(n_news, 1);
	ck_assert(answers(UNWELL));
	ck_assert(!gate_is_well(gate));
	ck_assert(gate_is_open(gate)); /* it was, and that is what a start waits for */
	ck_assert_uint_eq(n_news, 2);
	ck_assert(answers(UNWELL));
	ck_assert_uint_eq(n_news, 2);
	ck_assert(answers(WELL));
	ck_assert(gate_is_well(gate));
	ck_assert_uint_eq(n_news, 3);
}
END_TEST

START_TEST(who_watches_may_stop_and_begin_again)
{
	gate_watch(gate, true);
	ck_assert(answers(WELL));
	gate_watch(gate, false);
	ck_assert(!answers(WELL));
	gate_watch(gate, true);
	ck_assert(answers(UNWELL));
	ck_assert(answers(UNWELL));
	ck_assert(answers(UNWELL));
	ck_assert(!gate_is_well(gate));
}
END_TEST

START_TEST(in_the_next_life_it_is_as_it_was)
{
	gate_pass(gate, true);
	ck_assert(gate_is_open(gate) && !gate_is_well(gate));
	ck_assert(!answers(WELL));
	gate_watch(gate, true);
	ck_assert(answers(UNWELL));
	ck_assert_uint_eq(n_news, 0);
	ck_assert(answers(WELL));
	ck_assert(gate_is_well(gate));
	ck_assert_uint_eq(n_news, 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("gate");
	TCase *tcase = tcase_create("gate");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, who_is_not_watched_is_asked_until_it_is_well);
	tcase_add_test(tcase, three_bad_answers_in_a_row_are_unwell);
	tcase_add_test(tcase, who_watches_may_stop_and_begin_again);
	tcase_add_test(tcase, in_the_next_life_it_is_as_it_was);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}

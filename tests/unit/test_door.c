/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who waits for whom at the door, and for how long. Its turns are taken here, one by one, between
 * what visitors do, and its clock is turned by hand: nothing depends on how fast the machine is.
 */
#include "door.h"

#include "unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdbool.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <cosmolet/clock.h>

#define PORT   9474
#define INNER  9475
#define ROOM   256 /* visitors at a time */
#define PLACES 6   /* for those that are no probes; these have two more */
#define LARGE  (16u << 20)
#define TURNS  10 /* enough for everything that has come */
#define FEW    16 /* connect well within the second for which the kernel keeps who is silent */

#define US    "127.0.0.1"
#define CROWD "127.0.0.2"

#define HALF  "GET /metrics"
#define ASK   "GET /metrics HTTP/1.1\r\n\r\n"
#define PROBE "GET /livez HTTP/1.1\r\n\r\n"

static struct door *door;
static int inner = -1; /* listens where the server behind is */
static int echo = -1;  /* hears itself */

static bool is_probe(const char *path)
{
	return !strcmp(path, "/livez");
}

static struct sockaddr_in address(const char *host, uint16_t port)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = inet_addr(host)};
}

/* What was sent has arrived: packets of one processor come in order, and this is the last one. */
static void settle(void)
{
	char octet = 'x';

	ck_assert_int_eq(send(echo, &octet, 1, 0), 1);
	ck_assert_int_eq(recv(echo, &octet, 1, 0), 1);
}

static void turns(void)
{
	for (int i = 0; i < TURNS; i++) {
		settle();
		door_turn(door, 0);
	}
	settle();
}

static void later(int64_t seconds)
{
	mono_turn(mono_s(seconds));
	turns();
}

static void setup(void)
{
	const uint8_t here[] = {127, 0, 0, 1};
	struct prefix host = prefix_host(AF_INET, here);
	struct sockaddr_in at = address(US, INNER);
	struct rlimit files;
	cpu_set_t one;

	mono_stop();
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &files), 0);
	files.rlim_cur = files.rlim_max; /* a crowd may be a thousand */
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &files), 0);
	CPU_ZERO(&one);
	CPU_SET((size_t)sched_getcpu(), &one);
	ck_assert_int_eq(sched_setaffinity(0, sizeof(one), &one), 0);
	ck_assert_int_eq(unshare(CLONE_NEWNET | (geteuid() ? CLONE_NEWUSER : 0)), 0);
	ck_assert_int_eq(system("ip link set lo up"), 0);
	echo = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(echo, (struct sockaddr *)&at, sizeof(at)), 0);
	ck_assert_int_eq(connect(echo, (struct sockaddr *)&at, sizeof(at)), 0);
	inner = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(inner, (struct sockaddr *)&at, sizeof(at)), 0);
	ck_assert_int_eq(listen(inner, 16), 0);
	ck_assert_int_eq(door_new(&host, PORT, NULL, INNER, is_probe, &door), 0);
}

static void teardown(void)
{
	door_free(door);
	close(inner);
	close(echo);
}

/* Visitors */

static int connected(const char *from)
{
	struct sockaddr_in own = address(from, 0), to = address(US, PORT);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const int on = 1;

	ck_assert_int_eq(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)), 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&own, sizeof(own)), 0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	ck_assert_int_eq(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	return fd;
}

static void say(int fd, const char *text)
{
	ck_assert_int_eq(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* One that has said that much, and was heard. */
static int visitor(const char *from, const char *text)
{
	int fd = connected(from);

	say(fd, text);
	turns();
	return fd;
}

static void visitors(int *fds, unsigned n, const char *from, const char *text)
{
	for (unsigned i = 0; i < n; i++)
		fds[i] = visitor(from, text);
}

static bool is_there(int fd)
{
	char octet;

	return recv(fd, &octet, 1, MSG_PEEK) < 0 && errno == EAGAIN;
}

static unsigned how_many(const int *fds, unsigned n)
{
	unsigned there = 0;

	for (unsigned i = 0; i < n; i++)
		there += is_there(fds[i]);
	return there;
}

static void hang_up(const int *fds, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		close(fds[i]);
}

/* What a visitor is told, until the end. */
static size_t told(int fd)
{
	static char part[65536];
	size_t size = 0;
	ssize_t n;

	while ((n = recv(fd, part, sizeof(part), 0)) != 0) {
		if (n < 0 && errno != EAGAIN) {
			ck_assert_int_eq(errno, ECONNRESET);
			break;
		}
		size += n > 0 ? (size_t)n : 0;
		door_turn(door, 0);
	}
	return size;
}

/* The server behind */

/* The next that the door asks for, and what; -1: it asks no more. */
static int asked(const char *text)
{
	char head[256] = "";
	int fd = accept4(inner, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0)
		return -1;
	turns();
	ck_assert_int_gt(recv(fd, head, sizeof(head) - 1, 0), 0);
	ck_assert_str_eq(head, text);
	return fd;
}

static void answer(int fd, size_t size)
{
	static const char part[65536];

	while (size) {
		ssize_t n = send(fd, part, size < sizeof(part) ? size : sizeof(part), MSG_NOSIGNAL);

		ck_assert(n > 0 || errno == EAGAIN);
		size -= n > 0 ? (size_t)n : 0;
		door_turn(door, 0);
	}
	close(fd);
	turns();
}

/* Who gives way */

/* Neither before it has asked nor while it waits, and however many come. */
START_TEST(a_probe_does_not_give_way_to_a_crowd)
{
	int crowd[3 * ROOM], probe = visitor(US, "GET /livez ");

	visitors(crowd, N_ELEMENTS(crowd), CROWD, _i ? ASK : HALF);
	ck_assert(is_there(probe));
	ck_assert_uint_eq(how_many(crowd, N_ELEMENTS(crowd)), ROOM - 1);
	ck_assert_int_eq(
		how_many(crowd, ROOM), _i ? PLACES : 0); /* those that are asked for stay */
	say(probe, "HTTP/1.1\r\n\r\n");
	turns();
	for (int i = 0; _i && i < PLACES; i++)
		ck_assert_int_ge(asked(ASK), 0);
	ck_assert_int_ge(asked(PROBE), 0);
	ck_assert_int_eq(asked(""), -1);
}
END_TEST

START_TEST(nor_to_those_of_its_own_peer_that_ask)
{
	int crowd[ROOM - 1], more[ROOM / 2], probe;

	visitors(crowd, ROOM - 1, US, ASK);
	probe = visitor(US, HALF);
	visitors(more, N_ELEMENTS(more), US, ASK);
	ck_assert(is_there(probe));
	/* One that had the time to ask is the first to go. */
	later(2);
	close(visitor(US, ASK));
	ck_assert(!is_there(probe));
}
END_TEST

/* A kubelet with several probes, among many who have come alone. */
START_TEST(a_few_are_no_crowd)
{
	int few[10], others[ROOM + 20];

	visitors(few, N_ELEMENTS(few), US, PROBE);
	for (unsigned i = 0; i < N_ELEMENTS(others); i++) {
		auto_free char *from = xasprintf("127.0.%u.%u", 1 + i / 200, 1 + i % 200);

		others[i] = visitor(from, HALF);
	}
	ck_assert_uint_eq(how_many(others, N_ELEMENTS(others)), ROOM - N_ELEMENTS(few));
	ck_assert_uint_eq(how_many(few, N_ELEMENTS(few)), N_ELEMENTS(few));
}
END_TEST

/* Nobody gives way to those who have not said a word yet. */
START_TEST(silence_costs_nothing)
{
	int crowd[ROOM], silent[FEW];

	visitors(crowd, ROOM, CROWD, HALF);
	for (unsigned i = 0; i < FEW; i++)
		silent[i] = connected(US);
	turns();
	ck_assert_uint_eq(how_many(crowd, ROOM), ROOM);
	say(silent[0], PROBE);
	turns();
	ck_assert_int_ge(asked(PROBE), 0);
	hang_up(silent, FEW);
}
END_TEST

/* Places */

START_TEST(probes_have_places_of_their_own)
{
	int crowd[30], probes[3], first, last;

	visitors(crowd, N_ELEMENTS(crowd), US, ASK);
	first = asked(ASK);
	ck_assert_int_ge(first, 0);
	for (int i = 1; i < PLACES; i++)
		ck_assert_int_ge(asked(ASK), 0);
	ck_assert_int_eq(asked(""), -1);
	visitors(probes, 3, US, PROBE);
	ck_assert_int_ge(asked(PROBE), 0);
	last = asked(PROBE);
	ck_assert_int_ge(last, 0);
	ck_assert_int_eq(asked(""), -1);
	answer(first, 1);
	ck_assert_uint_eq(told(crowd[0]), 1);
	ck_assert_int_ge(asked(PROBE), 0); /* it came last of all */
	ck_assert_int_eq(asked(""), -1);
	answer(last, 1);
	ck_assert_int_eq(asked(""), -1); /* this place is for no other */
}
END_TEST

/* Limits */

START_TEST(who_does_not_ask_has_five_seconds)
{
	int fd = visitor(US, HALF);

	later(4);
	say(fd, " "); /* an octet now and then changes nothing */
	turns();
	ck_assert(is_there(fd));
	later(2);
	ck_assert(!is_there(fd));
}
END_TEST

START_TEST(who_waits_has_five_seconds_and_who_is_asked_for_ten)
{
	int fds[PLACES + 1];

	visitors(fds, PLACES + 1, US, ASK);
	later(4);
	ck_assert_uint_eq(how_many(fds, PLACES + 1), PLACES + 1);
	later(2);
	ck_assert_uint_eq(how_many(fds, PLACES + 1), PLACES);
	ck_assert(!is_there(fds[PLACES]));
	later(3);
	ck_assert_uint_eq(how_many(fds, PLACES), PLACES);
	later(2);
	ck_assert_uint_eq(how_many(fds, PLACES), 0);
}
END_TEST

START_TEST(who_is_told_has_a_minute)
{
	int fd = visitor(US, ASK);

	answer(asked(ASK), LARGE);
	later(_i ? 61 : 59);
	if (_i)
		ck_assert_uint_lt(told(fd), LARGE);
	else
		ck_assert_uint_eq(told(fd), LARGE);
}
END_TEST

START_TEST(who_stays_afterwards_has_a_second)
{
	int fd = visitor(US, ASK);

	answer(asked(ASK), 1);
	ck_assert_uint_eq(told(fd), 1);
	say(fd, "x");
	turns();
	say(fd, "x"); /* there is still somebody */
	later(2);
	say(fd, "x");
	settle();
	ck_assert_int_eq(send(fd, "x", 1, MSG_NOSIGNAL), -1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("door");
	TCase *tests = tcase_create("door");

	tcase_set_timeout(tests, 60);
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_loop_test(tests, a_probe_does_not_give_way_to_a_crowd, 0, 2);
	tcase_add_test(tests, nor_to_those_of_its_own_peer_that_ask);
	tcase_add_test(tests, a_few_are_no_crowd);
	tcase_add_test(tests, silence_costs_nothing);
	tcase_add_test(tests, probes_have_places_of_their_own);
	tcase_add_test(tests, who_does_not_ask_has_five_seconds);
	tcase_add_test(tests, who_waits_has_five_seconds_and_who_is_asked_for_ten);
	tcase_add_loop_test(tests, who_is_told_has_a_minute, 0, 2);
	tcase_add_test(tests, who_stays_afterwards_has_a_second);
	suite_add_tcase(suite, tests);
	return unit_run(suite);
}

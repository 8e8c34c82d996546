/* SPDX-License-Identifier: Apache-2.0 */
/* What bgpd says, from one that answers with too much, late or not at all; on a turned clock. */
#include "bgpview.h"

#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "unit.h"

#define ADDRESS "10.96.0.10"

static struct loop *loop;
static struct bgpview *view;
static char *directory;
static struct prefix address;

/* The bgpd, which has two neighbours: one is sent our address, the other as much as it is told. */
static struct {
	char *path;
	int fd;
	struct loop_io io;
	int client; /* -1: none */
	struct loop_io client_io;
	const char *text; /* that is to be sent; NULL: nothing was asked */
	size_t n_more;    /* blanks behind it */
	unsigned n_asked;
	unsigned n_moves;  /* whatever it did */
	size_t large;      /* the answer for the second neighbour */
	struct mono takes; /* each answer */
	bool is_dead;      /* it hangs up instead */
} bgpd;

static void hang_up(void)
{
	if (bgpd.client < 0)
		return;
	loop_io_stop(&bgpd.client_io);
	close(bgpd.client);
	bgpd.client = -1;
	bgpd.text = NULL;
}

static void choose_answer(const char *command)
{
	bgpd.text = "{}";
	bgpd.n_more = 0;
	if (strstr(command, "ipv4") && strstr(command, "summary"))
		bgpd.text = "{\"peers\":{\"192.0.2.1\":{\"state\":\"Established\"},"
			    "\"192.0.2.2\":{\"state\":\"Established\"}}}";
	if (strstr(command, "192.0.2.1"))
		bgpd.text = "{\"x\":{\"network\":\"" ADDRESS "\\/32\"}}";
	if (strstr(command, "192.0.2.2"))
		bgpd.n_more = bgpd.large;
}

static void on_client(struct loop_io *io, uint32_t ready)
{
	static char blanks[65536];
	char command[256] = "";
	const char *from = bgpd.text;
	size_t size;
	ssize_t n;

	(void)ready;
	bgpd.n_moves++;
	if (!bgpd.text) {
		ck_assert_int_gt(recv(bgpd.client, command, sizeof(command) - 1, 0), 0);
		bgpd.n_asked++;
		mono_turn(bgpd.takes);
		choose_answer(command);
		loop_io_want(io, EPOLLOUT);
		if (bgpd.is_dead)
			hang_up();
		return;
	}
	size = strlen(from);
	if (!size) {
		memset(blanks, ' ', sizeof(blanks));
		from = bgpd.n_more ? blanks : "\0\0\0";
		size = bgpd.n_more ? MIN(bgpd.n_more, sizeof(blanks)) : 4;
	}
	n = send(bgpd.client, from, size, MSG_NOSIGNAL);
	if (n <= 0 || from[0] == '\0')
		hang_up();
	else if (from == blanks)
		bgpd.n_more -= (size_t)n;
	else
		bgpd.text += n;
}

static void on_accept(struct loop_io *io, uint32_t ready)
{
	(void)ready;
	bgpd.n_moves++;
	hang_up();
	bgpd.client = accept4(io->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	ck_assert_int_eq(loop_io_start(loop, &bgpd.client_io, bgpd.client, EPOLLIN, on_client), 0);
}

static bool wants(void *data, const struct prefix *prefix)
{
	(void)data;
	return prefix_cmp(prefix, &address) == 0;
}

static void setup(void)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	auto_free char *zserv = NULL;

	mono_stop();
	memset(&bgpd, 0, sizeof(bgpd));
	bgpd.client = -1;
	ck_assert(prefix_parse_host(ADDRESS, &address));
	directory = unit_template("bgpview");
	ck_assert_ptr_nonnull(mkdtemp(directory));
	bgpd.path = xasprintf("%s/bgpd.vty", directory);
	zserv = xasprintf("%s/zserv.api", directory);
	strncpy(to.sun_path, bgpd.path, sizeof(to.sun_path) - 1);
	loop = loop_new();
	bgpd.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(bgpd.fd, (struct sockaddr *)&to, sizeof(to)), 0);
	ck_assert_int_eq(listen(bgpd.fd, 4), 0);
	ck_assert_int_eq(loop_io_start(loop, &bgpd.io, bgpd.fd, EPOLLIN, on_accept), 0);
	view = bgpview_new(loop, zserv, NULL, mono_s(1), wants, NULL);
}

static void teardown(void)
{
	view = bgpview_free(view);
	hang_up();
	loop_io_stop(&bgpd.io);
	close(bgpd.fd);
	loop = loop_free(loop);
	unlink(bgpd.path);
	rmdir(directory);
	free(bgpd.path);
	free(directory);
}

/*
 * Turns until nothing is left to do at this moment. Both ends are here, so what one sends the other
 * has at once, however busy the machine is; the rest of an answer is read in far fewer turns.
 */
static void settle(void)
{
	unsigned before = bgpd.n_moves;

	for (int quiet = 0; quiet < 500; quiet++) {
		loop_turn(loop, 0);
		if (bgpd.n_moves != before)
			quiet = 0;
		before = bgpd.n_moves;
	}
}

static const struct bgpview_neighbor *neighbor(size_t i)
{
	ck_assert_uint_gt(bgpview_neighbors(view)->n, i);
	return bgpview_neighbors(view)->items[i];
}

START_TEST(all_is_known)
{
	size_t n = 0;

	settle();
	ck_assert_ptr_null(bgpview_error(view));
	ck_assert_uint_eq(bgpview_neighbors(view)->n, 2);
	ck_assert(bgpview_advertises(neighbor(0), &address));
	ck_assert(!bgpview_advertises(neighbor(1), &address) && !neighbor(1)->unread);
	ck_assert(bgpview_count(view, &address, &n));
	ck_assert_uint_eq(n, 1);
}
END_TEST

/* It is left out by name; all the others are known, and how many there are in all is not. */
START_TEST(a_neighbour_that_is_sent_too_much)
{
	size_t n;

	bgpd.large = (16u << 20) + 1;
	settle();
	ck_assert_ptr_null(bgpview_error(view));
	ck_assert(!neighbor(0)->unread && bgpview_advertises(neighbor(0), &address));
	ck_assert(neighbor(1)->established && neighbor(1)->unread);
	ck_assert_str_eq(neighbor(1)->name, "192.0.2.2");
	ck_assert(!bgpview_count(view, &address, &n));

	bgpd.large = 1;
	mono_turn(mono_s(120));
	settle();
	ck_assert(!neighbor(1)->unread && bgpview_count(view, &address, &n));
}
END_TEST

/* One that is just short enough is in memory once. */
START_TEST(a_large_answer_is_not_copied)
{
	struct rusage before, after;

	getrusage(RUSAGE_SELF, &before);
	bgpd.large = 15u << 20;
	settle();
	getrusage(RUSAGE_SELF, &after);
	ck_assert(!neighbor(1)->unread);
	ck_assert_int_gt(after.ru_maxrss - before.ru_maxrss, 10 << 10);
	ck_assert_int_lt(after.ru_maxrss - before.ru_maxrss, 24 << 10);
}
END_TEST

/* bgpd is left alone for as long after a question in vain as after one that it answered. */
START_TEST(failures_are_paced)
{
	bgpd.is_dead = true;
	bgpd.takes = mono_s(3); /* twenty times that is a minute */
	settle();
	ck_assert_str_eq(bgpview_error(view), "bgpd does not answer");
	ck_assert_uint_eq(bgpd.n_asked, 1);
	mono_turn(mono_s(55));
	settle();
	ck_assert_uint_eq(bgpd.n_asked, 1);
	bgpd.is_dead = false;
	mono_turn(mono_s(5));
	settle();
	ck_assert_ptr_null(bgpview_error(view));
}
END_TEST

START_TEST(what_is_old_is_not_known)
{
	size_t n;

	ck_assert(!bgpview_is_fresh(view) && !bgpview_count(view, &address, &n));
	settle();
	ck_assert(bgpview_is_fresh(view));
	bgpd.is_dead = true;
	bgpd.takes = mono_s(5);
	mono_turn(mono_s(50));
	settle();
	ck_assert_str_eq(bgpview_error(view), "bgpd does not answer");
	ck_assert(bgpview_is_fresh(view) && bgpview_count(view, &address, &n));
	mono_turn(mono_s(6));
	ck_assert(!bgpview_is_fresh(view) && !bgpview_count(view, &address, &n));
	ck_assert_uint_eq(bgpview_neighbors(view)->n, 2); /* as it was, for people */

	bgpd.is_dead = false;
	bgpd.takes = mono_s(0);
	mono_turn(mono_s(100));
	settle();
	ck_assert(bgpview_is_fresh(view));
}
END_TEST

/* Of a bgpd that is seldom asked, since it is slow, the last word counts for longer. */
START_TEST(rounds_may_be_far_apart)
{
	bgpd.takes = mono_s(2); /* four questions */
	settle();
	ck_assert(bgpview_is_fresh(view));
	bgpd.is_dead = true;
	mono_turn(mono_s(150));
	settle();
	ck_assert_uint_eq(bgpd.n_asked, 4);
	ck_assert(bgpview_is_fresh(view));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("bgpview");
	TCase *tcase = tcase_create("bgpview");

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, all_is_known);
	tcase_add_test(tcase, a_neighbour_that_is_sent_too_much);
	tcase_add_test(tcase, a_large_answer_is_not_copied);
	tcase_add_test(tcase, failures_are_paced);
	tcase_add_test(tcase, what_is_old_is_not_known);
	tcase_add_test(tcase, rounds_may_be_far_apart);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}

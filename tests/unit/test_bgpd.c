/* SPDX-License-Identifier: Apache-2.0 */
/* Two daemons that are nothing but their sockets, over several lives of ours. */
#include "bgpd.h"
#include "unit.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static char *directory, *zserv, *vty;
static int zebra_fd = -1, bgpd_fd = -1;
static struct loop *loop;
static struct bgpd *bgpd;
static unsigned n_changes;

/*
 * Made beside the one before, or it could have the same inode, and in the same tick of the kernel's
 * clock the same time: nobody restarts a daemon as fast as that.
 */
static void start(int *fd, const char *path)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	auto_free char *new = xasprintf("%s.new", path);

	if (*fd >= 0)
		close(*fd);
	*fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_uint_lt(strlen(new), sizeof(name.sun_path));
	memcpy(name.sun_path, new, strlen(new));
	ck_assert_int_eq(bind(*fd, (struct sockaddr *)&name, sizeof(name)), 0);
	ck_assert_int_eq(listen(*fd, 100), 0);
	ck_assert_int_eq(rename(new, path), 0);
}

static void on_change(void *data)
{
	(void)data;
	n_changes++;
}

static void begin(const char *path)
{
	loop = loop_new();
	bgpd = bgpd_new(loop, path, on_change, NULL, bgpd);
}

static void end(void)
{
	bgpd_stop(bgpd);
	loop = loop_free(loop);
}

static void setup(void)
{
	directory = unit_template("test-bgpd");
	ck_assert_ptr_nonnull(mkdtemp(directory));
	zserv = xasprintf("%s/zserv.api", directory);
	vty = xasprintf("%s/bgpd.vty", directory);
	start(&zebra_fd, zserv);
	start(&bgpd_fd, vty);
	begin(zserv);
	bgpd_zebra_up(bgpd);
}

static void teardown(void)
{
	end();
	bgpd = bgpd_free(bgpd);
	unlink(zserv);
	unlink(vty);
	rmdir(directory);
	free(zserv);
	free(vty);
	free(directory);
}

static void restart_zebra(void)
{
	bgpd_zebra_down(bgpd);
	start(&zebra_fd, zserv);
	bgpd_zebra_up(bgpd);
}

/* Whether it is known to be deaf when the time has come to look. */
static bool is_deaf_later(void)
{
	mono_turn(mono_s(5));
	loop_turn(loop, 0);
	return bgpd_is_deaf(bgpd);
}

static void live_again(void)
{
	end();
	begin(zserv);
	bgpd_zebra_up(bgpd);
}

/* zebra and bgpd, before anybody looks. */
static void restart_both(void)
{
	restart_zebra();
	start(&bgpd_fd, vty);
	ck_assert(!is_deaf_later());
}

START_TEST(one_that_was_restarted_as_well_is_not_deaf)
{
	ck_assert(!is_deaf_later());
	restart_both();
	restart_zebra();
	ck_assert(is_deaf_later());
	ck_assert(is_deaf_later());
	ck_assert_uint_eq(n_changes, 1);
	start(&bgpd_fd, vty);
	ck_assert(!is_deaf_later());
	ck_assert_uint_eq(n_changes, 2);
}
END_TEST

START_TEST(a_deaf_one_is_deaf_in_the_next_life)
{
	restart_zebra();
	ck_assert(is_deaf_later());
	live_again();
	ck_assert(bgpd_is_deaf(bgpd));
	ck_assert(is_deaf_later());
	ck_assert_uint_eq(n_changes, 1);
	start(&bgpd_fd, vty);
	ck_assert(!is_deaf_later());
	live_again();
	ck_assert(!is_deaf_later());
	end();
	start(&zebra_fd, zserv);
	begin(zserv);
	bgpd_zebra_up(bgpd);
	ck_assert(is_deaf_later());
}
END_TEST

START_TEST(the_next_life_looks_if_this_one_was_about_to)
{
	restart_zebra();
	live_again();
	ck_assert(!bgpd_is_deaf(bgpd));
	ck_assert(is_deaf_later());
	restart_both();
	restart_zebra();
	start(&bgpd_fd, vty); /* FRR as a whole, and this before anybody looks */
	live_again();
	ck_assert(!is_deaf_later());
}
END_TEST

START_TEST(a_zebra_that_restarts_between_two_lives_is_noticed)
{
	end();
	start(&zebra_fd, zserv);
	begin(zserv);
	bgpd_zebra_up(bgpd);
	ck_assert(is_deaf_later());
}
END_TEST

START_TEST(nothing_is_known_of_another_frr)
{
	auto_free char *other = xasprintf("%s/other.api", directory);
	int fd = -1;

	restart_zebra();
	ck_assert(is_deaf_later());
	end();
	start(&fd, other);
	begin(other);
	bgpd_zebra_up(bgpd);
	ck_assert(!bgpd_is_deaf(bgpd));
	ck_assert(!is_deaf_later());
	close(fd);
	unlink(other);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("bgpd");
	TCase *tcase = tcase_create("bgpd");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, one_that_was_restarted_as_well_is_not_deaf);
	tcase_add_test(tcase, a_deaf_one_is_deaf_in_the_next_life);
	tcase_add_test(tcase, the_next_life_looks_if_this_one_was_about_to);
	tcase_add_test(tcase, a_zebra_that_restarts_between_two_lives_is_noticed);
	tcase_add_test(tcase, nothing_is_known_of_another_frr);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}

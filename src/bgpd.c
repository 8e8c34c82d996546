/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether bgpd still hears of our routes.
 *
 * When zebra dies under a bgpd that lives on, bgpd connects to the new zebra but does not subscribe
 * again to what it redistributes (FRR 7.5 to 10.7). Nothing on ZAPI tells of it. But every daemon
 * makes its sockets anew when it starts: a zebra whose socket is another one than before, beside a
 * bgpd whose vty is the same and still answered, is this very case. When all of FRR restarts, bgpd
 * comes a moment after zebra, hence the grace.
 */
#include "bgpd.h"

#include "vty.h"

#include <string.h>
#include <sys/stat.h>

#include <cosmolet/socket.h>

#define GRACE mono_s(5)
#define AGAIN mono_s(2) /* while it is deaf */

/* Which life of a daemon it is; zero: none. */
struct life {
	ino_t inode;
	struct timespec made;
};

struct bgpd {
	struct loop *loop;
	char *zserv;
	char *vty;
	void (*changed)(void *data);
	void *data;
	bool up;
	struct life zebra; /* as it last was up */
	struct life bgpd;  /* when zebra's connection was last lost */
	bool is_deaf;
	bool looks; /* it was about to, when it was stopped */
	struct loop_timer timer;
};

/* Of the daemon that listens at path. */
static struct life life_of(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return (struct life){0};
	return (struct life){st.st_ino, st.st_mtim};
}

static struct life bgpd_life(const struct bgpd *b)
{
	auto_close int fd = socket_connect(b->vty);

	return fd < 0 ? (struct life){0} : life_of(b->vty); /* a dead one leaves its socket */
}

static bool is_same(const struct life *a, const struct life *b)
{
	return a->inode && a->inode == b->inode && a->made.tv_sec == b->made.tv_sec &&
	       a->made.tv_nsec == b->made.tv_nsec;
}

static void set_deaf(struct bgpd *b, bool is_deaf)
{
	if (b->is_deaf == is_deaf)
		return;
	b->is_deaf = is_deaf;
	b->changed(b->data);
}

/* One that does not answer now is deaf still, until another one comes. */
static void on_timer(struct loop_timer *timer)
{
	struct bgpd *b = container_of(timer, struct bgpd, timer);
	struct life now = bgpd_life(b);

	set_deaf(b, is_same(&b->bgpd, &now) || (b->is_deaf && !now.inode));
	if (b->is_deaf)
		loop_timer_after(b->loop, timer, AGAIN, on_timer);
}

struct bgpd *bgpd_free(struct bgpd *b)
{
	if (!b)
		return NULL;
	loop_timer_stop(&b->timer);
	free(b->zserv);
	free(b->vty);
	free(b);
	return NULL;
}

struct bgpd *bgpd_new(struct loop *loop, const char *zserv, void (*changed)(void *data), void *data,
	struct bgpd *former)
{
	struct bgpd *b = former;

	if (b && strcmp(b->zserv, zserv) != 0)
		b = bgpd_free(b);
	if (!b) {
		b = xcalloc(1, sizeof(*b));
		b->zserv = xstrdup(zserv);
		b->vty = vty_path(zserv, "bgpd");
	}
	b->loop = loop;
	b->changed = changed;
	b->data = data;
	if (b->looks)
		loop_timer_after(loop, &b->timer, GRACE, on_timer);
	b->looks = false;
	return b;
}

void bgpd_zebra_up(struct bgpd *b)
{
	struct life now = life_of(b->zserv);
	bool restarted = b->zebra.inode && !is_same(&b->zebra, &now);

	b->up = true;
	b->zebra = now;
	if (restarted && b->bgpd.inode)
		loop_timer_after(b->loop, &b->timer, GRACE, on_timer);
}

/* Only now is it known which bgpd had heard of our routes. */
void bgpd_zebra_down(struct bgpd *b)
{
	if (b->up && !b->is_deaf)
		b->bgpd = bgpd_life(b);
	b->up = false;
}

void bgpd_stop(struct bgpd *b)
{
	if (!b)
		return;
	b->looks = b->looks || b->timer.loop;
	loop_timer_stop(&b->timer);
	if (!b->looks) /* else it is another one, perhaps, than had heard of our routes */
		bgpd_zebra_down(b);
	b->up = false;
}

bool bgpd_is_deaf(const struct bgpd *b)
{
	return b->is_deaf;
}

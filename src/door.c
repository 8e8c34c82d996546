/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The door: an event loop of its own, on a thread of its own, so that neither the arithmetic of TLS
 * nor a crowd is in the announcer's way.
 *
 * A visitor is greeted (TLS), heard (one request), waits for a place, is asked for, told the
 * answer, and leaves; each with a limit in time. There is one request for each connection.
 *
 * The hard part: who gives way when there is no room, since a probe that has not asked yet looks
 * like anybody. So it is one of those of whom there are most: a crowd has few addresses, and the
 * kubelet has its own. Among them it is first who has long had the time to ask, and last who has
 * only just come. Who comes without a word is left to the kernel for a second.
 */
#include "door.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <cosmolet/loop.h>

#define VISITORS_MAX 256
#define PLACES       8 /* visitors that are asked for at a time */
#define PROBE_PLACES 2 /* of those, for probes alone */
#define HEAD_MAX     8192
#define ANSWER_MAX   (64u << 20)
#define TOLD_MAX     (32u << 20) /* octets of answers that their visitors have not taken */
#define ACCEPT_MAX   8 /* in one turn, in which many more are heard: so nobody is overtaken */
#define PEERS        256
#define FEW          16u /* visitors of one peer: that many make no crowd yet */
#define BACKLOG      1024
#define TLS_FIRST    0x16 /* how each TLS connection begins: a handshake's record */

#define HEAR_LIMIT  mono_s(5)
#define WAIT_LIMIT  mono_s(5)
#define ASK_LIMIT   mono_s(10)
#define TELL_LIMIT  mono_s(60)
#define LEAVE_LIMIT mono_s(1)
#define FULL_PAUSE  mono_ms(100)
#define YOUNG       mono_s(1) /* a kubelet waits no longer, by default */

enum state { LEAVING, GREETED, HEARD, WAITING, TOLD, ASKED };

struct visitor {
	struct door *door;
	enum state state;
	bool greeted; /* his first octets are TLS's */
	bool probe;
	uint8_t peer;
	struct mono came;
	int fd;
	struct loop_io io;
	struct tls_session *tls; /* NULL: plain */
	struct loop_timer timer;
	char *head;
	size_t n_head;
	int asking_fd; /* to the server behind; -1: none */
	struct loop_io asking;
	size_t n_asked;
	size_t place;
	char *answer;
	size_t n_answer, answer_size, n_told;
	TAILQ_ENTRY(visitor) entries; /* in the order in which they came */
};

TAILQ_HEAD(visitors, visitor);

struct place {
	uint16_t port; /* 0: free */
	bool known;
};

struct door {
	struct loop *loop;
	struct tls *tls;
	bool (*is_probe)(const char *path);
	uint16_t port;
	int fd;
	struct loop_io io;
	struct loop_timer full;
	struct loop_job serve;
	int end_fd;
	struct loop_io end;
	pthread_t thread;
	bool open; /* the thread runs */
	struct visitors visitors;
	size_t n_visitors;
	unsigned n_of[PEERS]; /* of each peer */
	size_t n_told;        /* octets that wait for their visitors */
	pthread_mutex_t lock; /* over the places */
	struct place places[PLACES];
};

static void on_visitor(struct loop_io *io, uint32_t ready);
static void on_serve(struct loop_job *job);

/* Places */

static size_t places_taken(const struct door *door)
{
	size_t n = 0;

	for (size_t i = 0; i < PLACES; i++)
		n += door->places[i].port != 0; /* no other thread writes */
	return n;
}

static void place_set(struct door *door, size_t i, struct place place)
{
	pthread_mutex_lock(&door->lock);
	door->places[i] = place;
	pthread_mutex_unlock(&door->lock);
}

bool door_is_asking(struct door *door, uint16_t port, bool *out_known)
{
	bool found = false;

	pthread_mutex_lock(&door->lock);
	for (size_t i = 0; i < PLACES && !found; i++) {
		found = door->places[i].port == port;
		if (found)
			*out_known = door->places[i].known;
	}
	pthread_mutex_unlock(&door->lock);
	return found && port != 0;
}

/* Coming and going */

static void stop_asking(struct visitor *v)
{
	if (v->asking_fd < 0)
		return;
	place_set(v->door, v->place, (struct place){0}); /* while nobody else can have the port */
	loop_io_stop(&v->asking);
	close(v->asking_fd);
	v->asking_fd = -1;
	loop_job_queue(v->door->loop, &v->door->serve, on_serve);
}

static void visitor_free(struct visitor *v)
{
	struct door *door = v->door;

	stop_asking(v);
	TAILQ_REMOVE(&door->visitors, v, entries);
	door->n_visitors--;
	door->n_of[v->peer]--;
	door->n_told -= v->state == TOLD ? v->n_answer : 0;
	loop_timer_stop(&v->timer);
	loop_io_stop(&v->io);
	tls_close(v->tls);
	close(v->fd);
	free(v->head);
	free(v->answer);
	free(v);
}

static void on_limit(struct loop_timer *timer)
{
	visitor_free(container_of(timer, struct visitor, timer));
}

static void enter(struct visitor *v, enum state state, struct mono limit, uint32_t events)
{
	v->state = state;
	loop_timer_after(v->door->loop, &v->timer, limit, on_limit);
	loop_io_want(&v->io, events);
}

/* Who gives way */

/* Of a crowd's: less gives way first. */
static int worth(const struct visitor *v)
{
	bool young = mono_before(mono_sub(loop_now(v->door->loop), v->came), YOUNG);

	switch (v->state) {
	case LEAVING: return 0;
	case GREETED:
	case HEARD: return young ? 4 : 1;
	case WAITING: return v->probe ? 5 : 2;
	case TOLD: return 3;
	case ASKED: return 5;
	}
	return 0;
}

static bool gives_way(const struct visitor *v, const struct visitor *to)
{
	unsigned crowd = MAX(v->door->n_of[v->peer], FEW);
	unsigned other = MAX(v->door->n_of[to->peer], FEW);

	if (v->state == LEAVING || to->state == LEAVING || crowd == other)
		return worth(v) < worth(to);
	return crowd > other;
}

/* Of equals it is the one who came first. */
static struct visitor *pick(const struct door *door)
{
	struct visitor *found = NULL, *v;

	TAILQ_FOREACH (v, &door->visitors, entries) {
		if (!found || gives_way(v, found))
			found = v;
	}
	return found;
}

/* Octets of a visitor. > 0; 0: the end; -EAGAIN: v->io waits now; -EIO. */

static ssize_t again(struct visitor *v, ssize_t r, uint32_t events)
{
	if (r == -EAGAIN)
		loop_io_want(&v->io, events);
	return r;
}

static ssize_t plain_result(ssize_t n)
{
	if (n >= 0)
		return n;
	return errno == EAGAIN || errno == EINTR ? -EAGAIN : -EIO;
}

static ssize_t hear(struct visitor *v, void *to, size_t size)
{
	uint32_t events = EPOLLIN;
	ssize_t n = v->tls ? tls_read(v->tls, to, size, &events)
			   : plain_result(recv(v->fd, to, size, 0));

	return again(v, n, events);
}

static ssize_t tell(struct visitor *v, const void *from, size_t size)
{
	uint32_t events = EPOLLOUT;
	ssize_t n = v->tls ? tls_write(v->tls, from, size, &events)
			   : plain_result(send(v->fd, from, size, MSG_NOSIGNAL));

	return again(v, n, events);
}

/* Leaving: closed at once, what the visitor still sends would destroy what he has not read yet. */

static void on_leaving(struct visitor *v)
{
	char part[4096];
	ssize_t n = recv(v->fd, part, sizeof(part), 0); /* he may keep it */

	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		visitor_free(v);
}

static void leave(struct visitor *v)
{
	v->tls = tls_close(v->tls);
	shutdown(v->fd, SHUT_WR);
	v->door->n_told -= v->n_answer;
	enter(v, LEAVING, LEAVE_LIMIT, EPOLLIN);
}

/* Telling */

static void on_telling(struct visitor *v)
{
	while (v->n_told < v->n_answer) {
		ssize_t n = tell(v, v->answer + v->n_told, v->n_answer - v->n_told);

		if (n == -EAGAIN)
			return;
		if (n <= 0) {
			visitor_free(v);
			return;
		}
		v->n_told += (size_t)n;
	}
	leave(v);
}

/* Visitors that take their time give way to this one, which may be freed by it, too. */
static void begin_telling(struct visitor *v)
{
	struct door *door = v->door;
	struct visitor *other, *next;

	enter(v, TOLD, TELL_LIMIT, EPOLLOUT);
	door->n_told += v->n_answer;
	for (other = TAILQ_FIRST(&door->visitors); other && door->n_told > TOLD_MAX; other = next) {
		next = TAILQ_NEXT(other, entries);
		if (other != v && other->state == TOLD)
			visitor_free(other);
	}
	on_telling(v);
}

/* The door's own answers. */
static void refuse(struct visitor *v, int status, const char *title, const char *text)
{
	stop_asking(v);
	free(v->answer);
	v->answer =
		xasprintf("HTTP/1.1 %d %s\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n"
			  "Cache-Control: no-store\r\nConnection: close\r\n\r\n%s",
			status, title, strlen(text), text);
	v->n_answer = strlen(v->answer);
	begin_telling(v);
}

/* Asking */

static void take_answer(struct visitor *v)
{
	for (;;) {
		ssize_t n;

		if (v->answer_size - v->n_answer < 4096) {
			v->answer_size = MAX(2 * v->answer_size, (size_t)16384);
			v->answer = xrealloc(v->answer, v->answer_size);
		}
		n = plain_result(recv(
			v->asking_fd, v->answer + v->n_answer, v->answer_size - v->n_answer, 0));
		if (n == -EAGAIN)
			return;
		if (n <= 0 || v->n_answer + (size_t)n > ANSWER_MAX)
			break;
		v->n_answer += (size_t)n;
	}
	stop_asking(v);
	if (v->n_answer == 0 || v->n_answer > ANSWER_MAX)
		refuse(v, 503, "Service Unavailable", "no answer from within\n");
	else
		begin_telling(v);
}

static void on_asking(struct loop_io *io, uint32_t ready)
{
	struct visitor *v = container_of(io, struct visitor, asking);
	ssize_t n;

	if (v->n_asked == v->n_head) {
		take_answer(v);
		return;
	}
	(void)ready;
	n = plain_result(
		send(v->asking_fd, v->head + v->n_asked, v->n_head - v->n_asked, MSG_NOSIGNAL));
	if (n == -EAGAIN)
		return;
	if (n < 0) {
		refuse(v, 503, "Service Unavailable", "no answer from within\n");
		return;
	}
	v->n_asked += (size_t)n;
	if (v->n_asked == v->n_head)
		loop_io_want(io, EPOLLIN);
}

static struct sockaddr_in inner_address(uint16_t port)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
}

/* A port of our own first, by which the server behind knows whom it talks to. */
static bool connect_inside(struct visitor *v)
{
	struct door *door = v->door;
	struct sockaddr_in from = inner_address(0), to = inner_address(door->port);
	socklen_t size = sizeof(from);
	auto_close int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct place place = {.known = v->tls && tls_is_known(v->tls)};

	if (fd < 0 || bind(fd, (struct sockaddr *)&from, sizeof(from)) < 0 ||
		getsockname(fd, (struct sockaddr *)&from, &size) < 0)
		return false;
	place.port = ntohs(from.sin_port);
	for (v->place = 0; door->places[v->place].port; v->place++)
		;
	place_set(door, v->place, place);
	if ((connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0 && errno != EINPROGRESS) ||
		loop_io_start(door->loop, &v->asking, fd, EPOLLOUT, on_asking) < 0) {
		place_set(door, v->place, (struct place){0});
		return false;
	}
	v->asking_fd = fd;
	fd = -1;
	return true;
}

static struct visitor *next_waiting(const struct door *door)
{
	bool all = places_taken(door) < PLACES - PROBE_PLACES;
	struct visitor *found = NULL, *v;

	if (places_taken(door) == PLACES)
		return NULL;
	TAILQ_FOREACH (v, &door->visitors, entries) {
		if (v->state == WAITING && v->probe)
			return v;
		if (v->state == WAITING && all && !found)
			found = v;
	}
	return found;
}

static void on_serve(struct loop_job *job)
{
	struct door *door = container_of(job, struct door, serve);
	struct visitor *v;

	while ((v = next_waiting(door))) {
		enter(v, ASKED, ASK_LIMIT, 0);
		if (!connect_inside(v))
			refuse(v, 503, "Service Unavailable", "no descriptors left\n");
	}
}

/* Hearing */

static bool is_from_probe(const struct door *door, const char *head)
{
	const char *path = strchr(head, ' ');
	auto_free char *copy = NULL;

	if (!path)
		return false;
	copy = xstrndup(path + 1, strcspn(path + 1, "? \r\n"));
	return door->is_probe(copy);
}

static void on_hearing(struct visitor *v)
{
	if (!v->head)
		v->head = xcalloc(1, HEAD_MAX + 1);
	while (v->n_head < HEAD_MAX) {
		ssize_t n = hear(v, v->head + v->n_head, HEAD_MAX - v->n_head);
		size_t before = v->n_head > 3 ? v->n_head - 3 : 0;
		const char *end;

		if (n == -EAGAIN)
			return;
		if (n <= 0) {
			visitor_free(v);
			return;
		}
		v->n_head += (size_t)n;
		end = memmem(v->head + before, v->n_head - before, "\r\n\r\n", 4);
		if (end) {
			v->n_head = (size_t)(end + 4 - v->head); /* what follows is nobody's */
			v->head[v->n_head] = 0;
			v->probe = is_from_probe(v->door, v->head);
			enter(v, WAITING, WAIT_LIMIT, 0);
			loop_job_queue(v->door->loop, &v->door->serve, on_serve);
			return;
		}
	}
	refuse(v, 431, "Request Header Fields Too Large", "a request may have 8192 octets\n");
}

/* Greeting */

/* Whether what comes is not TLS at all; then the answer that says so is on its way. */
static bool is_lost(struct visitor *v)
{
	unsigned char first = TLS_FIRST;

	if (recv(v->fd, &first, 1, MSG_PEEK) != 1 || first == TLS_FIRST)
		return false;
	v->tls = tls_close(v->tls);
	refuse(v, 400, "Bad Request", "this port speaks TLS: use https\n");
	return true;
}

static void on_greeting(struct visitor *v)
{
	uint32_t events = EPOLLIN;
	ssize_t r;

	if (!v->greeted && is_lost(v))
		return;
	v->greeted = true;
	r = again(v, tls_shake(v->tls, &events), events);
	if (r == -EAGAIN)
		return;
	if (r < 0) {
		leave(v); /* the alert says why */
		return;
	}
	v->state = HEARD;
	loop_io_want(&v->io, EPOLLIN);
	on_hearing(v);
}

static void on_visitor(struct loop_io *io, uint32_t ready)
{
	struct visitor *v = container_of(io, struct visitor, io);

	(void)ready;
	switch (v->state) {
	case GREETED: on_greeting(v); break;
	case HEARD: on_hearing(v); break;
	case TOLD: on_telling(v); break;
	case LEAVING: on_leaving(v); break;
	case WAITING:
	case ASKED: /* nothing is expected of him: he has hung up */ visitor_free(v); break;
	}
}

/* FNV-1a. */
static uint8_t hash(const void *from, size_t n)
{
	const uint8_t *octets = from;
	uint32_t sum = 2166136261;

	for (size_t i = 0; i < n; i++)
		sum = (sum ^ octets[i]) * 16777619;
	return (uint8_t)(sum >> 24);
}

/* One for an IPv4 address, or an IPv6 network of hosts; now and then two of them are taken for one.
 */
static uint8_t peer_of(const struct sockaddr_storage *from)
{
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;

	memcpy(&v4, from, sizeof(v4));
	memcpy(&v6, from, sizeof(v6));
	return from->ss_family == AF_INET6 ? hash(&v6.sin6_addr, 8)
					   : hash(&v4.sin_addr, sizeof(v4.sin_addr));
}

static void welcome(struct door *door, int fd, const struct sockaddr_storage *from)
{
	struct visitor *v = xcalloc(1, sizeof(*v));

	*v = (struct visitor){.door = door,
		.peer = peer_of(from),
		.came = loop_now(door->loop),
		.fd = fd,
		.asking_fd = -1};
	if (door->tls)
		v->tls = tls_accept(door->tls, fd);
	if ((door->tls && !v->tls) ||
		loop_io_start(door->loop, &v->io, fd, EPOLLIN, on_visitor) < 0) {
		tls_close(v->tls);
		close(fd);
		free(v);
		return;
	}
	TAILQ_INSERT_TAIL(&door->visitors, v, entries);
	door->n_visitors++;
	door->n_of[v->peer]++;
	enter(v, door->tls ? GREETED : HEARD, HEAR_LIMIT, EPOLLIN);
}

static void on_room(struct loop_timer *timer)
{
	loop_io_want(&container_of(timer, struct door, full)->io, EPOLLIN);
}

static void on_knock(struct loop_io *io, uint32_t ready)
{
	struct door *door = container_of(io, struct door, io);

	(void)ready;
	for (int i = 0; i < ACCEPT_MAX; i++) {
		struct sockaddr_storage from = {0};
		socklen_t size = sizeof(from);
		int fd = accept4(
			door->fd, (struct sockaddr *)&from, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0 && (errno == EMFILE || errno == ENFILE)) {
			loop_io_want(io, 0); /* it would be ready all the time */
			loop_timer_after(door->loop, &door->full, FULL_PAUSE, on_room);
		}
		if (fd < 0)
			return;
		if (door->n_visitors == VISITORS_MAX)
			visitor_free(pick(door));
		welcome(door, fd, &from);
	}
}

/* Life */

static void on_end(struct loop_io *io, uint32_t ready)
{
	(void)ready;
	loop_stop(container_of(io, struct door, end)->loop, 0);
}

static void *run(void *data)
{
	const struct door *door = data;

	loop_run(door->loop);
	return NULL;
}

socklen_t door_address(const struct prefix *host, uint16_t port, struct sockaddr_storage *out)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)out;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;

	*out = (struct sockaddr_storage){.ss_family = host->family};
	if (host->family == AF_INET) {
		v4->sin_port = htons(port);
		memcpy(&v4->sin_addr, host->addr, sizeof(v4->sin_addr));
		return sizeof(*v4);
	}
	v6->sin6_port = htons(port);
	memcpy(&v6->sin6_addr, host->addr, sizeof(v6->sin6_addr));
	return sizeof(*v6);
}

static int listen_at(const struct prefix *host, uint16_t port)
{
	const int on = 1, defer_s = 1;
	struct sockaddr_storage address;
	socklen_t size = door_address(host, port, &address);
	int fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
	int r;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	/* A connection without a word comes a second later. */
	setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &defer_s, sizeof(defer_s));
	if (host->family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&address, size) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	r = -errno;
	close(fd);
	return r;
}

int door_new(const struct prefix *host, uint16_t listen_port, struct tls *tls, uint16_t port,
	bool (*is_probe)(const char *path), struct door **out)
{
	int fd = listen_at(host, listen_port), r;
	struct door *door;

	if (fd < 0)
		return fd;
	door = xcalloc(1, sizeof(*door));
	*door = (struct door){
		.loop = loop_new(), .tls = tls, .is_probe = is_probe, .port = port, .fd = fd};
	TAILQ_INIT(&door->visitors);
	pthread_mutex_init(&door->lock, NULL);
	door->end_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = loop_io_start(door->loop, &door->end, door->end_fd, EPOLLIN, on_end);
	if (r == 0)
		r = loop_io_start(door->loop, &door->io, fd, EPOLLIN, on_knock);
	if (r < 0)
		abort(); /* no descriptors left at the start */
	*out = door;
	return 0;
}

void door_turn(struct door *door, int timeout_ms)
{
	loop_turn(door->loop, timeout_ms);
}

void door_open(struct door *door)
{
	if (pthread_create(&door->thread, NULL, run, door) != 0)
		abort(); /* no threads left at the start */
	door->open = true;
}

struct door *door_free(struct door *door)
{
	const uint64_t one = 1;
	struct visitor *v, *next;

	if (!door)
		return NULL;
	(void)!write(door->end_fd, &one, sizeof(one)); /* cannot fail below 2^64 */
	if (door->open)
		pthread_join(door->thread, NULL);
	for (v = TAILQ_FIRST(&door->visitors); v; v = next) {
		next = TAILQ_NEXT(v, entries);
		visitor_free(v);
	}
	loop_timer_stop(&door->full);
	loop_job_stop(&door->serve);
	loop_io_stop(&door->io);
	loop_io_stop(&door->end);
	close(door->fd);
	close(door->end_fd);
	loop_free(door->loop);
	pthread_mutex_destroy(&door->lock);
	free(door);
	return NULL;
}

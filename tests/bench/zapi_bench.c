/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two clients of zebra's socket that do the same on demand: ours, by the promises of zapi.h alone;
 * and the limit, which writes octets that were made before the clock started, counts what comes
 * back, and knows nothing else.
 *
 *   zapi_bench ours|raw|raw-feed openfabric|static SOCKET
 *
 * Says "ready", and then to each line of its input, once zebra has confirmed it,
 *
 *   add FIRST N     announce N routes: 10.96.0.0/32 plus FIRST and those that follow
 *   del FIRST N     withdraw them
 *   see 0 N         raw: send nothing, but wait until N routes have come, whoever announces them
 *   miss 0 N        raw: the same, until N have gone
 *
 * "done WHEN SECONDS CPU": the wall clock when it began, the time it took, and that of the
 * processor that it took us. At the end of its input it takes away what it had announced. zebra
 * confirms with openfabric by owner notifications, with static by its feed; raw-feed has zebra send
 * the feed of openfabric as well, and passes over it.
 */
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <time.h>

#include <cosmolet/buf.h>
#include <cosmolet/zapi.h>

#define ROUTES_MAX    1000000
#define FIRST_ADDRESS 0x0a600000u /* 10.96.0.0 */
#define TAG           4711
#define DISTANCE      20
#define LIMIT_MS      300000 /* of zebra's silence */

static void printf_like(1, 2) __attribute__((noreturn)) die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("zapi_bench: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	exit(1);
}

/* what both have in common */

enum action { ADD, DEL, SEE, MISS, N_ACTIONS };

struct command {
	enum action action;
	size_t first;
	size_t n;
};

/* NAME FIRST N */
static struct command parse(const char *line)
{
	static const char *const names[N_ACTIONS] = {"add ", "del ", "see ", "miss "};
	struct command c = {.action = ADD};
	char *end;

	while (c.action < N_ACTIONS && strncmp(line, names[c.action], strlen(names[c.action])) != 0)
		c.action++;
	if (c.action == N_ACTIONS)
		die("not a command: %s", line);
	c.first = strtoul(line + strlen(names[c.action]), &end, 10);
	c.n = strtoul(end, &end, 10);
	if (strcmp(end, "\n") != 0 || c.n == 0 || c.n > ROUTES_MAX || c.first > ROUTES_MAX - c.n)
		die("not routes: %s", line);
	return c;
}

struct stretch {
	double wall;
	clock_t cpu;
	struct mono begun;
};

static struct stretch stretch_begin(void)
{
	return (struct stretch){wall_now(), clock(), mono_now()};
}

static void stretch_end(const struct stretch *s)
{
	double seconds = mono_to_s(mono_sub(mono_now(), s->begun));

	printf("done %.6f %.6f %.6f\n", s->wall, seconds,
		(double)(clock() - s->cpu) / CLOCKS_PER_SEC);
}

/* ours */

struct ours {
	struct loop *loop;
	struct zapi *zapi;
	struct loop_io input;
	struct command command;
	struct stretch stretch;
	size_t n_left; /* not confirmed yet */
	bool confirmed[ROUTES_MAX];
};

static struct prefix prefix_of(size_t index)
{
	uint32_t address = FIRST_ADDRESS + (uint32_t)index;

	return (struct prefix){AF_INET, 32,
		{(uint8_t)(address >> 24), (uint8_t)(address >> 16), (uint8_t)(address >> 8),
			(uint8_t)address}};
}

static size_t index_of(const struct prefix *prefix)
{
	const uint8_t *a = prefix->addr;

	return ((uint32_t)a[0] << 24 | a[1] << 16 | a[2] << 8 | a[3]) - FIRST_ADDRESS;
}

static bool confirms(enum action action, enum zapi_route_state state)
{
	if (action == ADD)
		return state == ZAPI_INSTALLED || state == ZAPI_REDISTRIBUTED;
	return state == ZAPI_GONE;
}

static void on_route(struct ours *o, const struct zapi_event *event)
{
	size_t index = index_of(&event->prefix);

	if (event->state == ZAPI_REJECTED)
		die("route %zu was rejected: %s", index, event->text);
	if (o->n_left == 0 || o->confirmed[index] || !confirms(o->command.action, event->state))
		return;
	o->confirmed[index] = true;
	if (--o->n_left == 0)
		stretch_end(&o->stretch);
}

static void carry_out(struct ours *o)
{
	o->n_left = o->command.n;
	o->stretch = stretch_begin();
	for (size_t i = o->command.first; i < o->command.first + o->command.n; i++) {
		struct zapi_route route = {prefix_of(i), TAG, 0};

		o->confirmed[i] = false;
		if (o->command.action == ADD)
			zapi_route_set(o->zapi, &route);
		else
			zapi_route_clear(o->zapi, &route.prefix);
	}
}

static void on_finished(void *data, bool ok)
{
	struct ours *o = data;

	loop_stop(o->loop, ok ? 0 : 1);
}

/* One line at a time: the next comes when this one is done. */
static void on_input(struct loop_io *io, uint32_t ready)
{
	struct ours *o = container_of(io, struct ours, input);
	char line[64];

	(void)ready;
	if (!fgets(line, sizeof(line), stdin)) {
		loop_io_stop(io);
		zapi_finish(o->zapi, ZAPI_FINISH_WITHDRAW, mono_ms(LIMIT_MS), on_finished, o);
		return;
	}
	o->command = parse(line);
	if (o->command.action > DEL)
		die("only raw can do that: %s", line);
	carry_out(o);
}

static void on_events(void *data)
{
	struct ours *o = data;
	struct zapi_event event;

	while (zapi_pop_event(o->zapi, &event)) {
		switch (event.type) {
		case ZAPI_EVENT_UP:
			zapi_complete(o->zapi);
			if (loop_io_start(o->loop, &o->input, STDIN_FILENO, EPOLLIN, on_input) < 0)
				die("the input cannot be polled");
			puts("ready");
			break;
		case ZAPI_EVENT_ROUTE: on_route(o, &event); break;
		case ZAPI_EVENT_DOWN:
		case ZAPI_EVENT_PROBLEM: die("%s", event.text);
		}
	}
}

static int be_ours(enum zapi_word word, const char *path)
{
	static const uint32_t tags[] = {TAG};
	struct zapi_options options = {.path = path,
		.word = word,
		.distance = DISTANCE,
		.stale_s = 60,
		.tags = tags,
		.n_tags = N_ELEMENTS(tags)};
	static struct ours o;
	int code;

	o.loop = loop_new();
	o.zapi = zapi_new(o.loop, &options, on_events, &o);
	code = loop_run(o.loop);
	o.zapi = zapi_free(o.zapi);
	o.loop = loop_free(o.loop);
	return code;
}

/* the limit */

#define HEADER_SIZE 10
#define ADD_SIZE    46
#define DEL_SIZE    28
#define IN_MAX      (1 << 20)
#define NO_VRF      0xffffffffu
#define INSTALLED   2
#define REMOVED     3

/* Of the releases in the laboratory, known by the number of ERROR. */
struct numbers {
	uint16_t error, hello, add, del, notify, redistribute, feed_add, feed_del, request;
	uint8_t openfabric, fixed;
};

static const struct numbers all_numbers[] = {
	{112, 18, 8, 9, 10, 11, 33, 34, 0, 26, 3},    /* 7.5 */
	{118, 18, 8, 9, 10, 11, 30, 31, 0, 26, 3},    /* 8.4 */
	{120, 19, 9, 10, 11, 12, 31, 32, 126, 27, 4}, /* 10.3, 10.7 */
};

struct raw {
	int fd;
	const struct numbers *numbers;
	bool is_own;
	bool has_feed;
	uint8_t type;
	uint8_t *in;
	size_t in_size;
	uint8_t *out;
	size_t out_size;
};

/* What is awaited: messages of that number, and of that note if they are notifications. */
struct awaited {
	uint16_t command;
	uint32_t note;
};

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static bool is_awaited(const uint8_t *message, const struct awaited *awaited, bool is_notify)
{
	uint32_t note; /* in the host's order */

	if (get16(message + 8) != awaited->command)
		return false;
	memcpy(&note, message + HEADER_SIZE, sizeof(note));
	return !is_notify || note == awaited->note;
}

/* How many of those awaited arrived. */
static size_t receive(struct raw *c, const struct awaited *awaited)
{
	bool is_notify = c->numbers && awaited->command == c->numbers->notify;
	size_t at = 0, n = 0, size;
	ssize_t got = recv(c->fd, c->in + c->in_size, IN_MAX - c->in_size, MSG_DONTWAIT);

	if (got <= 0)
		die("zebra is gone");
	c->in_size += (size_t)got;
	while (c->in_size - at >= HEADER_SIZE) {
		size = get16(c->in + at);
		if (size < HEADER_SIZE)
			die("not ZAPI");
		if (size > c->in_size - at)
			break;
		n += is_awaited(c->in + at, awaited, is_notify);
		at += size;
	}
	c->in_size -= at;
	memmove(c->in, c->in + at, c->in_size);
	return n;
}

/* Sends what was written and waits for n of those awaited. */
static void exchange(struct raw *c, const struct awaited *awaited, size_t n)
{
	const uint8_t *out = c->out;
	size_t got;

	while (n > 0 || c->out_size > 0) {
		struct pollfd p = {c->fd, POLLIN, 0};
		ssize_t sent;

		if (c->out_size > 0)
			p.events |= POLLOUT;
		if (poll(&p, 1, LIMIT_MS) <= 0)
			die("zebra is silent: %zu confirmations are missing", n);
		if (p.revents & POLLOUT) {
			sent = send(c->fd, out, c->out_size, MSG_DONTWAIT | MSG_NOSIGNAL);
			if (sent < 0 && errno != EAGAIN)
				die("zebra is gone");
			out += MAX(sent, 0);
			c->out_size -= (size_t)MAX(sent, 0);
		}
		if (p.revents & ~POLLOUT) {
			got = receive(c, awaited);
			n -= MIN(got, n);
		}
	}
}

static struct writer begin(struct raw *c, size_t size, uint32_t vrf, uint16_t command)
{
	struct writer w = writer_over(c->out + c->out_size, size);

	c->out_size += size;
	wr_u16(&w, (uint16_t)size);
	wr_u8(&w, 254);
	wr_u8(&w, 6);
	wr_u32(&w, vrf);
	wr_u16(&w, command);
	return w;
}

static void write_hello(struct raw *c)
{
	bool is_old = c->numbers->hello == 18;
	struct writer w = begin(c, HEADER_SIZE + (is_old ? 9 : 8), 0, c->numbers->hello);

	wr_u8(&w,
		c->is_own ? c->type : 0); /* with static's own type, zebra would flush staticd's */
	wr_zero(&w, 6);
	if (is_old)
		wr_u8(&w, c->is_own); /* owner notifications */
	wr_u8(&w, 0);
	if (c->is_own && c->numbers->request) {
		w = begin(c, HEADER_SIZE + 1, 0, c->numbers->request);
		wr_u8(&w, 1);
	}
}

static void write_subscription(struct raw *c)
{
	struct writer w = begin(c, HEADER_SIZE + 4, 0, c->numbers->redistribute);

	wr_u8(&w, 1); /* IPv4 */
	wr_u8(&w, c->type);
	wr_u16(&w, 0);
}

static void write_route(struct raw *c, enum action action, size_t index)
{
	struct writer w = action == ADD ? begin(c, ADD_SIZE, 0, c->numbers->add)
					: begin(c, DEL_SIZE, 0, c->numbers->del);

	wr_u8(&w, c->type);
	wr_u16(&w, 0);
	wr_u32(&w, 0);
	wr_u32(&w, action == ADD ? 0x0f : 0); /* nexthop, distance, metric, tag */
	wr_u8(&w, 1);                         /* unicast */
	wr_u8(&w, AF_INET);
	wr_u8(&w, 32);
	wr_u32(&w, FIRST_ADDRESS + (uint32_t)index);
	if (action != ADD)
		return;
	wr_u16(&w, 1);
	wr_u32(&w, 0);
	wr_u8(&w, 6); /* blackhole */
	wr_u8(&w, 0);
	wr_u8(&w, 1);
	wr_u8(&w, DISTANCE);
	wr_u32(&w, 0);
	wr_u32(&w, TAG);
}

/* zebra refuses what is sent to a VRF that cannot be, and so says that it has read all before. */
static void write_probe(struct raw *c)
{
	begin(c, HEADER_SIZE, NO_VRF, 0xffff);
}

static void receive_exactly(struct raw *c, uint8_t *out, size_t size)
{
	if (recv(c->fd, out, size, MSG_WAITALL) != (ssize_t)size)
		die("zebra is gone");
}

/* The number of the answer to a first probe; others may leave at this moment and be told of. */
static uint16_t first_error(struct raw *c)
{
	static const uint8_t no_vrf[] = {0xff, 0xff, 0xff, 0xff};
	uint8_t *message = c->in;

	write_probe(c);
	exchange(c, &(struct awaited){0}, 0);
	do {
		receive_exactly(c, message, HEADER_SIZE);
		if (get16(message) < HEADER_SIZE)
			die("not ZAPI");
		receive_exactly(c, message + HEADER_SIZE, get16(message) - HEADER_SIZE);
	} while (memcmp(message + 4, no_vrf, sizeof(no_vrf)) != 0);
	return get16(message + 8);
}

static void greet(struct raw *c)
{
	uint16_t error = first_error(c);

	for (size_t i = 0; i < N_ELEMENTS(all_numbers); i++) {
		if (all_numbers[i].error == error)
			c->numbers = &all_numbers[i];
	}
	if (!c->numbers)
		die("ERROR is message %u: not a release of the laboratory", error);
	c->type = c->is_own ? c->numbers->openfabric : c->numbers->fixed;
	write_hello(c);
	if (c->has_feed)
		write_subscription(c);
	write_probe(c);
	exchange(c, &(struct awaited){error, 0}, 1);
}

static struct awaited confirmation(const struct raw *c, enum action action)
{
	bool comes = action == ADD || action == SEE;

	if (c->is_own)
		return (struct awaited){c->numbers->notify, comes ? INSTALLED : REMOVED};
	return (struct awaited){comes ? c->numbers->feed_add : c->numbers->feed_del, 0};
}

static void obey(struct raw *c, const struct command *command)
{
	struct awaited awaited = confirmation(c, command->action);
	struct stretch stretch;

	for (size_t i = 0; command->action <= DEL && i < command->n; i++)
		write_route(c, command->action, command->first + i);
	stretch = stretch_begin();
	exchange(c, &awaited, command->n);
	stretch_end(&stretch);
}

static int be_raw(bool is_own, bool has_feed, const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct raw c = {.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0),
		.is_own = is_own,
		.has_feed = has_feed,
		.in = xmalloc(IN_MAX),
		.out = xmalloc((size_t)ROUTES_MAX * ADD_SIZE)};
	char line[64];

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (c.fd < 0 || connect(c.fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		die("%s: %s", path, strerrordesc_np(errno));
	greet(&c);
	puts("ready");
	while (fgets(line, sizeof(line), stdin)) {
		struct command command = parse(line);

		if (command.action > DEL && is_own)
			die("only static has a feed: %s", line);
		obey(&c, &command);
	}
	close(c.fd); /* of an own type zebra then flushes all; static's are for the caller */
	free(c.in);
	free(c.out);
	return 0;
}

int main(int argc, char **argv)
{
	static const char *const kinds[] = {"ours", "raw", "raw-feed"};
	const char *kind = argc == 4 ? argv[1] : "";
	enum zapi_word word;
	uint16_t instance;
	size_t k = 0;

	while (k < N_ELEMENTS(kinds) && strcmp(kind, kinds[k]) != 0)
		k++;
	if (k == N_ELEMENTS(kinds) || !zapi_word_parse(argv[2], &word, &instance) ||
		(word != ZAPI_OPENFABRIC && word != ZAPI_STATIC))
		die("usage: zapi_bench ours|raw|raw-feed openfabric|static SOCKET");
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (k == 0)
		return be_ours(word, argv[3]);
	return be_raw(word == ZAPI_OPENFABRIC, word == ZAPI_STATIC || k == 2, argv[3]);
}

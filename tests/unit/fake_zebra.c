/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A zebra of any release. It reads what the client's encoder wrote with readers of its own, so that
 * both sides would have to be wrong in the same way to agree.
 */
#include "fake_zebra.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "unit.h"

size_t unhex(const char *text, uint8_t *out, size_t room)
{
	size_t n = 0;

	for (; *text; text++) {
		char pair[3] = {text[0], text[1], '\0'};

		if (isspace((unsigned char)*text))
			continue;
		assert(n < room && isxdigit((unsigned char)text[1]));
		out[n++] = (uint8_t)strtoul(pair, NULL, 16);
		text++;
	}
	return n;
}

static void write_header(struct writer *w, size_t body, uint32_t vrf, uint16_t command)
{
	wr_u16(w, (uint16_t)(WIRE_HEADER_SIZE + body));
	wr_u8(w, 254);
	wr_u8(w, 6);
	wr_u32(w, vrf);
	wr_u16(w, command);
}

void fake_write_error(
	struct writer *w, enum release release, uint16_t number, uint32_t vrf, uint32_t code)
{
	write_header(w, 4, vrf, number ? number : release_fact(release, MSG_ERROR));
	wr_bytes(w, &code, sizeof(code)); /* the one field in the host's byte order */
}

void fake_write_capabilities(struct writer *w, uint16_t number, size_t size)
{
	write_header(w, size, 0, number);
	wr_zero(w, size);
}

void fake_write_vrf_add(struct writer *w, uint16_t number, size_t size)
{
	write_header(w, size, 0, number);
	wr_zero(w, size);
}

void fake_write_feed(
	struct writer *w, enum release release, const struct fake_route *route, bool add)
{
	size_t start = wr_size(w);

	wire_write_route_add(w, release_only(release), &route->kind, &route->route);
	wr_u16_at(w, start + 8,
		release_fact(
			release, add ? MSG_REDISTRIBUTE_ROUTE_ADD : MSG_REDISTRIBUTE_ROUTE_DEL));
}

static void write_notify(struct writer *w, enum release release, uint32_t vrf, enum wire_note note,
	const struct prefix *prefix)
{
	size_t octets = family_octets(prefix->family);
	size_t size = release_fact(release, octets == 4 ? SIZE_NOTIFY_4 : SIZE_NOTIFY_6);
	uint32_t code = note;

	write_header(w, size, vrf, release_fact(release, MSG_ROUTE_NOTIFY_OWNER));
	wr_bytes(w, &code, sizeof(code));
	wr_u8(w, prefix->family);
	wr_u8(w, prefix->len);
	wr_bytes(w, prefix->addr, octets);
	wr_zero(w, size - 6 - octets);
}

static void flush(struct fake_zebra *z)
{
	size_t size = z->out_size;

	z->out_size = 0;
	if (size > 0)
		assert(send(z->fd, z->out, size, MSG_NOSIGNAL) == (ssize_t)size || errno == EPIPE);
}

void fake_zebra_send(struct fake_zebra *z, const void *data, size_t size)
{
	bool cut = z->close_after >= 0 && z->n_sent + (long)size >= z->close_after;

	if (z->fd < 0)
		return;
	if (cut)
		size = (size_t)(z->close_after - z->n_sent);
	z->n_sent += (long)size;
	assert(size <= sizeof(z->out) - z->out_size);
	memcpy(z->out + z->out_size, data, size);
	z->out_size += size;
	if (cut || !z->reads)
		flush(z);
	if (cut)
		fake_zebra_hang_up(z);
}

void fake_zebra_hang_up(struct fake_zebra *z)
{
	if (z->fd < 0)
		return;
	loop_io_stop(&z->io);
	close(z->fd);
	z->fd = -1;
	z->out_size = 0;
}

static void send_writer(struct fake_zebra *z, const struct writer *w)
{
	assert(!w->failed);
	if (!z->silent)
		fake_zebra_send(z, w->start, wr_size(w));
}

/* A message that nobody asked for: an interface, in a VRF of its own. */
static void chat(struct fake_zebra *z)
{
	uint8_t data[64];
	struct writer w = writer_over(data, sizeof(data));

	if (!z->chatty)
		return;
	write_header(&w, 20, 7, 4);
	wr_zero(&w, 20);
	write_header(&w, 7, 0, 2);
	wr_zero(&w, 7);
	send_writer(z, &w);
}

static void answer_error(struct fake_zebra *z, uint32_t vrf, enum wire_error code)
{
	uint8_t data[32];
	struct writer w = writer_over(data, sizeof(data));

	chat(z);
	fake_write_error(&w, z->release, z->error, vrf, code);
	send_writer(z, &w);
}

/* Of the one VRF besides the default one. */
static void tell_vrf(struct fake_zebra *z, enum fact number)
{
	uint8_t data[128], *name;
	size_t size = release_fact(z->release, SIZE_VRF_ADD);
	struct writer w = writer_over(data, sizeof(data));

	write_header(&w, size, z->vrf, release_fact(z->release, number));
	wr_zero(&w, size);
	name = data + wr_size(&w) - WIRE_VRF_NAME_MAX;
	memcpy(name, z->vrf_name, MIN(strlen(z->vrf_name), (size_t)WIRE_VRF_NAME_MAX));
	send_writer(z, &w);
}

static void answer_hello(struct fake_zebra *z, struct reader body)
{
	uint8_t data[256], type;
	struct writer w = writer_over(data, sizeof(data));
	size_t size = release_fact(z->release, SIZE_HELLO);

	if (rd_left(&body) < size || !rd_u8(&body, &type))
		return;
	z->synchronous = body.pos[size - 2];
	if (z->synchronous)
		return;
	z->hello_type = type;
	chat(z);
	fake_write_capabilities(&w, release_fact(z->release, MSG_CAPABILITIES),
		release_fact(z->release, SIZE_CAPABILITIES));
	send_writer(z, &w);
	chat(z);
	w = writer_over(data, sizeof(data));
	fake_write_vrf_add(
		&w, release_fact(z->release, MSG_VRF_ADD), release_fact(z->release, SIZE_VRF_ADD));
	send_writer(z, &w);
	if (z->vrf_name)
		tell_vrf(z, MSG_VRF_ADD);
}

void fake_zebra_delete_vrf(struct fake_zebra *z)
{
	tell_vrf(z, MSG_VRF_DELETE);
	z->vrf_name = NULL;
}

static void answer_router_id(struct fake_zebra *z, uint32_t vrf)
{
	static const uint8_t body[] = {AF_INET, 192, 0, 2, 1, 32};
	uint8_t data[32];
	struct writer w = writer_over(data, sizeof(data));

	write_header(&w, sizeof(body), vrf, release_fact(z->release, MSG_ROUTER_ID_UPDATE));
	wr_bytes(&w, body, sizeof(body));
	send_writer(z, &w);
}

static void tell(struct fake_zebra *z, const struct fake_route *route, bool add)
{
	uint8_t data[128];
	struct writer w = writer_over(data, sizeof(data));

	if (!z->subscribed[route->route.prefix.family == AF_INET6] || z->mute_feed ||
		route->kind.type != z->feed_type)
		return;
	fake_write_feed(&w, z->release, route, add);
	send_writer(z, &w);
}

static void subscribe(struct fake_zebra *z, struct reader body)
{
	uint8_t afi;

	if (!rd_u8(&body, &afi) || !rd_u8(&body, &z->feed_type))
		return;
	z->subscribed[afi == 2] = true;
	chat(z);
	for (size_t i = 0; i < z->n_routes; i++) {
		if ((z->routes[i].route.prefix.family == AF_INET6) == (afi == 2))
			tell(z, &z->routes[i], true);
	}
}

static void unsubscribe(struct fake_zebra *z, struct reader body)
{
	uint8_t afi;

	if (rd_u8(&body, &afi))
		z->subscribed[afi == 2] = false;
}

void fake_zebra_notify(struct fake_zebra *z, enum wire_note note, const struct prefix *prefix)
{
	uint8_t data[64];
	struct writer w = writer_over(data, sizeof(data));

	if (z->mute_notes)
		return;
	write_notify(&w, z->release, z->vrf_name ? z->vrf : 0, note, prefix);
	send_writer(z, &w);
}

static size_t place(const struct fake_zebra *z, const struct prefix *prefix)
{
	size_t i = 0;

	while (i < z->n_routes && prefix_cmp(&z->routes[i].route.prefix, prefix) != 0)
		i++;
	return i;
}

const struct fake_route *fake_zebra_find(const struct fake_zebra *z, const struct prefix *prefix)
{
	size_t i = place(z, prefix);

	return i < z->n_routes ? &z->routes[i] : NULL;
}

void fake_zebra_add(struct fake_zebra *z, const struct fake_route *route)
{
	size_t i = place(z, &route->route.prefix);

	if (i == FAKE_N_ROUTES)
		return;
	z->n_routes = MAX(z->n_routes, i + 1);
	z->routes[i] = *route;
	tell(z, route, true);
}

void fake_zebra_delete(struct fake_zebra *z, const struct prefix *prefix)
{
	size_t i = place(z, prefix);
	struct fake_route route;

	if (i == z->n_routes)
		return;
	route = z->routes[i];
	z->routes[i] = z->routes[--z->n_routes];
	tell(z, &route, false);
}

/* What we know to be the layout of the one kind of route that the client sends. */
static bool read_route(struct reader r, uint32_t vrf, bool add, struct fake_route *out)
{
	uint32_t flags, bits, nexthop_vrf;
	uint16_t n_nexthops;
	uint8_t safi, nexthop_type, nexthop_flags;
	struct prefix *prefix = &out->route.prefix;

	*out = (struct fake_route){.kind.vrf = vrf};
	if (!rd_u8(&r, &out->kind.type) || !rd_u16(&r, &out->kind.instance) ||
		!rd_u32(&r, &flags) || !rd_u32(&r, &bits) || !rd_u8(&r, &safi) || safi != 1 ||
		!rd_u8(&r, &prefix->family) || !rd_u8(&r, &prefix->len) ||
		!rd_bytes(&r, prefix->addr, (prefix->len + 7u) / 8))
		return false;
	if (!add)
		return (bits & ~0x106u) == 0 && (!(bits & 0x02) || rd_u8(&r, &out->kind.distance));
	if ((bits & 0x0f) != 0x0f || !rd_u16(&r, &n_nexthops) || n_nexthops != 1 ||
		!rd_u32(&r, &nexthop_vrf) || nexthop_vrf != vrf || !rd_u8(&r, &nexthop_type) ||
		!rd_u8(&r, &nexthop_flags) || nexthop_flags != 0 ||
		!rd_skip(&r, nexthop_type == 6 ? 1 : 4))
		return false;
	return rd_u8(&r, &out->kind.distance) && rd_u32(&r, &out->route.metric) &&
	       rd_u32(&r, &out->route.tag);
}

/* Static routes are told apart by their distance. */
static bool has_distance(const struct fake_zebra *z, const struct fake_route *route)
{
	const struct fake_route *there = fake_zebra_find(z, &route->route.prefix);

	return there && there->kind.distance == route->kind.distance;
}

static void take_route(struct fake_zebra *z, const struct wire_frame *frame, bool add)
{
	struct fake_route route;
	bool own, is_static;

	assert(read_route(frame->body, frame->vrf, add, &route));
	is_static = route.kind.type == release_fact(z->release, TYPE_STATIC);
	own = z->hello_type && route.kind.type == z->hello_type;
	if (add)
		fake_zebra_add(z, &route);
	else if (!is_static || has_distance(z, &route))
		fake_zebra_delete(z, &route.route.prefix);
	if (own)
		fake_zebra_notify(z, add ? WIRE_INSTALLED : WIRE_REMOVED, &route.route.prefix);
}

static void take(struct fake_zebra *z, const struct wire_frame *frame)
{
	enum release r = z->release;

	if (z->n_commands < FAKE_N_COMMANDS)
		z->commands[z->n_commands++] = frame->command;
	if (frame->vrf != 0 && !(z->vrf_name && frame->vrf == z->vrf))
		answer_error(z, frame->vrf, WIRE_ERROR_NO_VRF);
	else if (frame->command == release_fact(r, MSG_HELLO))
		answer_hello(z, frame->body);
	else if (frame->command == release_fact(r, MSG_ROUTER_ID_ADD))
		answer_router_id(z, frame->vrf);
	else if (frame->command == release_fact(r, MSG_REDISTRIBUTE_ADD))
		subscribe(z, frame->body);
	else if (frame->command == release_fact(r, MSG_REDISTRIBUTE_DELETE))
		unsubscribe(z, frame->body);
	else if (frame->command == release_fact(r, MSG_ROUTE_ADD))
		take_route(z, frame, true);
	else if (frame->command == release_fact(r, MSG_ROUTE_DELETE))
		take_route(z, frame, false);
	else if (frame->command != release_fact(r, MSG_CLIENT_CAPABILITIES) &&
		 frame->command != release_fact(r, MSG_ROUTE_NOTIFY_REQUEST))
		answer_error(z, 0, WIRE_ERROR_NO_COMMAND);
}

static void on_io(struct loop_io *io, uint32_t ready)
{
	struct fake_zebra *z = container_of(io, struct fake_zebra, io);
	struct reader r;
	struct wire_frame frame;
	ssize_t n;

	(void)ready;
	if (z->deaf) {
		loop_io_want(io, 0);
		return;
	}
	n = recv(z->fd, z->in + z->in_size, sizeof(z->in) - z->in_size, 0);
	if (n <= 0) {
		fake_zebra_hang_up(z);
		return;
	}
	z->in_size += (size_t)n;
	r = reader_over(z->in, z->in_size);
	z->reads = true;
	while (z->fd >= 0 && wire_next(&r, &frame) == 0)
		take(z, &frame);
	z->reads = false;
	flush(z);
	z->in_size = rd_left(&r);
	memmove(z->in, r.pos, z->in_size);
}

static void on_accept(struct loop_io *io, uint32_t ready)
{
	struct fake_zebra *z = container_of(io, struct fake_zebra, listener_io);
	int fd = accept4(z->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)ready;
	assert(fd >= 0);
	fake_zebra_hang_up(z);
	z->fd = fd;
	z->n_accepted++;
	z->in_size = 0;
	z->n_sent = 0;
	z->hello_type = 0;
	z->subscribed[0] = z->subscribed[1] = false;
	assert(loop_io_start(z->loop, &z->io, fd, EPOLLIN, on_io) == 0);
	if (z->greeting)
		fake_zebra_send(z, z->greeting, strlen(z->greeting));
}

struct fake_zebra *fake_zebra_new(struct loop *loop, enum release release)
{
	struct fake_zebra *z = xcalloc(1, sizeof(*z));
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	z->loop = loop;
	z->release = release;
	z->fd = -1;
	z->close_after = -1;
	z->directory = unit_template("fake-zebra");
	assert(mkdtemp(z->directory));
	z->path = xasprintf("%s/zserv.api", z->directory);
	assert(strlen(z->path) < sizeof(address.sun_path));
	memcpy(address.sun_path, z->path, strlen(z->path));
	z->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	assert(bind(z->listener, (struct sockaddr *)&address, sizeof(address)) == 0);
	assert(listen(z->listener, 5) == 0);
	assert(loop_io_start(loop, &z->listener_io, z->listener, EPOLLIN, on_accept) == 0);
	return z;
}

struct fake_zebra *fake_zebra_free(struct fake_zebra *z)
{
	fake_zebra_hang_up(z);
	loop_io_stop(&z->listener_io);
	close(z->listener);
	unlink(z->path);
	rmdir(z->directory);
	free(z->path);
	free(z->directory);
	free(z);
	return NULL;
}

size_t fake_zebra_told(const struct fake_zebra *z, uint16_t command)
{
	size_t n = 0;

	for (size_t i = 0; i < z->n_commands; i++)
		n += z->commands[i] == command;
	return n;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whatever zebra's socket says, into a whole client. The first octet chooses the word, and whether
 * the client has a VRF or only looks; the second how many octets arrive at a time; the rest is the
 * stream. Between them the owner wants and
 * unwants routes.
 */
#include <assert.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

#include <cosmolet/zapi.h>

#include "client.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define N_WORDS (ZAPI_CONNECTED + 1)

static const uint32_t tags[] = {4711, 4712};

struct run {
	struct loop *loop;
	struct zapi *zapi;
	int peer;
};

static void on_events(void *data)
{
	struct run *run = data;
	struct zapi_event event;

	while (zapi_pop_event(run->zapi, &event)) {
		assert(memchr(event.text, '\0', sizeof(event.text)));
		assert(event.type != ZAPI_EVENT_ROUTE ||
			event.prefix.len <= family_bits(event.prefix.family));
	}
}

static void owner_acts(struct run *run, unsigned step)
{
	struct zapi_route route = {.tag = 4711 + step % 3, .metric = step};
	struct zapi_status status;
	auto_free struct zapi_feed_route *feed = NULL;

	if (!prefix_parse_host(step % 2 ? "10.9.9.9" : "fd00::9", &route.prefix))
		abort();
	if (step % 3)
		zapi_route_set(run->zapi, &route);
	else
		zapi_route_clear(run->zapi, &route.prefix);
	if (step == 4)
		zapi_complete(run->zapi);
	zapi_status(run->zapi, &status);
	assert(zapi_feed(run->zapi, &feed) == status.n_feed);
	assert(status.queue_bytes < 100000 && status.n_redistributed <= status.n_routes);
}

static void feed(struct run *run, const uint8_t *data, size_t size)
{
	uint8_t drain[4096];

	if (send(run->peer, data, size, MSG_NOSIGNAL) < 0)
		return;
	for (int i = 0; i < 3; i++)
		loop_turn(run->loop, 0);
	while (recv(run->peer, drain, sizeof(drain), MSG_DONTWAIT) > 0)
		;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct zapi_options options = {.path = "/nonexistent/zserv.api",
		.distance = 20,
		.stale_s = 120,
		.tags = tags,
		.n_tags = N_ELEMENTS(tags)};
	struct run run = {.loop = loop_new()};
	int fds[2];
	size_t chunk;

	if (size < 2 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) < 0) {
		run.loop = loop_free(run.loop);
		return 0;
	}
	options.word = (enum zapi_word)(data[0] % N_WORDS);
	options.vrf = data[0] / N_WORDS % 3 == 1 ? "tenant" : NULL;
	options.observe = data[0] / N_WORDS % 3 == 2;
	options.instance = options.word >= ZAPI_OSPF && options.word <= ZAPI_TABLE_DIRECT ? 100 : 0;
	chunk = 1 + (size_t)data[1] * 16;
	run.peer = fds[1];
	run.zapi = zapi_new(run.loop, &options, on_events, &run);
	zapi_attach(run.zapi, fds[0]);
	size -= 2;
	for (size_t at = 0; at < size; at += chunk) {
		feed(&run, data + 2 + at, MIN(chunk, size - at));
		owner_acts(&run, (unsigned)(at / chunk));
	}
	run.zapi = zapi_free(run.zapi);
	run.loop = loop_free(run.loop);
	close(run.peer);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The zapi library's whole life in one program: announces one prefix through zebra, tells what
 * zebra says of it, and withdraws it on SIGINT or SIGTERM.
 *
 *     announce_one /run/frr/zserv.api openfabric 192.0.2.7/32 [TAG]
 */
#include <inttypes.h>
#include <string.h>

#include <cosmolet/zapi.h>

struct example {
	struct loop *loop;
	struct zapi *zapi;
};

static void on_events(void *data)
{
	struct example *example = data;
	struct zapi_event event;
	char buf[PREFIX_STRLEN];

	while (zapi_pop_event(example->zapi, &event)) {
		if (event.type == ZAPI_EVENT_ROUTE)
			printf("%s: %s %s\n", prefix_text(&event.prefix, buf),
				zapi_route_state_text(event.state), event.text);
		else
			printf("%s %s\n",
				event.type == ZAPI_EVENT_UP ? "up" : "trouble:", event.text);
		fflush(stdout);
	}
}

static void on_withdrawn(void *data, bool ok)
{
	loop_stop(((struct example *)data)->loop, ok ? 0 : 1);
}

static void on_signal(void *data, int signo)
{
	struct example *example = data;

	(void)signo;
	zapi_finish(example->zapi, ZAPI_FINISH_WITHDRAW, mono_s(5), on_withdrawn, example);
}

int main(int argc, char **argv)
{
	struct zapi_options options = {.distance = 20, .stale_s = 60};
	struct zapi_route route = {.tag = argc > 4 ? (uint32_t)strtoul(argv[4], NULL, 10) : 4711};
	struct example example = {.loop = loop_new()};
	sigset_t signals;
	int code = 1;

	if (argc < 4 || !zapi_word_parse(argv[2], &options.word, &options.instance) ||
		!prefix_parse(argv[3], &route.prefix)) {
		fprintf(stderr, "usage: announce_one SOCKET WORD PREFIX [TAG]\n");
		return 2;
	}
	options.path = argv[1];
	options.tags = &route.tag; /* with static: which routes are ours */
	options.n_tags = 1;
	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, NULL); /* before any thread: they come by the loop */
	example.zapi = zapi_new(example.loop, &options, on_events, &example);
	zapi_route_set(example.zapi, &route);
	zapi_complete(example.zapi); /* that is all we want */
	if (loop_signals(example.loop, &signals, on_signal, &example) == 0)
		code = loop_run(example.loop);
	zapi_free(example.zapi);
	loop_free(example.loop);
	return code;
}

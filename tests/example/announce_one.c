/* SPDX-License-Identifier: Apache-2.0 */
/* The zapi library's whole life: announces a prefix, tells what zebra says, and withdraws it. */
#include <cosmolet/zapi.h>
#include <err.h>

static struct zapi *zapi;

static void on_events(void *data)
{
	struct zapi_event event;
	char buf[PREFIX_STRLEN];

	(void)data;
	while (zapi_pop_event(zapi, &event)) {
		if (event.type == ZAPI_EVENT_ROUTE)
			printf("%s: %s %s\n", prefix_text(&event.prefix, buf),
				zapi_route_state_text(event.state), event.text);
		else
			printf("%s %s\n",
				event.type == ZAPI_EVENT_UP ? "up" : "trouble:", event.text);
	}
}

static void on_withdrawn(void *data, bool ok)
{
	loop_stop(data, ok ? 0 : 1);
}

static void on_signal(void *data, int signo)
{
	printf("signal %d\n", signo);
	zapi_finish(zapi, ZAPI_FINISH_WITHDRAW, mono_s(5), on_withdrawn, data);
}

int main(int argc, char **argv)
{
	struct zapi_route route = {.tag = argc > 4 ? (uint32_t)strtoul(argv[4], NULL, 10) : 4711};
	struct zapi_options options = {.path = argv[1], .distance = 20, .stale_s = 60, .n_tags = 1};
	struct loop *loop = loop_new();
	sigset_t signals;
	int code = 1;

	if (argc < 4 || !zapi_word_parse(argv[2], &options.word, &options.instance) ||
		!prefix_parse(argv[3], &route.prefix))
		errx(2, "usage: announce_one /run/frr/zserv.api WORD PREFIX [TAG]");
	options.tags = &route.tag; /* with static: which routes are ours */
	setlinebuf(stdout);
	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, NULL); /* before any thread: they come by the loop */
	zapi = zapi_new(loop, &options, on_events, NULL);
	zapi_route_set(zapi, &route);
	zapi_complete(zapi); /* that is all we want */
	if (loop_signals(loop, &signals, on_signal, loop) == 0)
		code = loop_run(loop);
	zapi_free(zapi);
	loop_free(loop);
	return code;
}

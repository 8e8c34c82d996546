/* SPDX-License-Identifier: Apache-2.0 */
/* An API server that does what a script says, over plain HTTP on 127.0.0.1, from the test's loop.
 */
#pragma once

#include <sys/queue.h>

#include <cosmolet/loop.h>

enum fake_end {
	FAKE_CLOSE, /* the end of the answer */
	FAKE_HOLD,  /* goes on, see fake_api_push() */
	FAKE_RESET, /* breaks the connection */
};

struct fake_step;
struct fake_conn;

struct fake_api {
	struct loop *loop;
	struct loop_io io;
	int port;
	char *log; /* a line per request: "watch services ?…", with the token if one came */
	char *kubeconfig; /* the path of one that leads here */
	TAILQ_HEAD(, fake_step) steps;
	TAILQ_HEAD(, fake_conn) conns;
};

void fake_api_start(struct fake_api *api, struct loop *loop);
void fake_api_stop(struct fake_api *api);

/*
 * The next request of this kind ("list services", "watch pods") that no earlier step was for gets
 * this answer. Lists without a step are empty and of version 1, watches are open and silent.
 */
void fake_api_answer(struct fake_api *api, const char *kind, enum fake_end end, const char *head,
	const char *body);
/* The same with "HTTP/1.1 200 OK" as head. */
void fake_api_ok(struct fake_api *api, const char *kind, enum fake_end end, const char *body);

/* Sends more on the last open answer of that kind, and ends it as said. */
void fake_api_push(struct fake_api *api, const char *kind, enum fake_end end, const char *bytes);

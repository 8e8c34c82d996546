/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An API server that does what a script says, over HTTP on 127.0.0.1, plain or with TLS, from the
 * test's loop.
 */
#pragma once

#include <sys/queue.h>

#include <cosmolet/loop.h>

#include "fake_tls.h"

enum fake_end {
	FAKE_CLOSE, /* the end of the answer */
	FAKE_HOLD,  /* goes on, see fake_api_push() */
	FAKE_RESET, /* breaks the connection */
	FAKE_CUT,   /* ends it in silence, of which TLS can tell that it is too early */
};

struct fake_step;
struct fake_conn;

struct fake_api {
	struct loop *loop;
	struct loop_io io;
	struct fake_tls *tls; /* NULL: plain */
	bool raw; /* new connections have neither TLS nor HTTP: whatever comes is a "hello" */
	int port;
	unsigned n_accepted;
	unsigned n_requests;
	char *log; /* a line per request: "watch services ?…", with the token if one came */
	char *kubeconfig; /* the path of one that leads here */
	TAILQ_HEAD(, fake_step) steps;
	TAILQ_HEAD(, fake_conn) conns;
};

void fake_api_start(struct fake_api *api, struct loop *loop);
void fake_api_start_tls(struct fake_api *api, struct loop *loop);
void fake_api_stop(struct fake_api *api);

/*
 * The next request of this kind ("list services", "watch pods") that no earlier step was for gets
 * this answer. Lists without a step are empty and of version 1, watches are open and silent.
 */
void fake_api_answer(struct fake_api *api, const char *kind, enum fake_end end, const char *head,
	const char *body);
/* The same with "HTTP/1.1 200 OK" as head. */
void fake_api_ok(struct fake_api *api, const char *kind, enum fake_end end, const char *body);
/* The same with nothing but these octets, which may be any. */
void fake_api_octets(
	struct fake_api *api, const char *kind, enum fake_end end, const void *octets, size_t size);

/* The steps that are left for this kind. */
void fake_api_forget(struct fake_api *api, const char *kind);

/* Sends more on the last open answer of that kind, and ends it as said. */
void fake_api_push(struct fake_api *api, const char *kind, enum fake_end end, const char *bytes);

/*
 * Fails the test unless this was asked for, with the time limit taken out, which is random; of a
 * watch that is to end soon there is "&brief" instead.
 */
void fake_api_asked(struct fake_api *api, const char *expected);

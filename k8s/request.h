/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP requests to the API server, over one connection. All of libcurl is behind this. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cosmolet/loop.h>

#include "auth.h"

struct requests;
struct request;

#define REQUEST_ERROR_BODY_MAX 4096

/* How a request ended. Pointers live until the function returns. */
struct request_result {
	const char *failure;   /* NULL: the answer came to its end; else why it did not */
	bool silent;           /* because nothing came for too long, or no end */
	bool unanswered;       /* because no API server said anything */
	size_t server;         /* which of several it went to */
	long status;           /* HTTP; 0: no answer */
	const char *body;      /* of any status but 200: its beginning; "" if none */
	int64_t retry_after_s; /* -1: not given */
};

/* The functions are called from the loop; open and body must not start or cancel requests. */
struct request_options {
	const char *path;         /* with the query: "/api/v1/pods?watch=1"; copied */
	bool compressed;          /* lists are worth it; a watch is not compressed by any server */
	struct mono idle;         /* after so long without a byte it has failed */
	struct mono limit;        /* and after so long in any case */
	void (*open)(void *data); /* status 200 has come */
	bool (*body)(void *data, const char *bytes, size_t size); /* of a 200; false: enough */
	/* More of a 200 must come, and soon. NULL: nobody knows. */
	bool (*amid)(void *data);
	void (*done)(void *data, const struct request_result *result); /* and it is freed */
	void *data;
};

/* The auth must outlive it. Never NULL. */
struct requests *requests_new(struct loop *loop, struct auth *auth);
/* All requests must have been cancelled or done. Accepts NULL, returns NULL. */
struct requests *requests_free(struct requests *requests);

struct request *request_start(struct requests *requests, const struct request_options *options);
/* Calls nothing. Accepts NULL, returns NULL. */
struct request *request_cancel(struct request *request);
/* From now on it may be silent for so long. */
void request_set_idle(struct request *request, struct mono idle);

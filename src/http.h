/* SPDX-License-Identifier: Apache-2.0 */
/* All of civetweb: the server inside the daemon, and the client of the command line. */
#pragma once

#include <cosmolet/loop.h>
#include <cosmolet/prefix.h>

struct http;

struct http_answer {
	int status;
	const char *type; /* a literal: "application/json" */
	char *body;       /* for free(); never NULL */
	size_t size;
};

/* "192.0.2.1:80" or "[::1]:80". false: neither; the outputs are untouched. */
must_check bool http_parse_listen(const char *listen, struct prefix *out_host, uint16_t *out_port);

/* Answers one GET, on the loop's thread. query is "" without. */
typedef void http_answer_fn(
	void *data, const char *path, const char *query, struct http_answer *out);

/*
 * Listens on "ADDRESS:PORT". Signals must be blocked already: the server has threads. 0 and *out;
 * -EINVAL and *out_error (for free()) if it cannot listen there.
 */
must_check int http_new(struct loop *loop, const char *listen, http_answer_fn *answer, void *data,
	struct http **out, char **out_error);
/* Accepts NULL, returns NULL. */
struct http *http_free(struct http *http);

/*
 * GETs a path from a daemon. 0, *out_status and *out_body (for free()); or -EIO and *out_error (for
 * free()) if nobody answers.
 */
must_check int http_get(
	const char *listen, const char *path, int *out_status, char **out_body, char **out_error);
/* Encodes a value for a query. For free(). */
char *http_encode(const char *value);
/* The decoded value of a name in a query; NULL: not there. For free(). */
char *http_query(const char *query, const char *name);

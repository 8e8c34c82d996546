/* SPDX-License-Identifier: Apache-2.0 */
/* All of civetweb: the server inside the daemon, and the client of the command line. */
#pragma once

#include "tls.h"

#include <cosmolet/loop.h>
#include <cosmolet/prefix.h>

struct http;

struct http_request {
	const char *path;
	const char *query;  /* "" without; so are the others */
	const char *accept; /* the header */
};

struct http_answer;

/* A step of writing a long answer; true: it is complete, and *out filled in. */
typedef bool http_step_fn(void *work, struct http_answer *out);

struct http_answer {
	int status;
	const char *type; /* a literal: "application/json" */
	char *body;       /* for free(); never NULL */
	size_t size;
	const char *policy; /* Content-Security-Policy, a literal; NULL: none */
	/*
	 * Or, instead of all that: the answer is written step by step, one in a turn of the loop,
	 * which sees to its other work in between. end(work) frees what the steps work on.
	 */
	http_step_fn *step;
	void (*end)(void *work);
	void *work;
};

/*
 * "192.0.2.1:80", "[::1]:80", or "::1:80": the port must be there, so the last colon is the one
 * before it. false: none of these; the outputs are untouched.
 */
must_check bool http_parse_listen(const char *listen, struct prefix *out_host, uint16_t *out_port);

/* Answers one GET, on the loop's thread. */
typedef void http_answer_fn(
	void *data, const struct http_request *request, struct http_answer *out);

/* Whether anybody may ask for a path; on any thread. */
typedef bool http_open_fn(const char *path);

/*
 * The token in a file, for free(); blanks around it do not belong to it. NULL and *out_error, for
 * free(): it cannot be read, or has none.
 */
char *http_read_token(const char *path, char **out_error);

struct http_options {
	const char *listen;     /* "ADDRESS:PORT" */
	const char *token_file; /* NULL: none; else read for each request to what is not open */
	struct tls_files tls;   /* read again whenever they change */
	http_open_fn *is_open;
	http_answer_fn *answer;
	void *data; /* for answer() */
};

/*
 * Listens. With a token file (RFC 6750), or a CA of clients, what is not open is told to those
 * alone who come with that token, or a certificate of that CA. Copies the strings. Signals must be
 * blocked already: the server has threads. 0 and *out; -EINVAL and *out_error (for free()) if it
 * cannot listen there, or the files are no good.
 */
must_check int http_new(
	struct loop *loop, const struct http_options *options, struct http **out, char **out_error);
/* When the certificate expires, in seconds since 1970; 0: there is none. Accepts NULL. */
int64_t http_expires(const struct http *http);
/* What is wrong with the certificate. For free(); NULL: nothing. Accepts NULL. */
char *http_problem(const struct http *http);
/* Accepts NULL, returns NULL. */
struct http *http_free(struct http *http);

/* Whom the command line asks, and what it shows there. */
struct http_server {
	char *listen;
	char *token; /* NULL: none */
	struct tls_files tls;
};

/*
 * GETs a path from a daemon. 0, *out_status and *out_body (for free()); or -EIO and *out_error (for
 * free()) if nobody answers.
 */
must_check int http_get(const struct http_server *server, const char *path, int *out_status,
	char **out_body, char **out_error);
/* Encodes a value for a query. For free(). */
char *http_encode(const char *value);
/* The decoded value of a name in a query; NULL: not there. For free(). */
char *http_query(const char *query, const char *name);

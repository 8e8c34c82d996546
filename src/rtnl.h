/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Host addresses in the kernel, over rtnetlink, as local routes or as addresses of an interface:
 * many requests in one send, answers and news as they come. It knows nothing of who wants what.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cosmolet/prefix.h>

#define RTNL_BATCH 64 /* requests in one send, and what the kernel handles before it returns */

struct rtnl;

/* What stands for an address in the kernel. */
struct rtnl_form {
	bool route; /* a local route; else an address */
	unsigned ifindex;
	uint8_t protocol; /* marks it as ours; 0: no mark */
	uint32_t lease_s; /* an address is gone after that long, unless renewed; 0: never */
};

enum rtnl_operation { RTNL_ADD, RTNL_RENEW, RTNL_REMOVE };

enum rtnl_type {
	RTNL_ANSWER,   /* to the request of that sequence number */
	RTNL_DUMP_END, /* error: what was told is no basis for anything */
	RTNL_THERE,    /* told by a dump, or new */
	RTNL_GONE,
	RTNL_LINK, /* an interface came, went or changed */
};

struct rtnl_message {
	enum rtnl_type type;
	uint32_t sequence;
	int error;        /* 0 or a negative errno */
	const char *text; /* the kernel's own words for it; NULL: it has none */
	struct prefix address;
	unsigned ifindex;
	uint8_t protocol; /* its mark; 0: none */
	bool lookalike;   /* an address with the properties that ours get */
	const char *link; /* the interface's name now */
};

typedef void rtnl_fn(void *data, const struct rtnl_message *message);

/* Whether this kernel keeps a mark with an address (IFA_PROTO, Linux 5.18). */
bool rtnl_marks_addresses(void);

/* News of local routes, or of addresses, and of interfaces. 0 and *out, or a negative errno. */
must_check int rtnl_open(bool routes, struct rtnl **out);
/* Accepts NULL, returns NULL. */
struct rtnl *rtnl_close(struct rtnl *rtnl);
/* The descriptors to watch for input. */
int rtnl_requests_fd(const struct rtnl *rtnl);
int rtnl_news_fd(const struct rtnl *rtnl);

/* Puts a request into the batch, of RTNL_BATCH at most, and returns its sequence number. */
uint32_t rtnl_put(struct rtnl *rtnl, const struct rtnl_form *form, enum rtnl_operation operation,
	const struct prefix *address);
/* Sends the batch; an answer follows to each. 0 or a negative errno. */
must_check int rtnl_send(struct rtnl *rtnl);
/* Asks for all of one family that could be ours; DUMP_END follows. 0 or a negative errno. */
must_check int rtnl_dump(struct rtnl *rtnl, const struct rtnl_form *form, uint8_t family);

/*
 * Reads what has arrived, up to a bound. 0: there may be more; -EAGAIN: that was all; another
 * negative errno: messages were lost (ENOBUFS), or cannot be read.
 */
int rtnl_read_requests(struct rtnl *rtnl, rtnl_fn *fn, void *data);
int rtnl_read_news(struct rtnl *rtnl, rtnl_fn *fn, void *data);

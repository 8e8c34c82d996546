/* SPDX-License-Identifier: Apache-2.0 */
/* Questions to FRR's daemons over their own vty sockets, as vtysh puts them; only ever "show". */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <cosmolet/loop.h>

struct vty;

/*
 * The answer, or NULL if there was none: no such socket, no permission, an unknown command, more
 * than the limit, or too late. It lives as long as the question.
 */
typedef void vty_answer_fn(void *data, const char *answer);

/*
 * Asks over the socket at path; answered by a call from the loop, once, within limit. An answer has
 * max octets at most. Never NULL; vty_free() it, from within the answer at the earliest.
 */
struct vty *vty_ask(struct loop *loop, const char *path, const char *command, size_t max,
	struct mono limit, vty_answer_fn *answer, void *data);
/* Why there was no answer: it has more than max octets. */
bool vty_is_too_long(const struct vty *vty);
/* Drops the question, answered or not. Accepts NULL, returns NULL. */
struct vty *vty_free(struct vty *vty);

/* "/run/frr/zserv.api" and "bgpd" → "/run/frr/bgpd.vty", for free(). */
char *vty_path(const char *zserv, const char *daemon);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What must be well on this node before it announces for the first time: a URL that answers 2xx,
 * kube-proxy's /healthz say. Asked every second until it does; and then never again, or, where the
 * node is to be drained when it is not well any more, on and on.
 */
#pragma once

#include <stdbool.h>

#include <cosmolet/loop.h>

struct gate;

/* Whether it is "http://ADDRESS[:PORT][/PATH]". */
bool gate_parse(const char *url);

/*
 * Begins to ask; url as gate_parse() takes it. notify(data), from the loop, when it is open; and
 * when what is watched turns unwell, or well again.
 */
struct gate *gate_new(struct loop *loop, const char *url, void (*notify)(void *data), void *data);
/* Accepts NULL, returns NULL. */
struct gate *gate_free(struct gate *gate);

/* Whether to go on asking when it is open. */
void gate_watch(struct gate *gate, bool watch);
/* It was open in a former life, and unwell at its end or not; it asks if it is watched then. */
void gate_pass(struct gate *gate, bool unwell);
/* Not: the last three answers, or more, were no good ones. */
bool gate_is_well(const struct gate *gate);

/* NULL is open. */
bool gate_is_open(const struct gate *gate);
/* Why it is not open, or not well: "connection refused", "it answers 503". */
const char *gate_reason(const struct gate *gate);

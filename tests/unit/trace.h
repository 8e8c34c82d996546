/* SPDX-License-Identifier: Apache-2.0 */
/* A k8s source for tests, whose events become lines of text. */
#pragma once

#include <cosmolet/k8s.h>

struct trace {
	struct loop *loop;
	struct k8s *k8s;
	unsigned selection; /* of the last LIST_END */
	char *text;         /* "object services default/web 7\n" and so on */
	char *names[512];   /* of streams, by number */
};

/* Fails the test if the source does not start. */
void trace_start(struct trace *trace, struct loop *loop, const struct k8s_options *options);
void trace_end(struct trace *trace);
void trace_clear(struct trace *trace);
/* Turns the loop until the text holds this; fails the test after 20 s. */
void trace_until(struct trace *trace, const char *text);
/* Turns the loop for so long; nothing is expected. */
void trace_for(struct trace *trace, int ms);
/* Fails the test unless the text is exactly this. */
void trace_is(const struct trace *trace, const char *text);

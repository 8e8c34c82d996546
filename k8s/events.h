/* SPDX-License-Identifier: Apache-2.0 */
/* The queue of events, and the streams that fill it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <cosmolet/k8s.h>

struct stream;

struct event_queue {
	struct k8s_event *events;
	size_t first, end, room;
};

/* Embedded in the source; the reflectors or files put their events in. */
struct events {
	struct loop *loop;
	void (*notify)(void *data);
	void *data;
	struct loop_job job;
	struct event_queue queue;
	TAILQ_HEAD(, stream) streams; /* those that complained last are first */
	unsigned last_stream;
	bool complete; /* all streams that SYNCED waits for are there */
	bool synced;   /* SYNCED was said */
};

void events_init(struct events *events, struct loop *loop, void (*notify)(void *data), void *data);
/* The streams must be gone. */
void events_deinit(struct events *events);
must_check bool events_pop(struct events *events, struct k8s_event *out);
/* Says that no more streams come for which SYNCED would have to wait. */
void events_complete(struct events *events);

/* A PROBLEM that is no stream's (stream 0). Takes the text. */
void events_warn(struct events *events, char *text);

/* Embedded in whoever reads the objects: counts what goes through, and remembers how it is. */
struct stream {
	struct events *events;
	TAILQ_ENTRY(stream) linked;
	unsigned id;
	char *name;
	const char *resource;  /* NULL: a file */
	const char *namespace; /* NULL: of all of them, or a file */
	char *plan;            /* what is watched, and why just that; NULL: the file of this name */
	bool replanned;        /* another plan than the one that UP was said with */
	char *error;           /* of DOWN; NULL: none */
	bool extra;            /* SYNCED does not wait for it */
	bool optional;         /* nothing goes stale without it */
	bool listing;          /* LIST_BEGIN was said */
	bool synced;           /* LIST_END was said */
	bool up;               /* UP was said, and not DOWN since */
	bool hidden;           /* turned off: not in the status */
	unsigned selection;    /* counts what the lists were asked for, one after the other */
	unsigned listed;       /* the selection of the last list that ended */
	uint64_t n_events;
	uint64_t n_lists;
	uint64_t n_relists; /* of these, those of what had been listed before */
	uint64_t n_bytes;
	uint64_t n_problems;
	struct mono last_contact;
};

void stream_init(struct stream *stream, struct events *events, const char *name, bool extra);
/* Zeroed is fine. Says nothing. */
void stream_deinit(struct stream *stream);

void stream_contact(struct stream *stream, size_t n_bytes);
void stream_list_begin(struct stream *stream);
/* Takes the object. */
void stream_object(struct stream *stream, struct k8s_object *object, bool deleted);
void stream_list_end(struct stream *stream);
/* Ends with an empty list: what it had is gone, and that is meant. */
void stream_empty(struct stream *stream);
/* What has come is not all yet: if SYNCED was not said, it waits for another list. */
void stream_wait(struct stream *stream);
/* It cannot be had: SYNCED does not wait for it. */
void stream_excuse(struct stream *stream);
/* Begins anew, as if it had never worked. Says nothing. */
void stream_off(struct stream *stream);
/*
 * These take the text. UP is said only after DOWN, at first, or with another plan, DOWN only with
 * another text.
 */
void stream_up(struct stream *stream, char *text);
void stream_down(struct stream *stream, char *text);
void stream_problem(struct stream *stream, char *text);

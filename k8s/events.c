/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What reflectors and files have to say becomes one queue, in order, and the owner hears of it once
 * per turn. A stream that says the same twice is heard once: a server that is away for an hour is
 * one DOWN and one UP, however often it was tried.
 *
 * The hard idea is SYNCED: it is said when every stream has ended its first list, and never on the
 * way there, when only some of the streams exist.
 */
#include "events.h"

#include <string.h>

#include "text.h"

#define ROOM_FIRST 16

void events_init(struct events *events, struct loop *loop, void (*notify)(void *data), void *data)
{
	*events = (struct events){.loop = loop, .notify = notify, .data = data};
	TAILQ_INIT(&events->streams);
}

void events_deinit(struct events *events)
{
	struct k8s_event event;

	loop_job_stop(&events->job);
	while (events_pop(events, &event))
		k8s_event_deinit(&event);
}

/* One block for all of them: nodes would stand between the objects of a list, and leave holes. */
static struct k8s_event *push(struct event_queue *queue)
{
	if (queue->end == queue->room) {
		queue->room = MAX(2 * queue->room, (size_t)ROOM_FIRST);
		queue->events = xrealloc(queue->events, queue->room * sizeof(*queue->events));
	}
	return &queue->events[queue->end++];
}

bool events_pop(struct events *events, struct k8s_event *out)
{
	struct event_queue *queue = &events->queue;

	if (queue->first == queue->end)
		return false;
	*out = queue->events[queue->first++];
	if (queue->first == queue->end) {
		free(queue->events);
		*queue = (struct event_queue){0};
	}
	return true;
}

void k8s_event_deinit(struct k8s_event *event)
{
	event->object = k8s_object_free(event->object);
	free(TAKE(event->text));
}

static void notify_owner(struct loop_job *job)
{
	struct events *events = container_of(job, struct events, job);

	events->notify(events->data);
}

/* Takes the object and the text. What it returns is good until the next one. */
static struct k8s_event *say(struct events *events, enum k8s_event_type type, unsigned stream,
	struct k8s_object *object, char *text)
{
	struct k8s_event *event = push(&events->queue);

	*event = (struct k8s_event){
		.type = type, .stream = stream, .object = object, .text = text_clean(text)};
	loop_job_queue(events->loop, &events->job, notify_owner);
	return event;
}

void events_warn(struct events *events, char *text)
{
	say(events, K8S_EVENT_PROBLEM, 0, NULL, text);
}

static void check_synced(struct events *events)
{
	struct stream *stream;

	if (!events->complete || events->synced)
		return;
	TAILQ_FOREACH (stream, &events->streams, linked)
		if (!stream->synced && !stream->extra)
			return;
	events->synced = true;
	say(events, K8S_EVENT_SYNCED, 0, NULL, NULL);
}

void events_complete(struct events *events)
{
	events->complete = true;
	check_synced(events);
}

void stream_init(struct stream *stream, struct events *events, const char *name, bool extra)
{
	*stream = (struct stream){.events = events,
		.id = ++events->last_stream,
		.name = text_clean(xstrdup(name)), /* a file's may be any octets */
		.extra = extra};
	TAILQ_INSERT_TAIL(&events->streams, stream, linked);
}

void stream_deinit(struct stream *stream)
{
	struct events *events = stream->events;

	if (!events)
		return;
	TAILQ_REMOVE(&events->streams, stream, linked);
	free(stream->name);
	free(stream->plan);
	free(stream->error);
	*stream = (struct stream){0};
	check_synced(events); /* it may have been the one that was waited for */
}

void stream_contact(struct stream *stream, size_t n_bytes)
{
	stream->n_bytes += n_bytes;
	stream->last_contact = loop_now(stream->events->loop);
}

void stream_list_begin(struct stream *stream)
{
	stream->listing = true;
	say(stream->events, K8S_EVENT_LIST_BEGIN, stream->id, NULL, NULL);
}

void stream_object(struct stream *stream, struct k8s_object *object, bool deleted)
{
	object->stream = stream->id;
	stream->n_events++;
	say(stream->events, deleted ? K8S_EVENT_DELETED : K8S_EVENT_OBJECT, stream->id, object,
		NULL);
}

void stream_list_end(struct stream *stream)
{
	stream->n_relists += stream->synced && stream->listed == stream->selection;
	stream->n_lists++;
	stream->listing = false;
	stream->synced = true;
	stream->listed = stream->selection;
	say(stream->events, K8S_EVENT_LIST_END, stream->id, NULL, NULL)->selection =
		stream->selection;
	check_synced(stream->events);
}

void stream_empty(struct stream *stream)
{
	stream_list_begin(stream);
	stream->synced = false; /* nobody was asked for a list */
	stream_list_end(stream);
}

void stream_wait(struct stream *stream)
{
	stream->synced = stream->synced && stream->events->synced;
}

void stream_excuse(struct stream *stream)
{
	stream->extra = true;
	check_synced(stream->events);
}

void stream_off(struct stream *stream)
{
	stream->up = false;
	stream->synced = false;
	stream->listing = false;
	str_set(&stream->error, NULL);
}

void stream_up(struct stream *stream, char *text)
{
	str_set(&stream->error, NULL);
	if (stream->up && !stream->replanned) {
		free(text);
		return;
	}
	stream->up = true;
	stream->replanned = false;
	say(stream->events, K8S_EVENT_UP, stream->id, NULL, text);
}

/* Where not all are shown, those in trouble are. */
static void to_the_front(struct stream *stream)
{
	TAILQ_REMOVE(&stream->events->streams, stream, linked);
	TAILQ_INSERT_HEAD(&stream->events->streams, stream, linked);
}

void stream_down(struct stream *stream, char *text)
{
	bool known;

	text_clean(text);
	known = !stream->up && stream->error && strcmp(stream->error, text) == 0;
	stream->up = false;
	str_set(&stream->error, text);
	if (known) {
		free(text);
		return;
	}
	to_the_front(stream);
	say(stream->events, K8S_EVENT_DOWN, stream->id, NULL, text);
}

void stream_problem(struct stream *stream, char *text)
{
	stream->n_problems++;
	to_the_front(stream);
	say(stream->events, K8S_EVENT_PROBLEM, stream->id, NULL, text);
}

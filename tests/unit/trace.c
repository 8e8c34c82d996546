/* SPDX-License-Identifier: Apache-2.0 */
/* Events as text, so that a test reads like what it expects. */
#include "trace.h"

#include <check.h>
#include <string.h>

#include "unit.h"

static void add(struct trace *trace, char *line)
{
	unit_append(&trace->text, line);
	unit_append(&trace->text, "\n");
	free(line);
}

static const char *name_of(struct trace *trace, unsigned stream)
{
	struct k8s_stream_status status = {0};

	while (k8s_next_stream(trace->k8s, &status))
		if (status.stream < N_ELEMENTS(trace->names))
			str_set(&trace->names[status.stream], status.name);
	return trace->names[stream] ? trace->names[stream] : "-";
}

static char *object_line(const char *what, const struct k8s_object *object)
{
	ck_assert_ptr_nonnull(object);
	return xasprintf("%s %s %s%s%s%s%s%s", what, k8s_resource_text(object->resource),
		object->meta.namespace, *object->meta.namespace ? "/" : "", object->meta.name,
		*object->meta.resource_version ? " " : "", object->meta.resource_version,
		object->resource == K8S_SERVICES && object->meta.labels.n ? " labelled" : "");
}

static char *line_of(struct trace *trace, const struct k8s_event *event)
{
	const char *name = name_of(trace, event->stream);

	switch (event->type) {
	case K8S_EVENT_LIST_BEGIN: return xasprintf("begin %s", name);
	case K8S_EVENT_LIST_END:
		trace->selection = event->selection;
		return xasprintf("end %s", name);
	case K8S_EVENT_OBJECT: return object_line("object", event->object);
	case K8S_EVENT_DELETED: return object_line("deleted", event->object);
	case K8S_EVENT_SYNCED: return xstrdup("synced");
	case K8S_EVENT_UP: return xasprintf("up %s", name);
	case K8S_EVENT_DOWN: return xasprintf("down %s: %s", name, event->text);
	case K8S_EVENT_PROBLEM: return xasprintf("problem %s: %s", name, event->text);
	}
	return xstrdup("?");
}

static void take(void *data)
{
	struct trace *trace = data;
	struct k8s_event event;

	while (k8s_pop_event(trace->k8s, &event)) {
		if (event.object)
			ck_assert_uint_eq(event.object->stream, event.stream);
		add(trace, line_of(trace, &event));
		k8s_event_deinit(&event);
	}
}

void trace_start(struct trace *trace, struct loop *loop, const struct k8s_options *options)
{
	char *error = NULL;

	*trace = (struct trace){.loop = loop, .text = xstrdup("")};
	if (k8s_new(loop, options, take, trace, &trace->k8s, &error))
		ck_abort_msg("%s", error);
}

void trace_end(struct trace *trace)
{
	trace->k8s = k8s_free(trace->k8s);
	free(TAKE(trace->text));
	for (size_t i = 0; i < N_ELEMENTS(trace->names); i++)
		free(TAKE(trace->names[i]));
}

void trace_clear(struct trace *trace)
{
	str_set(&trace->text, "");
}

void trace_for(struct trace *trace, int ms)
{
	struct mono end = mono_add(mono_now(), mono_ms(ms));

	/* at least so many turns, whenever we get the processor */
	for (int i = 0; i < 10 || mono_before(mono_now(), end); i++)
		loop_turn(trace->loop, MIN(ms / 10, 5));
}

void trace_until(struct trace *trace, const char *text)
{
	struct mono end = mono_add(mono_now(), mono_s(20));

	while (!strstr(trace->text, text)) {
		if (mono_before(end, mono_now()))
			ck_abort_msg("\"%s\" did not come, but:\n%.4000s", text, trace->text);
		loop_turn(trace->loop, 20);
	}
}

void trace_is(const struct trace *trace, const char *text)
{
	ck_assert_str_eq(trace->text, text);
}

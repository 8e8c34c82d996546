/* SPDX-License-Identifier: Apache-2.0 */
/*
 * YAML into jansson values. The hard part: jansson values know nothing of where they came from,
 * and null, true and false are one shared value each. So places are kept beside the tree, by
 * container and key (or index) instead of by value.
 *
 * libyaml delivers events; each open container is a frame on a stack, and a finished value goes to
 * the frame on top. Aliases share the value they name, which costs nothing however often they are
 * used; one that names a container still open would make a circle, and is refused.
 */
#include <cosmolet/yaml.h>

#include <cosmolet/vec.h>

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <yaml.h>

#define DEPTH_MAX 64

struct place {
	const json_t *container; /* NULL: the root of a document, index tells which */
	size_t index;            /* of an array's element; of a member, the order it came in */
	char *key;               /* NULL: no member */
	struct ytree_place key_at;
	struct ytree_place value_at;
};

struct ytree {
	struct vec documents; /* json_t, in order */
	struct vec places;    /* struct place, by container, key, index; or as they came */
	bool sorted;
};

struct anchor {
	char *name;
	json_t *value;
};

struct frame {
	json_t *container;
	char *key; /* of the member whose value comes next; NULL: a key comes next */
	struct ytree_place key_at;
	char *anchor;
};

struct parse {
	yaml_parser_t parser;
	struct ytree *yaml;
	struct ytree_error *error;
	struct frame frames[DEPTH_MAX];
	size_t n_frames;
	struct vec anchors; /* struct anchor, in order */
	/* For a reader; NULL: there is none, all is kept. */
	const struct ytree_reader *reader;
	json_t *items;                 /* the list of the document; NULL: not yet */
	struct ytree_place element_at; /* where its last element begins */
	size_t n_places;               /* before that element */
};

/* places */

static int place_cmp(const void *a, const void *b)
{
	const struct place *x = a, *y = b;
	int c;

	if (x->container != y->container)
		return (uintptr_t)x->container < (uintptr_t)y->container ? -1 : 1;
	if (x->key && y->key) {
		c = strcmp(x->key, y->key);
		return (c > 0) - (c < 0);
	}
	if (!x->key != !y->key)
		return x->key ? 1 : -1;
	return (x->index > y->index) - (x->index < y->index);
}

static int place_cmp_ref(const void *a, const void *b)
{
	return place_cmp(*(void *const *)a, *(void *const *)b);
}

static void place_destroy(void *item)
{
	struct place *place = item;

	free(place->key);
	free(place);
}

static const struct place *find_place(
	const struct ytree *yaml, const json_t *container, const char *key, size_t index)
{
	auto_free char *copy = key ? xstrdup(key) : NULL;
	struct place wanted = {.container = container, .key = copy, .index = index};
	const struct place *place;

	if (!yaml)
		return NULL;
	if (yaml->sorted)
		return vec_find(&yaml->places, &wanted);
	vec_foreach (&yaml->places, place, i) {
		if (place_cmp(place, &wanted) == 0)
			return place;
	}
	return NULL;
}

struct ytree_place ytree_place_root(const struct ytree *yaml, size_t index)
{
	const struct place *place = find_place(yaml, NULL, NULL, index);

	return place ? place->value_at : (struct ytree_place){0, 0};
}

struct ytree_place ytree_place_key(const struct ytree *yaml, const json_t *object, const char *key)
{
	const struct place *place = find_place(yaml, object, key, 0);

	return place ? place->key_at : (struct ytree_place){0, 0};
}

struct ytree_place ytree_place_value(
	const struct ytree *yaml, const json_t *object, const char *key)
{
	const struct place *place = find_place(yaml, object, key, 0);

	return place ? place->value_at : (struct ytree_place){0, 0};
}

struct ytree_place ytree_place_element(const struct ytree *yaml, const json_t *array, size_t index)
{
	const struct place *place = find_place(yaml, array, NULL, index);

	return place ? place->value_at : (struct ytree_place){0, 0};
}

/* errors */

static struct ytree_place place_of(yaml_mark_t mark)
{
	return (struct ytree_place){(unsigned)mark.line + 1, (unsigned)mark.column + 1};
}

printf_like(3, 4) static int refuse(
	struct parse *parse, struct ytree_place at, const char *format, ...)
{
	va_list args;

	parse->error->place = at;
	va_start(args, format);
	vsnprintf(parse->error->text, sizeof(parse->error->text), format, args);
	va_end(args);
	return -EBADMSG;
}

/* values */

/* Zero or more digits of a set, to the end, at least one. */
static bool only(const char *s, const char *digits)
{
	return *s && strspn(s, digits) == strlen(s);
}

/* The 1.2 core schema for a plain word; NULL: a string after all. New reference. */
static json_t *plain_value(const char *s)
{
	const char *body = s + (*s == '-' || *s == '+');
	char *end;

	if (!*s || !strcmp(s, "~") || !strcmp(s, "null") || !strcmp(s, "Null") ||
		!strcmp(s, "NULL"))
		return json_null();
	if (!strcmp(s, "true") || !strcmp(s, "True") || !strcmp(s, "TRUE"))
		return json_true();
	if (!strcmp(s, "false") || !strcmp(s, "False") || !strcmp(s, "FALSE"))
		return json_false();
	if (only(body, "0123456789") ||
		(!strncmp(s, "0x", 2) && only(s + 2, "0123456789abcdefABCDEF"))) {
		long long v;

		errno = 0;
		v = strtoll(s, &end, s[1] == 'x' ? 16 : 10);
		return errno ? NULL : json_integer(v);
	}
	if (strpbrk(body, "0123456789") && only(body, "0123456789.eE+-") && strpbrk(body, ".eE")) {
		double v = strtod(s, &end);

		return *end ? NULL : json_real(v); /* 10.1.2.3 is no number; infinities give NULL */
	}
	return NULL;
}

static json_t *scalar_value(const yaml_event_t *event)
{
	const char *text = (const char *)event->data.scalar.value;
	size_t size = event->data.scalar.length;
	json_t *value = NULL;

	if (event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && !event->data.scalar.tag &&
		strlen(text) == size)
		value = plain_value(text);
	return value ? value : json_stringn(text, size);
}

/* anchors */

static void anchor_destroy(void *item)
{
	struct anchor *anchor = item;

	json_decref(anchor->value);
	free(anchor->name);
	free(anchor);
}

static void anchor_add(struct parse *parse, const char *name, json_t *value)
{
	struct anchor *anchor;

	if (!name)
		return;
	anchor = xcalloc(1, sizeof(*anchor));
	anchor->name = xstrdup(name);
	anchor->value = json_incref(value);
	vec_append(&parse->anchors, anchor);
}

/* The last one of that name, as YAML wants it. */
static json_t *anchor_find(const struct parse *parse, const char *name)
{
	for (size_t i = parse->anchors.n; i-- > 0;) {
		const struct anchor *anchor = parse->anchors.items[i];

		if (!strcmp(anchor->name, name))
			return anchor->value;
	}
	return NULL;
}

/* building */

static void document_destroy(void *item)
{
	json_decref(item);
}

static void remember(struct parse *parse, const json_t *container, const char *key, size_t index,
	struct ytree_place key_at, struct ytree_place value_at)
{
	struct place *place = xcalloc(1, sizeof(*place));

	*place = (struct place){container, index, key ? xstrdup(key) : NULL, key_at, value_at};
	vec_append(&parse->yaml->places, place);
}

/* Gives a finished value to the frame on top, or makes it a document. Takes the reference. */
static int deliver(struct parse *parse, json_t *value, struct ytree_place at)
{
	struct frame *top = parse->n_frames ? &parse->frames[parse->n_frames - 1] : NULL;

	if (!value)
		return refuse(parse, at, "text is not UTF-8");
	if (!top && json_is_null(value))
		return 0; /* "---" with nothing behind it, or an empty file: nobody wants those */
	if (!top) {
		remember(parse, NULL, NULL, parse->yaml->documents.n, at, at);
		vec_append(&parse->yaml->documents, value);
		return 0;
	}
	if (json_is_array(top->container)) {
		remember(parse, top->container, NULL, json_array_size(top->container), at, at);
		json_array_append_new(top->container, value);
		return 0;
	}
	remember(parse, top->container, top->key, 0, top->key_at, at);
	json_object_set_new(top->container, top->key, value);
	free(TAKE(top->key));
	return 0;
}

static bool key_comes_next(const struct parse *parse)
{
	const struct frame *top = parse->n_frames ? &parse->frames[parse->n_frames - 1] : NULL;

	return top && json_is_object(top->container) && !top->key;
}

static int take_key(struct parse *parse, const yaml_event_t *event)
{
	struct frame *top = &parse->frames[parse->n_frames - 1];
	const char *text = (const char *)event->data.scalar.value;
	struct ytree_place at = place_of(event->start_mark);

	if (strlen(text) != event->data.scalar.length)
		return refuse(parse, at, "a key holds a NUL");
	if (json_object_get(top->container, text))
		return refuse(parse, at, "key \"%s\" stands here twice", text);
	top->key = xstrdup(text);
	top->key_at = at;
	return 0;
}

/* The list of a document, and each element of it. */
static void note_items(struct parse *parse, json_t *container, struct ytree_place at)
{
	const struct frame *frames = parse->frames;

	if (parse->n_frames == 1 && frames[0].key && !strcmp(frames[0].key, "items") &&
		json_is_array(container))
		parse->items = container;
	if (parse->n_frames == 2 && frames[1].container == parse->items) {
		parse->element_at = at;
		parse->n_places = parse->yaml->places.n;
	}
}

static int open_container(
	struct parse *parse, json_t *container, const yaml_char_t *anchor, struct ytree_place at)
{
	struct frame *frame;

	if (key_comes_next(parse) || parse->n_frames == DEPTH_MAX) {
		json_decref(container);
		return parse->n_frames == DEPTH_MAX
			       ? refuse(parse, at, "nested deeper than %d", DEPTH_MAX)
			       : refuse(parse, at, "a key must be a plain word");
	}
	note_items(parse, container, at);
	frame = &parse->frames[parse->n_frames];
	*frame = (struct frame){.container = container};
	frame->anchor = anchor ? xstrdup((const char *)anchor) : NULL;
	frame->key_at = at; /* until the first key: where the container begins */
	/* It is delivered now, so that its place is its beginning; its content follows. */
	if (deliver(parse, json_incref(container), at) < 0)
		return -EBADMSG;
	parse->n_frames++;
	return 0;
}

static void close_container(struct parse *parse)
{
	struct frame *top = &parse->frames[--parse->n_frames];

	anchor_add(parse, top->anchor, top->container);
	free(top->anchor);
	free(top->key);
	json_decref(top->container);
}

static void forget_places(struct parse *parse, size_t n)
{
	struct vec *places = &parse->yaml->places;

	while (places->n > n)
		place_destroy(vec_remove_at(places, places->n - 1));
}

static void sort_places(struct ytree *yaml)
{
	if (yaml->places.n) /* qsort() wants an address even for nothing */
		qsort(yaml->places.items, yaml->places.n, sizeof(void *), place_cmp_ref);
	yaml->sorted = true;
}

/* A container is complete; if it is an element of the list, the reader may have it at once. */
static void end_container(struct parse *parse)
{
	const struct ytree_reader *reader = parse->reader;
	size_t last;

	close_container(parse);
	if (!reader || parse->n_frames != 2 || parse->frames[1].container != parse->items)
		return;
	last = json_array_size(parse->items) - 1;
	if (!reader->element(reader->data, parse->yaml, json_array_get(parse->items, last),
		    parse->element_at))
		return;
	forget_places(parse, parse->n_places);
	(void)json_array_remove(parse->items, last);
}

static void end_document(struct parse *parse)
{
	struct ytree *yaml = parse->yaml;
	const struct ytree_reader *reader = parse->reader;

	vec_clear(&parse->anchors, anchor_destroy);
	parse->items = NULL;
	if (!reader || !yaml->documents.n)
		return;
	sort_places(yaml);
	reader->document(reader->data, yaml, ytree_document(yaml, 0), ytree_place_root(yaml, 0));
	vec_clear(&yaml->documents, document_destroy);
	forget_places(parse, 0);
	yaml->sorted = false;
}

static int take_scalar(struct parse *parse, const yaml_event_t *event)
{
	struct ytree_place at = place_of(event->start_mark);
	json_t *value;

	if (event->data.scalar.tag &&
		strcmp((const char *)event->data.scalar.tag, YAML_STR_TAG) != 0)
		return refuse(parse, at, "tag %s is not supported", event->data.scalar.tag);
	if (key_comes_next(parse))
		return take_key(parse, event);
	value = scalar_value(event);
	if (value)
		anchor_add(parse, (const char *)event->data.scalar.anchor, value);
	return deliver(parse, value, at);
}

static int take_alias(struct parse *parse, const yaml_event_t *event)
{
	struct ytree_place at = place_of(event->start_mark);
	const char *name = (const char *)event->data.alias.anchor;
	json_t *value = anchor_find(parse, name);

	if (key_comes_next(parse))
		return refuse(parse, at, "a key must be a plain word");
	if (!value)
		return refuse(parse, at, "alias *%s names nothing finished before it", name);
	return deliver(parse, json_incref(value), at);
}

static int take_event(struct parse *parse, const yaml_event_t *event)
{
	struct ytree_place at = place_of(event->start_mark);

	switch (event->type) {
	case YAML_SCALAR_EVENT: return take_scalar(parse, event);
	case YAML_ALIAS_EVENT: return take_alias(parse, event);
	case YAML_SEQUENCE_START_EVENT:
		return open_container(parse, json_array(), event->data.sequence_start.anchor, at);
	case YAML_MAPPING_START_EVENT:
		return open_container(parse, json_object(), event->data.mapping_start.anchor, at);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT: end_container(parse); return 0;
	case YAML_DOCUMENT_END_EVENT: end_document(parse); return 0;
	default: return 0;
	}
}

static int syntax_error(struct parse *parse)
{
	const yaml_parser_t *p = &parse->parser;
	bool has_mark = p->error == YAML_SCANNER_ERROR || p->error == YAML_PARSER_ERROR;
	struct ytree_place at = place_of(has_mark ? p->problem_mark : p->mark);

	return refuse(parse, at, "%s%s%s", p->problem ? p->problem : "not YAML",
		p->context ? ", " : "", p->context ? p->context : "");
}

static int take_all(struct parse *parse)
{
	for (;;) {
		yaml_event_t event;
		bool at_end;
		int r;

		if (!yaml_parser_parse(&parse->parser, &event))
			return syntax_error(parse);
		at_end = event.type == YAML_STREAM_END_EVENT;
		r = take_event(parse, &event);
		yaml_event_delete(&event);
		if (r < 0 || at_end)
			return r;
	}
}

struct ytree *ytree_free(struct ytree *yaml)
{
	if (!yaml)
		return NULL;
	vec_deinit(&yaml->documents, document_destroy);
	vec_deinit(&yaml->places, place_destroy);
	free(yaml);
	return NULL;
}

static struct ytree *new_tree(void)
{
	struct ytree *yaml = xcalloc(1, sizeof(*yaml));

	vec_init(&yaml->documents, NULL);
	vec_init(&yaml->places, place_cmp);
	return yaml;
}

static int parse_all(struct ytree *yaml, const char *text, size_t size,
	const struct ytree_reader *reader, struct ytree_error *out_error)
{
	struct parse parse = {
		.yaml = yaml, .error = out_error, .anchors = VEC_INIT(NULL), .reader = reader};
	int r;

	*out_error = (struct ytree_error){0};
	if (size > YTREE_MAX_BYTES)
		return refuse(&parse, (struct ytree_place){0, 0}, "longer than %u bytes",
			YTREE_MAX_BYTES);
	if (!yaml_parser_initialize(&parse.parser))
		abort(); /* out of memory is its only reason */
	yaml_parser_set_input_string(&parse.parser, (const unsigned char *)text, size);
	r = take_all(&parse);
	while (parse.n_frames)
		close_container(&parse);
	vec_deinit(&parse.anchors, anchor_destroy);
	yaml_parser_delete(&parse.parser);
	return r;
}

int ytree_parse(const char *text, size_t size, struct ytree **out, struct ytree_error *out_error)
{
	auto_ytree struct ytree *yaml = new_tree();
	int r = parse_all(yaml, text, size, NULL, out_error);

	if (r < 0)
		return r;
	sort_places(yaml);
	*out = TAKE(yaml);
	return 0;
}

int ytree_read(const char *text, size_t size, const struct ytree_reader *reader,
	struct ytree_error *out_error)
{
	auto_ytree struct ytree *yaml = new_tree();

	return parse_all(yaml, text, size, reader, out_error);
}

size_t ytree_documents(const struct ytree *yaml)
{
	return yaml->documents.n;
}

json_t *ytree_document(const struct ytree *yaml, size_t index)
{
	return yaml->documents.items[index];
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The typed access to JSON that object.c is written in. The API server never sends a list where a
 * string belongs, but people who write manifests do; and a fault must name the member and where it
 * is, or they search for an hour. So each getter gets the path as the API documents it.
 *
 * The hard idea is to tell three things apart: absent (null is that, too), which has a meaning in
 * the API; of the wrong type, which makes the whole object unfit; and a single address that does
 * not parse, which is left out and said.
 */
#include "decode.h"

#include <string.h>

static const char *type_text(json_type type)
{
	switch (type) {
	case JSON_OBJECT: return "an object";
	case JSON_ARRAY: return "a list";
	case JSON_STRING: return "a string";
	case JSON_INTEGER:
	case JSON_REAL: return "a number";
	case JSON_TRUE:
	case JSON_FALSE: return "true or false";
	case JSON_NULL: return "null";
	}
	return "something else";
}

static const char *key_of(const char *path)
{
	const char *dot = strrchr(path, '.');

	return dot ? dot + 1 : path;
}

/* Takes the text. */
void decode_fail(struct decode *d, const json_t *in, const char *key, char *text)
{
	if (d->fault.text)
		free(text);
	else
		d->fault = (struct object_fault){text, in, key};
}

/* Takes the text. Of many problems, the first is enough to go and look. */
void decode_problem(struct decode *d, char *text)
{
	d->n_problems++;
	if (d->problem)
		free(text);
	else
		d->problem = text;
}

static void wrong_type(struct decode *d, const json_t *in, const char *path, json_type expected,
	const json_t *found)
{
	decode_fail(d, in, key_of(path),
		xasprintf("%s: expected %s, found %s", path, type_text(expected),
			type_text(json_typeof(found))));
}

static const json_t *get(struct decode *d, const json_t *in, const char *path)
{
	const json_t *value = in ? json_object_get(in, key_of(path)) : NULL;

	return d->fault.text || json_is_null(value) ? NULL : value;
}

static const json_t *get_type(struct decode *d, const json_t *in, const char *path, json_type type)
{
	const json_t *value = get(d, in, path);

	if (!value || json_typeof(value) == type)
		return value;
	wrong_type(d, in, path, type, value);
	return NULL;
}

const json_t *decode_object(struct decode *d, const json_t *in, const char *path)
{
	return get_type(d, in, path, JSON_OBJECT);
}

const char *decode_string(struct decode *d, const json_t *in, const char *path)
{
	return json_string_value(get_type(d, in, path, JSON_STRING));
}

bool decode_bool(struct decode *d, const json_t *in, const char *path, bool otherwise)
{
	const json_t *value = get(d, in, path);

	if (!value)
		return otherwise;
	if (!json_is_boolean(value))
		wrong_type(d, in, path, JSON_TRUE, value);
	return json_is_true(value);
}

uint32_t decode_count(struct decode *d, const json_t *in, const char *path)
{
	json_int_t value = json_integer_value(get_type(d, in, path, JSON_INTEGER));

	return (uint32_t)MIN(MAX(value, 0), (json_int_t)UINT32_MAX);
}

size_t decode_list(struct decode *d, const json_t *in, const char *path)
{
	return json_array_size(get_type(d, in, path, JSON_ARRAY));
}

static const json_t *element(
	struct decode *d, const json_t *in, const char *path, size_t i, json_type type)
{
	const json_t *value = json_array_get(get(d, in, path), i);

	if (!value || json_typeof(value) == type)
		return value;
	decode_fail(d, in, key_of(path),
		xasprintf("%s[%zu]: expected %s, found %s", path, i, type_text(type),
			type_text(json_typeof(value))));
	return NULL;
}

const json_t *decode_object_at(struct decode *d, const json_t *in, const char *path, size_t i)
{
	return element(d, in, path, i, JSON_OBJECT);
}

const char *decode_string_at(struct decode *d, const json_t *in, const char *path, size_t i)
{
	return json_string_value(element(d, in, path, i, JSON_STRING));
}

static int pair_cmp(const void *a, const void *b)
{
	return strcmp(((const struct k8s_pair *)a)->key, ((const struct k8s_pair *)b)->key);
}

struct k8s_map decode_map(struct decode *d, const json_t *in, const char *path, const char *prefix)
{
	json_t *map = json_object_get(in, key_of(path));
	struct k8s_map out = {0};
	const char *key;
	json_t *value;

	if (!decode_object(d, in, path) || json_object_size(map) == 0)
		return out;
	out.pairs = xcalloc(json_object_size(map), sizeof(*out.pairs));
	json_object_foreach (map, key, value) {
		if (strncmp(key, prefix, strlen(prefix)) != 0)
			continue;
		if (!json_is_string(value))
			decode_fail(d, map, key,
				xasprintf("%s[%.100s]: expected a string, found %s", path, key,
					type_text(json_typeof(value))));
		else
			out.pairs[out.n++] =
				(struct k8s_pair){xstrdup(key), xstrdup(json_string_value(value))};
	}
	if (out.n == 0)
		free(TAKE(out.pairs));
	else
		qsort(out.pairs, out.n, sizeof(*out.pairs), pair_cmp);
	return out;
}

bool decode_address(struct decode *d, const char *path, const char *text, struct prefix *out)
{
	if (prefix_parse_host(text, out))
		return true;
	decode_problem(d, xasprintf("%s: \"%.60s\" is not an IP address", path, text));
	return false;
}

bool decode_prefix(struct decode *d, const char *path, const char *text, struct prefix *out)
{
	if (prefix_parse(text, out))
		return true;
	decode_problem(d, xasprintf("%s: \"%.60s\" is no range of IP addresses", path, text));
	return false;
}

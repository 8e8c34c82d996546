/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values are decoded from text in one way, whether they come from the file, are defaults or come
 * from an object of the cluster, so that a default cannot be something that a file may not say.
 */
#include "value.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

int value_refuse(const struct reader *reader, const struct where *where, const char *format, ...)
{
	auto_free char *text = NULL;
	auto_free char *place = NULL;
	va_list args;

	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		abort();
	va_end(args);
	if (where->place.line)
		place = xasprintf(
			"%s:%u:%u: ", reader->file, where->place.line, where->place.column);
	else
		place = reader->file ? xasprintf("%s: ", reader->file) : xstrdup("");
	*reader->out_error = where->key ? xasprintf("%s%s: %s", place, where->key, text)
					: xasprintf("%s%s", place, text);
	return -EINVAL;
}

/* Replaces each ${NAME} by the environment's. NULL: *out_name is not set there. */
static char *expand(const char *text, char **out_name)
{
	char *result = NULL;
	size_t size = 0;
	FILE *out = xmemstream(&result, &size);

	while (*text) {
		const char *end = !strncmp(text, "${", 2) ? strchr(text, '}') : NULL;
		const char *value;

		if (!end) {
			fputc(*text++, out);
			continue;
		}
		*out_name = xstrndup(text + 2, (size_t)(end - text - 2));
		value = getenv(*out_name);
		if (!value || !*value) {
			fclose(out);
			free(result);
			return NULL;
		}
		free(TAKE(*out_name));
		fputs(value, out);
		text = end + 1;
	}
	fclose(out);
	return result;
}

static int decode_string(
	const struct reader *reader, const struct where *where, const char *text, char **out)
{
	auto_free char *name = NULL;
	char *value = reader->foreign ? xstrdup(text) : expand(text, &name);

	if (!value)
		return value_refuse(reader, where,
			"${%s} is not set in the environment; set it, or write the value itself",
			name);
	free(*out);
	*out = value;
	return 0;
}

/* The original's words that have another name here: "text" is its only other form of a log line. */
static const char *renamed(const struct where *where, const char *text)
{
	bool format = where->key && !strcmp(where->key, "logging.format");

	return format && !strcmp(text, "text") ? "logfmt" : text;
}

static int decode_choice(const struct reader *reader, const struct where *where,
	const struct key *key, const char *text, int *out)
{
	auto_free char *allowed = words_text(key->words);
	int index = words_index(key->words, renamed(where, text));

	if (index < 0)
		return value_refuse(
			reader, where, "\"%s\" is not allowed; write %s", text, allowed);
	*out = index;
	return 0;
}

static int decode_integer(const struct reader *reader, const struct where *where,
	const struct key *key, int64_t value, int64_t *out)
{
	if (value < key->min || value > key->max)
		return value_refuse(reader, where,
			"%lld is not allowed; write a number from %lld to %lld", (long long)value,
			(long long)key->min, (long long)key->max);
	*out = value;
	return 0;
}

bool config_parse_min_ready(const char *text, int64_t *out)
{
	char *end;
	long value;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	value = strtol(text, &end, 10);
	if (errno || value < 1 || value > 1000000)
		return false;
	if (!strcmp(end, "%") && value <= 100)
		*out = -value;
	else if (!*end)
		*out = value;
	else
		return false;
	return true;
}

bool config_parse_scope(const char *text, int *out)
{
	*out = words_index("local auto cluster", text);
	return *out >= 0;
}

static int decode_count(const struct reader *reader, const struct where *where,
	const struct key *key, const json_t *json, int64_t *out)
{
	if (json_is_integer(json))
		return decode_integer(reader, where, key, json_integer_value(json), out);
	if (json_is_string(json) && config_parse_min_ready(json_string_value(json), out))
		return 0;
	return value_refuse(reader, where,
		"must be a number from %lld to %lld, or a share from 1%% to 100%%",
		(long long)key->min, (long long)key->max);
}

static int add_prefix(const struct reader *reader, const struct where *where, const char *text,
	struct config_prefixes *out)
{
	struct prefix p;

	if (!prefix_parse(text, &p) && !prefix_parse_host(text, &p))
		return value_refuse(reader, where,
			"\"%s\" is no prefix; write ADDRESS/LENGTH without bits behind the length, "
			"like "
			"192.0.2.0/24 or 2001:db8::/64",
			text);
	out->items = xrealloc(out->items, (out->n + 1) * sizeof(*out->items));
	out->items[out->n++] = p;
	return 0;
}

/* Empties a list, so that what the file says replaces the default. */
void value_clear(const struct key *key, void *field)
{
	struct config_strings *strings = field;
	struct config_prefixes *prefixes = field;

	if (key->kind == CHOICES) {
		*(uint32_t *)field = 0;
	} else if (key->kind == STRINGS) {
		for (size_t i = 0; i < strings->n; i++)
			free(strings->items[i]);
		free(strings->items);
		*strings = (struct config_strings){0};
	} else if (key->kind == PREFIXES) {
		free(prefixes->items);
		*prefixes = (struct config_prefixes){0};
	}
}

static int add_element(const struct reader *reader, const struct where *where,
	const struct key *key, const char *text, void *field)
{
	struct config_strings *strings = field;
	int index = 0, r;

	switch (key->kind) {
	case CHOICES:
		r = decode_choice(reader, where, key, text, &index);
		if (r == 0)
			*(uint32_t *)field |= 1u << index;
		return r;
	case PREFIXES: return add_prefix(reader, where, text, field);
	case STRINGS:
		strings->items = xrealloc(strings->items, (strings->n + 1) * sizeof(char *));
		strings->items[strings->n] = NULL;
		return decode_string(reader, where, text, &strings->items[strings->n++]);
	case STRING:
	case INTEGER:
	case COUNT:
	case CHOICE:
	case RETIRED: break;
	}
	abort();
}

static int decode_list(const struct reader *reader, struct where where, const struct key *key,
	const json_t *json, void *field)
{
	const json_t *element;
	size_t i;

	if (!json_is_array(json))
		return value_refuse(reader, &where, "must be a list");
	value_clear(key, field);
	json_array_foreach (json, i, element) {
		auto_free char *number = NULL;
		int r;

		where.place = ytree_place_element(reader->yaml, json, i);
		if (key->kind == STRINGS && key->max && json_is_integer(element))
			number = xasprintf("%lld", (long long)json_integer_value(element));
		else if (!json_is_string(element))
			return value_refuse(reader, &where, "element %zu must be a word", i + 1);
		r = add_element(
			reader, &where, key, number ? number : json_string_value(element), field);
		if (r < 0)
			return r;
	}
	return 0;
}

int value_decode(const struct reader *reader, struct where where, const struct key *key,
	const json_t *json, void *field)
{
	switch (key->kind) {
	case STRING:
		if (!json_is_string(json))
			return value_refuse(
				reader, &where, "must be a word (put it in quotes if need be)");
		return decode_string(reader, &where, json_string_value(json), field);
	case INTEGER:
		if (!json_is_integer(json))
			return value_refuse(reader, &where, "must be a number from %lld to %lld",
				(long long)key->min, (long long)key->max);
		return decode_integer(reader, &where, key, json_integer_value(json), field);
	case COUNT: return decode_count(reader, &where, key, json, field);
	case CHOICE: {
		auto_free char *allowed = words_text(key->words);
		/* To YAML 1.1, as Helm reads it, "on" and "off" are truths. */
		const char *text = json_is_boolean(json) ? json_is_true(json) ? "on" : "off"
							 : json_string_value(json);

		if (!text || (json_is_boolean(json) && words_index(key->words, text) < 0))
			return value_refuse(reader, &where, "must be one of %s", allowed);
		return decode_choice(reader, &where, key, text, field);
	}
	case CHOICES:
	case STRINGS:
	case PREFIXES: return decode_list(reader, where, key, json, field);
	case RETIRED: break;
	}
	abort();
}

int value_set_default(const struct reader *reader, const struct key *key, struct config *config)
{
	struct where where = {.key = key->path};
	void *field = (char *)config + key->offset;

	if (!key->initial)
		return 0;
	switch (key->kind) {
	case STRING: return decode_string(reader, &where, key->initial, field);
	case INTEGER:
	case COUNT: *(int64_t *)field = strtoll(key->initial, NULL, 10); return 0;
	case CHOICE: return decode_choice(reader, &where, key, key->initial, field);
	case CHOICES:
	case STRINGS:
	case PREFIXES:
		for (size_t i = 0;; i++) {
			auto_free char *word = words_at(key->initial, i);

			if (!word)
				return 0;
			if (add_element(reader, &where, key, word, field) < 0)
				return -EINVAL;
		}
	case RETIRED: break;
	}
	return 0;
}

static void print_quoted(FILE *out, const char *text)
{
	json_t *json = json_string(text);

	json_dumpf(json, out, JSON_ENCODE_ANY);
	json_decref(json);
}

void value_print(const struct key *key, const void *field, FILE *out)
{
	const struct config_strings *strings = field;
	const struct config_prefixes *prefixes = field;
	char buf[PREFIX_STRLEN];
	const char *comma = "";

	switch (key->kind) {
	case STRING: print_quoted(out, *(char *const *)field); break;
	case INTEGER: fprintf(out, "%lld", (long long)*(const int64_t *)field); break;
	case COUNT:
		fprintf(out, *(const int64_t *)field < 0 ? "%lld%%" : "%lld",
			llabs(*(const int64_t *)field));
		break;
	case CHOICE: {
		auto_free char *word = words_at(key->words, (size_t) * (const int *)field);

		fputs(word, out);
		break;
	}
	case CHOICES:
		fputc('[', out);
		for (size_t i = 0;; i++) {
			auto_free char *word = words_at(key->words, i);

			if (!word)
				break;
			if (*(const uint32_t *)field & 1u << i) {
				fprintf(out, "%s%s", comma, word);
				comma = ", ";
			}
		}
		fputc(']', out);
		break;
	case STRINGS:
		fputc('[', out);
		for (size_t i = 0; i < strings->n; i++) {
			fputs(i ? ", " : "", out);
			print_quoted(out, strings->items[i]);
		}
		fputc(']', out);
		break;
	case PREFIXES:
		fputc('[', out);
		for (size_t i = 0; i < prefixes->n; i++)
			fprintf(out, "%s\"%s\"", i ? ", " : "",
				prefix_text(&prefixes->items[i], buf));
		fputc(']', out);
		break;
	case RETIRED: break;
	}
}

/* For free(). */
char *value_text(const struct key *key, const void *field)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out;

	if (key->kind == STRING && !*(char *const *)field)
		return xstrdup("unset");
	out = xmemstream(&text, &size);
	value_print(key, field, out);
	fclose(out);
	return text;
}

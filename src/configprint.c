/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration for people: as a file, and as the table in the README. */
#include "config.h"

#include "class.h"
#include "keys.h"
#include "value.h"

#include <string.h>

static void print_class(const struct config_class *class, FILE *out)
{
	fprintf(out, "  %s:\n", class->name);
	for (size_t i = 0; i < n_class_keys; i++) {
		const char *name;
		const struct key *key = key_of_class(i, &name);
		const void *field = key_class_field(class, key);

		if (key->kind == STRING && !*(char *const *)field)
			continue;
		fprintf(out, "    %s: ", name);
		value_print(key, field, out);
		fputc('\n', out);
	}
}

void config_print(const struct config *config, FILE *out)
{
	const char *section = "";
	size_t section_len = 0;

	for (size_t i = 0; i < n_keys; i++) {
		const struct key *key = &keys[i];
		const void *field = (const char *)config + key->offset;
		const char *dot = strchr(key->path, '.');
		size_t len = dot ? (size_t)(dot - key->path) : 0;

		if (key->kind == RETIRED || (key->kind == STRING && !*(char *const *)field))
			continue;
		if (dot && (len != section_len || strncmp(section, key->path, len) != 0))
			fprintf(out, "%.*s:\n", (int)len, key->path);
		section = key->path;
		section_len = len;
		fprintf(out, "%s%s: ", dot ? "  " : "", dot ? dot + 1 : key->path);
		value_print(key, field, out);
		fputc('\n', out);
	}
	if (config->n_classes)
		fputs("classes:\n", out);
	for (size_t i = 0; i < config->n_classes; i++)
		print_class(&config->classes[i], out);
}

static void print_initial(const struct key *key, FILE *out)
{
	if (key->words && !strcmp(key->initial, key->words)) {
		fputs("all of them", out);
		return;
	}
	fputs("`[", out);
	for (size_t i = 0;; i++) {
		auto_free char *word = words_at(key->initial, i);

		if (!word)
			break;
		fprintf(out, "%s%s", i ? ", " : "", word);
	}
	fputs("]`", out);
}

static void print_class_key(size_t i, FILE *out)
{
	const char *name;
	const struct key *key = key_of_class(i, &name);

	fprintf(out, "| `classes.NAME.%s` | ", name);
	if (strcmp(name, key->path) != 0)
		fprintf(out, "that of `%s` | The same, for services of this class. |\n", key->path);
	else
		fprintf(out, "%s | %s |\n", key->initial ? "`[]`" : "unset", key->meaning);
}

void config_print_keys(FILE *out)
{
	fputs("| key | default | meaning |\n| --- | --- | --- |\n", out);
	for (size_t i = 0; i < n_keys; i++) {
		const struct key *key = &keys[i];
		bool list = key->kind == CHOICES || key->kind == STRINGS || key->kind == PREFIXES;

		if (key->kind == RETIRED)
			continue;
		fprintf(out, "| `%s` | ", key->path);
		if (!key->initial)
			fputs("unset", out);
		else if (list && !strcmp(key->initial, "*"))
			fputs("`[\"*\"]`", out);
		else if (list)
			print_initial(key, out);
		else
			fprintf(out, "`%s`", key->initial);
		fprintf(out, " | %s", key->meaning);
		if (key->words)
			fputs(key->kind == CHOICE ? " One of" : " Any of", out);
		for (size_t j = 0; key->words; j++) {
			auto_free char *word = words_at(key->words, j);

			if (!word)
				break;
			fprintf(out, "%s `%s`", j ? "," : ":", word);
		}
		fputs(key->words ? "." : "", out);
		fputs(" |\n", out);
	}
	for (size_t i = 0; i < n_class_keys; i++)
		print_class_key(i, out);
}

/* A schema, for the API server to refuse by. */

static json_t *words_json(const char *words)
{
	json_t *list = json_array();

	for (size_t i = 0;; i++) {
		auto_free char *word = words_at(words, i);

		if (!word)
			return list;
		json_array_append_new(list, json_string(word));
	}
}

static json_t *type_json(const struct key *key)
{
	switch (key->kind) {
	case INTEGER:
		return json_pack("{s:s, s:s, s:I, s:I}", "type", "integer", "format", "int64",
			"minimum", (json_int_t)key->min, "maximum", (json_int_t)key->max);
	case COUNT: /* a number or a share */
		return json_pack("{s:b, s:s}", "x-kubernetes-int-or-string", true, "pattern",
			"^[1-9][0-9]*%?$");
	case CHOICE:
		return json_pack("{s:s, s:o}", "type", "string", "enum", words_json(key->words));
	case CHOICES:
		return json_pack("{s:s, s:{s:s, s:o}}", "type", "array", "items", "type", "string",
			"enum", words_json(key->words));
	case STRINGS:
	case PREFIXES:
		return json_pack("{s:s, s:{s:s}}", "type", "array", "items", "type", "string");
	case STRING: return json_pack("{s:s}", "type", "string");
	case RETIRED: break;
	}
	abort();
}

void config_print_settings(FILE *out)
{
	json_auto_t *properties = json_object();

	for (size_t i = 0; i < n_class_keys; i++) {
		const struct key *key;
		auto_free char *name = class_key_name(true, i, &key);
		json_t *schema;

		if (!name)
			continue;
		schema = type_json(key);
		json_object_set_new(schema, "description", json_string(key->meaning));
		json_object_set_new(properties, name, schema);
	}
	json_dumpf(properties, out, JSON_INDENT(2));
	fputc('\n', out);
}

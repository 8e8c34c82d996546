/* SPDX-License-Identifier: Apache-2.0 */
/* One value of a key: from text or JSON into its field, and back into words. */
#pragma once

#include <stdio.h>

#include <cosmolet/yaml.h>

#include "keys.h"

/* Whoever reads values, and what they come from. */
struct reader {
	const char *file;         /* what an error begins with; NULL: with the key */
	const struct ytree *yaml; /* NULL: values have no place */
	bool foreign; /* of an object of the cluster: keys in camelCase, and no ${NAME} for us */
	char **out_error;
};

/* Where a value stands, for errors. A default has no place. */
struct where {
	struct ytree_place place;
	const char *key;
};

/* Writes the error: "FILE:LINE:COLUMN: KEY: text". Returns -EINVAL. */
printf_like(3, 4) int value_refuse(
	const struct reader *reader, const struct where *where, const char *format, ...);
/* 0; or -EINVAL, with the error written, and maybe some of it in the field. */
must_check int value_decode(const struct reader *reader, struct where where, const struct key *key,
	const json_t *json, void *field);
must_check int value_set_default(
	const struct reader *reader, const struct key *key, struct config *config);
/* Empties a list, so that what the file says replaces the default. Other kinds stay. */
void value_clear(const struct key *key, void *field);

/* As YAML. */
void value_print(const struct key *key, const void *field, FILE *out);
/* The same, or "unset". For free(). */
char *value_text(const struct key *key, const void *field);

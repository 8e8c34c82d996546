/* SPDX-License-Identifier: Apache-2.0 */
/* The keys of the configuration: the table that everything about them comes from. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "config.h"

enum kind { STRING, INTEGER, COUNT, CHOICE, CHOICES, STRINGS, PREFIXES, RETIRED };

struct key {
	const char *path;
	enum kind kind;
	size_t offset;       /* in struct config */
	const char *initial; /* NULL: unset. Lists: words separated by spaces */
	const char *words;   /* CHOICE and CHOICES: what is allowed, in the order of the enum */
	int64_t min, max;    /* INTEGER, COUNT; STRINGS that may be numbers */
	const char *meaning;
};

extern const struct key keys[];
extern const size_t n_keys;
/* Those that a class may have. */
extern const size_t n_class_keys;

/* NULL: there is none of that path. */
const struct key *key_find(const char *path);
/* The i-th key that a class may have; *out_name is how it is called there. */
const struct key *key_of_class(size_t i, const char **out_name);
/* A class's keys lie in it as the defaults' do in the configuration. */
void *key_class_field(const struct config_class *class, const struct key *key);

/* The n-th of words separated by spaces, for free(); NULL: there are not that many. */
char *words_at(const char *words, size_t n);
/* -1: it is not among them. */
int words_index(const char *words, const char *word);
/* "a b c" -> "a, b or c", for free(). */
char *words_text(const char *words);

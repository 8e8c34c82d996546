/* SPDX-License-Identifier: Apache-2.0 */
/*
 * YAML (and so JSON) text as jansson values, with the place of every key and value kept for errors.
 *
 * The YAML 1.2 core schema decides what a plain word is: null, true, false, numbers, else a string.
 * Duplicate keys, keys that are no scalars, custom tags, aliases to an unfinished node and nesting
 * deeper than 64 are refused. "<<" is a key like any other.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include <cosmolet/mem.h>

struct ytree;

struct ytree_place {
	unsigned line;   /* from 1; 0: unknown */
	unsigned column; /* from 1 */
};

struct ytree_error {
	struct ytree_place place;
	char text[200];
};

#define YTREE_MAX_BYTES                                                          \
	(16u << 20) /* a manifest of some 5,000 objects; a config is far smaller \
		     */

/*
 * Parses all documents of the text; empty documents count as none. 0 and *out for the caller to
 * ytree_free(), or -EBADMSG with *out_error filled and *out untouched.
 */
must_check int ytree_parse(
	const char *text, size_t size, struct ytree **out, struct ytree_error *out_error);
struct ytree *ytree_free(struct ytree *yaml);

/* Gets a text part by part. The tree and what it holds live until the function returns. */
struct ytree_reader {
	/*
	 * An element of the list "items" of a document that is not complete: of objects in a list
	 * there may be thousands. true: it is done with, and not part of the document any more.
	 */
	bool (*element)(
		void *data, const struct ytree *yaml, json_t *element, struct ytree_place place);
	void (*document)(
		void *data, const struct ytree *yaml, json_t *document, struct ytree_place place);
	void *data;
};

/*
 * The same as ytree_parse(), without holding more than a document at a time. After an error, some
 * were read already.
 */
must_check int ytree_read(const char *text, size_t size, const struct ytree_reader *reader,
	struct ytree_error *out_error);

size_t ytree_documents(const struct ytree *yaml);
/* Borrowed: lives as long as the yaml, or longer with json_incref(). */
json_t *ytree_document(const struct ytree *yaml, size_t index);

/*
 * Where a document's root, a member's key, a member's value or an array's element stands. yaml
 * NULL: what did not come out of a text stands nowhere.
 */
struct ytree_place ytree_place_root(const struct ytree *yaml, size_t index);
struct ytree_place ytree_place_key(const struct ytree *yaml, const json_t *object, const char *key);
struct ytree_place ytree_place_value(
	const struct ytree *yaml, const json_t *object, const char *key);
struct ytree_place ytree_place_element(const struct ytree *yaml, const json_t *array, size_t index);

DEFINE_AUTO(ytree, struct ytree *, ytree_free)
#define auto_ytree AUTO(ytree)

/*
 * Reads a whole file of at most max bytes into a NUL-terminated text for the caller to free().
 * 0, or a negative errno (-EFBIG: longer than max, or it holds a NUL).
 */
must_check int file_read(const char *path, size_t max, char **out, size_t *out_size);
/* The same of a descriptor, to its end; waits where the descriptor does. */
must_check int file_read_fd(int fd, size_t max, char **out, size_t *out_size);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A sorted vector of pointers: deterministic order, lookups by bisection, diffs by a merge walk.
 * Good up to some 50,000 elements; the elements stay the caller's.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <cosmolet/mem.h>

typedef int vec_cmp(const void *a, const void *b);

struct vec {
	void **items;
	size_t n;
	size_t room;     /* from items on */
	size_t n_before; /* free slots before items */
	vec_cmp *cmp;    /* over elements; NULL: kept in order of insertion */
};

#define VEC_INIT(cmp_fn) ((struct vec){.cmp = (cmp_fn)})

/* Walks all elements; the vector must not change meanwhile. */
#define vec_foreach(vec, var, i) \
	for (size_t i = 0; i < (vec)->n && ((var) = (vec)->items[i], true); i++)

void vec_init(struct vec *vec, vec_cmp *cmp);
/* Frees the vector, and each element with destroy unless that is NULL. Zeroed is fine. */
void vec_deinit(struct vec *vec, void (*destroy)(void *));
void vec_clear(struct vec *vec, void (*destroy)(void *));

/* The place of the first element not below key. *out_found says whether it equals key. */
size_t vec_lower(const struct vec *vec, const void *key, bool *out_found);
/* NULL: not found. key is an element, too: a stack object with the key fields set. */
void *vec_find(const struct vec *vec, const void *key);
/* Inserts in order; an equal element must not be there already. */
void vec_insert(struct vec *vec, void *item);
/* Appends; only for vectors without cmp, or when the caller knows it is the greatest. */
void vec_append(struct vec *vec, void *item);
void *vec_remove_at(struct vec *vec, size_t index);
/* NULL: not found. */
void *vec_remove(struct vec *vec, const void *key);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A sorted vector. Moving pointers is so cheap that no tree pays off below 50,000 elements; and
 * since it is the shorter side that moves, walks from either end cost nothing beyond that.
 */
#include <cosmolet/vec.h>

#include <assert.h>
#include <string.h>

void vec_init(struct vec *vec, vec_cmp *cmp)
{
	*vec = VEC_INIT(cmp);
}

void vec_clear(struct vec *vec, void (*destroy)(void *))
{
	if (destroy) {
		for (size_t i = 0; i < vec->n; i++)
			destroy(vec->items[i]);
	}
	vec->n = 0;
}

/* Where the memory begins. */
static void **base(const struct vec *vec)
{
	return vec->items ? vec->items - vec->n_before : NULL;
}

void vec_deinit(struct vec *vec, void (*destroy)(void *))
{
	vec_clear(vec, destroy);
	free(base(vec));
	*vec = VEC_INIT(vec->cmp);
}

size_t vec_lower(const struct vec *vec, const void *key, bool *out_found)
{
	size_t low = 0, high = vec->n;

	assert(vec->cmp);
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (vec->cmp(vec->items[middle], key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (out_found)
		*out_found = low < vec->n && vec->cmp(vec->items[low], key) == 0;
	return low;
}

void *vec_find(const struct vec *vec, const void *key)
{
	bool found;
	size_t at = vec_lower(vec, key, &found);

	return found ? vec->items[at] : NULL;
}

static void move(struct vec *vec, size_t to, size_t from, size_t n)
{
	memmove(vec->items + to, vec->items + from, n * sizeof(*vec->items));
}

/* Room at the end: what is free at the beginning, or else new memory. */
static void make_room(struct vec *vec)
{
	void **start = base(vec);
	size_t room = vec->n_before + vec->room;

	if (vec->n_before > room / 2) {
		memmove(start, vec->items, vec->n * sizeof(*start));
	} else {
		room = room ? room * 2 : 2; /* there are thousands with one element */
		start = xrealloc(start, room * sizeof(*start));
		memmove(start, start + vec->n_before, vec->n * sizeof(*start));
	}
	vec->items = start;
	vec->n_before = 0;
	vec->room = room;
}

static void insert_at(struct vec *vec, size_t at, void *item)
{
	if (vec->n_before > 0 && at < vec->n / 2) {
		vec->items--;
		vec->n_before--;
		vec->room++;
		move(vec, 0, 1, at);
	} else {
		if (vec->n == vec->room)
			make_room(vec);
		move(vec, at + 1, at, vec->n - at);
	}
	vec->items[at] = item;
	vec->n++;
}

void vec_insert(struct vec *vec, void *item)
{
	bool found;
	size_t at = vec_lower(vec, item, &found);

	assert(!found);
	insert_at(vec, at, item);
}

void vec_append(struct vec *vec, void *item)
{
	insert_at(vec, vec->n, item);
}

void *vec_remove_at(struct vec *vec, size_t index)
{
	void *item = vec->items[index];

	assert(index < vec->n);
	vec->n--;
	if (index < vec->n / 2) {
		move(vec, 1, 0, index);
		vec->items++;
		vec->n_before++;
		vec->room--;
	} else {
		move(vec, index, index + 1, vec->n - index);
	}
	return item;
}

void *vec_remove(struct vec *vec, const void *key)
{
	bool found;
	size_t at = vec_lower(vec, key, &found);

	return found ? vec_remove_at(vec, at) : NULL;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* A sorted vector. Moving pointers is so cheap that no tree pays off below 50,000 elements. */
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

void vec_deinit(struct vec *vec, void (*destroy)(void *))
{
	vec_clear(vec, destroy);
	free(vec->items);
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

static void insert_at(struct vec *vec, size_t at, void *item)
{
	if (vec->n == vec->room) {
		vec->room = vec->room ? vec->room * 2 : 8;
		vec->items = xrealloc(vec->items, vec->room * sizeof(*vec->items));
	}
	memmove(vec->items + at + 1, vec->items + at, (vec->n - at) * sizeof(*vec->items));
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
	memmove(vec->items + index, vec->items + index + 1, (vec->n - index) * sizeof(*vec->items));
	return item;
}

void *vec_remove(struct vec *vec, const void *key)
{
	bool found;
	size_t at = vec_lower(vec, key, &found);

	return found ? vec_remove_at(vec, at) : NULL;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory and the small idioms of ownership.
 *
 * An allocation that fails ends the process: containers are killed long before malloc() returns
 * NULL, so the paths behind a check would never run. The price is that no length from outside
 * may reach an allocator without a bound of its own.
 */
#pragma once

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define must_check        __attribute__((warn_unused_result))
#define printf_like(f, a) __attribute__((format(printf, f, a)))

#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))
#define N_ELEMENTS(array)               (sizeof(array) / sizeof((array)[0]))

/* Each argument is evaluated once. */
#define MIN(a, b)                                  \
	({                                         \
		__auto_type min_a_ = (a);          \
		__auto_type min_b_ = (b);          \
		min_a_ < min_b_ ? min_a_ : min_b_; \
	})
#define MAX(a, b)                                  \
	({                                         \
		__auto_type max_a_ = (a);          \
		__auto_type max_b_ = (b);          \
		max_a_ > max_b_ ? max_a_ : max_b_; \
	})

/* Hands a pointer over: the variable is NULL afterwards, so its cleanup does nothing. */
#define TAKE(ptr)                               \
	({                                      \
		__typeof__(ptr) taken_ = (ptr); \
		(ptr) = NULL;                   \
		taken_;                         \
	})

/* Defines auto_<name>: a local variable of this attribute is destroyed when its block ends. */
#define DEFINE_AUTO(name, type, destroy)                \
	static inline void auto_##name##_end(type *var) \
	{                                               \
		if (*var)                               \
			destroy(*var);                  \
	}
#define AUTO(name) __attribute__((cleanup(auto_##name##_end)))

static inline void auto_free_end(void *var)
{
	free(*(void **)var);
}
#define auto_free AUTO(free)

static inline void auto_close_end(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}
#define auto_close AUTO(close)

DEFINE_AUTO(file, FILE *, fclose)
#define auto_file AUTO(file)

/* The x family never returns NULL. What it returns is the caller's, to be given to free(). */
void *xmalloc(size_t size);
void *xcalloc(size_t n, size_t size);
void *xrealloc(void *ptr, size_t size);
void *xmemdup(const void *from, size_t size);
char *xstrdup(const char *s);
char *xstrndup(const char *s, size_t n);
char *xasprintf(const char *format, ...) printf_like(1, 2);

/* A text that grows: open_memstream() that cannot fail. *out is valid after fclose(). */
FILE *xmemstream(char **out, size_t *out_size);

/* Replaces *field by a copy of value (NULL clears it). */
void str_set(char **field, const char *value);

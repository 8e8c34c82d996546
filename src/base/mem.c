/* SPDX-License-Identifier: Apache-2.0 */
/* Allocation that does not fail: it ends the process, with one line that says so. */
#include <cosmolet/mem.h>

#include <stdarg.h>
#include <string.h>

static void *checked(void *ptr)
{
	if (!ptr) {
		static const char text[] = "level=error room=base event=\"out of memory\"\n";

		(void)!write(STDERR_FILENO, text, sizeof(text) - 1); /* nothing better is left */
		abort();
	}
	return ptr;
}

void *xmalloc(size_t size)
{
	return checked(malloc(size ? size : 1));
}

void *xcalloc(size_t n, size_t size)
{
	return checked(calloc(n ? n : 1, size ? size : 1));
}

void *xrealloc(void *ptr, size_t size)
{
	return checked(realloc(ptr, size ? size : 1));
}

void *xmemdup(const void *from, size_t size)
{
	void *ptr = xmalloc(size);

	if (size)
		memcpy(ptr, from, size);
	return ptr;
}

char *xstrdup(const char *s)
{
	return checked(strdup(s));
}

char *xstrndup(const char *s, size_t n)
{
	return checked(strndup(s, n));
}

char *xasprintf(const char *format, ...)
{
	va_list args;
	char *out = NULL;
	int n;

	va_start(args, format);
	n = vasprintf(&out, format, args);
	va_end(args);
	return checked(n < 0 ? NULL : out);
}

FILE *xmemstream(char **out, size_t *out_size)
{
	return checked(open_memstream(out, out_size));
}

void str_set(char **field, const char *value)
{
	char *copy = value ? xstrdup(value) : NULL;

	free(*field);
	*field = copy;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Preloaded into a program, it counts what malloc() has given and not got back, with malloc's own
 * overhead, in a file that others may map and read at any time: the octets, the blocks, and the
 * most octets there ever were.
 *
 *	HEAP=/tmp/counts LD_PRELOAD=…/libheap.so cosmolet run …
 */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define OVERHEAD sizeof(size_t) /* glibc's, of each block */

struct counts {
	_Atomic int64_t octets;
	_Atomic int64_t blocks;
	_Atomic int64_t most;
};

/* glibc's own, which are always there, unlike what dlsym() would have to allocate for. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *block, size_t size);
void *__libc_memalign(size_t align, size_t size);
void __libc_free(void *block);

static struct counts before_main;
static struct counts *counts = &before_main;

__attribute__((constructor)) static void map_counts(void)
{
	const char *path = getenv("HEAP");
	int fd = path ? open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644) : -1;
	struct counts *mapped;

	if (fd < 0 || ftruncate(fd, sizeof(*mapped)) < 0)
		return;
	mapped = mmap(NULL, sizeof(*mapped), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (mapped == MAP_FAILED)
		return;
	memcpy(mapped, counts, sizeof(*mapped));
	counts = mapped;
}

static void count(void *block, int sign)
{
	int64_t octets, now, most = atomic_load(&counts->most);

	if (!block)
		return;
	octets = sign * (int64_t)(malloc_usable_size(block) + OVERHEAD);
	atomic_fetch_add(&counts->blocks, sign);
	now = atomic_fetch_add(&counts->octets, octets) + octets;
	while (now > most && !atomic_compare_exchange_weak(&counts->most, &most, now))
		;
}

void *malloc(size_t size)
{
	void *block = __libc_malloc(size);

	count(block, 1);
	return block;
}

void *calloc(size_t n, size_t size)
{
	void *block = __libc_calloc(n, size);

	count(block, 1);
	return block;
}

void *realloc(void *block, size_t size)
{
	void *other;

	count(block, -1);
	other = __libc_realloc(block, size);
	count(other ? other : block, 1);
	return other;
}

void *memalign(size_t align, size_t size)
{
	void *block = __libc_memalign(align, size);

	count(block, 1);
	return block;
}

void *aligned_alloc(size_t align, size_t size)
{
	return memalign(align, size);
}

int posix_memalign(void **out, size_t align, size_t size)
{
	*out = memalign(align, size);
	return *out ? 0 : ENOMEM;
}

void free(void *block)
{
	count(block, -1);
	__libc_free(block);
}

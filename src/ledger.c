/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ledger: a line that says for what it counts, then an address a line. It is replaced as a
 * whole by rename(), so a reader, ourselves after a crash included, sees the one before or this.
 */
#include "ledger.h"

#include <cosmolet/vec.h>
#include <cosmolet/yaml.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_BYTES (8u << 20)

struct ledger {
	char *directory;
	char *path;
	char *header;
	struct vec addresses; /* struct prefix */
	bool changed;
};

/* Boot, network namespace and interface: what the addresses live and die with. */
static char *make_header(const char *interface)
{
	auto_free char *boot = NULL;
	struct stat ns = {0};
	size_t size;

	if (file_read("/proc/sys/kernel/random/boot_id", 64, &boot, &size) < 0)
		boot = xstrdup("unknown");
	boot[strcspn(boot, "\n")] = '\0';
	if (stat("/proc/self/ns/net", &ns) < 0)
		ns.st_ino = 0;
	return xasprintf("cosmolet ledger 1 boot %s namespace %llu interface %s", boot,
		(unsigned long long)ns.st_ino, interface);
}

/* The line number that is wrong; 0: none. */
static unsigned take_lines(struct ledger *ledger, char *text)
{
	struct prefix address;
	unsigned n = 1;

	for (char *line; (line = strsep(&text, "\n")); n++) {
		if (n == 1 || (!text && !*line))
			continue;
		if (!text || !prefix_parse_host(line, &address))
			return n;
		ledger_put(ledger, &address);
	}
	return 0;
}

static char *no_ledger(const struct ledger *ledger, unsigned line)
{
	return xasprintf("%s:%u: this is no ledger of ours, and counts for nothing: what a former "
			 "life bound is left alone; remove it by hand (ip address delete)",
		ledger->path, line);
}

static void take_text(struct ledger *ledger, char *text, size_t size, char **out_problem)
{
	size_t first = strcspn(text, "\n");
	unsigned wrong;

	if (strlen(text) != size || strncmp(text, "cosmolet ledger 1 ", 18) != 0) {
		wrong = 1;
	} else {
		if (strlen(ledger->header) != first || strncmp(text, ledger->header, first) != 0)
			return; /* of another boot, say: nothing of it is there any more */
		wrong = take_lines(ledger, text);
	}
	if (!wrong)
		return;
	vec_clear(&ledger->addresses, free);
	*out_problem = no_ledger(ledger, wrong);
}

struct ledger *ledger_open(const char *directory, const char *interface, char **out_problem)
{
	struct ledger *ledger = xcalloc(1, sizeof(*ledger));
	auto_free char *text = NULL;
	size_t size = 0;
	int r;

	ledger->directory = xstrdup(directory);
	ledger->path = xasprintf("%s/addresses-%s", directory, interface);
	ledger->header = make_header(interface);
	vec_init(&ledger->addresses, prefix_cmp);
	*out_problem = NULL;
	r = file_read(ledger->path, MAX_BYTES, &text, &size);
	if (r == 0)
		take_text(ledger, text, size, out_problem);
	else if (r == -EFBIG) /* or octets that no text has */
		*out_problem = no_ledger(ledger, 1);
	else if (r != -ENOENT)
		*out_problem =
			xasprintf("%s: %s; it counts for nothing", ledger->path, strerror(-r));
	ledger->changed = false;
	return ledger;
}

struct ledger *ledger_close(struct ledger *ledger)
{
	if (!ledger)
		return NULL;
	vec_deinit(&ledger->addresses, free);
	free(ledger->directory);
	free(ledger->path);
	free(ledger->header);
	free(ledger);
	return NULL;
}

bool ledger_has(const struct ledger *ledger, const struct prefix *address)
{
	return vec_find(&ledger->addresses, address) != NULL;
}

void ledger_put(struct ledger *ledger, const struct prefix *address)
{
	if (ledger_has(ledger, address))
		return;
	vec_insert(&ledger->addresses, xmemdup(address, sizeof(*address)));
	ledger->changed = true;
}

void ledger_drop(struct ledger *ledger, const struct prefix *address)
{
	struct prefix *known = vec_remove(&ledger->addresses, address);

	ledger->changed = ledger->changed || known;
	free(known);
}

void ledger_prune(struct ledger *ledger,
	bool (*keep)(const void *data, const struct prefix *address), const void *data)
{
	for (size_t i = ledger->addresses.n; i-- > 0;) {
		if (keep(data, ledger->addresses.items[i]))
			continue;
		free(vec_remove_at(&ledger->addresses, i));
		ledger->changed = true;
	}
}

static int write_to(const struct ledger *ledger, int fd)
{
	auto_file FILE *out = fdopen(fd, "w");
	const struct prefix *address;
	char buf[PREFIX_STRLEN];

	if (!out) {
		close(fd);
		return -errno;
	}
	fprintf(out, "%s\n", ledger->header);
	vec_foreach (&ledger->addresses, address, i)
		fprintf(out, "%s\n", prefix_address(address, buf));
	if (fflush(out) != 0 || fsync(fd) < 0)
		return -errno;
	return ferror(out) ? -EIO : 0; /* what could not be written on the way is not tried again */
}

/* Puts the new file in the old one's place, and the name onto the disk. */
static int replace(const struct ledger *ledger, const char *from)
{
	auto_close int directory = open(ledger->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (directory < 0 || rename(from, ledger->path) < 0 || fsync(directory) < 0)
		return -errno;
	return 0;
}

static int write_file(const struct ledger *ledger)
{
	auto_free char *new = xasprintf("%s.new", ledger->path);
	int fd, r;

	if (mkdir(ledger->directory, 0755) < 0 && errno != EEXIST)
		return -errno;
	fd = open(new, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	r = write_to(ledger, fd);
	if (r == 0)
		r = replace(ledger, new);
	if (r < 0)
		unlink(new);
	return r;
}

int ledger_write(struct ledger *ledger, char **out_error)
{
	int r = ledger->changed ? write_file(ledger) : 0;

	if (r == 0) {
		ledger->changed = false;
		return 0;
	}
	*out_error = xasprintf("the ledger %s cannot be written: %s; set loopback.ledger_directory "
			       "to a directory that can",
		ledger->path, strerror(-r));
	return -1;
}

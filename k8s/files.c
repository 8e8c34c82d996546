/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A directory of manifests instead of an API server. inotify says that something happened; what,
 * is found out by looking at the directory again and reading the files that changed. So a lost
 * event, an editor with its own habits, or a ConfigMap whose "..data" link is swapped all end in
 * the same scan.
 *
 * The hard idea is not to read what is being written. Between truncating a file and writing it, it
 * is a valid manifest of nothing, and to believe that would withdraw every address in it. A file
 * that was opened for writing is therefore left alone until it is closed, and what was read is
 * thrown away if somebody began to write meanwhile. For the same reason a file that does not parse
 * and a directory that is away change nothing: what was known stays.
 */
#include "files.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include <cosmolet/vec.h>
#include <cosmolet/yaml.h>

#include "manifest.h"

#define SCAN_DELAY_MIN_MS 1
#define SCAN_DELAY_MAX_MS 50
#define WRITING_MAX_MS    2000  /* truncate(2) never closes; the longest we wait for that */
#define RETRY_MS          1000  /* of a directory that is away */
#define RESCAN_MS         60000 /* what leads to it may be another one, of which nothing tells */
#define READ_SLICE_MS     20    /* then others have their turn */
#define EVENT_BUFFER      16384
#define ROUNDS_MAX        64 /* buffers in a row; what is left comes in the next turn */

#define BEGINS  (IN_CREATE | IN_MODIFY)
#define ENDS    (IN_CLOSE_WRITE | IN_MOVED_TO)
#define GOES    (IN_DELETE | IN_MOVED_FROM)
#define CONTENT (BEGINS | ENDS | GOES | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF)

struct files {
	struct loop *loop;
	struct events *events;
	const struct k8s_options *options;
	const char *directory;
	char *parent;
	char *own_name; /* of the directory in its parent */
	int inotify_fd;
	int wd; /* of the directory */
	int parent_wd;
	bool lost;  /* the directory is away */
	bool blind; /* it cannot be watched, which was said */
	struct loop_io io;
	struct loop_timer timer;
	struct loop_job read_job;
	struct mono scan_cost;
	struct vec files; /* by name */
};

struct file {
	struct stream stream;
	char *name;
	int wd;                    /* of the directory where its content lives, behind all links */
	char *base;                /* its name there */
	struct stat seen;          /* as it was read */
	bool present;              /* in the scan that runs */
	bool dirty;                /* to be read, whatever it looks like */
	bool gone;                 /* an event said so */
	bool read;                 /* at least once, with success */
	struct mono writing_until; /* zero: nobody writes */
};

static void scan(struct loop_timer *timer);
static void read_some(struct loop_job *job);
static void take_events(struct files *files);

static int file_cmp(const void *a, const void *b)
{
	return strcmp(((const struct file *)a)->name, ((const struct file *)b)->name);
}

static void file_destroy(void *item)
{
	struct file *file = item;

	stream_deinit(&file->stream);
	free(file->name);
	free(file->base);
	free(file);
}

static struct file *find_file(struct files *files, char *name)
{
	return vec_find(&files->files, &(struct file){.name = name});
}

static struct file *get_file(struct files *files, const char *name)
{
	auto_free char *copy = xstrdup(name);
	struct file *file = find_file(files, copy);

	if (file)
		return file;
	file = xcalloc(1, sizeof(*file));
	stream_init(&file->stream, files->events, name, false);
	file->name = TAKE(copy);
	file->base = xstrdup(name);
	file->wd = files->wd;
	file->dirty = true;
	vec_insert(&files->files, file);
	return file;
}

static char *path_of(const struct files *files, const struct file *file)
{
	return xasprintf("%s/%s", files->directory, file->name);
}

static bool has_end(const char *name, const char *end)
{
	size_t n = strlen(name), n_end = strlen(end);

	return n > n_end && strcmp(name + n - n_end, end) == 0;
}

/* What an editor hides is no manifest, nor is what kustomize reads. */
static bool is_manifest_name(const char *name)
{
	return *name != '.' &&
	       (has_end(name, ".yaml") || has_end(name, ".yml") || has_end(name, ".json")) &&
	       strcmp(name, "kustomization.yaml") != 0 && strcmp(name, "kustomization.yml") != 0;
}

/* -1: it cannot be watched; then a later scan has to see it. */
static int watch(struct files *files, const char *path, uint32_t mask)
{
	return inotify_add_watch(files->inotify_fd, path, mask | IN_ONLYDIR | IN_MASK_ADD);
}

static void scan_at(struct files *files, struct mono at)
{
	if (!files->timer.loop || mono_before(at, files->timer.at))
		loop_timer_at(files->loop, &files->timer, at, scan);
}

/* Soon, but with a large directory not so often that nothing else is done. */
static void scan_soon(struct files *files)
{
	struct mono delay = files->scan_cost;

	if (mono_before(delay, mono_ms(SCAN_DELAY_MIN_MS)))
		delay = mono_ms(SCAN_DELAY_MIN_MS);
	if (mono_before(mono_ms(SCAN_DELAY_MAX_MS), delay))
		delay = mono_ms(SCAN_DELAY_MAX_MS);
	scan_at(files, mono_add(mono_now(), delay));
}

/* A link, or a second name of a file that is there already, is complete as it appears. */
static bool appears_complete(const struct files *files, const struct file *file)
{
	auto_free char *path = path_of(files, file);
	struct stat st;

	return lstat(path, &st) < 0 || !S_ISREG(st.st_mode) || st.st_nlink > 1;
}

static void note(struct files *files, struct file *file, uint32_t mask)
{
	if (mask & (BEGINS | ENDS))
		file->gone = false;
	if (mask & ENDS) {
		file->writing_until = (struct mono){0};
		file->dirty = true;
	} else if ((mask & IN_MODIFY) || ((mask & IN_CREATE) && !appears_complete(files, file))) {
		file->writing_until = mono_add(mono_now(), mono_ms(WRITING_MAX_MS));
		scan_at(files, file->writing_until);
	}
	if (mask & GOES)
		file->gone = true;
}

static void note_all(struct files *files, int wd, const char *name, uint32_t mask)
{
	struct file *file;

	if (wd == files->wd && is_manifest_name(name) && (mask & BEGINS) && !(mask & IN_ISDIR))
		get_file(files, name);
	vec_foreach (&files->files, file, i) {
		if (file->wd == wd && strcmp(file->base, name) == 0)
			note(files, file, mask);
	}
}

/* After an overflow nothing is known: all is to be read, whoever may be writing. */
static void forget_all(struct files *files)
{
	struct file *file;

	vec_foreach (&files->files, file, i) {
		file->writing_until = (struct mono){0};
		file->dirty = true;
	}
}

static void take_event(struct files *files, const struct inotify_event *event)
{
	const char *name = event->len ? event->name : "";
	bool ours = event->wd != files->parent_wd || event->wd == files->wd;

	if (event->mask & IN_Q_OVERFLOW)
		forget_all(files);
	if (event->len)
		note_all(files, event->wd, name, event->mask);
	if (event->mask & IN_MODIFY)
		return; /* the rest comes when it is closed */
	if (ours || strcmp(name, files->own_name) == 0)
		scan_soon(files);
}

static void take_events(struct files *files)
{
	_Alignas(struct inotify_event) char buffer[EVENT_BUFFER];
	ssize_t size = 1;

	for (int round = 0; round < ROUNDS_MAX && size > 0; round++) {
		size = read(files->inotify_fd, buffer, sizeof(buffer));
		for (ssize_t at = 0; at < size;) {
			const struct inotify_event *event = (const void *)(buffer + at);

			take_event(files, event);
			at += (ssize_t)(sizeof(*event) + event->len);
		}
	}
}

static void on_inotify(struct loop_io *io, uint32_t ready)
{
	(void)ready;
	take_events(container_of(io, struct files, io));
}

/* Where a link leads: to the end of all links, or one step if the end is not there. NULL: none. */
static char *link_target(const struct files *files, const char *path)
{
	char target[PATH_MAX];
	char *real = realpath(path, NULL);
	ssize_t n;

	if (real)
		return real;
	n = readlink(path, target, sizeof(target) - 1);
	if (n <= 0)
		return NULL;
	target[n] = '\0';
	return *target == '/' ? xstrdup(target) : xasprintf("%s/%s", files->directory, target);
}

/* Where the content is, so that a change there is seen as well. */
static void follow(struct files *files, struct file *file)
{
	auto_free char *path = path_of(files, file);
	auto_free char *target = NULL;
	struct stat st;
	char *slash;

	file->wd = files->wd;
	str_set(&file->base, file->name);
	if (lstat(path, &st) < 0 || !S_ISLNK(st.st_mode))
		return;
	target = link_target(files, path);
	slash = target ? strrchr(target, '/') : NULL;
	if (!slash)
		return;
	*slash = '\0';
	file->wd = watch(files, slash == target ? "/" : target, CONTENT);
	str_set(&file->base, slash + 1);
}

static bool same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* Whether it is to be read now. */
static bool needs_reading(struct files *files, struct file *file)
{
	auto_free char *path = path_of(files, file);
	struct stat now;

	if (file->writing_until.ns && mono_before(mono_now(), file->writing_until)) {
		scan_at(files, file->writing_until);
		return false;
	}
	if (file->writing_until.ns)
		file->dirty = true;
	file->writing_until = (struct mono){0};
	return file->dirty || stat(path, &now) < 0 || !same(&now, &file->seen);
}

/* Its content is gone, if it had any that was told. */
static void remove_file(struct files *files, size_t index)
{
	struct file *file = vec_remove_at(&files->files, index);

	if (file->read)
		stream_empty(&file->stream);
	file_destroy(file);
}

static void remove_absent(struct files *files)
{
	for (size_t i = files->files.n; i-- > 0;)
		if (!((struct file *)files->files.items[i])->present)
			remove_file(files, i);
}

/* Says so once, and keeps all but what was seen to be deleted before. */
static void lose(struct files *files, int error)
{
	auto_free char *text = xasprintf("%s: %s", files->directory, strerror(error));

	for (size_t i = files->files.n; i-- > 0;) {
		struct file *file = files->files.items[i];

		if (file->gone)
			remove_file(files, i);
		else
			stream_down(&file->stream, xstrdup(text));
	}
	files->lost = true;
	scan_at(files, mono_add(mono_now(), mono_ms(RETRY_MS)));
}

static bool is_candidate(const struct files *files, const char *name)
{
	auto_free char *path = xasprintf("%s/%s", files->directory, name);
	struct stat st;

	if (!is_manifest_name(name))
		return false;
	/* A link to nothing is a file that cannot be read, which is to be said. */
	return stat(path, &st) < 0 ? lstat(path, &st) == 0 : S_ISREG(st.st_mode);
}

/* 0 or a negative errno. */
static int find_files(struct files *files)
{
	DIR *directory = opendir(files->directory);
	struct dirent *entry;
	struct file *file;

	if (!directory)
		return -errno;
	vec_foreach (&files->files, file, i) {
		file->present = false;
	}
	while ((entry = readdir(directory)))
		if (is_candidate(files, entry->d_name))
			get_file(files, entry->d_name)->present = true;
	closedir(directory);
	return 0;
}

/* Without inotify (fs.inotify.max_user_watches, exotic file systems) it is looked at every second.
 */
static void poll_instead(struct files *files, int error)
{
	if (!files->blind)
		events_warn(files->events,
			xasprintf("%s cannot be watched (%s) and is read once a second instead",
				files->directory, strerror(error)));
	files->blind = true;
	scan_at(files, mono_add(mono_now(), mono_ms(RETRY_MS)));
}

static void scan(struct loop_timer *timer)
{
	struct files *files = container_of(timer, struct files, timer);
	struct mono begin = mono_now();
	struct file *file;
	int watch_error;
	int r;

	/* Watches before looks: what changes in between is then seen by one or the other. */
	files->parent_wd = watch(files, files->parent, IN_CREATE | IN_MOVED_TO | GOES);
	files->wd = watch(files, files->directory, CONTENT);
	watch_error = errno;
	r = find_files(files);
	if (r) {
		lose(files, -r);
		return;
	}
	if (files->wd < 0)
		poll_instead(files, watch_error);
	if (files->lost)
		forget_all(files);
	files->lost = false;
	remove_absent(files);
	vec_foreach (&files->files, file, i) {
		file->gone = false;
		follow(files, file);
		file->dirty = needs_reading(files, file);
	}
	files->scan_cost = mono_sub(mono_now(), begin);
	scan_at(files, mono_add(mono_now(), mono_ms(RESCAN_MS)));
	loop_job_queue(files->loop, &files->read_job, read_some);
}

static void apply(struct file *file, const char *path, struct vec *objects, struct vec *problems)
{
	stream_list_begin(&file->stream);
	for (size_t i = 0; i < objects->n; i++)
		stream_object(&file->stream, objects->items[i], false);
	stream_list_end(&file->stream);
	for (size_t i = 0; i < problems->n; i++)
		stream_problem(&file->stream, problems->items[i]);
	stream_up(&file->stream,
		xasprintf("%s: %zu objects of this node and these namespaces", path, objects->n));
	file->read = true;
	vec_deinit(objects, NULL);
	vec_deinit(problems, NULL);
}

static void refuse(struct file *file, const char *path, int error)
{
	const char *text = strerror(error);

	if (error == EFBIG)
		text = file->seen.st_size > YTREE_MAX_BYTES ? "longer than 16 MiB"
							    : "not text, it holds a NUL";
	stream_down(&file->stream, xasprintf("%s: %s", path, text));
}

/* What was read is believed only if nobody began to write while we did. */
static void read_file(struct files *files, struct file *file)
{
	auto_free char *path = path_of(files, file);
	auto_free char *text = NULL;
	struct vec objects = {0};
	struct vec problems = {0};
	size_t size = 0;
	char *error;
	int r;

	file->seen = (struct stat){0};
	r = stat(path, &file->seen) < 0 ? -errno : file_read(path, YTREE_MAX_BYTES, &text, &size);
	file->dirty = false;
	take_events(files);
	if (file->writing_until.ns || file->dirty || file->gone)
		return; /* a scan follows */
	stream_contact(&file->stream, size);
	if (r)
		refuse(file, path, -r);
	else if (manifest_read(path, text, size, files->options, &objects, &problems, &error))
		stream_down(&file->stream, error);
	else
		apply(file, path, &objects, &problems);
}

/* Reading may take long, so it pauses; the next round begins with those that are still dirty. */
static void read_some(struct loop_job *job)
{
	struct files *files = container_of(job, struct files, read_job);
	struct mono end = mono_add(mono_now(), mono_ms(READ_SLICE_MS));

	for (size_t i = 0; i < files->files.n; i++) {
		struct file *file = files->files.items[i];

		if (!file->dirty || file->writing_until.ns)
			continue;
		if (mono_before(end, mono_now())) {
			loop_job_queue(files->loop, job, read_some);
			return;
		}
		read_file(files, file);
	}
	events_complete(files->events);
}

/* "a/b/" is b in a, "b" is b in the working directory. */
static void split_path(struct files *files)
{
	auto_free char *path = xstrdup(files->directory);
	size_t n = strlen(path);
	char *slash;

	while (n > 1 && path[n - 1] == '/')
		path[--n] = '\0';
	slash = strrchr(path, '/');
	files->own_name = xstrdup(slash ? slash + 1 : path);
	if (slash)
		*slash = '\0';
	files->parent = xstrdup(!slash ? "." : *path ? path : "/");
}

int files_new(struct loop *loop, struct events *events, const struct k8s_options *options,
	struct files **out, char **out_error)
{
	DIR *directory = opendir(options->directory);
	int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	struct files *files = xcalloc(1, sizeof(*files));
	int r = directory && fd >= 0 ? 0 : -errno;

	if (directory)
		closedir(directory);
	*files = (struct files){.loop = loop,
		.events = events,
		.options = options,
		.directory = options->directory,
		.inotify_fd = fd,
		.files = VEC_INIT(file_cmp)};
	if (!r)
		r = loop_io_start(loop, &files->io, fd, EPOLLIN, on_inotify);
	if (r) {
		*out_error = xasprintf("%s: %s", options->directory, strerror(-r));
		files_free(files);
		return -EINVAL;
	}
	split_path(files);
	scan_at(files, loop_now(loop));
	*out = files;
	return 0;
}

struct files *files_free(struct files *files)
{
	if (!files)
		return NULL;
	loop_timer_stop(&files->timer);
	loop_job_stop(&files->read_job);
	loop_io_stop(&files->io);
	if (files->inotify_fd >= 0)
		close(files->inotify_fd);
	vec_deinit(&files->files, file_destroy);
	free(files->parent);
	free(files->own_name);
	free(files);
	return NULL;
}

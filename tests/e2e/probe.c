/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the k8s room and the cluster store know, without a daemon around them: for tests that
 * compare it with the API server, object for object, and for the bench.
 *
 *	probe [--server=URL]... KUBECONFIG NODE [NAMESPACE]...
 *
 * In place of a KUBECONFIG, the directory of a service account is as in a pod.
 * It says "synced" once, "up STREAM", "down STREAM: WHY" and "problem TEXT" as they come, and with
 * each change of a pod its name, resource version and the time in ns at which the store had it. Of
 * its input, "dump" is answered by a line per object and "end"; "slices NAMESPACE/SERVICE..." wants
 * the EndpointSlices of those services; the end of it ends the program.
 */
#include <assert.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "cluster.h"

static struct loop *loop;
static struct k8s *k8s;
static struct cluster cluster;

static void ignore(void *data, const char *namespace, const char *name)
{
	(void)data;
	(void)namespace;
	(void)name;
}

/* Its name and version, before the store takes it; NULL: no pod. */
static char *pod_text(const struct k8s_object *object)
{
	if (!object || object->resource != K8S_PODS)
		return NULL;
	return xasprintf("%s %s", object->meta.name, object->meta.resource_version);
}

static void say_pod(const char *pod)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	printf("pod %s %lld\n", pod, (long long)now.tv_sec * 1000000000 + now.tv_nsec);
}

static void take(const struct k8s_event *event)
{
	struct k8s_stream_status status;
	const char *name =
		event->text && k8s_stream(k8s, event->stream, &status) ? status.name : "";

	if (event->type == K8S_EVENT_SYNCED)
		printf("synced %zu\n", cluster.services.n + cluster.pods.n + cluster.nodes.n);
	else if (event->type == K8S_EVENT_UP)
		printf("up %s\n", name);
	else if (event->type == K8S_EVENT_DOWN)
		printf("down %s: %s\n", name, event->text);
	else if (event->type == K8S_EVENT_PROBLEM)
		printf("problem %s\n", event->text);
}

static void on_source(void *data)
{
	struct k8s_event event;

	(void)data;
	while (k8s_pop_event(k8s, &event)) {
		auto_free char *pod = pod_text(event.object);

		take(&event);
		cluster_take(&cluster, &event);
		if (pod)
			say_pod(pod);
		k8s_event_deinit(&event);
	}
}

static void dump_all(const struct vec *objects)
{
	const struct k8s_object *object;

	vec_foreach (objects, object, i)
		printf("object %s %s/%s %s %s\n", k8s_resource_text(object->resource),
			object->meta.namespace, object->meta.name,
			*object->meta.uid ? object->meta.uid : "-", object->meta.resource_version);
}

static void dump(void)
{
	struct k8s_stream_status status = {0};

	dump_all(&cluster.services);
	dump_all(&cluster.pods);
	dump_all(&cluster.nodes);
	dump_all(&cluster.slices);
	while (k8s_next_stream(k8s, &status))
		printf("stream %s %llu lists, %sconnected\n", status.name,
			(unsigned long long)status.lists, status.connected ? "" : "not ");
	printf("end\n");
}

static void want_slices(char *words)
{
	struct k8s_service_name services[64];
	size_t n = 0;

	for (char *at = strtok(words, " "); at; at = strtok(NULL, " ")) {
		char *slash = strchr(at, '/');

		assert(slash && n < N_ELEMENTS(services));
		*slash = '\0';
		services[n++] = (struct k8s_service_name){at, slash + 1};
	}
	k8s_want_endpointslices(k8s, services, n);
}

static void on_line(char *line)
{
	if (strcmp(line, "dump") == 0)
		dump();
	else if (strncmp(line, "slices", 6) == 0)
		want_slices(line + 6);
}

static void on_input(struct loop_io *io, uint32_t ready)
{
	static char text[65536];
	static size_t n;
	ssize_t r = read(io->fd, text + n, sizeof(text) - n);
	char *end;

	(void)ready;
	if (r <= 0) {
		loop_stop(loop, 0);
		return;
	}
	n += (size_t)r;
	while ((end = memchr(text, '\n', n))) {
		size_t used = (size_t)(end + 1 - text);

		*end = '\0';
		on_line(text);
		memmove(text, text + used, n - used);
		n -= used;
	}
	assert(n < sizeof(text));
}

static bool is_directory(const char *path)
{
	struct stat found;

	return stat(path, &found) == 0 && S_ISDIR(found.st_mode);
}

int main(int argc, char **argv)
{
	struct k8s_options options = {.annotation_prefix = "cosmolet.platformbuilds.io/"};
	auto_free char *error = NULL;
	struct loop_io input = {0};
	const char *servers[8];
	int code = 2;

	options.servers = servers;
	for (; argc > 1 && strncmp(argv[1], "--server=", 9) == 0; argc--, argv++)
		if (options.n_servers < N_ELEMENTS(servers))
			servers[options.n_servers++] = argv[1] + 9;
	if (argc < 3) {
		fprintf(stderr, "usage: probe [--server=URL]... KUBECONFIG NODE [NAMESPACE]...\n");
		return code;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (is_directory(argv[1]))
		options.service_account_dir = argv[1];
	else
		options.kubeconfig = argv[1];
	options.node = argv[2];
	options.namespaces = (const char *const *)argv + 3;
	options.n_namespaces = (size_t)argc - 3;
	loop = loop_new();
	cluster_init(&cluster, ignore, NULL);
	if (k8s_new(loop, &options, on_source, NULL, &k8s, &error) == 0 &&
		loop_io_start(loop, &input, STDIN_FILENO, EPOLLIN, on_input) == 0)
		code = loop_run(loop);
	else
		fprintf(stderr, "probe: %s\n", error ? error : "no input");
	loop_io_stop(&input);
	k8s_free(k8s);
	cluster_deinit(&cluster);
	loop_free(loop);
	return code;
}

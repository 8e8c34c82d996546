/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The URLs of lists and watches. The hard idea is to let the server leave out what nobody here
 * needs: pods by node and nodes by name are indexed there, so that an event of another node's pod
 * is not even compared with us.
 */
#include "query.h"

#include <string.h>

#include "object.h"

static void print_escaped(FILE *out, const char *text)
{
	static const char plain[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";

	for (; *text; text++) {
		if (strchr(plain, *text))
			fputc(*text, out);
		else
			fprintf(out, "%%%02X", (unsigned char)*text);
	}
}

static void print_pair(FILE *out, const char *before, const char *value)
{
	fputs(before, out);
	print_escaped(out, value);
}

/* Services that no proxy of this node serves do not even come over the wire, as in kube-proxy. */
static const char served[] = QUERY_ANY_PROXY ",!service.kubernetes.io/service-proxy-name";

static void print_selector(FILE *out, const struct reflector_options *options, const char *labels)
{
	switch (options->resource) {
	case K8S_PODS: print_pair(out, "fieldSelector=spec.nodeName%3D", options->node); break;
	case K8S_NODES: print_pair(out, "fieldSelector=metadata.name%3D", options->node); break;
	case K8S_ANNOUNCEMENTPOLICIES: print_pair(out, "labelSelector=", ""); break;
	case K8S_SERVICES:
	case K8S_ENDPOINTSLICES:
	case K8S_NAMESPACES:
	case K8S_N_RESOURCES: print_pair(out, "labelSelector=", labels ? labels : served); break;
	}
}

/* Up to what every request of this resource has; out is then for the rest. */
static FILE *begin(
	const struct reflector_options *options, const char *labels, bool beta, char **out_path)
{
	size_t size;
	FILE *out = xmemstream(out_path, &size);

	if (options->resource == K8S_ANNOUNCEMENTPOLICIES)
		fputs("/apis/" OBJECT_POLICY_GROUP "/v1alpha1/", out);
	else if (options->resource == K8S_ENDPOINTSLICES)
		fprintf(out, "/apis/discovery.k8s.io/%s/", beta ? "v1beta1" : "v1");
	else
		fputs("/api/v1/", out);
	if (options->namespace) {
		print_pair(out, "namespaces/", options->namespace);
		fputc('/', out);
	}
	fprintf(out, "%s?", k8s_resource_text(options->resource));
	print_selector(out, options, labels);
	return out;
}

char *query_list(const struct reflector_options *options, const char *labels, bool beta,
	const char *version, const char *next_page)
{
	char *path;
	FILE *out = begin(options, labels, beta, &path);

	if (next_page) /* it holds the version */
		print_pair(out, "&continue=", next_page);
	else if (version)
		print_pair(out, "&resourceVersion=", version);
	fclose(out);
	return path;
}

/* By a name that no object can have; of nodes it is one that is asked for, anyway. */
char *query_probe(
	const struct reflector_options *options, const char *labels, bool beta, const char *version)
{
	char *path;
	FILE *out = begin(options, labels, beta, &path);

	if (options->resource == K8S_PODS)
		fputs("%2Cmetadata.name%3D-", out);
	else if (options->resource != K8S_NODES)
		fputs("&fieldSelector=metadata.name%3D-", out);
	print_pair(out, "&resourceVersion=", version);
	fclose(out);
	return path;
}

char *query_watch(const struct reflector_options *options, const char *labels, bool beta,
	const char *version, unsigned seconds)
{
	char *path;
	FILE *out = begin(options, labels, beta, &path);

	fprintf(out, "&watch=1&allowWatchBookmarks=true&timeoutSeconds=%u", seconds);
	print_pair(out, "&resourceVersion=", version);
	fclose(out);
	return path;
}

char *query_text(const struct reflector_options *options, const char *labels, const char *why)
{
	char *text;
	size_t size;
	FILE *out = xmemstream(&text, &size);

	fputs(k8s_resource_text(options->resource), out);
	if (options->namespace)
		fprintf(out, " in %s", options->namespace);
	if (options->resource == K8S_PODS)
		fprintf(out, " with spec.nodeName=%s", options->node);
	else if (options->resource == K8S_NODES)
		fprintf(out, " with metadata.name=%s", options->node);
	else if (options->resource != K8S_ANNOUNCEMENTPOLICIES)
		fprintf(out, " with labels %s", labels ? labels : served);
	fprintf(out, " (%s)", why);
	fclose(out);
	return text;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why is this service (not) announced? The answer follows the address's way: the service, the pods
 * that count, the node, the loopback, zebra; and says at which of them it stands.
 */
#include "why.h"

#include "daemon.h"

#include <string.h>
#include <time.h>

static void print_time(FILE *out, double at)
{
	time_t seconds = (time_t)at;
	struct tm tm;
	char text[32];

	gmtime_r(&seconds, &tm);
	strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", &tm);
	fprintf(out, "%s", text);
}

static void print_pod(FILE *out, const struct k8s_object *object)
{
	static const char *const phases[] = {
		"Pending", "Running", "Succeeded", "Failed", "Unknown"};
	const struct k8s_pod *pod = &object->pod;

	fprintf(out, "    pod %s/%s: %s, %s", object->meta.namespace, object->meta.name,
		phases[pod->phase], pod->ready ? "Ready" : "not Ready");
	if (pod->ready_reason && !pod->ready)
		fprintf(out, " (%s)", pod->ready_reason);
	if (object->meta.deleting)
		fprintf(out, ", terminating");
	if (!pod->n_ips)
		fprintf(out, ", no IP yet");
	if (pod->restarts)
		fprintf(out, ", %u restarts", pod->restarts);
	if (*object->meta.resource_version)
		fprintf(out, " [resourceVersion %s]", object->meta.resource_version);
	fputc('\n', out);
}

static void print_pods(FILE *out, const struct daemon *daemon, const struct k8s_object *service)
{
	const struct vec *pods = &daemon->cluster.pods;
	size_t first, end = cluster_namespace(pods, service->meta.namespace, &first);
	unsigned n = 0;

	if (!service->service.selector.n) {
		fprintf(out, "    it has no selector: its EndpointSlices decide\n");
		return;
	}
	fprintf(out, "    it selects pods with");
	for (size_t i = 0; i < service->service.selector.n; i++)
		fprintf(out, "%s %s=%s", i ? "," : "", service->service.selector.pairs[i].key,
			service->service.selector.pairs[i].value);
	fprintf(out, "\n");
	for (size_t i = first; i < end; i++) {
		const struct k8s_object *pod = pods->items[i];

		if (k8s_selects(&service->service.selector, &pod->meta.labels)) {
			print_pod(out, pod);
			n++;
		}
	}
	if (!n)
		fprintf(out, "    none of them is on node %s\n", daemon->config->node);
}

static void print_service(FILE *out, const struct daemon *daemon, const struct owner *owner)
{
	const struct k8s_object *service =
		cluster_service(&daemon->cluster, owner->namespace, owner->name);

	fprintf(out, "  service %s/%s", owner->namespace, owner->name);
	if (service && *service->meta.resource_version)
		fprintf(out, " [resourceVersion %s]", service->meta.resource_version);
	fputc('\n', out);
	if (service)
		print_pods(out, daemon, service);
}

static void print_zebra(FILE *out, const struct daemon *daemon, const struct vip *vip)
{
	const char *word = daemon->config->announce_redistribute;

	if (!vip->asked)
		return;
	switch (vip_state(vip)) {
	case VIP_ANNOUNCED:
		fprintf(out,
			"  zebra has selected our route (tag %u, metric %u): bgpd announces it "
			"where it says "
			"\"redistribute %s\" and the route-map permits\n",
			vip->route.tag, vip->route.metric, word);
		if (bgpd_is_deaf(daemon->bgpd))
			fprintf(out, "  but %s\n", BGPD_DEAF_TEXT);
		break;
	case VIP_REJECTED: fprintf(out, "  zebra does not use our route: %s\n", vip->note); break;
	case VIP_PENDING:
		fprintf(out, "  zebra has not confirmed our route yet%s\n",
			daemon->announce.zebra_up ? "" : ": there is no connection to it");
		break;
	case VIP_DOWN:
	case VIP_UNBOUND:
	case VIP_WITHDRAWING:
	case N_VIP_STATES: break;
	}
}

static void print_loopback(FILE *out, const struct daemon *daemon, const struct vip *vip)
{
	static const char *const modes[] = {"a local route", "an address", "nothing"};
	const char *how = modes[daemon->config->loopback_mode];

	if (vip->foreign)
		fprintf(out, "  it was bound by somebody else before, and is left to them\n");
	else if (vip->bound && daemon->config->loopback_mode != LOOPBACK_NONE)
		fprintf(out, "  it is bound on %s by %s of ours\n",
			daemon->config->loopback_interface, how);
	else if (vip->wanted && vip->note)
		fprintf(out, "  it cannot be bound on %s: %s\n", daemon->config->loopback_interface,
			vip->note);
}

static void print_vip(FILE *out, const struct daemon *daemon, const struct vip *vip)
{
	const struct claim *deciding = vip_claim(vip), *claim;
	char buf[PREFIX_STRLEN];

	fprintf(out, "%s is %s since ", prefix_address(&vip->address, buf),
		vip_state_text(vip_state(vip)));
	print_time(out, vip->since);
	if (deciding)
		fprintf(out, ", because %s", deciding->text);
	fputc('\n', out);
	vec_foreach (&vip->claims, claim, i) {
		print_service(out, daemon, claim->owner);
		fprintf(out, "    so as its %s this address is %s: %s\n",
			address_kind_text(claim->verdict.kind),
			reason_is_up(claim->verdict.reason) ? "wanted" : "not wanted", claim->text);
	}
	print_loopback(out, daemon, vip);
	print_zebra(out, daemon, vip);
}

static bool print_address(FILE *out, const struct daemon *daemon, const char *subject)
{
	struct vip wanted = {0};
	const struct vip *vip;

	if (!prefix_parse_host(subject, &wanted.address) && !prefix_parse(subject, &wanted.address))
		return false;
	vip = vec_find(&daemon->announce.vips, &wanted);
	if (vip) {
		print_vip(out, daemon, vip);
		return true;
	}
	fprintf(out, "%s is not announced: no service that is known here has this address\n",
		subject);
	return false;
}

static bool print_named(FILE *out, const struct daemon *daemon, const char *subject)
{
	const char *slash = strchr(subject, '/');
	auto_free char *namespace = xstrndup(subject, slash ? (size_t)(slash - subject) : 0);
	auto_free char *name = xstrdup(slash ? slash + 1 : subject);
	struct owner wanted = {.namespace = namespace, .name = name};
	const struct owner *owner = vec_find(&daemon->announce.owners, &wanted);

	if (!owner) {
		fprintf(out,
			"%s is not announced: no service of this name is known here; write ADDRESS "
			"or "
			"NAMESPACE/NAME%s\n",
			subject,
			daemon->config->services_namespaces.n
				? " (only namespaces in services.namespaces are watched)"
				: "");
		return false;
	}
	for (size_t i = 0; i < owner->n_claims; i++) {
		const struct claim *claim = &owner->claims[i];

		if (claim->vip)
			print_vip(out, daemon, claim->vip);
		else
			fprintf(out, "%s is not announced, because %s\n", subject, claim->text);
	}
	return true;
}

char *why_text(const struct daemon *daemon, const char *subject, bool *out_known)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = xmemstream(&text, &size);
	struct prefix p;
	bool address = prefix_parse_host(subject, &p) || prefix_parse(subject, &p);

	if (!daemon->synced)
		fprintf(out,
			"nothing is decided yet: the first complete picture of the cluster has not "
			"arrived\n");
	*out_known =
		address ? print_address(out, daemon, subject) : print_named(out, daemon, subject);
	fclose(out);
	return text;
}

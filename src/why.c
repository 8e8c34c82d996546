/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why is this service (not) announced? The answer follows the address's way: the service, the pods
 * that count, the node, the loopback, zebra; and says at which of them it stands.
 */
#include "why.h"

#include "daemon.h"
#include "keys.h"
#include "value.h"
#include "view.h"

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

/* What of an object it was; ends its line. */
static void print_version(FILE *out, const char *version)
{
	if (version && *version)
		fprintf(out, " [resourceVersion %s]", version);
	fputc('\n', out);
}

static void print_labels(FILE *out, const struct k8s_meta *meta)
{
	for (size_t i = 0; i < meta->labels.n; i++)
		fprintf(out, "%s %s=%s", i ? "," : "", meta->labels.pairs[i].key,
			meta->labels.pairs[i].value);
	if (!meta->labels.n)
		fprintf(out, " none");
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
	print_version(out, object->meta.resource_version);
}

static void print_pods(FILE *out, const struct daemon *daemon, const struct k8s_object *service)
{
	size_t first, end = cluster_pods(&daemon->cluster, service, &first);
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
		const struct labelled *candidate = daemon->cluster.by_label.items[i];
		const struct k8s_object *pod = candidate->pod;

		if (k8s_selects(&service->service.selector, &pod->meta.labels)) {
			print_pod(out, pod);
			n++;
		}
	}
	if (!n)
		fprintf(out, "    none of them is on node %s\n", daemon->config->node);
}

/* EndpointSlices are known only where they decide. */
static void print_slices(FILE *out, const struct daemon *daemon, const struct k8s_object *service)
{
	size_t first, end = cluster_slices(&daemon->cluster, service, &first);

	for (size_t i = first; i < end; i++) {
		const struct k8s_object *object = daemon->cluster.by_service.items[i];
		const struct k8s_endpointslice *slice = &object->slice;
		unsigned ready = 0, here = 0;

		for (size_t j = 0; j < slice->n_endpoints; j++) {
			const struct k8s_endpoint *endpoint = &slice->endpoints[j];

			ready += endpoint->ready;
			here += endpoint->node && !strcmp(endpoint->node, daemon->config->node);
		}
		fprintf(out,
			"    endpointslice %s/%s: %zu endpoints, %u of them ready, %u on this node",
			object->meta.namespace, object->meta.name, slice->n_endpoints, ready, here);
		print_version(out, object->meta.resource_version);
	}
}

/* The labels that services.namespace_selector looks at. */
static void print_namespace(FILE *out, const struct daemon *daemon, const char *name)
{
	const char *selector = daemon->config->services_namespace_selector;
	const struct k8s_object *object = cluster_namespace(&daemon->cluster, name);

	if (!selector)
		return;
	if (!object) {
		fprintf(out, "    namespace %s is none of those that \"%s\" selects\n", name,
			selector);
		return;
	}
	fprintf(out, "    namespace %s has labels:", name);
	print_labels(out, &object->meta);
	print_version(out, object->meta.resource_version);
}

static void print_annotations(
	FILE *out, const struct daemon *daemon, const struct k8s_object *service)
{
	const struct k8s_map *annotations = &service->meta.annotations;
	auto_free char *complaint = plan_complaint(daemon->config, service);

	for (size_t i = 0; i < annotations->n; i++)
		fprintf(out, "    its annotation %s is \"%s\"\n", annotations->pairs[i].key,
			annotations->pairs[i].value);
	if (complaint)
		fprintf(out, "    but: %s\n", complaint);
}

static void print_policy_version(FILE *out, const struct daemon *daemon, const char *name)
{
	const struct k8s_object *object = cluster_policy(&daemon->cluster, name);

	print_version(out, object ? object->meta.resource_version : NULL);
}

/* One that decides. Of one that is refused by now, what it said before counts. */
static void print_policy(FILE *out, const struct daemon *daemon, const struct policy *policy)
{
	fprintf(out, "    AnnouncementPolicy %s decides how (priority %lld)", policy->name,
		(long long)policy->priority);
	if (policy->error)
		print_version(out, policy->version);
	else
		print_policy_version(out, daemon, policy->name);
}

static void print_refused_policies(FILE *out, const struct daemon *daemon)
{
	const struct policy *policy;

	vec_foreach (&daemon->policies.all, policy, i) {
		if (!policy->error)
			continue;
		fprintf(out, "AnnouncementPolicy %s is refused%s: %s", policy->name,
			policy->spec ? ", and as it was before" : "", policy->error);
		print_policy_version(out, daemon, policy->name);
	}
}

/* Who says how it is announced. */
static void print_decider(FILE *out, const struct daemon *daemon, const struct view_row *row)
{
	const struct config_class *class = row->verdict.class;
	const struct policy *policy =
		policies_find(&daemon->policies, row->service, cluster_node(&daemon->cluster));

	if (daemon->policies.all.n) {
		fprintf(out, "    policies see its labels:");
		print_labels(out, &row->service->meta);
		fputc('\n', out);
	}
	if (class->name && !class->by_policy)
		fprintf(out, "    it is of class %s of the configuration%s%s\n", class->name,
			policy ? ", which goes before AnnouncementPolicy " : "",
			policy ? policy->name : "");
	else if (class->name && policy)
		print_policy(out, daemon, policy);
}

/* Who says what counts of a key; for free(). */
static char *said_by(const struct daemon *daemon, const struct verdict *verdict, size_t i)
{
	const struct config_class *class = verdict->class, *defaults = &daemon->config->defaults;
	const char *name;
	const struct key *key = key_of_class(i, &name);

	if (!strcmp(name, "scope") && verdict->annotated & 1u << ANNOTATE_SCOPE)
		return xstrdup("annotation " ANNOTATION_SCOPE);
	if (!strcmp(name, "min_ready") && verdict->annotated & 1u << ANNOTATE_MIN_READY)
		return xstrdup("annotation " ANNOTATION_MIN_READY);
	if (class->name && class->stated & 1u << i)
		return xasprintf(
			"%s %s", class->by_policy ? "AnnouncementPolicy" : "class", class->name);
	if (defaults->stated & 1u << i)
		return xasprintf("%s of the configuration", key->path);
	return NULL;
}

/* Of the others only what somebody says is told. */
static bool is_always_told(const char *name)
{
	return !strcmp(name, "tag") || !strcmp(name, "metric") || !strcmp(name, "min_ready") ||
	       !strcmp(name, "scope");
}

/* Which policy of its own a service is asked for. */
static void print_auto(FILE *out, const struct view_row *row)
{
	enum address_kind kind = row->verdict.kind;
	bool wide = plan_policy(&row->service->service, kind) == K8S_POLICY_CLUSTER;

	fprintf(out, ": its %s is %s",
		kind == KIND_CLUSTER_IP ? "internalTrafficPolicy" : "externalTrafficPolicy",
		wide ? "Cluster" : "Local");
}

/* What counts for the address, and who says so. */
static void print_settings(FILE *out, const struct daemon *daemon, const struct view_row *row)
{
	struct config_class counts = *row->verdict.class;

	counts.scope = row->verdict.scope;
	counts.min_ready = row->verdict.min_ready;
	fprintf(out, "    what counts for it, and who says so:\n");
	for (size_t i = 0; i < n_class_keys; i++) {
		const char *name;
		const struct key *key = key_of_class(i, &name);
		auto_free char *value = value_text(key, key_class_field(&counts, key));
		auto_free char *source = said_by(daemon, &row->verdict, i);

		if (!source && !is_always_told(name))
			continue;
		fprintf(out, "      %s %s (%s)", name, value, source ? source : "default");
		if (!strcmp(name, "scope") && counts.scope == SCOPE_AUTO)
			print_auto(out, row);
		fputc('\n', out);
	}
}

static void print_service(FILE *out, const struct daemon *daemon, const struct k8s_object *service)
{
	fprintf(out, "  service %s/%s", service->meta.namespace, service->meta.name);
	print_version(out, service->meta.resource_version);
	print_namespace(out, daemon, service->meta.namespace);
	print_annotations(out, daemon, service);
	print_pods(out, daemon, service);
	print_slices(out, daemon, service);
}

/* Whether it hangs on the labels of the node how, or from where, it is announced. */
static bool looks_at_node(const struct daemon *daemon, const struct view_row *row)
{
	return row->verdict.class->node_selector || daemon->policies.all.n;
}

/* Of the node, what rules look at. */
static void print_node(FILE *out, const struct daemon *daemon, bool labels)
{
	const struct k8s_object *object = cluster_node(&daemon->cluster);

	if (!object) {
		fprintf(out, "  node %s is not known: nothing speaks against it\n",
			daemon->config->node);
		return;
	}
	fprintf(out, "  node %s: %s%s%s", object->meta.name,
		object->node.ready ? "Ready" : "not Ready",
		object->node.network_unavailable ? ", NetworkUnavailable" : "",
		object->node.unschedulable ? ", cordoned" : "");
	for (size_t i = 0; i < object->node.n_taints; i++)
		fprintf(out, "%s%s", i ? ", " : "; taints: ", object->node.taints[i].key);
	if (labels) {
		fprintf(out, "; labels:");
		print_labels(out, &object->meta);
	}
	print_version(out, object->meta.resource_version);
}

/* What bgpd makes of it, neighbour by neighbour. */
static void print_bgp(FILE *out, const struct bgpview *view, const struct vip *vip)
{
	const struct prefix *address = &vip->address;
	const struct bgpview_neighbor *neighbor;
	bool any = false, too_early;

	if (bgpview_age(view) < 0) {
		fprintf(out, "  bgpd was not asked yet, or has not answered%s%s\n",
			bgpview_error(view) ? ": " : "",
			bgpview_error(view) ? bgpview_error(view) : "");
		return;
	}
	/* zebra and bgpd gather changes for a while before they act on them. */
	too_early = wall_now() - vip->since < bgpview_age(view) + 1;
	fprintf(out, "  bgpd, asked %.0f s ago:\n", bgpview_age(view));
	vec_foreach (bgpview_neighbors(view), neighbor, i) {
		if (neighbor->family != address->family)
			continue;
		any = true;
		fprintf(out, "    neighbour %s, %s: %s\n", neighbor->name, neighbor->state,
			bgpview_advertises(neighbor, address) ? "it is advertised"
			: neighbor->unread                    ? "not known: " BGPVIEW_UNREAD_TEXT
			: !neighbor->established              ? "not advertised"
			: too_early ? "not advertised then, but it may have been asked too early"
				    : "not advertised; a route-map may deny it");
	}
	if (!any)
		fprintf(out, "    it has no neighbour for this address family\n");
}

static void print_zebra(FILE *out, const struct daemon *daemon, const struct vip *vip)
{
	const char *word = daemon->config->announce_redistribute;

	if (!vip->asked)
		return;
	switch (vip_state(vip)) {
	case VIP_ANNOUNCED:
		fprintf(out,
			"  zebra has selected our route (tag %u%s, metric %u): bgpd announces it "
			"where it says \"redistribute %s\" and the route-map permits\n",
			vip->tag, daemon->announce.draining ? ", announce.drain_tag" : "",
			vip->metric, word);
		if (bgpd_is_deaf(daemon->bgpd))
			fprintf(out, "  but %s\n", BGPD_DEAF_TEXT);
		break;
	case VIP_REJECTED: fprintf(out, "  zebra does not use our route: %s\n", vip->note); break;
	case VIP_PENDING:
		fprintf(out, "  zebra has not confirmed our route yet%s\n",
			daemon->announce.zebra_up ? "" : ": there is no connection to it");
		break;
	case VIP_DOWN:
	case VIP_RISING:
	case VIP_SUPPRESSED:
	case VIP_UNBOUND:
	case VIP_WITHDRAWING:
	case VIP_DEGRADED:
	case VIP_DRAINING:
	case N_VIP_SHOWN: break;
	}
}

static void print_loopback(FILE *out, const struct daemon *daemon, const struct vip *vip)
{
	static const char *const modes[] = {"a local route", "an address", "nothing"};
	const char *how = modes[daemon->config->loopback_mode];
	auto_free char *note = vip_note_text(vip);

	if (vip->foreign && daemon->config->dry_run)
		fprintf(out, "  a conflict: %s; what is theirs stays\n", note);
	else if (vip->foreign)
		fprintf(out, "  it was bound by somebody else before, and is left to them\n");
	else if (vip->bound && daemon->config->loopback_mode != LOOPBACK_NONE)
		fprintf(out, "  it is bound on %s by %s of ours\n",
			daemon->config->loopback_interface, how);
	else if (vip->wanted && vip->note)
		fprintf(out, "  it cannot be bound on %s: %s\n", daemon->config->loopback_interface,
			vip->note);
}

static void print_stability(FILE *out, const struct vip *vip)
{
	auto_free char *text = vip_hold_text(vip);
	double penalty = vip_penalty(vip);

	if (text)
		fprintf(out, "  stability: %s\n", text);
	else if (penalty >= 1)
		fprintf(out,
			"  stability: nothing holds it; its penalty for having been withdrawn is "
			"%.0f\n",
			penalty);
}

/* Those that were asked, in order; the last one that is printed has decided. */
static void print_rules(FILE *out, const struct verdict *verdict, const char *text)
{
	const struct plan_rule *rule;
	const char *passed = reason_is_up(verdict->reason) ? "yes" : "no ";

	fprintf(out, "    what must hold, in order:\n");
	for (size_t i = 0; (rule = plan_rule(i)); i++) {
		if (rule->reason == verdict->reason) {
			fprintf(out, "      no   %s [%s]: %s\n", rule->text, rule->source, text);
			return;
		}
		fprintf(out, "      yes  %s [%s]\n", rule->text, rule->source);
	}
	fprintf(out, "      %s  enough of its %s are ready [%s]: %s\n", passed,
		verdict->by_slices ? "endpoints" : "pods",
		verdict->by_slices ? "its EndpointSlices; scope, min_ready"
				   : "spec.selector, the pods' conditions; scope, min_ready",
		text);
}

/* Services that share an address may ask for different tags; one of them counts. */
static void print_disagreement(FILE *out, const struct view_address *address)
{
	const struct view_row *deciding = address->deciding;

	for (size_t i = 0; deciding && i < address->n_rows; i++) {
		const struct view_row *row = &address->rows[i];

		if (!reason_is_up(row->verdict.reason) ||
			(row->verdict.tag == deciding->verdict.tag &&
				row->verdict.metric == deciding->verdict.metric))
			continue;
		fprintf(out,
			"  %s/%s asks for tag %u and metric %u, but an address has one route: "
			"tag %u and metric %u of %s/%s count, the first by name\n",
			row->service->meta.namespace, row->service->meta.name, row->verdict.tag,
			row->verdict.metric, deciding->verdict.tag, deciding->verdict.metric,
			deciding->service->meta.namespace, deciding->service->meta.name);
	}
}

static void print_view_address(
	FILE *out, const struct daemon *daemon, const struct view_address *address)
{
	const struct view_row *deciding = address->deciding;
	auto_free char *because =
		deciding ? verdict_text(daemon->config, &deciding->verdict) : NULL;
	char buf[PREFIX_STRLEN];

	fprintf(out, "%s is %s", prefix_address(&address->address, buf),
		vip_state_text(view_state(address)));
	if (address->vip) {
		fputs(" since ", out);
		print_time(out, address->vip->since);
	}
	if (because)
		fprintf(out, ", because %s", because);
	fputc('\n', out);
	for (size_t i = 0; i < address->n_rows; i++) {
		const struct view_row *row = &address->rows[i];
		auto_free char *text = verdict_text(daemon->config, &row->verdict);

		print_service(out, daemon, row->service);
		print_decider(out, daemon, row);
		print_settings(out, daemon, row);
		print_node(out, daemon, looks_at_node(daemon, row));
		print_rules(out, &row->verdict, text);
		fprintf(out, "    so as its %s this address is %s: %s\n",
			address_kind_text(row->verdict.kind),
			reason_is_up(row->verdict.reason) ? "wanted" : "not wanted", text);
	}
	print_disagreement(out, address);
	if (address->vip) {
		print_stability(out, address->vip);
		print_loopback(out, daemon, address->vip);
		print_zebra(out, daemon, address->vip);
		if (daemon->bgpview && address->vip->asked)
			print_bgp(out, daemon->bgpview, address->vip);
	}
}

/* One that nobody knows here may be there all the same. */
static void print_passed_over(FILE *out, const struct daemon *daemon)
{
	const struct config_strings *namespaces = &daemon->config->services_namespaces;

	fprintf(out, "  not even looked at are:");
	if (namespaces->n)
		fprintf(out, " services of other namespaces than those in services.namespaces;");
	fprintf(out, " services that the label " LABEL_PROXY " gives to another proxy "
		     "(services.proxies);");
	fprintf(out, " those with the label " LABEL_HEADLESS "\n");
}

static bool print_address(FILE *out, const struct view *view, const char *subject)
{
	struct view_address found;
	struct prefix wanted;

	if (!prefix_parse_host(subject, &wanted) && !prefix_parse(subject, &wanted))
		return false;
	if (view_find(view, &wanted, &found)) {
		print_view_address(out, view->daemon, &found);
		view_address_deinit(&found);
		return true;
	}
	fprintf(out, "%s is not announced: no service that is known here has this address\n",
		subject);
	print_passed_over(out, view->daemon);
	return false;
}

/* All addresses of a service, or why it has none. */
static void print_rows(
	FILE *out, const struct view *view, const struct k8s_object *service, const char *subject)
{
	const struct daemon *daemon = view->daemon;
	auto_free struct verdict *verdicts = NULL;
	size_t n = plan_service(daemon->config, &daemon->cluster, service, &verdicts);

	for (size_t i = 0; i < n; i++) {
		auto_free char *text = NULL;
		struct view_address found;

		if (verdicts[i].address.family && view_find(view, &verdicts[i].address, &found)) {
			print_view_address(out, daemon, &found);
			view_address_deinit(&found);
			continue;
		}
		text = verdict_text(daemon->config, &verdicts[i]);
		fprintf(out, "%s is not announced, because %s\n", subject, text);
		print_service(out, view->daemon, service);
		print_node(out, view->daemon, false);
		print_rules(out, &verdicts[i], text);
	}
}

static bool print_named(FILE *out, const struct view *view, const char *subject)
{
	const struct daemon *daemon = view->daemon;
	const char *slash = strchr(subject, '/');
	auto_free char *namespace = xstrndup(subject, slash ? (size_t)(slash - subject) : 0);
	const struct k8s_object *service =
		cluster_service(&daemon->cluster, namespace, slash ? slash + 1 : subject);

	if (service) {
		print_rows(out, view, service, subject);
		return true;
	}
	fprintf(out, "%s is not announced: no service of this name is known here%s\n", subject,
		slash ? "" : "; write ADDRESS or NAMESPACE/NAME");
	print_passed_over(out, daemon);
	return false;
}

char *why_text(const struct daemon *daemon, const char *subject, bool *out_known)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = xmemstream(&text, &size);
	struct prefix p;
	bool address = prefix_parse_host(subject, &p) || prefix_parse(subject, &p);
	struct view view;

	if (!daemon->announce.synced)
		fprintf(out,
			"nothing is decided yet: the first complete picture of the cluster has not "
			"arrived\n");
	if (stale_seconds(&daemon->stale) > 0 && daemon->planner.synced)
		fprintf(out, "the API server is away; this is what was known %.0f s ago\n",
			stale_seconds(&daemon->stale));
	print_refused_policies(out, daemon);
	view_init(&view, daemon);
	*out_known =
		address ? print_address(out, &view, subject) : print_named(out, &view, subject);
	view_deinit(&view);
	fclose(out);
	return text;
}

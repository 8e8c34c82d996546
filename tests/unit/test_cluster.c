/* SPDX-License-Identifier: Apache-2.0 */
/* What each event touches, and what a list drops. */
#include "cluster.h"
#include "objects.h"
#include "unit.h"

#include <string.h>

static struct cluster cluster;
static char *touched;

static void on_changed(void *data, const char *namespace, const char *name)
{
	auto_free char *key = xasprintf("%s/%s ", namespace, name);
	auto_free char *before = touched;

	ck_assert_ptr_eq(data, &cluster);
	touched = strstr(before, key) ? TAKE(before) : xasprintf("%s%s", before, key);
}

static void setup(void)
{
	cluster_init(&cluster, on_changed, &cluster);
	touched = xstrdup("");
}

static void teardown(void)
{
	cluster_deinit(&cluster);
	free(touched);
}

static void take(enum k8s_event_type type, unsigned stream, struct k8s_object *object)
{
	struct k8s_event event = {.type = type, .stream = stream, .object = object};

	if (object)
		object->stream = stream;
	str_set(&touched, "");
	cluster_take(&cluster, &event);
	k8s_event_deinit(&event);
}

START_TEST(an_event_touches_what_it_can_change)
{
	take(K8S_EVENT_OBJECT, 0, service("a/web", "select=app:web"));
	ck_assert_str_eq(touched, "a/web ");
	take(K8S_EVENT_OBJECT, 0, service("a/all", "select=team:x"));
	take(K8S_EVENT_OBJECT, 0, service("b/web", "select=app:web"));
	take(K8S_EVENT_OBJECT, 1, pod("a/p", "label=app:web"));
	ck_assert_str_eq(touched, "a/web ");
	/* Labels move: the services of before and after. */
	take(K8S_EVENT_OBJECT, 1, pod("a/p", "label=team:x"));
	ck_assert_str_eq(touched, "a/web a/all ");
	/* Nothing that matters has changed. */
	take(K8S_EVENT_OBJECT, 1, pod("a/p", "label=team:x"));
	ck_assert_str_eq(touched, "");
	take(K8S_EVENT_OBJECT, 1, pod("a/p", "label=team:x ready"));
	ck_assert_str_eq(touched, "a/all ");
	take(K8S_EVENT_OBJECT, 2, node("n", ""));
	ck_assert_str_eq(touched, "a/all a/web b/web ");
	take(K8S_EVENT_OBJECT, 3, slice("b/web-1", "of=web"));
	ck_assert_str_eq(touched, "b/web ");
	take(K8S_EVENT_DELETED, 1, pod("a/p", ""));
	ck_assert_str_eq(touched, "a/all ");
	ck_assert_uint_eq(cluster.pods.n, 0);
	take(K8S_EVENT_DELETED, 1, pod("a/p", ""));
	ck_assert_str_eq(touched, "");
}
END_TEST

/* NAMESPACE/NAME of the service whose cluster IP that is; "": none's. */
static const char *holder(const char *ip)
{
	static char text[64];
	struct prefix address;
	const struct k8s_object *found;

	ck_assert(prefix_parse_host(ip, &address));
	found = cluster_ip_of(&cluster, &address, NULL);
	snprintf(text, sizeof(text), "%s%s%s", found ? found->meta.namespace : "", found ? "/" : "",
		found ? found->meta.name : "");
	return text;
}

START_TEST(a_cluster_ip_touches_who_claims_it)
{
	take(K8S_EVENT_OBJECT, 0,
		service("a/thief", "external=10.0.0.1 external=fd00::1 "
				   "external=10.0.0.1"));
	take(K8S_EVENT_OBJECT, 0, service("b/web", "cluster=10.0.0.2 cluster=fd00::2"));
	ck_assert_str_eq(touched, "b/web ");
	ck_assert_str_eq(holder("10.0.0.1"), "");
	take(K8S_EVENT_OBJECT, 0, service("b/web", "cluster=10.0.0.1 cluster=fd00::2"));
	ck_assert_str_eq(touched, "b/web a/thief ");
	ck_assert_str_eq(holder("10.0.0.1"), "b/web");
	ck_assert_str_eq(holder("10.0.0.2"), "");
	ck_assert_str_eq(holder("fd00::2"), "b/web");
	take(K8S_EVENT_OBJECT, 0, service("b/web", "cluster=10.0.0.2 cluster=fd00::1"));
	ck_assert_str_eq(touched, "b/web a/thief ");
	ck_assert_str_eq(holder("10.0.0.1"), "");
	ck_assert_str_eq(holder("fd00::1"), "b/web");
	take(K8S_EVENT_OBJECT, 0, service("b/web", "cluster=10.0.0.2"));
	ck_assert_str_eq(touched, "b/web a/thief ");
	ck_assert_str_eq(holder("fd00::1"), "");
	take(K8S_EVENT_OBJECT, 0, service("b/web", "cluster=10.0.0.1 cluster=fd00::1"));
	take(K8S_EVENT_DELETED, 0, service("b/web", ""));
	ck_assert_str_eq(touched, "b/web a/thief ");
	ck_assert_str_eq(holder("10.0.0.1"), "");
	ck_assert_str_eq(holder("fd00::1"), "");
	take(K8S_EVENT_OBJECT, 0, service("a/thief", ""));
	take(K8S_EVENT_OBJECT, 0, service("b/web", "cluster=10.0.0.1"));
	ck_assert_str_eq(touched, "b/web ");
}
END_TEST

/* Indexed all at once, and by the last word of each. */
START_TEST(a_list_tells_of_cluster_ips)
{
	take(K8S_EVENT_LIST_BEGIN, 0, NULL);
	take(K8S_EVENT_OBJECT, 0, service("b/two", "cluster=10.0.0.9 cluster=fd00::9"));
	take(K8S_EVENT_OBJECT, 0, service("b/thief", "external=10.0.0.1 external=10.0.0.9"));
	take(K8S_EVENT_OBJECT, 0, service("b/one", "cluster=10.0.0.1"));
	take(K8S_EVENT_OBJECT, 0, service("b/two", "cluster=fd00::2 cluster=10.0.0.2"));
	take(K8S_EVENT_LIST_END, 0, NULL);
	ck_assert_str_eq(holder("10.0.0.1"), "b/one");
	ck_assert_str_eq(holder("10.0.0.2"), "b/two");
	ck_assert_str_eq(holder("fd00::2"), "b/two");
	ck_assert_str_eq(holder("10.0.0.9"), "");
	take(K8S_EVENT_OBJECT, 0, service("c/nine", "cluster=10.0.0.9"));
	ck_assert_str_eq(touched, "c/nine b/thief ");
	take(K8S_EVENT_LIST_BEGIN, 0, NULL);
	take(K8S_EVENT_LIST_END, 0, NULL);
	ck_assert_str_eq(holder("10.0.0.1"), "");
	ck_assert_uint_eq(cluster.by_ip[0].n, 0);
	ck_assert_uint_eq(cluster.by_ip[1].n, 0);
	ck_assert_uint_eq(cluster.by_external.n, 0);
}
END_TEST

START_TEST(a_list_drops_what_it_does_not_tell)
{
	take(K8S_EVENT_LIST_BEGIN, 0, NULL);
	take(K8S_EVENT_OBJECT, 0, service("a/one", ""));
	take(K8S_EVENT_OBJECT, 0, service("a/two", ""));
	take(K8S_EVENT_LIST_END, 0, NULL);
	take(K8S_EVENT_OBJECT, 1, service("a/other", ""));

	/* One that breaks off drops nothing. */
	take(K8S_EVENT_LIST_BEGIN, 0, NULL);
	take(K8S_EVENT_OBJECT, 0, service("a/one", ""));
	ck_assert_uint_eq(cluster.services.n, 3);

	/* One that ends drops the rest of its own stream only. */
	take(K8S_EVENT_LIST_BEGIN, 0, NULL);
	take(K8S_EVENT_OBJECT, 0, service("a/two", ""));
	take(K8S_EVENT_LIST_END, 0, NULL);
	ck_assert_str_eq(touched, "a/one ");
	ck_assert_ptr_null(cluster_service(&cluster, "a", "one"));
	ck_assert_ptr_nonnull(cluster_service(&cluster, "a", "two"));
	ck_assert_ptr_nonnull(cluster_service(&cluster, "a", "other"));
}
END_TEST

START_TEST(an_object_that_moved_to_another_stream_stays)
{
	take(K8S_EVENT_OBJECT, 0, service("a/one", ""));
	take(K8S_EVENT_OBJECT, 1, service("a/one", ""));
	take(K8S_EVENT_LIST_BEGIN, 0, NULL);
	take(K8S_EVENT_LIST_END, 0, NULL);
	ck_assert_ptr_nonnull(cluster_service(&cluster, "a", "one"));
	take(K8S_EVENT_DELETED, 0, service("a/one", ""));
	ck_assert_ptr_nonnull(cluster_service(&cluster, "a", "one"));
	take(K8S_EVENT_DELETED, 1, service("a/one", ""));
	ck_assert_ptr_null(cluster_service(&cluster, "a", "one"));
}
END_TEST

/* The API server lists in any order. */
START_TEST(what_a_list_tells_anew_is_there_when_it_ends)
{
	take(K8S_EVENT_OBJECT, 0, service("a/known", "select=app:x"));
	take(K8S_EVENT_LIST_BEGIN, 0, NULL);
	take(K8S_EVENT_OBJECT, 0, service("b/two", "select=app:b"));
	take(K8S_EVENT_OBJECT, 0, service("a/known", "select=app:y"));
	ck_assert_str_eq(touched, "a/known ");
	take(K8S_EVENT_OBJECT, 0, service("b/one", "select=app:a"));
	take(K8S_EVENT_OBJECT, 0, service("b/two", "select=app:c"));
	ck_assert_str_eq(touched, "");
	ck_assert_uint_eq(cluster.services.n, 1);
	/* Another stream goes its way meanwhile. */
	take(K8S_EVENT_OBJECT, 1, service("b/one", "select=app:q"));
	ck_assert_str_eq(touched, "b/one ");
	take(K8S_EVENT_LIST_END, 0, NULL);
	ck_assert_str_eq(touched, "b/one b/two ");
	ck_assert_uint_eq(cluster.services.n, 3);
	/* The index has what was told last, and nothing of before. */
	take(K8S_EVENT_OBJECT, 2, pod("a/p", "label=app:x"));
	ck_assert_str_eq(touched, "");
	take(K8S_EVENT_OBJECT, 2, pod("a/p", "label=app:y"));
	ck_assert_str_eq(touched, "a/known ");
	take(K8S_EVENT_OBJECT, 2, pod("b/p", "label=app:b"));
	ck_assert_str_eq(touched, "");
	take(K8S_EVENT_OBJECT, 2, pod("b/p", "label=app:a"));
	ck_assert_str_eq(touched, "b/one ");
	take(K8S_EVENT_OBJECT, 2, pod("b/p", "label=app:c"));
	ck_assert_str_eq(touched, "b/one b/two ");
}
END_TEST

START_TEST(a_list_that_broke_off_leaves_nothing)
{
	take(K8S_EVENT_LIST_BEGIN, 0, NULL);
	take(K8S_EVENT_OBJECT, 0, service("a/gone", ""));
	take(K8S_EVENT_LIST_BEGIN, 0, NULL);
	take(K8S_EVENT_OBJECT, 0, service("a/here", ""));
	take(K8S_EVENT_LIST_END, 0, NULL);
	ck_assert_str_eq(touched, "a/here ");
	ck_assert_uint_eq(cluster.services.n, 1);
}
END_TEST

/* Of 3,000 services in three namespaces, a pod touches the ones that select it, before and now. */
START_TEST(a_pod_touches_only_services_that_select_it)
{
	take(K8S_EVENT_LIST_BEGIN, 0, NULL);
	for (int i = 0; i < 3000; i++) {
		auto_free char *name = xasprintf("n%d/s%04d", i % 3, i);
		auto_free char *words = xasprintf("select=app:a%d select=tier:t%d", i / 6, i % 2);

		take(K8S_EVENT_OBJECT, 0, service(name, words));
	}
	take(K8S_EVENT_LIST_END, 0, NULL);
	take(K8S_EVENT_OBJECT, 1, pod("n1/p", "label=app:a100 label=tier:t0"));
	ck_assert_str_eq(touched, "n1/s0604 ");
	take(K8S_EVENT_OBJECT, 1, pod("n1/p", "label=app:a100 label=tier:t1"));
	ck_assert_str_eq(touched, "n1/s0604 n1/s0601 ");
	take(K8S_EVENT_OBJECT, 1, pod("n1/p", "label=app:a100"));
	ck_assert_str_eq(touched, "n1/s0601 ");
	take(K8S_EVENT_OBJECT, 1, pod("n1/p", "label=tier:t1"));
	ck_assert_str_eq(touched, "");
	/* A service that changes what it selects is found by the new, not by the old. */
	take(K8S_EVENT_OBJECT, 0, service("n1/s0601", "select=tier:t1"));
	ck_assert_str_eq(touched, "n1/s0601 ");
	take(K8S_EVENT_OBJECT, 1, pod("n1/p", "label=app:a100 label=tier:t1"));
	ck_assert_str_eq(touched, "n1/s0601 ");
	take(K8S_EVENT_OBJECT, 0, service("n1/s0601", ""));
	take(K8S_EVENT_DELETED, 1, pod("n1/p", ""));
	ck_assert_str_eq(touched, "");
}
END_TEST

/* Deleted and made anew under its name, while nobody looked. */
START_TEST(an_object_with_another_uid_is_another_one)
{
	const struct k8s_object *object;

	take(K8S_EVENT_OBJECT, 0, service("a/s", "select=app:x cluster=10.96.0.1"));
	take(K8S_EVENT_OBJECT, 1, pod("a/p", "uid=1 label=app:x ready ip=10.0.0.1"));
	take(K8S_EVENT_LIST_BEGIN, 1, NULL);
	take(K8S_EVENT_OBJECT, 1, pod("a/p", "uid=2 label=app:x ready ip=10.0.0.1"));
	ck_assert_str_eq(touched, "a/s ");
	take(K8S_EVENT_LIST_END, 1, NULL);
	ck_assert_uint_eq(cluster.pods.n, 1);
	object = cluster.pods.items[0];
	ck_assert_str_eq(object->meta.uid, "2");
	/* Of a service, all that it is comes with the new one. */
	take(K8S_EVENT_LIST_BEGIN, 0, NULL);
	take(K8S_EVENT_OBJECT, 0, service("a/s", "select=app:y cluster=10.96.0.2"));
	take(K8S_EVENT_LIST_END, 0, NULL);
	take(K8S_EVENT_DELETED, 1, pod("a/p", ""));
	ck_assert_str_eq(touched, "");
}
END_TEST

START_TEST(a_namespace_touches_the_services_in_it)
{
	take(K8S_EVENT_OBJECT, 0, service("a/one", ""));
	take(K8S_EVENT_OBJECT, 0, service("a/two", ""));
	take(K8S_EVENT_OBJECT, 0, service("ab/one", ""));
	ck_assert(!cluster_namespace(&cluster, "a"));
	take(K8S_EVENT_OBJECT, 1, namespace("a", ""));
	ck_assert_str_eq(touched, "a/one a/two ");
	ck_assert(cluster_namespace(&cluster, "a"));
	ck_assert(!cluster_namespace(&cluster, "ab"));
	/* It is selected, as before. */
	take(K8S_EVENT_OBJECT, 1, namespace("a", "label=x:y"));
	ck_assert_str_eq(touched, "");
	take(K8S_EVENT_OBJECT, 1, namespace("empty", ""));
	ck_assert_str_eq(touched, "");
	take(K8S_EVENT_DELETED, 1, namespace("a", ""));
	ck_assert_str_eq(touched, "a/one a/two ");
	ck_assert(!cluster_namespace(&cluster, "a"));
}
END_TEST

START_TEST(a_list_of_namespaces_drops_the_others)
{
	take(K8S_EVENT_OBJECT, 0, service("a/one", ""));
	take(K8S_EVENT_OBJECT, 0, service("b/one", ""));
	take(K8S_EVENT_OBJECT, 1, namespace("a", ""));
	take(K8S_EVENT_OBJECT, 1, namespace("b", ""));
	take(K8S_EVENT_LIST_BEGIN, 1, NULL);
	take(K8S_EVENT_OBJECT, 1, namespace("b", ""));
	ck_assert_str_eq(touched, "");
	take(K8S_EVENT_LIST_END, 1, NULL);
	ck_assert_str_eq(touched, "a/one ");
}
END_TEST

static size_t slices_of(const char *name, size_t *out_first)
{
	struct k8s_object *of = service(name, "");
	size_t end = cluster_slices(&cluster, of, out_first);

	k8s_object_free(of);
	return end;
}

START_TEST(slices_are_found_by_their_service)
{
	size_t first;

	take(K8S_EVENT_OBJECT, 3, slice("a/z", "of=web"));
	take(K8S_EVENT_OBJECT, 3, slice("a/a", "of=web"));
	take(K8S_EVENT_OBJECT, 3, slice("a/b", "of=webb"));
	take(K8S_EVENT_OBJECT, 3, slice("b/c", "of=web"));
	ck_assert_uint_eq(slices_of("a/web", &first), 2);
	ck_assert_uint_eq(first, 0);
	ck_assert_uint_eq(slices_of("a/webb", &first) - first, 1);
	ck_assert_uint_eq(slices_of("a/we", &first) - first, 0);
	/* One that is another service's from now on. */
	take(K8S_EVENT_OBJECT, 3, slice("a/z", "of=db"));
	ck_assert_uint_eq(slices_of("a/web", &first) - first, 1);
	ck_assert_uint_eq(slices_of("a/db", &first) - first, 1);
	take(K8S_EVENT_DELETED, 3, slice("a/a", "of=web"));
	ck_assert_uint_eq(slices_of("a/web", &first) - first, 0);
}
END_TEST

/* The names of the pods that are to be asked whether the service selects them. */
static const char *pods_for(const char *key, const char *words)
{
	struct k8s_object *of = service(key, words);
	size_t first, end = cluster_pods(&cluster, of, &first);

	str_set(&touched, "");
	for (size_t i = first; i < end; i++) {
		const struct labelled *found = cluster.by_label.items[i];
		char *longer = xasprintf("%s%s ", touched, found->pod->meta.name);

		free(touched);
		touched = longer;
	}
	k8s_object_free(of);
	return touched;
}

/* Whether they come one by one or by a list. */
START_TEST(pods_are_found_by_the_rarest_label)
{
	if (_i)
		take(K8S_EVENT_LIST_BEGIN, 1, NULL);
	take(K8S_EVENT_OBJECT, 1, pod("a/p3", "label=app:x label=tier:front"));
	take(K8S_EVENT_OBJECT, 1, pod("a/p1", "label=app:x label=tier:back"));
	take(K8S_EVENT_OBJECT, 1, pod("a/p2", "label=app:x"));
	take(K8S_EVENT_OBJECT, 1, pod("b/p4", "label=app:x label=tier:front"));
	take(K8S_EVENT_OBJECT, 1, pod("a/p5", ""));
	if (_i)
		take(K8S_EVENT_LIST_END, 1, NULL);
	ck_assert_str_eq(pods_for("a/s", "select=app:x"), "p1 p2 p3 ");
	ck_assert_str_eq(pods_for("a/s", "select=app:x select=tier:front"), "p3 ");
	ck_assert_str_eq(pods_for("a/s", "select=app:x select=tier:none"), "");
	ck_assert_str_eq(pods_for("a/s", ""), "");
	ck_assert_str_eq(pods_for("b/s", "select=app:x"), "p4 ");
	ck_assert_str_eq(pods_for("ab/s", "select=app:x"), "");
	/* Labels move, and what holds them goes. */
	take(K8S_EVENT_OBJECT, 1, pod("a/p3", "label=app:y label=tier:front"));
	ck_assert_str_eq(pods_for("a/s", "select=app:x"), "p1 p2 ");
	ck_assert_str_eq(pods_for("a/s", "select=app:y"), "p3 ");
	ck_assert_str_eq(pods_for("a/s", "select=tier:front"), "p3 ");
	take(K8S_EVENT_DELETED, 1, pod("a/p1", ""));
	ck_assert_str_eq(pods_for("a/s", "select=app:x"), "p2 ");
	take(K8S_EVENT_LIST_BEGIN, 1, NULL);
	take(K8S_EVENT_LIST_END, 1, NULL);
	ck_assert_uint_eq(cluster.by_label.n, 0);
}
END_TEST

/* Of what the kubelet writes every few minutes, nothing is news. */
START_TEST(a_node_touches_all_services_if_it_matters)
{
	static const char *const before = "label=zone:a address=192.0.2.1";
	static const char *const news[] = {"label=zone:b address=192.0.2.1",
		"label=zone:a address=192.0.2.2", "label=zone:a",
		"label=zone:a address=192.0.2.1 taint=gone",
		"label=zone:a address=192.0.2.1 unschedulable",
		"label=zone:a address=192.0.2.1 network-unavailable",
		"label=zone:a address=192.0.2.1 deleting",
		"label=zone:a address=192.0.2.1 annotation=x:y",
		"label=zone:a address=192.0.2.1 pods=10.0.0.0/24"};

	take(K8S_EVENT_OBJECT, 0, service("a/s", ""));
	take(K8S_EVENT_OBJECT, 2, node("n", before));
	ck_assert_str_eq(touched, "a/s ");
	take(K8S_EVENT_OBJECT, 2, node("n", before));
	ck_assert_str_eq(touched, "");
	take(K8S_EVENT_OBJECT, 2, node("n", news[_i]));
	ck_assert_str_eq(touched, "a/s ");
	take(K8S_EVENT_OBJECT, 2, node("n", before));
	ck_assert_str_eq(touched, "a/s ");
}
END_TEST

START_TEST(remembers_which_selection_was_listed)
{
	struct k8s_event end = {.type = K8S_EVENT_LIST_END, .stream = 7, .selection = 2};

	ck_assert(!cluster_is_listed(&cluster, 7, 2));
	cluster_take(&cluster, &end);
	ck_assert(cluster_is_listed(&cluster, 7, 2));
	ck_assert(!cluster_is_listed(&cluster, 7, 3));
	ck_assert(!cluster_is_listed(&cluster, 8, 2));
	end.selection = 3;
	cluster_take(&cluster, &end);
	ck_assert(cluster_is_listed(&cluster, 7, 3));
	ck_assert(!cluster_is_listed(&cluster, 7, 2));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("cluster");
	TCase *tcase = tcase_create("cluster");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, an_event_touches_what_it_can_change);
	tcase_add_test(tcase, a_cluster_ip_touches_who_claims_it);
	tcase_add_test(tcase, a_list_tells_of_cluster_ips);
	tcase_add_test(tcase, a_list_drops_what_it_does_not_tell);
	tcase_add_test(tcase, an_object_that_moved_to_another_stream_stays);
	tcase_add_test(tcase, what_a_list_tells_anew_is_there_when_it_ends);
	tcase_add_test(tcase, a_list_that_broke_off_leaves_nothing);
	tcase_add_test(tcase, a_pod_touches_only_services_that_select_it);
	tcase_add_test(tcase, an_object_with_another_uid_is_another_one);
	tcase_add_test(tcase, a_namespace_touches_the_services_in_it);
	tcase_add_test(tcase, a_list_of_namespaces_drops_the_others);
	tcase_add_test(tcase, slices_are_found_by_their_service);
	tcase_add_loop_test(tcase, pods_are_found_by_the_rarest_label, 0, 2);
	tcase_add_loop_test(tcase, a_node_touches_all_services_if_it_matters, 0, 9);
	tcase_add_test(tcase, remembers_which_selection_was_listed);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}

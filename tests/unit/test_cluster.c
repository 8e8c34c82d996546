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

START_TEST(a_namespace_touches_the_services_in_it)
{
	take(K8S_EVENT_OBJECT, 0, service("a/one", ""));
	take(K8S_EVENT_OBJECT, 0, service("a/two", ""));
	take(K8S_EVENT_OBJECT, 0, service("ab/one", ""));
	ck_assert(!cluster_has_namespace(&cluster, "a"));
	take(K8S_EVENT_OBJECT, 1, namespace("a", ""));
	ck_assert_str_eq(touched, "a/one a/two ");
	ck_assert(cluster_has_namespace(&cluster, "a"));
	ck_assert(!cluster_has_namespace(&cluster, "ab"));
	/* It is selected, as before. */
	take(K8S_EVENT_OBJECT, 1, namespace("a", "label=x:y"));
	ck_assert_str_eq(touched, "");
	take(K8S_EVENT_OBJECT, 1, namespace("empty", ""));
	ck_assert_str_eq(touched, "");
	take(K8S_EVENT_DELETED, 1, namespace("a", ""));
	ck_assert_str_eq(touched, "a/one a/two ");
	ck_assert(!cluster_has_namespace(&cluster, "a"));
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

int main(void)
{
	Suite *suite = suite_create("cluster");
	TCase *tcase = tcase_create("cluster");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, an_event_touches_what_it_can_change);
	tcase_add_test(tcase, a_list_drops_what_it_does_not_tell);
	tcase_add_test(tcase, an_object_that_moved_to_another_stream_stays);
	tcase_add_test(tcase, a_namespace_touches_the_services_in_it);
	tcase_add_test(tcase, a_list_of_namespaces_drops_the_others);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}

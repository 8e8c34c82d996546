/* SPDX-License-Identifier: Apache-2.0 */
/*
 * To which neighbours bgpd really advertises our addresses.
 *
 * A round asks for the neighbours of each family, then for all that each of them is sent: as many
 * questions as there are neighbours, however many addresses there are. Only a whole round replaces
 * what is known. bgpd works on one thing at a time, so the pause between rounds grows with the time
 * that the last one took, answered or not.
 *
 * The hard part: what a neighbour is sent may be a whole Internet, and be it only our ten thousand
 * addresses, to parse all of its JSON would keep the loop from its work. All that is needed of it
 * is each route's "network", which stands there in the same way from FRR 7.5 to 10.7: so that is
 * searched for, in portions. A neighbour that is sent more than fits beside the rest in the memory
 * of a pod is left out, and said to be.
 */
#include "bgpview.h"

#include "vty.h"

#include <jansson.h>
#include <string.h>

#define LIMIT          mono_s(10)
#define SUMMARY_MAX    (4u << 20)
#define ADVERTISED_MAX (16u << 20) /* some 40,000 routes */
#define PORTION        1000        /* routes in a turn of the loop */
#define SHARE          20          /* of bgpd's time: at most the 20th part */
#define FRESH          mono_s(60)
#define FRESH_ROUNDS   3

static const uint8_t families[] = {AF_INET, AF_INET6};

struct bgpview {
	struct loop *loop;
	char *path;
	char *vrf;
	struct mono pause;
	bgpview_wants_fn *wants;
	void *data;
	struct vty *vty;
	struct loop_job job;
	struct loop_timer timer;
	char *error;
	struct vec known;
	struct mono known_at; /* zero: never */
	struct mono period;   /* from that round to the next one */
	/* The round that is on its way. */
	struct vec next;
	struct mono begun;
	size_t family;    /* whose neighbours are asked for */
	size_t at;        /* the neighbour whose routes are */
	const char *rest; /* of what it is sent, to be searched through; NULL: nothing is */
};

static int neighbor_cmp(const void *a, const void *b)
{
	const struct bgpview_neighbor *x = a, *y = b;
	int c = strcmp(x->name, y->name);

	return c ? c : x->family - y->family;
}

static void neighbor_destroy(void *item)
{
	struct bgpview_neighbor *neighbor = item;

	free(neighbor->name);
	free(neighbor->state);
	free(neighbor->advertised);
	free(neighbor);
}

static int address_cmp(const void *a, const void *b)
{
	return prefix_cmp(a, b);
}

/* The round */

static void on_job(struct loop_job *job);

static void on_timer(struct loop_timer *timer)
{
	struct bgpview *v = container_of(timer, struct bgpview, timer);

	v->begun = mono_now();
	v->family = v->at = 0;
	loop_job_queue(v->loop, &v->job, on_job);
}

static struct mono later(struct mono a, struct mono b)
{
	return mono_before(a, b) ? b : a;
}

/* From the end of this round to the next one. */
static struct mono pace(const struct bgpview *v)
{
	struct mono share = {SHARE * mono_sub(mono_now(), v->begun).ns};

	return later(v->pause, share);
}

static void end_round(struct bgpview *v)
{
	vec_clear(&v->next, neighbor_destroy);
	v->vty = vty_free(v->vty);
	v->rest = NULL;
	loop_timer_after(v->loop, &v->timer, pace(v), on_timer);
}

static void give_up(struct bgpview *v, const char *why)
{
	str_set(&v->error, why);
	end_round(v);
}

/* There was no answer. */
static void give_up_unanswered(struct bgpview *v)
{
	give_up(v, vty_is_too_long(v->vty) ? "bgpd's answer is too long" : "bgpd does not answer");
}

static void complete(struct bgpview *v)
{
	struct vec before = v->known;

	v->known = v->next;
	v->next = before;
	v->known_at = v->begun;
	v->period = pace(v);
	str_set(&v->error, NULL);
	end_round(v);
}

static void on_summary(void *data, const char *answer);
static void on_advertised(void *data, const char *answer);

static void ask(
	struct bgpview *v, uint8_t family, const char *what, size_t max, vty_answer_fn *answered)
{
	auto_free char *command = xasprintf("show bgp %s%s%s%s unicast %s json",
		v->vrf ? "vrf " : "", v->vrf ? v->vrf : "", v->vrf ? " " : "",
		family == AF_INET ? "ipv4" : "ipv6", what);

	v->vty = vty_ask(v->loop, v->path, command, max, LIMIT, answered, v);
}

static void ask_advertised(struct bgpview *v, const struct bgpview_neighbor *neighbor)
{
	auto_free char *what = xasprintf("neighbors %s advertised-routes", neighbor->name);

	ask(v, neighbor->family, what, ADVERTISED_MAX, on_advertised);
}

/* The summary of a family */

static void add_neighbor(struct bgpview *v, const char *name, const json_t *json)
{
	const char *state = json_string_value(json_object_get(json, "state"));
	struct bgpview_neighbor *neighbor;

	if (!state)
		return;
	neighbor = xcalloc(1, sizeof(*neighbor));
	neighbor->name = xstrdup(name);
	neighbor->family = families[v->family];
	neighbor->state = xstrdup(state);
	neighbor->established = !strcmp(state, "Established");
	if (vec_find(&v->next, neighbor))
		neighbor_destroy(neighbor);
	else
		vec_insert(&v->next, neighbor);
}

static void on_summary(void *data, const char *answer)
{
	struct bgpview *v = data;
	json_auto_t *json = answer ? json_loads(answer, 0, NULL) : NULL;
	const json_t *peers = json_object_get(json, "peers");
	const char *name;
	json_t *peer;

	if (!answer) {
		give_up_unanswered(v);
		return;
	}
	if (!json) {
		give_up(v, "bgpd's answer is not understood");
		return;
	}
	json_object_foreach ((json_t *)(uintptr_t)peers, name, peer)
		add_neighbor(v, name, peer);
	v->family++;
	loop_job_queue(v->loop, &v->job, on_job);
}

/* What a neighbour is sent */

static void add_advertised(struct bgpview *v, const char *text)
{
	struct bgpview_neighbor *neighbor = v->next.items[v->at];
	struct prefix prefix;

	if (!prefix_parse(text, &prefix) || !prefix_is_host(&prefix) || !v->wants(v->data, &prefix))
		return;
	neighbor->advertised = xrealloc(
		neighbor->advertised, (neighbor->n_advertised + 1) * sizeof(*neighbor->advertised));
	neighbor->advertised[neighbor->n_advertised++] = prefix;
}

/* The next route's network, unescaped: FRR 7.5 writes "\/" for "/". false: there is none. */
static bool next_network(const char **at, char *out, size_t size)
{
	static const char key[] = "\"network\":\"";
	const char *found = strstr(*at, key);
	size_t n = 0;

	if (!found)
		return false;
	found += strlen(key);
	for (; *found && *found != '"' && n < size - 1; found++) {
		if (*found != '\\')
			out[n++] = *found;
	}
	out[n] = '\0';
	*at = found;
	return true;
}

/* true: that was the last portion. */
static bool search_portion(struct bgpview *v)
{
	char network[2 * PREFIX_STRLEN];

	for (unsigned i = 0; i < PORTION; i++) {
		if (!next_network(&v->rest, network, sizeof(network)))
			return true;
		add_advertised(v, network);
	}
	return false;
}

static void on_advertised(void *data, const char *answer)
{
	struct bgpview *v = data;
	struct bgpview_neighbor *neighbor = v->next.items[v->at];

	neighbor->unread = !answer && vty_is_too_long(v->vty);
	if (!answer && !neighbor->unread) {
		give_up_unanswered(v);
		return;
	}
	v->rest = answer;
	v->at += neighbor->unread;
	loop_job_queue(v->loop, &v->job, on_job);
}

static void search(struct bgpview *v)
{
	struct bgpview_neighbor *neighbor = v->next.items[v->at];

	if (search_portion(v)) {
		v->rest = NULL;
		if (neighbor->n_advertised)
			qsort(neighbor->advertised, neighbor->n_advertised,
				sizeof(*neighbor->advertised), address_cmp);
		v->at++;
	}
	loop_job_queue(v->loop, &v->job, on_job);
}

/* Goes on with the round. */
static void on_job(struct loop_job *job)
{
	struct bgpview *v = container_of(job, struct bgpview, job);

	if (v->rest) {
		search(v);
		return;
	}
	v->vty = vty_free(v->vty);
	if (v->family < N_ELEMENTS(families)) {
		ask(v, families[v->family], "summary", SUMMARY_MAX, on_summary);
		return;
	}
	while (v->at < v->next.n) {
		const struct bgpview_neighbor *neighbor = v->next.items[v->at];

		if (neighbor->established) {
			ask_advertised(v, neighbor);
			return;
		}
		v->at++;
	}
	complete(v);
}

/* Looking */

const struct vec *bgpview_neighbors(const struct bgpview *v)
{
	return &v->known;
}

double bgpview_age(const struct bgpview *v)
{
	return v->known_at.ns ? mono_to_s(mono_sub(mono_now(), v->known_at)) : -1;
}

bool bgpview_is_fresh(const struct bgpview *v)
{
	struct mono most = later(FRESH, (struct mono){FRESH_ROUNDS * v->period.ns});

	return v->known_at.ns && mono_before(mono_now(), mono_add(v->known_at, most));
}

const char *bgpview_error(const struct bgpview *v)
{
	return v->error;
}

bool bgpview_advertises(const struct bgpview_neighbor *neighbor, const struct prefix *address)
{
	return neighbor->n_advertised &&
	       bsearch(address, neighbor->advertised, neighbor->n_advertised,
		       sizeof(*neighbor->advertised), address_cmp);
}

bool bgpview_count(const struct bgpview *v, const struct prefix *address, size_t *out_n)
{
	const struct bgpview_neighbor *neighbor;
	size_t n = 0;

	if (!bgpview_is_fresh(v))
		return false;
	vec_foreach (&v->known, neighbor, i) {
		if (neighbor->unread && neighbor->family == address->family)
			return false;
		n += bgpview_advertises(neighbor, address);
	}
	*out_n = n;
	return true;
}

/* Life */

struct bgpview *bgpview_new(struct loop *loop, const char *zserv, const char *vrf,
	struct mono pause, bgpview_wants_fn *wants, void *data)
{
	struct bgpview *v = xcalloc(1, sizeof(*v));

	v->loop = loop;
	v->path = vty_path(zserv, "bgpd");
	v->vrf = vrf ? xstrdup(vrf) : NULL;
	v->pause = pause;
	v->wants = wants;
	v->data = data;
	vec_init(&v->known, neighbor_cmp);
	vec_init(&v->next, neighbor_cmp);
	loop_timer_after(loop, &v->timer, mono_ms(0), on_timer);
	return v;
}

void bgpview_set_vrf(struct bgpview *v, const char *vrf)
{
	if (v)
		str_set(&v->vrf, vrf);
}

struct bgpview *bgpview_free(struct bgpview *v)
{
	if (!v)
		return NULL;
	v->vty = vty_free(v->vty);
	loop_job_stop(&v->job);
	loop_timer_stop(&v->timer);
	vec_deinit(&v->known, neighbor_destroy);
	vec_deinit(&v->next, neighbor_destroy);
	free(v->error);
	free(v->path);
	free(v->vrf);
	free(v);
	return NULL;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loopback. The hard part: the kernel's state is shared with everybody, so what we remember can
 * be wrong at any time.
 *
 * There is one way to be right again, the audit: list what the kernel has, keep what is ours, add
 * what is missing. It runs at the start, when the kernel says that something of ours changed or the
 * interface did, when messages were lost, and every ten minutes.
 *
 * Whatever an address needs is found out when its turn comes, from what is true then; so it does
 * not matter how often the mind changed while it stood in the queue. A batch goes out at a time,
 * and none while an audit runs: the loop turns between them, and no answer is ever older than the
 * picture that it is put into.
 */
#include "loopback.h"

#include "ledger.h"
#include "rtnl.h"

#include <cosmolet/vec.h>

#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <string.h>

#define AUDIT_EVERY  mono_s(600)
#define AUDIT_DELAY  mono_ms(20) /* merges the many messages of one change */
#define AUDIT_RETRY  mono_ms(200)
#define SEND_TIME    mono_ms(4) /* for which a send should hold up the loop, at most */
#define RETRY_FIRST  mono_s(1)
#define RETRY_LAST   mono_s(60)
#define FIRST_AUDITS 50   /* others may change things just then */
#define ANSWER_LIMIT 5000 /* ms, at the start and at the end, when nothing else can be done */

enum wish { UNDECIDED, WANTED, UNWANTED };

struct entry {
	struct prefix address;
	enum wish wish : 8;
	enum loopback_state told : 8; /* what the owner knows */
	bool ours;                    /* in the kernel, as far as we know, and by us */
	bool foreign;                 /* in the kernel, by somebody else */
	bool renew;
	bool queued;
	bool out;  /* it is in the batch that waits for answers */
	bool seen; /* by the audit that runs */
	bool bound_before;
	unsigned foreign_on; /* the interface, as an observer's audit has it; 0: not known */
	char *error;
	TAILQ_ENTRY(entry) next;
};

TAILQ_HEAD(entries, entry);

struct request {
	uint32_t sequence;
	enum rtnl_operation operation;
	struct entry *entry; /* NULL: answered */
};

struct loopback {
	struct loop *loop;
	struct loopback_options options;
	char *interface;
	struct rtnl_form form;
	struct rtnl *rtnl;
	struct ledger *ledger;
	char *ledger_error; /* as told; NULL: none */
	struct loop_io requests_io;
	struct loop_io news_io;
	struct loop_job pump_job;
	struct loop_timer audit_timer;
	struct loop_timer retry_timer;
	struct loop_timer renew_timer;
	struct mono retry_delay;
	struct vec entries;   /* struct entry, by address */
	struct entries queue; /* those that may need something */
	struct request requests[RTNL_BATCH];
	size_t batch_size;
	size_t n_requests;
	size_t n_out;      /* of these, those without an answer */
	uint8_t dumping;   /* the family that an audit asks for; 0: none runs */
	bool audit_failed; /* the one that runs */
	bool audit_wanted;
	bool closing;
	unsigned repaired; /* since it was last told */
	struct loopback_status status;
};

static void pump(struct loop_job *job);

/* Entries */

static int entry_cmp(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	return prefix_cmp(&x->address, &y->address);
}

static struct entry *find_entry(const struct loopback *loopback, const struct prefix *address)
{
	struct entry wanted = {.address = *address};

	return vec_find(&loopback->entries, &wanted);
}

static struct entry *get_entry(struct loopback *loopback, const struct prefix *address)
{
	struct entry *entry = find_entry(loopback, address);

	if (entry)
		return entry;
	entry = xcalloc(1, sizeof(*entry));
	entry->address = *address;
	vec_insert(&loopback->entries, entry);
	return entry;
}

static void entry_destroy(void *item)
{
	struct entry *entry = item;

	free(entry->error);
	free(entry);
}

/* Forgets one of which nothing is left. */
static void drop_if_idle(struct loopback *loopback, struct entry *entry)
{
	if (entry->wish == WANTED || entry->ours || entry->queued || entry->out)
		return;
	vec_remove(&loopback->entries, entry);
	entry_destroy(entry);
}

static void enqueue(struct loopback *loopback, struct entry *entry)
{
	if (!entry->queued)
		TAILQ_INSERT_TAIL(&loopback->queue, entry, next);
	entry->queued = true;
	loop_job_queue(loopback->loop, &loopback->pump_job, pump);
}

static void tell(struct loopback *loopback, struct entry *entry, enum loopback_state state)
{
	if (entry->wish != WANTED || entry->told == state || loopback->closing)
		return;
	entry->told = state;
	entry->bound_before = entry->bound_before || state == LOOPBACK_BOUND;
	loopback->options.news(loopback->options.data, &entry->address, state,
		state == LOOPBACK_FAILED ? entry->error : NULL);
}

/* Trying again */

static void on_retry_timer(struct loop_timer *timer)
{
	struct loopback *loopback = container_of(timer, struct loopback, retry_timer);
	struct entry *entry;

	vec_foreach (&loopback->entries, entry, i)
		enqueue(loopback, entry);
}

/* One delay for all: what refuses one address mostly refuses every one. */
static void retry_later(struct loopback *loopback)
{
	if (loopback->retry_timer.loop || loopback->closing)
		return;
	loop_timer_after(
		loopback->loop, &loopback->retry_timer, loopback->retry_delay, on_retry_timer);
	loopback->retry_delay.ns = MIN(loopback->retry_delay.ns * 2, RETRY_LAST.ns);
}

static void fail_entry(struct loopback *loopback, struct entry *entry, char *error)
{
	bool same = entry->error && !strcmp(entry->error, error);

	free(entry->error);
	entry->error = error;
	if (!same && entry->told == LOOPBACK_FAILED)
		entry->told = LOOPBACK_PENDING; /* another reason is news */
	loopback->status.errors++;
	retry_later(loopback);
	tell(loopback, entry, LOOPBACK_FAILED);
}

/* In words that say what to do, where we know it. */
static char *error_text(const struct loopback *loopback, int error, const char *kernel)
{
	switch (-error) {
	case EPERM:
		return xstrdup("permission denied: it takes CAP_NET_ADMIN (or loopback.mode: "
			       "none)");
	case ENODEV: return xasprintf("there is no interface \"%s\" any more", loopback->interface);
	case ENETDOWN:
		return xasprintf("the interface \"%s\" is down: ip link set %s up",
			loopback->interface, loopback->interface);
	default:
		return kernel ? xasprintf("%s (%s)", strerror(-error), kernel)
			      : xstrdup(strerror(-error));
	}
}

/* Answers */

static void on_added(struct loopback *loopback, struct entry *entry, int error, const char *text)
{
	if (error == -EEXIST) {
		entry->foreign = true;
		if (loopback->ledger)
			ledger_drop(loopback->ledger, &entry->address);
		tell(loopback, entry, LOOPBACK_FOREIGN);
		return;
	}
	if (error < 0) {
		fail_entry(loopback, entry, error_text(loopback, error, text));
		return;
	}
	entry->ours = true;
	if (entry->bound_before && entry->wish == WANTED) {
		loopback->status.repairs++;
		loopback->repaired++;
	} else {
		loopback->status.adds++;
	}
	loopback->retry_delay = RETRY_FIRST;
	tell(loopback, entry, LOOPBACK_BOUND);
}

static bool is_gone(int error)
{
	return error == 0 || error == -ESRCH || error == -EADDRNOTAVAIL || error == -ENODEV;
}

static void on_removed(struct loopback *loopback, struct entry *entry, int error, const char *text)
{
	if (is_gone(error)) {
		entry->ours = false;
		loopback->status.removes += error == 0;
		if (loopback->ledger)
			ledger_drop(loopback->ledger, &entry->address);
		return;
	}
	loopback->status.errors++;
	loopback->status.remove_errors++;
	if (!entry->error) {
		char buf[PREFIX_STRLEN];
		auto_free char *line = NULL;

		entry->error = error_text(loopback, error, text);
		line = xasprintf("%s on %s cannot be removed: %s",
			prefix_address(&entry->address, buf), loopback->interface, entry->error);
		loopback->options.problem(loopback->options.data, line);
	}
	retry_later(loopback);
}

static void audit_soon(struct loopback *loopback);

static void on_renewed(struct loopback *loopback, struct entry *entry, int error)
{
	entry->renew = false;
	loopback->status.renewals += error == 0;
	if (error == 0)
		return;
	loopback->status.errors++;
	loopback->status.renew_errors++;
	audit_soon(loopback);
}

static void take_answer(
	struct loopback *loopback, struct request *request, const struct rtnl_message *message)
{
	struct entry *entry = TAKE(request->entry);

	loopback->n_out--;
	entry->out = false;
	switch (request->operation) {
	case RTNL_ADD: on_added(loopback, entry, message->error, message->text); break;
	case RTNL_REMOVE: on_removed(loopback, entry, message->error, message->text); break;
	case RTNL_RENEW: on_renewed(loopback, entry, message->error); break;
	}
	if (message->error == 0)
		enqueue(loopback, entry); /* the mind may have changed meanwhile */
	else
		drop_if_idle(loopback, entry);
}

static struct request *find_request(struct loopback *loopback, uint32_t sequence)
{
	for (size_t i = 0; i < loopback->n_requests; i++) {
		struct request *request = &loopback->requests[i];

		if (request->entry && request->sequence == sequence)
			return request;
	}
	return NULL;
}

/* No answer will come any more to what is out. */
static void forget_requests(struct loopback *loopback)
{
	for (size_t i = 0; i < loopback->n_requests; i++) {
		struct entry *entry = TAKE(loopback->requests[i].entry);

		if (!entry)
			continue;
		entry->out = false;
		enqueue(loopback, entry);
	}
	loopback->n_requests = loopback->n_out = 0;
}

/* Requests */

/* Whether it needs one, and which. */
static bool next_operation(
	const struct loopback *loopback, const struct entry *entry, enum rtnl_operation *out)
{
	bool missing = entry->wish == WANTED && !entry->ours && !entry->foreign;

	*out = missing ? RTNL_ADD : entry->wish == UNWANTED ? RTNL_REMOVE : RTNL_RENEW;
	if (*out == RTNL_REMOVE)
		return entry->ours;
	return !loopback->closing && (missing || (entry->ours && entry->renew));
}

static void put_request(
	struct loopback *loopback, struct entry *entry, enum rtnl_operation operation)
{
	loopback->requests[loopback->n_requests++] = (struct request){
		.sequence = rtnl_put(loopback->rtnl, &loopback->form, operation, &entry->address),
		.operation = operation,
		.entry = entry,
	};
	loopback->n_out++;
	entry->out = true;
}

/* Everything that will be added, in one writing; the ledger may say too much, never too little. */
static bool write_ledger(struct loopback *loopback)
{
	enum rtnl_operation operation;
	auto_free char *error = NULL;
	const struct entry *entry;

	if (!loopback->ledger)
		return true;
	TAILQ_FOREACH (entry, &loopback->queue, next) {
		if (next_operation(loopback, entry, &operation) && operation == RTNL_ADD)
			ledger_put(loopback->ledger, &entry->address);
	}
	if (ledger_write(loopback->ledger, &error) == 0) {
		str_set(&loopback->ledger_error, NULL);
		return true;
	}
	if (!loopback->ledger_error || strcmp(loopback->ledger_error, error) != 0)
		loopback->options.problem(loopback->options.data, error);
	str_set(&loopback->ledger_error, error);
	return false;
}

/* Without its line in the ledger an address would be nobody's after a crash: it is not added. */
static void refuse(struct loopback *loopback, struct entry *entry)
{
	ledger_drop(loopback->ledger, &entry->address);
	fail_entry(loopback, entry, xstrdup(loopback->ledger_error));
}

/* It is as it should be. */
static void settle(struct loopback *loopback, struct entry *entry)
{
	if (entry->ours)
		tell(loopback, entry, LOOPBACK_BOUND);
	drop_if_idle(loopback, entry);
}

static void fill_batch(struct loopback *loopback)
{
	bool written = write_ledger(loopback);
	enum rtnl_operation operation;
	struct entry *entry;

	loopback->n_requests = 0;
	while (loopback->n_requests < loopback->batch_size &&
		(entry = TAILQ_FIRST(&loopback->queue))) {
		TAILQ_REMOVE(&loopback->queue, entry, next);
		entry->queued = false;
		if (!next_operation(loopback, entry, &operation))
			settle(loopback, entry);
		else if (operation == RTNL_ADD && !loopback->form.ifindex)
			fail_entry(loopback, entry, error_text(loopback, -ENODEV, NULL));
		else if (operation == RTNL_ADD && !written)
			refuse(loopback, entry);
		else
			put_request(loopback, entry, operation);
	}
}

/* A request costs the kernel from two microseconds to some milliseconds, by its kind and state. */
static void adapt_batch(struct loopback *loopback, struct mono spent)
{
	struct mono target = SEND_TIME;

	if (mono_before(target, spent))
		loopback->batch_size = MAX(loopback->batch_size / 2, (size_t)1);
	else if (mono_before(spent, (struct mono){target.ns / 3}))
		loopback->batch_size = MIN(loopback->batch_size * 2, (size_t)RTNL_BATCH);
}

static void send_batch(struct loopback *loopback)
{
	struct mono before;
	int r;

	fill_batch(loopback);
	before = mono_now();
	r = rtnl_send(loopback->rtnl);
	adapt_batch(loopback, mono_sub(mono_now(), before));
	if (r == 0)
		return;
	/* The kernel took none of it, and is not to be asked again at once. */
	forget_requests(loopback);
	loop_job_stop(&loopback->pump_job);
	retry_later(loopback);
}

/* What there was to be done is done. */
static void rest(struct loopback *loopback)
{
	auto_free char *text = NULL;

	write_ledger(loopback); /* of what was removed */
	if (!loopback->repaired)
		return;
	text = xasprintf("%u addresses of ours were missing on %s and are back", loopback->repaired,
		loopback->interface);
	loopback->repaired = 0;
	loopback->options.problem(loopback->options.data, text);
}

/* Auditing */

static bool is_ours(const struct loopback *loopback, const struct rtnl_message *message)
{
	if (message->ifindex != loopback->form.ifindex)
		return false;
	if (loopback->ledger)
		return message->lookalike && ledger_has(loopback->ledger, &message->address);
	return message->protocol == LOOPBACK_PROTOCOL;
}

static void audit_ask(struct loopback *loopback, uint8_t family)
{
	struct rtnl_form form = loopback->form;

	if (loopback->options.observe) { /* whoever has them, and wherever */
		form.protocol = 0;
		form.ifindex = 0;
	}
	loopback->dumping = family;
	if (rtnl_dump(loopback->rtnl, &form, family) == 0)
		return;
	loopback->dumping = 0;
	loopback->audit_failed = true;
}

static void on_audit_timer(struct loop_timer *timer)
{
	struct loopback *loopback = container_of(timer, struct loopback, audit_timer);

	loopback->audit_wanted = true;
	loop_job_queue(loopback->loop, &loopback->pump_job, pump);
}

static void audit_after(struct loopback *loopback, struct mono delay)
{
	loop_timer_after(loopback->loop, &loopback->audit_timer, delay, on_audit_timer);
}

static void audit_soon(struct loopback *loopback)
{
	if (!loopback->audit_wanted && !loopback->closing)
		audit_after(loopback, AUDIT_DELAY);
	loopback->audit_wanted = true;
}

static void note_there(struct loopback *loopback, const struct rtnl_message *message)
{
	struct entry *entry =
		loopback->options.observe ? find_entry(loopback, &message->address) : NULL;

	if (is_ours(loopback, message))
		get_entry(loopback, &message->address)->seen = true;
	else if (entry)
		entry->foreign_on = message->ifindex;
}

/* What would become of it is told as if it had been done. */
static void observe(struct loopback *loopback, struct entry *entry)
{
	entry->foreign = entry->foreign_on && !entry->ours;
	tell(loopback, entry, entry->foreign ? LOOPBACK_FOREIGN : LOOPBACK_BOUND);
	drop_if_idle(loopback, entry);
}

static bool is_known(const void *data, const struct prefix *address)
{
	return find_entry(data, address) != NULL;
}

static void audit_end(struct loopback *loopback)
{
	struct entry *entry;

	loopback->dumping = 0;
	if (loopback->audit_failed) {
		/* Interrupted or cut short: what we just read is no basis for anything. */
		audit_after(loopback, AUDIT_RETRY);
		return;
	}
	if (!loopback->audit_wanted) /* again, since it began */
		audit_after(loopback, AUDIT_EVERY);
	for (size_t i = loopback->entries.n; i-- > 0;) {
		entry = loopback->entries.items[i];
		entry->ours = entry->seen;
		entry->foreign = false; /* asked for again: its owner may have gone */
		if (loopback->options.observe)
			observe(loopback, entry);
		else
			enqueue(loopback, entry);
	}
	if (loopback->ledger)
		ledger_prune(loopback->ledger, is_known, loopback);
}

static void audit_begin(struct loopback *loopback)
{
	struct entry *entry;

	loopback->status.audits++;
	loopback->audit_wanted = loopback->audit_failed = false;
	loopback->form.ifindex = if_nametoindex(loopback->interface);
	vec_foreach (&loopback->entries, entry, i) {
		entry->seen = false;
		entry->foreign_on = 0;
	}
	if (!loopback->form.ifindex) { /* nothing of ours can be there */
		audit_end(loopback);
		return;
	}
	audit_ask(loopback, AF_INET);
	if (!loopback->dumping)
		audit_end(loopback);
}

static void audit_next(struct loopback *loopback, int error)
{
	bool empty = error == -ENOENT || error == -EAFNOSUPPORT; /* never used, or switched off */

	if (error < 0 && !empty)
		loopback->audit_failed = true;
	if (loopback->dumping == AF_INET && !loopback->audit_failed) {
		audit_ask(loopback, AF_INET6);
		if (loopback->dumping)
			return;
	}
	audit_end(loopback);
}

/* The kernel's messages */

static void on_answer(void *data, const struct rtnl_message *message)
{
	struct loopback *loopback = data;
	struct request *request;

	switch (message->type) {
	case RTNL_THERE:
		if (loopback->dumping)
			note_there(loopback, message);
		break;
	case RTNL_DUMP_END:
		if (loopback->dumping)
			audit_next(loopback, message->error);
		break;
	case RTNL_ANSWER:
		request = find_request(loopback, message->sequence);
		if (request)
			take_answer(loopback, request, message);
		else if (loopback->dumping && message->error < 0)
			audit_next(loopback, message->error); /* it was refused as a whole */
		break;
	case RTNL_GONE:
	case RTNL_LINK: break;
	}
}

/* What was lost is found out by an audit. */
static void lose_answers(struct loopback *loopback)
{
	forget_requests(loopback);
	if (loopback->dumping) {
		loopback->audit_failed = true;
		audit_end(loopback);
	}
	loopback->status.overruns++;
	audit_soon(loopback);
}

static void read_requests(struct loopback *loopback)
{
	int r = rtnl_read_requests(loopback->rtnl, on_answer, loopback);

	if (r < 0 && r != -EAGAIN)
		lose_answers(loopback);
	if (!loopback->dumping && !loopback->n_out)
		loop_job_queue(loopback->loop, &loopback->pump_job, pump);
}

static void on_requests(struct loop_io *io, uint32_t ready)
{
	(void)ready;
	read_requests(container_of(io, struct loopback, requests_io));
}

static bool is_our_link(const struct loopback *loopback, const struct rtnl_message *message)
{
	return message->ifindex == loopback->form.ifindex ||
	       !strcmp(message->link, loopback->interface);
}

/* Whether what is new contradicts what we believe. Our own requests have their answers. */
static bool is_suspicious(const struct loopback *loopback, const struct rtnl_message *message)
{
	const struct entry *entry;

	if (message->type == RTNL_LINK)
		return is_our_link(loopback, message);
	entry = find_entry(loopback, &message->address);
	if (!entry)
		return false;
	if (loopback->options.observe)
		return true;
	if (message->type == RTNL_GONE)
		return entry->wish != UNWANTED;
	return entry->ours && message->ifindex == loopback->form.ifindex &&
	       !is_ours(loopback, message);
}

static void on_news(void *data, const struct rtnl_message *message)
{
	struct loopback *loopback = data;

	if (is_suspicious(loopback, message))
		audit_soon(loopback);
}

static void read_news(struct loopback *loopback)
{
	int r = rtnl_read_news(loopback->rtnl, on_news, loopback);

	if (r == 0 || r == -EAGAIN)
		return;
	loopback->status.overruns++;
	audit_soon(loopback);
}

static void on_news_ready(struct loop_io *io, uint32_t ready)
{
	(void)ready;
	read_news(container_of(io, struct loopback, news_io));
}

/*
 * The one place from which anything is sent. An address carries its mark only for readers: the
 * kernel would delete a foreign one that has taken the place of ours. So what is known to have
 * changed is looked at before.
 */
static void pump(struct loop_job *job)
{
	struct loopback *loopback = container_of(job, struct loopback, pump_job);

	if (loopback->dumping || loopback->n_out)
		return;
	if (!loopback->form.route && !TAILQ_EMPTY(&loopback->queue))
		read_news(loopback);
	if (loopback->audit_wanted && (!loopback->form.route || !loopback->audit_timer.loop))
		audit_begin(loopback);
	if (loopback->dumping)
		return;
	if (!TAILQ_EMPTY(&loopback->queue))
		send_batch(loopback);
	if (!loopback->n_out && TAILQ_EMPTY(&loopback->queue))
		rest(loopback);
}

/* Leases */

static void on_renew_timer(struct loop_timer *timer)
{
	struct loopback *loopback = container_of(timer, struct loopback, renew_timer);
	struct entry *entry;

	loop_timer_after(loopback->loop, timer, mono_ms(loopback->form.lease_s * INT64_C(500)),
		on_renew_timer);
	vec_foreach (&loopback->entries, entry, i) {
		if (!entry->ours)
			continue;
		entry->renew = true;
		enqueue(loopback, entry);
	}
}

/* Life */

/* Turns without the loop until there is nothing to be done. false: the kernel does not answer. */
static bool finish(struct loopback *loopback)
{
	struct pollfd fd = {.fd = rtnl_requests_fd(loopback->rtnl), .events = POLLIN};

	for (;;) {
		loop_job_stop(&loopback->pump_job);
		pump(&loopback->pump_job);
		if (!loopback->dumping && !loopback->n_out)
			return TAILQ_EMPTY(&loopback->queue); /* else it could not be sent */
		if (poll(&fd, 1, ANSWER_LIMIT) <= 0)
			return false;
		read_requests(loopback);
	}
}

static int begin(struct loopback *loopback, char **out_error)
{
	bool routes = loopback->options.mode == LOOPBACK_LOCAL_ROUTE;
	int r = rtnl_open(routes, &loopback->rtnl);

	if (r == 0)
		r = loop_io_start(loopback->loop, &loopback->requests_io,
			rtnl_requests_fd(loopback->rtnl), EPOLLIN, on_requests);
	if (r == 0)
		r = loop_io_start(loopback->loop, &loopback->news_io, rtnl_news_fd(loopback->rtnl),
			EPOLLIN, on_news_ready);
	if (r < 0) {
		*out_error = xasprintf("loopback: netlink: %s", strerror(-r));
		return -EINVAL;
	}
	loopback->audit_failed = true;
	for (int i = 0; i < FIRST_AUDITS && loopback->audit_failed; i++) {
		loopback->audit_wanted = true;
		loop_timer_stop(&loopback->audit_timer);
		if (!finish(loopback))
			break;
	}
	if (loopback->audit_failed) {
		*out_error = xstrdup("loopback: the kernel does not tell what is bound");
		return -EINVAL;
	}
	if (loopback->form.lease_s && !loopback->options.observe)
		on_renew_timer(&loopback->renew_timer);
	return 0;
}

static void open_ledger(struct loopback *loopback)
{
	auto_free char *problem = NULL;

	if (!loopback->options.ledger || loopback->form.route)
		return;
	loopback->form.protocol = 0;
	loopback->ledger = ledger_open(loopback->options.ledger, loopback->interface, &problem);
	if (problem)
		loopback->options.problem(loopback->options.data, problem);
}

int loopback_new(struct loop *loop, const struct loopback_options *options, struct loopback **out,
	char **out_error)
{
	struct loopback *loopback = xcalloc(1, sizeof(*loopback));
	int r = 0;

	loopback->loop = loop;
	loopback->options = *options;
	loopback->interface = xstrdup(options->interface);
	loopback->retry_delay = RETRY_FIRST;
	loopback->batch_size = 8;
	loopback->form = (struct rtnl_form){
		.route = options->mode == LOOPBACK_LOCAL_ROUTE,
		.protocol = LOOPBACK_PROTOCOL,
		.lease_s = options->lease_s,
	};
	vec_init(&loopback->entries, entry_cmp);
	TAILQ_INIT(&loopback->queue);
	if (options->mode != LOOPBACK_NONE) {
		if (!if_nametoindex(options->interface)) {
			*out_error = xasprintf("loopback: there is no interface \"%s\"; set "
					       "loopback.interface to one that exists",
				options->interface);
			r = -EINVAL;
		}
		if (r == 0) {
			open_ledger(loopback);
			r = begin(loopback, out_error);
		}
	}
	if (r < 0) {
		loopback_free(loopback);
		return r;
	}
	*out = loopback;
	return 0;
}

struct loopback *loopback_free(struct loopback *loopback)
{
	if (!loopback)
		return NULL;
	loopback->closing = true;
	if (loopback->rtnl)
		finish(loopback);
	loop_job_stop(&loopback->pump_job);
	loop_timer_stop(&loopback->audit_timer);
	loop_timer_stop(&loopback->retry_timer);
	loop_timer_stop(&loopback->renew_timer);
	loop_io_stop(&loopback->requests_io);
	loop_io_stop(&loopback->news_io);
	rtnl_close(loopback->rtnl);
	ledger_close(loopback->ledger);
	vec_deinit(&loopback->entries, entry_destroy);
	free(loopback->ledger_error);
	free(loopback->interface);
	free(loopback);
	return NULL;
}

/* What the owner asks for */

enum loopback_state loopback_add(struct loopback *loopback, const struct prefix *address)
{
	struct entry *entry;

	if (loopback->options.mode == LOOPBACK_NONE)
		return LOOPBACK_BOUND;
	entry = get_entry(loopback, address);
	if (entry->wish != WANTED) {
		entry->wish = WANTED;
		entry->told = LOOPBACK_PENDING;
		entry->bound_before = false;
	}
	if (loopback->options.observe) {
		if (entry->told == LOOPBACK_PENDING)
			audit_soon(loopback); /* somebody else may have it */
		entry->told = entry->foreign ? LOOPBACK_FOREIGN : LOOPBACK_BOUND;
		return entry->told;
	}
	if (entry->ours && !entry->out) {
		entry->told = LOOPBACK_BOUND;
		entry->bound_before = true;
	}
	if (entry->told == LOOPBACK_PENDING)
		enqueue(loopback, entry);
	return entry->told;
}

void loopback_remove(struct loopback *loopback, const struct prefix *address)
{
	struct entry *entry = find_entry(loopback, address);

	if (!entry)
		return;
	entry->wish = UNWANTED;
	entry->foreign = false;
	entry->told = LOOPBACK_PENDING;
	str_set(&entry->error, NULL);
	if (!loopback->options.observe)
		enqueue(loopback, entry);
	else
		drop_if_idle(loopback, entry);
}

bool loopback_holder(
	const struct loopback *loopback, const struct prefix *address, char out[IF_NAMESIZE])
{
	const struct entry *entry = find_entry(loopback, address);

	return entry && entry->foreign_on && if_indextoname(entry->foreign_on, out);
}

size_t loopback_list(const struct loopback *loopback, struct prefix **out)
{
	struct prefix *list = xcalloc(loopback->entries.n, sizeof(*list));
	const struct entry *entry;
	size_t n = 0;

	vec_foreach (&loopback->entries, entry, i) {
		if (entry->ours)
			list[n++] = entry->address;
	}
	*out = list;
	return n;
}

void loopback_status(const struct loopback *loopback, struct loopback_status *out)
{
	const struct entry *entry;

	*out = loopback->status;
	out->n_bound = 0;
	vec_foreach (&loopback->entries, entry, i)
		out->n_bound += entry->ours;
}

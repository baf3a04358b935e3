/* admin_usage.c - what was used: sums, how good estimates are, and the rows themselves. */
#include "brokerd/front/admin_call.h"

#include "protocol/base/num.h"

#define CLOCK_CHANGES_MAX 512

/* ---- the question ---- */

static bool take_change(struct json v, struct clock_change *out)
{
	struct json_walk w = json_each(v);
	return json_next(&w) && json_i64(w.value, &out->from_s) && json_next(&w) &&
	       json_i64(w.value, &out->offset_s) && out->offset_s > -86400 &&
	       out->offset_s < 86400 && !json_next(&w);
}

/* "clock": [[from_s, offset_s], ...], upwards. */
static enum err take_clock(
	struct admin_call *a, struct json list, struct selection *out, struct fault *why)
{
	struct clock_change *changes;
	size_t n = 0;
	for (struct json_walk w = json_each(list); json_next(&w);)
		n++;
	if (json_is_nil(list) || (json_kind(list) == JSON_ARRAY && n == 0))
		return OK;
	changes =
		n > 0 && n <= CLOCK_CHANGES_MAX ? arena_array(&a->arena, n, sizeof *changes) : NULL;
	n = 0;
	for (struct json_walk w = json_each(list); changes && json_next(&w); n++) {
		if (!take_change(w.value, &changes[n]) ||
			(n > 0 && changes[n].from_s <= changes[n - 1].from_s))
			changes = NULL;
	}
	if (!changes)
		return fault_param(why, ERR_INVALID_ARGUMENT, "clock",
			"a clock is a list of at most %d pairs, upwards: since when (a second "
			"since 1970), and by how many seconds it is ahead of UTC",
			CLOCK_CHANGES_MAX);
	out->clock = changes;
	out->n_clock = n;
	return OK;
}

static enum err take_moment(struct json body, const char *name, int64_t *to_us, struct fault *why)
{
	int64_t s;
	const enum err err = admin_read_i64(body, name, &s, why);
	if (!err && !json_is_nil(json_member(body, name)))
		*to_us = num_mul_sat(s, 1000000);
	return err;
}

static enum err take_selection(
	struct admin_call *a, struct json body, struct selection *out, struct fault *why)
{
	enum err err = take_moment(body, "since_s", &out->since_us, why);
	if (!err)
		err = take_moment(body, "until_s", &out->until_us, why);
	for (int d = 0; !err && d < DIM_VALUES; d++)
		err = admin_read_text(a, body, dim_name((enum dim)d), &out->only[d], why);
	return err ? err : take_clock(a, json_member(body, "clock"), out, why);
}

/* ---- the answer: once all that has ended is there ---- */

static void question_came(struct job *j)
{
	admin_done(container_of(j, struct admin_call, job));
}

static void question_flushed(void *context, enum err err, const struct fault *why)
{
	struct admin_call *a = context;
	const struct fault unwanted = FAULT_NONE;
	if (err)
		admin_fail(a, err, why);
	else if (atomic_load(&a->is_unwanted))
		admin_fail(a, ERR_CANCELLED, &unwanted);
	else
		workers_submit(a->organs->workers, &a->job, LEDGER_READ_LANE);
}

static enum err question_ask(struct admin_call *a, void (*run)(struct job *j), struct fault *why)
{
	if (!a->organs->journal || !a->organs->ledger)
		return fault_set(why, ERR_STORAGE_FULL, "%s", a->organs->ailment.message);
	const struct journal_reply reply = {question_flushed, a};
	a->job.run = run;
	a->job.on_done = question_came;
	journal_flush(a->organs->journal, reply);
	return OK;
}

/* On a worker's thread, that gives up where nobody waits for the answer any more. */
static struct ledger *asked(struct admin_call *a)
{
	struct ledger *reader = ledger_reader(a->organs->ledger);
	ledger_heed(reader, &a->is_unwanted);
	return reader;
}

static void answered(struct admin_call *a, enum err err)
{
	ledger_heed(ledger_reader(a->organs->ledger), NULL);
	if (err && !a->why.err)
		fault_set(&a->why, err, "%s", err_info(err)->sentence);
}

static void usage_run(struct job *j)
{
	struct admin_call *a = container_of(j, struct admin_call, job);
	answered(a, report_usage(asked(a), &a->usage.report, &a->json, &a->why));
}

enum err admin_usage(struct admin_call *a, struct json body, struct fault *why)
{
	struct report *r = &a->usage.report;
	struct span by = SPAN_NONE;
	bool is_billed = false;
	enum err err = take_selection(a, body, &r->of, why);
	if (!err)
		err = admin_read_flag(body, "billed", &is_billed, why);
	if (!err)
		err = admin_read_text(a, body, "by", &by, why);
	r->what = is_billed ? REPORT_BILLED : REPORT_REQUESTS;
	if (!err)
		err = report_by(r, by.n > 0 ? by : SPAN("none"), why);
	return err ? err : question_ask(a, usage_run, why);
}

static void estimates_run(struct job *j)
{
	struct admin_call *a = container_of(j, struct admin_call, job);
	answered(a, report_estimates(asked(a), &a->usage.report.of, &a->json, &a->why));
}

enum err admin_usage_estimates(struct admin_call *a, struct json body, struct fault *why)
{
	const enum err err = take_selection(a, body, &a->usage.report.of, why);
	return err ? err : question_ask(a, estimates_run, why);
}

static void export_run(struct job *j)
{
	struct admin_call *a = container_of(j, struct admin_call, job);
	answered(a, export_page(asked(a), &a->usage.export, &a->json, &a->why));
}

enum err admin_usage_export(struct admin_call *a, struct json body, struct fault *why)
{
	struct export *e = &a->usage.export;
	bool is_of_attempts = false;
	enum err err = take_selection(a, body, &e->of, why);
	if (!err)
		err = admin_read_flag(body, "attempts", &is_of_attempts, why);
	if (!err)
		err = admin_read_text(a, body, "after", &e->after, why);
	e->table = is_of_attempts ? EXPORT_ATTEMPTS : EXPORT_EXCHANGES;
	return err ? err : question_ask(a, export_run, why);
}

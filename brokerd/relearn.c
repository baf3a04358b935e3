/* relearn.c - a job that owns what it learns until it is done. */
#include "brokerd/relearn.h"

#include "brokerd/ledger/lessons.h"
#include "brokerd/log/log.h"
#include "protocol/base/table.h"

#define DAY_US INT64_C(86400000000)

/* What is older says little about a model of today. */
#define LESSONS_DAYS 30
#define LESSONS_MOST 20000

static void on_lesson(void *context, const struct lesson *l)
{
	fit_learn(context, span_str(l->provider), span_str(l->model), l->raw, l->reported);
}

static void relearn_run(struct job *job)
{
	struct relearn *r = container_of(job, struct relearn, job);
	r->fit = fit_new();
	r->why = FAULT_NONE;
	r->err = ledger_lessons(r->ledger, r->since_us, LESSONS_MOST, on_lesson, r->fit, &r->why);
}

static void relearn_done(struct job *job)
{
	struct relearn *r = container_of(job, struct relearn, job);
	char said[2 * sizeof r->why.message];
	if (r->err)
		log_warn("estimates.forgotten", "why=%s",
			log_quote(said, sizeof said, span_str(r->why.message)));
	fit_free(*r->to);
	*r->to = TAKE(r->fit);
}

void relearn(struct relearn *r, struct workers *w, struct ledger *ledger, int64_t now_us,
	struct fit **to)
{
	*r = (struct relearn){
		.job = {.run = relearn_run, .on_done = relearn_done},
		.ledger = ledger,
		.since_us = now_us - LESSONS_DAYS * DAY_US,
		.to = to,
		.why = FAULT_NONE
        };
	/* its key is made by the first who wants it: not by the job, while others want it here */
	(void)table_hash("", 0);
	workers_submit(w, &r->job, LEDGER_LANE);
}

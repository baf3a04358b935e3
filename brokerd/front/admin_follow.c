/* admin_follow.c - calls as they end, for who follows them: an answer comes as soon as there is one, or when the time is over,
 * and says where the next one goes on. */
#include "brokerd/front/admin_call.h"

#define WAIT_MS     20000
#define WAIT_MAX_MS 60000
#define ROWS_MAX    256 /* in one answer */
#define GATHER_US \
	INT64_C(50000) /* from the first of them on: of a busy broker's calls not each has its own */
#define PATTERN_MAX LIMIT_LABEL_BYTES /* what it is held against is no longer */

/* ---- which ---- */

static const char *const choices[FOLLOW_CHOICES] = {
	[FOLLOW_APP] = "app",
	[FOLLOW_MODEL] = "model",
	[FOLLOW_PROVIDER] = "provider",
	[FOLLOW_OP] = "op",
	[FOLLOW_OUTCOME] = "outcome",
};

static bool fits(struct span pattern, const char *text)
{
	return !span_is_set(pattern) || pattern_fits(pattern, span_str(text));
}

/* A model is meant by the name that the caller has for it, or its provider; an outcome by its class, too. */
static bool is_wanted(const struct admin_call *a, const struct exchange_record *r)
{
	const struct span *only = a->follow.only;
	return admin_is_told_of(a, r->uid) && fits(only[FOLLOW_APP], r->app) &&
	       fits(only[FOLLOW_PROVIDER], r->provider) &&
	       (fits(only[FOLLOW_MODEL], r->model) || fits(only[FOLLOW_MODEL], r->target_model)) &&
	       fits(only[FOLLOW_OP], r->op) &&
	       (fits(only[FOLLOW_OUTCOME], outcome_name(r->outcome)) ||
		       (r->err && fits(only[FOLLOW_OUTCOME], err_info(r->err)->word)));
}

/* ---- the answer ---- */

/* As the ledger's columns are called. */
static void put_row(struct json_out *o, const struct exchange_record *r)
{
	const int64_t input = usage_input_total(&r->usage), output = usage_output_total(&r->usage);
	const struct {
		const char *name;
		int64_t value;
	} figures[] = {
		{"input",     input             },
                {"output",    output            },
                {"cost_nusd", r->usage.cost_nusd},
		{"ttft_us",   r->ttft_us        },
                {"total_us",  r->total_us       },
                {"queued_us", r->queued_us      }
        };
	json_open(o, '{');
	json_pair_str(o, "id", span_str(r->id));
	json_pair_i64(o, "at_us", r->at_us);
	json_pair_i64(o, "uid", r->uid);
	json_pair_str(o, "app", span_str(r->app));
	json_pair_str(o, "op", span_str(r->op));
	json_pair_str(o, "surface", span_str(r->surface));
	json_pair_str(o, "model", span_str(r->model));
	json_pair_str(o, "provider", span_str(r->provider));
	json_pair_str(o, "target_model", span_str(r->target_model));
	json_pair_str(o, "outcome", span_str(outcome_name(r->outcome)));
	if (r->outcome != OUTCOME_OK)
		json_pair_str(o, "error", span_str(err_info(r->err)->word));
	if (r->cache[0])
		json_pair_str(o, "cache", span_str(r->cache));
	json_pair_bool(o, "stream", r->is_stream);
	json_pair_i64(o, "attempts", r->attempts);
	for (size_t i = 0; i < COUNT_OF(figures); i++) {
		json_key(o, figures[i].name);
		if (figures[i].value >= 0)
			json_put_i64(o, figures[i].value);
		else
			json_put_null(o);
	}
	json_close(o, '}');
}

/* How many were gone before they were looked at. Of all: to who is told of his own alone, that there were some. */
static void put_missed(const struct admin_call *a, struct json_out *o)
{
	json_key(o, "missed");
	if (!a->follow.is_lost && (admin_is_told_all(a) || a->follow.missed == 0))
		json_put_i64(o, (int64_t)a->follow.missed);
	else
		json_put_null(o);
}

static void answer(struct admin_call *a)
{
	recent_leave(&a->follow.follower);
	loop_timer_stop(&a->wait);
	json_close(&a->out, ']');
	put_missed(a, &a->out);
	json_pair_i64(&a->out, "next", (int64_t)a->follow.at);
	json_pair_bool(&a->out, "ended", recent_is_ended(a->organs->recent));
	json_close(&a->out, '}');
	admin_done(a);
}

/* Takes what has come. False: there is nothing to tell yet. */
static bool gather(struct admin_call *a)
{
	const struct recent *recent = a->organs->recent;
	const struct exchange_record *r;
	size_t n = 0;
	for (; n < ROWS_MAX; a->follow.at++) {
		const uint64_t place = a->follow.at;
		r = recent_row(recent, &a->follow.at);
		a->follow.missed += a->follow.at - place;
		if (!r)
			break;
		if (!is_wanted(a, r))
			continue;
		put_row(&a->out, r);
		n++;
	}
	return n > 0 || a->follow.missed > 0 || a->follow.is_lost || recent_is_ended(recent);
}

/* What has come is none of his, and he has time left. */
static void wait_on(struct admin_call *a)
{
	const int64_t left_us = a->follow.due_us - loop_now_us(a->organs->loop);
	loop_timer_set(a->organs->loop, &a->wait, left_us > 0 ? left_us : 0);
	recent_await(a->organs->recent, &a->follow.follower);
}

static void on_time(struct loop_timer *t)
{
	struct admin_call *a = container_of(t, struct admin_call, wait);
	if (gather(a) || loop_now_us(a->organs->loop) >= a->follow.due_us)
		answer(a);
	else
		wait_on(a);
}

/* One has come: others may, right behind it; but nobody waits for a broker that ends. */
static void on_row(struct follower *f)
{
	struct admin_call *a = container_of(f, struct admin_call, follow.follower);
	const int64_t left_us = a->follow.due_us - loop_now_us(a->organs->loop);
	const int64_t wait_us = recent_is_ended(a->organs->recent) ? 0 : GATHER_US;
	recent_leave(f);
	loop_timer_set(a->organs->loop, &a->wait,
		left_us < wait_us ? (left_us > 0 ? left_us : 0) : wait_us);
}

/* ---- the question ---- */

enum err admin_follow(struct admin_call *a, struct json body, struct fault *why)
{
	struct recent *recent = a->organs->recent;
	int64_t wait_ms = WAIT_MS, after = -1;
	if (!recent)
		return fault_set(why, ERR_NO_MEMORY, "%s", err_info(ERR_NO_MEMORY)->sentence);
	enum err err = admin_read_i64(body, "wait_ms", &wait_ms, why);
	if (!err)
		err = admin_read_i64(body, "after", &after, why);
	for (size_t i = 0; !err && i < FOLLOW_CHOICES; i++)
		err = admin_read_text(a, body, choices[i], &a->follow.only[i], why);
	for (size_t i = 0; !err && i < FOLLOW_CHOICES; i++) {
		if (a->follow.only[i].n > PATTERN_MAX)
			err = fault_param(why, ERR_INVALID_ARGUMENT, choices[i],
				"this is longer than %zu bytes", PATTERN_MAX);
	}
	if (err)
		return err;
	if (wait_ms < 0 || wait_ms > WAIT_MAX_MS)
		return fault_param(
			why, ERR_INVALID_ARGUMENT, "wait_ms", "this is 0 to %d", WAIT_MAX_MS);
	const uint64_t next = recent_next(recent);
	a->follow.is_lost = after >= 0 && !recent_knows(recent, (uint64_t)after);
	a->follow.at = after >= 0 && !a->follow.is_lost ? (uint64_t)after : next;
	a->follow.due_us = loop_now_us(a->organs->loop) + wait_ms * 1000;
	a->out = json_to(&a->json);
	json_open(&a->out, '{');
	json_key(&a->out, "rows");
	json_open(&a->out, '[');
	LOOP_CALLS(&a->wait, on_fire, on_time);
	a->follow.follower.on_row = on_row;
	if (gather(a) || wait_ms == 0) {
		answer(a);
		return OK;
	}
	wait_on(a);
	return OK;
}

/* admin_open.c - the calls that are open now: those who asked, what they wait for, and how far they are. */
#include "brokerd/front/admin_call.h"

#include "brokerd/exchange/view.h"

#define ROWS_MAX 256 /* in an answer; those that began first */

static void put_known(struct json_out *o, const char *name, int64_t value)
{
	json_key(o, name);
	if (value >= 0)
		json_put_i64(o, value);
	else
		json_put_null(o);
}

/* What callers choose may be long; this much of it the ledger has, too. */
static void put_name(struct json_out *o, const char *name, struct span text)
{
	char cut[128];
	if (!span_is_set(text))
		return;
	fault_text(cut, sizeof cut, text);
	json_pair_str(o, name, span_str(cut));
}

/* As the ledger's columns are called, where it has one. */
static void put_row(struct json_out *o, const struct exchange_view *v)
{
	json_open(o, '{');
	json_pair_str(o, "id", span_str(v->id));
	json_pair_i64(o, "at_us", v->begun_wall_us);
	json_pair_i64(o, "age_us", v->age_us);
	json_pair_i64(o, "uid", v->peer->uid);
	json_pair_str(o, "app", span_str(v->app));
	json_pair_str(o, "op", span_str(v->op));
	put_name(o, "surface", v->surface);
	put_name(o, "model", v->model);
	put_name(o, "provider", v->provider);
	put_name(o, "target_model", v->target_model);
	json_pair_str(o, "state", span_str(v->state));
	json_pair_bool(o, "waiting", v->is_waiting);
	json_pair_bool(o, "stream", v->is_stream);
	json_pair_i64(o, "attempts", v->attempts);
	put_known(o, "ttft_us", v->ttft_us);
	put_known(o, "output", v->output_tokens);
	json_pair_i64(o, "text_bytes", v->text_bytes);
	json_close(o, '}');
}

enum err admin_open(struct admin_call *a, struct json body, struct fault *why)
{
	struct json_out o = json_to(&a->json);
	int64_t open = 0, waiting = 0;
	(void)body;
	(void)why;
	json_open(&o, '{');
	json_key(&o, "rows");
	json_open(&o, '[');
	for (const struct exchange *x = exchange_oldest(a->organs); x; x = exchange_younger(x)) {
		struct exchange_view v;
		exchange_look(x, &v);
		if (!admin_is_told_of(a, v.peer->uid))
			continue;
		waiting += v.is_waiting;
		if (open++ < ROWS_MAX)
			put_row(&o, &v);
	}
	json_close(&o, ']');
	json_pair_i64(&o, "open", open);
	json_pair_i64(&o, "waiting", waiting);
	json_pair_bool(&o, "all", admin_is_told_all(a));
	json_pair_i64(&o, "uid", a->peer.uid);
	json_close(&o, '}');
	admin_done(a);
	return OK;
}

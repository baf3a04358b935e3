/* admin_reconcile.c - what a provider says was spent there. */
#include "brokerd/front/admin_call.h"
#include "protocol/limits.h"

#define LABEL_DEFAULT VAULT_LABEL_ADMIN
#define TIME_MAX_S    (INT64_C(400) * 86400)

static void put_count(struct json_out *o, const char *name, int64_t v)
{
	if (v >= 0)
		json_pair_i64(o, name, v);
}

static void put_row(struct json_out *o, const struct report_row *r, bool is_cost)
{
	json_open(o, '{');
	json_pair_i64(o, "at_s", r->at_s);
	json_pair_str(o, "model", span_is_set(r->model) ? r->model : SPAN(""));
	json_pair_str(o, "class", span_str(r->tokens));
	json_pair_str(o, "key", r->key);
	if (is_cost) {
		json_pair_i64(o, "cost_nusd", r->cost_nusd);
	} else {
		put_count(o, "requests", r->requests);
		put_count(o, "input", r->input);
		put_count(o, "cache_read", r->cache_read);
		put_count(o, "cache_write", r->cache_write);
		put_count(o, "output", r->output);
	}
	json_close(o, '}');
}

/* Costs go to the answer as they come; usage, which comes behind, waits in a text of its own. */
static enum err theirs_row(void *context, const struct report_row *row, bool is_cost)
{
	struct admin_call *a = context;
	struct buf *to = is_cost ? &a->json : &a->text;
	struct json_out o = json_to(to);
	o.has_value = to->n > 0 && to->p[to->n - 1] == '}';
	put_row(&o, row, is_cost);
	return buf_error(to);
}

static void theirs_came(void *context, unsigned pages, const struct fault *why)
{
	struct admin_call *a = context;
	a->bill = NULL;
	if (why->err) {
		buf_clear(&a->json);
		admin_fail(a, why->err, why);
		return;
	}
	buf_text(&a->json, "],\"usage\":[");
	buf_span(&a->json, buf_view(&a->text));
	buf_print(&a->json, "],\"pages\":%u}", pages);
	admin_done(a);
}

static enum err read_provider(struct admin_call *a, struct json body, struct fault *why)
{
	const enum err err = admin_read_text(a, body, "provider", &a->provider, why);
	if (err)
		return err;
	if (config_provider(a->config, a->provider))
		return OK;
	return fault_param(why, ERR_INVALID_ARGUMENT, "provider",
		"no provider is called \"%.*s\"; `llmb status` shows those there are",
		SPAN_ARG(span_first(a->provider, LIMIT_LABEL_BYTES)));
}

enum err admin_reconcile(struct admin_call *a, struct json body, struct fault *why)
{
	struct bill_time time = {-1, -1};
	enum err err = admin_read_text(a, body, "label", &a->label, why);
	if (a->label.n == 0)
		a->label = SPAN(LABEL_DEFAULT);
	if (!err)
		err = read_provider(a, body, why);
	if (!err)
		err = admin_read_i64(body, "since_s", &time.since_s, why);
	if (!err)
		err = admin_read_i64(body, "until_s", &time.until_s, why);
	if (err)
		return err;
	if (time.since_s < 0 || time.until_s <= time.since_s ||
		time.until_s - time.since_s > TIME_MAX_S)
		return fault_param(why, ERR_INVALID_ARGUMENT, "since_s",
			"since_s and until_s have to be seconds since 1970, at most %d days apart",
			(int)(TIME_MAX_S / 86400));
	buf_text(&a->json, "{\"costs\":[");
	const struct bill_reply reply = {
		{theirs_row, a},
                theirs_came, a
        };
	return bill_fetch(a->organs, a->provider, a->label, &time, &reply, &a->bill, why);
}

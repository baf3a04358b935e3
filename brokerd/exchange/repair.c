/* repair.c - a short ring, looked through up to what is known. */
#include "brokerd/exchange/repair.h"

#include "brokerd/dialect/drops.h"
#include "brokerd/value/words.h"

#define COUNT "count" /* an operation; no parameter is called so */

static bool is_of(const struct repair *k, const struct target *t)
{
	if (!span_is(t->provider, k->provider))
		return false;
	return k->family[0] ? span_is(t->family, k->family) : span_is(t->model, k->model);
}

/* The parameter that the fault is about, where something can be done about it; else absent. */
static struct span param_of(const struct fault *why)
{
	const struct span code = span_str(why->code), param = span_str(why->param);
	if (why->err != ERR_INVALID_REQUEST || why->http_status != 400)
		return SPAN_NONE;
	if (span_is(code, "stream_required"))
		return SPAN("stream");
	if (!span_is(code, "unsupported_parameter") && !span_is(code, "unsupported_value"))
		return SPAN_NONE;
	const bool is_bound =
		span_is(param, "max_tokens") || span_is(param, "max_completion_tokens");
	return is_bound || drops_may(param) ? param : SPAN_NONE;
}

static bool is_known(const struct repairs *r, const struct target *t, struct span param)
{
	for (size_t i = 0; i < r->n; i++) {
		if (is_of(&r->known[i], t) && span_is(param, r->known[i].param))
			return true;
	}
	return false;
}

static void keep(struct repairs *r, const struct repair *made)
{
	r->known[r->next] = *made;
	r->next = (r->next + 1) % REPAIRS_MAX;
	r->n += r->n < REPAIRS_MAX;
}

bool repair_learn(struct repairs *r, const struct target *t, const struct llm_request *asked,
	const struct fault *why)
{
	const struct span param = param_of(why);
	struct repair made = {.param = ""};
	if (!span_is_set(param) || asked->on_unsupported == UNSUPPORTED_REJECT ||
		t->provider.n >= sizeof made.provider || t->model.n >= sizeof made.model ||
		is_known(r, t, param))
		return false;
	memcpy(made.provider, t->provider.p, t->provider.n);
	memcpy(made.model, t->model.p, t->model.n);
	fault_text(made.param, sizeof made.param, param);
	keep(r, &made);
	return true;
}

static bool names_model(const char *text)
{
	const struct span all = span_str(text), word = SPAN("model");
	for (size_t at = 0; at + word.n <= all.n; at++) {
		if (span_is_nocase(span_first(span_skip(all, at), word.n), word.p))
			return true;
	}
	return false;
}

bool repair_lacks_count(const struct fault *why)
{
	if (why->http_status == 405 || why->http_status == 501)
		return true;
	return why->http_status == 404 && !names_model(why->code) && !names_model(why->message);
}

void repair_learn_count(struct repairs *r, const struct target *t)
{
	struct repair made = {.param = COUNT};
	if (t->provider.n >= sizeof made.provider || t->family.n >= sizeof made.family ||
		is_known(r, t, SPAN(COUNT)))
		return;
	fault_text(made.provider, sizeof made.provider, t->provider);
	fault_text(made.family, sizeof made.family, t->family);
	keep(r, &made);
}

/* One more word behind the list. */
static enum err add_drop(struct quirks *q, const char *param, struct arena *a)
{
	OWNED(buf_done) struct buf list = BUF_INIT(4096);
	if (words_have(q->drops, span_str(param)))
		return OK;
	buf_span(&list, q->drops);
	buf_text(&list, span_is_set(q->drops) ? "," : "");
	buf_text(&list, param);
	return buf_error(&list) ? ERR_NO_MEMORY : arena_dup(a, buf_view(&list), &q->drops);
}

enum err repair_apply(const struct repairs *r, struct target *t, struct arena *a)
{
	struct quirks *q = &t->quirks;
	enum err err = OK;
	for (size_t i = 0; !err && i < r->n; i++) {
		const struct span param = span_str(r->known[i].param);
		if (!is_of(&r->known[i], t))
			continue;
		if (span_is(param, COUNT))
			t->is_count_missing = true;
		else if (span_is(param, "stream"))
			q->is_stream_forced = true;
		else if (span_is(param, "max_tokens"))
			q->max_tokens_field = SPAN("max_completion_tokens");
		else if (span_is(param, "max_completion_tokens"))
			q->max_tokens_field = SPAN("max_tokens");
		else
			err = add_drop(q, r->known[i].param, a);
	}
	return err;
}

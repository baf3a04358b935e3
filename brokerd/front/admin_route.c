/* admin_route.c - where would a call go, and where did one go? */
#include "brokerd/front/admin_call.h"

#include "brokerd/exchange/explain.h"
#include "brokerd/front/admission.h"
#include "brokerd/ledger/story.h"
#include "brokerd/route/route.h"
#include "protocol/limits.h"

#define INPUT_TOKENS INT64_C(1000) /* of a prompt, where nothing is said */
#define WORDS_MAX    ((size_t)32)  /* in a list */

/* ---- where it would go ---- */

static enum err not_so(const char *name, const char *what, struct fault *why)
{
	return fault_param(why, ERR_INVALID_ARGUMENT, name, "%s: %s is wanted", name, what);
}

/* A list of texts; absent: none. */
static enum err take_texts(struct admin_call *a, struct json body, const char *name, size_t most,
	const struct span **out, size_t *n, struct fault *why)
{
	const struct json list = json_member(body, name);
	struct span *texts = arena_array(&a->arena, most, sizeof *texts);
	if (!texts)
		return fault_set(why, ERR_NO_MEMORY, "out of memory");
	*out = texts;
	if (json_is_nil(list))
		return OK;
	if (json_kind(list) != JSON_ARRAY)
		return not_so(name, "a list of texts", why);
	for (struct json_walk w = json_each(list); json_next(&w); ++*n) {
		struct span text;
		if (*n == most)
			return fault_param(why, ERR_INVALID_ARGUMENT, name,
				"%s: there are at most %zu of these", name, most);
		if (json_kind(w.value) != JSON_STRING ||
			json_utf8(w.value, &a->arena, &text) != OK ||
			arena_dup(&a->arena, text, &texts[*n]) != OK)
			return not_so(name, "a list of texts", why);
	}
	return OK;
}

static enum err take_needs(
	struct admin_call *a, struct json body, unsigned *needs, struct fault *why)
{
	const struct span *words;
	size_t n = 0;
	const enum err err = take_texts(a, body, "needs", WORDS_MAX, &words, &n, why);
	for (size_t i = 0; !err && i < n; i++) {
		unsigned bit = 1;
		while (bit < 1U << CAPABILITY_COUNT &&
			!span_is(words[i], capability_name((enum capability)bit)))
			bit <<= 1;
		if (bit == 1U << CAPABILITY_COUNT)
			return not_so("needs",
				"images, audio, video, files, tools, schema or reasoning", why);
		*needs |= bit;
	}
	return err;
}

static enum err take_tokens(
	struct json body, const char *name, int64_t least, int64_t *out, struct fault *why)
{
	const enum err err = admin_read_i64(body, name, out, why);
	if (!err && (*out < least || *out > EXPLAIN_INPUT_MAX) &&
		!json_is_nil(json_member(body, name)))
		return fault_param(why, ERR_INVALID_ARGUMENT, name,
			"%s: %d to %d tokens are wanted", name, (int)least, (int)EXPLAIN_INPUT_MAX);
	return err;
}

static enum err take_op(struct admin_call *a, struct json body, enum llm_op *out, struct fault *why)
{
	struct span word = SPAN("chat");
	const enum err err = admin_read_text(a, body, "op", &word, why);
	if (!err && (!llm_op_from(word, out) || *out == LLM_OP_MODELS))
		return not_so("op", "chat, complete, embed, rerank, count or moderate", why);
	return err;
}

/* The very words of a call: how many tokens there are is estimated of them, unless that is said. */
static enum err take_prompt(
	struct admin_call *a, struct json body, struct explain_ask *out, struct fault *why)
{
	const struct json temperature = json_member(body, "temperature");
	struct span wish = SPAN_NONE;
	int64_t max_age_s = -1;
	enum err err = admin_read_text(a, body, "prompt", &out->prompt, why);
	if (!err)
		err = admin_read_text(a, body, "system", &out->system, why);
	if (!err)
		err = admin_read_text(a, body, "cache", &wish, why);
	if (!err)
		err = admin_read_text(a, body, "cache_namespace", &out->cache.name_space, why);
	if (!err)
		err = admin_read_i64(body, "cache_max_age_s", &max_age_s, why);
	if (err)
		return err;
	if (max_age_s < 0 && !json_is_nil(json_member(body, "cache_max_age_s")))
		return not_so("cache_max_age_s", "a number of seconds", why);
	out->cache.max_age_s = max_age_s;
	if (span_is_set(wish) && !cache_wish_from(wish, &out->cache.wish))
		return not_so("cache", "off, read, write, on, refresh or only", why);
	out->temperature.is_set = json_f64(temperature, &out->temperature.v);
	if (!json_is_nil(temperature) && !out->temperature.is_set)
		return not_so("temperature", "a number", why);
	if (!span_is_set(out->prompt) || !json_is_nil(json_member(body, "input_tokens")))
		return OK;
	out->input_tokens = (int64_t)((out->prompt.n + out->system.n + 3) / 4);
	if (out->input_tokens < 1 || out->input_tokens > EXPLAIN_INPUT_MAX)
		return not_so("prompt",
			"a text that is not empty, and of no more than 1000000 tokens", why);
	return OK;
}

static enum err take_ask(
	struct admin_call *a, struct json body, struct explain_ask *out, struct fault *why)
{
	out->input_tokens = INPUT_TOKENS;
	out->cache = CACHE_TERMS_INIT;
	out->output_tokens = -1;
	enum err err = take_op(a, body, &out->op, why);
	if (!err)
		err = admin_read_text(a, body, "model", &out->model, why);
	if (!err)
		err = admin_read_text(a, body, "session", &out->session, why);
	if (!err)
		err = take_texts(a, body, "fallbacks", ROUTE_FALLBACKS_MAX, &out->fallbacks,
			&out->n_fallbacks, why);
	if (!err)
		err = take_texts(a, body, "tags", LIMIT_TAGS, &out->tags, &out->n_tags, why);
	if (!err)
		err = take_needs(a, body, &out->needs, why);
	if (!err)
		err = take_tokens(body, "input_tokens", 1, &out->input_tokens, why);
	if (!err)
		err = take_tokens(body, "output_tokens", 1, &out->output_tokens, why);
	if (!err)
		err = take_prompt(a, body, out, why);
	if (!err && out->output_tokens >= 0 && out->op != LLM_OP_CHAT && out->op != LLM_OP_COMPLETE)
		return fault_param(why, ERR_INVALID_ARGUMENT, "output_tokens",
			"%s writes no answer", llm_op_name(out->op));
	return err;
}

/* What is asked as another tells of the rules for him: whatever its own says, a program that is not in the open is not
 * told. */
static enum err refuse_hidden(const struct admin_call *a, struct json body, struct fault *why)
{
	static const char *const others[] = {"as", "uid", "profile", "socket"};
	for (size_t i = 0; !peer_is_open(&a->peer) && i < COUNT_OF(others); i++) {
		if (!json_is_nil(json_member(body, others[i])))
			return fault_param(why, ERR_DENIED, others[i],
				"only a program in the open, on the main socket, may ask as "
				"another");
	}
	return OK;
}

/* Limits tell all to whoever may list them. */
static bool may_see_figures(const struct admin_call *a)
{
	struct call c = CALL_INIT;
	struct fault why;
	const struct policy_verdict q = admin_judge(a, &a->peer);
	c.kind = CALL_ADMIN;
	c.admin_op = SPAN("budget.list");
	return policy_admit_call(q.rule, &a->peer, &c, &why) == OK;
}

enum err admin_route_explain(struct admin_call *a, struct json body, struct fault *why)
{
	struct peer_id peer;
	struct call call = CALL_INIT;
	struct explain_ask ask = {.peer = &peer};
	struct fault said = FAULT_NONE;
	enum err err = refuse_hidden(a, body, why);
	if (!err)
		err = admin_read_peer(a, body, &peer, why);
	if (!err)
		err = take_ask(a, body, &ask, why);
	if (err)
		return err;
	const struct policy_verdict q = admin_judge(a, &peer);
	call.kind = CALL_TYPED;
	call.op = ask.op;
	ask.allowance = (struct allowance){.rule = q.rule};
	ask.shows_figures = may_see_figures(a);
	ask.shows_house = peer_is_open(&a->peer);
	ask.shows_kept = peer.uid == a->peer.uid;
	enum err verdict = policy_admit_peer(q.rule, &peer, a->organs->own_uid, &said);
	if (!verdict)
		verdict = admission_check(a->organs, &peer, &call, &ask.allowance, &said);
	struct json_out o = json_to(&a->json);
	json_open(&o, '{');
	admin_put_verdict(&o, &q);
	json_pair_str(&o, "op", span_str(llm_op_name(ask.op)));
	json_pair_str(&o, "asked", ask.model.n > 0 ? ask.model : SPAN("default"));
	json_pair_i64(&o, "input_tokens", ask.input_tokens);
	json_pair_bool(&o, "allowed", verdict == OK);
	if (verdict) { /* it goes nowhere */
		json_pair_str(&o, "class", span_str(err_info(verdict)->word));
		json_pair_str(&o, "message", span_str(said.message));
	} else {
		err = explain_route(a->organs, &ask, &o, why);
	}
	if (err) {
		buf_clear(&a->json);
		return err;
	}
	json_close(&o, '}');
	admin_done(a);
	return OK;
}

/* ---- where it went ---- */

static void story_came(struct job *j)
{
	admin_done(container_of(j, struct admin_call, job));
}

/* On a worker's thread. */
static void story_run(struct job *j)
{
	struct admin_call *a = container_of(j, struct admin_call, job);
	struct ledger *reader = ledger_reader(a->organs->ledger);
	ledger_heed(reader, &a->is_unwanted);
	const enum err err = story_of(reader, a->about, &a->json, &a->why);
	ledger_heed(reader, NULL);
	if (err && !a->why.err)
		fault_set(&a->why, err, "%s", err_info(err)->sentence);
}

static void story_flushed(void *context, enum err err, const struct fault *why)
{
	struct admin_call *a = context;
	if (err)
		admin_fail(a, err, why);
	else if (atomic_load(&a->is_unwanted))
		admin_fail(a, ERR_CANCELLED, &FAULT_NONE);
	else
		workers_submit(a->organs->workers, &a->job, LEDGER_READ_LANE);
}

enum err admin_request_explain(struct admin_call *a, struct json body, struct fault *why)
{
	const struct span id = admin_text(a, body, "id");
	struct json_out o = json_to(&a->json);
	if (!peer_is_open(&a->peer))
		return fault_set(why, ERR_DENIED,
			"what became of a call names keys, and what their provider said: only a "
			"program in the open, on the main socket, is told");
	if (!admin_is_request_id(id))
		return fault_param(why, ERR_INVALID_ARGUMENT, "id",
			"this wants the id of a request, as the ledger and the log have it: "
			"req_...");
	a->about = id;
	if (trace_json(a->organs->traces, id, &o)) {
		admin_done(a);
		return OK;
	}
	if (!a->organs->journal || !a->organs->ledger)
		return fault_set(why, ERR_STORAGE_FULL, "%s", a->organs->ailment.message);
	const struct journal_reply reply = {story_flushed, a};
	a->job.run = story_run;
	a->job.on_done = story_came;
	journal_flush(a->organs->journal, reply);
	return OK;
}

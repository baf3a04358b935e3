/* asked.c - on whose behalf it is the broker judges: by the token that is shown, and by who is at the other end. */
#include "libllmclient/bridge/asked.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

#include "libllmclient/bridge/head.h"
#include "libllmclient/bridge/peer.h"
#include "libllmclient/bridge/shown.h"
#include "protocol/base/num.h"

#define NANO 1e9

/* ---- what is passed on ---- */

static const char *const passed[] = {"accept", "accept-language", "anthropic-beta",
	"anthropic-version", "idempotency-key", "if-match", "if-none-match", "openai-beta",
	"range"};

static enum MHD_Result pass_header(
	void *context, enum MHD_ValueKind kind, const char *name, const char *value)
{
	llm_request *call = context;
	(void)kind;
	bool is_passed = strncasecmp(name, "x-goog-upload-", 14) == 0;
	for (size_t i = 0; !is_passed && i < COUNT_OF(passed); i++)
		is_passed = strcasecmp(name, passed[i]) == 0;
	if (is_passed && value)
		(void)llm_relay_header(call, name, value); /* a failure sticks */
	return MHD_YES;
}

/* ---- what is wished ---- */

static void each_word(struct span all, llm_request *call, int (*add)(llm_request *, const char *))
{
	while (span_is_set(all)) {
		const struct span word = span_trim(span_cut(&all, ','));
		char *text = word.n > 0 ? strndup(word.p, word.n) : NULL;
		if (text)
			(void)add(call, text); /* a failure sticks */
		free(text);
	}
}

/* What is wished of the cache, by what follows CACHE_HEADER in the name. */
enum cache_part {
	CACHE_WISH,
	CACHE_MAX_AGE,
	CACHE_TTL,
	CACHE_STALE,
	CACHE_NAMESPACE,
	CACHE_PARTS,
};
#define CACHE_HEADER "x-llm-broker-cache"
static const char *const cache_parts[CACHE_PARTS] = {
	"", "-max-age", "-ttl", "-stale-if-error", "-namespace"};

struct cache_words {
	const char *text[CACHE_PARTS]; /* NULL: it is not said */
	enum err err;
	struct fault *why;
};

/* What is misspelt, or said twice, would pass for what nobody wished. */
static enum MHD_Result note_cache(
	void *context, enum MHD_ValueKind kind, const char *name, const char *value)
{
	struct cache_words *w = context;
	const size_t n = sizeof CACHE_HEADER - 1;
	size_t i = 0;
	(void)kind;
	if (strncasecmp(name, CACHE_HEADER, n) != 0)
		return MHD_YES;
	while (i < CACHE_PARTS && strcasecmp(name + n, cache_parts[i]) != 0)
		i++;
	if (i == CACHE_PARTS)
		w->err = fault_set(w->why, ERR_INVALID_REQUEST,
			"there is no header %.64s: " CACHE_HEADER
			" is, and with -max-age, -ttl, -stale-if-error or -namespace behind it",
			name);
	else if (w->text[i])
		w->err = fault_set(w->why, ERR_INVALID_REQUEST, CACHE_HEADER "%s is said twice",
			cache_parts[i]);
	else
		w->text[i] = value ? value : "";
	return w->err ? MHD_NO : MHD_YES;
}

/* A number of seconds; -1: not said. */
static enum err take_seconds(
	const struct cache_words *w, enum cache_part part, int64_t *s, struct fault *why)
{
	*s = -1;
	if (!w->text[part] || (num_i64(span_str(w->text[part]), s) && *s >= 0))
		return OK;
	return fault_set(why, ERR_INVALID_REQUEST, CACHE_HEADER "%s is a number of seconds",
		cache_parts[part]);
}

static enum err take_cache(llm_request *call, struct MHD_Connection *http, struct fault *why)
{
	struct cache_words w = {.why = why};
	int64_t max_age_s, ttl_s, stale_s;
	(void)MHD_get_connection_values(http, MHD_HEADER_KIND, note_cache, &w);
	enum err err = w.err;
	if (!err && w.text[CACHE_WISH] && llm_request_cache(call, w.text[CACHE_WISH]) != LLM_OK)
		err = fault_set(why, ERR_INVALID_REQUEST,
			CACHE_HEADER " is off, read, write, on, refresh or only");
	if (!err)
		err = take_seconds(&w, CACHE_MAX_AGE, &max_age_s, why);
	if (!err)
		err = take_seconds(&w, CACHE_TTL, &ttl_s, why);
	if (!err)
		err = take_seconds(&w, CACHE_STALE, &stale_s, why);
	if (err)
		return err;
	(void)llm_request_cache_seconds(call, max_age_s, ttl_s);
	(void)llm_request_cache_stale_seconds(call, stale_s);
	if (w.text[CACHE_NAMESPACE])
		(void)llm_request_cache_namespace(call, w.text[CACHE_NAMESPACE]);
	return OK;
}

static enum err take_wishes(llm_request *call, struct MHD_Connection *http, struct fault *why)
{
	const struct span timeout = head_span(http, "x-llm-broker-timeout-ms"),
			  cost = head_span(http, "x-llm-broker-max-cost-usd"),
			  once = head_span(http, "x-llm-broker-at-most-once"),
			  batch = head_span(http, "x-llm-broker-batch");
	const char *session = head_text(http, "x-llm-broker-session");
	int64_t ms = 0, nusd = 0;
	bool is_once = false, is_batch = false;
	const char *wrong = NULL;
	if (span_is_set(timeout) && (!num_i64(timeout, &ms) || ms < 1 || ms > INT32_MAX))
		wrong = "x-llm-broker-timeout-ms is a number of milliseconds";
	if (span_is_set(cost) && !num_money_nusd(cost, &nusd))
		wrong = "x-llm-broker-max-cost-usd is a number of US dollars";
	if (span_is_set(once) && !num_bool(once, &is_once))
		wrong = "x-llm-broker-at-most-once is yes or no";
	if (span_is_set(batch) && !num_bool(batch, &is_batch))
		wrong = "x-llm-broker-batch is yes or no";
	if (wrong)
		return fault_set(why, ERR_INVALID_REQUEST, "%s", wrong);
	if (ms > 0)
		(void)llm_request_timeout_ms(call, (int)ms);
	if (span_is_set(cost))
		(void)llm_request_max_cost_usd(call, (double)nusd / NANO);
	(void)llm_request_at_most_once(call, is_once);
	(void)llm_request_batch(call, is_batch);
	if (session)
		(void)llm_request_session(call, session);
	each_word(head_span(http, "x-llm-broker-tags"), call, llm_request_tag);
	each_word(head_span(http, "x-llm-broker-fallbacks"), call, llm_request_fallback);
	return take_cache(call, http, why);
}

/* ---- on whose behalf ---- */

/* The process at the other end, where that is known; -1. ERR_DENIED: it is gone. */
static enum err find_process(const struct bridge *b, const struct caller *who,
	struct MHD_Connection *http, int *process, struct fault *why)
{
	*process = b->is_for_one ? -1 : who->process;
	if (b->is_for_one || !who->is_local_socket || *process >= 0)
		return OK;
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(http, MHD_CONNECTION_INFO_CONNECTION_FD);
	return info ? peer_process(info->connect_fd, process, why)
		    : fault_set(why, ERR_DENIED, "the connection is gone");
}

static enum err name_caller(const struct bridge *b, const struct caller *who, const struct place *p,
	struct MHD_Connection *http, struct asked *out, int *status, struct fault *why)
{
	const struct shown s = {head_span(http, "authorization"), head_span(http, "x-api-key"),
		head_span(http, "x-goog-api-key"), p->query};
	char text[SHOWN_BYTES];
	int process;
	const enum shown_kind shown = shown_token(&s, text);
	if (shown == SHOWN_UNSOUND || (shown == SHOWN_NOTHING && b->is_token_required)) {
		*status = MHD_HTTP_UNAUTHORIZED;
		return fault_set(why, ERR_DENIED, "%s",
			shown == SHOWN_UNSOUND
				? "that is no app token: `llmb token new APP` makes one"
				: "an app token is wanted: `llmb token new APP` makes one, to be "
				  "put where the program has its API key");
	}
	const enum err err = find_process(b, who, http, &process, why);
	if (!err) /* a failure sticks */
		(void)llm_request_behalf(out->call, shown == SHOWN_TOKEN ? text : NULL, process);
	explicit_bzero(text, sizeof text);
	if (err)
		return err;
	if (process >= 0 && process != who->process)
		close(process);
	out->is_named = shown == SHOWN_TOKEN || process >= 0;
	return OK;
}

/* ---- all of it ---- */

static llm_request *begin(const struct place *p, struct MHD_Connection *http, const char *method)
{
	char *path = NULL, *query = NULL, provider[129];
	llm_request *call = NULL;
	const char *named = head_text(http, "x-llm-broker-provider");
	if (asprintf(&path, "%s%.*s", p->before, SPAN_ARG(p->path)) < 0)
		path = NULL;
	OWNED(buf_done) struct buf left = BUF_INIT(p->query.n);
	shown_leave_out(p->query, &left);
	if (buf_error(&left) || asprintf(&query, "%.*s", SPAN_ARG(buf_view(&left))) < 0)
		query = NULL;
	(void)snprintf(provider, sizeof provider, "%.*s", SPAN_ARG(p->provider));
	if (p->kind == PLACE_METRICS)
		call = llm_admin_new("metrics", NULL);
	else if (path && query && p->kind == PLACE_SURFACE)
		call = llm_relay_new(p->surface, method, path, query[0] ? query : NULL);
	else if (path && query)
		call = llm_native_new(provider, method, path, query[0] ? query : NULL);
	if (call && named &&
		span_is(p->provider, "*")) /* the broker knows what its path is there */
		(void)llm_relay_header(call, "x-llm-broker-provider", named);
	free(path);
	free(query);
	return call;
}

enum err asked_make(const struct bridge *b, const struct caller *who, const struct place *p,
	struct MHD_Connection *http, const char *method, struct asked *out, int *status,
	struct fault *why)
{
	*out = (struct asked){.call = begin(p, http, method)};
	if (!out->call)
		return fault_set(why, ERR_NO_MEMORY, "%s", err_info(ERR_NO_MEMORY)->sentence);
	const bool is_metrics =
		p->kind == PLACE_METRICS; /* the broker's own, which knows no wishes */
	if (!is_metrics)
		(void)MHD_get_connection_values(http, MHD_HEADER_KIND, pass_header, out->call);
	enum err err = name_caller(b, who, p, http, out, status, why);
	if (!err && !is_metrics)
		err = take_wishes(out->call, http, why);
	if (!err)
		return OK;
	llm_request_free(out->call);
	out->call = NULL;
	return err;
}

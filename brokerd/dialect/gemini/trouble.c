/* trouble.c - google.rpc errors: a code, a word for it, and details that say for how long. */
#include "brokerd/dialect/gemini/gemini.h"
#include "brokerd/dialect/gemini/pacific.h"
#include "brokerd/dialect/limits.h"
#include "brokerd/dialect/pick.h"
#include "protocol/base/num.h"

const struct error_rule gemini_errors[] = {
	{0,				       "API_KEY_INVALID", NULL, NULL, ERR_AUTH, NULL},
	{400,				   NULL, NULL, "api key not valid", ERR_AUTH, NULL},
	{400,			       NULL, NULL, "api key expired", ERR_AUTH, NULL},
	{400,				       NULL, NULL, "exceeds the maximum number of tokens", ERR_CONTEXT_LENGTH, NULL},
	{400, NULL, NULL, "thought_signature", ERR_INVALID_REQUEST, "missing_signature"},
	{400,		    NULL, "FAILED_PRECONDITION", NULL, ERR_PERMISSION, NULL},
	{400,				   NULL, NULL, "user location is not supported", ERR_PERMISSION, NULL},
	{400,				     NULL, "INVALID_ARGUMENT", NULL, ERR_INVALID_REQUEST, NULL},
	{401,				   NULL, NULL, NULL, ERR_AUTH, NULL},
	{402,			       NULL, NULL, NULL, ERR_QUOTA_EXHAUSTED, NULL},
	{403,				       NULL, NULL, NULL, ERR_PERMISSION, NULL},
	{404,NULL, "NOT_FOUND", NULL, ERR_NOT_FOUND, NULL},
	{413, NULL, NULL, NULL, ERR_INVALID_REQUEST, "request_too_large"},
 /* every refusal over a rate speaks of a quota: only the details tell them apart */
	{429,				   NULL, NULL, "limit: 0", ERR_QUOTA_EXHAUSTED, NULL},
	{429,				     NULL, NULL, NULL, ERR_RATE_LIMITED, NULL},
	{499,				   NULL, NULL, NULL, ERR_CONNECTION, NULL},
	{503,		    NULL, NULL, NULL, ERR_OVERLOADED, NULL},
	{504,				       NULL, NULL, NULL, ERR_TIMEOUT, NULL},
	{0,		NULL, "INVALID_ARGUMENT", NULL, ERR_INVALID_REQUEST, NULL},
	{0,				   NULL, "UNAUTHENTICATED", NULL, ERR_AUTH, NULL},
	{0,				   NULL, "PERMISSION_DENIED", NULL, ERR_PERMISSION, NULL},
	{0,				     NULL, "NOT_FOUND", NULL, ERR_NOT_FOUND, NULL},
	{0,				   NULL, "RESOURCE_EXHAUSTED", NULL, ERR_RATE_LIMITED, NULL},
	{0,			 NULL, "CANCELLED", NULL, ERR_CONNECTION, NULL},
	{0,				       NULL, "UNAVAILABLE", NULL, ERR_OVERLOADED, NULL},
	{0,NULL, "DEADLINE_EXCEEDED", NULL, ERR_TIMEOUT, NULL},
	{.class = OK				  },
};

/* What the details of an error say. */
struct details {
	bool is_for_the_day; /* the quota of a day is used up */
	int64_t retry_ms;    /* -1: not said */
};

/* A duration: "34.4s", or {"seconds":"34","nanos":400000000}. */
static int64_t duration_ms(struct json v)
{
	static const char *const names[] = {"seconds", "nanos"};
	struct json m[COUNT_OF(names)];
	int64_t seconds = 0, nanos = 0;
	if (json_kind(v) == JSON_STRING)
		return limits_duration_ms(span_of(v.text.p + 1, v.text.n - 2));
	if (json_kind(v) != JSON_OBJECT)
		return -1;
	PICK(v, names, m);
	const struct json s = m[0];
	if (json_kind(s) == JSON_STRING ? !num_i64(span_of(s.text.p + 1, s.text.n - 2), &seconds)
					: !json_is_nil(s) && !json_i64(s, &seconds))
		return -1;
	if (!json_is_nil(m[1]) && !json_i64(m[1], &nanos))
		return -1;
	if (seconds < 0 || nanos < 0)
		return -1;
	return num_add_sat(num_mul_sat(seconds, 1000), nanos / 1000000);
}

static void read_details(struct json v, struct details *out)
{
	*out = (struct details){.retry_ms = -1};
	if (json_kind(v) == JSON_ARRAY) {
		struct json_walk w = json_each(v);
		v = json_next(&w) ? w.value : JSON_NONE;
	}
	const struct json list = json_member(json_member(v, "error"), "details");
	for (struct json_walk w = json_each(list);
		json_kind(list) == JSON_ARRAY && json_next(&w);) {
		static const char *const names[] = {"violations", "retryDelay"};
		struct json m[COUNT_OF(names)];
		PICK(w.value, names, m);
		for (struct json_walk each = json_each(m[0]); json_next(&each);) {
			const struct span id = json_member(each.value, "quotaId").text;
			if (span_find(id, SPAN("PerDay")) < id.n)
				out->is_for_the_day = true;
		}
		if (span_is_set(m[1].text))
			out->retry_ms = duration_ms(m[1]);
	}
}

/* The quota of a day comes back with the next day, whatever else is said; `now_s` below 0: it is not
 * known when that is. */
static void refine(struct json v, int64_t now_s, bool has_header, struct fault *out)
{
	struct details d;
	read_details(v, &d);
	if (out->err == ERR_RATE_LIMITED && d.is_for_the_day)
		out->err = ERR_QUOTA_EXHAUSTED;
	if (out->err == ERR_QUOTA_EXHAUSTED && out->http_status == 429)
		out->retry_after_ms =
			now_s < 0 ? -1 : num_mul_sat(pacific_midnight_s(now_s) - now_s, 1000);
	else if (d.retry_ms >= 0 && !has_header)
		out->retry_after_ms = d.retry_ms;
}

void gemini_explain(const struct http_reply *reply, const struct target *target, struct fault *out)
{
	struct json v;
	int64_t now_s = -1;
	error_explain(reply, target, gemini_errors, out);
	if (json_scan(span_trim(reply->body), JSON_LENIENT, &v, NULL) != OK)
		return;
	if (!http_head_date(&reply->head, &now_s))
		now_s = -1;
	refine(v, now_s, http_retry_after_ms(&reply->head) >= 0, out);
}

enum err gemini_error_inside(struct json v, int64_t now_s, struct fault *why)
{
	struct error_body body;
	error_read_json(v, &body);
	(void)error_inside(&body, gemini_errors, why);
	refine(v, now_s, false, why);
	return why->err;
}

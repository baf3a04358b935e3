/* envelope.c - one function an API, all from one table. */
#include "brokerd/dialect/envelope.h"

#include <stdio.h>

#include "brokerd/dialect/sse_write.h"

/* A request that is larger than a provider takes is no larger one for its class. */
static bool is_too_large(const struct fault *f)
{
	return f->err == ERR_INVALID_REQUEST && span_is(span_str(f->code), "request_too_large");
}

static const struct err_info *info_of(const struct fault *f)
{
	return err_info(is_too_large(f) ? ERR_TOO_BIG : f->err);
}

struct span envelope_openai_code(const struct fault *f)
{
	const struct err_info *info = info_of(f);
	/* a provider's class is known by its own code; what we found ourselves by ours, which is finer */
	if (info->openai_code[0] && (f->provider[0] || !f->code[0]))
		return span_str(info->openai_code);
	return f->code[0] ? span_str(f->code) : SPAN_NONE;
}

static struct span sentence(const struct fault *f)
{
	return span_str(f->message[0] ? f->message : err_info(f->err)->sentence);
}

static void put_or_null(struct json_out *o, const char *name, struct span text)
{
	json_key(o, name);
	if (text.n > 0)
		json_put_str(o, text);
	else
		json_put_null(o);
}

void envelope_openai_members(const struct fault *f, struct json_out *o)
{
	json_pair_str(o, "message", sentence(f));
	json_pair_str(o, "type", span_str(err_info(f->err)->openai_type));
	put_or_null(o, "param", span_str(f->param));
	put_or_null(o, "code", envelope_openai_code(f));
}

void envelope_openai(const struct fault *f, struct buf *out, int *http_status)
{
	struct json_out o = json_to(out);
	*http_status = info_of(f)->http_status;
	json_open(&o, '{');
	json_key(&o, "error");
	json_open(&o, '{');
	envelope_openai_members(f, &o);
	json_close(&o, '}');
	json_close(&o, '}');
}

/* Its envelope has no place for the member at fault. */
static void put_message(struct json_out *o, const struct fault *f)
{
	char told[sizeof f->message + sizeof f->param + 2];
	if (f->param[0] && span_find(sentence(f), span_str(f->param)) == sentence(f).n) {
		(void)snprintf(told, sizeof told, "%s: %.*s", f->param, SPAN_ARG(sentence(f)));
		json_pair_str(o, "message", span_str(told));
		return;
	}
	json_pair_str(o, "message", sentence(f));
}

/* Some readers act on a code; a provider's own is not of this API's. */
static void put_own_code(struct json_out *o, const struct fault *f)
{
	if (!f->code[0] || f->provider[0])
		return;
	json_key(o, "details");
	json_open(o, '{');
	json_pair_str(o, "error_code", span_str(f->code));
	json_close(o, '}');
}

void envelope_anthropic(const struct fault *f, struct buf *out, int *http_status)
{
	const struct err_info *info = info_of(f);
	struct json_out o = json_to(out);
	*http_status = info->anthropic_status;
	json_open(&o, '{');
	json_pair_str(&o, "type", SPAN("error"));
	json_key(&o, "error");
	json_open(&o, '{');
	json_pair_str(&o, "type", span_str(info->anthropic_type));
	put_message(&o, f);
	put_own_code(&o, f);
	json_close(&o, '}');
	put_or_null(&o, "request_id", span_str(f->request_id));
	json_close(&o, '}');
}

/* google.rpc.ErrorInfo has the class, RetryInfo the wait: seconds with a fraction, and an "s". */
static void put_details(struct json_out *o, const struct fault *f)
{
	char wait[40];
	json_key(o, "details");
	json_open(o, '[');
	json_open(o, '{');
	json_pair_str(o, "@type", SPAN("type.googleapis.com/google.rpc.ErrorInfo"));
	json_pair_str(o, "reason", span_str(f->code[0] ? f->code : err_info(f->err)->word));
	json_pair_str(o, "domain", SPAN("llm-broker"));
	json_close(o, '}');
	if (f->retry_after_ms >= 0) {
		(void)snprintf(wait, sizeof wait, "%lld.%03llds",
			(long long)(f->retry_after_ms / 1000),
			(long long)(f->retry_after_ms % 1000));
		json_open(o, '{');
		json_pair_str(o, "@type", SPAN("type.googleapis.com/google.rpc.RetryInfo"));
		json_pair_str(o, "retryDelay", span_str(wait));
		json_close(o, '}');
	}
	json_close(o, ']');
}

void envelope_gemini(const struct fault *f, struct buf *out, int *http_status)
{
	const struct err_info *info = info_of(f);
	struct json_out o = json_to(out);
	*http_status = info->http_status;
	json_open(&o, '{');
	json_key(&o, "error");
	json_open(&o, '{');
	json_pair_i64(&o, "code", info->http_status);
	put_message(&o, f);
	json_pair_str(&o, "status", span_str(info->gemini_status));
	put_details(&o, f);
	json_close(&o, '}');
	json_close(&o, '}');
}

void envelope_openai_event(const struct fault *f, struct buf *out)
{
	int status;
	const size_t mark = sse_begin(out, NULL);
	envelope_openai(f, out, &status);
	sse_finish(out, mark);
}

/* Its number among the events is left out: who wrote the others counts them. */
void envelope_responses_event(const struct fault *f, struct buf *out)
{
	const size_t mark = sse_begin(out, "error");
	struct json_out o = json_to(out);
	json_open(&o, '{');
	json_pair_str(&o, "type", SPAN("error"));
	json_key(&o, "error");
	json_open(&o, '{');
	envelope_openai_members(f, &o);
	json_close(&o, '}');
	json_close(&o, '}');
	sse_finish(out, mark);
}

void envelope_anthropic_event(const struct fault *f, struct buf *out)
{
	int status;
	const size_t mark = sse_begin(out, "error");
	envelope_anthropic(f, out, &status);
	sse_finish(out, mark);
}

void envelope_gemini_event(const struct fault *f, struct buf *out)
{
	int status;
	const size_t mark = sse_begin(out, NULL);
	envelope_gemini(f, out, &status);
	sse_finish(out, mark);
}

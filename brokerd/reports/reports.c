/* reports.c - the APIs, and what is the same for all. */
#include "brokerd/reports/reports.h"

#include "brokerd/reports/parts.h"
#include "protocol/base/num.h"
#include "protocol/base/owned.h"

static const struct report_api *const apis[] = {&report_api_openai, &report_api_anthropic};

const struct report_api *report_api_find(struct span name)
{
	for (size_t i = 0; i < COUNT_OF(apis); i++) {
		if (span_is(name, apis[i]->name))
			return apis[i];
	}
	return NULL;
}

void report_url(const struct report_api *api, const struct report_kind *r, int64_t since_s,
	int64_t until_s, struct span page, struct buf *out)
{
	buf_print(out, "/%s?bucket_width=1d&limit=%d", r->path, r->days_max);
	if (r->query)
		buf_print(out, "&%s", r->query);
	api->put_time(out, since_s, until_s);
	if (page.n == 0)
		return;
	buf_text(out, "&page=");
	http_escape(page, out);
}

enum err page_odd(struct fault *why, const char *what)
{
	return fault_set(why, ERR_SERVER_ERROR, "its cost report cannot be read: %s", what);
}

enum err page_read(struct span page, struct arena *a, struct span *next,
	enum err (*on_bucket)(void *context, struct json bucket, struct fault *why), void *context,
	struct fault *why)
{
	struct json v;
	*next = SPAN_NONE;
	if (json_scan(page, JSON_LENIENT, &v, NULL))
		return page_odd(why, "it is no JSON");
	const struct json data = json_member(v, "data");
	if (json_kind(data) != JSON_ARRAY)
		return page_odd(why, "it has no list \"data\"");
	enum err err = OK;
	for (struct json_walk w = json_each(data); !err && json_next(&w);)
		err = on_bucket(context, w.value, why);
	if (err || !json_is_true(json_member(v, "has_more")))
		return err;
	err = json_text(json_member(v, "next_page"), a, next);
	return err || next->n > 0 ? err : page_odd(why, "there is more, but not where");
}

bool page_amount(struct json v, int places, struct arena *a, int64_t *out)
{
	struct span text = v.text;
	if (json_kind(v) == JSON_STRING && json_text(v, a, &text))
		return false;
	if (json_kind(v) != JSON_STRING && json_kind(v) != JSON_NUMBER)
		return false;
	const bool is_credit = text.n > 0 && text.p[0] == '-';
	if (!num_scaled(is_credit ? span_skip(text, 1) : text, places, out))
		return false;
	if (is_credit)
		*out = -*out;
	return true;
}

int64_t page_count(struct json object, const char *name)
{
	int64_t v;
	return json_i64(json_member(object, name), &v) && v >= 0 ? v : -1;
}

enum err page_text(struct json object, const char *name, struct arena *a, struct span *out)
{
	return json_utf8(json_member(object, name), a, out);
}

enum err page_currency(struct json object, struct fault *why)
{
	const struct json v = json_member(object, "currency");
	if (json_is_nil(v) || json_is(v, "usd") || json_is(v, "USD"))
		return OK;
	return page_odd(why, "its amounts are not in US dollars");
}

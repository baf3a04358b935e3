/* limits.c - a row a bound: its three headers, and how the third tells a time. */
#include "brokerd/dialect/limits.h"

#include "protocol/base/num.h"
#include "protocol/base/owned.h"

enum form {
	NO_RESET,
	DURATION, /* 1s, 6m0s, 20ms; also bare seconds */
	EPOCH_MS, /* milliseconds since 1970 */
	RFC3339,
};

enum dimension {
	REQUESTS,
	TOKENS,
	INPUT,
	OUTPUT,
};

struct row {
	const char *provider;
	enum dimension dimension;
	const char *limit, *remaining, *reset; /* names in lower case; NULL: not sent */
	enum form form;
	bool is_daily;
};

/* Where a provider has no row of its own. */
#define USUAL "openai"

#define MS_NS INT64_C(1000000)

/* clang-format off */
static const struct row rows[] = {
	{USUAL, REQUESTS, "x-ratelimit-limit-requests", "x-ratelimit-remaining-requests",
		"x-ratelimit-reset-requests", DURATION, false},
	{USUAL, TOKENS, "x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens",
		"x-ratelimit-reset-tokens", DURATION, false},
	{"groq", REQUESTS, "x-ratelimit-limit-requests", "x-ratelimit-remaining-requests",
		"x-ratelimit-reset-requests", DURATION, true},
	{"groq", TOKENS, "x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens",
		"x-ratelimit-reset-tokens", DURATION, false},
	{"anthropic", REQUESTS, "anthropic-ratelimit-requests-limit", "anthropic-ratelimit-requests-remaining",
		"anthropic-ratelimit-requests-reset", RFC3339, false},
	{"anthropic", TOKENS, "anthropic-ratelimit-tokens-limit", "anthropic-ratelimit-tokens-remaining",
		"anthropic-ratelimit-tokens-reset", RFC3339, false},
	{"anthropic", INPUT, "anthropic-ratelimit-input-tokens-limit", "anthropic-ratelimit-input-tokens-remaining",
		"anthropic-ratelimit-input-tokens-reset", RFC3339, false},
	{"anthropic", OUTPUT, "anthropic-ratelimit-output-tokens-limit", "anthropic-ratelimit-output-tokens-remaining",
		"anthropic-ratelimit-output-tokens-reset", RFC3339, false},
	{"anthropic", INPUT, "anthropic-priority-input-tokens-limit", "anthropic-priority-input-tokens-remaining",
		"anthropic-priority-input-tokens-reset", RFC3339, false},
	{"anthropic", OUTPUT, "anthropic-priority-output-tokens-limit", "anthropic-priority-output-tokens-remaining",
		"anthropic-priority-output-tokens-reset", RFC3339, false},
	{"mistral", REQUESTS, "x-ratelimit-limit-req-minute", "x-ratelimit-remaining-req-minute",
		NULL, NO_RESET, false},
	{"mistral", TOKENS, "x-ratelimit-limit-tokens-minute", "x-ratelimit-remaining-tokens-minute",
		NULL, NO_RESET, false},
	{"cohere", REQUESTS, "x-trial-endpoint-call-limit", "x-trial-endpoint-call-remaining",
		NULL, NO_RESET, false},
	{"xai", REQUESTS, "x-ratelimit-limit-requests", "x-ratelimit-remaining-requests",
		NULL, NO_RESET, false},
	{"xai", TOKENS, "x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens",
		NULL, NO_RESET, false},
	{"together", REQUESTS, "x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset",
		DURATION, false},
	{"together", TOKENS, "x-tokenlimit-limit", "x-tokenlimit-remaining", "x-tokenlimit-reset",
		DURATION, false},
	{"fireworks", REQUESTS, "x-ratelimit-limit-requests", "x-ratelimit-remaining-requests",
		NULL, NO_RESET, false},
	{"openrouter", REQUESTS, "x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset",
		EPOCH_MS, false},
	{"cerebras", REQUESTS, "x-ratelimit-limit-requests-day", "x-ratelimit-remaining-requests-day",
		"x-ratelimit-reset-requests-day", DURATION, true},
	{"cerebras", TOKENS, "x-ratelimit-limit-tokens-minute", "x-ratelimit-remaining-tokens-minute",
		"x-ratelimit-reset-tokens-minute", DURATION, false},
	{"moonshot", REQUESTS, "x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset",
		DURATION, false},
	{"github", REQUESTS, "x-ratelimit-limit-requests", "x-ratelimit-remaining-requests",
		"x-ratelimit-timeremaining", DURATION, false},
	{"github", TOKENS, "x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens",
		"x-ratelimit-timeremaining", DURATION, false},
};
/* clang-format on */

/* ---- times ---- */

/* A unit's nanoseconds; "sec", "minutes" and the like go by how they begin. 0: no unit. */
static int64_t unit_ns(struct span letters)
{
	static const struct {
		const char *word;
		int64_t ns;
	} units[] = {
		{"ns",    1               },
		{"us",    1000            },
		{"ms",    MS_NS           },
		{"milli", MS_NS           },
		{"s",     1000 * MS_NS    },
		{"m",     60000 * MS_NS   },
		{"h",     3600000 * MS_NS },
		{"d",     86400000 * MS_NS},
	};
	if (letters.n == 0)
		return 1000 * MS_NS;
	for (size_t i = 0; i < COUNT_OF(units); i++) {
		if (span_starts(letters, span_str(units[i].word)))
			return units[i].ns;
	}
	return 0;
}

/* Takes a number off the front, in thousandths; false: there is none, or it is too long. */
static bool take_number(struct span *text, int64_t *out)
{
	int64_t v = 0;
	size_t n = 0, places = 0;
	bool has_point = false;
	for (; n < text->n && n < 18; n++) {
		const char c = text->p[n];
		if (c == '.' && !has_point && n > 0) {
			has_point = true;
			continue;
		}
		if (c < '0' || c > '9')
			break;
		if (places == 3)
			continue;
		places += has_point;
		v = num_add_sat(num_mul_sat(v, 10), c - '0');
	}
	for (; places < 3; places++)
		v = num_mul_sat(v, 10);
	*text = span_skip(*text, n);
	*out = v;
	return n > 0 && n < 18;
}

int64_t limits_duration_ms(struct span text)
{
	int64_t total_ns = -1, v;
	while (take_number(&text, &v)) {
		size_t n = 0;
		if (text.n > 0 && text.p[0] == ' ')
			text = span_skip(text, 1);
		while (n < text.n && text.p[n] >= 'a' && text.p[n] <= 'z')
			n++;
		const int64_t ns = unit_ns(span_first(text, n));
		total_ns = num_add_sat(
			total_ns < 0 ? 0 : total_ns, num_mul_div(v, ns ? ns : 1000 * MS_NS, 1000));
		if (ns == 0)
			break;
		text = span_skip(text, n);
	}
	return total_ns < 0 ? -1 : total_ns / MS_NS + (total_ns % MS_NS > 0);
}

/* Milliseconds from the reply's own Date to a moment, or -1; 0 where it is past. */
static int64_t until(const struct http_head *head, int64_t at_ms)
{
	int64_t now_s;
	if (at_ms < 0 || !http_head_date(head, &now_s))
		return -1;
	return at_ms > now_s * 1000 ? at_ms - now_s * 1000 : 0;
}

static int64_t reset_of(const struct http_head *head, const struct row *r)
{
	int64_t at;
	const struct span text = r->reset ? span_trim(http_head_get(head, r->reset)) : SPAN_NONE;
	if (text.n == 0)
		return -1;
	switch (r->form) {
	case NO_RESET:
		return -1;
	case DURATION:
		return limits_duration_ms(text);
	case EPOCH_MS:
		return num_i64(text, &at) ? until(head, at) : -1;
	case RFC3339:
		return http_rfc3339_ms(text, &at) ? until(head, at) : -1;
	}
	return -1;
}

/* ---- bounds ---- */

static int64_t count_of(const struct http_head *head, const char *name)
{
	int64_t v;
	return name && num_i64(span_trim(http_head_get(head, name)), &v) && v >= 0 ? v : -1;
}

static bool has_rows(struct span provider)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		if (span_is(provider, rows[i].provider))
			return true;
	}
	return false;
}

static struct rate *rate_of(struct rates *r, enum dimension d)
{
	switch (d) {
	case REQUESTS:
		return &r->requests;
	case TOKENS:
		return &r->tokens;
	case INPUT:
		return &r->input;
	case OUTPUT:
		return &r->output;
	}
	return NULL;
}

void limits_read(const struct http_head *head, struct span provider, struct rates *out)
{
	*out = RATES_UNKNOWN;
	out->retry_after_ms = http_retry_after_ms(head);
	if (!has_rows(provider))
		provider = SPAN(USUAL);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		const struct row *r = &rows[i];
		struct rate *to = rate_of(out, r->dimension);
		if (!span_is(provider, r->provider))
			continue;
		const struct rate said = {
			count_of(head, r->limit), count_of(head, r->remaining), reset_of(head, r)};
		out->is_day_spent = out->is_day_spent || (r->is_daily && said.remaining == 0);
		if ((said.limit >= 0 || said.remaining >= 0 || said.reset_ms >= 0) &&
			(to->remaining < 0 ||
				(said.remaining >= 0 && said.remaining < to->remaining)))
			*to = said;
	}
}

int64_t limits_wait_ms(const struct rates *r)
{
	const struct rate *const all[] = {&r->requests, &r->tokens, &r->input, &r->output};
	int64_t longest = -1;
	for (size_t i = 0; i < COUNT_OF(all); i++) {
		if (all[i]->remaining == 0 && all[i]->reset_ms > longest)
			longest = all[i]->reset_ms;
	}
	return longest;
}

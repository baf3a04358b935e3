/* usage.c - what remains of a total when its parts are taken away. */
#include "brokerd/dialect/usage.h"

#include <string.h>

#include "brokerd/dialect/pick.h"
#include "protocol/base/num.h"

/* The text of a number, or of a number in quotes. */
static struct span number_text(struct json v)
{
	if (json_kind(v) == JSON_NUMBER)
		return v.text;
	if (json_kind(v) == JSON_STRING)
		return span_of(v.text.p + 1, v.text.n - 2);
	return SPAN_NONE;
}

/* As nearly all are written. */
static bool is_plain(struct span text, int64_t *out)
{
	return text.n > 0 && text.p[0] >= '1' && text.p[0] <= '9' && num_i64(text, out);
}

bool usage_count(struct json v, int64_t *out)
{
	const struct span text = number_text(v);
	struct json number;
	int64_t n;
	if (is_plain(text, out))
		return true;
	if (text.n == 0 || json_scan(text, JSON_STRICT, &number, NULL) != OK ||
		!json_i64(number, &n) || n < 0)
		return false;
	*out = n;
	return true;
}

bool usage_member(struct json object, const char *name, const char *other, int64_t *out)
{
	return usage_count(json_member(object, name), out) ||
	       (other && usage_count(json_member(object, other), out));
}

bool usage_is_negative(struct json v)
{
	const struct span text = number_text(v);
	return text.n > 1 && text.p[0] == '-' && text.p[1] >= '0' && text.p[1] <= '9';
}

bool usage_has_negative(struct json counts)
{
	for (struct json_walk w = json_each(counts); json_next(&w);) {
		if (usage_is_negative(w.value))
			return true;
	}
	return false;
}

/* Takes `part` off what is left of the total; cuts it where there is less. */
static bool take(int64_t total, int64_t *left, int64_t *part)
{
	if (*left < 0 || *part < 0)
		return true;
	const bool fits = *part <= total;
	if (*part > *left)
		*part = *left;
	*left -= *part;
	return fits;
}

bool usage_split(struct llm_usage *u, int64_t input_total, int64_t output_total)
{
	/* cached first: audio and images may have been counted once more among the cached */
	int64_t *const inputs[] = {&u->cache_read, &u->cache_write_5m, &u->cache_write_1h,
		&u->cache_write, &u->audio_input, &u->image_input};
	int64_t *const outputs[] = {&u->reasoning, &u->audio_output, &u->image_output};
	bool fits = true;
	u->input = input_total;
	u->output = output_total;
	for (size_t i = 0; i < COUNT_OF(inputs); i++)
		fits = take(input_total, &u->input, inputs[i]) && fits;
	for (size_t i = 0; i < COUNT_OF(outputs); i++)
		fits = take(output_total, &u->output, outputs[i]) && fits;
	return fits;
}

int64_t usage_money(struct json v, int places)
{
	int64_t nusd;
	return num_scaled(number_text(v), 9 - places, &nusd) ? nusd : -1;
}

#define TICK_PLACES 10 /* xAI's part of a dollar */

int64_t usage_cost(struct json usage, int64_t tokens)
{
	enum { COST, DETAILS, IS_OWN_KEY, ESTIMATED, TICKS };
	static const char *const names[] = {
		"cost", "cost_details", "is_byok", "estimated_cost", "cost_in_usd_ticks"};
	struct json m[COUNT_OF(names)];
	PICK(usage, names, m);
	if (json_kind(m[COST]) == JSON_OBJECT) /* Perplexity's */
		m[COST] = json_member(m[COST], "total_cost");
	int64_t nusd = usage_money(m[COST], 0);
	/* with a key of one's own at the provider behind it, a broker of models names its fee and apart from it what
	 * that provider takes */
	if (nusd >= 0 && json_is_true(m[IS_OWN_KEY])) {
		const int64_t upstream =
			usage_money(json_member(m[DETAILS], "upstream_inference_cost"), 0);
		nusd = upstream < 0 ? nusd : num_add_sat(nusd, upstream);
	}
	if (nusd < 0)
		nusd = usage_money(m[ESTIMATED], 0); /* DeepInfra's */
	if (nusd < 0) {
		nusd = usage_money(m[TICKS], TICK_PLACES);
		if (nusd == 0 && tokens > 0)
			nusd = -1; /* others who serve xAI's models do not fill it in */
	}
	return nusd;
}

void usage_add(struct llm_usage *to, const struct llm_usage *more)
{
	enum { CLASSES = sizeof *to / sizeof(int64_t) };
	int64_t x[CLASSES], y[CLASSES];
	memcpy(x, to, sizeof x);
	memcpy(y, more, sizeof y);
	for (size_t i = 0; i < CLASSES; i++)
		x[i] = x[i] < 0 ? y[i] : y[i] < 0 ? x[i] : num_add_sat(x[i], y[i]);
	memcpy(to, x, sizeof x);
}

/* usage.c - what remains of a total when its parts are taken away. */
#include "brokerd/dialect/usage.h"

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

/* Takes `part` off what is left; cuts it where there is less. */
static bool take(int64_t *left, int64_t *part)
{
	if (*left < 0 || *part < 0)
		return true;
	const bool is_enough = *part <= *left;
	if (!is_enough)
		*part = *left;
	*left -= *part;
	return is_enough;
}

bool usage_split(struct llm_usage *u, int64_t input_total, int64_t output_total)
{
	/* cached first: audio and images may have been counted once more among the cached */
	int64_t *const inputs[] = {&u->cache_read, &u->cache_write_5m, &u->cache_write_1h,
		&u->cache_write, &u->audio_input, &u->image_input};
	int64_t *const outputs[] = {&u->reasoning, &u->audio_output, &u->image_output};
	bool fits = true;
	for (size_t i = 0; i < COUNT_OF(inputs); i++)
		fits = take(&input_total, inputs[i]) && fits;
	for (size_t i = 0; i < COUNT_OF(outputs); i++)
		fits = take(&output_total, outputs[i]) && fits;
	u->input = input_total;
	u->output = output_total;
	return fits;
}

int64_t usage_money(struct json v, int places)
{
	int64_t nusd;
	return num_scaled(number_text(v), 9 - places, &nusd) ? nusd : -1;
}

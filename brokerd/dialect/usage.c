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

bool usage_count(struct json v, int64_t *out)
{
	struct json number;
	int64_t n;
	if (json_scan(number_text(v), JSON_STRICT, &number, NULL) != OK || !json_i64(number, &n) ||
		n < 0)
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
	struct json number;
	int64_t sum = 0, exponent = 9 - places;
	const struct span text = number_text(v);
	size_t i = 0;
	bool has_point = false;
	if (json_scan(text, JSON_STRICT, &number, NULL) != OK || json_kind(number) != JSON_NUMBER ||
		!text.p || text.p[0] == '-')
		return -1;
	for (; i < text.n && text.p[i] != 'e' && text.p[i] != 'E'; i++) {
		if (text.p[i] == '.') {
			has_point = true;
		} else if (sum > (INT64_MAX - 9) / 10) {
			if (!has_point)
				exponent++; /* digits beyond the eighteenth are not kept */
		} else {
			sum = sum * 10 + (text.p[i] - '0');
			exponent -= has_point;
		}
	}
	if (i < text.n) {
		int64_t given;
		const size_t sign = text.p[i + 1] == '+';
		if (!num_i64(span_skip(text, i + 1 + sign), &given) || given > 1000 ||
			given < -1000)
			return sum == 0 ? 0 : -1;
		exponent += given;
	}
	for (; exponent > 0 && sum > 0; exponent--) {
		if (!num_mul(sum, 10, &sum))
			return -1;
	}
	for (; exponent < -1 && sum > 0; exponent++)
		sum /= 10;
	return exponent == -1 ? sum / 10 + (sum % 10 >= 5) : sum;
}

/* num.c - decimal arithmetic on digits, never through a double. */
#include "protocol/base/num.h"

bool num_add(int64_t a, int64_t b, int64_t *out)
{
	int64_t sum;
	if (__builtin_add_overflow(a, b, &sum))
		return false;
	*out = sum;
	return true;
}

bool num_mul(int64_t a, int64_t b, int64_t *out)
{
	int64_t product;
	if (__builtin_mul_overflow(a, b, &product))
		return false;
	*out = product;
	return true;
}

int64_t num_add_sat(int64_t a, int64_t b)
{
	int64_t sum;
	if (num_add(a, b, &sum))
		return sum;
	return a < 0 ? INT64_MIN : INT64_MAX;
}

int64_t num_mul_sat(int64_t a, int64_t b)
{
	int64_t product;
	if (num_mul(a, b, &product))
		return product;
	return (a < 0) == (b < 0) ? INT64_MAX : INT64_MIN;
}

int64_t num_mul_div(int64_t a, int64_t b, int64_t c)
{
	__extension__ typedef unsigned __int128 wide;
	const wide product = (wide)a * (wide)b + (wide)c / 2;
	const wide divisor = (wide)c;
	const wide quotient = product / divisor;
	return quotient > INT64_MAX ? INT64_MAX : (int64_t)quotient;
}

bool num_i64(struct span text, int64_t *out)
{
	bool is_negative = false;
	int64_t v = 0;
	if (text.n > 0 && (text.p[0] == '-' || text.p[0] == '+')) {
		is_negative = text.p[0] == '-';
		text = span_skip(text, 1);
	}
	if (text.n == 0)
		return false;
	for (size_t i = 0; i < text.n; i++) {
		const int digit = text.p[i] - '0';
		if (digit < 0 || digit > 9)
			return false;
		/* downwards, where the range is one longer */
		if (!num_mul(v, 10, &v) || !num_add(v, -digit, &v))
			return false;
	}
	if (!is_negative && v == INT64_MIN)
		return false;
	*out = is_negative ? v : -v;
	return true;
}

/* Digits with at most `places` behind a point, times 10^places; *rest is what follows them. */
static bool decimal(struct span text, unsigned places, int64_t *out, struct span *rest)
{
	int64_t v = 0;
	unsigned behind = 0;
	bool has_point = false, has_digit = false;
	size_t i = 0;
	for (; i < text.n; i++) {
		const char c = text.p[i];
		if (c == '.' && !has_point) {
			has_point = true;
			continue;
		}
		if (c < '0' || c > '9')
			break;
		if (has_point && ++behind > places)
			return false;
		if (!num_mul(v, 10, &v) || !num_add(v, c - '0', &v))
			return false;
		has_digit = true;
	}
	for (; behind < places; behind++) {
		if (!num_mul(v, 10, &v))
			return false;
	}
	*out = v;
	*rest = span_trim(span_skip(text, i));
	return has_digit;
}

struct unit {
	const char *name;
	int64_t factor;
};

/* A decimal of up to three places and a unit of the table; the result in whole base units. */
static bool with_unit(struct span text, const struct unit *units, size_t n, int64_t *out)
{
	int64_t thousandths;
	struct span rest;
	if (!decimal(span_trim(text), 3, &thousandths, &rest))
		return false;
	for (size_t i = 0; i < n; i++) {
		int64_t v;
		if (!span_is(rest, units[i].name))
			continue;
		if (!num_mul(thousandths, units[i].factor, &v) || v % 1000 != 0)
			return false;
		*out = v / 1000;
		return true;
	}
	return false;
}

bool num_duration_us(struct span text, int64_t *out)
{
	static const struct unit units[] = {
		{"us",  1                   },
		{"ms",  1000                },
		{"s",   1000000             },
		{"m",   60000000            },
		{"min", 60000000            },
		{"h",   INT64_C(3600000000) },
		{"d",   INT64_C(86400000000)},
	};
	return with_unit(text, units, COUNT_OF(units), out);
}

bool num_size_bytes(struct span text, int64_t *out)
{
	static const struct unit units[] = {
		{"",    1         },
		{"B",   1         },
		{"KiB", 1024      },
		{"MiB", 1048576   },
		{"GiB", 1073741824},
		{"KB",  1000      },
		{"kB",  1000      },
		{"MB",  1000000   },
		{"GB",  1000000000},
	};
	return with_unit(text, units, COUNT_OF(units), out);
}

bool num_money_nusd(struct span text, int64_t *out)
{
	int64_t v;
	struct span rest;
	text = span_trim(text);
	if (text.n > 0 && text.p[0] == '$')
		text = span_skip(text, 1);
	if (!decimal(text, 9, &v, &rest))
		return false;
	if (rest.n > 0 && !span_is_nocase(rest, "usd"))
		return false;
	*out = v;
	return true;
}

/* Takes the digits off the front of a decimal number: their value, and how many places the point, and
 * what did not fit, move it. False: there are none. */
static bool take_digits(struct span *text, int64_t *value, int64_t *exponent)
{
	size_t n = 0, digits = 0;
	bool has_point = false;
	*value = 0;
	for (; n < text->n; n++) {
		const char c = text->p[n];
		if (c == '.' && !has_point && digits > 0) {
			has_point = true;
			continue;
		}
		if (c < '0' || c > '9')
			break;
		digits++;
		if (*value > (INT64_MAX - 9) / 10) {
			*exponent += !has_point;
			continue;
		}
		*value = *value * 10 + (c - '0');
		*exponent -= has_point;
	}
	*text = span_skip(*text, n);
	return digits > 0;
}

bool num_scaled(struct span number, int places, int64_t *out)
{
	int64_t v, exponent = places;
	if (!take_digits(&number, &v, &exponent))
		return false;
	if (number.n > 0) {
		int64_t given;
		if (number.p[0] != 'e' && number.p[0] != 'E')
			return false;
		number = span_skip(number, 1);
		if (number.n > 0 && number.p[0] == '+')
			number = span_skip(number, 1);
		if (!num_i64(number, &given))
			return false;
		if (given > 1000 || given < -1000) {
			*out = 0;
			return v == 0;
		}
		exponent += given;
	}
	for (; exponent > 0 && v > 0; exponent--) {
		if (!num_mul(v, 10, &v))
			return false;
	}
	for (; exponent < -1 && v > 0; exponent++)
		v /= 10;
	*out = exponent == -1 ? v / 10 + (v % 10 >= 5) : v;
	return true;
}

bool num_bool(struct span text, bool *out)
{
	static const char *const yes[] = {"yes", "on", "true", "1"};
	static const char *const no[] = {"no", "off", "false", "0"};
	for (size_t i = 0; i < COUNT_OF(yes); i++) {
		if (span_is_nocase(text, yes[i])) {
			*out = true;
			return true;
		}
		if (span_is_nocase(text, no[i])) {
			*out = false;
			return true;
		}
	}
	return false;
}

/* amount.c - the marks are sorted out first; what is left is a plain decimal number. */
#include "libllmclient/cli/amount.h"

#include "protocol/base/num.h"

#define DIGITS_MAX 64
#define SAY_WHICH  "say which by cost=COLUMN:point or cost=COLUMN:comma"

/* A number that has lost its marks: digits, at most one point, perhaps an exponent. */
struct plain {
	char text[DIGITS_MAX + 2];
	size_t n;
};

static enum err refuse(struct span text, struct fault *why, const char *what)
{
	char shown[64];
	fault_text(shown, sizeof shown, text);
	return fault_set(why, ERR_MALFORMED, "\"%s\" %s", shown, what);
}

static size_t count_of(struct span s, char c)
{
	size_t n = 0;
	for (size_t i = 0; i < s.n; i++)
		n += s.p[i] == c;
	return n;
}

/* Are these groups of three, but for the first, which has one to three? */
static bool is_grouped(struct span whole, char mark)
{
	bool is_first = true;
	if (span_index(whole, mark) == whole.n)
		return true;
	while (span_is_set(whole)) {
		const struct span group = span_cut(&whole, mark);
		if (is_first ? group.n < 1 || group.n > 3 : group.n != 3)
			return false;
		is_first = false;
	}
	return true;
}

static size_t last_index(struct span s, char c)
{
	size_t i = s.n;
	while (i > 0 && s.p[i - 1] != c)
		i--;
	return i > 0 ? i - 1 : s.n;
}

/* Is there one such mark, where it can be between thousands as well as before decimals? */
static bool can_be_either(struct span digits, char mark)
{
	const size_t before = span_index(digits, mark);
	return count_of(digits, ',') + count_of(digits, '.') == 1 && before < digits.n &&
	       digits.n - before - 1 == 3 && before >= 1 && before <= 3 && digits.p[0] != '0';
}

/* Which mark is before the decimals of such digits? AMOUNT_MARK_ANY: it cannot be told. */
static enum amount_mark mark_of(struct span digits)
{
	const size_t commas = count_of(digits, ','), points = count_of(digits, '.');
	if (commas > 0 && points > 0)
		return last_index(digits, '.') > last_index(digits, ',') ? AMOUNT_MARK_POINT
									 : AMOUNT_MARK_COMMA;
	if (commas == 0)
		return points > 1 ? AMOUNT_MARK_COMMA : AMOUNT_MARK_POINT;
	if (commas > 1)
		return AMOUNT_MARK_POINT;
	return can_be_either(digits, ',') ? AMOUNT_MARK_ANY : AMOUNT_MARK_COMMA;
}

/* The same, by the rest of its column too. */
static enum err guess_mark(struct span given, struct span digits, struct amount_column *column,
	enum amount_mark *mark, struct fault *why)
{
	const bool is_guess = can_be_either(digits, '.');
	*mark = mark_of(digits);
	if (*mark == AMOUNT_MARK_ANY || (is_guess && column->has_comma))
		return refuse(given, why, "can mean thousands or decimals: " SAY_WHICH);
	if (*mark == AMOUNT_MARK_COMMA && column->has_guess)
		return refuse(given, why,
			"has a comma before its decimals, and a line above it may have a point "
			"between thousands: " SAY_WHICH);
	column->has_guess |= is_guess;
	column->has_comma |= *mark == AMOUNT_MARK_COMMA;
	return OK;
}

static void keep(struct plain *p, struct span s, char without)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] != without)
			p->text[p->n++] = s.p[i];
	}
}

/* Digits with their marks, and what stands behind them (an exponent, or nothing). */
static bool sort_out(
	struct span digits, struct span exponent, enum amount_mark mark, struct plain *out)
{
	const char decimal = mark == AMOUNT_MARK_COMMA ? ',' : '.';
	const char thousands = mark == AMOUNT_MARK_COMMA ? '.' : ',';
	const size_t at = span_index(digits, decimal);
	const struct span whole = span_first(digits, at);
	const struct span rest = at < digits.n ? span_skip(digits, at + 1) : SPAN_NONE;
	if (count_of(rest, decimal) > 0 || count_of(rest, thousands) > 0 ||
		!is_grouped(whole, thousands) || whole.n + rest.n == 0)
		return false;
	out->n = 0;
	if (whole.n == 0)
		out->text[out->n++] = '0';
	keep(out, whole, thousands);
	if (rest.n > 0) {
		out->text[out->n++] = '.';
		keep(out, rest, '\0');
	}
	keep(out, exponent, '\0');
	return true;
}

/* Takes a sign off the front, if there is one. */
static bool take_sign(struct span *s, int64_t *sign)
{
	if (s->n == 0 || (s->p[0] != '-' && s->p[0] != '+'))
		return false;
	*sign = s->p[0] == '-' ? -1 : 1;
	*s = span_skip(*s, 1);
	return true;
}

/* Takes one word of a currency off one of the ends. */
static bool take_dollar(struct span *s)
{
	static const char *const words[] = {"US$", "$", "USD"};
	for (size_t i = 0; i < COUNT_OF(words); i++) {
		const size_t n = strlen(words[i]);
		if (s->n <= n)
			continue;
		if (span_is_nocase(span_first(*s, n), words[i])) {
			*s = span_trim(span_skip(*s, n));
			return true;
		}
		if (span_is_nocase(span_skip(*s, s->n - n), words[i])) {
			*s = span_trim(span_first(*s, s->n - n));
			return true;
		}
	}
	return false;
}

static bool is_foreign(struct span s)
{
	static const char *const words[] = {"EUR", "GBP", "CNY", "JPY", "CHF", "CAD", "AUD", "INR",
		"\xe2\x82\xac", "\xc2\xa3", "\xc2\xa5"};
	for (size_t i = 0; i < COUNT_OF(words); i++) {
		const size_t n = strlen(words[i]);
		if (s.n > n && (span_is_nocase(span_first(s, n), words[i]) ||
				       span_is_nocase(span_skip(s, s.n - n), words[i])))
			return true;
	}
	return false;
}

/* A sign, and the rest without marks. */
static enum err read_plain(struct span given, struct span s, enum amount_mark mark,
	struct amount_column *column, struct plain *out, struct fault *why)
{
	size_t n = 0;
	while (n < s.n && ((s.p[n] >= '0' && s.p[n] <= '9') || s.p[n] == ',' || s.p[n] == '.'))
		n++;
	const struct span digits = span_first(s, n), exponent = span_skip(s, n);
	if (s.n > DIGITS_MAX)
		return refuse(given, why, "has too many digits");
	if (n == 0 || (exponent.n > 0 && exponent.p[0] != 'e' && exponent.p[0] != 'E'))
		return refuse(given, why, "is not an amount");
	if (mark == AMOUNT_MARK_ANY) {
		const enum err err = guess_mark(given, digits, column, &mark, why);
		if (err)
			return err;
	}
	return sort_out(digits, exponent, mark, out)
		       ? OK
		       : refuse(given, why, "has its points or commas where no amount has them");
}

enum err amount_nusd(struct span text, enum amount_mark mark, struct amount_column *column,
	int64_t *out, struct fault *why)
{
	struct span s = span_trim(text);
	struct plain plain;
	int64_t sign = 1;
	size_t n_signs = 0;
	if (s.n >= 2 && s.p[0] == '(' && s.p[s.n - 1] == ')') {
		sign = -1;
		n_signs++;
		s = span_trim(span_of(s.p + 1, s.n - 2));
	}
	if (is_foreign(s))
		return refuse(text, why, "is not in US dollars, and nothing here converts it");
	n_signs += take_sign(&s, &sign);
	if (take_dollar(&s))
		n_signs += take_sign(&s, &sign);
	if (n_signs > 1)
		return refuse(text, why, "has two signs");
	const enum err err = read_plain(text, s, mark, column, &plain, why);
	if (err)
		return err;
	if (!num_scaled(span_of(plain.text, plain.n), 9, out))
		return refuse(text, why, "is no amount that fits");
	*out *= sign;
	return OK;
}

enum err amount_count(struct span text, int64_t *out, struct fault *why)
{
	struct span s = span_trim(text);
	const size_t point = span_index(s, '.');
	const struct span whole = span_first(s, point);
	const struct span behind = point < s.n ? span_skip(s, point + 1) : SPAN_NONE;
	struct plain plain = {.n = 0};
	for (size_t i = 0; i < behind.n; i++) {
		if (behind.p[i] != '0')
			return refuse(text, why, "is not a whole number");
	}
	if (s.n > DIGITS_MAX || !is_grouped(whole, ','))
		return refuse(text, why, "is not a whole number");
	keep(&plain, whole, ',');
	if (!num_i64(span_of(plain.text, plain.n), out) || *out < 0)
		return refuse(text, why, "is not a whole number of 0 or more");
	return OK;
}

/* price.c - products are added up wide, so that nothing is rounded or wraps before the end. */
#include "brokerd/ledger/price.h"

#include "protocol/base/num.h"

#define PRICED_TOKENS  1000000 /* a price is for so many */
#define DRIFT_PER_MILL 5
#define ROUNDING_NUSD  1000 /* some providers tell no smaller part of a dollar */

__extension__ typedef unsigned __int128 wide;

/* the largest sum whose rounded quotient still fits */
#define SUM_MAX ((wide)INT64_MAX * PRICED_TOKENS)

struct amount {
	int64_t tokens, price;
};

static void fall_back(int64_t *price, int64_t to)
{
	if (*price < 0)
		*price = to;
}

/* Every class has the price that it is billed at. */
static struct price price_filled(const struct price *p)
{
	struct price f = *p;
	fall_back(&f.cache_read, p->input);
	fall_back(&f.cache_write_5m, p->input);
	fall_back(&f.cache_write_1h, f.cache_write_5m);
	fall_back(&f.audio_input, p->input);
	fall_back(&f.image_input, p->input);
	fall_back(&f.reasoning, p->output);
	fall_back(&f.audio_output, p->output);
	fall_back(&f.image_output, p->output);
	return f;
}

static int64_t sum_nusd(const struct amount *amounts, size_t n)
{
	bool is_counted = false;
	wide sum = 0;
	for (size_t i = 0; i < n; i++) {
		const struct amount a = amounts[i];
		if (a.tokens < 0)
			continue;
		is_counted = true;
		if (a.tokens == 0)
			continue;
		if (a.price < 0)
			return -1;
		/* below 2^126, and so is the sum: there is room for both */
		sum += (wide)a.tokens * (wide)a.price;
		if (sum > SUM_MAX)
			sum = SUM_MAX;
	}
	return is_counted ? (int64_t)((sum + PRICED_TOKENS / 2) / PRICED_TOKENS) : -1;
}

int64_t price_nusd(const struct price *p, const struct llm_usage *u)
{
	const struct price f = price_filled(p);
	const struct amount amounts[] = {
		{u->input,          f.input         },
		{u->cache_read,     f.cache_read    },
		{u->cache_write_5m, f.cache_write_5m},
		{u->cache_write_1h, f.cache_write_1h},
		{u->cache_write,    f.cache_write_5m},
		{u->output,         f.output        },
		{u->reasoning,      f.reasoning     },
		{u->audio_input,    f.audio_input   },
		{u->audio_output,   f.audio_output  },
		{u->image_input,    f.image_input   },
		{u->image_output,   f.image_output  },
	};
	return sum_nusd(amounts, COUNT_OF(amounts));
}

bool price_prompt_saved_nusd(const struct price *p, const struct llm_usage *u, int64_t *out)
{
	const struct price f = price_filled(p);
	const struct amount amounts[] = {
		{u->cache_read,     f.cache_read    },
		{u->cache_write_5m, f.cache_write_5m},
		{u->cache_write_1h, f.cache_write_1h},
		{u->cache_write,    f.cache_write_5m},
	};
	bool is_counted = false;
	wide plain = 0, paid = 0;
	for (size_t i = 0; i < COUNT_OF(amounts); i++) {
		const struct amount a = amounts[i];
		is_counted = is_counted || a.tokens >= 0;
		if (a.tokens <= 0)
			continue;
		if (f.input < 0)
			return false;
		/* each below 2^126, which leaves room for four */
		plain += (wide)a.tokens * (wide)f.input;
		paid += (wide)a.tokens * (wide)a.price;
	}
	const wide apart = plain > paid ? plain - paid : paid - plain;
	const int64_t nusd = apart > SUM_MAX
				     ? INT64_MAX
				     : (int64_t)((apart + PRICED_TOKENS / 2) / PRICED_TOKENS);
	*out = plain > paid ? nusd : -nusd;
	return is_counted;
}

static int64_t dearer(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

int64_t price_bound_nusd(const struct price *p, int64_t input_tokens, int64_t output_tokens)
{
	int64_t in = p->input, out = p->output;
	/* where the price that others fall back to is not known, nothing bounds it */
	if (in >= 0) {
		in = dearer(dearer(in, p->cache_read), p->cache_write_5m);
		in = dearer(dearer(in, p->cache_write_1h), p->audio_input);
		in = dearer(in, p->image_input);
	}
	if (out >= 0) {
		out = dearer(dearer(out, p->reasoning), p->audio_output);
		out = dearer(out, p->image_output);
	}
	if (input_tokens < 0 || output_tokens < 0)
		return -1;
	const struct amount amounts[] = {
		{input_tokens,  in },
                {output_tokens, out}
        };
	return sum_nusd(amounts, COUNT_OF(amounts));
}

static struct price pessimistic(const struct price *p, int64_t unknown)
{
	struct price filled = *p;
	fall_back(&filled.input, unknown);
	fall_back(&filled.output, unknown);
	return filled;
}

int64_t price_pessimistic_nusd(const struct price *p, const struct llm_usage *u, int64_t unknown)
{
	const struct price filled = pessimistic(p, unknown);
	return price_nusd(&filled, u);
}

int64_t price_pessimistic_bound_nusd(
	const struct price *p, int64_t input_tokens, int64_t output_tokens, int64_t unknown)
{
	const struct price filled = pessimistic(p, unknown);
	return price_bound_nusd(&filled, input_tokens, output_tokens);
}

int64_t price_paid_nusd(const struct llm_usage *u)
{
	return u->provider_cost_nusd >= 0 ? u->provider_cost_nusd : u->cost_nusd;
}

bool price_drifts(int64_t ours_nusd, int64_t provider_nusd)
{
	if (ours_nusd < 0 || provider_nusd < 0)
		return false;
	const int64_t apart =
		ours_nusd > provider_nusd ? ours_nusd - provider_nusd : provider_nusd - ours_nusd;
	return apart > ROUNDING_NUSD &&
	       num_mul_sat(apart, 1000) > num_mul_sat(provider_nusd, DRIFT_PER_MILL);
}

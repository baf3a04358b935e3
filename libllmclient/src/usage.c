/* usage.c - the wire's disjoint classes added up to the figures that people compare. */
#include "libllmclient/src/usage.h"

#include "protocol/base/num.h"

int64_t llm_usage_input_tokens(const llm_usage *u)
{
	return u ? usage_input_total(u) : -1;
}

int64_t llm_usage_cached_tokens(const llm_usage *u)
{
	return u ? u->cache_read : -1;
}

int64_t llm_usage_cache_write_tokens(const llm_usage *u)
{
	if (!u)
		return -1;
	const int64_t writes[] = {u->cache_write_5m, u->cache_write_1h, u->cache_write};
	int64_t sum = -1;
	for (size_t i = 0; i < COUNT_OF(writes); i++) {
		if (writes[i] >= 0)
			sum = sum < 0 ? writes[i] : num_add_sat(sum, writes[i]);
	}
	return sum;
}

int64_t llm_usage_output_tokens(const llm_usage *u)
{
	return u ? usage_output_total(u) : -1;
}

int64_t llm_usage_reasoning_tokens(const llm_usage *u)
{
	return u ? u->reasoning : -1;
}

/* What the provider says it cost wins over what our prices say. */
int64_t llm_usage_cost_nanousd(const llm_usage *u)
{
	if (!u)
		return -1;
	return u->provider_cost_nusd >= 0 ? u->provider_cost_nusd : u->cost_nusd;
}

static const struct account *account_of(const llm_usage *u)
{
	return (const struct account *)(const void *)u;
}

int64_t llm_usage_ttft_us(const llm_usage *u)
{
	return u ? account_of(u)->ttft_us : -1;
}

int64_t llm_usage_total_us(const llm_usage *u)
{
	return u ? account_of(u)->total_us : -1;
}

const char *llm_usage_cache(const llm_usage *u)
{
	const enum cache_source source = u ? account_of(u)->cached.source : CACHE_NOT;
	return source == CACHE_NOT ? NULL : cache_source_name(source);
}

int64_t llm_usage_cache_age_s(const llm_usage *u)
{
	return u && account_of(u)->cached.source ? account_of(u)->cached.age_s : -1;
}

int llm_usage_kept(const llm_usage *u)
{
	return u && account_of(u)->is_kept;
}

double llm_usage_cache_score(const llm_usage *u)
{
	const struct opt_f64 none = {false, -1};
	const struct opt_f64 score = u ? account_of(u)->cached.score : none;
	return score.is_set ? score.v : -1;
}

int64_t llm_usage_saved_nanousd(const llm_usage *u)
{
	return u && account_of(u)->cached.source ? account_of(u)->cached.saved_nusd : -1;
}

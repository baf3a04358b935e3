/* cache_wishes.c - options become what the library takes. */
#include "libllmclient/cli/cache_wishes.h"

#include <string.h>

#include "protocol/base/num.h"
#include "protocol/base/utf8.h"

#define NAME_SPACE_BYTES ((size_t)128)

static bool is_wish(const char *text)
{
	static const char *const words[] = {"off", "read", "write", "on", "refresh", "only"};
	for (size_t i = 0; i < COUNT_OF(words); i++) {
		if (strcmp(text, words[i]) == 0)
			return true;
	}
	return false;
}

/* -1: it is no time. Nothing may be older than 0, either: that is what was kept in this second. */
static int64_t age_us(const char *text)
{
	int64_t us;
	if (strcmp(text, "0") == 0)
		return 0;
	return num_duration_us(span_str(text), &us) && us >= 0 ? us : -1;
}

static bool is_name_space(const char *text)
{
	const struct span word = span_str(text);
	return word.n > 0 && word.n <= NAME_SPACE_BYTES && !span_has_control(word) &&
	       utf8_is_valid(word);
}

int cache_wishes_check(const struct command *self, const struct cache_wishes *w, const char *before)
{
	if (w->wish && !is_wish(w->wish))
		return options_refuse(self,
			"--cache %s: this is none of off, read, write, on, refresh and only",
			w->wish);
	if (w->max_age && age_us(w->max_age) < 0)
		return options_refuse(self,
			"%smax-age %s: a duration such as 30s, 5m, 2h or 7d is wanted, or 0",
			before, w->max_age);
	if (w->name_space && !is_name_space(w->name_space))
		return options_refuse(self,
			"%snamespace: 1 to 128 bytes without control characters are wanted",
			before);
	return EXIT_GOOD;
}

/* -1: not said. */
static int64_t seconds(int64_t ms)
{
	return ms > 0 ? ms / 1000 + (ms % 1000 > 0) : -1;
}

int64_t cache_wishes_max_age_s(const struct cache_wishes *w)
{
	const int64_t us = w->max_age ? age_us(w->max_age) : -1;
	return us < 0 ? -1 : us / 1000000 + (us % 1000000 > 0);
}

void cache_wishes_put(const struct cache_wishes *w, llm_request *r)
{
	const int64_t max_age_s = cache_wishes_max_age_s(w);
	if (w->wish)
		(void)llm_request_cache(r, w->wish);
	(void)llm_request_cache_seconds(r, max_age_s, seconds(w->ttl_ms));
	if (w->stale_ms > 0)
		(void)llm_request_cache_stale_seconds(r, seconds(w->stale_ms));
	if (w->name_space)
		(void)llm_request_cache_namespace(r, w->name_space);
}

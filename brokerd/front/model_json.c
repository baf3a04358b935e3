/* model_json.c - a target's facts and prices, written out. */
#include "brokerd/front/model_json.h"

#include <inttypes.h>
#include <stdio.h>

#include "brokerd/route/route.h"
#include "protocol/limits.h"

/* Nano-dollars per million tokens as USD per million, exactly; null where it is not known. */
static void put_price(struct json_out *o, const char *name, int64_t nusd)
{
	char text[40];
	json_key(o, name);
	if (nusd < 0) {
		json_put_null(o);
		return;
	}
	const int n = snprintf(
		text, sizeof text, "%" PRId64 ".%09" PRId64, nusd / 1000000000, nusd % 1000000000);
	struct span digits = span_of(text, (size_t)n);
	while (digits.p[digits.n - 1] == '0' && digits.p[digits.n - 2] != '.')
		digits.n--;
	json_put_raw(o, digits);
}

/* The classes that few models have a price of their own for. */
static void put_more_prices(struct json_out *o, const struct price *p)
{
	const struct {
		const char *name;
		int64_t nusd;
	} classes[] = {
		{"price_cache_read",     p->cache_read    },
		{"price_cache_write_5m", p->cache_write_5m},
		{"price_cache_write_1h", p->cache_write_1h},
		{"price_reasoning",      p->reasoning     },
		{"price_audio_input",    p->audio_input   },
		{"price_audio_output",   p->audio_output  },
		{"price_image_input",    p->image_input   },
		{"price_image_output",   p->image_output  },
	};
	for (size_t i = 0; i < COUNT_OF(classes); i++) {
		if (classes[i].nusd >= 0)
			put_price(o, classes[i].name, classes[i].nusd);
	}
}

/* A list of words as an array. */
static void put_words(struct json_out *o, const char *name, struct span words)
{
	if (!span_is_set(words))
		return;
	json_key(o, name);
	json_open(o, '[');
	while (span_is_set(words))
		json_put_str(o, span_cut(&words, ','));
	json_close(o, ']');
}

static void put_count(struct json_out *o, const char *name, int64_t n)
{
	if (n >= 0)
		json_pair_i64(o, name, n);
}

/* The other cases, each with the price that is counted in it. */
static void put_rows(
	struct json_out *o, const struct config *c, const struct target *t, struct span name)
{
	struct price_row row;
	if (!catalogue_price(c->catalogue, name, 0, &row))
		return;
	json_key(o, "prices");
	json_open(o, '[');
	for (size_t i = 0; catalogue_price(c->catalogue, name, i, &row); i++) {
		const struct price_case when = {
			.input_tokens = row.above_tokens + 1, .tier = row.tier, .day = row.day};
		struct price price;
		route_price(c, t, &when, &price);
		json_open(o, '{');
		json_pair_str(o, "from", row.from);
		json_pair_str(o, "tier", row.tier);
		put_count(o, "above_tokens", row.above_tokens);
		put_price(o, "price_input", price.input);
		put_price(o, "price_output", price.output);
		put_more_prices(o, &price);
		json_close(o, '}');
	}
	json_close(o, ']');
}

void model_json(const struct config *c, const struct model_said *said, struct json_out *o)
{
	OWNED(buf_done) struct buf id = BUF_INIT(LIMIT_FRAME_BYTES);
	struct target t;
	struct model_facts facts;
	if (!route_facts(c, said->provider, said->model, &t))
		return;
	const bool is_known = c->catalogue && !t.is_local &&
			      catalogue_find(c->catalogue, said->provider, said->model, &facts);
	buf_span(&id, said->provider);
	buf_byte(&id, '/');
	buf_span(&id, said->model);
	json_open(o, '{');
	json_pair_str(o, "id", buf_view(&id));
	json_pair_str(o, "provider", said->provider);
	json_pair_bool(o, "default", said->is_default);
	json_pair_bool(o, "has_key", said->has_key);
	put_count(o, "context", t.context_tokens);
	put_count(o, "max_output", t.max_output_tokens);
	if (is_known) {
		put_words(o, "kind", facts.kind);
		put_count(o, "dimensions", facts.dimensions);
		put_words(o, "input", facts.inputs);
		put_words(o, "output", facts.outputs);
		put_words(o, "params", facts.params);
		json_pair_str(o, "retires", facts.retires);
	}
	put_words(o, "efforts",
		span_is_set(t.quirks.efforts) ? t.quirks.efforts
		: is_known                    ? facts.efforts
					      : SPAN_NONE);
	put_price(o, "price_input", t.is_offline ? 0 : t.price.input);
	put_price(o, "price_output", t.is_offline ? 0 : t.price.output);
	put_more_prices(o, &t.price);
	if (is_known)
		put_rows(o, c, &t, facts.name);
	json_close(o, '}');
}

/* admin_metrics.c - how the broker is, and what was asked of it, in figures for a monitor. */
#include "brokerd/front/admin_call.h"

#include <inttypes.h>
#include <stdio.h>

#include "brokerd/cache/cache.h"
#include "brokerd/ledger/counts.h"

enum kind { GAUGE, COUNTER };

static void open_one(struct json_out *o, enum kind kind, const char *name, const char *help)
{
	json_open(o, '{');
	json_pair_str(o, "name", span_str(name));
	json_pair_str(o, "type", kind == GAUGE ? SPAN("gauge") : SPAN("counter"));
	json_pair_str(o, "help", span_str(help));
	json_key(o, "series");
	json_open(o, '[');
}

static void close_one(struct json_out *o)
{
	json_close(o, ']');
	json_close(o, '}');
}

/* `label` NULL: it has none. */
static void open_value(struct json_out *o, const char *label, struct span is)
{
	json_open(o, '{');
	json_key(o, "labels");
	json_open(o, '{');
	if (label)
		json_pair_str(o, label, is);
	json_close(o, '}');
}

static void put_value(struct json_out *o, const char *label, struct span is, int64_t value)
{
	open_value(o, label, is);
	json_pair_i64(o, "value", value);
	json_close(o, '}');
}

static void put_seconds(struct json_out *o, const char *name, const char *help, int64_t us)
{
	char text[48];
	(void)snprintf(text, sizeof text, "%" PRId64 ".%06" PRId64, us / 1000000, us % 1000000);
	open_one(o, GAUGE, name, help);
	open_value(o, NULL, SPAN_NONE);
	json_pair_raw(o, "value", span_str(text));
	json_close(o, '}');
	close_one(o);
}

static void put_one(
	struct json_out *o, enum kind kind, const char *name, const char *help, int64_t value)
{
	open_one(o, kind, name, help);
	put_value(o, NULL, SPAN_NONE, value);
	close_one(o);
}

static void put_process(const struct admin_call *a, struct json_out *o)
{
	const struct organs *organs = a->organs;
	const struct loop_figures f = loop_figures(organs->loop);
	open_one(o, GAUGE, "llm_broker_build_info", "Which version runs.");
	put_value(o, "version", SPAN(LLM_BROKER_VERSION), 1);
	close_one(o);
	put_one(o, GAUGE, "llm_broker_start_time_seconds", "When it began, since 1970.",
		a->env->started_wall_us / 1000000);
	put_seconds(o, "llm_broker_uptime_seconds", "How long it has run.",
		loop_now_us(organs->loop) - a->env->started_us);
	put_one(o, GAUGE, "llm_broker_degraded", "1: it serves nobody, and says why.",
		organs->ailment.err != OK);
	put_one(o, GAUGE, "llm_broker_connections", "Clients that are connected.",
		(int64_t)a->env->n_connections);
	put_one(o, GAUGE, "llm_broker_calls_open", "Calls under way.",
		(int64_t)organs->n_exchanges);
	if (organs->turns)
		put_one(o, GAUGE, "llm_broker_calls_waiting",
			"Of these, those that wait for a limit.", (int64_t)turns_n(organs->turns));
	put_one(o, COUNTER, "llm_broker_loop_stalls_total",
		"Callbacks that kept all others waiting for 50 ms or longer.", (int64_t)f.stalls);
	put_seconds(o, "llm_broker_loop_longest_turn_seconds",
		"The longest turn of the event loop so far.", f.longest_us);
	put_one(o, COUNTER, "llm_broker_loop_spins_total",
		"Bouts of waking without end while nothing gets done.", (int64_t)f.spins);
}

static void put_cache(const struct cache *c, struct json_out *o)
{
	struct cache_stats s;
	if (!c)
		return;
	cache_stats(c, &s);
	open_one(o, COUNTER, "llm_broker_cache_lookups_total", "What became of them.");
	put_value(o, "result", SPAN("memory"), (int64_t)s.hits_memory);
	put_value(o, "result", SPAN("disk"), (int64_t)s.hits_disk);
	put_value(o, "result", SPAN("miss"), (int64_t)s.misses);
	close_one(o);
	open_one(o, GAUGE, "llm_broker_cache_bytes", "What kept answers take.");
	put_value(o, "place", SPAN("memory"), s.memory_bytes);
	put_value(o, "place", SPAN("disk"), s.disk_bytes);
	close_one(o);
	open_one(o, GAUGE, "llm_broker_cache_entries", "Answers that are kept.");
	put_value(o, "place", SPAN("memory"), (int64_t)s.n_memory);
	put_value(o, "place", SPAN("disk"), (int64_t)s.n_disk);
	close_one(o);
}

enum err admin_metrics(struct admin_call *a, struct json body, struct fault *why)
{
	struct json_out o = json_to(&a->json);
	(void)body;
	(void)why;
	json_open(&o, '{');
	json_key(&o, "metrics");
	json_open(&o, '[');
	counts_json(a->organs->counts, &o);
	put_cache(a->organs->cache, &o);
	put_process(a, &o);
	json_close(&o, ']');
	json_close(&o, '}');
	admin_done(a);
	return OK;
}

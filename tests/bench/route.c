/* route.c - what does it cost to find out where a request may go, and where first, as targets grow in number?
 *
 * No loop, no vault: route_find_op on an alias of so many lines, of which each provider has one key, with the catalogue;
 * and choose on what it found, by each strategy, with conditions on half of the lines; and holders.h on prompts of some lengths.
 * In nanoseconds of this thread, the median of many groups. Prints Markdown. */
#include <stdio.h>
#include <stdlib.h>

#include "brokerd/route/choose.h"
#include "brokerd/route/holders.h"
#include "brokerd/route/route.h"
#include "tests/lib/bench.h"

#define MIB    ((size_t)1024 * 1024)
#define GROUPS 200

static const unsigned sizes[] = {1, 10, 100};
static const char *const strategies[] = {
	"priority", "weighted", "latency", "busy", "cheapest", "sticky"};

/* Real names, so that rules and catalogue are looked through as in earnest. */
static const char *const models[] = {"openai/gpt-4o-mini", "anthropic/claude-sonnet-4-5",
	"gemini/gemini-2.5-pro", "mistral/mistral-large-latest", "groq/llama-3.3-70b-versatile",
	"deepseek/deepseek-v4-flash", "xai/grok-4", "cohere/command-a-03-2025",
	"openrouter/openai/gpt-4o-mini", "cerebras/gpt-oss-120b"};

struct bench {
	struct config *config;
	struct arena arena;
	struct route route;
	struct choose_view *views;
	struct choice *choices;
	uint64_t seed;
};

static bool key_at(const void *context, struct span provider, size_t i, struct span *label)
{
	(void)context;
	(void)provider;
	*label = SPAN("");
	return i == 0;
}

static const struct route_keys keys = {key_at, NULL};

static int by_size(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;
	return (*x > *y) - (*x < *y);
}

static struct config *configure(unsigned n, const char *strategy)
{
	struct fault why = FAULT_NONE;
	OWNED(buf_done) struct buf text = BUF_INIT(MIB);
	buf_print(&text, "[model \"all\"]\nstrategy = %s\n", strategy);
	for (unsigned i = 0; i < n; i++)
		buf_print(&text, "target = %s%s\n", models[i % COUNT_OF(models)],
			i % 2 == 1 ? " app=*,x tag=cheap,dear max_input=100000" : "");
	struct config *c = config_parse(buf_view(&text), "bench", &why);
	if (!c || catalogue_new(SPAN(""), &c->catalogue, &why))
		bench_die("%s", why.message);
	return c;
}

static void find(struct bench *b)
{
	struct fault why = FAULT_NONE;
	arena_done(&b->arena);
	arena_init(&b->arena, 16 * MIB);
	if (route_find_op(b->config, LLM_OP_CHAT, SPAN("all"), NULL, 0, &keys, &b->arena, &b->route,
		    &why))
		bench_die("%s", why.message);
}

static void pick(struct bench *b)
{
	static const struct span tags[] = {
		{"x",     1},
                {"cheap", 5}
        };
	const struct choose_ask ask = {.app = SPAN("flatpak:org.app"),
		.tags = tags,
		.n_tags = 2,
		.session = SPAN("a session"),
		.needs = CAPABILITY_TOOLS,
		.input_tokens = 5000,
		.output_tokens = 1000,
		.seed = b->seed++};
	const size_t n = choose(b->config, b->route.alias, &ask, b->route.targets, b->views,
		b->route.n, b->choices);
	if (n != b->route.n)
		bench_die("%zu of %zu are in", n, b->route.n);
}

/* The median over groups, of one call. */
static int64_t median_ns(struct bench *b, void (*one)(struct bench *), unsigned calls)
{
	int64_t ns[GROUPS];
	for (unsigned g = 0; g < GROUPS; g++) {
		const int64_t from_ns = bench_thread_ns();
		for (unsigned i = 0; i < calls; i++)
			one(b);
		ns[g] = (bench_thread_ns() - from_ns) / calls;
	}
	qsort(ns, GROUPS, sizeof *ns, by_size);
	return ns[GROUPS / 2];
}

static void view(struct bench *b)
{
	const size_t n = b->route.n;
	b->views = calloc(n, sizeof *b->views);
	b->choices = calloc(n, sizeof *b->choices);
	if (!b->views || !b->choices)
		bench_die("out of memory");
	for (size_t i = 0; i < n; i++)
		b->views[i] = (struct choose_view){.is_resting = i % 7 == 6,
			.in_flight = (unsigned)(i * 31 % 17),
			.first_us = (int64_t)(i * 7919 % 1000) * 1000,
			.nusd = (int64_t)(i * 104729 % 1000) * 1000,
			.left_nusd = INT64_MAX};
}

static void measure(unsigned n)
{
	printf("| %u |", n);
	for (size_t i = 0; i < COUNT_OF(strategies); i++) {
		struct bench b = {.config = configure(n, strategies[i]), .seed = 1};
		const unsigned calls = 2000 / n;
		arena_init(&b.arena, 16 * MIB);
		find(&b);
		view(&b);
		if (i == 0)
			printf(" %lld |", (long long)median_ns(&b, find, calls));
		printf(" %lld |", (long long)median_ns(&b, pick, calls));
		arena_done(&b.arena);
		free(b.views);
		free(b.choices);
		config_unref(b.config);
	}
	printf("\n");
}

/* ---- who holds the prompt ---- */

struct held {
	struct holders *holders;
	struct message messages[2];
	struct part parts[2];
	struct tool tools[40];
	struct llm_request request;
	struct target targets[10];
	uint64_t key;
};
static struct held held;

static void hash(struct bench *b)
{
	const struct holders_ask ask = {
		.owner = 1000, .model = SPAN("all"), .request = &held.request};
	(void)b;
	held.key = holders_key(held.holders, &ask);
}

static void ask_holder(struct bench *b)
{
	const uint64_t holder = holders_find(held.holders, held.key, 1);
	for (size_t i = 0; i < COUNT_OF(held.targets); i++)
		b->seed += holders_is(held.holders, holder, &held.targets[i]);
}

static void note_holder(struct bench *b)
{
	holders_note(held.holders, held.key + b->seed++, &held.targets[3], false, 1);
}

static void measure_held(const char *name, size_t bytes, size_t n_tools)
{
	static char text[100 * 1024];
	struct bench b = {.seed = 0};
	memset(text, 'x', sizeof text);
	for (size_t i = 0; i < 2; i++) {
		held.parts[i] = (struct part){
			.type = PART_TEXT, .text = {text, bytes / 2}
                };
		held.messages[i] = (struct message){
			.role = i ? ROLE_USER : ROLE_SYSTEM, .parts = &held.parts[i], .n_parts = 1};
	}
	for (size_t i = 0; i < n_tools; i++)
		held.tools[i] = (struct tool){.name = SPAN("read_file"),
			.description = SPAN("Reads a file."),
			.parameters = SPAN("{\"type\":\"object\"}")};
	held.request = (struct llm_request){.messages = held.messages,
		.n_messages = 2,
		.tools = held.tools,
		.n_tools = n_tools};
	printf("| %s | %lld |", name, (long long)median_ns(&b, hash, 1000));
	holders_note(held.holders, held.key, &held.targets[9], false, 1);
	printf(" %lld |", (long long)median_ns(&b, ask_holder, 1000));
	printf(" %lld |\n", (long long)median_ns(&b, note_holder, 1000));
}

static void measure_all_held(void)
{
	held.holders = holders_new();
	if (!held.holders)
		bench_die("out of memory");
	for (size_t i = 0; i < COUNT_OF(held.targets); i++)
		held.targets[i] = (struct target){
			.provider = SPAN("anthropic"),
			.model = SPAN("claude-sonnet-4-5"),
			.key = {&"abcdefghij"[i], 1}
                };
	printf("\n## Who holds the prompt, in nanoseconds\n\n"
	       "| prompt | hashed | found among 10 | noted |\n| --- | --: | --: | --: |\n");
	measure_held("200 B", 200, 0);
	measure_held("10 KiB, 40 tools", 10240, 40);
	measure_held("100 KiB, 40 tools", 102400, 40);
	holders_free(held.holders);
}

int main(int argc, char **argv)
{
	static int64_t cpu = -1;
	static const struct bench_option options[] = {
		{"cpu", &cpu, NULL, NULL, 0, 1023, "stay on this processor"}
        };
	bench_options(argc, argv, "What does it cost to find targets, and to order them?", options,
		COUNT_OF(options));
	bench_pin(cpu);
	printf("## The routing decision, in nanoseconds\n\n| targets | found |");
	for (size_t i = 0; i < COUNT_OF(strategies); i++)
		printf(" %s |", strategies[i]);
	printf("\n| --: | --: |");
	for (size_t i = 0; i < COUNT_OF(strategies); i++)
		printf(" --: |");
	printf("\n");
	for (size_t i = 0; i < COUNT_OF(sizes); i++)
		measure(sizes[i]);
	measure_all_held();
	return 0;
}

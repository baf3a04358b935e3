/* host.c - writes a small configuration and asks route for the target. */
#include "tests/lib/host.h"

#include "brokerd/config/builtin.h"
#include "brokerd/route/route.h"
#include "protocol/limits.h"

static const struct {
	const char *family, *provider, *model;
} hosts[] = {
	{"openai-chat",        "openai",    "gpt-4o-mini"             },
	{"openai-responses",   "openai",    "gpt-5.4"                 },
	{"openai-completions", "openai",    "gpt-3.5-turbo-instruct"  },
	{"anthropic",          "anthropic", "claude-sonnet-4-5"       },
	{"gemini",             "gemini",    "gemini-2.5-flash"        },
	{"bedrock",            "bedrock",   "us.amazon.nova-lite-v1:0"},
	{"mistral",            "mistral",   "mistral-small-latest"    },
	{"cohere",             "cohere",    "command-a-03-2025"       },
	{"ollama",             "ollama",    "qwen3"                   },
	{"offline",            "offline",   "echo"                    },
};

/* A member as a configuration would say it. */
static void put_pair(struct buf *ini, struct span name, struct json v)
{
	buf_print(ini, "%.*s = ", SPAN_ARG(name));
	if (json_kind(v) == JSON_TRUE)
		buf_text(ini, "yes");
	else if (json_kind(v) == JSON_FALSE)
		buf_text(ini, "no");
	else if (!json_text_to(v, ini))
		buf_span(ini, v.text);
	buf_byte(ini, '\n');
}

static const struct builtin *row_of(struct span provider)
{
	size_t n;
	const struct builtin *rows = builtin_rows(&n);
	for (size_t i = 0; i < n; i++) {
		if (span_is(provider, rows[i].name))
			return &rows[i];
	}
	return NULL;
}

/* The path of a family there, where its row has one; else absent. */
static struct span path_of(const struct builtin *row, struct span family)
{
	for (size_t k = 0; row && k < BUILTIN_DIALECTS && row->dialects[k].dialect; k++) {
		struct span path = span_str(row->dialects[k].dialect);
		if (span_eq(span_cut(&path, ' '), family))
			return path;
	}
	return SPAN_NONE;
}

/* Somebody's own corner of a cloud, where a row asks for it and the wish does not say. */
static void put_corner(struct buf *ini, const struct builtin *row, struct json more)
{
	static const char *const corners[][2] = {
		{"region",    "us-east-1"             },
		{"project",   "some-project"          },
		{"location",  "global"                },
		{"resource",  "some-resource"         },
		{"account",   "some-account"          },
		{"workspace", "some-workspace.example"},
	};
	for (size_t i = 0; row && i < COUNT_OF(corners); i++) {
		if (json_is_nil(json_member(more, corners[i][0])))
			buf_print(ini, "%s = %s\n", corners[i][0], corners[i][1]);
	}
}

struct config *host_target(
	const struct host_wish *wish, struct arena *a, struct target *out, struct fault *why)
{
	static const char *const keys[] = {"base_url", "allow_plain_loopback", "region", "project",
		"location", "resource", "account", "workspace", "header"};
	OWNED(buf_done) struct buf ini = BUF_INIT(LIMIT_CONFIG_BYTES);
	struct span provider = wish->provider, model = wish->model, copy;
	for (size_t i = 0; i < COUNT_OF(hosts); i++) {
		if (!span_is(wish->family, hosts[i].family))
			continue;
		if (!span_is_set(provider))
			provider = span_str(hosts[i].provider);
		if (!span_is_set(model))
			model = span_str(hosts[i].model);
	}
	buf_print(&ini, "[provider \"%.*s\"]\n", SPAN_ARG(provider));
	const struct builtin *row = row_of(provider);
	const struct span path = span_is_set(wish->path) ? wish->path : path_of(row, wish->family);
	buf_print(&ini, "dialect = %.*s %.*s\n", SPAN_ARG(wish->family), SPAN_ARG(path));
	put_corner(&ini, row, wish->more);
	if (!row && json_is_nil(json_member(wish->more, "base_url")))
		buf_text(&ini, "base_url = https://host.example\n");
	for (size_t i = 0; i < COUNT_OF(keys); i++) {
		if (!json_is_nil(json_member(wish->more, keys[i])))
			put_pair(&ini, span_str(keys[i]), json_member(wish->more, keys[i]));
	}
	for (struct json_walk w = json_each(json_member(wish->more, "traits")); json_next(&w);)
		put_pair(&ini, w.name, w.value);
	struct config *config = config_parse(buf_view(&ini), "target", why);
	/* the model's name must live as long as the target */
	if (config && !arena_dup(a, model, &copy) &&
		!route_target(config, provider, copy, out, why))
		return config;
	config_unref(config);
	return NULL;
}

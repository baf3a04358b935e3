/* test_config.c - what the configuration's files mean, and what is said of a wrong one. */
#include "brokerd/config/config.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "brokerd/config/keys.h"
#include "tests/lib/tap.h"

static const struct {
	const char *name, *text, *want; /* a piece of the sentence */
} refused[] = {
	{"an unknown section",                  "[brocker]\n",                                      "t.conf:1:1: no section is called \"brocker\""},
	{"an unknown key",                      "[broker]\nnonsense = 1\n",                         "t.conf:2:1: no key is called \"nonsense\""   },
	{"a near one",			  "[broker]\n  drian = 30s\n",
         "t.conf:2:3: no key is called \"drian\": did you mean \"drain\"?"                                                                        },
	{"a key of another section",            "[vault]\ndrain = 30s\n",                           "no key is called"                            },
	{"a key before a section",              "drain = 30s\n",                                    "t.conf:1:1: a key before the first section"  },
	{"no equals sign",                      "[broker]\ndrain 30s\n",                            "t.conf:2:1:"                                 },
	{"a value of another type",             "[broker]\ndrain = soon\n",
         "drain takes duration, not \"soon\""												     },
	{"a duration without its unit",         "[broker]\ndrain = 30\n",                           "drain takes duration"                        },
	{"a wait of nothing",                   "[broker]\ndrain = 0s\n",                           "drain takes duration"                        },
	{"a key twice",			 "[broker]\ndrain = 1s\ndrain = 2s\n",
         "t.conf:3:1: twice in one section: \"drain\""											    },
	{"a section without its end",           "[broker\n",                                        "a section ends with"                         },
	{"a name without quotes",               "[provider x]\n",                                   "quotes"                                      },
	{"no name",			     "[provider]\n",				     "a name is wanted"                            },
	{"a name too many",                     "[broker \"x\"]\n",                                 "takes no name"                               },
	{"a slash in a provider's name",        "[provider \"a/b\"]\n",                             "no slash"                                    },
	{"a control byte",                      "[broker]\ndrain = 1\001s\n",                       "t.conf:2:10: a control byte"                 },
	{"bytes that are no text",              "[broker]\n# \xff\n",                               "no UTF-8"                                    },
	{"a provider without a dialect",        "[provider \"x\"]\nbase_url = https://x.example\n",
         "has no dialect"															 },
	{"a provider without an address",       "\n[provider \"x\"]\ndialect = openai-chat\n",
         "t.conf:2:1: provider \"x\" has no base_url"											     },
	{"a dialect nobody speaks",             "[provider \"x\"]\ndialect = esperanto\n",
         "no dialect is called \"esperanto\""												     },
	{"a path that is none",                 "[provider \"x\"]\ndialect = openai-chat v1\n",
         "begins with \"/\""														      },
	{"http to the world",
         "[provider \"x\"]\ndialect = openai-chat\nbase_url = http://x.example\n",		  "not https"				   },
	{"http to the world, allowed",
         "[provider \"x\"]\ndialect = openai-chat\nbase_url = http://x.example\n"
		"allow_plain_loopback = yes\n",						     "not https"				   },
	{"http that only looks like loopback",
         "[provider \"x\"]\ndialect = openai-chat\n"
		"base_url = http://localhost.example\nallow_plain_loopback = yes\n",		"not https"				   },
	{"http to loopback, not allowed",
         "[provider \"x\"]\ndialect = openai-chat\n"
		"base_url = http://127.0.0.1:1\n",						  "not https"				   },
	{"a user in the address",
         "[provider \"x\"]\ndialect = openai-chat\nbase_url = https://me:pw@x.example\n",           "base_url of \"x\""                           },
	{"a way to sign that is not there yet", "[provider \"x\"]\nauth = sigv4\n",
         "does not sign with \"sigv4\""													   },
	{"a header that is none",               "[provider \"x\"]\nauth = header:a b\n",            "auth takes"                                  },
	{"an alias of nobody",                  "[model \"m\"]\ntarget = nobody/x\n",
         "no provider is called \"nobody\""												       },
	{"a target without its model",          "[model \"m\"]\ntarget = openai\n",                 "PROVIDER/MODEL"                              },
	{"a price in dollars a token",          "[model \"m\"]\nprice_input = 2000000\n",
         "USD per million tokens"														 },
	{"a negative price",                    "[model \"m\"]\nprice_input = -1\n",                "price_input takes"                           },
};

static void wrong_files(void)
{
	for (size_t i = 0; i < COUNT_OF(refused); i++) {
		struct fault why = FAULT_NONE;
		struct config *c = config_parse(span_str(refused[i].text), "t.conf", &why);
		ok(!c, "%s is refused", refused[i].name);
		ok(strstr(why.message, refused[i].want) != NULL, "%s: \"%s\" says \"%s\"",
			refused[i].name, why.message, refused[i].want);
		config_unref(c);
	}
}

static const char whole[] =
	"# a comment\n; another\n\r\n"
	"[broker]\r\n"
	"log_level = debug\nidle_exit = never\ndrain = 1.5s\nmax_calls = 7\n"
	"[vault]\nauto_lock = 10m\nkey_file = /a b/key\n"
	"[provider \"mine\"]\n"
	"dialect = openai-chat /v1/chat/completions\n"
	"dialect = anthropic /v1/messages\n"
	"base_url = http://127.0.0.1:8080\nauth = header:X-Key\nallow_plain_loopback = yes\n"
	"model = m-1\nseed = no\nmax_tokens_field = max_completion_tokens\n"
	"[provider \"openai\"]\nmodel = gpt-x\n"
	"[model \"default\"]\ntarget = mine/a/b\ntarget = openai/gpt-x\n"
	"[model \"openai/gpt-x\"]\nprice_input = 0.15\nprice_output = 0.60 USD\ncontext = 128000\n";

static void a_good_file(void)
{
	struct fault why = FAULT_NONE;
	struct config *c = config_parse(span_str(whole), "t.conf", &why);
	if (!c)
		bail("%s", why.message);
	ok(span_is(c->log_level, "debug"), "a word");
	is_int(c->idle_exit_us, 0, "never");
	is_int(c->drain_us, 1500000, "a second and a half");
	is_int(c->max_calls, 7, "a number");
	is_int(c->max_connections, 12000, "what is not said has its default");
	is_int(c->auto_lock_us, INT64_C(600000000), "ten minutes");
	ok(span_is(c->key_file, "/a b/key"), "a path with a space");

	const struct provider *p = config_provider(c, SPAN("mine"));
	if (!p)
		bail("the provider is not there");
	is_uint(p->n_dialects, 2, "a list");
	ok(span_is(p->dialects[0].path, "/v1/chat/completions"), "its first path");
	ok(span_is(p->dialects[1].family, "anthropic"), "its second dialect");
	ok(span_is(p->origin, "http://127.0.0.1:8080"), "an origin with its port");
	is_int(p->auth, AUTH_HEADER, "a header of its own");
	ok(span_is(p->auth_header, "X-Key"), "by name");
	ok(p->is_local && !p->is_builtin, "plain loopback is local");
	ok(!p->quirks.has_seed && p->quirks.has_penalties,
		"one quirk changed, the others as they were");

	const struct provider *openai = config_provider(c, SPAN("openai"));
	ok(openai && span_is(openai->model, "gpt-x"), "laid over the built-in row");
	ok(openai && span_is(openai->origin, "https://api.openai.com:443"),
		"which stays otherwise");
	ok(openai && !openai->is_builtin, "and is the file's now");

	const struct model *m = config_model(c, SPAN("default"));
	ok(m && m->n_targets == 2, "an alias of two");
	ok(m && span_is(m->targets[0].provider, "mine") && span_is(m->targets[0].model, "a/b"),
		"a model's name may have slashes");
	const struct model *facts = config_model(c, SPAN("openai/gpt-x"));
	is_int(facts ? facts->price.input : 0, 150000000, "0.15 USD for a million");
	is_int(facts ? facts->price.output : 0, 600000000, "0.60 USD for a million");
	is_int(facts ? facts->price.cache_read : 0, -1, "no price is no zero");
	config_unref(config_ref(c));
	config_unref(c);
}

static void the_rows_that_are_built_in(void)
{
	struct fault why = FAULT_NONE;
	struct config *c = config_parse(SPAN(""), "t.conf", &why);
	if (!c)
		bail("%s", why.message);
	static const char *const names[] = {"openai", "anthropic", "openrouter", "groq", "mistral",
		"deepseek", "xai", "ollama", "offline"};
	for (size_t i = 0; i < COUNT_OF(names); i++)
		ok(config_provider(c, span_str(names[i])) != NULL, "%s is built in", names[i]);
	for (size_t i = 0; i < c->n_providers; i++) {
		const struct provider *p = &c->providers[i];
		ok(p->is_offline || p->is_local || span_starts(p->origin, SPAN("https://")),
			"%.*s is https, or here", SPAN_ARG(p->name));
		ok(p->is_builtin, "%.*s is marked so", SPAN_ARG(p->name));
	}
	config_unref(c);
}

static void put(const char *path, const char *text, mode_t mode)
{
	const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text) ||
		fchmod(fd, mode) != 0)
		bail("%s cannot be written", path);
	close(fd);
}

static void files(void)
{
	char folder[] = "/tmp/llmb-config-XXXXXX", path[64], part[96];
	struct fault why = FAULT_NONE;
	if (!mkdtemp(folder))
		bail("no folder");
	snprintf(path, sizeof path, "%s/broker.conf", folder);
	struct config *c = config_load(path, true, &why);
	ok(c != NULL, "a missing file is no error where it may be missing");
	config_unref(c);
	ok(!config_load(path, false, &why), "and is one where it was named");

	put(path, "[broker]\ndrain = 1s\nmax_calls = 1\n", 0600);
	snprintf(part, sizeof part, "%s/broker.conf.d", folder);
	mkdir(part, 0700);
	snprintf(part, sizeof part, "%s/broker.conf.d/20-b.conf", folder);
	put(part, "[broker]\nmax_calls = 3\n", 0600);
	snprintf(part, sizeof part, "%s/broker.conf.d/10-a.conf", folder);
	put(part, "[broker]\nmax_calls = 2\nmax_connections = 2\n", 0600);
	snprintf(part, sizeof part, "%s/broker.conf.d/30-c.conf~", folder);
	put(part, "not read", 0600);
	c = config_load(path, false, &why);
	is_int(c ? c->drain_us : 0, 1000000, "the main file");
	is_int(c ? c->max_calls : 0, 3, "the last of the folder's, by name, is laid over it");
	is_int(c ? c->max_connections : 0, 2, "and over the one before");
	config_unref(c);

	snprintf(part, sizeof part, "%s/broker.conf.d/20-b.conf", folder);
	put(part, "[broker]\nx = 1\n", 0600);
	ok(!config_load(path, false, &why) && strstr(why.message, "20-b.conf:2:1:"),
		"a fault names its file: %s", why.message);
	put(part, "", 0602);
	ok(!config_load(path, false, &why) && strstr(why.message, "chmod go-w"),
		"what others can write is refused: %s", why.message);
	unlink(part);
	snprintf(part, sizeof part, "rm -rf %s", folder);
	ok(system(part) == 0, "swept");
}

static void the_manual(void)
{
	OWNED(buf_done) struct buf out = BUF_INIT(1 << 20);
	size_t n;
	const struct key *keys = key_table(&n);
	config_manual(&out);
	is_err(buf_error(&out), OK, "it is written");
	ok(n <= 64, "a bit for each key's row is enough");
	for (size_t i = 0; i < n; i++)
		ok(span_find(buf_view(&out), span_str(keys[i].name)) < out.n, "%s is in it",
			keys[i].name);
}

int main(void)
{
	wrong_files();
	a_good_file();
	the_rows_that_are_built_in();
	files();
	the_manual();
	return tap_done();
}
